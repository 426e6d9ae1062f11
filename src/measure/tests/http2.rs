//! HTTP/2 with prior knowledge, by a server that knows just enough frames.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::measure::client::ClientOptions;
use crate::measure::via_reqwest::ViaReqwest;
use crate::plan::Transport;
use crate::record::Fault;

use super::server::{Act, Server};
use super::subject::*;

const PREFACE: usize = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const ACK_OR_END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status 200` and `:status 500` of HPACK's static table.
const STATUS_200: &[u8] = &[0x88];
const STATUS_500: &[u8] = &[0x8e];

fn frame(stream: &mut TcpStream, kind: u8, flags: u8, of: u8, payload: &[u8]) {
    let length = u8::try_from(payload.len()).unwrap();
    stream.write_all(&[&[0, 0, length, kind, flags, 0, 0, 0, of], payload].concat()).unwrap();
}

/// Greets, and reads frames until a request came; says of which stream.
fn request(stream: &mut TcpStream) -> u8 {
    stream.set_read_timeout(None).unwrap();
    stream.read_exact(&mut [0; PREFACE]).unwrap();
    frame(stream, SETTINGS, 0, 0, &[]);
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = usize::from(head[1]) * 256 + usize::from(head[2]);
        stream.read_exact(&mut vec![0; length]).unwrap();
        match (head[3], head[4]) {
            (SETTINGS, 0) => frame(stream, SETTINGS, ACK_OR_END_STREAM, 0, &[]),
            (HEADERS, _) => return head[8],
            _ => {}
        }
    }
}

fn client() -> Subject {
    let transport = Transport { http2: true, ..Transport::default() };
    Subject::Reqwest(Box::new(ViaReqwest::new(&ClientOptions { transport, ..options() })))
}

async fn outcome(serve: fn(&mut TcpStream)) -> (Option<u16>, Option<Fault>) {
    let server = Server::start(vec![vec![Act::Run(serve), Act::Pause(SOON), Act::Close]]);
    let exchange = client().exchange(&get(&server.url())).await;
    (exchange.status, exchange.fault)
}

#[tokio::test]
async fn a_response_over_http2_is_a_response() {
    let answer = outcome(|stream| {
        let of = request(stream);
        frame(stream, HEADERS, END_HEADERS, of, STATUS_200);
        frame(stream, DATA, ACK_OR_END_STREAM, of, b"fine");
    });
    assert_eq!(answer.await, (Some(200), None));
    let answer = outcome(|stream| {
        let of = request(stream);
        frame(stream, HEADERS, END_HEADERS | ACK_OR_END_STREAM, of, STATUS_500);
    });
    assert_eq!(answer.await, (Some(500), Some(Fault::Status(500))));
}

#[tokio::test]
async fn faults_of_http2_are_the_services() {
    let reset = outcome(|stream| {
        let of = request(stream);
        frame(stream, RST_STREAM, 0, of, &[0, 0, 0, 2]);
    });
    assert_eq!(reset.await, (None, Some(Fault::Malformed)));
    let not_http2 = outcome(|stream| {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let (status, fault) = not_http2.await;
    assert_eq!(status, None);
    assert!(matches!(fault, Some(Fault::Malformed | Fault::Closed | Fault::Reset)), "{fault:?}");
}
