//! One HTTP request to make, and the check that makes its response a success.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri};

/// Where the numbers of tokens stand in the responses of most services, as JSON pointers.
const INPUT_TOKENS: [&str; 3] = ["/input_tokens", "/usage/prompt_tokens", "/usage/input_tokens"];
const OUTPUT_TOKENS: [&str; 3] = ["/output_tokens", "/usage/completion_tokens", "/usage/output_tokens"];
/// The methods of RFC 9110 and RFC 5789. Methods are case-sensitive, and servers refuse `get`.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// One HTTP request: method, URL, headers, body, and the check of its response.
///
/// The URL is either a path of the group's service (`/search?q=ship`) or complete (`http://…`).
///
/// Setters never fail. A bad value ends the call with exit code 2 before anything is sent, and the error names the cell.
///
/// ```
/// use plimsoll::Endpoint;
/// use std::time::Duration;
///
/// let search = Endpoint::get("/search?q=ship").expect_body_contains("Ever Given");
/// let order = Endpoint::post("/v1/orders")
///     .header("content-type", "application/json")
///     .body(r#"{"ship": "Ever Given"}"#)
///     .expect_status(201)
///     .timeout(Duration::from_secs(5));
/// let complete = Endpoint::new("PUT", "/v1/completions/1")
///     .tokens("/timings/prompt_n", "/timings/predicted_n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// `None`: any 2xx.
    pub(crate) status: Option<u16>,
    pub(crate) body_contains: Option<String>,
    pub(crate) body_lacks: Option<String>,
    /// `None`: the usual places.
    pub(crate) input_tokens: Option<String>,
    /// `None`: the usual places.
    pub(crate) output_tokens: Option<String>,
    /// `None`: the group's.
    pub(crate) timeout: Option<Duration>,
}

/// Why an [`Endpoint`] cannot be requested.
///
/// ```
/// use plimsoll::{EndpointError, Targets, TargetsError};
/// fn is_url_error(error: &TargetsError) -> bool {
///     matches!(error, TargetsError::Line { source: EndpointError::Url { .. }, .. })
/// }
/// # assert!(!is_url_error(&Targets::from_file("no/such/file").unwrap_err()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The URL is not valid.
    #[error("the URL `{url}` cannot be requested: {why}")]
    Url {
        /// The URL as it was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The method is not an HTTP token (RFC 9110).
    #[error("`{0}` is not an HTTP method")]
    Method(String),
    /// A header's name or value has characters that HTTP does not allow. Only the name is given: the value may be secret.
    #[error("the name or value of the header `{0}` has characters that HTTP does not allow")]
    Header(String),
    /// A path to a token count is not a JSON pointer (RFC 6901).
    #[error("`{0}` is not a JSON pointer: write it with a leading slash, as in `/usage/output_tokens`")]
    Pointer(String),
    /// A text to look for in the body is empty.
    #[error("a text to look for in the body is empty: every body contains it")]
    EmptyText,
    /// The expected status lies outside 100 to 599.
    #[error("{0} is not an HTTP status: it must lie between 100 and 599")]
    Status(u16),
    /// The timeout is zero.
    #[error("the timeout is 0: no request could finish")]
    Timeout,
}

impl Endpoint {
    /// A request with the given method, for example `PUT`. The methods of HTTP are sent in upper case, others as they are given.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: canonical_method(method.into()),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            status: None,
            body_contains: None,
            body_lacks: None,
            input_tokens: None,
            output_tokens: None,
            timeout: None,
        }
    }

    /// A `GET` request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A `POST` request.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header. plimsoll adds `Host`, `Content-Length` and `User-Agent` if they are missing.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the request's body. Without it the body is empty.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Counts only responses with this status as successes. Without it, every 2xx is a success.
    #[must_use]
    pub fn expect_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Counts only responses whose body contains this text as successes.
    #[must_use]
    pub fn expect_body_contains(mut self, text: impl Into<String>) -> Self {
        self.body_contains = Some(text.into());
        self
    }

    /// Counts only responses whose body does not contain this text as successes: for services that report errors with status 200.
    ///
    /// ```
    /// # use plimsoll::Endpoint;
    /// let query = Endpoint::post("/graphql").body(r#"{"query": "{ships}"}"#).expect_body_lacks("\"errors\"");
    /// ```
    #[must_use]
    pub fn expect_body_lacks(mut self, text: impl Into<String>) -> Self {
        self.body_lacks = Some(text.into());
        self
    }

    /// Sets the JSON pointers (RFC 6901) to the numbers of input and output tokens in the response's body. Without it plimsoll
    /// looks for `/input_tokens` and `/output_tokens`, `/usage/prompt_tokens` and `/usage/completion_tokens`, and `/usage/input_tokens` and
    /// `/usage/output_tokens`. Compressed responses (gzip, deflate) are only decoded if pointers or texts to look for are given.
    #[must_use]
    pub fn tokens(mut self, input: impl Into<String>, output: impl Into<String>) -> Self {
        self.input_tokens = Some(input.into());
        self.output_tokens = Some(output.into());
        self
    }

    /// Maximum time from sending the request to the end of its response. Overrides the group's timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    #[must_use]
    pub(crate) fn with_method(self, method: &str) -> Self {
        Self { method: canonical_method(method.to_owned()), ..self }
    }

    #[must_use]
    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self
    }

    /// Where the numbers of input and of output tokens may stand in a response, as JSON pointers.
    pub(crate) fn token_pointers(&self) -> [Vec<&str>; 2] {
        let numbers = [(&self.input_tokens, INPUT_TOKENS), (&self.output_tokens, OUTPUT_TOKENS)];
        numbers.map(|(given, usual)| given.as_deref().map_or_else(|| usual.to_vec(), |given| vec![given]))
    }

    /// Asks the server to close the connection afterwards, unless the user says something else about it.
    #[must_use]
    pub(crate) fn asking_to_close(self) -> Self {
        let is_given = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("connection"));
        if is_given { self } else { self.header("Connection", "close") }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether its body goes out without saying what it is.
    pub(crate) fn lacks_content_type(&self) -> bool {
        let has = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        !self.body.is_empty() && !has
    }

    /// Whether a response with this status is a success.
    pub(crate) fn accepts(&self, status: u16) -> bool {
        self.status.map_or((200..300).contains(&status), |expected| expected == status)
    }

    /// Whether the request may be sent again if the server closed its connection (RFC 9110, 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE")
    }

    /// The complete URL, given the `service_url` (`http://host:port`) that a path belongs to.
    ///
    /// # Errors
    /// If it is not a valid http or https URL.
    pub(crate) fn resolve(&self, service_url: Option<&str>) -> Result<Uri, EndpointError> {
        let wrong = |why: &str| EndpointError::Url { url: self.url.clone(), why: why.to_owned() };
        let whole = if self.url.starts_with('/') {
            let service_url = service_url
                .ok_or_else(|| wrong("it has no host: write it as in http://127.0.0.1:8080/hello"))?;
            format!("{}{}", service_url.trim_end_matches('/'), self.url)
        } else if self.url.contains("://") {
            self.url.clone()
        } else {
            return Err(wrong("it has no scheme: write it as in http://127.0.0.1:8080/hello"));
        };
        let uri: Uri = escaped(&whole).parse().map_err(|error| wrong(&format!("{error}")))?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            other => {
                let scheme = other.unwrap_or_default();
                return Err(wrong(&format!("its scheme `{scheme}` is neither http nor https")));
            }
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(wrong("it names no host"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong(
                "it contains a user name, which is not sent: use an Authorization header instead",
            ));
        }
        if uri.port_u16() == Some(0)
            || (uri.port().is_none() && uri.authority().is_some_and(|a| has_port(a.as_str())))
        {
            return Err(wrong("its port is not between 1 and 65535"));
        }
        Ok(uri)
    }

    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn check(&self) -> Result<(), EndpointError> {
        Method::from_bytes(self.method.as_bytes()).map_err(|_| EndpointError::Method(self.method.clone()))?;
        self.resolve(Some("http://host"))?;
        for (name, value) in &self.headers {
            let fine =
                HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok();
            if !fine {
                return Err(EndpointError::Header(name.clone()));
            }
        }
        for pointer in [&self.input_tokens, &self.output_tokens].into_iter().flatten() {
            if !pointer.starts_with('/') {
                return Err(EndpointError::Pointer(pointer.clone()));
            }
        }
        if [&self.body_contains, &self.body_lacks].into_iter().flatten().any(String::is_empty) {
            return Err(EndpointError::EmptyText);
        }
        if let Some(status) = self.status.filter(|status| !(100..600).contains(status)) {
            return Err(EndpointError::Status(status));
        }
        if self.timeout == Some(Duration::ZERO) {
            return Err(EndpointError::Timeout);
        }
        Ok(())
    }
}

/// A method as it is sent.
fn canonical_method(method: String) -> String {
    let known = METHODS.into_iter().find(|known| known.eq_ignore_ascii_case(&method));
    known.map_or(method, str::to_owned)
}

impl From<&str> for Endpoint {
    /// A `GET` request of a path or URL.
    fn from(url: &str) -> Self {
        Self::get(url)
    }
}

impl From<String> for Endpoint {
    /// A `GET` request of a path or URL.
    fn from(url: String) -> Self {
        Self::get(url)
    }
}

/// Whether an authority has a port, be it a valid one or not.
fn has_port(authority: &str) -> bool {
    let after_host = authority.rsplit(']').next().unwrap_or(authority);
    after_host.contains(':')
}

/// Percent-encodes spaces and non-ASCII characters, which people write in URLs although they are not allowed there.
fn escaped(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b' ' => out.push_str("%20"),
            0x80.. => out.push_str(&format!("%{byte:02X}")),
            _ => out.push(char::from(byte)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(url: &str) -> String {
        Endpoint::get(url).resolve(Some("http://h:1")).unwrap_err().to_string()
    }

    #[test]
    fn a_path_is_resolved_against_the_service() {
        let uri = Endpoint::get("/a?b=c d&e=ß").resolve(Some("http://127.0.0.1:80/")).unwrap();
        assert_eq!(uri.to_string(), "http://127.0.0.1:80/a?b=c%20d&e=%C3%9F");
    }

    #[test]
    fn urls_that_cannot_be_requested_say_why() {
        assert!(why("localhost/hello").contains("no scheme"));
        assert!(why("ftp://h/").contains("neither http nor https"));
        assert!(why("http://").contains("cannot be requested"));
        assert!(why("http://h:99999/").contains("cannot be requested"));
        assert!(why("http://me:secret@h/").contains("user name"));
    }

    #[test]
    fn the_methods_of_http_are_sent_in_upper_case() {
        for (given, sent) in [("get", "GET"), ("Post", "POST"), ("patch", "PATCH"), ("Purge", "Purge")] {
            assert_eq!(Endpoint::new(given, "/").method, sent);
        }
        assert_eq!(Endpoint::new("put", "/"), Endpoint::new("PUT", "/"));
    }

    #[test]
    fn the_first_bad_part_is_named() {
        assert_eq!(Endpoint::new("GE T", "/").check(), Err(EndpointError::Method("GE T".into())));
        assert_eq!(Endpoint::get("/").header("a\nb", "c").check(), Err(EndpointError::Header("a\nb".into())));
        assert_eq!(Endpoint::get("/").header("a", "c\r\nd").check(), Err(EndpointError::Header("a".into())));
        assert_eq!(Endpoint::get("/").tokens("x", "/y").check(), Err(EndpointError::Pointer("x".into())));
        assert_eq!(Endpoint::get("/").expect_status(999).check(), Err(EndpointError::Status(999)));
        assert_eq!(Endpoint::get("/").expect_body_lacks("").check(), Err(EndpointError::EmptyText));
        assert_eq!(Endpoint::get("/").expect_body_contains("").check(), Err(EndpointError::EmptyText));
        assert!(Endpoint::get("/").check().is_ok());
    }
}
