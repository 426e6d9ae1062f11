//! Each way to fail is its own kind of fault, and the client goes on.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::measure::client::ClientOptions;
use crate::measure::request::Request;
use crate::plan::Endpoint;
use crate::record::Fault;

use super::server::{Act, Server, fine, response, send};
use super::subject::*;

/// The script ends in the fault for both clients; the connection that is opened next is a fine one.
fn each_fails(script: &[Act], time_out: Duration, fault: Fault) {
    for_both(both(), async |mut client| {
        let server = Server::start(vec![script.to_vec(), fine()]);
        let exchange = client.exchange(&ready(&Endpoint::get(server.url()), time_out)).await;
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
    for_both(both(), async |mut client| fails(&mut client, &request, Fault::Refused).await);
}

/// A listener that lets nobody in any more.
#[cfg(target_os = "linux")]
struct Full {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

#[cfg(target_os = "linux")]
impl Full {
    fn open() -> Self {
        use nix::sys::socket::{Backlog, listen};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, SOON) {
            waiting.push(stream);
        }
        Self { listener, _waiting: waiting }
    }

    fn request(&self, time_out: Duration) -> Request {
        let url = format!("http://{}/", self.listener.local_addr().unwrap());
        ready(&Endpoint::get(url), time_out)
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_backlog_makes_connecting_time_out() {
    let full = Full::open();
    // The client must go on within the same time-out, so it is longer than a busy machine stands still.
    let options = ClientOptions { connect_time_out: Duration::from_millis(500), ..options() };
    for_both(both_with(&options), async |mut client| {
        fails(&mut client, &full.request(PATIENCE), Fault::ConnectTimeOut).await;
    });
}

#[cfg(target_os = "linux")]
#[test]
fn the_whole_exchange_times_out_while_it_connects() {
    let full = Full::open();
    for_both(both(), async |mut client| fails(&mut client, &full.request(SOON), Fault::TimeOut).await);
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
        for_both(both_asking(lookup), async |mut client| fails(&mut client, &request, Fault::Dns).await);
    }
}

#[test]
fn a_name_is_asked_of_the_lookup_and_each_address_is_tried() {
    fn two(_: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(["127.0.0.2", "127.0.0.1"].map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).to_vec())
    }
    for_both(both_asking(two), async |mut client| {
        let server = Server::start(vec![fine()]);
        let exchange = client.exchange(&get(&format!("http://ship.test:{}/", server.port()))).await;
        assert_eq!(exchange.fault, None, "{client:?}");
        assert!(server.requests()[0].to_lowercase().contains(&format!("host: ship.test:{}", server.port())));
    });
}

#[test]
fn a_reset_is_told_before_and_inside_the_response() {
    each_fails(&[Act::Take, Act::Reset], PATIENCE, Fault::Reset);
    let inside =
        [Act::Take, send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), Act::Pause(SOON), Act::Reset];
    each_fails(&inside, PATIENCE, Fault::Reset);
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
        each_fails(&[Act::Take, send(part), Act::Close], PATIENCE, Fault::Closed);
    }
}

#[test]
fn silence_and_a_dripping_body_time_out() {
    each_fails(&[Act::Take, Act::Hold], SOON, Fault::TimeOut);
    let mut dripping = vec![Act::Take, send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")];
    for _ in 0..20 {
        dripping.extend([Act::Pause(SOON / 4), send("x")]);
    }
    each_fails(&dripping, SOON, Fault::TimeOut);
    each_fails(&[Act::Take, send("HTTP/1.1 200 OK\r\n"), Act::Hold], SOON, Fault::TimeOut);
}

#[test]
fn what_is_no_http_is_malformed() {
    for text in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\0\0\0\0\0\0\0\0",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ship\r\n\r\n",
    ] {
        each_fails(&[Act::Take, send(text), Act::Hold], PATIENCE, Fault::Malformed);
    }
    let no_status = send("HTTP/1.1 999 Nope\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    each_fails(&[Act::Take, no_status, Act::Close], PATIENCE, Fault::Malformed);
}

#[test]
fn an_endless_head_is_malformed() {
    let lines = "X-Filler: 0123456789\r\n".repeat(50_000);
    each_fails(
        &[Act::Take, send(format!("HTTP/1.1 200 OK\r\n{lines}")), Act::Hold],
        PATIENCE,
        Fault::Malformed,
    );
    let line = "x".repeat(1_000_000);
    each_fails(
        &[Act::Take, send(format!("HTTP/1.1 200 OK\r\nX: {line}")), Act::Hold],
        PATIENCE,
        Fault::Malformed,
    );
}

#[test]
fn another_status_is_a_fault_with_its_code() {
    each_fails(
        &[Act::Take, response("429 Too Many Requests", "busy"), Act::Hold],
        PATIENCE,
        Fault::Status(429),
    );
    each_fails(&[Act::Take, response("302 Found", ""), Act::Hold], PATIENCE, Fault::Status(302));
}

#[test]
fn a_body_without_the_text_fails_the_check() {
    let chunked = |pieces: &[&str]| {
        let head = send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let mut script = vec![Act::Take, head];
        for piece in pieces {
            script.extend([send(format!("{:x}\r\n{piece}\r\n", piece.len())), Act::Pause(SOON / 10)]);
        }
        script.extend([send("0\r\n\r\n"), Act::Hold]);
        Server::start(vec![script])
    };
    for_both(both(), async |mut client| {
        let wanted = |server: &Server| {
            ready(&Endpoint::get(server.url()).expect_body_contains("Ever Given"), PATIENCE)
        };
        let server = chunked(&["the Ever", " Gi", "ven"]);
        assert_eq!(client.exchange(&wanted(&server)).await.fault, None, "{client:?}");
        let server = chunked(&["the Ever", " Giv", "er"]);
        fails(&mut client, &wanted(&server), Fault::Body).await;
    });
}
