//! Whether a service is ready: its port accepts connections, or its ready request gets a 2xx or 3xx.
//!
//! An answer that says that the request is wrong is a mistake in the bench file, and is reported soon ([`Patience`]). Everything else
//! may only need more time.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::measure::exchange::{Exchange, Request, Resolver};
use crate::measure::http1::Http1;
#[cfg(feature = "reqwest")]
use crate::measure::via_reqwest::ViaReqwest;
use crate::plan::{Endpoint, Transport};
use crate::record::Fault;

/// Limit of the first attempts. A service may accept connections before it can respond. Each attempt that times out doubles it.
const ATTEMPT: Duration = Duration::from_secs(1);
/// Interval at which a service is checked that plimsoll has started, and one elsewhere.
const POLL: Duration = Duration::from_millis(3);
const POLL_ELSEWHERE: Duration = Duration::from_millis(100);
/// The most that a service takes from listening on one address to listening on the next.
const BETWEEN_LISTENS: Duration = Duration::from_millis(20);
/// Statuses from here on mean that the server failed.
const SERVER_ERRORS: u16 = 500;
/// Statuses of 4xx that say "not yet", as each 5xx does: request timeout, too early, too many requests.
const NOT_YET: [u16; 3] = [408, 425, 429];

/// Limits for waiting until a service is ready.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) timeout: Duration,
    /// Limit for answers that there is no such path.
    pub(crate) unknown: Duration,
}

impl Patience {
    /// Some services listen before they have their routes, for example until their database responds. Three seconds are enough for that on
    /// a busy machine, and a tenth of the default timeout. A longer timeout allows more time, too.
    pub(crate) fn within(timeout: Duration) -> Self {
        Self { timeout, unknown: Duration::from_secs(3).max(timeout / 10) }
    }
}

/// Where a service is expected.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// On this port of this machine, by either version of IP.
    Port(u16),
    Url(String),
}

/// Where to allow a service more time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Setting {
    ReadyTimeout,
    /// `plimsoll load --wait`, for which every complete response below 500 is enough.
    Wait,
}

impl Setting {
    fn timeout(self) -> &'static str {
        match self {
            Self::ReadyTimeout => "group.ready_timeout(…)",
            Self::Wait => "--wait",
        }
    }

    /// How to use HTTP/2.
    fn http2(self) -> &'static str {
        match self {
            Self::ReadyTimeout => "call group.http2()",
            Self::Wait => "pass --http2",
        }
    }
}

/// Why a service did not become ready.
#[derive(Debug)]
pub(crate) enum Unready {
    TimedOut {
        waited: Duration,
        reason: String,
        /// Whether it is expected on a port that plimsoll chose, where nothing listens.
        is_deaf: bool,
        setting: Setting,
    },
    /// By its answer the request itself is wrong.
    Refused { reason: String, explanation: &'static str },
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { waited, reason, is_deaf, setting } => {
                write!(f, "was not ready within {waited:?}: {reason}; ")?;
                if *is_deaf {
                    f.write_str(
                        "it must listen on 127.0.0.1 or ::1, on the port that it gets in place of {port} and that the \
                         variable PORT holds; ",
                    )?;
                }
                write!(f, "if it only needs longer, raise the timeout with {}", setting.timeout())
            }
            Self::Refused { reason, explanation } => write!(
                f,
                "is not ready: {reason} ({explanation}); correct .ready(…), or leave it out: the service then counts as \
                 ready once its port accepts connections"
            ),
        }
    }
}

/// The outcome of one attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// Ready at this URL, `http://host:port`.
    Ready(String),
    NotYet,
    GiveUp(Unready),
}

/// Why one attempt failed.
#[derive(Debug)]
struct NotReady {
    reason: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing accepts connections.
    Deaf,
    /// It may only need more time.
    Starting,
    /// It may not have its routes yet.
    Unknown(&'static str),
    /// More time does not help.
    Wrong(&'static str),
}

/// The attempts at one service, whose connections are closed when it is dropped.
#[derive(Debug)]
pub(crate) struct ReadyCheck {
    endpoint: Option<Endpoint>,
    transport: Transport,
    patience: Patience,
    setting: Setting,
    pub(crate) began: Instant,
    /// Since when all answers were [`Kind::Unknown`].
    unknown_since: Option<Instant>,
    /// Why the attempt before failed.
    last: Option<NotReady>,
    /// Limit of an attempt, from the name lookup to the last byte of the response.
    limit: Duration,
    http1: Http1,
    #[cfg(feature = "reqwest")]
    reqwest: ViaReqwest,
    resolver: Arc<Resolver>,
}

impl ReadyCheck {
    /// Without an endpoint a service is ready when its port accepts connections.
    pub(crate) fn new(
        endpoint: Option<&Endpoint>,
        transport: &Transport,
        patience: Patience,
        setting: Setting,
    ) -> Self {
        // A redirect is an answer.
        let transport = Transport { follow: false, ..transport.clone() };
        let resolver = Arc::default();
        Self {
            endpoint: endpoint.cloned(),
            patience,
            setting,
            began: Instant::now(),
            unknown_since: None,
            last: None,
            limit: ATTEMPT,
            http1: Http1::new(&transport, ATTEMPT, &resolver),
            #[cfg(feature = "reqwest")]
            reqwest: ViaReqwest::new(&transport, ATTEMPT, &resolver),
            resolver,
            transport,
        }
    }

    fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
        self.http1 = Http1::new(&self.transport, limit, &self.resolver);
        #[cfg(feature = "reqwest")]
        {
            self.reqwest = ViaReqwest::new(&self.transport, limit, &self.resolver);
        }
    }

    fn remaining(&self) -> Duration {
        self.patience.timeout.saturating_sub(self.began.elapsed())
    }

    /// The time that the next attempt may take.
    fn allowed(&self) -> Duration {
        self.limit.min(self.remaining())
    }

    /// Allows later attempts more time if a fault shows that they need it.
    fn learn_from(&mut self, fault: Fault) {
        let is_late = matches!(fault, Fault::Timeout | Fault::ConnectTimeout);
        if is_late && self.limit < self.patience.timeout {
            self.set_limit(self.limit * 2);
        }
    }

    /// Tries once.
    pub(crate) async fn attempt(&mut self, place: &Place) -> Attempt {
        let NotReady { reason, kind } = match self.find(place).await {
            Ok(url) => return Attempt::Ready(url),
            Err(not_ready) => not_ready,
        };
        let now = Instant::now();
        let unknown = matches!(kind, Kind::Unknown(_));
        // Another answer shows that the service is still starting.
        self.unknown_since = self.unknown_since.filter(|_| unknown).or(unknown.then_some(now));
        match (kind, self.unknown_since) {
            (Kind::Wrong(explanation), _) => {
                return Attempt::GiveUp(Unready::Refused { reason, explanation });
            }
            (Kind::Unknown(explanation), Some(since)) if now - since >= self.patience.unknown => {
                return Attempt::GiveUp(Unready::Refused { reason, explanation });
            }
            _ => {}
        }
        let waited = self.patience.timeout;
        if self.began.elapsed() >= waited {
            // This attempt may have had too little time to tell.
            let NotReady { reason, kind } = self.last.take().unwrap_or(NotReady { reason, kind });
            let is_at_port = matches!(place, Place::Port(_)) && self.transport.unix_socket.is_none();
            let is_deaf = kind == Kind::Deaf && is_at_port;
            return Attempt::GiveUp(Unready::TimedOut { waited, reason, is_deaf, setting: self.setting });
        }
        self.last = Some(NotReady { reason, kind });
        tokio::time::sleep(if matches!(place, Place::Port(_)) { POLL } else { POLL_ELSEWHERE }).await;
        Attempt::NotYet
    }

    /// The URL at which it is ready.
    async fn find(&mut self, place: &Place) -> Result<String, NotReady> {
        let at_socket = self.transport.unix_socket.is_some();
        if let Some(path) = &self.transport.unix_socket {
            reach_socket(path).await?;
        }
        let url = match place {
            Place::Port(port) if at_socket => format!("http://127.0.0.1:{port}"),
            Place::Port(port) => {
                format!("http://{}", accepting(*port, &self.transport, self.allowed()).await?)
            }
            Place::Url(url) => url.clone(),
        };
        // A proxy may be the only way to a URL.
        let is_direct = !at_socket && self.transport.proxy.is_none();
        match self.endpoint.clone() {
            Some(endpoint) => self.ask(&endpoint, &url).await?,
            None if matches!(place, Place::Url(_)) && is_direct => self.reach(&url).await?,
            None => {}
        }
        Ok(url)
    }

    /// Opens a connection for requests to a URL.
    async fn reach(&mut self, url: &str) -> Result<(), NotReady> {
        // The plan was checked: it is a URL with a host.
        let Ok(request) = Request::new(&Endpoint::get("/"), Some(url), self.allowed()) else { return Ok(()) };
        let Err(fault) = self.http1.reach(&request).await else { return Ok(()) };
        self.learn_from(fault);
        let (host, port) = self.transport.destination(&request.host, request.port);
        Err(match fault {
            Fault::Dns => unresolved(host),
            _ => {
                NotReady { reason: format!("nothing accepts connections at {host}:{port}"), kind: Kind::Deaf }
            }
        })
    }

    /// Makes the ready request.
    async fn ask(&mut self, endpoint: &Endpoint, service_url: &str) -> Result<(), NotReady> {
        let allowed = match self.setting {
            Setting::ReadyTimeout => self.allowed(),
            // The endpoint has a timeout. A model server may go on to work for a request that is given up.
            Setting::Wait => self.remaining(),
        };
        let mut request = Request::new(endpoint, Some(service_url), allowed).map_err(|error| NotReady {
            reason: error.to_string(),
            kind: Kind::Wrong("the request cannot be made"),
        })?;
        // The endpoint may have a longer timeout of its own.
        request.timeout = request.timeout.min(allowed);
        let exchange = self.exchange(&request).await;
        let fault = match (self.setting, exchange.status) {
            // The load shows how good the response is.
            (Setting::Wait, Some(status)) => (status >= SERVER_ERRORS).then_some(Fault::Status(status)),
            _ => exchange.fault.filter(|fault| !is_redirect(endpoint, *fault)),
        };
        let Some(fault) = fault else { return Ok(()) };
        self.learn_from(fault);
        let kind = match fault {
            Fault::Status(status) => kind_of(status),
            // With a proxy it may be the proxy's name.
            Fault::Dns if self.transport.proxy.is_none() => {
                return Err(unresolved(self.transport.destination(&request.host, request.port).0));
            }
            Fault::Refused | Fault::ConnectTimeout | Fault::Unreachable => Kind::Deaf,
            _ => Kind::Starting,
        };
        let uri = &request.uri;
        let reason = match fault {
            Fault::Status(status) => match self.setting {
                Setting::ReadyTimeout => {
                    format!("{uri} responds with status {status} instead of {}", expected(endpoint))
                }
                Setting::Wait => format!("{uri} responds with status {status}"),
            },
            Fault::Malformed if self.transport.is_plain() => format!(
                "{uri} does not respond with HTTP/1.1 (if the service only speaks HTTP/2, {})",
                self.setting.http2()
            ),
            fault => format!("{uri} does not respond as expected ({})", fault.in_words()),
        };
        Err(NotReady { reason, kind })
    }

    async fn exchange(&mut self, request: &Request) -> Exchange {
        if self.transport.is_plain() && !request.is_https {
            return self.http1.exchange(request).await;
        }
        #[cfg(feature = "reqwest")]
        return self.reqwest.exchange(request).await;
        #[cfg(not(feature = "reqwest"))]
        return Exchange::begin().failed(Fault::Client);
    }
}

/// Whether it is a redirect, which shows that the service works, unless another status is expected.
fn is_redirect(endpoint: &Endpoint, fault: Fault) -> bool {
    endpoint.status.is_none() && matches!(fault, Fault::Status(300..400))
}

fn expected(endpoint: &Endpoint) -> String {
    endpoint.status.map_or("2xx or 3xx".to_owned(), |status| status.to_string())
}

/// What an unexpected status says about the request.
fn kind_of(status: u16) -> Kind {
    match status {
        _ if NOT_YET.contains(&status) => Kind::Starting,
        404 => Kind::Unknown("there is no such path"),
        410 => Kind::Wrong("there is no such path"),
        401 | 403 => Kind::Wrong(
            "it needs credentials: pass them as in .ready(Endpoint::get(path).header(\"Authorization\", …))",
        ),
        405 => Kind::Wrong(
            "it does not support this method: pass another one, as in .ready(Endpoint::new(method, path))",
        ),
        400..500 => Kind::Wrong(
            "it needs another request: pass one, as in .ready(Endpoint::get(path).header(\"Host\", …))",
        ),
        _ => Kind::Starting,
    }
}

/// The address of this machine at which something accepts connections on this port, preferably of IPv4.
async fn accepting(port: u16, transport: &Transport, limit: Duration) -> Result<SocketAddr, NotReady> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let accepts = async |address: SocketAddr| {
        if !transport.allows(address.ip()) {
            return false;
        }
        let connected = timeout(limit, TcpStream::connect(address)).await;
        matches!(connected, Ok(Ok(stream)) if is_to_another(&stream))
    };
    if accepts(v4).await {
        return Ok(v4);
    }
    if accepts(v6).await {
        // All launches must use the same address, also those of a service that listens on one after the other.
        tokio::time::sleep(BETWEEN_LISTENS).await;
        return Ok(if accepts(v4).await { v4 } else { v6 });
    }
    let addresses = [v4, v6].into_iter().filter(|address| transport.allows(address.ip()));
    let addresses: Vec<String> = addresses.map(|address| address.to_string()).collect();
    let reason = format!("nothing accepts connections at {}", addresses.join(" or "));
    Err(NotReady { reason, kind: Kind::Deaf })
}

/// Opens a connection to a Unix socket.
async fn reach_socket(path: &str) -> Result<(), NotReady> {
    let Err(error) = UnixStream::connect(path).await else { return Ok(()) };
    let reason = format!("could not connect to the Unix socket {path}: {error}");
    Err(NotReady { reason, kind: Kind::Deaf })
}

fn unresolved(name: &str) -> NotReady {
    let reason = format!("the name `{name}` is not resolved (it may be misspelled)");
    NotReady { reason, kind: Kind::Starting }
}

/// A socket that gets the port to which it connects as its own connects to itself.
fn is_to_another(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local != peer)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::measure::tests::resolver;
    use crate::plan::IpVersion;

    const LONG: Duration = Duration::from_secs(60);

    fn check_over(endpoint: Option<&Endpoint>, transport: &Transport, setting: Setting) -> ReadyCheck {
        let patience = Patience { timeout: LONG, unknown: LONG };
        let mut check = ReadyCheck::new(endpoint, transport, patience, setting);
        check.set_limit(LONG);
        check
    }

    fn check_of(endpoint: Endpoint) -> ReadyCheck {
        check_over(Some(&endpoint), &Transport::default(), Setting::ReadyTimeout)
    }

    /// What is said if the time is over after an attempt.
    async fn gives_up(mut check: ReadyCheck, place: &Place) -> String {
        assert!(matches!(check.attempt(place).await, Attempt::NotYet));
        check.patience.timeout = Duration::ZERO;
        match check.attempt(place).await {
            Attempt::GiveUp(why) => why.to_string(),
            other => panic!("the time is over: {other:?}"),
        }
    }

    /// The outcome of an attempt at a server that answers with these bytes and closes, and the request that it read.
    async fn answered(bytes: &str, check: &mut ReadyCheck) -> (Attempt, String) {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let place = Place::Port(server.local_addr().unwrap().port());
        let answer = async {
            // The first connection only shows that the port accepts.
            _ = server.accept().await.unwrap();
            let (mut stream, _) = server.accept().await.unwrap();
            let mut request = vec![0; 1024];
            let read = stream.read(&mut request).await.unwrap_or(0);
            request.truncate(read);
            stream.write_all(bytes.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        };
        tokio::join!(check.attempt(&place), answer)
    }

    async fn outcome(bytes: &str) -> Attempt {
        answered(bytes, &mut check_of(Endpoint::get("/x"))).await.0
    }

    #[tokio::test]
    async fn successes_and_redirects_are_ready_and_server_errors_are_waited_for() {
        for status in ["200 OK", "204 No Content", "301 Moved\r\nLocation: /login", "307 Moved", "308 Moved"]
        {
            let bytes = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            assert!(matches!(outcome(&bytes).await, Attempt::Ready(_)), "{status}");
        }
        for status in ["503 No", "500 No", "502 No", "429 Slow", "408 Late", "425 Early", "404 Not yet"] {
            let bytes = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            assert!(matches!(outcome(&bytes).await, Attempt::NotYet), "{status}");
        }
        for bytes in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 O", "", "SSH-2.0-OpenSSH\r\n"] {
            assert!(matches!(outcome(bytes).await, Attempt::NotYet), "{bytes}");
        }
    }

    #[tokio::test]
    async fn other_client_errors_are_reported_by_the_first_attempt_with_what_to_do() {
        for (status, part) in [
            (400, ".header(\"Host\", …)"),
            (401, "needs credentials"),
            (403, "needs credentials"),
            (405, "Endpoint::new(method, path)"),
            (410, "no such path"),
            (421, ".header(\"Host\", …)"),
            (426, "needs another request"),
        ] {
            let bytes = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let Attempt::GiveUp(why) = outcome(&bytes).await else { panic!("{status}") };
            let why = why.to_string();
            assert!(
                why.contains(part) && why.contains(&format!("/x responds with status {status}")),
                "{why}"
            );
        }
    }

    #[tokio::test]
    async fn the_ready_request_has_its_headers_and_its_own_checks() {
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nloading";
        let endpoint = Endpoint::get("/x").header("Host", "shop.example").header("X-Key", "1");
        let (attempt, request) = answered(ok, &mut check_of(endpoint.clone())).await;
        assert!(matches!(attempt, Attempt::Ready(_)), "{attempt:?}");
        assert!(request.contains("Host: shop.example\r\n") && request.contains("X-Key: 1\r\n"), "{request}");
        let loaded = endpoint.clone().expect_body_contains("loaded");
        assert!(matches!(answered(ok, &mut check_of(loaded)).await.0, Attempt::NotYet));
        let unauthorized = "HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let expected = endpoint.expect_status(401);
        assert!(matches!(answered(unauthorized, &mut check_of(expected)).await.0, Attempt::Ready(_)));
    }

    #[tokio::test]
    async fn an_unknown_path_is_waited_for_only_while_nothing_else_is_answered() {
        let unknown = "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let starting = "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let mut check = check_of(Endpoint::get("/x"));
        assert!(matches!(answered(unknown, &mut check).await.0, Attempt::NotYet));
        let since = check.unknown_since;
        assert!(matches!(answered(unknown, &mut check).await.0, Attempt::NotYet));
        assert!(since.is_some() && check.unknown_since == since);
        assert!(matches!(answered(starting, &mut check).await.0, Attempt::NotYet));
        assert_eq!(check.unknown_since, None);
        check.patience.unknown = Duration::ZERO;
        let Attempt::GiveUp(why) = answered(unknown, &mut check).await.0 else { panic!("it is over") };
        assert!(why.to_string().contains("there is no such path"), "{why}");
    }

    #[cfg(feature = "reqwest")]
    #[tokio::test]
    async fn a_service_that_only_speaks_http2_is_asked_by_http2_where_the_group_says_so() {
        /// Frames of RFC 9113: settings, their acknowledgement, and headers of stream 1 with `:status: 200`.
        const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
        const ANSWER: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let place = Place::Port(server.local_addr().unwrap().port());
        let serve = async {
            loop {
                let (mut stream, _) = server.accept().await.unwrap();
                stream.write_all(SETTINGS).await.unwrap();
                let mut received = Vec::new();
                // A headers frame of the client has the type 1 and ends its stream.
                while !received.windows(6).any(|bytes| bytes == [1, 5, 0, 0, 0, 1]) {
                    match stream.read_buf(&mut received).await {
                        Ok(1..) => {}
                        _ => break,
                    }
                }
                _ = stream.write_all(ANSWER).await;
                _ = stream.read(&mut [0; 1024]).await;
            }
        };
        let attempts = async {
            for http2 in [true, false] {
                let transport = Transport { http2, ..Transport::default() };
                let endpoint = Endpoint::get("/x");
                let mut check = check_over(Some(&endpoint), &transport, Setting::ReadyTimeout);
                if http2 {
                    assert!(matches!(check.attempt(&place).await, Attempt::Ready(_)));
                } else {
                    let why = gives_up(check, &place).await;
                    assert!(why.contains("group.http2()"), "{why}");
                }
            }
        };
        tokio::select! {
            () = serve => {}
            () = attempts => {}
        }
    }

    #[tokio::test]
    async fn a_service_may_listen_on_either_loopback_address() {
        let Ok(server) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else { return };
        let address = server.local_addr().unwrap();
        let [any, v4, v6] = [None, Some(IpVersion::V4), Some(IpVersion::V6)]
            .map(|ip_version| Transport { ip_version, ..Transport::default() });
        assert_eq!(accepting(address.port(), &any, LONG).await.unwrap(), address);
        assert_eq!(accepting(address.port(), &v6, LONG).await.unwrap(), address);
        let deaf = accepting(address.port(), &v4, LONG).await.unwrap_err().reason;
        assert_eq!(deaf, format!("nothing accepts connections at 127.0.0.1:{}", address.port()));
    }

    #[tokio::test]
    async fn a_url_is_ready_once_its_port_accepts() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let check = || check_over(None, &Transport::default(), Setting::Wait);
        let place = Place::Url(url);
        assert!(matches!(check().attempt(&place).await, Attempt::Ready(_)));
        drop(server);
        let why = gives_up(check(), &place).await;
        assert!(
            why.contains("nothing accepts connections at 127.0.0.1:") && why.ends_with("--wait"),
            "{why}"
        );
    }

    #[tokio::test]
    async fn a_service_behind_a_unix_socket_is_ready_once_that_accepts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.sock").to_str().unwrap().to_owned();
        let places = [Place::Port(1), Place::Url("http://shop.example/".into())];
        let check = |path: &str, endpoint: Option<&Endpoint>| {
            let transport = Transport { unix_socket: Some(path.to_owned()), ..Transport::default() };
            check_over(endpoint, &transport, Setting::ReadyTimeout)
        };
        let endpoint = Endpoint::get("/x");
        for (place, endpoint) in places.iter().zip([None, Some(&endpoint)]) {
            let why = gives_up(check(&path, endpoint), place).await;
            let reason = format!("could not connect to the Unix socket {path}: No such file or directory (");
            assert!(why.contains(&reason), "{why}");
        }
        let _server = tokio::net::UnixListener::bind(&path).unwrap();
        for place in &places {
            assert!(matches!(check(&path, None).attempt(place).await, Attempt::Ready(_)));
        }
        // Stands for every other error, such as that permission is denied.
        let why = gives_up(check(&format!("{path}/x"), Some(&endpoint)), &places[0]).await;
        assert!(why.contains("x: Not a directory ("), "{why}");
    }

    #[tokio::test]
    async fn a_name_that_is_not_resolved_is_waited_for_as_a_refused_connection_is() {
        let place = Place::Url("http://shop.test".to_owned());
        let endpoint = Endpoint::get("/x");
        for endpoint in [Some(&endpoint), None] {
            let mut check = check_over(endpoint, &Transport::default(), Setting::ReadyTimeout);
            check.patience.unknown = Duration::ZERO;
            check.resolver = resolver(Some(|_, _| Err(std::io::Error::other("no such name"))));
            check.set_limit(LONG);
            let why = gives_up(check, &place).await;
            let end = "the name `shop.test` is not resolved (it may be misspelled); if it only needs longer, raise the \
                       timeout with group.ready_timeout(…)";
            assert!(why.ends_with(end), "{why}");
        }
    }

    #[tokio::test]
    async fn advice_names_the_setting_of_the_call() {
        for (setting, advice) in
            [(Setting::ReadyTimeout, "call group.http2()"), (Setting::Wait, "pass --http2")]
        {
            let endpoint = Endpoint::get("/x");
            let mut check = check_over(Some(&endpoint), &Transport::default(), setting);
            assert!(matches!(answered("SSH-2.0-OpenSSH\r\n", &mut check).await.0, Attempt::NotYet));
            let reason = check.last.unwrap().reason;
            assert!(reason.contains(advice), "{reason}");
        }
    }

    /// A server that answers only the second request, and the place of it.
    async fn answers_second() -> Place {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        tokio::spawn(async move {
            let _first = server.accept().await.unwrap();
            let (mut second, _) = server.accept().await.unwrap();
            _ = second.read(&mut [0; 1024]).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            second.write_all(answer).await.unwrap();
        });
        Place::Url(url)
    }

    #[tokio::test]
    async fn a_longer_timeout_of_the_ready_request_does_not_prolong_an_attempt_or_the_wait() {
        let endpoint = Endpoint::get("/x").timeout(2 * LONG);
        let mut check = check_of(endpoint.clone());
        check.set_limit(Duration::from_millis(50));
        let place = answers_second().await;
        assert!(matches!(check.attempt(&place).await, Attempt::NotYet));
        check.set_limit(LONG);
        assert!(matches!(check.attempt(&place).await, Attempt::Ready(_)));

        let mut check = check_of(endpoint);
        check.patience.timeout = Duration::from_millis(50);
        let place = answers_second().await;
        let Attempt::GiveUp(why) = check.attempt(&place).await else { panic!("the time is over") };
        assert!(why.to_string().contains("timed out"), "{why}");
        assert!(check.began.elapsed() < LONG);
    }

    #[tokio::test]
    async fn an_attempt_that_is_cut_short_does_not_hide_the_answer_before_it() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let place = Place::Url(format!("http://{}", server.local_addr().unwrap()));
        let serve = async {
            let (mut first, _) = server.accept().await.unwrap();
            _ = first.read(&mut [0; 1024]).await;
            let answer = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            first.write_all(answer).await.unwrap();
            std::future::pending::<()>().await;
        };
        let why = tokio::select! {
            why = gives_up(check_of(Endpoint::get("/x")), &place) => why,
            () = serve => unreachable!("it never ends"),
        };
        assert!(why.contains("responds with status 503"), "{why}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn later_attempts_have_more_time_to_connect() {
        use nix::sys::socket::{Backlog, listen};
        const SHORT: Duration = Duration::from_millis(50);
        // Of two connections that nobody accepts the second waits for its handshake.
        let server = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listen(&server, Backlog::new(0).unwrap()).unwrap();
        let address = server.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, SHORT) {
            waiting.push(stream);
        }
        let place = Place::Url(format!("http://{address}"));
        let endpoint = Endpoint::get("/x");
        for http2 in [false, cfg!(feature = "reqwest")] {
            for endpoint in [Some(&endpoint), None] {
                let transport = Transport { http2, ..Transport::default() };
                let mut check = check_over(endpoint, &transport, Setting::ReadyTimeout);
                check.set_limit(SHORT);
                for factor in [2, 4] {
                    assert!(matches!(check.attempt(&place).await, Attempt::NotYet));
                    assert_eq!(check.limit, SHORT * factor);
                }
            }
        }
    }

    /// A TLS alert shows that the client waited for the answer to its first message.
    #[cfg(feature = "https")]
    #[tokio::test]
    async fn a_slow_handshake_is_waited_for_by_later_attempts() {
        const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 40];
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let place = Place::Url(format!("https://{}", server.local_addr().unwrap()));
        let serve = async {
            loop {
                let (mut stream, _) = server.accept().await.unwrap();
                tokio::spawn(async move {
                    _ = stream.read(&mut [0; 4096]).await;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    _ = stream.write_all(ALERT).await;
                });
            }
        };
        let attempts = async {
            let mut check = check_of(Endpoint::get("/x"));
            check.set_limit(Duration::from_millis(50));
            while !check.last.as_ref().is_some_and(|last| last.reason.contains("TLS failed")) {
                assert!(matches!(check.attempt(&place).await, Attempt::NotYet));
            }
        };
        tokio::select! {
            () = serve => {}
            () = attempts => {}
        }
    }

    #[test]
    fn a_longer_timeout_allows_more_time_for_unknown_paths() {
        let unknown_s = |timeout_s| Patience::within(Duration::from_secs(timeout_s)).unknown.as_secs();
        assert_eq!([1, 30, 60, 120].map(unknown_s), [3, 3, 6, 12]);
    }
}
