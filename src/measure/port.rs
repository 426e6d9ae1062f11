//! A free port for the service, which nobody else takes before the service binds it.
//!
//! - **Outgoing connections** (such as 10,000 of our client's) get ports of the kernel's ephemeral range. Ours lies outside of it, if that
//!   leaves enough ports.
//! - **Another plimsoll** on this machine: each port is leased by a name in the kernel (on Linux an abstract socket), which vanishes with
//!   its process, however it ends.
//! - **Other programs**: a trial `bind` shows that they have the port. If one takes it in the milliseconds after that, the service
//!   usually fails to bind it, and is started again on another port.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use tokio::net::TcpSocket;

/// The kernel's range of ports for outgoing connections.
const EPHEMERAL_FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// The range of RFC 6335, for other systems.
const EPHEMERAL_DEFAULT: RangeInclusive<u16> = 49_152..=65_535;
/// Lower ports belong to well-known services, or developers use them by habit.
const LOWEST: u16 = 10_240;
/// With fewer ports outside of the ephemeral range, all ports are used.
const MIN_PORTS: usize = 256;
/// Number of ports to try.
const TRIES: usize = 256;

/// All ports that were tried are in use.
#[derive(Debug, thiserror::Error)]
#[error("found no free port for the service: {TRIES} of the ports {ranges} were tried, and all are in use")]
pub(crate) struct NoFreePort {
    ranges: String,
}

/// A port that no other plimsoll uses while the lease lives.
#[derive(Debug)]
pub(crate) struct PortLease {
    pub(crate) port: u16,
    #[cfg(target_os = "linux")]
    _name: Option<std::os::unix::net::UnixListener>,
}

impl PortLease {
    /// Leases a free port.
    pub(crate) fn new() -> Result<Self, NoFreePort> {
        let ranges = candidates(&ephemeral_ports().unwrap_or(EPHEMERAL_DEFAULT));
        let count: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        for _ in 0..TRIES {
            let nth = fastrand::usize(..count);
            let port = ranges.iter().cloned().flatten().nth(nth).expect("nth lies within the ranges");
            if let Some(lease) = Self::of(port).filter(|_| is_free(port)) {
                return Ok(lease);
            }
        }
        let ranges: Vec<String> = ranges.iter().map(|r| format!("{} to {}", r.start(), r.end())).collect();
        Err(NoFreePort { ranges: ranges.join(" and ") })
    }

    /// Leases this port, unless another plimsoll has it.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(port: u16) -> Option<Self> {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener};
        let name = SocketAddr::from_abstract_name(format!("plimsoll/port/{port}")).ok()?;
        match UnixListener::bind_addr(&name) {
            Ok(name) => Some(Self { port, _name: Some(name) }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
            // A sandbox may forbid such sockets. The trial `bind` remains.
            Err(_) => Some(Self { port, _name: None }),
        }
    }

    /// Leases this port.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of(port: u16) -> Option<Self> {
        Some(Self { port })
    }
}

/// Whether a service could bind the port now, to any address. Does not listen, so nobody can connect to us.
pub(crate) fn is_free(port: u16) -> bool {
    let v4 =
        TcpSocket::new_v4().and_then(|socket| socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))));
    let v6 =
        TcpSocket::new_v6().and_then(|socket| socket.bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))));
    // Other errors of IPv6 say that this machine has none.
    v4.is_ok() && !v6.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// The ports of outgoing connections. `None` if the system does not tell it.
pub(crate) fn ephemeral_ports() -> Option<RangeInclusive<u16>> {
    parse(&std::fs::read_to_string(EPHEMERAL_FILE).ok()?)
}

fn parse(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(low)), Some(Ok(high))) if low <= high => Some(low..=high),
        _ => None,
    }
}

/// The ports to choose from: those outside of the ephemeral range, or all if these are too few.
fn candidates(ephemeral: &RangeInclusive<u16>) -> Vec<RangeInclusive<u16>> {
    let below = LOWEST..=ephemeral.start().saturating_sub(1);
    let above = ephemeral.end().saturating_add(1)..=u16::MAX;
    // 65,535 + 1 saturates to a port inside of the range.
    let outside: Vec<_> =
        [below, above].into_iter().filter(|r| !r.is_empty() && !ephemeral.contains(r.start())).collect();
    let count: usize = outside.iter().map(ExactSizeIterator::len).sum();
    if count < MIN_PORTS { vec![LOWEST..=u16::MAX] } else { outside }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn ports_are_chosen_outside_the_ephemeral_range_if_there_is_room() {
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
    fn the_range_of_the_kernel_is_parsed_and_nonsense_is_not() {
        assert_eq!(parse("32768\t60999\n"), Some(32_768..=60_999));
        for nonsense in ["", "1", "2 1", "a b", "1 99999"] {
            assert_eq!(parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_port_is_leased_once_and_free_again_after_the_lease() {
        let lease = PortLease::new().unwrap();
        let port = lease.port;
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
