//! One worker's connections, and the exchange over them.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

use crate::measure::body::BodyWatch;
use crate::measure::clock::{self, Control, Wall};
use crate::measure::decoder::Decoder;
use crate::measure::exchange::{Exchange, Request, Resolver};
use crate::record::Fault;

/// Room for a head and for pieces of a body.
const BUFFER_BYTES: usize = 64 * 1024;
/// A connection that idled longer is opened anew: the server may be about to close it.
pub(crate) const LONGEST_IDLE: Duration = Duration::from_secs(1);
/// Sending that takes longer makes the latency uncertain.
const SLOW_SEND: Duration = Duration::from_millis(1);
/// Hosts that one worker stays connected with; a targets file may name thousands.
const MOST_KEPT: usize = 16;

/// One worker's side of HTTP/1.1: a kept connection to each host that it asks.
#[derive(Debug)]
pub(crate) struct Http1 {
    resolver: Rc<Resolver>,
    connect_time_out: Duration,
    longest_idle: Duration,
    kept: Vec<Connection>,
    buffer: Vec<u8>,
    control: Control,
    body: BodyWatch,
}

#[derive(Debug)]
struct Connection {
    host: String,
    port: u16,
    stream: TcpStream,
    last_used: Wall,
}

/// How one try over one connection ended, when it was not with a response.
struct Broken {
    fault: Fault,
    /// Whether any byte of a response had come.
    begun: bool,
}

impl Http1 {
    pub(crate) fn new(resolver: Rc<Resolver>, connect_time_out: Duration) -> Self {
        Self {
            resolver,
            connect_time_out,
            longest_idle: LONGEST_IDLE,
            kept: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
            control: Control::new(),
            body: BodyWatch::new(),
        }
    }

    /// The same with another longest idle time: tests on a busy machine need a long one, or a short.
    #[cfg(test)]
    pub(crate) fn idling(mut self, longest_idle: Duration) -> Self {
        self.longest_idle = longest_idle;
        self
    }

    /// Opens the connection that `request` will need, so that it can depart without waiting, and says what that took if it was
    /// not open. What goes wrong will show at the exchange.
    pub(crate) async fn open(&mut self, request: &Request) -> Option<Duration> {
        let kept = self.take_kept(request).filter(|kept| self.is_fresh(kept) && kept.is_quiet());
        let mut unsent = Exchange::begun();
        let opened = match kept {
            Some(kept) => Ok(kept),
            None => self.connect_for(&mut unsent, request, deadline_after(request.time_out)).await,
        };
        self.kept.extend(opened);
        unsent.connect
    }

    /// Makes one exchange; whatever goes wrong is a fault in it.
    pub(crate) async fn exchange(&mut self, request: &Request) -> Exchange {
        let deadline = deadline_after(request.time_out);
        let mut exchange = Exchange::begun();
        let kept = self.take_kept(request).filter(|kept| self.is_fresh(kept));
        let (mut connection, mut is_reused) = match kept {
            Some(kept) if kept.is_quiet() => (kept, true),
            stale => {
                exchange.reconnected = stale.is_some();
                match self.connect_for(&mut exchange, request, deadline).await {
                    Ok(connection) => (connection, false),
                    Err(fault) => return exchange.failed(fault),
                }
            }
        };
        loop {
            // A connection is put back only behind a whole response: whatever ends the try early drops it.
            let tried = timeout_at(deadline, self.try_over(&connection.stream, request, &mut exchange)).await;
            let broken = match tried {
                Err(_) => return exchange.failed(Fault::TimeOut),
                Ok(Ok(keep)) => {
                    if keep {
                        connection.last_used = exchange.ended;
                        self.kept.push(connection);
                    }
                    return exchange;
                }
                Ok(Err(broken)) => broken,
            };
            let closed_under_us = matches!(broken.fault, Fault::Closed | Fault::Reset) && !broken.begun;
            if !(closed_under_us && is_reused && request.endpoint.is_idempotent()) {
                return exchange.failed(broken.fault);
            }
            exchange.reconnected = true;
            connection = match self.connect_for(&mut exchange, request, deadline).await {
                Ok(connection) => connection,
                Err(fault) => return exchange.failed(fault),
            };
            is_reused = false;
        }
    }

    /// Sends the request and reads the response; says whether the connection may be kept.
    async fn try_over(
        &mut self,
        stream: &TcpStream,
        request: &Request,
        exchange: &mut Exchange,
    ) -> Result<bool, Broken> {
        let mut decoder = Decoder::new(request.endpoint.method == "HEAD");
        self.body.restart();
        let (mut filled, mut begun) = (0, false);
        let mut sending = Sending { unsent: &request.wire, reset: false };
        exchange.sent = Wall::now();
        loop {
            if !sending.is_over() {
                let sent = sending.go_on(stream).await;
                sent.map_err(|error| Broken { fault: fault_of_open(&error), begun })?;
                exchange.slow_send = Wall::now().since(exchange.sent) > SLOW_SEND;
            }
            let free = &mut self.buffer[filled..];
            let read = if sending.is_over() {
                clock::read(stream, free, &mut self.control).await
            } else {
                clock::read_now(stream, free, &mut self.control)
            };
            let read = match read {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(Broken { fault: fault_of_open(&error), begun }),
            };
            if read.bytes == 0 {
                if decoder.is_whole_at_end() {
                    break;
                }
                let fault = if sending.reset { Fault::Reset } else { Fault::Closed };
                return Err(Broken { fault, begun });
            }
            begun = true;
            (exchange.ended, exchange.stamped) = (read.at, read.stamped);
            filled += read.bytes;
            let body = &mut self.body;
            let taken = decoder
                .take(&self.buffer[..filled], |piece| body.feed(&request.pointers, request.needle(), piece))
                .map_err(|_| Broken { fault: Fault::Malformed, begun })?;
            self.buffer.copy_within(taken..filled, 0);
            filled -= taken;
            if decoder.is_done() {
                break;
            }
            if filled == self.buffer.len() {
                return Err(Broken { fault: Fault::Malformed, begun });
            }
        }
        exchange.conclude(request, decoder.status(), &self.body);
        // Bytes behind the response belong to nothing that was asked; a request that it overtook was never read.
        Ok(decoder.keeps_alive() && filled == 0 && sending.unsent.is_empty())
    }

    fn take_kept(&mut self, request: &Request) -> Option<Connection> {
        let at = self.kept.iter().position(|kept| kept.port == request.port && kept.host == request.host)?;
        Some(self.kept.swap_remove(at))
    }

    fn is_fresh(&self, kept: &Connection) -> bool {
        Wall::now().since(kept.last_used) <= self.longest_idle
    }

    async fn connect_for(
        &mut self,
        exchange: &mut Exchange,
        request: &Request,
        deadline: Instant,
    ) -> Result<Connection, Fault> {
        self.make_room();
        let (host, port) = (&request.host, request.port);
        let (stream, took) = connect(&self.resolver, (host, port), self.connect_time_out, deadline).await?;
        exchange.connect = Some(took);
        Ok(Connection { host: host.clone(), port, stream, last_used: Wall::now() })
    }

    /// Closes connections that will not be used again, and the one that idled longest if there are too many.
    fn make_room(&mut self) {
        let (now, longest) = (Wall::now(), self.longest_idle);
        self.kept.retain(|kept| now.since(kept.last_used) <= longest);
        if self.kept.len() >= MOST_KEPT
            && let Some((oldest, _)) = self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.last_used)
        {
            self.kept.swap_remove(oldest);
        }
    }
}

impl Connection {
    /// Whether nothing came while it idled. What comes then is the end of the stream, or nothing that was asked for.
    fn is_quiet(&self) -> bool {
        let readable = self.stream.try_io(Interest::READABLE, || Ok(())).is_ok();
        !readable
            || matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// A request on its way.
struct Sending<'a> {
    unsent: &'a [u8],
    /// Whether the server would not take it. It may have answered before; then its answer counts.
    reset: bool,
}

impl Sending<'_> {
    fn is_over(&self) -> bool {
        self.unsent.is_empty() || self.reset
    }

    /// Sends until all is sent, the server takes no more, or something can be read: a server may answer a long request early.
    async fn go_on(&mut self, stream: &TcpStream) -> io::Result<()> {
        while !self.is_over() {
            match stream.try_write(self.unsent) {
                Ok(written) => self.unsent = &self.unsent[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if stream.ready(Interest::READABLE | Interest::WRITABLE).await?.is_readable() {
                        return Ok(());
                    }
                }
                Err(error) if fault_of_open(&error) == Fault::Reset => self.reset = true,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

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
    clock::enable(&stream);
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
