//! Whether a service is ready: its port accepts connections, or its ready path responds with a 2xx.
//!
//! A service that keeps refusing the path is a mistake in the bench file, and is reported soon ([`Patience`]). Everything else may only
//! need more time. The request is made here and not by a client of a measurement: it needs no speed, no kept connections and no kernel
//! stamps, and must not depend on which client a run uses.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::measure::decoder::Decoder;

/// Timeout of one attempt. A service may accept connections before it can respond.
const ATTEMPT: Duration = Duration::from_secs(1);
/// Time to read the rest of a response, so the service does not see its connection reset.
const REST: Duration = Duration::from_millis(50);
/// Maximum length of a response's head.
const HEAD_BYTES: usize = 16 * 1024;
/// Statuses that say that the request itself is wrong. 5xx, 429 and others say "not yet".
const REFUSALS: [u16; 6] = [400, 401, 403, 404, 405, 410];

/// Limits for waiting until a service is ready.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) timeout: Duration,
    /// Limit for refusals of the ready path with the same status.
    pub(crate) refused: Duration,
}

impl Patience {
    /// Some services listen before they have their routes, for example until their database responds. Three seconds are enough for that on
    /// a busy machine, and a tenth of the default timeout. A longer timeout allows more time for refusals, too.
    pub(crate) fn within(timeout: Duration) -> Self {
        Self { timeout, refused: Duration::from_secs(3).max(timeout / 10) }
    }
}

/// Why a service is not ready.
#[derive(Debug)]
pub(crate) struct NotReady {
    pub(crate) reason: String,
    /// The status by which it refused the ready path, `None` if it did not.
    pub(crate) refusal: Option<u16>,
}

/// The status by which a service now refuses its ready path, and since when. `before` is the same after the attempt before.
pub(crate) fn refused_since(
    before: Option<(u16, Instant)>,
    refusal: Option<u16>,
    now: Instant,
) -> Option<(u16, Instant)> {
    let status = refusal?;
    // Another status, or none, shows that the service is still starting.
    before.filter(|(known, _)| *known == status).or(Some((status, now)))
}

/// What a refusal says about the path.
pub(crate) fn explain(status: u16) -> &'static str {
    match status {
        400 => "the path needs more than a plain GET",
        401 | 403 => "the path needs credentials, and plimsoll sends none",
        405 => "the path does not support GET, which plimsoll uses",
        _ => "there is no such path",
    }
}

/// Tries once.
pub(crate) async fn check(port: u16, path: Option<&str>) -> Result<(), NotReady> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = match timeout(ATTEMPT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) if is_to_another(&stream) => stream,
        _ => {
            let reason = format!("nothing accepts connections at {address}");
            return Err(NotReady { reason, refusal: None });
        }
    };
    let Some(path) = path.map(request_target) else { return Ok(()) };
    let (problem, status) = match timeout(ATTEMPT, status_of(stream, address, &path)).await {
        Ok(Ok(200..300)) => return Ok(()),
        Ok(Ok(status)) => (format!("responds with status {status} instead of 2xx"), Some(status)),
        Ok(Err(error)) => (format!("does not respond ({error})"), None),
        Err(_) => ("accepts the connection but does not respond".to_owned(), None),
    };
    let refusal = status.filter(|status| REFUSALS.contains(status));
    Err(NotReady { reason: format!("http://{address}{path} {problem}"), refusal })
}

/// A socket that gets the port to which it connects as its own connects to itself.
fn is_to_another(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local != peer)
}

/// The path, encoded so that it can stand in a request line.
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
    let (mut decoder, mut received) = (Decoder::new(false), Vec::with_capacity(1024));
    while received.len() <= HEAD_BYTES {
        if stream.read_buf(&mut received).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed before a whole response"));
        }
        let decoded = decoder.take(&received, |_, _| {});
        if let Some(status) = decoder.status {
            _ = timeout(REST, tokio::io::copy(&mut stream, &mut tokio::io::sink())).await;
            return Ok(status);
        }
        let refused = |malformed| io::Error::other(format!("the response is not HTTP/1.1: {malformed}"));
        let taken = decoded.map_err(refused)?;
        received.drain(..taken);
    }
    Err(io::Error::other("the head of the response is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outcome for a server that answers with these bytes and closes.
    async fn answered(bytes: &'static str) -> Result<(), NotReady> {
        let server = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        let answer = async {
            let (mut stream, _) = server.accept().await.unwrap();
            _ = stream.read(&mut [0; 1024]).await;
            stream.write_all(bytes.as_bytes()).await.unwrap();
        };
        tokio::join!(check(port, Some("/x")), answer).0
    }

    #[tokio::test]
    async fn the_status_is_that_of_the_final_response() {
        assert!(answered("HTTP/1.1 200 OK\r\n\r\n").await.is_ok());
        for (bytes, expected) in [
            (
                "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.0 503 No\r\n\r\n",
                "responds with status 503 instead",
            ),
            ("HTTP/1.1 100 Continue\r\n\r\n", "(closed before a whole response)"),
            ("HTTP/1.1 204 No Cont", "(closed before a whole response)"),
            ("", "(closed before a whole response)"),
            (
                "SSH-2.0-OpenSSH\r\n",
                "(the response is not HTTP/1.1: no status line of HTTP/1.1: \"SSH-2.0-OpenSSH\")",
            ),
        ] {
            let reason = answered(bytes).await.unwrap_err().reason;
            assert!(reason.contains(expected), "{reason}");
        }
    }

    #[test]
    fn a_longer_timeout_allows_more_time_for_refusals() {
        let refused_s = |timeout_s| Patience::within(Duration::from_secs(timeout_s)).refused.as_secs();
        assert_eq!([1, 30, 60, 120].map(refused_s), [3, 3, 6, 12]);
    }

    #[test]
    fn a_refusal_lasts_until_the_service_answers_differently() {
        let start = Instant::now();
        let mut refused = None;
        let mut since_ms = |refusal: Option<u16>, at_ms: u64| {
            refused = refused_since(refused, refusal, start + Duration::from_millis(at_ms));
            refused.map(|(_, since)| since.duration_since(start).as_millis())
        };
        assert_eq!(since_ms(None, 0), None);
        assert_eq!([10, 500, 2_900].map(|at| since_ms(Some(404), at)), [Some(10); 3]);
        assert_eq!(since_ms(Some(401), 3_000), Some(3_000), "its routes are there now, and need credentials");
        assert_eq!(since_ms(None, 4_000), None, "as if it had been restarted");
        assert_eq!([5_000, 5_250].map(|at| since_ms(Some(401), at)), [Some(5_000); 2]);
    }

    #[test]
    fn a_path_cannot_break_out_of_its_request_line() {
        assert_eq!(request_target("health?a=b"), "/health?a=b");
        assert_eq!(request_target("/a b\r\nx: y"), "/a%20b%0D%0Ax:%20y");
    }
}
