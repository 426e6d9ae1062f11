//! How requests reach a service: the version of HTTP, and where and how connections are opened.

use std::fmt;
use std::net::IpAddr;
use std::os::unix::net::SocketAddr;
use std::str::FromStr;

use http::Uri;

const PROXY_SCHEMES: [&str; 4] = ["http://", "https://", "socks5://", "socks5h://"];

/// How requests reach a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transport {
    /// HTTP/2: by ALPN over https, with prior knowledge over http.
    pub http2: bool,
    /// Follow up to ten redirects.
    pub follow: bool,
    /// Send all requests through this proxy.
    pub proxy: Option<String>,
    /// Connect to the Unix socket with this path instead of the URL's host.
    pub unix_socket: Option<String>,
    /// Other places to connect to. The first that matches a request counts.
    pub connect_to: Vec<ConnectTo>,
    /// Use only addresses of this version of IP.
    pub ip_version: Option<IpVersion>,
    /// Open a new connection for each request.
    pub no_keepalive: bool,
}

/// A version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpVersion {
    V4,
    V6,
}

impl IpVersion {
    pub(crate) fn includes(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }
}

impl fmt::Display for IpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

impl Transport {
    /// Whether plimsoll's own client can do it. Otherwise reqwest makes the requests.
    pub fn is_plain(&self) -> bool {
        !self.http2 && !self.follow && self.proxy.is_none()
    }

    /// Whether an address has the version of IP to use.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        self.ip_version.is_none_or(|version| version.includes(address))
    }

    /// The entry of `connect_to` for requests to this host, without brackets, and port.
    pub(crate) fn detour(&self, host: &str, port: u16) -> Option<&ConnectTo> {
        self.connect_to.iter().find(|detour| detour.matches(host, port))
    }

    /// Where to connect to for requests to this host and port.
    pub(crate) fn destination<'a>(&'a self, host: &'a str, port: u16) -> (&'a str, u16) {
        self.detour(host, port).map_or((host, port), |detour| detour.apply(host, port))
    }

    /// Whether the client asks the server to close each connection. HTTP/2 has no header for that.
    pub(crate) fn sends_close(&self) -> bool {
        self.no_keepalive && !self.http2
    }

    /// What is wrong with it. `None`: nothing.
    pub(crate) fn problem(&self) -> Option<String> {
        let is_proxy = |proxy: &&String| PROXY_SCHEMES.iter().any(|scheme| proxy.starts_with(scheme));
        if let Some(proxy) = self.proxy.as_ref().filter(|proxy| !is_proxy(proxy)) {
            return Some(format!("the proxy `{proxy}` is not an http://, https:// or socks5:// address"));
        }
        if let Some(path) = &self.unix_socket {
            if path.is_empty() {
                return Some("the path of its Unix socket is empty".to_owned());
            }
            if let Err(error) = SocketAddr::from_pathname(path) {
                return Some(format!("`{path}` cannot be the path of a Unix socket: {error}"));
            }
            let other = [
                (self.proxy.is_some(), "a proxy"),
                (!self.connect_to.is_empty(), "connect-to"),
                (self.ip_version.is_some(), "a version of IP"),
            ];
            if let Some((_, other)) = other.iter().find(|(is_set, _)| *is_set) {
                return Some(format!(
                    "all connections go to its Unix socket, and {other} has no meaning there: leave out one of the two"
                ));
            }
        }
        if !self.connect_to.is_empty() && (self.proxy.is_some() || self.follow) {
            let other = if self.follow { "redirects cannot be followed" } else { "a proxy cannot be used" };
            return Some(format!("{other} together with connect-to: leave out one of the two"));
        }
        None
    }

    /// Why it cannot request this URL. `None`: it can.
    pub(crate) fn problem_with(&self, uri: &Uri) -> Option<String> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_https = uri.scheme_str() == Some("https");
        let default_port = if is_https { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default_port);
        let destination = self.destination(host, port);
        if let (Some(version), Ok(address)) = (self.ip_version, destination.0.parse::<IpAddr>())
            && self.proxy.is_none()
            && !self.allows(address)
        {
            return Some(format!("{address} is not an {version} address, and only those may be used"));
        }
        if self.detour(host, port).is_none() || (self.is_plain() && !is_https) {
            return None;
        }
        // reqwest asks for the addresses of names only, and keeps a port that is not the default one.
        let what = if host.parse::<IpAddr>().is_ok() {
            "from an IP address"
        } else if destination.1 != port && port != default_port {
            "to another port, unless the URL has the default port"
        } else {
            return None;
        };
        Some(format!("over https or HTTP/2, connect-to cannot lead {what}"))
    }
}

/// What differs from plain HTTP/1.1 over TCP, for the definition of a cell. Addresses are left out, as the service's is.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy =
            self.proxy.as_deref().map(|proxy| proxy.split_once("://").map_or(proxy, |(scheme, _)| scheme));
        let proxy = proxy.map(|scheme| format!("{scheme} proxy"));
        let version = self.ip_version.map(|version| version.to_string());
        let parts = [
            self.http2.then_some("HTTP/2"),
            self.follow.then_some("redirects"),
            proxy.as_deref(),
            self.unix_socket.as_ref().map(|_| "Unix socket"),
            version.as_deref(),
            self.no_keepalive.then_some("a connection per request"),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// A place to connect to instead of the host and port of a URL, written `HOST:PORT:HOST:PORT` as curl's `--connect-to`. An empty first
/// part means any host, an empty second one any port; an empty third or fourth part leaves host or port as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectTo {
    host: Option<String>,
    port: Option<u16>,
    to_host: Option<String>,
    to_port: Option<u16>,
}

impl ConnectTo {
    fn matches(&self, host: &str, port: u16) -> bool {
        self.host.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(host))
            && self.port.is_none_or(|own| own == port)
    }

    /// Where it leads requests to this host and port.
    pub(crate) fn apply<'a>(&'a self, host: &'a str, port: u16) -> (&'a str, u16) {
        (self.to_host.as_deref().unwrap_or(host), self.to_port.unwrap_or(port))
    }
}

/// A text that is not a [`ConnectTo`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` must have four parts, HOST:PORT:HOST:PORT, as in example.org:80:127.0.0.1:8080 (IPv6 addresses in brackets)"
)]
pub struct ConnectToError(String);

impl FromStr for ConnectTo {
    type Err = ConnectToError;

    fn from_str(text: &str) -> Result<Self, ConnectToError> {
        parse(text).ok_or_else(|| ConnectToError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<ConnectTo> {
    let (host, rest) = split_host(text)?;
    let (port, rest) = rest.split_once(':')?;
    let (to_host, to_port) = split_host(rest)?;
    Some(ConnectTo { host, port: parse_port(port)?, to_host, to_port: parse_port(to_port)? })
}

/// The host before the first colon, or in brackets, and what follows the colon.
fn split_host(text: &str) -> Option<(Option<String>, &str)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(text) => text.split_once("]:")?,
        None => text.split_once(':')?,
    };
    Some(((!host.is_empty()).then(|| host.to_owned()), rest))
}

/// `Some(None)` if it is empty, `None` if it is wrong.
fn parse_port(text: &str) -> Option<Option<u16>> {
    match text {
        "" => Some(None),
        text => text.parse().ok().filter(|port| *port != 0).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(change: impl FnOnce(&mut Transport)) -> Transport {
        let mut transport = Transport::default();
        change(&mut transport);
        transport
    }

    fn to(texts: &[&str]) -> Vec<ConnectTo> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn connect_to_has_the_meaning_that_it_has_in_curl() {
        let destination = |texts: &[&str], host: &str, port: u16| {
            let transport = transport(|t| t.connect_to = to(texts));
            let (host, port) = transport.destination(host, port);
            format!("{host} {port}")
        };
        assert_eq!(destination(&["h:80:127.0.0.1:8080"], "H", 80), "127.0.0.1 8080");
        assert_eq!(destination(&["h:80:127.0.0.1:8080"], "h", 81), "h 81");
        assert_eq!(destination(&["h:80:127.0.0.1:8080"], "other", 80), "other 80");
        assert_eq!(destination(&["h::127.0.0.1:"], "h", 443), "127.0.0.1 443");
        assert_eq!(destination(&["::[::1]:8080"], "any", 1), "::1 8080");
        assert_eq!(destination(&["[::1]:80::81"], "::1", 80), "::1 81");
        assert_eq!(destination(&["h:80:a:1", "h::b:2"], "h", 80), "a 1", "the first one counts");
        assert_eq!(destination(&["h:80:a:1", "h::b:2"], "h", 82), "b 2");
    }

    #[test]
    fn other_texts_are_refused_with_the_form_that_is_wanted() {
        for text in ["", "h", "h:80", "h:80:127.0.0.1", "h:x:a:1", "h:80:a:0", "h:80:::1:8080", "h:80:a:1:2"]
        {
            let error = text.parse::<ConnectTo>().unwrap_err().to_string();
            assert!(error.contains("HOST:PORT:HOST:PORT, as in example.org:80:127.0.0.1:8080"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_combined_is_refused() {
        let problem = |change: fn(&mut Transport)| transport(change).problem().expect("a problem");
        let long = transport(|t| t.unix_socket = Some(format!("/{}", "x".repeat(200)))).problem().unwrap();
        assert!(long.contains("cannot be the path of a Unix socket"), "{long}");
        assert!(problem(|t| t.unix_socket = Some(String::new())).contains("is empty"));
        assert!(problem(|t| t.proxy = Some("h:1".into())).contains("is not an http://"));
        for change in [
            |t: &mut Transport| t.proxy = Some("http://h:1".into()),
            |t: &mut Transport| t.connect_to = to(&["::h:1"]),
            |t: &mut Transport| t.ip_version = Some(IpVersion::V4),
        ] {
            let mut both = transport(|t| t.unix_socket = Some("/run/x".into()));
            change(&mut both);
            assert!(both.problem().is_some_and(|text| text.contains("leave out one of the two")), "{both:?}");
        }
        for change in
            [|t: &mut Transport| t.follow = true, |t: &mut Transport| t.proxy = Some("http://h:1".into())]
        {
            let mut both = transport(|t| t.connect_to = to(&["::h:1"]));
            change(&mut both);
            assert!(both.problem().is_some_and(|text| text.contains("together with connect-to")), "{both:?}");
        }
        assert_eq!(Transport::default().problem(), None);
    }

    #[test]
    fn urls_that_a_transport_cannot_request_are_refused() {
        let problem = |transport: &Transport, url: &str| transport.problem_with(&url.parse().unwrap());
        let v6 = transport(|t| t.ip_version = Some(IpVersion::V6));
        assert_eq!(problem(&v6, "http://[::1]:80/"), None);
        assert_eq!(problem(&v6, "http://localhost/"), None);
        let wrong = problem(&v6, "http://127.0.0.1/").unwrap();
        assert_eq!(wrong, "127.0.0.1 is not an IPv6 address, and only those may be used");
        let moved = transport(|t| (t.ip_version, t.connect_to) = (Some(IpVersion::V6), to(&["::[::1]:"])));
        assert_eq!(problem(&moved, "http://127.0.0.1/"), None);

        let detour = transport(|t| t.connect_to = to(&["h:8443:127.0.0.1:1", "::127.0.0.1:2"]));
        assert_eq!(problem(&detour, "http://h:8443/"), None);
        assert_eq!(problem(&detour, "https://h/"), None);
        assert!(problem(&detour, "https://h:8443/").unwrap().contains("to another port"));
        assert!(problem(&detour, "https://10.0.0.1/").unwrap().contains("from an IP address"));
        let same_port = transport(|t| t.connect_to = to(&["h:8443:127.0.0.1:"]));
        assert_eq!(problem(&same_port, "https://h:8443/"), None);
        let http2 = Transport { http2: true, ..detour };
        assert!(problem(&http2, "http://h:8443/").unwrap().contains("to another port"));
    }
}
