//! The reference API through plain sockets: each request of its table, the limit, and the options that slow it down.

#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use plimsoll::serve::{ServeOptions, Tail, Totals, serve};
use tokio::sync::oneshot;

/// A reference API with two threads for its requests.
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Totals>,
}

impl Server {
    fn start(options: ServeOptions) -> Self {
        let (stop, stopped) = oneshot::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let shutdown = async { stopped.await.unwrap() };
                serve(listener, &options, shutdown).await.unwrap()
            })
        });
        Self { address, stop, thread }
    }

    fn limited_to(max: usize) -> Self {
        Self::start(ServeOptions { max_concurrent_requests: Some(max), ..ServeOptions::default() })
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Client(stream)
    }

    fn get(&self, target: &str) -> Reply {
        self.connect().get(target)
    }

    /// A client whose long sleep holds the only place of a server that is limited to one.
    ///
    /// The sleeper is refused if it arrives while the probe holds the place. It then asks again.
    fn occupy(&self) -> Client {
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

    fn stop(self) -> Totals {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

/// A connection that is kept open. It speaks plain bytes.
struct Client(TcpStream);

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Client {
    fn get(&mut self, target: &str) -> Reply {
        self.send("GET", target, "");
        self.receive()
    }

    fn post(&mut self, target: &str, body: &str) -> Reply {
        self.send("POST", target, body);
        self.receive()
    }

    fn send(&mut self, method: &str, target: &str, body: &str) {
        let length = body.len();
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}");
        self.0.write_all(request.as_bytes()).unwrap();
    }

    fn has_nothing_to_read(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Panics without a Content-Length.
    fn receive(&mut self) -> Reply {
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

#[test]
fn the_tokenizer_responds_with_the_requested_number_of_words() {
    let server = Server::start(ServeOptions::default());
    let reply = server.get("/tokenizer?output_tokens=30&input_text=h%C3%A9llo+w%22orld");
    assert_eq!(reply.status, 200);
    assert!(reply.head.contains("content-type: application/json"));
    let json = reply.json();
    assert_eq!(json["input_text"], "héllo w\"orld");
    assert_eq!(json["input_tokens"], 3);
    assert_eq!(json["output_tokens"], 30);
    assert_eq!(json["output_text"].as_str().unwrap().split(' ').count(), 30);
}

#[test]
fn invalid_input_is_answered_400() {
    let server = Server::start(ServeOptions::default());
    let mut client = server.connect();
    let invalid =
        ["/tokenizer", "/tokenizer?input_text=abc", "/tokenizer?output_tokens=3", "/sleeper?sleep_length=-1"];
    let no_count = ["", "0", "many", "-3", "99999999999999999999"];
    let no_count = no_count.map(|count| format!("/tokenizer?output_tokens={count}&input_text=abc"));
    for target in invalid.into_iter().chain(no_count.iter().map(String::as_str)) {
        let reply = client.get(target);
        assert_eq!((reply.status, reply.body.as_str()), (400, "Invalid input"), "{target}");
    }
}

#[test]
fn hello_responds_and_the_sleeper_sleeps() {
    let server = Server::start(ServeOptions::default());
    let mut client = server.connect();
    let reply = client.get("/hello");
    assert_eq!((reply.status, reply.body.as_str()), (200, "Hello World"));
    for (target, seconds) in
        [("/sleeper?sleep_length=0.05", 0.05), ("/sleeper", 1.0), ("/sleeper?sleep_length=0", 1.0)]
    {
        let start = Instant::now();
        assert_eq!(client.get(target).status, 200, "{target}");
        assert!(start.elapsed() >= Duration::from_secs_f64(seconds), "{target}");
    }
}

#[test]
fn an_unknown_path_is_404_and_a_wrong_method_is_405() {
    let server = Server::start(ServeOptions::default());
    let mut client = server.connect();
    assert_eq!(client.get("/").status, 404);
    assert_eq!(client.get("/tokenizers?output_tokens=1&input_text=a").status, 404);
    assert_eq!(client.get("/update_config").status, 405);
    assert_eq!(client.post("/hello", "").status, 405);
}

#[test]
fn the_limit_applies_to_each_get_immediately_and_can_be_changed() {
    let server = Server::limited_to(1);
    let _sleeping = server.occupy();
    let mut client = server.connect();
    let start = Instant::now();
    for target in
        ["/hello", "/sleeper?sleep_length=30", "/tokenizer?output_tokens=3&input_text=a", "/tokenizer"]
    {
        let reply = client.get(target);
        assert_eq!(reply.status, 429, "{target}");
        assert_eq!(reply.json(), serde_json::json!({"error": "Too many concurrent requests"}));
    }
    assert!(start.elapsed() < Duration::from_secs(15));

    for body in ["", "{}", "{\"max_concurrent_requests\": \"two\"}", "{\"max_concurrent_requests\": -1}", "["]
    {
        let reply = client.post("/update_config", body);
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.json()["error"].is_string(), "{body}");
    }
    assert_eq!(client.get("/hello").status, 429);
    let reply = client.post("/update_config", "{\"max_concurrent_requests\": 2}");
    assert_eq!(reply.status, 200);
    assert!(reply.json()["message"].is_string());
    assert_eq!(client.get("/hello").status, 200);
    client.post("/update_config", "{\"max_concurrent_requests\": 0}");
    assert_eq!(client.get("/hello").status, 429);
}

#[test]
fn a_disconnected_client_frees_its_place() {
    let server = Server::limited_to(1);
    let leaving = server.occupy();
    let mut client = server.connect();
    drop(leaving);
    let start = Instant::now();
    while client.get("/hello").status != 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "the place was lost");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A closed loop that is not larger than the limit never competes with its own earlier requests.
#[test]
fn clients_up_to_the_limit_are_never_refused() {
    let server = Server::limited_to(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = server.connect();
                for _ in 0..500 {
                    assert_eq!(client.get("/hello").status, 200);
                }
            });
        }
    });
    assert_eq!(server.stop().to_string(), "2000 x 200");
}

#[test]
fn a_burst_over_the_limit_agrees_with_the_servers_own_count() {
    let server = Server::limited_to(10);
    let mut clients: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("GET", "/sleeper?sleep_length=2", "");
    }
    let statuses: Vec<u16> = clients.iter_mut().map(|client| client.receive().status).collect();
    let count = |status: u16| statuses.iter().filter(|found| **found == status).count() as u64;
    assert!(count(200) >= 10 && count(429) > 0, "{statuses:?}");
    assert_eq!(count(200) + count(429), 100);

    let mut client = server.connect();
    client.get("/nowhere");
    for _ in 0..2 {
        let expected = serde_json::json!({"200": count(200), "404": 1, "429": count(429)});
        assert_eq!(client.get("/stats").json(), expected, "reading the counts must not change them");
    }
    let totals = server.stop().0;
    assert_eq!((totals[&200], totals[&404], totals[&429]), (count(200), 1, count(429)));
}

/// More long responses than the server has threads, and short ones next to them. A response is sent when it is complete. A server
/// that blocks therefore always begins to send a long one before the short ones have arrived; a fair server does so only
/// if this thread was delayed.
#[test]
fn long_responses_do_not_block_short_ones() {
    const ATTEMPTS: usize = 20;
    let server = Server::start(ServeOptions::default());
    let mut short = server.connect();
    let passed = (0..ATTEMPTS).any(|_| {
        let mut long: [Client; 3] = std::array::from_fn(|_| server.connect());
        for client in &mut long {
            client.send("GET", "/tokenizer?output_tokens=5000000&input_text=abcd", "");
        }
        for _ in 0..3 {
            assert_eq!(short.get("/hello").status, 200);
        }
        let waiting = long.iter().all(Client::has_nothing_to_read);
        let lengths = long.map(|mut client| client.receive().body.len());
        assert!(lengths.iter().all(|length| *length > 5_000_000));
        waiting
    });
    assert!(passed, "short responses always came after a long one");
}

#[test]
fn three_hundred_thousand_tokens_arrive_complete() {
    let server = Server::start(ServeOptions::default());
    let json = server.get("/tokenizer?output_tokens=300000&input_text=abcdefgh").json();
    assert_eq!(json["output_text"].as_str().unwrap().split(' ').count(), 300_000);
}

#[test]
fn every_response_but_429_takes_the_service_time() {
    let service_time = Duration::from_millis(40);
    let server = Server::start(ServeOptions { service_time, ..ServeOptions::default() });
    let mut client = server.connect();
    let targets =
        ["/hello", "/tokenizer?output_tokens=3&input_text=a", "/tokenizer", "/nowhere", "/update_config"];
    for target in targets {
        let start = Instant::now();
        client.get(target);
        assert!(start.elapsed() >= service_time, "{target}");
    }
    client.post("/update_config", "{\"max_concurrent_requests\": 0}");
    let quickest = (0..50).map(|_| {
        let start = Instant::now();
        assert_eq!(client.get("/hello").status, 429);
        start.elapsed()
    });
    assert!(quickest.min().unwrap() < service_time);
}

#[test]
fn the_tail_prolongs_only_its_share() {
    let service_time = Duration::from_millis(1);
    let tail = Some(Tail { share: 0.5, factor: 20.0 });
    let server = Server::start(ServeOptions { service_time, tail, ..ServeOptions::default() });
    let mut client = server.connect();
    let times = times_of(&mut client, 60);
    assert!(times[0] < Duration::from_millis(20), "{times:?}");
    assert!(times[59] >= Duration::from_millis(20), "{times:?}");
    assert!(times[0] >= service_time);
}

/// Sorted times of `count` requests, one after the other.
fn times_of(client: &mut Client, count: usize) -> Vec<Duration> {
    let request = |_| {
        let start = Instant::now();
        assert_eq!(client.get("/hello").status, 200);
        start.elapsed()
    };
    let mut times: Vec<_> = (0..count).map(request).collect();
    times.sort();
    times
}

/// Compares lower quartiles, which the machine disturbs least. A busy machine can spoil many attempts; a wrong delay spoils all.
fn assert_slower_by(expected: Duration, fast: ServeOptions, slow: ServeOptions) {
    const TOLERANCE_US: f64 = 20.0;
    const ATTEMPTS: usize = 60;
    let servers = [Server::start(fast), Server::start(slow)];
    let mut clients = servers.each_ref().map(Server::connect);
    let mut found_us = Vec::new();
    for _ in 0..ATTEMPTS {
        let quartiles = clients.each_mut().map(|client| times_of(client, 40)[10]);
        let slower_us = (quartiles[1].as_secs_f64() - quartiles[0].as_secs_f64()) * 1e6;
        if (slower_us - expected.as_secs_f64() * 1e6).abs() <= TOLERANCE_US {
            return;
        }
        found_us.push(slower_us.round());
    }
    panic!("expected {expected:?}, found {found_us:?} µs");
}

#[test]
fn service_time_is_exact_to_20_us() {
    let with =
        |micros| ServeOptions { service_time: Duration::from_micros(micros), ..ServeOptions::default() };
    assert_slower_by(Duration::from_micros(100), with(2000), with(2100));
}

#[test]
fn the_slowdown_prolongs_the_service_time_by_its_fraction() {
    let with = |slowdown| {
        let service_time = Duration::from_millis(2);
        ServeOptions { service_time, slowdown, ..ServeOptions::default() }
    };
    assert_slower_by(Duration::from_micros(200), with(0.0), with(0.1));
}

#[test]
fn cpu_work_and_its_slowdown_prolong_a_response_without_service_time() {
    let with = |cpu_work_us, slowdown| {
        let cpu_work = Duration::from_micros(cpu_work_us);
        ServeOptions { cpu_work, slowdown, ..ServeOptions::default() }
    };
    assert_slower_by(Duration::from_micros(300), with(200, 0.0), with(500, 0.0));
    assert_slower_by(Duration::from_micros(100), with(500, 0.0), with(500, 0.2));
}

#[test]
fn a_stopped_server_finishes_its_requests() {
    let server = Server::start(ServeOptions::default());
    let mut client = server.connect();
    let mut probe = server.connect();
    client.send("GET", "/sleeper?sleep_length=0.5", "");
    while probe.get("/hello").status != 200 {}
    thread::sleep(Duration::from_millis(100));
    let totals = thread::spawn(|| server.stop());
    assert_eq!(client.receive().status, 200);
    assert_eq!(totals.join().unwrap().0[&200], 2);
}

#[test]
fn a_stopped_server_does_not_wait_for_idle_connections_or_long_sleepers() {
    let server = Server::start(ServeOptions::default());
    let _idle = server.connect();
    let mut sleeping = server.connect();
    sleeping.send("GET", "/sleeper?sleep_length=600", "");
    thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < Duration::from_secs(20));
}
