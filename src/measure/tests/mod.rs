//! A server that misbehaves on purpose, and the clients under test.

mod clients;
#[cfg(feature = "reqwest")]
mod reqwest;
mod transport;

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt::Linger};

use crate::measure::clock::Wall;
use crate::measure::exchange::{Exchange, Lookup, Request, Resolver};
use crate::measure::http1::Http1;
#[cfg(feature = "reqwest")]
use crate::measure::via_reqwest::ViaReqwest;
use crate::plan::Endpoint;
use crate::plan::Transport;
use crate::record::Fault;

/// The interval at which a waiting connection checks whether the test is over.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// One thing that the server does with a connection.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Reads a whole request.
    ReadRequest,
    /// Reads this number of bytes.
    ReadBytes(usize),
    Send(Vec<u8>),
    Pause(Duration),
    /// Closes immediately. With unread bytes the kernel resets the connection.
    Close,
    Reset,
    /// Sends nothing until the client closes or the test is over.
    WaitForClose,
    Run(fn(&mut TcpStream)),
}

pub(super) fn send(text: impl AsRef<[u8]>) -> Act {
    Act::Send(text.as_ref().to_vec())
}

/// A response with a body and its length.
pub(super) fn response(status: &str, body: &str) -> Act {
    send(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

/// Answers one request and keeps the connection open.
pub(super) fn answer_once() -> Vec<Act> {
    vec![Act::ReadRequest, response("200 OK", "fine"), Act::WaitForClose]
}

#[derive(Debug, Default)]
struct Seen {
    over: AtomicBool,
    accepted: AtomicUsize,
    requests: Mutex<Vec<String>>,
    ended: Mutex<Vec<Wall>>,
}

/// The server; stopped when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Plays one script per connection, and the last one on each further connection.
    pub(super) fn start(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let thread = std::thread::spawn({
            let seen = Arc::clone(&seen);
            move || serve(&listener, &scripts, &seen)
        });
        Self { address, seen, thread: Some(thread) }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(super) fn accepted(&self) -> usize {
        self.seen.accepted.load(Ordering::SeqCst)
    }

    /// Heads and bodies of the received requests.
    pub(super) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// When the server ended connections. Waits until it has ended `connections` of them.
    pub(super) fn ended(&self, connections: usize) -> Vec<Wall> {
        loop {
            let ended = self.seen.ended.lock().unwrap().clone();
            if ended.len() >= connections {
                return ended;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.seen.over.store(true, Ordering::SeqCst);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(listener: &TcpListener, scripts: &[Vec<Act>], seen: &Arc<Seen>) {
    // A last connection could not wake it if a test occupies all ports.
    listener.set_nonblocking(true).unwrap();
    let mut connections = Vec::new();
    while !seen.over.load(Ordering::SeqCst) {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(POLL_INTERVAL / 5);
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        let at = seen.accepted.fetch_add(1, Ordering::SeqCst);
        let script = scripts.get(at).or(scripts.last()).cloned().unwrap_or_default();
        let seen = Arc::clone(seen);
        connections.push(std::thread::spawn(move || play(stream, &script, &seen)));
    }
    connections.into_iter().for_each(|connection| connection.join().unwrap());
}

/// Plays one script, which ends early if the client is gone.
fn play(mut stream: TcpStream, script: &[Act], seen: &Seen) {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(POLL_INTERVAL)).unwrap();
    for act in script {
        let goes_on = match act {
            Act::ReadRequest => read_request(&mut stream, seen),
            Act::ReadBytes(bytes) => read_bytes(&mut stream, *bytes, seen).is_some(),
            Act::Send(bytes) => stream.write_all(bytes).is_ok(),
            Act::Pause(time) => {
                std::thread::sleep(*time);
                true
            }
            Act::Close => false,
            Act::Reset => {
                let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
                setsockopt(&stream, Linger, &at_once).unwrap();
                false
            }
            Act::WaitForClose => {
                while read_some(&mut stream, &mut [0; 4096], seen).is_some() {}
                false
            }
            Act::Run(run) => {
                run(&mut stream);
                true
            }
        };
        if !goes_on {
            break;
        }
    }
    let now = Wall::now();
    drop(stream);
    seen.ended.lock().unwrap().push(now);
}

/// Reads the next bytes. `None` if the client is gone or the test is over.
fn read_some(stream: &mut TcpStream, buffer: &mut [u8], seen: &Seen) -> Option<usize> {
    while !seen.over.load(Ordering::SeqCst) {
        match stream.read(buffer) {
            Ok(0) => return None,
            Ok(read) => return Some(read),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return None,
        }
    }
    None
}

fn read_bytes(stream: &mut TcpStream, bytes: usize, seen: &Seen) -> Option<Vec<u8>> {
    let mut taken = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        filled += read_some(stream, &mut taken[filled..], seen)?;
    }
    Some(taken)
}

fn read_request(stream: &mut TcpStream, seen: &Seen) -> bool {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Some(byte) = read_bytes(stream, 1, seen) else { return false };
        request.extend(byte);
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let Some(body) = read_bytes(stream, length.map_or(0, |text| text.parse().unwrap()), seen) else {
        return false;
    };
    request.extend(body);
    seen.requests.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    true
}

/// A timeout that no exchange of these tests reaches, even on a busy machine.
pub(super) const LONG: Duration = Duration::from_secs(30);
/// A timeout that is meant to be reached.
pub(super) const SHORT: Duration = Duration::from_millis(100);

/// One of the two clients.
#[derive(Debug)]
pub(super) enum Subject {
    Own(Box<Http1>),
    #[cfg(feature = "reqwest")]
    Reqwest(Box<ViaReqwest>),
}

impl Subject {
    pub(super) async fn exchange(&mut self, request: &Request) -> Exchange {
        let exchanged = async {
            match self {
                Subject::Own(client) => client.exchange(request).await,
                #[cfg(feature = "reqwest")]
                Self::Reqwest(client) => client.exchange(request).await,
            }
        };
        tokio::time::timeout(2 * LONG, exchanged).await.expect("an exchange ends in time")
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self, Subject::Own(_))
    }
}

/// plimsoll's own client. It keeps its connections even if a busy machine pauses.
pub(super) fn own_client() -> Http1 {
    own_client_with(LONG, None)
}

fn own_client_with(connect_timeout: Duration, lookup: Option<Lookup>) -> Http1 {
    own_client_over(&Transport::default(), connect_timeout, lookup)
}

fn own_client_over(transport: &Transport, connect_timeout: Duration, lookup: Option<Lookup>) -> Http1 {
    let mut client = Http1::new(transport, connect_timeout, &resolver(lookup));
    client.max_idle = LONG;
    client
}

pub(super) fn resolver(lookup: Option<Lookup>) -> Arc<Resolver> {
    let mut resolver = Resolver::default();
    resolver.lookup = lookup;
    Arc::new(resolver)
}

pub(super) fn both_with(connect_timeout: Duration, lookup: Option<Lookup>) -> Vec<Subject> {
    both_over(&Transport::default(), connect_timeout, lookup)
}

pub(super) fn both_over(
    transport: &Transport,
    connect_timeout: Duration,
    lookup: Option<Lookup>,
) -> Vec<Subject> {
    vec![
        Subject::Own(Box::new(own_client_over(transport, connect_timeout, lookup))),
        #[cfg(feature = "reqwest")]
        Subject::Reqwest(Box::new(ViaReqwest::new(transport, connect_timeout, &resolver(lookup)))),
    ]
}

pub(super) fn both() -> Vec<Subject> {
    both_with(LONG, None)
}

pub(super) fn request(endpoint: &Endpoint, timeout: Duration) -> Request {
    Request::new(endpoint, None, timeout).unwrap()
}

pub(super) fn get(url: &str) -> Request {
    request(&Endpoint::get(url), LONG)
}

/// The client can still make exchanges.
pub(super) async fn assert_works(client: &mut Subject) {
    let server = Server::start(vec![answer_once()]);
    let exchange = client.exchange(&get(&server.url())).await;
    assert_eq!((exchange.status, exchange.fault), (Some(200), None), "{client:?}");
}

/// The exchange ends in this fault, with a status only if a complete response arrived, and the client still works.
pub(super) async fn assert_fails(client: &mut Subject, request: &Request, fault: Fault) {
    let exchange = client.exchange(request).await;
    assert_eq!(exchange.fault, Some(fault), "{client:?}");
    assert_eq!(exchange.status.is_some(), fault.is_response());
    assert_works(client).await;
}

/// Runs a test for each client.
pub(super) fn for_both<F: Future<Output = ()>>(clients: Vec<Subject>, test: impl Fn(Subject) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for client in clients {
        runtime.block_on(test(client));
    }
}
