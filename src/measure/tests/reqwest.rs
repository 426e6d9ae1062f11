//! HTTP/2 with prior knowledge, from a server with only a few kinds of frames, and https.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::measure::tests::*;
use crate::measure::via_reqwest::ViaReqwest;
use crate::plan::Transport;
use crate::record::Fault;

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

fn send_frame(stream: &mut TcpStream, kind: u8, flags: u8, stream_id: u8, payload: &[u8]) {
    let length = u8::try_from(payload.len()).unwrap();
    stream.write_all(&[&[0, 0, length, kind, flags, 0, 0, 0, stream_id], payload].concat()).unwrap();
}

/// Sends the settings, reads frames until a request arrives, and returns its stream.
fn read_request_frame(stream: &mut TcpStream) -> u8 {
    stream.set_read_timeout(None).unwrap();
    stream.read_exact(&mut [0; PREFACE]).unwrap();
    send_frame(stream, SETTINGS, 0, 0, &[]);
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = usize::from(head[1]) * 256 + usize::from(head[2]);
        stream.read_exact(&mut vec![0; length]).unwrap();
        match (head[3], head[4]) {
            (SETTINGS, 0) => send_frame(stream, SETTINGS, ACK_OR_END_STREAM, 0, &[]),
            (HEADERS, _) => return head[8],
            _ => {}
        }
    }
}

fn http2_client() -> Subject {
    let transport = Transport { http2: true, ..Transport::default() };
    Subject::Reqwest(Box::new(ViaReqwest::new(&transport, LONG, &Arc::default())))
}

async fn outcome(serve: fn(&mut TcpStream)) -> (Option<u16>, Option<Fault>) {
    let server = Server::start(vec![vec![Act::Run(serve), Act::Pause(SHORT), Act::Close]]);
    let exchange = http2_client().exchange(&get(&server.url())).await;
    (exchange.status, exchange.fault)
}

#[tokio::test]
async fn a_response_over_http2_is_a_response() {
    let answer = outcome(|stream| {
        let id = read_request_frame(stream);
        send_frame(stream, HEADERS, END_HEADERS, id, STATUS_200);
        send_frame(stream, DATA, ACK_OR_END_STREAM, id, b"fine");
    });
    assert_eq!(answer.await, (Some(200), None));
    let answer = outcome(|stream| {
        let id = read_request_frame(stream);
        send_frame(stream, HEADERS, END_HEADERS | ACK_OR_END_STREAM, id, STATUS_500);
    });
    assert_eq!(answer.await, (Some(500), Some(Fault::Status(500))));
}

#[tokio::test]
async fn faults_of_http2_are_faults_of_the_service() {
    let reset = outcome(|stream| {
        let id = read_request_frame(stream);
        send_frame(stream, RST_STREAM, 0, id, &[0, 0, 0, 2]);
    });
    assert_eq!(reset.await, (None, Some(Fault::Malformed)));
    let not_http2 = outcome(|stream| {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let (status, fault) = not_http2.await;
    assert_eq!(status, None);
    assert!(matches!(fault, Some(Fault::Malformed | Fault::Closed | Fault::Reset)), "{fault:?}");
}

#[cfg(all(feature = "https", target_os = "linux"))]
mod https {
    use std::path::Path;
    use std::process::Command;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ServerConfig, ServerConnection, Stream};

    use super::*;
    use crate::plan::Endpoint;

    /// Self-signed for `localhost` and 127.0.0.1, valid until 2126, not used anywhere else.
    const CERTIFICATE: &[u8] = include_bytes!("tls/certificate.pem");
    const KEY: &[u8] = include_bytes!("tls/key.pem");
    const INSIDE: &str = "measure::tests::reqwest::https::inside_a_process_that_trusts_the_certificate";

    /// Answers one request over TLS, unless the handshake fails.
    fn serve(stream: &mut TcpStream) {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        stream.set_read_timeout(None).unwrap();
        let mut tls = Stream::new(&mut connection, stream);
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match tls.read(&mut byte) {
                Ok(1) => request.push(byte[0]),
                _ => return,
            }
        }
        let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
    }

    fn client() -> Subject {
        Subject::Reqwest(Box::new(ViaReqwest::new(&Transport::default(), LONG, &Arc::default())))
    }

    fn https(server: &Server) -> String {
        format!("https://127.0.0.1:{}/", server.port())
    }

    #[tokio::test]
    async fn garbage_instead_of_a_handshake_is_a_fault_of_tls() {
        let garbage = send("HTTP/1.1 400 Bad Request\r\n\r\n");
        let server = Server::start(vec![vec![Act::ReadBytes(1), garbage, Act::WaitForClose]]);
        assert_fails(&mut client(), &get(&https(&server)), Fault::Tls).await;
    }

    #[tokio::test]
    async fn an_untrusted_certificate_is_a_fault_of_tls() {
        let server = Server::start(vec![vec![Act::Run(serve), Act::Close]]);
        assert_fails(&mut client(), &get(&https(&server)), Fault::Tls).await;
    }

    #[test]
    fn a_trusted_certificate_is_fine() {
        let certificate = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/measure/tests/tls/certificate.pem");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", INSIDE, "--ignored"])
            .env("SSL_CERT_FILE", certificate)
            .env_remove("SSL_CERT_DIR");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    #[tokio::test]
    #[ignore = "run by the test above, with another certificate store"]
    async fn inside_a_process_that_trusts_the_certificate() {
        let server = Server::start(vec![vec![Act::Run(serve), Act::Pause(SHORT), Act::Close]]);
        let endpoint = Endpoint::get(https(&server)).expect_body_contains("fine");
        let exchange = client().exchange(&request(&endpoint, LONG)).await;
        assert_eq!((exchange.status, exchange.fault), (Some(200), None));
        let by_name = Endpoint::get(https(&server).replace("127.0.0.1", "localhost"));
        assert_eq!(client().exchange(&request(&by_name, LONG)).await.fault, None);
    }
}
