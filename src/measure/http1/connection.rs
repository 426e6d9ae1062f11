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
use crate::measure::clock::Wall;
use crate::measure::exchange::Exchange;
use crate::measure::http1::decoder::Decoder;
use crate::measure::request::Request;
use crate::measure::resolve::Resolver;
use crate::measure::stamp::{self, Control};
use crate::record::Fault;

/// Room for a head and for pieces of a body.
const BUFFER_BYTES: usize = 64 * 1024;
/// The receive window that is asked for: a response that fits into it is stamped when it came, not when it was read.
const RECEIVE_BYTES: u32 = 4 * 1024 * 1024;
/// A connection that idled longer is opened anew: the server may be about to close it.
const LONGEST_IDLE: Duration = Duration::from_secs(1);
/// Sending that takes longer makes the latency uncertain.
const SLOW_SEND: Duration = Duration::from_millis(1);

/// One worker's side of HTTP/1.1: a kept connection to each host that it asks.
#[derive(Debug)]
pub(crate) struct Http1 {
    resolver: Rc<Resolver>,
    connect_time_out: Duration,
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
            kept: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
            control: Control::new(),
            body: BodyWatch::new(),
        }
    }

    /// Opens the connection that `request` will need, so that it can depart without waiting. What goes wrong will show at the
    /// exchange.
    pub(crate) async fn open(&mut self, request: &Request) {
        if self.take_kept(request).is_none_or(|kept| !self.keep_if_fresh(kept)) {
            if let Ok((connection, _)) = self.connect(request).await {
                self.kept.push(connection);
            }
        }
    }

    /// Makes one exchange; whatever goes wrong is a fault in it.
    pub(crate) async fn exchange(&mut self, request: &Request) -> Exchange {
        let deadline = Instant::now() + request.time_out;
        let mut exchange = Exchange::begun();
        let kept = self.take_kept(request).filter(Connection::is_fresh);
        let (mut connection, mut is_reused) = match kept {
            Some(kept) if kept.is_quiet() => (kept, true),
            stale => {
                exchange.reconnected = stale.is_some();
                match self.connect_for(&mut exchange, request).await {
                    Ok(connection) => (connection, false),
                    Err(fault) => return exchange.failed(fault),
                }
            }
        };
        loop {
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
            connection = match self.connect_for(&mut exchange, request).await {
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
        exchange.sent = Wall::now();
        let sending = send(stream, &request.wire).await;
        exchange.slow_send = Wall::now().since(exchange.sent) > SLOW_SEND;
        if let Err(error) = sending {
            // The server may have answered before it closed; then its answer counts.
            if !matches!(fault_of(&error), Fault::Reset) {
                return Err(Broken { fault: fault_of(&error), begun: false });
            }
        }
        let mut decoder = Decoder::new(request.endpoint.method == "HEAD");
        self.body.restart();
        let mut filled = 0;
        let mut begun = false;
        loop {
            let read = stamp::read(stream, &mut self.buffer[filled..], &mut self.control).await;
            let read = read.map_err(|error| Broken { fault: fault_of(&error), begun })?;
            if read.bytes == 0 {
                if !decoder.is_whole_at_end() {
                    return Err(Broken { fault: Fault::Closed, begun });
                }
                break;
            }
            begun = true;
            (exchange.ended, exchange.stamped) = (read.at, read.stamped);
            filled += read.bytes;
            let body = &mut self.body;
            let taken = decoder
                .take(&self.buffer[..filled], |piece| body.feed(request, piece))
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
        exchange.status = decoder.status();
        exchange.tokens = self.body.tokens();
        exchange.fault = match exchange.status {
            Some(status) if !request.endpoint.accepts(status) => Some(Fault::Status(status)),
            _ if !self.body.passes(request) => Some(Fault::Body),
            _ => None,
        };
        // Bytes behind the response belong to nothing that was asked.
        Ok(decoder.keeps_alive() && filled == 0)
    }

    fn take_kept(&mut self, request: &Request) -> Option<Connection> {
        let at = self.kept.iter().position(|kept| kept.port == request.port && kept.host == request.host)?;
        Some(self.kept.swap_remove(at))
    }

    fn keep_if_fresh(&mut self, kept: Connection) -> bool {
        let fresh = kept.is_fresh() && kept.is_quiet();
        if fresh {
            self.kept.push(kept);
        }
        fresh
    }

    async fn connect_for(&self, exchange: &mut Exchange, request: &Request) -> Result<Connection, Fault> {
        let (connection, took) = self.connect(request).await?;
        exchange.connect = Some(took);
        Ok(connection)
    }

    /// Opens a connection, trying each address of the host in turn.
    async fn connect(&self, request: &Request) -> Result<(Connection, Duration), Fault> {
        let (host, port) = (&request.host, request.port);
        let open = async {
            let addresses = self.resolver.resolve(host, port).await.map_err(|_| Fault::Dns)?;
            let begun = Wall::now();
            let mut fault = Fault::Dns;
            for address in addresses {
                match open(address).await {
                    Ok(stream) => return Ok((stream, Wall::now().since(begun))),
                    Err(error) => fault = fault_of(&error),
                }
            }
            Err(fault)
        };
        let opened = timeout(self.connect_time_out, open).await;
        let (stream, took) = opened.map_err(|_| Fault::ConnectTimeOut)??;
        Ok((Connection { host: host.clone(), port, stream, last_used: Wall::now() }, took))
    }
}

impl Connection {
    fn is_fresh(&self) -> bool {
        Wall::now().since(self.last_used) <= LONGEST_IDLE
    }

    /// Whether nothing came while it idled. What comes then is the end of the stream, or nothing that was asked for.
    fn is_quiet(&self) -> bool {
        let readable = self.stream.try_io(Interest::READABLE, || Ok(())).is_ok();
        !readable
            || matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    stamp::enable(&stream);
    Ok(stream)
}

async fn send(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
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
