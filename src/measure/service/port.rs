//! A port for the service that nobody else takes between our look and its own `bind`.
//!
//! Three things could take it, and each is kept away in its own manner. An outgoing connection (also one of our client's
//! 10,000) gets a port of the kernel's ephemeral range: ours lies outside, where that leaves room. Another plimsoll of this
//! machine: each port is leased by a name in the kernel (an abstract socket, on Linux), which vanishes with its process, even
//! by SIGKILL. Any other program: a trial `bind` shows it; if it comes in the milliseconds after that, the service dies of its own
//! `bind`, and gets another port if it was not taken for ready yet, else is found dead.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use tokio::net::TcpSocket;

use super::error::ServiceError;

/// Where the kernel says which ports outgoing connections get.
const EPHEMERAL_FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// The range by RFC 6335, for systems that do not say.
const EPHEMERAL_DEFAULT: RangeInclusive<u16> = 49_152..=65_535;
/// Below it lie the ports that well-known services and developers use by habit.
const LOWEST: u16 = 10_240;
/// Fewer ports than these outside the ephemeral range are no choice.
const LEAST_CHOICE: usize = 256;
/// How many ports are looked at.
const TRIES: usize = 256;

/// A port that is this process's to give away, for as long as the lease lives.
#[derive(Debug)]
pub(crate) struct PortLease {
    port: u16,
    #[cfg(target_os = "linux")]
    _name: Option<std::os::unix::net::UnixListener>,
}

impl PortLease {
    /// Leases a free port.
    pub(crate) fn new() -> Result<Self, ServiceError> {
        let ranges = candidates(&ephemeral());
        let count: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        let mut rng = fastrand::Rng::new();
        for _ in 0..TRIES {
            let nth = rng.usize(..count);
            let port = ranges.iter().cloned().flatten().nth(nth).expect("nth lies within the ranges");
            if let Some(lease) = Self::of(port).filter(|_| is_free(port)) {
                return Ok(lease);
            }
        }
        let range: Vec<String> = ranges.iter().map(|r| format!("{} to {}", r.start(), r.end())).collect();
        Err(ServiceError::NoPort { tried: TRIES, range: range.join(" and ") })
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A lease of this very port, unless another plimsoll has it.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(port: u16) -> Option<Self> {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener};
        let name = SocketAddr::from_abstract_name(format!("plimsoll/port/{port}")).ok()?;
        match UnixListener::bind_addr(&name) {
            Ok(name) => Some(Self { port, _name: Some(name) }),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => None,
            // A sandbox may forbid such sockets: the trial bind remains.
            Err(_) => Some(Self { port, _name: None }),
        }
    }

    /// A lease of this very port.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of(port: u16) -> Option<Self> {
        Some(Self { port })
    }
}

/// Whether a service could bind the port now, to any address. Nothing listens meanwhile, so that nobody connects to us.
pub(crate) fn is_free(port: u16) -> bool {
    let v4 =
        TcpSocket::new_v4().and_then(|socket| socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))));
    if v4.is_err() {
        return false;
    }
    let Ok(socket) = TcpSocket::new_v6() else { return true };
    let v6 = socket.bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    // Without IPv6 on this machine there is nobody on it either.
    !v6.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

/// The ports of outgoing connections.
fn ephemeral() -> RangeInclusive<u16> {
    std::fs::read_to_string(EPHEMERAL_FILE).ok().and_then(|text| parsed(&text)).unwrap_or(EPHEMERAL_DEFAULT)
}

fn parsed(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(low)), Some(Ok(high))) if low <= high => Some(low..=high),
        _ => None,
    }
}

/// The ports to choose from: those outside the ephemeral range, or all if it leaves too few.
fn candidates(ephemeral: &RangeInclusive<u16>) -> Vec<RangeInclusive<u16>> {
    let below = LOWEST..=ephemeral.start().saturating_sub(1);
    let above = ephemeral.end().saturating_add(1)..=u16::MAX;
    // `65535 + 1` saturates to a port inside the range.
    let outside: Vec<_> =
        [below, above].into_iter().filter(|r| !r.is_empty() && !ephemeral.contains(r.start())).collect();
    let room: usize = outside.iter().map(ExactSizeIterator::len).sum();
    if room < LEAST_CHOICE { vec![LOWEST..=u16::MAX] } else { outside }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn ports_are_chosen_outside_the_ephemeral_range_where_it_leaves_room() {
        let cases = [
            (32_768..=60_999, vec![10_240..=32_767, 61_000..=65_535]),
            (49_152..=65_535, vec![10_240..=49_151]),
            (1_024..=65_535, vec![10_240..=65_535]),
            (1_024..=60_999, vec![61_000..=65_535]),
            (10_000..=65_500, vec![10_240..=65_535]),
        ];
        for (ephemeral, expected) in cases {
            assert_eq!(candidates(&ephemeral), expected, "{ephemeral:?}");
        }
    }

    #[test]
    fn the_kernels_range_is_read_and_nonsense_is_not() {
        assert_eq!(parsed("32768\t60999\n"), Some(32_768..=60_999));
        for nonsense in ["", "1", "2 1", "a b", "1 99999"] {
            assert_eq!(parsed(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_port_is_leased_once_and_is_free_again_with_the_lease() {
        let lease = PortLease::new().unwrap();
        let port = lease.port();
        assert!(is_free(port));
        if cfg!(target_os = "linux") {
            assert!(PortLease::of(port).is_none());
        }
        drop(lease);
        assert!(PortLease::of(port).is_some());
    }

    #[test]
    fn a_port_on_which_somebody_listens_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
    }
}
