//! Whether a service answers yet: its port accepts, or a path of it answers with a 2xx.
//!
//! This client is apart from the one that measures: it needs no speed, no kept connections and no kernel stamps, and must
//! not care which of them the run uses.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one attempt may take: a service that accepts before it can answer is asked again.
const ATTEMPT: Duration = Duration::from_secs(1);
/// How long the rest of an answer is read, so that the service does not see its connection reset.
const FAREWELL: Duration = Duration::from_millis(50);
/// How long the head of an answer may be.
const HEAD_BYTES: usize = 16 * 1024;
/// How many headers it may have.
const HEADERS: usize = 128;

/// Looks once. The error says what is missing.
pub(crate) async fn look(port: u16, path: Option<&str>) -> Result<(), String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let nobody = || format!("nothing accepts connections at {address}");
    let stream = match timeout(ATTEMPT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) if is_to_another(&stream) => stream,
        _ => return Err(nobody()),
    };
    let Some(path) = path else { return Ok(()) };
    let path = request_target(path);
    match timeout(ATTEMPT, status_of(stream, address, &path)).await {
        Ok(Ok(status)) if (200..300).contains(&status) => Ok(()),
        Ok(Ok(status)) => Err(format!("http://{address}{path} answers with status {status} instead of 2xx")),
        Ok(Err(error)) => Err(format!("http://{address}{path} does not answer ({error})")),
        Err(_) => Err(format!("http://{address}{path} accepts the connection but does not answer")),
    }
}

/// A socket that gets the port to which it connects as its own connects to itself.
fn is_to_another(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local != peer)
}

/// The path as it can stand in a request line.
fn request_target(path: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    let encode = |byte: &u8| match byte {
        0x21..=0x7e => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    slash.to_owned() + &path.as_bytes().iter().map(encode).collect::<String>()
}

async fn status_of(mut stream: TcpStream, address: SocketAddr, path: &str) -> io::Result<u16> {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: */*\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed before a whole response"));
        }
        if let Some(status) = final_status(&head)? {
            _ = timeout(FAREWELL, tokio::io::copy(&mut stream, &mut tokio::io::sink())).await;
            return Ok(status);
        }
        if head.len() > HEAD_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of the response has no end"));
        }
    }
}

/// The status of the response, once its head is whole; those before it (1xx) are skipped.
fn final_status(mut bytes: &[u8]) -> io::Result<Option<u16>> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed =
            response.parse(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        match (parsed, response.code) {
            (httparse::Status::Complete(len), Some(100..=199)) => bytes = &bytes[len..],
            (httparse::Status::Complete(_), status) => return Ok(status),
            (httparse::Status::Partial, _) => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_that_of_the_final_response() {
        for (bytes, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", Some(200)),
            ("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.0 503 No\r\n\r\n", Some(503)),
            ("HTTP/1.1 100 Continue\r\n\r\n", None),
            ("HTTP/1.1 204 No Cont", None),
            ("", None),
        ] {
            assert_eq!(final_status(bytes.as_bytes()).unwrap(), expected, "{bytes}");
        }
        assert!(final_status(b"SSH-2.0-OpenSSH\r\n").is_err());
    }

    #[test]
    fn a_path_cannot_break_out_of_its_request_line() {
        assert_eq!(request_target("health?a=b"), "/health?a=b");
        assert_eq!(request_target("/a b\r\nx: y"), "/a%20b%0D%0Ax:%20y");
    }
}
