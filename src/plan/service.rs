//! The service to load: a program that plimsoll starts, an address where one runs, or a server in this process.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::plan::endpoint::Endpoint;

/// The placeholder of the port.
const PORT: &str = "port";

/// The service to load: a [command](Service::command) to start, an [address](Service::url), or a
/// [server in this process](Service::in_process).
///
/// ```
/// use plimsoll::Service;
/// # let mut harness = plimsoll::Harness::default();
/// let mut group = harness.benchmark_group("search");
/// group.service(Service::command("./server").args(["--port", "{port}"]));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Service(pub(crate) ServiceKind);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ServiceKind {
    /// The group has no service: each URL must be complete.
    Absent,
    /// Started again for each launch.
    Command(ServiceCommand),
    /// Runs already, hence has one launch.
    Url(ServiceUrl),
    /// Runs in a thread of this process and has one launch.
    InProcess(InProcess),
}

impl Service {
    /// A program that plimsoll starts for each launch, on a free port that plimsoll picks.
    ///
    /// The variable `PORT` holds the port. `{port}` in [`args`](ServiceCommand::args) and [`env`](ServiceCommand::env) becomes
    /// the port. Any other `{name}` is an error (exit code 2). `{{name}}` becomes the text `{name}`, and `${name}` is left to the
    /// shell.
    ///
    /// ```
    /// use plimsoll::Service;
    /// let service = Service::command("./server").args(["--listen", "127.0.0.1:{port}"]).ready("/health");
    /// let configured = Service::command("./server").env("CONFIG", r#"{"port": {port}, "log": "{{level}} {{text}}"}"#);
    /// ```
    pub fn command(program: impl Into<String>) -> ServiceCommand {
        ServiceCommand {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            directory: None,
            ready: None,
        }
    }

    /// A service that already runs at `http://host:port`. plimsoll cannot restart it, so a run has one launch and finds only
    /// large changes.
    ///
    /// plimsoll waits up to [`ready_timeout`](crate::BenchmarkGroup::ready_timeout) until its port accepts connections, or until it
    /// is [`ready`](Self::ready).
    ///
    /// ```
    /// use plimsoll::Service;
    /// let service = Service::url("http://127.0.0.1:8080");
    /// ```
    pub fn url(url: impl Into<String>) -> Self {
        Self(ServiceKind::Url(ServiceUrl { url: url.into(), ready: None }))
    }

    /// Sets the request that is answered with a 2xx or 3xx once the service is ready, as [`ServiceCommand::ready`] does.
    ///
    /// ```
    /// use plimsoll::Service;
    /// let service = Service::url("http://127.0.0.1:8080").ready("/health");
    /// ```
    #[must_use]
    pub fn ready(mut self, endpoint: impl Into<Endpoint>) -> Self {
        self.set_ready(Some(ready_request(endpoint)));
        self
    }

    pub(crate) fn set_ready(&mut self, endpoint: Option<Endpoint>) {
        match &mut self.0 {
            ServiceKind::Absent => {}
            ServiceKind::Command(command) => command.ready = endpoint,
            ServiceKind::Url(service) => service.ready = endpoint,
            ServiceKind::InProcess(server) => server.ready = endpoint,
        }
    }

    /// The request that is answered once the service is ready, if there is one.
    pub(crate) fn ready_endpoint(&self) -> Option<&Endpoint> {
        match &self.0 {
            ServiceKind::Absent => None,
            ServiceKind::Command(command) => command.ready.as_ref(),
            ServiceKind::Url(service) => service.ready.as_ref(),
            ServiceKind::InProcess(server) => server.ready.as_ref(),
        }
    }

    /// A server that runs in a thread of this process, on a runtime of its own. A run has one launch, and the server shares its
    /// process with the client: good for a first try, not for finding small changes.
    ///
    /// ```
    /// use plimsoll::Service;
    /// use tokio::net::TcpListener;
    /// let service = Service::in_process(|listener: TcpListener| async move {
    ///     while let Ok((connection, _)) = listener.accept().await {
    ///         drop(connection);
    ///     }
    /// });
    /// ```
    pub fn in_process<F, S>(serve: F) -> Self
    where
        F: Fn(TcpListener) -> S + Send + Sync + 'static,
        S: Future + 'static,
    {
        Self(ServiceKind::InProcess(InProcess {
            ready: None,
            serve: Arc::new(move |listener| {
                let served = serve(listener);
                Box::pin(async move {
                    served.await;
                })
            }),
        }))
    }
}

impl From<ServiceCommand> for Service {
    fn from(command: ServiceCommand) -> Self {
        Self(ServiceKind::Command(command))
    }
}

/// Where a service runs that somebody else has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceUrl {
    pub(crate) url: String,
    pub(crate) ready: Option<Endpoint>,
}

/// A ready request. A path may lack its slash.
fn ready_request(endpoint: impl Into<Endpoint>) -> Endpoint {
    let mut endpoint: Endpoint = endpoint.into();
    if !endpoint.url.starts_with('/') && !endpoint.url.contains("://") {
        endpoint.url.insert(0, '/');
    }
    endpoint
}

/// A program to start and how to start it. [`Service::command`] creates it, and it converts into a [`Service`].
///
/// ```
/// use plimsoll::{Service, ServiceCommand};
///
/// fn server() -> ServiceCommand {
///     Service::command("./server")
///         .arg("--quiet")
///         .args(["--listen", "127.0.0.1:{port}"])
///         .env("DATABASE", "test")
///         .current_dir("fixtures")
///         .ready("/health")
/// }
/// # server();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCommand {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) ready: Option<Endpoint>,
}

impl ServiceCommand {
    /// Adds an argument. `{port}` becomes the port.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments. `{port}` becomes the port.
    #[must_use]
    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable. The other variables are inherited. `{port}` in the value becomes the port.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets the working directory. Default: the folder of the bench's package.
    #[must_use]
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    pub(crate) fn program(&self) -> &str {
        &self.program
    }

    /// # Errors
    /// The first placeholder in its arguments and variables that plimsoll does not know.
    pub(crate) fn check(&self) -> Result<(), UnknownPlaceholder> {
        self.args.iter().chain(self.env.values()).try_for_each(|text| parse_service_text(text).map(drop))
    }

    /// Sets the request that is answered with a 2xx or 3xx once the service is ready: a path, or an [`Endpoint`] with its headers and
    /// checks. Without it the service is ready when its port accepts connections, on 127.0.0.1 or on ::1.
    ///
    /// plimsoll waits up to [`ready_timeout`](crate::BenchmarkGroup::ready_timeout) while connections are refused and while the answer
    /// is a 5xx. A 4xx is an error: the request is wrong. After a 404 plimsoll waits for 3 seconds, or for a tenth of `ready_timeout` if
    /// that is longer, since some services listen before they have their routes.
    ///
    /// ```
    /// use plimsoll::{Endpoint, Service};
    /// let health = Endpoint::get("/health").header("Host", "shop.example").expect_body_contains("loaded");
    /// let service = Service::command("./server").ready(health);
    /// ```
    #[must_use]
    pub fn ready(mut self, endpoint: impl Into<Endpoint>) -> Self {
        self.ready = Some(ready_request(endpoint));
        self
    }
}

type Serve = dyn Fn(TcpListener) -> Pin<Box<dyn Future<Output = ()>>> + Send + Sync;

/// The function that serves in this process.
#[derive(Clone)]
pub struct InProcess {
    pub(crate) ready: Option<Endpoint>,
    pub(crate) serve: Arc<Serve>,
}

impl PartialEq for InProcess {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.serve, &other.serve)
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

/// A `{name}` in an argument or a variable of a service that plimsoll does not replace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{{{0}}}` is not a placeholder of a service: write `{{port}}` for the port, or `{{{{{0}}}}}` for the text `{{{0}}}` itself"
)]
pub(crate) struct UnknownPlaceholder(String);

/// An argument of a service as a flag gives it.
///
/// # Errors
/// If it has a placeholder that plimsoll does not know.
pub(crate) fn parse_service_text(text: &str) -> Result<String, UnknownPlaceholder> {
    let mut unknown = None;
    fill(text, |name| {
        if name != PORT {
            unknown.get_or_insert_with(|| name.to_owned());
        }
        String::new()
    });
    unknown.map_or_else(|| Ok(text.to_owned()), |name| Err(UnknownPlaceholder(name)))
}

/// The text with `{port}` replaced. `{{name}}` becomes `{name}`.
pub(crate) fn with_port(text: &str, port: u16) -> String {
    fill(text, |name| if name == PORT { port.to_string() } else { format!("{{{name}}}") })
}

/// The text that [`with_port`] turns into this one.
pub(crate) fn escape_placeholders(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        match braced(rest) {
            Some((name, after)) => {
                out += &format!("{{{{{name}}}}}");
                rest = after;
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// The text with the value of each `{name}` in its place. `{{name}}` becomes `{name}`, and the `{name}` of `${name}` is a shell's.
fn fill(text: &str, mut value: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let escaped = rest.strip_prefix('{').and_then(braced);
        let escaped = escaped.and_then(|(name, after)| Some((name, after.strip_prefix('}')?)));
        if let Some((name, after)) = escaped {
            out += &format!("{{{name}}}");
            rest = after;
        } else if let Some((name, after)) = braced(rest).filter(|_| !out.ends_with('$')) {
            out += &value(name);
            rest = after;
        } else {
            out.push('{');
            rest = &rest[1..];
        }
    }
    out + rest
}

/// The name in the braces that a text begins with, and what follows them.
fn braced(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_placeholder_becomes_the_port_wherever_it_stands() {
        for (text, expected) in [
            ("{port}", "8080"),
            ("--port={port}", "--port=8080"),
            ("127.0.0.1:{port}", "127.0.0.1:8080"),
            ("http://h:{port}/x", "http://h:8080/x"),
            ("exec server --port {port}; echo ({port})", "exec server --port 8080; echo (8080)"),
            (
                r#"{"port":{port},"url":"http://h:{port}","a":{"b":{port}}}"#,
                r#"{"port":8080,"url":"http://h:8080","a":{"b":8080}}"#,
            ),
            ("a{port}b", "a8080b"),
            ("{{port}}", "{port}"),
            ("{{Port}} {{any_name}}", "{Port} {any_name}"),
            ("${port} ${{port}} ${HOME}", "${port} ${port} ${HOME}"),
            ("{port", "{port"),
            ("{} {0} {a b} {\"k\": 1} {{ x }} }{", "{} {0} {a b} {\"k\": 1} {{ x }} }{"),
        ] {
            assert_eq!(parse_service_text(text).as_deref(), Ok(text));
            assert_eq!(with_port(text, 8080), expected, "{text}");
        }
    }

    #[test]
    fn an_unknown_placeholder_is_named_with_a_way_out() {
        let error = Service::command("./server").arg("{port}").env("A", "x{Port}y").check().unwrap_err();
        let expected = "`{Port}` is not a placeholder of a service: write `{port}` for the port, or `{{Port}}` for the \
                        text `{Port}` itself";
        assert_eq!(error.to_string(), expected);
        assert_eq!(parse_service_text("--x={HOST}:{port}").unwrap_err(), UnknownPlaceholder("HOST".into()));
    }

    #[test]
    fn text_with_escaped_placeholders_is_what_it_was() {
        for text in ["{port}", "{{port}}", "{{{x}}}", "${x} {y", "{} {{", "{a{b}c}"] {
            let escaped = escape_placeholders(text);
            assert!(parse_service_text(&escaped).is_ok());
            assert_eq!(with_port(&escaped, 1), text, "{escaped}");
        }
    }
}
