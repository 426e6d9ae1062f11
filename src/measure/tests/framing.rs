//! Bodies and heads of every shape over a real connection.

use crate::plan::Endpoint;
use crate::record::Fault;

use super::server::{Act, Server, response, send};
use super::subject::*;

#[test]
fn responses_without_a_body_leave_the_connection_ready() {
    for_both(both(), async |mut client| {
        let server = Server::start(vec![vec![
            Act::Take,
            send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
            Act::Take,
            send("HTTP/1.1 204 No Content\r\n\r\n"),
            Act::Take,
            send("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
            Act::Take,
            send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
            response("200 OK", "fine"),
            Act::Hold,
        ]]);
        for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 200)] {
            let endpoint = Endpoint::new(method, server.url()).expect_status(status);
            let exchange = client.exchange(&ready(&endpoint, PATIENCE)).await;
            assert_eq!((exchange.status, exchange.fault), (Some(status), None), "{client:?}");
        }
        assert_eq!(server.accepted(), 1);
    });
}

#[test]
fn a_body_may_end_with_the_connection() {
    for_both(both(), async |mut client| {
        let script = vec![
            Act::Take,
            send("HTTP/1.1 200 OK\r\n\r\nthe Ever "),
            Act::Pause(SOON / 5),
            send("Given"),
            Act::Close,
        ];
        let server = Server::start(vec![script]);
        let endpoint = Endpoint::get(server.url()).expect_body_contains("Ever Given");
        for _ in 0..2 {
            let exchange = client.exchange(&ready(&endpoint, PATIENCE)).await;
            assert_eq!((exchange.fault, exchange.reconnected), (None, false), "{client:?}");
        }
    });
}

#[test]
fn chunks_with_trailers_may_come_byte_by_byte() {
    for_both(both(), async |mut client| {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8;a=b\r\nthe Ever\r\n6\r\n Given\r\n0\r\nA: b\r\n\r\n";
        let mut script = vec![Act::Take];
        script.extend(text.bytes().map(|byte| send([byte])));
        script.extend([Act::Take, response("200 OK", "Ever Given"), Act::Hold]);
        let server = Server::start(vec![script]);
        let endpoint = Endpoint::get(server.url()).expect_body_contains("Ever Given");
        for _ in 0..2 {
            assert_eq!(client.exchange(&ready(&endpoint, PATIENCE)).await.fault, None, "{client:?}");
        }
        assert_eq!(server.accepted(), 1);
    });
}

#[test]
fn a_response_is_larger_than_every_buffer() {
    let body = format!("{}needle", "hay ".repeat(2_500_000));
    for_both(both(), async |mut client| {
        let server = Server::start(vec![vec![Act::Take, response("200 OK", &body), Act::Hold]]);
        let endpoint = Endpoint::get(server.url()).expect_body_contains("needle");
        assert_eq!(client.exchange(&ready(&endpoint, PATIENCE)).await.fault, None, "{client:?}");
    });
}

#[test]
fn token_numbers_are_found_behind_300_000_tokens() {
    let numbers = r#""input_tokens": 12, "output_tokens": 300000}"#;
    let as_text = format!(r#"{{"text": "{}", {numbers}"#, "token ".repeat(300_000));
    let as_list = format!(r#"{{"tokens": [{}0], {numbers}"#, "\"token\", ".repeat(300_000));
    for body in [as_text, as_list] {
        for_both(both(), async |mut client| {
            let server = Server::start(vec![vec![Act::Take, response("200 OK", &body), Act::Hold]]);
            let exchange = client.exchange(&get(&server.url())).await;
            assert_eq!(exchange.fault, None, "{client:?}");
            assert_eq!((exchange.tokens.input, exchange.tokens.output), (Some(12.0), Some(300_000.0)));
        });
    }
}

/// More than the kernel takes from a sender whose peer does not read.
const LONG_BODY: usize = 32 * 1024 * 1024;

#[test]
fn an_answer_that_overtakes_a_long_request_counts() {
    for_both(both(), async |mut client| {
        let early = send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let server = Server::start(vec![vec![Act::TakeBytes(100), early, Act::Pause(SOON * 3), Act::Close]]);
        let endpoint = Endpoint::post(server.url()).body(vec![b'x'; LONG_BODY]);
        fails(&mut client, &ready(&endpoint, PATIENCE), Fault::Status(413)).await;
    });
}

#[test]
fn an_answer_right_before_a_reset_counts() {
    for_both(both(), async |mut client| {
        let early = send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let server = Server::start(vec![vec![Act::TakeBytes(100), early, Act::Close]]);
        let endpoint = Endpoint::post(server.url()).body(vec![b'x'; LONG_BODY]);
        let exchange = client.exchange(&ready(&endpoint, PATIENCE)).await;
        let fine = match exchange.fault {
            Some(Fault::Status(413)) => true,
            // reqwest may meet the reset first.
            Some(Fault::Reset | Fault::Closed) => !client.is_ours(),
            _ => false,
        };
        assert!(fine, "{client:?} {exchange:?}");
        goes_on(&mut client).await;
    });
}

#[test]
fn a_long_request_is_sent_whole_although_an_interim_answer_overtakes_it() {
    for_both(both(), async |mut client| {
        let script = vec![
            Act::TakeBytes(100),
            send("HTTP/1.1 100 Continue\r\n\r\n"),
            Act::Pause(SOON),
            Act::Run(|stream| {
                use std::io::Read;
                stream.set_read_timeout(None).unwrap();
                let mut left = vec![0; LONG_BODY];
                stream.read_exact(&mut left).unwrap();
                stream.set_read_timeout(Some(SOON)).unwrap();
            }),
            response("200 OK", "fine"),
            Act::Hold,
        ];
        let server = Server::start(vec![script]);
        let endpoint = Endpoint::post(server.url()).body(vec![b'x'; LONG_BODY]);
        let exchange = client.exchange(&ready(&endpoint, PATIENCE)).await;
        assert_eq!((exchange.status, exchange.fault), (Some(200), None), "{client:?}");
    });
}
