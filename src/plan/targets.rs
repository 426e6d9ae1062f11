//! The requests of a cell: one endpoint or a file of endpoints, and the order in which they are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::plan::endpoint::{Endpoint, EndpointError};

/// The endpoints that a cell requests: one, or the lines of a [file](Targets::from_file).
///
/// ```
/// use plimsoll::{Endpoint, Load, Targets};
/// # let mut harness = plimsoll::Harness::default();
/// let mut group = harness.benchmark_group("search");
/// group.bench_endpoint("many", Targets::from_file("benches/endpoints.txt"), Load::closed(10));
/// group.bench_endpoint("one", Targets::from(Endpoint::get("/search?q=ship")), Load::closed(10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) order: Order,
}

/// The order in which several endpoints are requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Shuffled decks: every endpoint once in random order, then again, so that all rounds request the same mix.
    Deck,
    /// Each request picks an endpoint at random.
    Random,
}

/// A service to which paths of a targets file may belong.
const ANY_SERVICE: &str = "http://host";
/// What a line may be.
const FORM: &str = r#"each line is one URL, one /path, or one JSON object such as {"method": "POST", "url": "/orders", "headers": {"Content-Type": "text/plain"}, "body": "two"}"#;

/// Why [`Targets::from_file`] failed.
///
/// ```
/// use plimsoll::{Targets, TargetsError};
/// let error = Targets::from_file("no/such/file.txt").unwrap_err();
/// assert!(matches!(error, TargetsError::Read { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetsError {
    /// The file could not be read.
    #[error("the targets file {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file is UTF-16, as some editors and shells write text.
    #[error("the targets file {} is UTF-16: save it as UTF-8", path.display())]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// The file is not UTF-8 text.
    #[error("the targets file {} is not UTF-8 text: save it as UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The file contains no URL.
    #[error("the targets file {} contains no URL: {FORM}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line does not have the form of a target.
    #[error("{}:{line}: {why}: {FORM}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// The line number, counted from 1.
        line: usize,
        /// What is wrong with the line.
        why: String,
    },
    /// The body file that a line names could not be read.
    #[error("{}:{line}: the body file {} cannot be read: {source}", path.display(), file.display())]
    BodyFile {
        /// The targets file.
        path: PathBuf,
        /// The line number, counted from 1.
        line: usize,
        /// The body file.
        file: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A line is not a valid request.
    #[error("{}:{line}: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line number, counted from 1.
        line: usize,
        /// What is wrong with the request.
        source: EndpointError,
    },
}

impl Targets {
    /// Reads a targets file. Each line is one URL or `/path`, which is requested with `GET`, or one JSON object:
    ///
    /// ```text
    /// # a page
    /// /search?q=ship
    /// {"method": "PUT", "url": "/ships/1", "headers": {"Content-Type": "text/plain"}, "body": "Ever Given"}
    /// {"url": "/v1/completions", "headers": {"Content-Type": "application/json"}, "body_file": "prompts/1.json"}
    /// ```
    ///
    /// An object needs only `url`. Without `method` it is a `POST` if it has a body, else a `GET`. The path of a `body_file` is
    /// relative to the folder of the targets file. With a body of its own in each line no request is answered from a cache.
    ///
    /// Blank lines and comments are skipped. A comment is a line that starts with `#`, or the rest of a line from a `#` that
    /// follows a blank. Both kinds of line ends and a byte order mark are accepted.
    /// A bench requests every line once in random order before it starts again. Base and head get the same order.
    ///
    /// # Errors
    /// If the file or a body file cannot be read, the file is not UTF-8 or contains no URL, or one of its lines is not a valid URL
    /// or object.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, TargetsError> {
        Self::read(path.as_ref(), Some(ANY_SERVICE))
    }

    /// Reads a targets file. Without `service_url` every URL must be complete.
    pub(crate) fn read(path: &Path, service_url: Option<&str>) -> Result<Self, TargetsError> {
        let bytes = fs::read(path).map_err(|source| TargetsError::Read { path: path.to_owned(), source })?;
        if is_utf16(&bytes) {
            return Err(TargetsError::Utf16 { path: path.to_owned() });
        }
        let text = String::from_utf8(bytes).map_err(|_| TargetsError::NotText { path: path.to_owned() })?;
        let mut endpoints = Vec::new();
        for (number, text) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = Line { path, number: number + 1, text: text.trim() };
            if line.text.is_empty() || line.text.starts_with('#') {
                continue;
            }
            endpoints.push(line.endpoint(service_url)?);
        }
        if endpoints.is_empty() {
            return Err(TargetsError::Empty { path: path.to_owned() });
        }
        Ok(Self { endpoints, order: Order::Deck })
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The first endpoint of each scheme, host and port. Their URLs must be complete.
    pub(crate) fn first_of_each_host(&self) -> Vec<&Endpoint> {
        let mut known = BTreeSet::new();
        let host = |endpoint: &Endpoint| {
            let uri = endpoint.resolve(None).ok()?;
            Some((uri.scheme()?.to_string(), uri.authority()?.to_string()))
        };
        self.endpoints.iter().filter(|endpoint| known.insert(host(endpoint))).collect()
    }

    #[must_use]
    pub(crate) fn ordered(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Changes each endpoint: for a header or an expected status that all lines of a file share.
    ///
    /// ```no_run
    /// # use plimsoll::Targets;
    /// let targets = Targets::from_file("endpoints.txt")?.map(|endpoint| endpoint.expect_status(200));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn map(mut self, change: impl FnMut(Endpoint) -> Endpoint) -> Self {
        self.endpoints = self.endpoints.into_iter().map(change).collect();
        self
    }
}

/// Whether a file begins with the byte order mark of UTF-16, or with an ASCII character of two bytes.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 1..=u8::MAX, ..] | [1..=u8::MAX, 0, ..])
}

/// A line of a targets file that is neither blank nor a comment.
struct Line<'a> {
    path: &'a Path,
    number: usize,
    text: &'a str,
}

impl Line<'_> {
    fn endpoint(&self, service_url: Option<&str>) -> Result<Endpoint, TargetsError> {
        let endpoint = self.parse()?;
        let checked = endpoint.check().and_then(|()| endpoint.resolve(service_url));
        let (path, line) = (self.path.to_owned(), self.number);
        checked.map(|_| endpoint).map_err(|source| TargetsError::Line { path, line, source })
    }

    fn parse(&self) -> Result<Endpoint, TargetsError> {
        if self.text.starts_with('{') {
            return self.parse_object();
        }
        if self.text.starts_with(['[', '"']) {
            return Err(self.malformed("this is JSON, but not an object"));
        }
        let (url, rest) = self.text.split_once(char::is_whitespace).unwrap_or((self.text, ""));
        if !is_end(rest) {
            return Err(self.malformed("a URL cannot have spaces (write %20 instead)"));
        }
        Ok(Endpoint::get(url))
    }

    fn parse_object(&self) -> Result<Endpoint, TargetsError> {
        let mut objects = serde_json::Deserializer::from_str(self.text).into_iter::<RequestLine>();
        let object = objects.next().transpose().ok().flatten();
        let rest = &self.text[objects.byte_offset()..];
        let Some(RequestLine { method, url, headers, body, body_file }) = object.filter(|_| is_end(rest))
        else {
            return Err(self.malformed(json_problem(self.text)));
        };
        let body = match (body, body_file) {
            (Some(_), Some(_)) => return Err(self.malformed("`body` and `body_file` exclude each other")),
            (Some(text), None) => Some(text.into_bytes()),
            (None, Some(file)) => Some(self.read_body(&file)?),
            (None, None) => None,
        };
        let method = method.as_deref().unwrap_or(if body.is_some() { "POST" } else { "GET" });
        let endpoint = Endpoint::new(method, url).body(body.unwrap_or_default());
        Ok(headers.into_iter().fold(endpoint, |endpoint, (name, value)| endpoint.header(name, value)))
    }

    fn read_body(&self, file: &Path) -> Result<Vec<u8>, TargetsError> {
        let file = self.path.parent().unwrap_or(Path::new("")).join(file);
        let is_file = |facts: fs::Metadata| {
            // Reading a device or a pipe might never end.
            if facts.is_file() { Ok(()) } else { Err(io::Error::other("it is not a regular file")) }
        };
        fs::metadata(&file).and_then(is_file).and_then(|()| fs::read(&file)).map_err(|source| {
            let (path, line) = (self.path.to_owned(), self.number);
            TargetsError::BodyFile { path, line, file, source }
        })
    }

    fn malformed(&self, why: impl Into<String>) -> TargetsError {
        TargetsError::Form { path: self.path.to_owned(), line: self.number, why: why.into() }
    }
}

/// A line that is a JSON object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestLine {
    method: Option<String>,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_file: Option<PathBuf>,
}

/// Why a line is not a [`RequestLine`]. An error of the text itself would count its lines as if it were a file.
fn json_problem(text: &str) -> String {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let column = match values.next() {
        Some(Ok(value)) if is_end(&text[values.byte_offset()..]) => {
            let error = RequestLine::deserialize(value).err();
            return error.map_or_else(
                || "a key appears twice".to_owned(),
                |error| error.to_string().replace(char::is_control, "?"),
            );
        }
        Some(Err(error)) => error.column(),
        _ => values.byte_offset() + 1,
    };
    format!("this is not one JSON object (column {column})")
}

/// Whether nothing but a comment follows.
fn is_end(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

impl From<Endpoint> for Targets {
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoints: vec![endpoint], order: Order::Deck }
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::plan::endpoint::Endpoint {}
    impl Sealed for crate::plan::targets::Targets {}
    impl Sealed for Result<crate::plan::targets::Targets, crate::plan::targets::TargetsError> {}
}

/// What a cell can request: an [`Endpoint`], [`Targets`], or the `Result` of [`Targets::from_file`]. Sealed: only plimsoll
/// implements it.
///
/// ```
/// # let mut harness = plimsoll::Harness::default();
/// # let mut group = harness.benchmark_group("search");
/// use plimsoll::{Endpoint, Load, Targets};
/// group.bench_endpoint("one", Endpoint::get("/search?q=ship"), Load::closed(10));
/// group.bench_endpoint("many", Targets::from_file("endpoints.txt"), Load::closed(10));
/// ```
pub trait IntoTargets: sealed::Sealed {
    /// # Errors
    /// If the targets file could not be read. The harness reports it together with the cell.
    #[doc(hidden)]
    fn into_targets(self) -> Result<Targets, TargetsError>;
}

impl IntoTargets for Endpoint {
    fn into_targets(self) -> Result<Targets, TargetsError> {
        Ok(self.into())
    }
}

impl IntoTargets for Targets {
    fn into_targets(self) -> Result<Targets, TargetsError> {
        Ok(self)
    }
}

impl IntoTargets for Result<Targets, TargetsError> {
    fn into_targets(self) -> Result<Targets, TargetsError> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Targets, TargetsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("endpoints.txt");
        fs::write(&path, bytes).unwrap();
        Targets::from_file(path)
    }

    #[test]
    fn comments_blank_lines_crlf_and_bom_are_accepted() {
        let targets = read("\u{feff}# ours\r\n\r\n/hello\r\n  http://h:1/x  \n".as_bytes()).unwrap();
        let urls: Vec<_> = targets.endpoints().iter().map(Endpoint::url).collect();
        assert_eq!(urls, ["/hello", "http://h:1/x"]);
    }

    #[test]
    fn the_same_host_with_another_scheme_or_port_is_another_host() {
        let targets =
            read(b"http://h/1\nhttp://h/2\nhttps://h/3\nhttp://h:81/4\nhttps://h/5\nhttp://i/6\n").unwrap();
        let first: Vec<_> = targets.first_of_each_host().into_iter().map(Endpoint::url).collect();
        assert_eq!(first, ["http://h/1", "https://h/3", "http://h:81/4", "http://i/6"]);
    }

    #[test]
    fn a_comment_may_follow_a_target() {
        let targets = read(b"/hello   # the first\n/page#part\t#\n").unwrap();
        let urls: Vec<_> = targets.endpoints().iter().map(Endpoint::url).collect();
        assert_eq!(urls, ["/hello", "/page#part"]);
    }

    #[test]
    fn lines_of_other_tools_are_refused_with_the_form_that_is_wanted() {
        let others: [&[u8]; 9] = [
            b"http://h/x POST a=1",
            b"GET http://h/x",
            b"Accept: text/html",
            b"/search?q=two words",
            b"[",
            br#"["http://h/x"]"#,
            b"{",
            br#"{"url": "/x"}, {"url": "/y"}"#,
            br#"{"url": "/x"},"#,
        ];
        for other in others {
            let error = read(&[&b"/hello\n"[..], other, b"\n"].concat()).unwrap_err();
            assert!(matches!(error, TargetsError::Form { line: 2, .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("endpoints.txt:2: ") && text.ends_with(FORM), "{text}");
        }
    }

    #[test]
    fn an_object_has_a_method_headers_and_a_body_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("prompts")).unwrap();
        fs::write(folder.path().join("prompts/2"), b"two\xff").unwrap();
        let path = folder.path().join("targets.jsonl");
        let text = r#"
            # Each prompt is another one.
            {"method": "put", "url": "/a", "headers": {"X-One": "1", "X-Two": "2"}, "body": "\u00e9"}
            {"url": "/b", "body_file": "prompts/2"}  # the second
            {"url": "/c"}
            /d
        "#;
        fs::write(&path, text).unwrap();
        let targets = Targets::from_file(&path).unwrap();
        let expected = [
            Endpoint::new("PUT", "/a").header("X-One", "1").header("X-Two", "2").body("é"),
            Endpoint::post("/b").body(b"two\xff"),
            Endpoint::get("/c"),
            Endpoint::get("/d"),
        ];
        assert_eq!(targets.endpoints(), expected);
    }

    #[test]
    fn objects_that_cannot_be_requests_are_named_with_file_line_and_reason() {
        for (line, why) in [
            (
                r#"{"url": "/", "heders": {}}"#,
                "unknown field `heders`, expected one of `method`, `url`, `headers`",
            ),
            (r#"{"method": "GET"}"#, "missing field `url`"),
            (r#"{"url": "/", "body": {"prompt": "x"}}"#, "expected a string"),
            (r#"{"url": "/", "url": "/"}"#, "a key appears twice"),
            (r#"{"url": "/", "body": "", "body_file": "x"}"#, "`body` and `body_file` exclude each other"),
            (r#"{"url": "/"#, "this is not one JSON object (column "),
            (r#"{"url": "/"} {}"#, "this is not one JSON object (column 13)"),
            (r#"{"heders": {}} # and a comment"#, "unknown field `heders`"),
            (r#"{"url": "h/"}"#, "the URL `h/` cannot be requested: it has no scheme"),
            (r#"{"url": "/", "method": "GE T"}"#, "`GE T` is not an HTTP method"),
            (r#"{"url": "/", "headers": {"a b": "c"}}"#, "the header `a b`"),
            (r#"{"url": "/", "body_file": "no/such"}"#, "no/such cannot be read: No such file"),
        ] {
            let error = read(format!("/hello\n{line}\n").as_bytes()).unwrap_err().to_string();
            assert!(error.contains("endpoints.txt:2: ") && error.contains(why), "{error}");
        }
    }

    #[test]
    fn utf16_is_told_so() {
        let utf16 =
            |endian: fn(u16) -> [u8; 2], text: &str| text.encode_utf16().flat_map(endian).collect::<Vec<_>>();
        for text in ["\u{feff}/hello\n", "/hello\n"] {
            for bytes in [utf16(u16::to_le_bytes, text), utf16(u16::to_be_bytes, text)] {
                let error = read(&bytes).unwrap_err();
                assert!(error.to_string().ends_with("endpoints.txt is UTF-16: save it as UTF-8"), "{error}");
            }
        }
    }

    #[test]
    fn a_path_without_a_service_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("endpoints.txt");
        fs::write(&path, "http://h/\n/path\n").unwrap();
        let error = Targets::read(&path, None).unwrap_err().to_string();
        assert!(
            error.contains("endpoints.txt:2: the URL `/path` cannot be requested: it has no host"),
            "{error}"
        );
    }

    #[test]
    fn a_bad_line_is_named_with_its_number() {
        let error = read(b"/hello\n\nlocalhost:80\n").unwrap_err().to_string();
        assert!(error.contains("endpoints.txt:3: "), "{error}");
        assert!(error.contains("no scheme"), "{error}");
    }

    #[test]
    fn files_without_a_url_are_refused() {
        assert!(matches!(read(b"\n# nothing\n"), Err(TargetsError::Empty { .. })));
        assert!(matches!(read(b"/a\xff\n"), Err(TargetsError::NotText { .. })));
        assert!(matches!(Targets::from_file("/no/such/file"), Err(TargetsError::Read { .. })));
    }
}
