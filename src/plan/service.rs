//! The service to load: a program that plimsoll starts, an address where one runs, or a server in this process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::plan::endpoint::Endpoint;
use crate::plan::id::Side;

/// The placeholders of a service.
const PORT: &str = "port";
const SIDE: &str = "side";
const LAUNCH: &str = "launch";
/// Begins the placeholder of a further port.
const NAMED_PORT: &str = "port:";

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
    /// The variable `PORT` holds the port. [`args`](ServiceCommand::args) and [`env`](ServiceCommand::env) may have placeholders:
    ///
    /// | placeholder | becomes |
    /// |---|---|
    /// | `{port}` | the port |
    /// | `{port:NAME}` | another free port; within a launch, the same name means the same port |
    /// | `{side}` | `base` or `head`; without a duet always `head` |
    /// | `{launch}` | a number of six digits that no other launch of base or head has |
    /// | `{{name}}` | the text `{name}` |
    ///
    /// Any other `{name}` is an error (exit code 2). `${name}` is left to the shell.
    ///
    /// ```
    /// use plimsoll::Service;
    /// let service = Service::command("./server").args(["--listen", "127.0.0.1:{port}"]).ready("/health");
    /// let configured = Service::command("./server").env("CONFIG", r#"{"port": {port}, "log": "{{level}} {{text}}"}"#);
    /// let separate = Service::command("./server").args(["--admin", "{port:admin}", "--data", "/tmp/{side}-{launch}"]);
    /// ```
    pub fn command(program: impl Into<String>) -> ServiceCommand {
        ServiceCommand {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            directory: None,
            ready: None,
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// A service that already runs at `http://host:port`. plimsoll cannot restart it, so a run has one launch and finds only
    /// large changes.
    ///
    /// plimsoll waits up to [`ready_timeout`](crate::BenchmarkGroup::ready_timeout) until its port accepts connections, or until it
    /// is [`ready`](Self::ready). The name of a container may not be resolved before that runs, and is waited for, too.
    ///
    /// ```
    /// use plimsoll::Service;
    /// let service = Service::url("http://127.0.0.1:8080");
    /// ```
    pub fn url(url: impl Into<String>) -> Self {
        Self(ServiceKind::Url(ServiceUrl { url: url.into(), ready: None }))
    }

    /// Sets the request that shows whether the service is ready, as [`ServiceCommand::ready`] does.
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
    /// Commands to run before and after each launch.
    pub(crate) before: Vec<ServiceCommand>,
    pub(crate) after: Vec<ServiceCommand>,
}

impl ServiceCommand {
    /// Adds an argument, which may have [placeholders](Service::command).
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments, which may have [placeholders](Service::command).
    #[must_use]
    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable. The other variables are inherited. The value may have [placeholders](Service::command).
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

    /// Adds a command that runs to its end before each launch, for example to create a database.
    ///
    /// It uses the placeholders, the environment and the working directory of the service, and its own `env` adds variables. It may
    /// take as long as the service may take to start ([`ready_timeout`](crate::BenchmarkGroup::ready_timeout)). If it fails, the
    /// service is not started, and the error shows its last output. Processes that it leaves behind are killed.
    ///
    /// ```
    /// use plimsoll::Service;
    /// let service = Service::command("./shop")
    ///     .args(["--database", "shop_{side}_{launch}"])
    ///     .before_launch(Service::command("createdb").arg("shop_{side}_{launch}"))
    ///     .after_launch(Service::command("dropdb").arg("shop_{side}_{launch}"));
    /// ```
    #[must_use]
    pub fn before_launch(mut self, command: ServiceCommand) -> Self {
        self.before.push(command);
        self
    }

    /// Adds a command that runs to its end after each launch, when the service was stopped. It runs as a command of
    /// [`before_launch`](Self::before_launch) does, also if the launch failed or was interrupted, but not if plimsoll itself is killed.
    /// If it fails, plimsoll prints a warning and goes on.
    ///
    /// ```
    /// use plimsoll::Service;
    /// let data = "/tmp/shop-{side}-{launch}";
    /// let service = Service::command("./shop")
    ///     .args(["--data", data])
    ///     .after_launch(Service::command("rm").args(["-rf", data]));
    /// ```
    #[must_use]
    pub fn after_launch(mut self, command: ServiceCommand) -> Self {
        self.after.push(command);
        self
    }

    /// The commands that run before and after each launch.
    pub(crate) fn hooks(&self) -> impl Iterator<Item = &ServiceCommand> {
        self.before.iter().chain(&self.after)
    }

    /// Its texts and those of its hooks that may have placeholders.
    fn texts(&self) -> impl Iterator<Item = &String> {
        std::iter::once(self)
            .chain(self.hooks())
            .flat_map(|command| command.args.iter().chain(command.env.values()))
    }

    /// The names of the further ports of a launch whose Unix socket has this path.
    pub(crate) fn port_names(&self, socket: Option<&String>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for text in self.texts().chain(socket) {
            fill(text, |name| {
                names.extend(name.strip_prefix(NAMED_PORT).map(str::to_owned));
                String::new()
            });
        }
        names
    }

    /// What is wrong with it. `None`: nothing.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.program.is_empty() {
            return Some("the program of its service is empty".to_owned());
        }
        for hook in self.hooks() {
            if hook.program.is_empty() {
                return Some("the program of before_launch or after_launch is empty".to_owned());
            }
            if hook.ready.is_some() || hook.hooks().next().is_some() {
                return Some(format!(
                    "the command `{}` of before_launch or after_launch has .ready(…), .before_launch(…) or .after_launch(…): \
                     only the service can have these",
                    hook.program
                ));
            }
        }
        self.texts().find_map(|text| parse_service_text(text).err()).map(|error| error.to_string())
    }

    /// Sets the request that shows whether the service is ready: a path, or an [`Endpoint`] with its headers and checks. It is repeated
    /// until the answer is a 2xx or 3xx. Without it the service is ready when its port accepts connections, on 127.0.0.1 or on ::1.
    ///
    /// plimsoll waits up to [`ready_timeout`](crate::BenchmarkGroup::ready_timeout) while connections are refused and while the answer
    /// is a 5xx, 408, 425 or 429. After a 404 it waits for 3 seconds, or for a tenth of `ready_timeout` if that is longer, since some
    /// services listen before they have their routes. Any other 4xx is an error: the request is wrong.
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
        self.ready == other.ready && Arc::ptr_eq(&self.serve, &other.serve)
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
    "`{{{0}}}` is not a placeholder of a service: write `{{port}}`, `{{port:NAME}}`, `{{side}}` or `{{launch}}`, or `{{{{{0}}}}}` for the \
     text `{{{0}}}` itself"
)]
pub(crate) struct UnknownPlaceholder(String);

/// An argument of a service as a flag gives it.
///
/// # Errors
/// If it has a placeholder that plimsoll does not know.
pub(crate) fn parse_service_text(text: &str) -> Result<String, UnknownPlaceholder> {
    let mut unknown = None;
    fill(text, |name| {
        if ![PORT, SIDE, LAUNCH].contains(&name) && !name.starts_with(NAMED_PORT) {
            unknown.get_or_insert_with(|| name.to_owned());
        }
        String::new()
    });
    unknown.map_or_else(|| Ok(text.to_owned()), |name| Err(UnknownPlaceholder(name)))
}

/// Whether a text has a placeholder, so that no two launches have the same text at the same time.
pub(crate) fn has_placeholder(text: &str) -> bool {
    let mut found = false;
    fill(text, |_| {
        found = true;
        String::new()
    });
    found
}

/// The values of the placeholders in one launch.
#[derive(Debug, Clone)]
pub(crate) struct LaunchValues {
    pub(crate) side: Side,
    pub(crate) launch: usize,
    pub(crate) port: u16,
    /// The further ports by their names.
    pub(crate) ports: BTreeMap<String, u16>,
}

impl LaunchValues {
    /// The text with each placeholder replaced. `{{name}}` becomes `{name}`.
    pub(crate) fn fill(&self, text: &str) -> String {
        fill(text, |name| match name {
            PORT => self.port.to_string(),
            SIDE => self.side.to_string(),
            LAUNCH => self.launch.to_string(),
            _ => {
                let port = name.strip_prefix(NAMED_PORT).and_then(|name| self.ports.get(name));
                port.map_or_else(|| format!("{{{name}}}"), u16::to_string)
            }
        })
    }
}

/// The text that [`LaunchValues::fill`] turns into this one.
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

/// The name in the braces that a text begins with, and what follows them. A name may have two parts, as in `port:admin`.
fn braced(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = |name: &str, others: &[char]| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(&c))
    };
    let (first, second) = name.split_once(':').map_or((name, None), |(first, second)| (first, Some(second)));
    let is_placeholder = is_name(first, &['_']) && second.is_none_or(|second| is_name(second, &['_', '-']));
    is_placeholder.then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_port(text: &str, port: u16) -> String {
        LaunchValues { side: Side::Head, launch: 1, port, ports: BTreeMap::new() }.fill(text)
    }

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
    fn side_launch_and_further_ports_have_placeholders() {
        let ports = [("admin", 1_001), ("a-b_2", 1_002)].map(|(name, port)| (name.to_owned(), port)).into();
        let values = LaunchValues { side: Side::Base, launch: 17, port: 1_000, ports };
        for (text, expected) in [
            ("shop_{side}_{launch}", "shop_base_17"),
            ("{port}:{port:admin}:{port:a-b_2}", "1000:1001:1002"),
            (r#"{"admin":{port:admin}}"#, r#"{"admin":1001}"#),
            ("{{port:admin}} {{side}} ${side} ${port:-80}", "{port:admin} {side} ${side} ${port:-80}"),
            ("{port:} {port:80} {a:1}", "{port:} {port:80} {a:1}"),
        ] {
            assert_eq!(parse_service_text(text).as_deref(), Ok(text));
            assert_eq!(values.fill(text), expected, "{text}");
        }
        assert_eq!(parse_service_text("{Port:admin}"), Err(UnknownPlaceholder("Port:admin".into())));
        assert!(has_placeholder("/tmp/{side}.sock") && !has_placeholder("/tmp/{{side}}.sock"));
        let command = Service::command("x")
            .args(["{port:a}", "{port}"])
            .env("B", "{port:b}{{port:none}}")
            .before_launch(Service::command("y").arg("{port:c}"));
        let names = command.port_names(Some(&"/tmp/{port:a}-{port:d}".to_owned()));
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    }

    #[test]
    fn commands_around_a_launch_are_checked_as_the_service_is() {
        let problem = |hook: ServiceCommand| Service::command("x").after_launch(hook).problem().unwrap();
        assert!(problem(Service::command("")).contains("program of before_launch or after_launch is empty"));
        assert!(problem(Service::command("y").arg("{Side}")).contains("`{Side}` is not a placeholder"));
        assert!(problem(Service::command("y").ready("/x")).contains("only the service can have these"));
        let nested = Service::command("y").before_launch(Service::command("z"));
        assert!(problem(nested).contains("the command `y` of before_launch"));
    }

    #[test]
    fn an_unknown_placeholder_is_named_with_a_way_out() {
        let error = Service::command("./server").arg("{port}").env("A", "x{Port}y").problem().unwrap();
        let expected = "`{Port}` is not a placeholder of a service: write `{port}`, `{port:NAME}`, `{side}` or `{launch}`, or \
                        `{{Port}}` for the text `{Port}` itself";
        assert_eq!(error, expected);
        assert_eq!(parse_service_text("--x={HOST}:{port}").unwrap_err(), UnknownPlaceholder("HOST".into()));
    }

    #[test]
    fn servers_in_this_process_are_the_same_if_they_have_the_same_ready_request() {
        let server = Service::in_process(|_| async {});
        assert_eq!(server, server.clone());
        assert_eq!(server.clone().ready("/up"), server.clone().ready("up"));
        assert_ne!(server.clone().ready("/up"), server.clone().ready("/other"));
        assert_ne!(server.clone().ready("/up"), server);
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
