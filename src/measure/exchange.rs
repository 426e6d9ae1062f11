//! An endpoint as a request that can be sent, and the exchange that both clients make of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::Uri;
use nix::errno::Errno;

use crate::measure::body::{BodyChecks, BodyScan, Tokens};
use crate::measure::clock::Wall;
use crate::measure::decoder::Malformed;
use crate::plan::{Endpoint, EndpointError, IpVersion};
use crate::record::Fault;

/// A connection that was idle for longer is not used again: the server may be about to close it.
pub(crate) const MAX_IDLE: Duration = Duration::from_secs(1);
/// How long an address is the last resort that did not accept a connection: a service that restarts is back by then.
const RETRY_AFTER: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));

/// One request with its response or its fault.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Exchange {
    /// Right before the request was sent on an open connection.
    pub(crate) sent: Wall,
    /// When the last byte of the response arrived, or the fault happened.
    pub(crate) ended: Wall,
    /// The status of a complete response.
    pub(crate) status: Option<u16>,
    /// `None` if it succeeded.
    pub(crate) fault: Option<Fault>,
    /// What is wrong with a malformed response, as far as it is known.
    pub(crate) malformed: Option<Box<Malformed>>,
    /// Whether `ended` is the kernel's receive time.
    pub(crate) stamped: bool,
    /// Whether sending took so long that the latency is uncertain by more than a millisecond.
    pub(crate) slow_send: bool,
    /// How long it took to open a connection, `None` if a kept one was used.
    pub(crate) connect: Option<Duration>,
    /// Whether the server had closed the kept connection, so that the request was sent on a new one.
    pub(crate) reconnected: bool,
    /// Connections that were dropped because bytes arrived on them that belong to no response.
    pub(crate) excess: u64,
    /// The size of the response's body as it was received.
    pub(crate) body_bytes: u64,
    pub(crate) tokens: Tokens,
}

impl Exchange {
    pub(crate) fn begin() -> Self {
        let now = Wall::now();
        Self { sent: now, ended: now, ..Self::default() }
    }

    pub(crate) fn latency(&self) -> Duration {
        self.ended.since(self.sent)
    }

    /// Takes over what a complete response says, and checks whether it is the expected one.
    pub(crate) fn complete(&mut self, request: &Request, status: Option<u16>, body: &mut BodyScan) {
        self.status = status;
        if status.is_none_or(|status| request.endpoint.accepts(status)) {
            body.finish(&request.checks);
        }
        (self.body_bytes, self.tokens) = (body.bytes(), body.tokens());
        self.fault = match status {
            Some(status) if !request.endpoint.accepts(status) => Some(Fault::Status(status)),
            _ => body.fault(&request.checks),
        };
    }

    /// Ends now with a fault.
    pub(crate) fn failed(mut self, fault: Fault) -> Self {
        self.ended = Wall::now();
        self.fault = Some(fault);
        self
    }
}

/// An endpoint as a request that can be sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) uri: Uri,
    pub(crate) is_https: bool,
    /// Where to connect to, without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The whole request as HTTP/1.1.
    pub(crate) wire: Vec<u8>,
    pub(crate) checks: BodyChecks,
    pub(crate) timeout: Duration,
    pub(crate) endpoint: Endpoint,
}

impl Request {
    /// `service_url` completes an endpoint that is only a path.
    ///
    /// # Errors
    /// If the URL cannot be requested, or a part of the endpoint is not allowed in HTTP.
    pub(crate) fn new(
        endpoint: &Endpoint,
        service_url: Option<&str>,
        timeout: Duration,
    ) -> Result<Self, EndpointError> {
        // Nothing else keeps line ends out of methods and headers.
        endpoint.check()?;
        let uri = endpoint.resolve(service_url)?;
        let is_https = uri.scheme_str() == Some("https");
        let default_port = if is_https { 443 } else { 80 };
        Ok(Self {
            wire: http1_bytes(endpoint, &uri, default_port),
            host: uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(default_port),
            checks: BodyChecks::new(endpoint),
            timeout: endpoint.timeout.unwrap_or(timeout),
            endpoint: endpoint.clone(),
            is_https,
            uri,
        })
    }
}

/// The endpoint's headers, and those that HTTP expects if the user left them out; `Host` and `Content-Length` are added later.
pub(crate) fn headers(endpoint: &Endpoint) -> Vec<(&str, &str)> {
    let mut headers: Vec<(&str, &str)> =
        endpoint.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for (name, value) in [("User-Agent", USER_AGENT), ("Accept", "*/*")] {
        if !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
            headers.push((name, value));
        }
    }
    headers
}

/// Whether a request has a `Content-Length`: also if the body is empty, with methods that usually have one.
pub(crate) fn needs_length(endpoint: &Endpoint) -> bool {
    !endpoint.body.is_empty() || matches!(endpoint.method.as_str(), "POST" | "PUT" | "PATCH")
}

fn http1_bytes(endpoint: &Endpoint, uri: &Uri, default_port: u16) -> Vec<u8> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    // The target of `http://host?a=b` is `?a=b`.
    let slash = if target.starts_with('/') { "" } else { "/" };
    let headers = headers(endpoint);
    let has = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let mut head = format!("{} {slash}{target} HTTP/1.1\r\n", endpoint.method);
    if !has("host") {
        let host = uri.host().unwrap_or_default();
        head += &match uri.port_u16().filter(|&port| port != default_port) {
            None => format!("Host: {host}\r\n"),
            Some(port) => format!("Host: {host}:{port}\r\n"),
        };
    }
    for (name, value) in &headers {
        head += &format!("{name}: {value}\r\n");
    }
    if needs_length(endpoint) && !has("content-length") && !has("transfer-encoding") {
        head += &format!("Content-Length: {}\r\n", endpoint.body.len());
    }
    head += "\r\n";
    [head.as_bytes(), &endpoint.body].concat()
}

/// A replacement for the system's name lookup.
pub(crate) type Lookup = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Resolves host names, each once per run, and spreads connections over the addresses of a name.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    /// `None` to ask the system.
    pub(crate) lookup: Option<Lookup>,
    known: Mutex<HashMap<Key, Addresses>>,
}

/// A name and a port, and the version of IP that its addresses are limited to.
type Key = (String, u16, Option<IpVersion>);

/// The addresses of a name.
#[derive(Debug, Default)]
struct Addresses {
    /// The version of IP that the system prefers.
    prefers_ipv4: bool,
    /// In the order of preference.
    working: Vec<SocketAddr>,
    /// Those that did not accept a connection while another one did, and when. They are the last resort for some time.
    failed: Vec<(SocketAddr, Instant)>,
    loaded: BTreeSet<IpAddr>,
}

/// Which of several addresses of a name were loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) host: String,
    pub(crate) loaded: Vec<IpAddr>,
    pub(crate) not_loaded: Vec<IpAddr>,
}

impl Resolver {
    /// All addresses, in the order in which a connection tries them. Connections with different turns begin at different addresses of the
    /// preferred version of IP.
    ///
    /// # Errors
    /// If the host has no address.
    pub(crate) async fn resolve(
        &self,
        host: &str,
        port: u16,
        version: Option<IpVersion>,
        turn: usize,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let key = (host.to_owned(), port, version);
        if let Some(known) = self.known().get_mut(&key) {
            return Ok(known.in_order(turn, Instant::now()));
        }
        let mut working: Vec<SocketAddr> = match self.lookup {
            Some(lookup) => lookup(host, port)?,
            None => tokio::net::lookup_host((host, port)).await?.collect(),
        };
        working.retain(|address| version.is_none_or(|version| version.includes(address.ip())));
        let Some(first) = working.first().copied() else {
            let kind = version.map(|version| format!(" of {version}")).unwrap_or_default();
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("`{host}` has no address{kind}")));
        };
        let prefers_ipv4 = first.is_ipv4();
        let mut known = self.known();
        let addresses =
            known.entry(key).or_insert(Addresses { prefers_ipv4, working, ..Addresses::default() });
        Ok(addresses.in_order(turn, Instant::now()))
    }

    /// Notes that a connection to this address was opened, after these others had failed.
    pub(crate) fn opened(
        &self,
        host: &str,
        port: u16,
        version: Option<IpVersion>,
        address: IpAddr,
        failed: &[SocketAddr],
    ) {
        let mut known = self.known();
        // An address that was given as such has no alternative.
        let Some(addresses) = known.get_mut(&(host.to_owned(), port, version)) else { return };
        if addresses.all().any(|known| known.ip() == address) {
            addresses.loaded.insert(address);
        }
        for address in failed {
            if let Some(at) = addresses.working.iter().position(|working| working == address) {
                addresses.failed.push((addresses.working.remove(at), Instant::now()));
            }
        }
    }

    /// Names with several addresses, of which at least one was loaded.
    pub(crate) fn spreads(&self) -> Vec<Spread> {
        let known = self.known();
        let mut hosts: BTreeMap<&str, (BTreeSet<IpAddr>, BTreeSet<IpAddr>)> = BTreeMap::new();
        for ((host, ..), addresses) in known.iter() {
            let (all, loaded) = hosts.entry(host).or_default();
            all.extend(addresses.all().map(SocketAddr::ip));
            loaded.extend(&addresses.loaded);
        }
        let several = hosts.into_iter().filter(|(_, (all, loaded))| all.len() > 1 && !loaded.is_empty());
        let spread = |(host, (all, loaded)): (&str, (BTreeSet<IpAddr>, BTreeSet<IpAddr>))| Spread {
            host: host.to_owned(),
            not_loaded: all.difference(&loaded).copied().collect(),
            loaded: loaded.into_iter().collect(),
        };
        several.map(spread).collect()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Addresses>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Addresses {
    fn all(&self) -> impl Iterator<Item = &SocketAddr> {
        self.working.iter().chain(self.failed.iter().map(|(address, _)| address))
    }

    fn in_order(&mut self, turn: usize, now: Instant) -> Vec<SocketAddr> {
        let is_due = |(_, since): &mut (SocketAddr, Instant)| now.duration_since(*since) >= RETRY_AFTER;
        self.working.extend(self.failed.extract_if(.., is_due).map(|(address, _)| address));
        let prefers_ipv4 = self.prefers_ipv4;
        // Name servers shuffle, but runs must load the same addresses.
        self.working.sort_by_key(|address| (address.is_ipv4() != prefers_ipv4, *address));
        self.working.dedup();
        let mut all: Vec<SocketAddr> = self.all().copied().collect();
        let is_preferred = |address: &&SocketAddr| address.is_ipv4() == prefers_ipv4;
        let preferred = self.working.iter().take_while(is_preferred).count();
        if preferred > 0 {
            all[..preferred].rotate_left(turn % preferred);
        }
        all
    }
}

/// The fault behind an error of a socket while it connects.
pub(crate) fn connect_fault(error: &io::Error) -> Fault {
    match error.raw_os_error().map(Errno::from_raw) {
        // The last two are those of a Unix socket: there is none, or its queue is full.
        Some(Errno::ECONNREFUSED | Errno::ENOENT | Errno::EAGAIN) => Fault::Refused,
        Some(Errno::EADDRNOTAVAIL) => Fault::NoFreePort,
        Some(Errno::ETIMEDOUT) => Fault::ConnectTimeout,
        Some(Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EHOSTDOWN | Errno::ENETDOWN) => {
            Fault::Unreachable
        }
        Some(Errno::ECONNRESET | Errno::EPIPE | Errno::ECONNABORTED) => Fault::Reset,
        _ if error.kind() == io::ErrorKind::UnexpectedEof => Fault::Closed,
        _ => Fault::Client,
    }
}

/// The fault behind an error of a connected socket.
pub(crate) fn exchange_fault(error: &io::Error) -> Fault {
    match connect_fault(error) {
        Fault::ConnectTimeout => Fault::Timeout,
        fault => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_a_socket_become_faults() {
        let kind = |errno: Errno| connect_fault(&io::Error::from(errno));
        assert_eq!(kind(Errno::ECONNREFUSED), Fault::Refused);
        assert_eq!(kind(Errno::ENOENT), Fault::Refused);
        assert_eq!(kind(Errno::EADDRNOTAVAIL), Fault::NoFreePort);
        assert_eq!(kind(Errno::ETIMEDOUT), Fault::ConnectTimeout);
        assert_eq!(kind(Errno::EHOSTUNREACH), Fault::Unreachable);
        assert_eq!(kind(Errno::ENETUNREACH), Fault::Unreachable);
        assert_eq!(kind(Errno::ECONNRESET), Fault::Reset);
        assert_eq!(kind(Errno::EPIPE), Fault::Reset);
        assert_eq!(kind(Errno::EMFILE), Fault::Client);
        assert_eq!(connect_fault(&io::ErrorKind::UnexpectedEof.into()), Fault::Closed);
        assert_eq!(exchange_fault(&io::Error::from(Errno::ETIMEDOUT)), Fault::Timeout);
        assert_eq!(exchange_fault(&io::Error::from(Errno::ECONNRESET)), Fault::Reset);
    }

    fn text(endpoint: Endpoint) -> String {
        let request = Request::new(&endpoint, Some("http://127.0.0.1:8080"), Duration::from_secs(1)).unwrap();
        String::from_utf8(request.wire).unwrap()
    }

    #[test]
    fn a_request_has_the_users_headers_and_those_that_http_expects() {
        let wire = text(Endpoint::get("/a?b=c"));
        assert!(
            wire.starts_with("GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: plimsoll/"),
            "{wire}"
        );
        assert!(wire.ends_with("\r\n\r\n"));
        assert!(!wire.contains("Content-Length"));
        let wire =
            text(Endpoint::post("/").header("host", "elsewhere").header("accept", "text/plain").body("hi"));
        assert!(wire.contains("host: elsewhere\r\naccept: text/plain\r\n"), "{wire}");
        assert!(!wire.contains("Host: ") && !wire.contains("Accept: "));
        assert!(wire.ends_with("Content-Length: 2\r\n\r\nhi"));
        assert!(text(Endpoint::post("/")).contains("Content-Length: 0"));
    }

    #[test]
    fn default_ports_and_hosts_in_brackets_are_understood() {
        let request = |url: &str| Request::new(&Endpoint::get(url), None, Duration::from_secs(1)).unwrap();
        assert_eq!((request("http://h/").port, request("https://h/").port), (80, 443));
        assert_eq!(request("http://[::1]:7/x").host, "::1");
        assert_eq!(request("http://h").uri.path(), "/");
    }

    #[test]
    fn the_host_header_leaves_out_the_default_port() {
        let host = |url: &str| {
            let request = Request::new(&Endpoint::get(url), None, Duration::from_secs(1)).unwrap();
            let text = String::from_utf8(request.wire).unwrap();
            text.lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(host("http://h:80/"), "Host: h");
        assert_eq!(host("http://h:443/"), "Host: h:443");
        assert_eq!(host("https://h:443/"), "Host: h");
        assert_eq!(host("http://[::1]:8080/"), "Host: [::1]:8080");
    }

    #[test]
    fn a_query_without_a_path_gets_a_slash() {
        let request = Request::new(&Endpoint::get("http://h?a=b"), None, Duration::from_secs(1)).unwrap();
        assert!(request.wire.starts_with(b"GET /?a=b HTTP/1.1\r\n"));
    }

    #[tokio::test]
    async fn connections_are_spread_over_the_addresses_of_the_preferred_version_of_ip() {
        fn lookup(_: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
            let addresses = ["::3", "127.0.0.9", "::1", "::2", "::1"];
            Ok(addresses.map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).to_vec())
        }
        let resolver = Resolver { lookup: Some(lookup), ..Resolver::default() };
        let order = async |turn| {
            let addresses = resolver.resolve("ship.test", 80, None, turn).await.unwrap();
            addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(order(0).await, "::1 ::2 ::3 127.0.0.9");
        assert_eq!(order(4).await, "::2 ::3 ::1 127.0.0.9");
        assert_eq!(resolver.spreads(), []);

        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let failed = SocketAddr::new(ip("::1"), 80);
        resolver.opened("ship.test", 80, None, ip("::2"), &[failed]);
        resolver.opened("ship.test", 80, None, ip("10.0.0.1"), &[]);
        assert_eq!(order(0).await, "::2 ::3 127.0.0.9 ::1");
        let soon = Instant::now() + RETRY_AFTER;
        let key = ("ship.test".to_owned(), 80, None);
        let order_then = resolver.known().get_mut(&key).unwrap().in_order(0, soon);
        assert_eq!(order_then[0], failed, "it may have restarted");
        let [loaded, not_loaded] = [vec![ip("::2")], vec![ip("127.0.0.9"), ip("::1"), ip("::3")]];
        assert_eq!(resolver.spreads(), [Spread { host: "ship.test".to_owned(), loaded, not_loaded }]);
    }

    #[test]
    fn line_ends_in_a_head_are_rejected() {
        let is_rejected = |endpoint: Endpoint| Request::new(&endpoint, None, Duration::from_secs(1)).is_err();
        assert!(is_rejected(Endpoint::new("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "http://h/")));
        assert!(is_rejected(Endpoint::get("http://h/").header("a", "b\r\nc: d")));
        assert!(is_rejected(Endpoint::get("http://h/").header("a: b\r\nc", "d")));
        assert!(is_rejected(Endpoint::get("http://h/\r\nX: y")));
    }
}
