//! Opening a connection: each address of a host in turn, within one limit; and the kind of fault that a socket's error is.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use nix::errno::Errno;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

use crate::measure::clock::Wall;
use crate::measure::resolve::Resolver;
use crate::measure::stamp;
use crate::record::Fault;

/// The receive window that is asked for: a response that fits into it is stamped when it came, not when it was read.
const RECEIVE_BYTES: u32 = 4 * 1024 * 1024;
/// Stands for a time-out that is too long to be added to a clock.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The moment when something that may take so long is too late.
pub(crate) fn deadline_after(time_out: Duration) -> Instant {
    Instant::now() + time_out.min(NEVER)
}

/// Opens a connection, and says what it took. It must be open within `time_out`, and before the exchange's `deadline`.
pub(crate) async fn connect(
    resolver: &Resolver,
    (host, port): (&str, u16),
    time_out: Duration,
    deadline: Instant,
) -> Result<(TcpStream, Duration), Fault> {
    let limit = deadline_after(time_out);
    let opening = async {
        let addresses = resolver.resolve(host, port).await.map_err(|_| Fault::Dns)?;
        open_any(&addresses, limit).await
    };
    match timeout_at(limit.min(deadline), opening).await {
        Ok(opened) => opened,
        Err(_) if deadline < limit => Err(Fault::TimeOut),
        Err(_) => Err(Fault::ConnectTimeOut),
    }
}

/// Tries the addresses in turn. Each gets its share of the time that is left, so that a silent one does not starve the next.
async fn open_any(addresses: &[SocketAddr], limit: Instant) -> Result<(TcpStream, Duration), Fault> {
    let begun = Wall::now();
    let mut fault = Fault::Dns;
    for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let share = limit.saturating_duration_since(Instant::now()).div_f64(left as f64);
        let found = match timeout(share, open(*address)).await {
            Ok(Ok(stream)) => return Ok((stream, Wall::now().since(begun))),
            Ok(Err(error)) => fault_of(&error),
            Err(_) => Fault::ConnectTimeOut,
        };
        // `localhost` is two addresses, and where IPv6 is off the second cannot be tried: the first tells what is the matter.
        if fault == Fault::Dns || !found.is_ours() {
            fault = found;
        }
    }
    Err(fault)
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    stamp::enable(&stream);
    Ok(stream)
}

/// The kind of fault that an error of a socket is.
pub(crate) fn fault_of(error: &io::Error) -> Fault {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ECONNREFUSED) => Fault::Refused,
        Some(Errno::EADDRNOTAVAIL) => Fault::NoFreePort,
        Some(Errno::ETIMEDOUT) => Fault::ConnectTimeOut,
        Some(Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EHOSTDOWN | Errno::ENETDOWN) => {
            Fault::Unreachable
        }
        Some(Errno::ECONNRESET | Errno::EPIPE | Errno::ECONNABORTED) => Fault::Reset,
        _ => match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::Closed,
            _ => Fault::Client,
        },
    }
}

/// The kind of fault that an error of an open connection is: it was open in time, so it timed out as a whole.
pub(crate) fn fault_of_open(error: &io::Error) -> Fault {
    match fault_of(error) {
        Fault::ConnectTimeOut => Fault::TimeOut,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_a_socket_is_its_kind() {
        let kind = |errno: Errno| fault_of(&io::Error::from(errno));
        assert_eq!(kind(Errno::ECONNREFUSED), Fault::Refused);
        assert_eq!(kind(Errno::EADDRNOTAVAIL), Fault::NoFreePort);
        assert_eq!(kind(Errno::ETIMEDOUT), Fault::ConnectTimeOut);
        assert_eq!(kind(Errno::EHOSTUNREACH), Fault::Unreachable);
        assert_eq!(kind(Errno::ENETUNREACH), Fault::Unreachable);
        assert_eq!(kind(Errno::ECONNRESET), Fault::Reset);
        assert_eq!(kind(Errno::EPIPE), Fault::Reset);
        assert_eq!(kind(Errno::EMFILE), Fault::Client);
        assert_eq!(fault_of(&io::ErrorKind::UnexpectedEof.into()), Fault::Closed);
        assert_eq!(fault_of_open(&io::Error::from(Errno::ETIMEDOUT)), Fault::TimeOut);
        assert_eq!(fault_of_open(&io::Error::from(Errno::ECONNRESET)), Fault::Reset);
    }

    #[test]
    fn the_longest_time_out_has_an_end() {
        assert!(deadline_after(Duration::MAX) > Instant::now());
    }
}
