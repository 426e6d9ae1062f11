//! What is loaded: a command that plimsoll starts, an address that already runs, or a server in this process.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpListener;

/// What is loaded: a [command](Service::command) to start, an [address](Service::url), or a
/// [server in this process](Service::in_process).
///
/// ```
/// use plimsoll::Service;
/// # let mut harness = plimsoll::Harness::default();
/// let mut group = harness.benchmark_group("search");
/// group.service(Service::command("./server").args(["--port", "{port}"]));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Service {
    /// Nothing was said: each cell's URL must then be whole.
    #[default]
    Absent,
    /// A program that is started anew for each launch.
    Command(Command),
    /// Something that already runs (one launch).
    Url(String),
    /// A server in a thread of its own (one launch).
    InProcess(InProcess),
}

impl Service {
    /// A program that plimsoll starts, with the port that it picked.
    ///
    /// `{port}` as a word of its own, or behind `=`, `:` or a comma, in [`args`](Command::args) and [`env`](Command::env) becomes that
    /// port; `{{port}}` is the text itself. The variable `PORT` holds it too.
    ///
    /// ```
    /// use plimsoll::Service;
    /// let service = Service::command("./server").args(["--listen", "127.0.0.1:{port}"]).ready("/health");
    /// ```
    pub fn command(program: impl Into<String>) -> Command {
        Command {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            directory: None,
            ready: None,
        }
    }

    /// A service that already runs, as `http://host:port`. It has one launch.
    ///
    /// ```
    /// use plimsoll::Service;
    /// let service = Service::url("http://127.0.0.1:8080");
    /// ```
    pub fn url(url: impl Into<String>) -> Self {
        Self::Url(url.into())
    }

    /// A server that runs in a thread of this process, on a runtime of its own. It has one launch, and shares its process
    /// with the client: good for trying things, not for small differences.
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
        Self::InProcess(InProcess {
            serve: Arc::new(move |listener| {
                let served = serve(listener);
                Box::pin(async move {
                    served.await;
                })
            }),
        })
    }

    /// Whether it can be started more than once.
    pub(crate) fn has_launches(&self) -> bool {
        matches!(self, Self::Command(_))
    }
}

impl From<Command> for Service {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

/// A program and how to start it: what [`Service::command`] begins.
///
/// ```
/// use plimsoll::{Command, Service};
///
/// fn server() -> Command {
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
pub struct Command {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) ready: Option<String>,
}

impl Command {
    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment; the rest is inherited.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// The folder in which it starts; else that of the package.
    #[must_use]
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The program as it was given.
    pub(crate) fn program(&self) -> &str {
        &self.program
    }

    /// A path that answers with a 2xx once the service is up. Without it, the service is up when its port accepts.
    ///
    /// A service that refuses the path as such (with 404 or 405, say) for three seconds, or a tenth of a longer `ready_timeout`, is
    /// not waited for any longer.
    #[must_use]
    pub fn ready(mut self, path: impl Into<String>) -> Self {
        self.ready = Some(path.into());
        self
    }
}

/// What a server in this process runs.
type Serve = dyn Fn(TcpListener) -> Pin<Box<dyn Future<Output = ()>>> + Send + Sync;

/// A server that runs in a thread of this process.
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

/// An argument or a variable with `{port}` replaced where it is a word of its own or stands behind `=`, `:` or a comma.
pub(crate) fn with_port(text: &str, port: u16) -> String {
    const HOLE: &str = "{port}";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(HOLE) {
        let (before, after) = (&rest[..at], &rest[at + HOLE.len()..]);
        let behind = before.chars().next_back().or_else(|| out.chars().next_back());
        let ahead = after.chars().next();
        if behind == Some('{') && ahead == Some('}') {
            out.push_str(before.strip_suffix('{').unwrap_or(before));
            out.push_str(HOLE);
            rest = after.strip_prefix('}').unwrap_or(after);
            continue;
        }
        out.push_str(before);
        let opens = behind.is_none_or(|c| c.is_whitespace() || matches!(c, '=' | ':' | ','));
        let closes = ahead.is_none_or(|c| c.is_whitespace() || matches!(c, '/' | ',' | ';'));
        if opens && closes {
            out.push_str(&port.to_string());
        } else {
            out.push_str(HOLE);
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
    fn the_port_goes_where_a_port_can_stand() {
        for (text, expected) in [
            ("{port}", "8080"),
            ("--port={port}", "8080".to_owned().as_str()),
            ("127.0.0.1:{port}", "127.0.0.1:8080"),
            ("http://h:{port}/x", "http://h:8080/x"),
            ("exec server --port {port} --x", "exec server --port 8080 --x"),
            ("{{port}}", "{port}"),
            ("a{port}b", "a{port}b"),
            ("{port", "{port"),
        ] {
            let expected = if text == "--port={port}" { "--port=8080" } else { expected };
            assert_eq!(with_port(text, 8080), expected, "{text}");
        }
    }
}
