//! Both clients against the server: the same requests, the same faults.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::measure::exchange::Request;
use crate::measure::tests::*;
use crate::plan::{Endpoint, Transport};
use crate::record::Fault;

/// The first line, the sorted headers in lower case, and the body.
fn parse(request: &str) -> (String, Vec<String>, String) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let first = lines.next().unwrap().to_owned();
    let mut headers: Vec<String> =
        lines.map(str::to_lowercase).filter(|line| !line.starts_with("host:")).collect();
    headers.sort();
    (first, headers, body.to_owned())
}

#[cfg(feature = "reqwest")]
#[test]
fn both_send_the_same_requests() {
    let endpoints = [
        Endpoint::get("/a?b=c d"),
        Endpoint::get("/").header("accept", "text/plain").header("X-Ship", "Ever Given"),
        Endpoint::post("/").body("hello"),
        Endpoint::post("/"),
        Endpoint::new("PUT", "/x"),
        Endpoint::new("DELETE", "/x"),
        Endpoint::get("/").header("user-agent", "mine").header("twice", "1").header("twice", "2"),
    ];
    for endpoint in endpoints {
        let server = Server::start(vec![answer_once()]);
        for_both(both(), async |mut client| {
            let base = server.url();
            let request = Request::new(&endpoint, Some(&base), LONG).unwrap();
            assert_eq!(client.exchange(&request).await.fault, None);
        });
        let requests = server.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(parse(&requests[0]), parse(&requests[1]), "{endpoint:?}");
    }
}

#[test]
fn only_plimsolls_own_client_reports_connections_and_stamps() {
    for_both(both(), async |mut client| {
        let script = vec![
            Act::ReadRequest,
            response("200 OK", "a"),
            Act::ReadRequest,
            response("200 OK", "b"),
            Act::WaitForClose,
        ];
        let server = Server::start(vec![script]);
        let first = client.exchange(&get(&server.url())).await;
        let second = client.exchange(&get(&server.url())).await;
        assert_eq!((first.connect.is_some(), second.connect), (client.is_own(), None));
        assert!(client.is_own() || !(first.stamped || second.stamped));
        assert!(first.sent < first.ended && first.ended <= second.sent && second.sent < second.ended);
    });
}

/// Both clients report `fault` for the script, and then succeed on a new connection.
fn assert_each_fails(script: &[Act], timeout: Duration, fault: Fault) {
    for_both(both(), async |mut client| {
        let server = Server::start(vec![script.to_vec(), answer_once()]);
        let exchange = client.exchange(&request(&Endpoint::get(server.url()), timeout)).await;
        assert_eq!(exchange.fault, Some(fault), "{client:?} {script:?}");
        assert_eq!(exchange.status.is_some(), fault.is_response());
        assert!(!exchange.reconnected);
        if !fault.is_response() {
            let exchange = client.exchange(&get(&server.url())).await;
            assert_eq!((exchange.status, exchange.fault), (Some(200), None), "{client:?} {script:?}");
            assert_eq!(server.accepted(), 2, "a broken connection is not kept");
        }
    });
}

#[test]
fn a_port_where_nothing_listens_refuses() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let request = get(&format!("http://127.0.0.1:{port}/"));
    for_both(both(), async |mut client| assert_fails(&mut client, &request, Fault::Refused).await);
}

/// A listener whose backlog is full.
#[cfg(target_os = "linux")]
struct FullListener {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

#[cfg(target_os = "linux")]
impl FullListener {
    fn open() -> Self {
        use nix::sys::socket::{Backlog, listen};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, SHORT) {
            waiting.push(stream);
        }
        Self { listener, _waiting: waiting }
    }

    fn request(&self, timeout: Duration) -> Request {
        let url = format!("http://{}/", self.listener.local_addr().unwrap());
        request(&Endpoint::get(url), timeout)
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_backlog_makes_connecting_time_out() {
    let full = FullListener::open();
    // Longer than a busy machine pauses, since the client must connect within the same timeout afterwards.
    let connect_timeout = Duration::from_millis(500);
    for_both(both_with(connect_timeout, None), async |mut client| {
        assert_fails(&mut client, &full.request(LONG), Fault::ConnectTimeout).await;
    });
}

#[cfg(target_os = "linux")]
#[test]
fn the_whole_exchange_times_out_while_it_connects() {
    let full = FullListener::open();
    for_both(both(), async |mut client| {
        assert_fails(&mut client, &full.request(SHORT), Fault::Timeout).await
    });
}

#[test]
fn a_name_that_cannot_be_resolved_is_dns() {
    fn fails_to(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::other("no such host"))
    }
    fn finds_none(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }
    let request = get("http://ship.test/");
    for lookup in [fails_to, finds_none] {
        for_both(both_with(LONG, Some(lookup)), async |mut client| {
            assert_fails(&mut client, &request, Fault::Dns).await
        });
    }
}

#[test]
fn each_address_of_a_name_is_tried() {
    fn two(_: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(["127.0.0.2", "127.0.0.1"].map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).to_vec())
    }
    for_both(both_with(LONG, Some(two)), async |mut client| {
        let server = Server::start(vec![answer_once()]);
        let exchange = client.exchange(&get(&format!("http://ship.test:{}/", server.port()))).await;
        assert_eq!(exchange.fault, None, "{client:?}");
        assert!(server.requests()[0].to_lowercase().contains(&format!("host: ship.test:{}", server.port())));
    });
}

#[test]
fn workers_spread_over_the_addresses_of_a_name_and_leave_out_those_that_fail() {
    fn three(_: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        // Nothing listens on the third.
        Ok(["127.0.0.7", "127.0.0.6", "127.0.0.5"]
            .map(|ip| SocketAddr::new(ip.parse().unwrap(), port))
            .to_vec())
    }
    let listener = TcpListener::bind("127.0.0.6:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let Ok(other) = TcpListener::bind(("127.0.0.5", port)) else { return };
    for listener in [listener, other] {
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
                _ = std::io::Write::write_all(&mut stream, answer);
            }
        });
    }
    let request = get(&format!("http://ship.test:{port}/"));
    let spread = |clients: usize, subject: fn(&Arc<Resolver>, usize) -> Subject| {
        let resolver = resolver(Some(three));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for worker in 0..clients {
            let mut client = subject(&resolver, worker);
            runtime.block_on(async {
                assert_eq!(client.exchange(&request).await.fault, None);
                assert_eq!(client.exchange(&request).await.fault, None);
            });
        }
        let loaded = resolver.spreads().remove(0).loaded;
        loaded.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let own = |resolver: &Arc<Resolver>, worker| {
        let mut client = Http1::new(&Transport::default(), LONG, resolver);
        client.turn = worker;
        Subject::Own(Box::new(client))
    };
    assert_eq!(spread(3, own), ["127.0.0.5", "127.0.0.6"]);
    #[cfg(feature = "reqwest")]
    {
        let via_reqwest = |resolver: &Arc<Resolver>, worker| {
            let mut client = ViaReqwest::new(&Transport::default(), LONG, resolver);
            client.turn = worker;
            Subject::Reqwest(Box::new(client))
        };
        assert_eq!(spread(3, via_reqwest), ["127.0.0.5", "127.0.0.6"]);
    }
}

#[test]
fn a_reset_before_or_inside_the_response_is_a_reset() {
    assert_each_fails(&[Act::ReadRequest, Act::Reset], LONG, Fault::Reset);
    let inside = [
        Act::ReadRequest,
        send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
        Act::Pause(SHORT),
        Act::Reset,
    ];
    assert_each_fails(&inside, LONG, Fault::Reset);
}

#[test]
fn an_end_before_the_response_is_whole_is_closed() {
    for part in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        assert_each_fails(&[Act::ReadRequest, send(part), Act::Close], LONG, Fault::Closed);
    }
}

#[test]
fn silence_and_a_dripping_body_time_out() {
    assert_each_fails(&[Act::ReadRequest, Act::WaitForClose], SHORT, Fault::Timeout);
    let mut dripping = vec![Act::ReadRequest, send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")];
    for _ in 0..20 {
        dripping.extend([Act::Pause(SHORT / 4), send("x")]);
    }
    assert_each_fails(&dripping, SHORT, Fault::Timeout);
    assert_each_fails(
        &[Act::ReadRequest, send("HTTP/1.1 200 OK\r\n"), Act::WaitForClose],
        SHORT,
        Fault::Timeout,
    );
}

#[test]
fn bytes_that_are_not_http_are_malformed() {
    for text in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\0\0\0\0\0\0\0\0",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ship\r\n\r\n",
    ] {
        assert_each_fails(&[Act::ReadRequest, send(text), Act::WaitForClose], LONG, Fault::Malformed);
    }
    let no_status = send("HTTP/1.1 999 Nope\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert_each_fails(&[Act::ReadRequest, no_status, Act::Close], LONG, Fault::Malformed);
}

#[test]
fn odd_header_lines_that_curl_accepts_are_accepted() {
    for lines in ["X: a\r\n b\r\nContent-Length: 4", "X : a\r\nContent-Length : 4"] {
        let head = send(format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\nfine"));
        let server = Server::start(vec![vec![Act::ReadRequest, head, Act::WaitForClose]]);
        for_both(both(), async |mut client| {
            let exchange = client.exchange(&get(&server.url())).await;
            assert_eq!((exchange.status, exchange.fault), (Some(200), None), "{client:?} {lines:?}");
        });
    }
}

#[tokio::test]
async fn the_line_of_a_malformed_response_is_known() {
    let text = "HTTP/1.1 200 OK\r\nNotice: x\r\nFatal error in line 7\r\nContent-Length: 4\r\n\r\nfine";
    let server = Server::start(vec![vec![Act::ReadRequest, send(text), Act::WaitForClose]]);
    let exchange = own_client().exchange(&get(&server.url())).await;
    assert_eq!(exchange.fault, Some(Fault::Malformed));
    let told = exchange.malformed.unwrap().to_string();
    assert_eq!(told, r#"a header line without a colon: "Fatal error in line 7""#);
}

#[test]
fn an_endless_head_is_malformed() {
    let lines = "X-Filler: 0123456789\r\n".repeat(50_000);
    assert_each_fails(
        &[Act::ReadRequest, send(format!("HTTP/1.1 200 OK\r\n{lines}")), Act::WaitForClose],
        LONG,
        Fault::Malformed,
    );
    let line = "x".repeat(1_000_000);
    assert_each_fails(
        &[Act::ReadRequest, send(format!("HTTP/1.1 200 OK\r\nX: {line}")), Act::WaitForClose],
        LONG,
        Fault::Malformed,
    );
}

#[test]
fn another_status_is_a_fault_with_its_code() {
    assert_each_fails(
        &[Act::ReadRequest, response("429 Too Many Requests", "busy"), Act::WaitForClose],
        LONG,
        Fault::Status(429),
    );
    assert_each_fails(
        &[Act::ReadRequest, response("302 Found", ""), Act::WaitForClose],
        LONG,
        Fault::Status(302),
    );
}

#[test]
fn a_body_without_the_text_fails_the_check() {
    let chunked = |pieces: &[&str]| {
        let head = send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let mut script = vec![Act::ReadRequest, head];
        for piece in pieces {
            script.extend([send(format!("{:x}\r\n{piece}\r\n", piece.len())), Act::Pause(SHORT / 10)]);
        }
        script.extend([send("0\r\n\r\n"), Act::WaitForClose]);
        Server::start(vec![script])
    };
    for_both(both(), async |mut client| {
        let wanted =
            |server: &Server| request(&Endpoint::get(server.url()).expect_body_contains("Ever Given"), LONG);
        let server = chunked(&["the Ever", " Gi", "ven"]);
        assert_eq!(client.exchange(&wanted(&server)).await.fault, None, "{client:?}");
        let server = chunked(&["the Ever", " Giv", "er"]);
        assert_fails(&mut client, &wanted(&server), Fault::Body).await;
    });
}

/// A server whose response has this body, compressed by gzip, and the size of that.
fn gzipped(encoding: &str, body: &str) -> (Server, u64) {
    use std::io::Read;
    let mut bytes = Vec::new();
    flate2::read::GzEncoder::new(body.as_bytes(), flate2::Compression::default())
        .read_to_end(&mut bytes)
        .unwrap();
    let length = bytes.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {length}\r\n\r\n");
    let answer = vec![Act::ReadRequest, send(head), send(bytes)];
    (Server::start(vec![[answer.clone(), answer, vec![Act::WaitForClose]].concat()]), length as u64)
}

#[test]
fn a_compressed_body_is_decoded_for_checks_and_pointers_and_counted_as_received() {
    let body = format!(
        r#"{{"text": "{}Ever Given", "usage": {{"prompt_tokens": 4}}, "n": 7}}"#,
        "x".repeat(100_000)
    );
    for_both(both(), async |mut client| {
        let (server, length) = gzipped("gzip", &body);
        let wanted =
            Endpoint::get(server.url()).expect_body_contains("Ever Given").expect_body_lacks("error");
        let exchange = client.exchange(&request(&wanted, LONG)).await;
        assert_eq!((exchange.fault, exchange.body_bytes), (None, length), "{client:?}");
        let rejected = Endpoint::get(server.url()).expect_body_lacks("Ever Given");
        let exchange = client.exchange(&request(&rejected, LONG)).await;
        assert_eq!(exchange.fault, Some(Fault::RejectedBody), "nothing is left of the response before");

        let (server, _) = gzipped("x-gzip", &body);
        let pointers = Endpoint::get(server.url()).tokens("/usage/prompt_tokens", "/n");
        let exchange = client.exchange(&request(&pointers, LONG)).await;
        assert_eq!((exchange.tokens.input, exchange.tokens.output), (Some(4.0), Some(7.0)), "{client:?}");
        let exchange = client.exchange(&get(&server.url())).await;
        assert_eq!((exchange.fault, exchange.tokens.input), (None, None), "it was not asked for");
    });
}

#[test]
fn a_body_that_cannot_be_decoded_is_a_fault_only_if_something_must_be_found_in_it() {
    for_both(both(), async |mut client| {
        for encoding in ["br", "deflate"] {
            let (server, _) = gzipped(encoding, "the Ever Given");
            let wanted = Endpoint::get(server.url()).expect_body_contains("Ever Given");
            assert_fails(&mut client, &request(&wanted, LONG), Fault::Encoding).await;
            assert_eq!(client.exchange(&get(&server.url())).await.fault, None, "{client:?}");
        }
    });
}

#[test]
fn responses_without_a_body_leave_the_connection_ready() {
    for_both(both(), async |mut client| {
        let server = Server::start(vec![vec![
            Act::ReadRequest,
            send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
            Act::ReadRequest,
            send("HTTP/1.1 204 No Content\r\n\r\n"),
            Act::ReadRequest,
            send("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
            Act::ReadRequest,
            send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
            response("200 OK", "fine"),
            Act::WaitForClose,
        ]]);
        for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 200)] {
            let endpoint = Endpoint::new(method, server.url()).expect_status(status);
            let exchange = client.exchange(&request(&endpoint, LONG)).await;
            assert_eq!((exchange.status, exchange.fault), (Some(status), None), "{client:?}");
        }
        assert_eq!(server.accepted(), 1);
    });
}

#[test]
fn a_body_may_end_with_the_connection() {
    for_both(both(), async |mut client| {
        let script = vec![
            Act::ReadRequest,
            send("HTTP/1.1 200 OK\r\n\r\nthe Ever "),
            Act::Pause(SHORT / 5),
            send("Given"),
            Act::Close,
        ];
        let server = Server::start(vec![script]);
        let endpoint = Endpoint::get(server.url()).expect_body_contains("Ever Given");
        for _ in 0..2 {
            let exchange = client.exchange(&request(&endpoint, LONG)).await;
            assert_eq!((exchange.fault, exchange.reconnected), (None, false), "{client:?}");
        }
    });
}

#[test]
fn chunks_with_trailers_may_come_byte_by_byte() {
    for_both(both(), async |mut client| {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8;a=b\r\nthe Ever\r\n6\r\n Given\r\n0\r\nA: b\r\n\r\n";
        let mut script = vec![Act::ReadRequest];
        script.extend(text.bytes().map(|byte| send([byte])));
        script.extend([Act::ReadRequest, response("200 OK", "Ever Given"), Act::WaitForClose]);
        let server = Server::start(vec![script]);
        let endpoint = Endpoint::get(server.url()).expect_body_contains("Ever Given");
        for _ in 0..2 {
            assert_eq!(client.exchange(&request(&endpoint, LONG)).await.fault, None, "{client:?}");
        }
        assert_eq!(server.accepted(), 1);
    });
}

#[test]
fn a_response_is_larger_than_every_buffer() {
    let body = format!("{}needle", "hay ".repeat(2_500_000));
    for_both(both(), async |mut client| {
        let server =
            Server::start(vec![vec![Act::ReadRequest, response("200 OK", &body), Act::WaitForClose]]);
        let endpoint = Endpoint::get(server.url()).expect_body_contains("needle");
        assert_eq!(client.exchange(&request(&endpoint, LONG)).await.fault, None, "{client:?}");
    });
}

#[test]
fn token_numbers_are_found_behind_300_000_tokens() {
    let numbers = r#""input_tokens": 12, "output_tokens": 300000}"#;
    let as_text = format!(r#"{{"text": "{}", {numbers}"#, "token ".repeat(300_000));
    let as_list = format!(r#"{{"tokens": [{}0], {numbers}"#, "\"token\", ".repeat(300_000));
    for body in [as_text, as_list] {
        for_both(both(), async |mut client| {
            let server =
                Server::start(vec![vec![Act::ReadRequest, response("200 OK", &body), Act::WaitForClose]]);
            let exchange = client.exchange(&get(&server.url())).await;
            assert_eq!(exchange.fault, None, "{client:?}");
            assert_eq!((exchange.tokens.input, exchange.tokens.output), (Some(12.0), Some(300_000.0)));
        });
    }
}

/// More than the kernel buffers while the peer does not read.
const LONG_BODY: usize = 32 * 1024 * 1024;

#[test]
fn an_answer_that_overtakes_a_long_request_counts() {
    for_both(both(), async |mut client| {
        let early = send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let server = Server::start(vec![vec![Act::ReadBytes(100), early, Act::Pause(SHORT * 3), Act::Close]]);
        let endpoint = Endpoint::post(server.url()).body(vec![b'x'; LONG_BODY]);
        assert_fails(&mut client, &request(&endpoint, LONG), Fault::Status(413)).await;
    });
}

#[test]
fn an_answer_right_before_a_reset_counts() {
    for_both(both(), async |mut client| {
        let early = send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let server = Server::start(vec![vec![Act::ReadBytes(100), early, Act::Close]]);
        let endpoint = Endpoint::post(server.url()).body(vec![b'x'; LONG_BODY]);
        let exchange = client.exchange(&request(&endpoint, LONG)).await;
        let fine = match exchange.fault {
            Some(Fault::Status(413)) => true,
            // reqwest may see the reset first.
            Some(Fault::Reset | Fault::Closed) => !client.is_own(),
            _ => false,
        };
        assert!(fine, "{client:?} {exchange:?}");
        assert_works(&mut client).await;
    });
}

#[test]
fn a_long_request_is_sent_whole_although_an_interim_answer_overtakes_it() {
    for_both(both(), async |mut client| {
        let script = vec![
            Act::ReadBytes(100),
            send("HTTP/1.1 100 Continue\r\n\r\n"),
            Act::Pause(SHORT),
            Act::Run(|stream| {
                use std::io::Read;
                stream.set_read_timeout(None).unwrap();
                let mut left = vec![0; LONG_BODY];
                stream.read_exact(&mut left).unwrap();
                stream.set_read_timeout(Some(SHORT)).unwrap();
            }),
            response("200 OK", "fine"),
            Act::WaitForClose,
        ];
        let server = Server::start(vec![script]);
        let endpoint = Endpoint::post(server.url()).body(vec![b'x'; LONG_BODY]);
        let exchange = client.exchange(&request(&endpoint, LONG)).await;
        assert_eq!((exchange.status, exchange.fault), (Some(200), None), "{client:?}");
    });
}

/// A server that answers once on its first connection and then does `then`. On further connections it answers once.
fn answer_then(then: &[Act]) -> Server {
    let mut first = vec![Act::ReadRequest, response("200 OK", "fine")];
    first.extend_from_slice(then);
    Server::start(vec![first, answer_once()])
}

fn post(server: &Server) -> Request {
    request(&Endpoint::post(server.url()).body("x"), LONG)
}

/// Lets the runtime receive pending events from the kernel.
async fn poll_runtime() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

#[tokio::test]
async fn a_get_is_sent_again_if_the_server_closed_the_kept_connection() {
    for end in [Act::Close, Act::Reset] {
        let server = answer_then(&[Act::ReadRequest, Act::Pause(SHORT), end]);
        let (mut client, request) = (own_client(), get(&server.url()));
        assert!(!client.exchange(&request).await.reconnected);
        let exchange = client.exchange(&request).await;
        assert_eq!((exchange.fault, exchange.reconnected), (None, true));
        assert!(exchange.connect.is_some());
        assert!(exchange.sent >= server.ended(1)[0], "the latency begins with the second sending");
        assert_eq!((server.accepted(), server.requests().len()), (2, 3));
    }
}

#[tokio::test]
async fn a_post_is_not_sent_again() {
    for (end, fault) in [(Act::Close, Fault::Closed), (Act::Reset, Fault::Reset)] {
        let server = answer_then(&[Act::ReadRequest, end]);
        let (mut client, request) = (own_client(), post(&server));
        assert_eq!(client.exchange(&request).await.fault, None);
        let exchange = client.exchange(&request).await;
        assert_eq!((exchange.fault, exchange.reconnected), (Some(fault), false));
        assert_eq!((server.accepted(), server.requests().len()), (1, 2));
        assert_eq!(client.exchange(&request).await.fault, None, "the next one is fine");
    }
}

#[tokio::test]
async fn no_request_is_sent_again_once_a_response_began() {
    let server = answer_then(&[Act::ReadRequest, send("HTTP/1.1 200 OK\r\n"), Act::Close]);
    let (mut client, request) = (own_client(), get(&server.url()));
    assert_eq!(client.exchange(&request).await.fault, None);
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected), (Some(Fault::Closed), false));
}

#[tokio::test]
async fn a_close_that_is_seen_before_sending_is_a_reconnect_for_any_method() {
    for end in [Act::Close, Act::Reset] {
        let server = answer_then(&[end]);
        let (mut client, request) = (own_client(), post(&server));
        assert_eq!(client.exchange(&request).await.fault, None);
        server.ended(1);
        poll_runtime().await;
        let exchange = client.exchange(&request).await;
        assert_eq!((exchange.fault, exchange.reconnected), (None, true));
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn unexpected_bytes_close_the_connection() {
    // Right after the response, and some time later.
    let server = Server::start(vec![
        vec![
            Act::ReadRequest,
            send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!HTTP/1.1 500 Oops\r\n\r\n"),
            Act::WaitForClose,
        ],
        vec![
            Act::ReadRequest,
            response("200 OK", "fine"),
            Act::Pause(SHORT),
            send("HTTP/1.1 408 Time-out\r\n\r\n"),
            Act::Close,
        ],
        answer_once(),
    ]);
    let (mut client, request) = (own_client(), get(&server.url()));
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.excess), (None, 1));
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected, exchange.excess), (None, false, 0));
    server.ended(2);
    poll_runtime().await;
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected, exchange.excess), (None, false, 1));
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn a_response_with_bytes_after_its_end_is_a_success_and_its_connection_is_dropped() {
    for (method, status, text) in [
        ("GET", 204, "HTTP/1.1 204 No Content\r\n\r\nhello"),
        ("GET", 204, "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("GET", 304, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"),
        ("HEAD", 200, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        ("GET", 200, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine and more"),
        ("GET", 200, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine\r\n"),
        ("GET", 200, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n0\r\n\r\n"),
    ] {
        let server =
            Server::start(vec![vec![Act::ReadRequest, send(text), Act::WaitForClose], answer_once()]);
        let endpoint = Endpoint::new(method, server.url()).expect_status(status);
        let (mut client, request) = (own_client(), request(&endpoint, LONG));
        let exchange = client.exchange(&request).await;
        assert_eq!((exchange.status, exchange.fault, exchange.excess), (Some(status), None, 1), "{text:?}");
        let exchange = client.exchange(&get(&server.url())).await;
        assert_eq!((exchange.fault, exchange.excess, exchange.reconnected), (None, 0, false), "{text:?}");
        assert_eq!(server.accepted(), 2);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_response_that_arrived_before_the_request_is_not_its_response() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    /// 1 once the client has its response, 2 once the server has sent what nobody asked for.
    static STEP: AtomicUsize = AtomicUsize::new(0);
    fn wait_for(step: usize) {
        let begun = std::time::Instant::now();
        while STEP.load(Ordering::SeqCst) < step && begun.elapsed() < LONG {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let _guard = crate::measure::clock::open_stamp_guard().await.unwrap();
    for unasked in ["HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "hello"] {
        STEP.store(0, Ordering::SeqCst);
        let server = Server::start(vec![
            vec![
                Act::ReadRequest,
                response("200 OK", "fine"),
                Act::Run(|_| wait_for(1)),
                send(unasked),
                Act::Run(|_| STEP.store(2, Ordering::SeqCst)),
                Act::ReadRequest,
                Act::Pause(SHORT * 3),
                response("200 OK", "fine"),
                Act::WaitForClose,
            ],
            answer_once(),
        ]);
        let (mut client, request) = (own_client(), post(&server));
        assert_eq!(client.exchange(&request).await.fault, None);
        STEP.store(1, Ordering::SeqCst);
        // The runtime does not see that it arrives.
        wait_for(2);
        let exchange = client.exchange(&request).await;
        assert_eq!((exchange.fault, exchange.excess), (None, 1), "{unasked:?}");
        assert!(exchange.latency() >= SHORT, "{exchange:?}");
        assert_eq!(server.requests().len(), 2, "it was not sent again");
        let exchange = client.exchange(&request).await;
        assert_eq!((exchange.fault, exchange.excess, server.accepted()), (None, 0, 2));
    }
}

#[tokio::test]
async fn the_rest_of_a_response_that_comes_after_the_next_request_does_not_answer_it() {
    let script = || {
        let head = send("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
        Server::start(vec![
            vec![Act::ReadRequest, head, Act::ReadRequest, send("hello"), Act::WaitForClose],
            answer_once(),
        ])
    };
    let server = script();
    let mut client = own_client();
    let unchanged = request(&Endpoint::get(server.url()).expect_status(304), LONG);
    assert_eq!(client.exchange(&unchanged).await.fault, None);
    let exchange = client.exchange(&get(&server.url())).await;
    assert_eq!((exchange.fault, exchange.reconnected, exchange.excess), (None, false, 1));
    assert_eq!((server.accepted(), server.requests().len()), (2, 3));

    // A POST is not sent again.
    let server = script();
    let mut client = own_client();
    let unchanged = request(&Endpoint::get(server.url()).expect_status(304), LONG);
    assert_eq!(client.exchange(&unchanged).await.fault, None);
    let exchange = client.exchange(&post(&server)).await;
    assert_eq!((exchange.fault, exchange.excess), (Some(Fault::Malformed), 1));
    assert_eq!(exchange.malformed.unwrap().to_string(), r#"no status line of HTTP/1.1: "hello""#);
    assert_eq!((server.accepted(), server.requests().len()), (1, 2));
}

#[tokio::test]
async fn bytes_that_are_found_while_connections_are_opened_are_counted_with_the_next_exchange() {
    let first = vec![Act::ReadRequest, response("200 OK", "fine"), send("more"), Act::Close];
    let server = Server::start(vec![first, answer_once()]);
    let (mut client, request) = (own_client(), get(&server.url()));
    let excess = client.exchange(&request).await.excess;
    server.ended(1);
    poll_runtime().await;
    client.open(&request).await;
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.connect, excess + exchange.excess), (None, None, 1));
}

#[test]
fn a_server_that_closes_each_connection_ends_in_a_fault() {
    for_both(both(), async |mut client| {
        let server = Server::start(vec![vec![Act::Close]]);
        let exchange = client.exchange(&get(&server.url())).await;
        assert!(matches!(exchange.fault, Some(Fault::Closed | Fault::Reset)), "{exchange:?}");
        assert!(!client.is_own() || server.accepted() == 1);
        assert_works(&mut client).await;
    });
}

#[tokio::test]
async fn a_request_is_sent_again_only_once() {
    let server = Server::start(vec![
        vec![Act::ReadRequest, response("200 OK", "fine"), Act::ReadRequest, Act::Close],
        vec![Act::ReadRequest, Act::Close],
    ]);
    let (mut client, request) = (own_client(), get(&server.url()));
    assert_eq!(client.exchange(&request).await.fault, None);
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected), (Some(Fault::Closed), true));
    assert_eq!(server.accepted(), 2);
}

#[test]
fn a_response_with_connection_close_is_neither_fault_nor_reconnect() {
    for_both(both(), async |mut client| {
        let last = send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfine");
        let server = Server::start(vec![vec![Act::ReadRequest, last, Act::Close]]);
        for connections in 1..=3 {
            let exchange = client.exchange(&get(&server.url())).await;
            assert_eq!((exchange.fault, exchange.reconnected), (None, false), "{client:?}");
            assert_eq!(exchange.connect.is_some(), client.is_own());
            assert_eq!(server.accepted(), connections);
        }
    });
}

#[tokio::test]
async fn a_connection_that_was_idle_for_too_long_is_not_used() {
    let server = Server::start(vec![answer_once()]);
    let (mut client, request) = (own_client(), get(&server.url()));
    client.max_idle = Duration::from_millis(20);
    assert_eq!(client.exchange(&request).await.fault, None);
    tokio::time::sleep(Duration::from_millis(40)).await;
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected), (None, false));
    assert!(exchange.connect.is_some());
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_connection_that_was_opened_before_the_exchange_is_used() {
    let server = Server::start(vec![answer_once()]);
    let (mut client, request) = (own_client(), get(&server.url()));
    client.open(&request).await;
    client.open(&request).await;
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.connect, server.accepted()), (None, None, 1));
}

#[tokio::test]
async fn a_cancelled_exchange_leaves_no_connection() {
    let server = Server::start(vec![
        vec![Act::ReadRequest, send("HTTP/1.1 200 OK\r\n"), Act::WaitForClose],
        answer_once(),
    ]);
    let (mut client, request) = (own_client(), get(&server.url()));
    let cancelled = tokio::time::timeout(SHORT, client.exchange(&request)).await;
    assert!(cancelled.is_err());
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected), (None, false));
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_worker_keeps_connections_to_a_limited_number_of_hosts() {
    let servers: Vec<Server> = (0..40).map(|_| Server::start(vec![answer_once()])).collect();
    let mut client = own_client();
    for server in &servers {
        assert_eq!(client.exchange(&get(&server.url())).await.fault, None);
    }
    // The client closed the connections to the first of them.
    servers.iter().take(20).for_each(|server| assert_eq!(server.ended(1).len(), 1));
}

#[cfg(target_os = "linux")]
const INSIDE: &str = "measure::tests::clients::inside_a_namespace_with_few_ports";
#[cfg(target_os = "linux")]
const NARROW: &str =
    r#"ip link set lo up && echo "50000 50003" >/proc/sys/net/ipv4/ip_local_port_range && exec "$0" "$@""#;

#[cfg(target_os = "linux")]
/// Whether this machine permits a network namespace with few ports.
fn can_unshare() -> bool {
    let tried = std::process::Command::new("unshare").args(["-rn", "sh", "-c", NARROW, "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}

#[cfg(target_os = "linux")]
#[test]
fn no_free_port_is_a_fault_of_the_client() {
    if !can_unshare() {
        eprintln!("skipped: this machine lets us make no network namespace");
        return;
    }
    let this = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new("unshare");
    command.args(["-rn", "sh", "-c", NARROW]).arg(this).args(["--exact", INSIDE, "--ignored"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by the test above, in a namespace with few ports"]
fn inside_a_namespace_with_few_ports() {
    assert!(Fault::NoFreePort.is_ours());
    for_both(both(), async |mut client| {
        let server =
            Server::start(vec![vec![Act::ReadRequest, response("200 OK", "fine"), Act::WaitForClose]]);
        // Occupies all ports.
        let taken: Vec<_> =
            std::iter::from_fn(|| std::net::TcpStream::connect(("127.0.0.1", server.port())).ok()).collect();
        assert!(!taken.is_empty());
        let exchange = client.exchange(&get(&server.url())).await;
        assert_eq!(exchange.fault, Some(Fault::NoFreePort), "{client:?}");
        // A port is free immediately after a reset.
        for stream in taken {
            let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
            nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::Linger, &at_once).unwrap();
        }
        assert_eq!(client.exchange(&get(&server.url())).await.fault, None, "{client:?}");
    });
}
