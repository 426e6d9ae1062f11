//! The service to load: a program that plimsoll starts, an address where one runs, or a server in this process.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpListener;

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
    Url(String),
    /// Runs in a thread of this process and has one launch.
    InProcess(InProcess),
}

impl Service {
    /// A program that plimsoll starts for each launch, on a free port that plimsoll picks.
    ///
    /// The variable `PORT` holds the port. `{port}` in [`args`](ServiceCommand::args) and [`env`](ServiceCommand::env) becomes
    /// the port where it is a word or follows `=`, `:` or a comma. `{{port}}` becomes the text `{port}`.
    ///
    /// ```
    /// use plimsoll::Service;
    /// let service = Service::command("./server").args(["--listen", "127.0.0.1:{port}"]).ready("/health");
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
    /// ```
    /// use plimsoll::Service;
    /// let service = Service::url("http://127.0.0.1:8080");
    /// ```
    pub fn url(url: impl Into<String>) -> Self {
        Self(ServiceKind::Url(url.into()))
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
    pub(crate) ready: Option<String>,
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

    /// Sets the path that answers with a 2xx once the service is ready. Without it the service is ready when its port accepts
    /// connections.
    ///
    /// plimsoll waits up to [`ready_timeout`](crate::BenchmarkGroup::ready_timeout). If the service keeps refusing the path itself
    /// (with 404 or 405, for example), it gives up earlier: after 3 seconds, or a tenth of `ready_timeout` if that is longer.
    #[must_use]
    pub fn ready(mut self, path: impl Into<String>) -> Self {
        self.ready = Some(path.into());
        self
    }
}

type Serve = dyn Fn(TcpListener) -> Pin<Box<dyn Future<Output = ()>>> + Send + Sync;

/// The function that serves in this process.
#[derive(Clone)]
pub struct InProcess {
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

/// The text with `{port}` replaced, where it is a word or follows `=`, `:` or a comma. `{{port}}` becomes `{port}`.
pub(crate) fn with_port(text: &str, port: u16) -> String {
    const PLACEHOLDER: &str = "{port}";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(PLACEHOLDER) {
        let (before, after) = (&rest[..at], &rest[at + PLACEHOLDER.len()..]);
        let before_it = before.chars().next_back().or_else(|| out.chars().next_back());
        let after_it = after.chars().next();
        if before_it == Some('{') && after_it == Some('}') {
            out.push_str(before.strip_suffix('{').unwrap_or(before));
            out.push_str(PLACEHOLDER);
            rest = after.strip_prefix('}').unwrap_or(after);
            continue;
        }
        out.push_str(before);
        let opens = before_it.is_none_or(|c| c.is_whitespace() || matches!(c, '=' | ':' | ','));
        let closes = after_it.is_none_or(|c| c.is_whitespace() || matches!(c, '/' | ',' | ';'));
        if opens && closes {
            out.push_str(&port.to_string());
        } else {
            out.push_str(PLACEHOLDER);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_placeholder_becomes_the_port_where_a_port_can_stand() {
        for (text, expected) in [
            ("{port}", "8080"),
            ("--port={port}", "--port=8080"),
            ("127.0.0.1:{port}", "127.0.0.1:8080"),
            ("http://h:{port}/x", "http://h:8080/x"),
            ("exec server --port {port} --x", "exec server --port 8080 --x"),
            ("{{port}}", "{port}"),
            ("a{port}b", "a{port}b"),
            ("{port", "{port"),
        ] {
            assert_eq!(with_port(text, 8080), expected, "{text}");
        }
    }
}
