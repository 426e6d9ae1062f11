//! Where and how both clients open connections.

use std::io;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use crate::measure::tests::*;
use crate::plan::{IpVersion, Transport};
use crate::record::Fault;

/// Answers one request on each of this number of connections after a pause, and returns the requests.
fn serve_socket(path: &Path, connections: usize, pause: Duration) -> JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        std::thread::sleep(pause);
        let answer = |stream: io::Result<std::os::unix::net::UnixStream>| {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine").unwrap();
            String::from_utf8_lossy(&request[..read]).to_lowercase()
        };
        listener.incoming().take(connections).map(answer).collect()
    })
}

fn over_socket(path: &Path) -> Transport {
    Transport { unix_socket: Some(path.to_str().unwrap().to_owned()), ..Transport::default() }
}

#[test]
fn requests_go_to_the_unix_socket_and_name_the_host_of_the_url() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let server = serve_socket(&path, 2, Duration::ZERO);
    for_both(both_over(&over_socket(&path), LONG, None), async |mut client| {
        let exchange = client.exchange(&get("http://shop.example/x")).await;
        assert_eq!(
            (exchange.status, exchange.fault, exchange.stamped),
            (Some(200), None, false),
            "{client:?}"
        );
        assert_eq!(exchange.connect.is_some(), client.is_own());
    });
    for request in server.join().unwrap() {
        assert!(
            request.starts_with("get /x http/1.1\r\n") && request.contains("host: shop.example\r\n"),
            "{request}"
        );
    }
}

#[test]
fn a_missing_unix_socket_refuses() {
    let folder = tempfile::tempdir().unwrap();
    for_both(both_over(&over_socket(&folder.path().join("none")), LONG, None), async |mut client| {
        let exchange = client.exchange(&get("http://h/")).await;
        assert_eq!((exchange.status, exchange.fault), (None, Some(Fault::Refused)), "{client:?}");
    });
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_full_queue_of_a_unix_socket_is_waited_for() {
    use nix::sys::socket::{Backlog, listen};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let listener = UnixListener::bind(&path).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    // The queue holds one connection, which its client gives up.
    drop(std::os::unix::net::UnixStream::connect(&path).unwrap());
    let server = std::thread::spawn(move || {
        std::thread::sleep(SHORT);
        for stream in listener.incoming().take(2).flatten() {
            let mut stream = stream;
            _ = stream.read(&mut [0; 4096]);
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let mut client = own_client_over(&over_socket(&path), LONG, None);
    assert_eq!(client.exchange(&get("http://h/")).await.fault, None);
    server.join().unwrap();
}

#[test]
fn connections_are_redirected_and_requests_name_the_host_of_the_url() {
    let server = Server::start(vec![answer_once()]);
    let connect_to = vec![format!("shop.example:80:127.0.0.1:{}", server.port()).parse().unwrap()];
    let transport = Transport { connect_to, ..Transport::default() };
    for_both(both_over(&transport, LONG, None), async |mut client| {
        assert_eq!(client.exchange(&get("http://shop.example/x")).await.fault, None, "{client:?}");
    });
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(
        requests.iter().all(|text| text.to_lowercase().contains("host: shop.example\r\n")),
        "{requests:?}"
    );
}

#[test]
fn other_requests_are_not_redirected() {
    let server = Server::start(vec![answer_once()]);
    let connect_to = vec![format!("127.0.0.1:1:127.0.0.2:{}", server.port()).parse().unwrap()];
    let transport = Transport { connect_to, ..Transport::default() };
    for_both(both_over(&transport, LONG, None), async |mut client| {
        assert_eq!(client.exchange(&get(&server.url())).await.fault, None, "{client:?}");
    });
    assert_eq!(server.accepted(), 2);
}

#[test]
fn only_addresses_of_the_given_version_of_ip_are_used() {
    fn both_versions(_: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(["::1", "127.0.0.1"].map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).to_vec())
    }
    fn version_4(_: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::new("127.0.0.1".parse().unwrap(), port)])
    }
    let transport = |version| Transport { ip_version: Some(version), ..Transport::default() };
    let server = Server::start(vec![answer_once()]);
    let request = get(&format!("http://shop.example:{}/", server.port()));
    for_both(both_over(&transport(IpVersion::V4), LONG, Some(both_versions)), async |mut client| {
        assert_eq!(client.exchange(&request).await.fault, None, "{client:?}");
    });
    for (lookup, refuses) in [(both_versions as Lookup, true), (version_4 as Lookup, false)] {
        for_both(both_over(&transport(IpVersion::V6), LONG, Some(lookup)), async |mut client| {
            let fault = client.exchange(&request).await.fault;
            assert!(
                if refuses { fault.is_some() } else { fault == Some(Fault::Dns) },
                "{fault:?} {client:?}"
            );
        });
    }
    assert_eq!(server.accepted(), 2);
}

#[test]
fn without_keepalive_each_request_has_its_own_connection() {
    let script = vec![
        Act::ReadRequest,
        response("200 OK", "a"),
        Act::ReadRequest,
        response("200 OK", "b"),
        Act::WaitForClose,
    ];
    let server = Server::start(vec![script]);
    let transport = Transport { no_keepalive: true, ..Transport::default() };
    for_both(both_over(&transport, LONG, None), async |mut client| {
        let before = server.accepted();
        for _ in 0..3 {
            let exchange = client.exchange(&get(&server.url())).await;
            assert_eq!((exchange.fault, exchange.reconnected), (None, false), "{client:?}");
            assert_eq!(exchange.connect.is_some(), client.is_own());
        }
        assert_eq!(server.accepted() - before, 3, "{client:?}");
    });
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn without_keepalive_no_port_is_used_up() {
    let server = Server::start(vec![answer_once()]);
    let transport = Transport { no_keepalive: true, ..Transport::default() };
    let mut client = own_client_over(&transport, LONG, None);
    for _ in 0..5 {
        assert_eq!(client.exchange(&get(&server.url())).await.fault, None);
    }
    server.ended(5);
    let waiting = format!(":{:04X} 06 ", server.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    assert!(!table.contains(&waiting), "a connection waits for its time to be over: {table}");
}
