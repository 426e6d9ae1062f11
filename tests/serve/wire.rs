//! A reference API in a thread, and a client that speaks to it in plain bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use plimsoll::serve::{ServeOptions, Totals, serve};
use tokio::sync::oneshot;

/// A server with two threads for its requests.
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Totals>,
}

impl Server {
    pub fn start(options: ServeOptions) -> Self {
        let (stop, stopped) = oneshot::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let shutdown = async { stopped.await.unwrap() };
                serve(listener, options, shutdown).await.unwrap()
            })
        });
        Self { address, stop, thread }
    }

    pub fn limited_to(most: usize) -> Self {
        Self::start(ServeOptions { max_concurrent_requests: Some(most), ..ServeOptions::default() })
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Client(stream)
    }

    pub fn get(&self, target: &str) -> Reply {
        self.connect().get(target)
    }

    /// Of a server limited to one: a client whose long sleep holds the only place.
    ///
    /// A sleeper that arrives while the probe holds the place is refused, and then nothing would ever fill it: it asks again.
    pub fn occupied(&self) -> Client {
        let mut sleeping = self.connect();
        let mut probe = self.connect();
        sleeping.send("GET", "/sleeper?sleep_length=600", "");
        while probe.get("/hello").status == 200 {
            if !sleeping.has_nothing_to_read() {
                assert_eq!(sleeping.receive().status, 429);
                sleeping.send("GET", "/sleeper?sleep_length=600", "");
            }
        }
        sleeping
    }

    pub fn stop(self) -> Totals {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

/// A kept connection.
pub struct Client(TcpStream);

pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Client {
    pub fn get(&mut self, target: &str) -> Reply {
        self.send("GET", target, "");
        self.receive()
    }

    pub fn post(&mut self, target: &str, body: &str) -> Reply {
        self.send("POST", target, body);
        self.receive()
    }

    pub fn send(&mut self, method: &str, target: &str, body: &str) {
        let length = body.len();
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}");
        self.0.write_all(request.as_bytes()).unwrap();
    }

    pub fn has_nothing_to_read(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Insists on a Content-Length.
    pub fn receive(&mut self) -> Reply {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let mut body = vec![0; header("content-length:").unwrap().parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, body: String::from_utf8(body).unwrap(), head }
    }
}
