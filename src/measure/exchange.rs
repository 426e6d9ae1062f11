//! One request with its response or its fault, as both clients report it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::Uri;

use crate::measure::body::{BodyWatch, Pointers, Tokens};
use crate::measure::clock::Wall;
use crate::plan::{Endpoint, EndpointError};
use crate::record::Fault;

/// One request with its response or its fault.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exchange {
    /// Right before the request was sent, its connection being open.
    pub(crate) sent: Wall,
    /// When the last byte of the response arrived, or the fault happened.
    pub(crate) ended: Wall,
    /// The status of the response, if it was whole.
    pub(crate) status: Option<u16>,
    /// Why it was no success, if it was none.
    pub(crate) fault: Option<Fault>,
    /// Whether the kernel told when the response ended.
    pub(crate) stamped: bool,
    /// Whether sending took so long that the latency is uncertain by more than a millisecond.
    pub(crate) slow_send: bool,
    /// What opening a connection for it took, if one was opened.
    pub(crate) connect: Option<Duration>,
    /// Whether the server had closed the kept connection, so that it was sent on a new one.
    pub(crate) reconnected: bool,
    /// What the response said about tokens.
    pub(crate) tokens: Tokens,
}

impl Exchange {
    /// An exchange that has only been begun.
    pub(crate) fn begun() -> Self {
        let now = Wall::now();
        Self {
            sent: now,
            ended: now,
            status: None,
            fault: None,
            stamped: false,
            slow_send: false,
            connect: None,
            reconnected: false,
            tokens: Tokens::default(),
        }
    }

    /// The time from sending to the last byte.
    pub(crate) fn latency(&self) -> Duration {
        self.ended.since(self.sent)
    }

    /// Notes what the whole response says, and whether it is the one that was wanted.
    pub(crate) fn conclude(&mut self, request: &Request, status: Option<u16>, body: &BodyWatch) {
        self.status = status;
        self.tokens = body.tokens();
        self.fault = match status {
            Some(status) if !request.endpoint.accepts(status) => Some(Fault::Status(status)),
            _ if !body.passes(request.needle()) => Some(Fault::Body),
            _ => None,
        };
    }

    /// Ends it with a fault, now.
    pub(crate) fn failed(mut self, fault: Fault) -> Self {
        self.ended = Wall::now();
        self.fault = Some(fault);
        self
    }
}

/// The name that we send, so that the people of a service know where its load comes from.
const USER_AGENT: &str = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));

/// An endpoint made ready to be sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) uri: Uri,
    /// The host without brackets, and the port: where to connect to.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The whole request as HTTP/1.1.
    pub(crate) wire: Vec<u8>,
    pub(crate) pointers: Pointers,
    pub(crate) time_out: Duration,
    pub(crate) endpoint: Endpoint,
}

impl Request {
    /// Makes an endpoint ready; its path is asked of the service at `service_url`.
    ///
    /// # Errors
    /// When the URL cannot be requested, or a part of the endpoint is not allowed in HTTP.
    pub(crate) fn new(
        endpoint: &Endpoint,
        service_url: Option<&str>,
        time_out: Duration,
    ) -> Result<Self, EndpointError> {
        // What is written out below has no other guard against a line end in a method or a header.
        endpoint.check()?;
        let uri = endpoint.resolve(service_url)?;
        let is_https = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        Ok(Self {
            wire: write_out(endpoint, &uri),
            host,
            port,
            pointers: Pointers::new(&endpoint.input_tokens, &endpoint.output_tokens),
            time_out: endpoint.time_out.unwrap_or(time_out),
            endpoint: endpoint.clone(),
            uri,
        })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// The text that the body must contain, if any.
    pub(crate) fn needle(&self) -> Option<&str> {
        self.endpoint.body_contains.as_deref()
    }

    /// The headers that are sent: the user's, and those that HTTP wants and the user left out. No `Host` and no length.
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
}

/// The host as it is named to the server: without the port that its scheme implies.
fn host_header(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match uri.port_u16() {
        Some(80) if uri.scheme_str() == Some("http") => host.to_owned(),
        Some(443) if uri.scheme_str() == Some("https") => host.to_owned(),
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether a request says how long its body is although that is empty.
pub(crate) fn wants_length(endpoint: &Endpoint) -> bool {
    !endpoint.body.is_empty() || matches!(endpoint.method.as_str(), "POST" | "PUT" | "PATCH")
}

fn write_out(endpoint: &Endpoint, uri: &Uri) -> Vec<u8> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    // `http://host?a=b` has no path, and a request cannot be without.
    let slash = if target.starts_with('/') { "" } else { "/" };
    let headers = Request::headers(endpoint);
    let has = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let mut head = format!("{} {slash}{target} HTTP/1.1\r\n", endpoint.method);
    if !has("host") {
        head += &format!("Host: {}\r\n", host_header(uri));
    }
    for (name, value) in &headers {
        head += &format!("{name}: {value}\r\n");
    }
    if wants_length(endpoint) && !has("content-length") && !has("transfer-encoding") {
        head += &format!("Content-Length: {}\r\n", endpoint.body.len());
    }
    head += "\r\n";
    let mut wire = head.into_bytes();
    wire.extend_from_slice(&endpoint.body);
    wire
}

/// How names are looked up, where it is not by the system.
pub(crate) type Lookup = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Asks the system, or what is put in its place, for a host's addresses; an error when it has none.
pub(crate) async fn look_up(lookup: Option<Lookup>, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = match lookup {
        Some(lookup) => lookup(host, port)?,
        None => tokio::net::lookup_host((host, port)).await?.collect(),
    };
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("`{host}` has no address")));
    }
    Ok(addresses)
}

/// Resolves names, and remembers what they resolved to.
#[derive(Debug)]
pub(crate) struct Resolver {
    lookup: Option<Lookup>,
    known: RefCell<HashMap<(String, u16), Vec<SocketAddr>>>,
}

impl Resolver {
    /// One that asks `lookup` instead of the system, if there is one.
    pub(crate) fn new(lookup: Option<Lookup>) -> Self {
        Self { lookup, known: RefCell::default() }
    }

    /// What is asked instead of the system.
    pub(crate) fn lookup(&self) -> Option<Lookup> {
        self.lookup
    }

    /// The addresses of a host; an error when it has none.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let key = (host.to_owned(), port);
        if let Some(known) = self.known.borrow().get(&key) {
            return Ok(known.clone());
        }
        let addresses = look_up(self.lookup, host, port).await?;
        self.known.borrow_mut().insert(key, addresses.clone());
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(endpoint: Endpoint) -> String {
        let request = Request::new(&endpoint, Some("http://127.0.0.1:8080"), Duration::from_secs(1)).unwrap();
        String::from_utf8(request.wire).unwrap()
    }

    #[test]
    fn a_request_is_written_out_once() {
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
    fn default_ports_and_bracketed_hosts_are_known() {
        let request = |url: &str| Request::new(&Endpoint::get(url), None, Duration::from_secs(1)).unwrap();
        assert_eq!((request("http://h/").port, request("https://h/").port), (80, 443));
        assert_eq!(request("http://[::1]:7/x").host, "::1");
        assert_eq!(request("http://h").uri.path(), "/");
    }

    #[test]
    fn the_host_is_named_without_its_default_port() {
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
    fn a_query_without_a_path_gets_one() {
        let request = Request::new(&Endpoint::get("http://h?a=b"), None, Duration::from_secs(1)).unwrap();
        assert!(request.wire.starts_with(b"GET /?a=b HTTP/1.1\r\n"));
    }

    #[test]
    fn no_line_end_gets_into_a_head() {
        let refused = |endpoint: Endpoint| Request::new(&endpoint, None, Duration::from_secs(1)).is_err();
        assert!(refused(Endpoint::new("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "http://h/")));
        assert!(refused(Endpoint::get("http://h/").header("a", "b\r\nc: d")));
        assert!(refused(Endpoint::get("http://h/").header("a: b\r\nc", "d")));
        assert!(refused(Endpoint::get("http://h/\r\nX: y")));
    }
}
