//! plimsoll's own HTTP/1.1 client: one request in flight per connection, read with the kernel's receive time.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv};
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::measure::body::BodyScan;
use crate::measure::clock::{self, Received, Wall};
use crate::measure::decoder::{Decoder, Malformed, Problem};
use crate::measure::exchange::{Exchange, MAX_IDLE, Request, Resolver, connect_fault, exchange_fault};
use crate::plan::Transport;
use crate::record::Fault;

const BUFFER_BYTES: usize = 64 * 1024;
/// A response that fits into the receive window is stamped when it arrives, not when it is read.
const RECEIVE_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// The largest receive buffer that a process may ask for.
const MAX_RECEIVE_BUFFER: &str = "/proc/sys/net/core/rmem_max";
/// Sending that takes longer makes the latency uncertain.
const SLOW_SEND: Duration = Duration::from_millis(1);
/// Hosts that one worker stays connected to; a targets file may name thousands.
pub(crate) const MAX_KEPT: usize = 16;
/// Replaces a timeout that is too long to be added to a clock.
const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Interval at which a connection to a Unix socket is tried again whose queue is full.
const QUEUE_POLL: Duration = Duration::from_millis(1);

/// The client of one worker, with a kept connection to each host.
#[derive(Debug)]
pub(crate) struct Http1 {
    transport: Transport,
    resolver: Arc<Resolver>,
    connect_timeout: Duration,
    /// Chooses the address of the next connection to a name with several.
    pub(crate) turn: usize,
    pub(crate) max_idle: Duration,
    /// Those that were used or opened last are at the end.
    kept: Vec<Connection>,
    buffer: Vec<u8>,
    /// Space for the time stamp of a read.
    stamp: Vec<u8>,
    body: BodyScan,
    /// Connections that were dropped since the last exchange because bytes arrived that belong to no response.
    excess: u64,
}

#[derive(Debug)]
struct Connection {
    host: String,
    port: u16,
    stream: TcpStream,
    last_used: Instant,
}

/// Why an attempt over one connection failed.
struct Broken {
    fault: Fault,
    malformed: Option<Box<Malformed>>,
    /// Whether any byte of a response had arrived.
    response_began: bool,
}

/// What arrived on a kept connection while it was idle.
enum Idle {
    Nothing,
    /// The end of the stream, or a reset.
    End,
    /// Bytes that belong to no response.
    Excess,
}

impl Http1 {
    pub(crate) fn new(transport: &Transport, connect_timeout: Duration, resolver: &Arc<Resolver>) -> Self {
        Self {
            transport: transport.clone(),
            resolver: Arc::clone(resolver),
            connect_timeout,
            turn: 0,
            max_idle: MAX_IDLE,
            kept: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
            stamp: clock::stamp_buffer(),
            body: BodyScan::default(),
            excess: 0,
        }
    }

    /// Opens the connection that `request` needs and returns how long that took, `None` if it was open already. Errors are left
    /// to the exchange.
    pub(crate) async fn open(&mut self, request: &Request) -> Option<Duration> {
        if self.transport.no_keepalive {
            return None;
        }
        let now = Instant::now();
        if let (Some(kept), _) = self.take_usable(request, now) {
            self.kept.push(kept);
            return None;
        }
        let (connection, took) = self.connect(request, deadline_after(now, request.timeout)).await.ok()?;
        self.kept.push(connection);
        Some(took)
    }

    pub(crate) async fn exchange(&mut self, request: &Request) -> Exchange {
        let mut exchange = self.try_exchange(request).await;
        exchange.excess = mem::take(&mut self.excess);
        exchange
    }

    async fn try_exchange(&mut self, request: &Request) -> Exchange {
        let now = Instant::now();
        let deadline = deadline_after(now, request.timeout);
        let mut exchange = Exchange::default();
        let (mut kept, was_closed) = self.take_usable(request, now);
        exchange.reconnected = was_closed;
        loop {
            let is_reused = kept.is_some();
            let mut connection = match kept.take() {
                Some(kept) => Connection { last_used: now, ..kept },
                None => {
                    // On a kept connection nothing can fail before the request is sent.
                    exchange.sent = Wall::now();
                    match self.connect(request, deadline).await {
                        Ok((connection, took)) => {
                            exchange.connect = Some(took);
                            connection
                        }
                        Err(fault) => return exchange.failed(fault),
                    }
                }
            };
            // A connection is kept only after a complete response; every other end drops it.
            let attempt = self.send_and_receive(&connection.stream, is_reused, request, &mut exchange);
            match timeout_at(deadline, attempt).await {
                Err(_) => return exchange.failed(Fault::Timeout),
                Ok(Ok(_)) if self.transport.no_keepalive => {
                    hang_up(&connection.stream);
                    return exchange;
                }
                Ok(Ok(keep)) => {
                    if keep {
                        // The latency is by a clock that somebody may have set.
                        connection.last_used += exchange.latency().min(request.timeout);
                        self.kept.push(connection);
                    }
                    return exchange;
                }
                Ok(Err(Broken { fault, response_began: false, .. }))
                    if is_reused
                        && request.endpoint.is_idempotent()
                        && matches!(fault, Fault::Closed | Fault::Reset | Fault::Malformed) =>
                {
                    exchange.reconnected |= fault != Fault::Malformed;
                }
                Ok(Err(broken)) => {
                    exchange.malformed = broken.malformed;
                    return exchange.failed(broken.fault);
                }
            }
        }
    }

    /// Returns whether the connection may be kept.
    async fn send_and_receive(
        &mut self,
        stream: &TcpStream,
        is_reused: bool,
        request: &Request,
        exchange: &mut Exchange,
    ) -> Result<bool, Broken> {
        let mut decoder = Decoder::new(request.endpoint.method == "HEAD");
        self.body.reset();
        let (mut filled, mut response_began, mut has_excess) = (0, false, false);
        let mut sending = Sending { unsent: &request.wire, is_reset: false };
        exchange.sent = Wall::now();
        loop {
            let broken = |fault| Broken { fault, malformed: None, response_began };
            if !sending.is_over() {
                let sent = sending.send(stream).await;
                sent.map_err(|error| broken(exchange_fault(&error)))?;
                exchange.slow_send = Wall::now().since(exchange.sent) > SLOW_SEND;
            }
            let free = &mut self.buffer[filled..];
            let received = if sending.is_over() {
                clock::read(stream, free, &mut self.stamp).await
            } else {
                clock::try_read(stream, free, &mut self.stamp)
            };
            let received = match received {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(broken(exchange_fault(&error))),
            };
            if received.bytes == 0 {
                if decoder.is_whole_at_end() {
                    break;
                }
                return Err(broken(if sending.is_reset { Fault::Reset } else { Fault::Closed }));
            }
            if is_reused && !response_began && is_before(received, exchange.sent) {
                self.excess += u64::from(!has_excess);
                has_excess = true;
                continue;
            }
            response_began = true;
            let malformed = |malformed: Malformed| Broken {
                fault: Fault::Malformed,
                // After an earlier response, what does not begin like one belongs to that.
                response_began: !(is_reused && malformed.problem == Problem::StatusLine),
                malformed: Some(Box::new(malformed)),
            };
            (exchange.ended, exchange.stamped) = (received.at, received.stamped);
            filled += received.bytes;
            let body = &mut self.body;
            let decoded = decoder.take(&self.buffer[..filled], |encoding, piece| {
                body.feed(&request.checks, encoding, piece);
            });
            let taken = decoded.map_err(|error| {
                let broken = malformed(error);
                self.excess += u64::from(!broken.response_began && !has_excess);
                broken
            })?;
            self.buffer.copy_within(taken..filled, 0);
            filled -= taken;
            if decoder.is_done() {
                break;
            }
            if filled == self.buffer.len() {
                return Err(malformed(Malformed::new(Problem::Endless, &self.buffer)));
            }
        }
        exchange.complete(request, decoder.status, &mut self.body);
        self.excess += u64::from(filled > 0 && !has_excess);
        // Of bytes after the response more may follow, and a server that answered early never read the rest of the request.
        let is_clean = filled == 0 && !has_excess;
        Ok(decoder.keeps_alive() && is_clean && sending.unsent.is_empty())
    }

    /// The kept connection to the host of `request`, unless it was idle for too long or something arrived meanwhile, and whether
    /// the server closed it.
    fn take_usable(&mut self, request: &Request, now: Instant) -> (Option<Connection>, bool) {
        let is_wanted = |kept: &Connection| kept.port == request.port && kept.host == request.host;
        let Some(at) = self.kept.iter().position(is_wanted) else { return (None, false) };
        let kept = self.kept.remove(at);
        if now.saturating_duration_since(kept.last_used) > self.max_idle {
            return (None, false);
        }
        match kept.arrived_while_idle() {
            Idle::Nothing => (Some(kept), false),
            Idle::End => (None, true),
            Idle::Excess => {
                self.excess += 1;
                (None, false)
            }
        }
    }

    /// Opens a connection and returns how long that took.
    async fn connect(
        &mut self,
        request: &Request,
        deadline: Instant,
    ) -> Result<(Connection, Duration), Fault> {
        self.make_room();
        let connect_deadline = deadline_after(Instant::now(), self.connect_timeout);
        let (turn, host, port) = (self.turn, request.host.clone(), request.port);
        self.turn = turn.wrapping_add(1);
        let opening = async {
            if let Some(path) = &self.transport.unix_socket {
                return connect_to_socket(path).await.map_err(|error| connect_fault(&error));
            }
            let (host, port) = self.transport.destination(&host, port);
            let version = self.transport.ip_version;
            let addresses = self.resolver.resolve(host, port, version, turn).await.map_err(|_| Fault::Dns)?;
            let (stream, took, address) = connect_to_any(&addresses, connect_deadline).await?;
            if addresses.len() > 1 {
                let failed = addresses.iter().position(|tried| *tried == address).unwrap_or(0);
                self.resolver.opened(host, port, version, address.ip(), &addresses[..failed]);
            }
            Ok((stream, took))
        };
        let (stream, took) = match timeout_at(connect_deadline.min(deadline), opening).await {
            Ok(opened) => opened?,
            Err(_) if deadline < connect_deadline => return Err(Fault::Timeout),
            Err(_) => return Err(Fault::ConnectTimeout),
        };
        Ok((Connection { host, port, stream, last_used: Instant::now() }, took))
    }

    /// Opens the connection that `request` needs, and closes it.
    pub(crate) async fn reach(&mut self, request: &Request) -> Result<(), Fault> {
        let (connection, _) = self.connect(request, deadline_after(Instant::now(), request.timeout)).await?;
        let ends = (connection.stream.local_addr(), connection.stream.peer_addr());
        // A socket that gets the port to which it connects as its own connects to itself.
        if matches!(ends, (Ok(local), Ok(peer)) if local == peer) { Err(Fault::Refused) } else { Ok(()) }
    }

    /// Closes connections that were idle for too long and, if there are still too many, the one that was idle longest.
    fn make_room(&mut self) {
        let (now, max_idle) = (Instant::now(), self.max_idle);
        self.kept.retain(|kept| now.saturating_duration_since(kept.last_used) <= max_idle);
        if self.kept.len() >= MAX_KEPT {
            self.kept.remove(0);
        }
    }
}

impl Connection {
    fn arrived_while_idle(&self) -> Idle {
        if self.stream.try_io(Interest::READABLE, || Ok(())).is_err() {
            return Idle::Nothing;
        }
        match self.stream.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Idle::Nothing,
            Ok(0) | Err(_) => Idle::End,
            Ok(_) => Idle::Excess,
        }
    }
}

/// Whether the kernel received bytes before a request was sent, so that they cannot answer it. A clock that was set back shows nothing.
fn is_before(received: Received, sent: Wall) -> bool {
    received.stamped && received.at < sent && sent <= Wall::now()
}

/// A request that is being sent.
struct Sending<'a> {
    unsent: &'a [u8],
    /// Whether the server refused the rest. It may have answered before; then its answer counts.
    is_reset: bool,
}

impl Sending<'_> {
    fn is_over(&self) -> bool {
        self.unsent.is_empty() || self.is_reset
    }

    /// Sends until everything is sent, the server refuses the rest, or an early answer to a long request can be read.
    async fn send(&mut self, stream: &TcpStream) -> io::Result<()> {
        while !self.is_over() {
            match stream.try_write(self.unsent) {
                Ok(written) => self.unsent = &self.unsent[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if stream.ready(Interest::READABLE | Interest::WRITABLE).await?.is_readable() {
                        return Ok(());
                    }
                }
                Err(error) if exchange_fault(&error) == Fault::Reset => self.is_reset = true,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn deadline_after(now: Instant, timeout: Duration) -> Instant {
    now + timeout.min(MAX_TIMEOUT)
}

/// Tries the addresses in turn. Each gets its share of the remaining time, so that a silent one does not starve the next.
async fn connect_to_any(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<(TcpStream, Duration, SocketAddr), Fault> {
    let started = Instant::now();
    let mut reported = None;
    for (address, remaining) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let share = deadline.saturating_duration_since(Instant::now()).div_f64(remaining as f64);
        let fault = match timeout(share, connect_to(*address)).await {
            Ok(Ok(stream)) => return Ok((stream, started.elapsed(), *address)),
            Ok(Err(error)) => connect_fault(&error),
            Err(_) => Fault::ConnectTimeout,
        };
        // `localhost` has two addresses. Where IPv6 is off, only the fault of the other one is informative.
        if reported.is_none() || !fault.is_ours() {
            reported = Some(fault);
        }
    }
    Err(reported.unwrap_or(Fault::Dns))
}

/// Whether to fix the receive window rather than let the kernel adapt it. A fixed one limits the throughput of a path with delay, and the
/// kernel cuts it down to its limit without a word. On this machine the window costs nothing, and the client competes with the service for
/// CPUs, so that it reads late.
fn pins_window(address: SocketAddr, max_bytes: Option<u64>) -> bool {
    address.ip().is_loopback() && max_bytes.is_some_and(|max| max >= RECEIVE_WINDOW_BYTES.into())
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    static MAX_BYTES: LazyLock<Option<u64>> =
        LazyLock::new(|| std::fs::read_to_string(MAX_RECEIVE_BUFFER).ok()?.trim().parse().ok());
    if pins_window(address, *MAX_BYTES) {
        socket.set_recv_buffer_size(RECEIVE_WINDOW_BYTES)?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    clock::enable_stamps(&stream);
    Ok(stream)
}

/// Connects to the Unix socket with this path, and waits while its queue is full.
async fn connect_to_socket(path: &str) -> io::Result<(TcpStream, Duration)> {
    let started = Instant::now();
    let stream = loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(QUEUE_POLL).await,
            connected => break connected?,
        }
    };
    let took = started.elapsed();
    // Both kinds of stream are read, written and waited for by the same system calls. Only the kernel's stamps are missing here.
    let stream = std::net::TcpStream::from(OwnedFd::from(stream.into_std()?));
    Ok((TcpStream::from_std(stream)?, took))
}

/// Prepares a connection to be closed by this side after a whole response. Who closes first keeps the port for a minute, and many
/// thousands of requests would use up all ports. A reset keeps none; nothing of the response is left that it could destroy.
fn hang_up(stream: &TcpStream) {
    let closed = recv(stream.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT);
    if closed != Ok(0) {
        _ = stream.set_zero_linger();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_adapts_the_window_of_a_path_with_delay_and_where_it_is_limited() {
        let pins = |address: &str, max_bytes| pins_window(address.parse().unwrap(), max_bytes);
        assert!(pins("127.0.0.1:80", Some(4_194_304)) && pins("[::1]:80", Some(16_777_216)));
        assert!(!pins("127.0.0.1:80", Some(212_992)) && !pins("127.0.0.1:80", None));
        assert!(!pins("10.0.0.1:80", Some(16_777_216)) && !pins("[2001:db8::1]:80", Some(16_777_216)));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_socket_to_this_machine_has_the_window_that_was_asked_for_or_the_kernels() {
        use nix::sys::socket::{getsockopt, sockopt::RcvBuf};
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let bytes = |stream: &TcpStream| getsockopt(stream, RcvBuf).unwrap() as u64;
        let ours = bytes(&connect_to(address).await.unwrap());
        let usual = bytes(&TcpStream::connect(address).await.unwrap());
        let max = std::fs::read_to_string(MAX_RECEIVE_BUFFER).ok().and_then(|max| max.trim().parse().ok());
        if pins_window(address, max) {
            assert!(ours >= u64::from(RECEIVE_WINDOW_BYTES), "{ours}");
        } else {
            assert_eq!(ours, usual);
        }
    }

    #[test]
    fn the_longest_timeout_can_be_added_to_the_clock() {
        assert!(deadline_after(Instant::now(), Duration::MAX) > Instant::now());
    }
}
