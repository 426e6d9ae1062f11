//! Connections that are kept, and what happens when the server does not keep them.

use std::time::Duration;

use crate::measure::request::Request;
use crate::plan::Endpoint;
use crate::record::Fault;

use super::server::{Act, Server, fine, response, send};
use super::subject::*;

/// A server that answers once on its first connection, then does `then`; further connections are fine.
fn once_then(then: &[Act]) -> Server {
    let mut first = vec![Act::Take, response("200 OK", "fine")];
    first.extend_from_slice(then);
    Server::start(vec![first, fine()])
}

fn post(server: &Server) -> Request {
    ready(&Endpoint::post(server.url()).body("x"), PATIENCE)
}

/// Lets the runtime see what the kernel already knows.
async fn look_around() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

#[tokio::test]
async fn a_get_is_sent_anew_when_the_server_closed_under_it() {
    for end in [Act::Close, Act::Reset] {
        let server = once_then(&[Act::Take, Act::Pause(SOON), end]);
        let (mut client, request) = (ours(), get(&server.url()));
        assert!(!client.exchange(&request).await.reconnected);
        let exchange = client.exchange(&request).await;
        assert_eq!((exchange.fault, exchange.reconnected), (None, true));
        assert!(exchange.connect.is_some());
        assert!(exchange.sent >= server.ended(1)[0], "the latency begins with the second sending");
        assert_eq!((server.accepted(), server.requests().len()), (2, 3));
    }
}

#[tokio::test]
async fn a_post_is_not_sent_anew() {
    for (end, fault) in [(Act::Close, Fault::Closed), (Act::Reset, Fault::Reset)] {
        let server = once_then(&[Act::Take, end]);
        let (mut client, request) = (ours(), post(&server));
        assert_eq!(client.exchange(&request).await.fault, None);
        let exchange = client.exchange(&request).await;
        assert_eq!((exchange.fault, exchange.reconnected), (Some(fault), false));
        assert_eq!((server.accepted(), server.requests().len()), (1, 2));
        assert_eq!(client.exchange(&request).await.fault, None, "the next one is fine");
    }
}

#[tokio::test]
async fn nothing_is_sent_anew_once_a_response_began() {
    let server = once_then(&[Act::Take, send("HTTP/1.1 200 OK\r\n"), Act::Close]);
    let (mut client, request) = (ours(), get(&server.url()));
    assert_eq!(client.exchange(&request).await.fault, None);
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected), (Some(Fault::Closed), false));
}

#[tokio::test]
async fn a_close_that_is_seen_before_sending_is_a_reconnect_for_any_method() {
    for end in [Act::Close, Act::Reset] {
        let server = once_then(&[end]);
        let (mut client, request) = (ours(), post(&server));
        assert_eq!(client.exchange(&request).await.fault, None);
        server.ended(1);
        look_around().await;
        let exchange = client.exchange(&request).await;
        assert_eq!((exchange.fault, exchange.reconnected), (None, true));
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_are_no_response() {
    // Behind the response at once, and some time later.
    let server = Server::start(vec![
        vec![
            Act::Take,
            send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!HTTP/1.1 500 Oops\r\n\r\n"),
            Act::Hold,
        ],
        vec![
            Act::Take,
            response("200 OK", "fine"),
            Act::Pause(SOON),
            send("HTTP/1.1 408 Time-out\r\n\r\n"),
            Act::Close,
        ],
        fine(),
    ]);
    let (mut client, request) = (ours(), get(&server.url()));
    assert_eq!(client.exchange(&request).await.fault, None);
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected), (None, false), "the garbage closed the connection");
    server.ended(2);
    look_around().await;
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected), (None, true));
    assert_eq!(server.accepted(), 3);
}

#[test]
fn a_server_that_closes_each_connection_ends_in_a_fault() {
    for_both(both(), async |mut client| {
        let server = Server::start(vec![vec![Act::Close]]);
        let exchange = client.exchange(&get(&server.url())).await;
        assert!(matches!(exchange.fault, Some(Fault::Closed | Fault::Reset)), "{exchange:?}");
        assert!(!client.is_ours() || server.accepted() == 1);
        goes_on(&mut client).await;
    });
}

#[tokio::test]
async fn one_try_more_is_all_there_is() {
    let server = Server::start(vec![
        vec![Act::Take, response("200 OK", "fine"), Act::Take, Act::Close],
        vec![Act::Take, Act::Close],
    ]);
    let (mut client, request) = (ours(), get(&server.url()));
    assert_eq!(client.exchange(&request).await.fault, None);
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected), (Some(Fault::Closed), true));
    assert_eq!(server.accepted(), 2);
}

#[test]
fn a_response_that_says_close_is_neither_fault_nor_reconnect() {
    for_both(both(), async |mut client| {
        let last = send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfine");
        let server = Server::start(vec![vec![Act::Take, last, Act::Close]]);
        for connections in 1..=3 {
            let exchange = client.exchange(&get(&server.url())).await;
            assert_eq!((exchange.fault, exchange.reconnected), (None, false), "{client:?}");
            assert_eq!(exchange.connect.is_some(), client.is_ours());
            assert_eq!(server.accepted(), connections);
        }
    });
}

#[tokio::test]
async fn a_connection_that_idled_long_is_opened_anew() {
    let server = Server::start(vec![fine()]);
    let (client, request) = (ours(), get(&server.url()));
    let mut client = client.idling(Duration::from_millis(20));
    assert_eq!(client.exchange(&request).await.fault, None);
    tokio::time::sleep(Duration::from_millis(40)).await;
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected), (None, false));
    assert!(exchange.connect.is_some());
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_connection_that_was_opened_before_is_used() {
    let server = Server::start(vec![fine()]);
    let (mut client, request) = (ours(), get(&server.url()));
    client.open(&request).await;
    client.open(&request).await;
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.connect, server.accepted()), (None, None, 1));
}

#[tokio::test]
async fn an_exchange_that_is_called_off_leaves_no_connection() {
    let server = Server::start(vec![vec![Act::Take, send("HTTP/1.1 200 OK\r\n"), Act::Hold], fine()]);
    let (mut client, request) = (ours(), get(&server.url()));
    let called_off = tokio::time::timeout(SOON, client.exchange(&request)).await;
    assert!(called_off.is_err());
    let exchange = client.exchange(&request).await;
    assert_eq!((exchange.fault, exchange.reconnected), (None, false));
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_worker_does_not_stay_connected_with_all_hosts_of_a_long_list() {
    let servers: Vec<Server> = (0..40).map(|_| Server::start(vec![fine()])).collect();
    let mut client = ours();
    for server in &servers {
        assert_eq!(client.exchange(&get(&server.url())).await.fault, None);
    }
    // The first of them were closed by the client, so their scripts ended.
    servers.iter().take(20).for_each(|server| assert_eq!(server.ended(1).len(), 1));
}
