//! https, which reqwest serves: a certificate that is trusted in a process of its own, one that is not, and no TLS at all.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::measure::via_reqwest::ViaReqwest;
use crate::plan::Endpoint;
use crate::record::Fault;

use super::server::{Act, Server, send};
use super::subject::*;

/// Self-signed for `localhost` and 127.0.0.1, valid until 2126, used nowhere else.
const CERTIFICATE: &[u8] = include_bytes!("tls/certificate.pem");
const KEY: &[u8] = include_bytes!("tls/key.pem");
const INSIDE: &str = "measure::tests::tls::inside_a_process_that_trusts_the_certificate";

/// Serves TLS: answers a request, or ends as a handshake that failed.
fn serve(stream: &mut TcpStream) {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
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
    Subject::Reqwest(Box::new(ViaReqwest::new(&options())))
}

fn https(server: &Server) -> String {
    format!("https://127.0.0.1:{}/", server.port())
}

#[tokio::test]
async fn garbage_for_a_handshake_is_a_fault_of_tls() {
    let garbage = send("HTTP/1.1 400 Bad Request\r\n\r\n");
    let server = Server::start(vec![vec![Act::TakeBytes(1), garbage, Act::Hold]]);
    fails(&mut client(), &get(&https(&server)), Fault::Tls).await;
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_fault_of_tls() {
    let server = Server::start(vec![vec![Act::Run(serve), Act::Close]]);
    fails(&mut client(), &get(&https(&server)), Fault::Tls).await;
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
    let server = Server::start(vec![vec![Act::Run(serve), Act::Pause(SOON), Act::Close]]);
    let endpoint = Endpoint::get(https(&server)).expect_body_contains("fine");
    let exchange = client().exchange(&ready(&endpoint, PATIENCE)).await;
    assert_eq!((exchange.status, exchange.fault), (Some(200), None));
    let by_name = Endpoint::get(https(&server).replace("127.0.0.1", "localhost"));
    assert_eq!(client().exchange(&ready(&by_name, PATIENCE)).await.fault, None);
}
