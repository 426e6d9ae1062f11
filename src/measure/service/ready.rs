//! Whether a service answers yet: its port accepts, or a path of it answers with a 2xx.
//!
//! A path that is refused for good is a mistake in the bench file, and is told soon ([`Refused`]); all else may only need longer.
//! This client is apart from the one that measures: it needs no speed, no kept connections and no kernel stamps, and must
//! not care which of them the run uses.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

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

/// Statuses that mean that the request itself is wrong, and so is each like it. Not so 5xx, nor 429 and the like: they say "not yet".
const REFUSALS: [u16; 6] = [400, 401, 403, 404, 405, 410];

/// How long a service is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// In all.
    pub(super) time_out: Duration,
    /// While it refuses its ready path with one and the same status.
    pub(super) refused: Duration,
}

impl Patience {
    /// Some services listen first and have their routes a moment later, once their database has answered, say: three seconds allow
    /// for that on a busy machine, and are a tenth of the usual time-out. Whoever gives a service longer gives it longer for that, too.
    const REFUSED: Duration = Duration::from_secs(3);
    /// The share of a long time-out that a refusal may last.
    const REFUSED_PART: u32 = 10;

    /// For a service that may take so long in all.
    pub(super) fn within(time_out: Duration) -> Self {
        Self { time_out, refused: Self::REFUSED.max(time_out / Self::REFUSED_PART) }
    }
}

/// What a look found instead of a service that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotYet {
    /// What is missing, in words.
    pub(super) missing: String,
    /// The status by which it refused the path, if it did.
    pub(super) refusal: Option<u16>,
}

impl NotYet {
    fn missing(missing: String) -> Self {
        Self { missing, refusal: None }
    }
}

/// Since when a service has refused its ready path with one and the same status. Time is passed in.
#[derive(Debug, Default)]
pub(super) struct Refused(Option<(u16, Instant)>);

impl Refused {
    /// Takes note of what a look found; gives how long this refusal has lasted, if it is one.
    pub(super) fn lasting(&mut self, refusal: Option<u16>, now: Instant) -> Option<Duration> {
        // Another status, or none, is a service that is still on its way.
        let since = self.0.filter(|(status, _)| Some(*status) == refusal).map_or(now, |(_, since)| since);
        self.0 = refusal.map(|status| (status, since));
        refusal.map(|_| now.saturating_duration_since(since))
    }
}

/// What a refusal says of the path, a sentence without its full stop.
pub(super) fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "That path wants credentials, and is asked without any",
        405 => "That path does not answer GET, by which it is asked",
        400 => "That path wants more than a plain GET",
        _ => "It has no such path",
    }
}

/// Looks once. The error says what is missing.
pub(super) async fn look(port: u16, path: Option<&str>) -> Result<(), NotYet> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let nobody = || NotYet::missing(format!("nothing accepts connections at {address}"));
    let stream = match timeout(ATTEMPT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) if is_to_another(&stream) => stream,
        _ => return Err(nobody()),
    };
    let Some(path) = path else { return Ok(()) };
    let path = request_target(path);
    match timeout(ATTEMPT, status_of(stream, address, &path)).await {
        Ok(Ok(status)) if (200..300).contains(&status) => Ok(()),
        Ok(Ok(status)) => Err(NotYet {
            missing: format!("http://{address}{path} answers with status {status} instead of 2xx"),
            refusal: REFUSALS.contains(&status).then_some(status),
        }),
        Ok(Err(error)) => Err(NotYet::missing(format!("http://{address}{path} does not answer ({error})"))),
        Err(_) => {
            Err(NotYet::missing(format!("http://{address}{path} accepts the connection but does not answer")))
        }
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
    fn whoever_waits_longer_in_all_waits_longer_for_routes_that_are_refused() {
        let refused_s = |time_out_s| Patience::within(Duration::from_secs(time_out_s)).refused.as_secs();
        assert_eq!([1, 30, 60, 120].map(refused_s), [3, 3, 6, 12]);
    }

    #[test]
    fn a_refusal_lasts_from_its_first_time_until_anything_else_comes() {
        let start = Instant::now();
        let mut refused = Refused::default();
        let mut lasting = |refusal: Option<u16>, at_ms: u64| {
            refused.lasting(refusal, start + Duration::from_millis(at_ms)).map(|lasted| lasted.as_millis())
        };
        assert_eq!(lasting(None, 0), None);
        assert_eq!([10, 500, 2_900].map(|at| lasting(Some(404), at)), [Some(0), Some(490), Some(2_890)]);
        assert_eq!(lasting(Some(401), 3_000), Some(0), "its routes have come, and ask for credentials");
        assert_eq!(lasting(None, 4_000), None, "it was started anew, say");
        assert_eq!([5_000, 5_250].map(|at| lasting(Some(401), at)), [Some(0), Some(250)]);
    }

    #[test]
    fn a_path_cannot_break_out_of_its_request_line() {
        assert_eq!(request_target("health?a=b"), "/health?a=b");
        assert_eq!(request_target("/a b\r\nx: y"), "/a%20b%0D%0Ax:%20y");
    }
}
