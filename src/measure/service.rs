//! Services: started once per launch, waited for until they are ready, and stopped without leaving a process behind.
//!
//! [`Launcher::prepare`] turns a [`plan::Service`](crate::plan::Service) into a [`Launcher`] and reports everything that is wrong with
//! the program. Each [`Launcher::start`] returns a [`Running`] that answers requests.
//!
//! A child of the service that leaves its process group (`setsid`, a daemon) is not found again, and outlives the run.

use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::measure::port::{NoFreePort, PortLease, is_free};
use crate::measure::process::{Ending, ServiceProcess};
use crate::measure::program::{Program, ProgramError};
use crate::measure::ready::{Attempt, Patience, Place, ReadyCheck, Setting, Unready};
use crate::output;
use crate::plan::{
    Endpoint, Group, InProcess, IpVersion, LaunchValues, Service, ServiceCommand, ServiceKind, ServiceUrl,
    Side, Transport,
};

/// Ports to try if another process takes them before the service does.
const PORT_TRIES: usize = 5;
/// Numbers of the first launch of a call: two calls on one machine hardly use the same numbers. All have six digits, so that each launch
/// has equally long arguments.
const FIRST_LAUNCH: Range<usize> = 100_000..900_000;
/// Interval at which a command before or after a launch is checked until it has ended.
const HOOK_POLL: Duration = Duration::from_millis(1);
/// The search path of a process without one.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// The variable that pads the stack of a duet's side.
const PADDING: &str = "PLIMSOLL_PADDING";
/// Time for the thread of an in-process server to end. A thread that blocks cannot be ended from outside, and is left alone.
const THREAD_GRACE: Duration = Duration::from_secs(2);
/// Interval at which that thread is checked meanwhile.
const THREAD_POLL: Duration = Duration::from_millis(1);

/// Why a service did not start, or no longer runs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    NoFreePort(#[from] NoFreePort),
    /// `what` is "the service" or "the command of before_launch".
    #[error("could not start {what} `{command}` in {}: {source}", directory.display())]
    Spawn { what: String, command: String, directory: PathBuf, source: io::Error },
    #[error("the command of {hook}: {source}")]
    HookProgram { hook: Hook, source: Box<Self> },
    #[error("the command of {hook} failed: `{command}` {ending}{output}")]
    Hook { hook: Hook, command: String, ending: Ending, output: String },
    #[error(
        "the command of {hook} did not end within {waited:?}: `{command}`; if it only needs longer, raise the timeout with \
         group.ready_timeout(…){output}"
    )]
    HookTimeout { hook: Hook, command: String, waited: Duration, output: String },
    #[error("the service ended before it was ready: `{command}` {ending}{output}")]
    DiedEarly { command: String, ending: Ending, output: String },
    /// `service` is "the service `./server`" or "the service at http://host".
    #[error("{service} {why}{output}")]
    NotReady { service: String, why: Unready, output: String },
    #[error("the service died while cell `{cell}` was measured: `{command}` {ending}{output}")]
    Died { cell: String, command: String, ending: Ending, output: String },
    #[error("could not start the server in this process: {0}")]
    InProcess(io::Error),
    #[error("the server in this process ended before it was ready: {how}")]
    DiedEarlyInProcess { how: String },
    #[error("the server in this process ended while cell `{cell}` was measured: {how}")]
    DiedInProcess { cell: String, how: String },
}

/// When a command of the bench file runs. Displayed as the method that sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    Before,
    After,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before_launch",
            Self::After => "after_launch",
        })
    }
}

/// A service that can be started.
#[derive(Debug)]
pub(crate) enum Launcher {
    /// Somebody else has started it. `None` if the endpoints have whole URLs.
    External(Option<ServiceUrl>),
    InProcess(InProcess),
    Command(Box<PreparedCommand>),
}

impl Launcher {
    /// Finds the program and those of its hooks, and copies them. Starts nothing. Their paths and working directories are relative to
    /// `root`, the package's folder. `service_args` are appended to the command line.
    pub(crate) fn prepare(
        service: &Service,
        side: Side,
        service_args: &[String],
        root: &Path,
    ) -> Result<Self, ServiceError> {
        Ok(match &service.0 {
            ServiceKind::Absent => Self::External(None),
            ServiceKind::Url(url) => Self::External(Some(url.clone())),
            ServiceKind::InProcess(server) => Self::InProcess(server.clone()),
            ServiceKind::Command(command) => {
                Self::Command(Box::new(PreparedCommand::new(command, side, service_args, root)?))
            }
        })
    }

    /// Makes the stacks of both sides of a duet begin at the same address.
    ///
    /// The kernel puts a program's path, arguments and environment at the top of its stack, so each byte of them moves all frames. That
    /// alone can change a program's speed by several percent (Mytkowicz, Diwan, Hauswirth, Sweeney: Producing Wrong Data Without
    /// Doing Anything Obviously Wrong!, ASPLOS 2009). Launches average it out where the kernel places stacks at random, but not
    /// elsewhere (`setarch -R`, some sandboxes). Therefore the side with fewer bytes gets a variable with the missing bytes, and the
    /// other side gets the same variable without a value.
    pub(crate) fn align_stacks(one: &mut Self, other: &mut Self) {
        let (Self::Command(one), Self::Command(other)) = (one, other) else { return };
        let (one_bytes, other_bytes) = (one.stack_bytes(), other.stack_bytes());
        one.padding = Some("0".repeat(other_bytes.saturating_sub(one_bytes)));
        other.padding = Some("0".repeat(one_bytes.saturating_sub(other_bytes)));
    }

    /// What is started, in words.
    pub(crate) fn describe(&self) -> &str {
        match self {
            Self::External(None) => "the endpoints' own hosts",
            Self::External(Some(service)) => &service.url,
            Self::InProcess(_) => "the server in this process",
            Self::Command(command) => &command.command.program,
        }
    }

    /// The first 16 hexadecimal digits of the SHA-256 of the program, `None` if the service is not a command or cannot be read.
    pub(crate) fn digest(&self) -> Option<&str> {
        let Self::Command(command) = self else { return None };
        command.program.digest()
    }

    /// Starts the service and waits until it is ready, asking it by `transport`. Dropping the future leaves no process behind.
    pub(crate) async fn start(
        &self,
        ready_timeout: Duration,
        transport: &Transport,
    ) -> Result<Running, ServiceError> {
        let patience = Patience::within(ready_timeout);
        match self {
            Self::External(None) => Ok(Running::new(None, transport, Life::External)),
            Self::External(Some(service)) => {
                let place = Place::Url(service.url.clone());
                let mut check =
                    ReadyCheck::new(service.ready.as_ref(), transport, patience, Setting::ReadyTimeout);
                let name = format!("the service at {}", service.url);
                let url = wait_at(&mut check, &place, &name, || None).await?;
                Ok(Running::new(Some(url), transport, Life::External))
            }
            Self::InProcess(server) => {
                let host = match transport.ip_version {
                    Some(IpVersion::V6) => IpAddr::from(Ipv6Addr::LOCALHOST),
                    _ => Ipv4Addr::LOCALHOST.into(),
                };
                let mut running = ServerThread::start(server, host).map_err(ServiceError::InProcess)?;
                let url = format!("http://{}", SocketAddr::from((host, running.port)));
                // Without a ready request it may take connections one by one.
                if let ready @ Some(_) = &server.ready {
                    let mut check =
                        ReadyCheck::new(ready.as_ref(), transport, patience, Setting::ReadyTimeout);
                    let died = || running.ending().map(|how| ServiceError::DiedEarlyInProcess { how });
                    wait_at(&mut check, &Place::Url(url.clone()), self.describe(), died).await?;
                }
                Ok(Running::new(Some(url), transport, Life::InProcess(running)))
            }
            Self::Command(command) => command.start(patience, transport, PortLease::new).await,
        }
    }
}

/// Waits until the service of `endpoint`, which has a whole URL, responds to it with a status below 500, up to `timeout` after `began`.
/// Only `GET` and `HEAD` are sent, since others may change something. For these its port must accept connections.
pub(crate) async fn wait_for(
    endpoint: &Endpoint,
    group: &Group,
    began: Instant,
    timeout: Duration,
) -> Result<(), ServiceError> {
    let request = endpoint.clone().timeout(endpoint.timeout.unwrap_or(group.settings.timeout));
    let request = Some(request).filter(|request| matches!(request.method.as_str(), "GET" | "HEAD"));
    let patience = Patience::within(timeout);
    let mut check = ReadyCheck::new(request.as_ref(), &group.transport, patience, Setting::Wait);
    check.began = began;
    wait_at(&mut check, &Place::Url(endpoint.url().to_owned()), endpoint.url(), || None).await.map(drop)
}

/// Waits for a service that has no process of its own. `died` says why it has ended.
async fn wait_at(
    check: &mut ReadyCheck,
    place: &Place,
    service: &str,
    mut died: impl FnMut() -> Option<ServiceError>,
) -> Result<String, ServiceError> {
    loop {
        let attempt = check.attempt(place).await;
        if let Some(error) = died() {
            return Err(error);
        }
        match attempt {
            Attempt::Ready(url) => return Ok(url),
            Attempt::NotYet => {}
            Attempt::GiveUp(why) => {
                let (service, output) = (service.to_owned(), String::new());
                return Err(ServiceError::NotReady { service, why, output });
            }
        }
    }
}

/// A command that only needs the values of its placeholders to start.
#[derive(Debug)]
pub(crate) struct PreparedCommand {
    program: Program,
    command: ServiceCommand,
    directory: PathBuf,
    side: Side,
    /// In a duet, the value of [`PADDING`].
    padding: Option<String>,
    before: Vec<PreparedCommand>,
    after: Arc<[PreparedCommand]>,
}

impl PreparedCommand {
    fn new(
        command: &ServiceCommand,
        side: Side,
        service_args: &[String],
        root: &Path,
    ) -> Result<Self, ServiceError> {
        let own_path = || std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        let search_path = command.env.get("PATH").map_or_else(own_path, OsString::from);
        let hooks = |when: Hook, hooks: &[ServiceCommand]| {
            let prepare = |hook: &ServiceCommand| {
                let mut hook = hook.clone();
                command.env.iter().for_each(|(name, value)| {
                    hook.env.entry(name.clone()).or_insert_with(|| value.clone());
                });
                hook.directory = hook.directory.or_else(|| command.directory.clone());
                Self::new(&hook, side, &[], root)
            };
            let prepared: Result<Vec<Self>, ServiceError> = hooks.iter().map(prepare).collect();
            prepared.map_err(|source| ServiceError::HookProgram { hook: when, source: Box::new(source) })
        };
        Ok(Self {
            program: Program::prepare(&command.program, root, &search_path)?,
            directory: command.directory.as_ref().map_or_else(|| root.to_owned(), |given| root.join(given)),
            side,
            before: hooks(Hook::Before, &command.before)?,
            after: hooks(Hook::After, &command.after)?.into(),
            command: command.clone().args(service_args),
            padding: None,
        })
    }

    /// The arguments in a launch with these values.
    fn args(&self, values: &LaunchValues) -> impl Iterator<Item = String> {
        self.command.args.iter().map(move |arg| values.fill(arg))
    }

    /// Bytes that the kernel puts on its stack, without padding: the path, the arguments and the environment, each with an end, and a
    /// pointer to each but the path.
    fn stack_bytes(&self) -> usize {
        const END: usize = 1;
        const EQUALS: usize = 1;
        const POINTER: usize = size_of::<usize>();
        // All values of a placeholder have the same length.
        const ANY_PORT: u16 = u16::MAX;
        let ports = self.command.port_names(None).into_iter().map(|name| (name, ANY_PORT)).collect();
        let values = LaunchValues { side: self.side, launch: FIRST_LAUNCH.start, port: ANY_PORT, ports };
        let path = self.program.file().as_os_str().len() + END;
        let name = self.program.original.as_os_str().len() + END + POINTER;
        let command = self.system_command(&values);
        let args = command.get_args().map(|arg| arg.len() + END + POINTER);
        let mut env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        env.extend(command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
        let env = env.iter().map(|(name, value)| name.len() + EQUALS + value.len() + END + POINTER);
        path + name + args.sum::<usize>() + env.sum::<usize>()
    }

    fn system_command(&self, values: &LaunchValues) -> process::Command {
        let mut command = process::Command::new(self.program.file());
        command.arg0(&self.program.original);
        command.args(self.args(values));
        command.env("PORT", values.port.to_string());
        command.envs(self.command.env.iter().map(|(name, value)| (name, values.fill(value))));
        command.envs(self.padding.as_ref().map(|padding| (PADDING, padding)));
        command.current_dir(&self.directory);
        command
    }

    /// The command line as errors show it.
    fn command_line(&self, values: &LaunchValues) -> String {
        let words: Vec<String> =
            std::iter::once(self.command.program.clone()).chain(self.args(values)).collect();
        let quoted = shlex::try_join(words.iter().map(String::as_str));
        quoted.unwrap_or_else(|_| words.join(" "))
    }

    fn spawn(&self, values: &LaunchValues, what: impl fmt::Display) -> Result<ServiceProcess, ServiceError> {
        self.program.check()?;
        ServiceProcess::spawn(self.system_command(values)).map_err(|source| ServiceError::Spawn {
            what: what.to_string(),
            command: self.command_line(values),
            directory: self.directory.clone(),
            source,
        })
    }

    /// Starts it as a command before or after a launch.
    fn start_hook(
        &self,
        hook: Hook,
        values: &LaunchValues,
        timeout: Duration,
    ) -> Result<RunningHook, ServiceError> {
        let process = self.spawn(values, format_args!("the command of {hook}"))?;
        Ok(RunningHook { hook, command: self.command_line(values), process, began: Instant::now(), timeout })
    }

    /// Starts it on a port, and on another one if it died because somebody took the port.
    async fn start(
        &self,
        patience: Patience,
        transport: &Transport,
        mut leases: impl FnMut() -> Result<PortLease, NoFreePort>,
    ) -> Result<Running, ServiceError> {
        let mut tries = 1;
        loop {
            let launch = self.launch(transport, &mut leases)?;
            let ports: Vec<u16> = launch.ports().collect();
            match self.start_on(launch, patience, transport).await {
                Err(ServiceError::DiedEarly { .. })
                    if tries < PORT_TRIES && !ports.iter().all(|port| is_free(*port)) =>
                {
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Leases what one launch has for itself.
    fn launch(
        &self,
        transport: &Transport,
        leases: &mut impl FnMut() -> Result<PortLease, NoFreePort>,
    ) -> Result<Launch, NoFreePort> {
        static NEXT: LazyLock<AtomicUsize> = LazyLock::new(|| fastrand::usize(FIRST_LAUNCH).into());
        let first = leases()?;
        let mut ports = BTreeMap::new();
        let port = first.port;
        let mut leased = vec![first];
        for name in self.command.port_names(transport.unix_socket.as_ref()) {
            let lease = leases()?;
            ports.insert(name, lease.port);
            leased.push(lease);
        }
        let launch = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Launch { values: LaunchValues { side: self.side, launch, port, ports }, leases: leased })
    }

    async fn start_on(
        &self,
        launch: Launch,
        patience: Patience,
        transport: &Transport,
    ) -> Result<Running, ServiceError> {
        let values = launch.values.clone();
        let mut transport = transport.clone();
        transport.unix_socket = transport.unix_socket.map(|path| values.fill(&path));
        let (after, socket) = (Arc::clone(&self.after), transport.unix_socket.clone().map(PathBuf::from));
        let cleanup = Cleanup { launch, after, socket, timeout: patience.timeout };
        let (url, process) = self.start_with(&values, patience, &transport).await?;
        let (process, command) = (Box::new(process), self.command_line(&values));
        let life = Life::Process { process, command };
        Ok(Running { cleanup: Some(cleanup), ..Running::new(Some(url), &transport, life) })
    }

    /// Runs the commands before a launch, starts it and waits until it is ready. Returns its URL, too.
    async fn start_with(
        &self,
        values: &LaunchValues,
        patience: Patience,
        transport: &Transport,
    ) -> Result<(String, ServiceProcess), ServiceError> {
        for hook in &self.before {
            hook.start_hook(Hook::Before, values, patience.timeout)?.finish().await?;
        }
        let mut process = self.spawn(values, "the service")?;
        let ready = self.command.ready.as_ref();
        let mut check = ReadyCheck::new(ready, transport, patience, Setting::ReadyTimeout);
        loop {
            let attempt = check.attempt(&Place::Port(values.port)).await;
            // Checked after the port, which another process may hold if the service is dead.
            if let Some(ending) = process.ending() {
                let (command, output) = (self.command_line(values), process.last_lines());
                return Err(ServiceError::DiedEarly { command, ending, output });
            }
            match attempt {
                Attempt::Ready(url) => return Ok((url, process)),
                Attempt::NotYet => {}
                Attempt::GiveUp(why) => {
                    let service = format!("the service `{}`", self.command_line(values));
                    return Err(ServiceError::NotReady { service, why, output: process.last_lines() });
                }
            }
        }
    }
}

/// What one launch has for itself.
#[derive(Debug)]
struct Launch {
    values: LaunchValues,
    leases: Vec<PortLease>,
}

impl Launch {
    fn ports(&self) -> impl Iterator<Item = u16> {
        self.leases.iter().map(|lease| lease.port)
    }
}

/// A command before or after a launch while it runs. Dropping it kills all processes of its group.
#[derive(Debug)]
struct RunningHook {
    hook: Hook,
    command: String,
    process: ServiceProcess,
    began: Instant,
    timeout: Duration,
}

impl RunningHook {
    /// `None` if it still runs and may do so.
    fn outcome(&mut self) -> Option<Result<(), ServiceError>> {
        let ending = self.process.ending();
        let is_late = self.began.elapsed() >= self.timeout;
        if matches!(ending, Some(Ending::Exit(0) | Ending::Unknown)) {
            return Some(Ok(()));
        }
        if ending.is_none() && !is_late {
            return None;
        }
        let (hook, command, output) = (self.hook, self.command.clone(), self.process.last_lines());
        Some(Err(match ending {
            Some(ending) => ServiceError::Hook { hook, command, ending, output },
            None => ServiceError::HookTimeout { hook, command, waited: self.timeout, output },
        }))
    }

    async fn finish(mut self) -> Result<(), ServiceError> {
        loop {
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            tokio::time::sleep(HOOK_POLL).await;
        }
    }

    /// The same without a runtime.
    fn finish_blocking(mut self) -> Result<(), ServiceError> {
        loop {
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            thread::sleep(HOOK_POLL);
        }
    }
}

/// What follows a launch. It happens on drop, so that a launch that failed or was interrupted is cleaned up, too.
#[derive(Debug)]
struct Cleanup {
    /// Its ports stay leased until the end.
    launch: Launch,
    /// All of these commands run, also if one fails. What was measured does not depend on them, so a failure is only told.
    after: Arc<[PreparedCommand]>,
    /// A service that is killed leaves its Unix socket behind.
    socket: Option<PathBuf>,
    timeout: Duration,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        for hook in &*self.after {
            let started = hook.start_hook(Hook::After, &self.launch.values, self.timeout);
            if let Err(error) = started.and_then(RunningHook::finish_blocking) {
                output::log(format_args!("warning: {error}"));
            }
        }
        let is_socket = |path: &&PathBuf| fs::metadata(path).is_ok_and(|file| file.file_type().is_socket());
        if let Some(path) = self.socket.as_ref().filter(is_socket) {
            // Only what has the path next would miss it, and says so.
            _ = fs::remove_file(path);
        }
    }
}

/// A service that answers. Dropping it kills all processes of its group.
#[derive(Debug)]
pub(crate) struct Running {
    /// `http://host:port`, to which an endpoint's path is appended. `None` for a group without a service, whose endpoints have whole URLs.
    pub(crate) url: Option<String>,
    /// The path of the Unix socket that it listens on.
    unix_socket: Option<String>,
    life: Life,
    // Dropped after the service was killed.
    cleanup: Option<Cleanup>,
}

#[derive(Debug)]
enum Life {
    /// Started by somebody else.
    External,
    InProcess(ServerThread),
    Process {
        process: Box<ServiceProcess>,
        command: String,
    },
}

impl Running {
    fn new(url: Option<String>, transport: &Transport, life: Life) -> Self {
        Self { url, unix_socket: transport.unix_socket.clone(), life, cleanup: None }
    }

    /// The transport of a group whose requests go to this launch.
    pub(crate) fn transport(&self, of_group: &Transport) -> Transport {
        Transport { unix_socket: self.unix_socket.clone(), ..of_group.clone() }
    }

    /// The process groups of its processes, none for a server in this process. `None` if somebody else started it.
    pub(crate) fn groups(&self) -> Option<Vec<i32>> {
        match &self.life {
            Life::External => None,
            Life::InProcess(_) => Some(Vec::new()),
            Life::Process { process, .. } => Some(process.groups().to_vec()),
        }
    }

    /// The id of its process; of this process for a server in it. `None` if somebody else started it.
    pub(crate) fn process(&self) -> Option<u32> {
        match &self.life {
            Life::External => None,
            Life::InProcess(_) => Some(process::id()),
            Life::Process { process, .. } => u32::try_from(process.groups()[1]).ok(),
        }
    }

    /// Whether it still runs, or somebody else started it. `cell` is the id of the cell that is measured.
    ///
    /// # Errors
    /// How it ended.
    pub(crate) fn check_alive(&mut self, cell: &str) -> Result<(), ServiceError> {
        let cell = cell.to_owned();
        match &mut self.life {
            Life::InProcess(server) => {
                server.ending().map_or(Ok(()), |how| Err(ServiceError::DiedInProcess { cell, how }))
            }
            Life::Process { process, command, .. } => process.ending().map_or(Ok(()), |ending| {
                let (command, output) = (command.clone(), process.last_lines());
                Err(ServiceError::Died { cell, command, ending, output })
            }),
            Life::External => Ok(()),
        }
    }

    /// Stops it: SIGTERM to its group, a moment's grace, then SIGKILL. Then runs the commands after the launch.
    pub(crate) async fn stop(self) {
        if let Life::Process { process, .. } = self.life {
            process.stop().await;
        }
        drop(self.cleanup);
    }
}

/// A server in a thread of this process, with its own runtime, so that it shares no scheduler with the client. Dropping it ends the thread.
#[derive(Debug)]
struct ServerThread {
    port: u16,
    thread: Option<JoinHandle<io::Result<()>>>,
    stop: Option<oneshot::Sender<()>>,
    ending: Option<String>,
}

impl ServerThread {
    /// Binds a port of a loopback address and serves it. Connections are accepted as soon as this returns.
    fn start(server: &InProcess, host: IpAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((host, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let (stop, stopped) = oneshot::channel();
        let server = server.clone();
        let thread = thread::Builder::new()
            .name("in-process service".to_owned())
            .spawn(move || serve(&server, listener, stopped))?;
        Ok(Self { port, thread: Some(thread), stop: Some(stop), ending: None })
    }

    /// How it ended, `None` if it still runs.
    fn ending(&mut self) -> Option<String> {
        if let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) {
            self.ending = Some(match thread.join() {
                Ok(Ok(())) => "it returned".to_owned(),
                Ok(Err(error)) => format!("it has no runtime: {error}"),
                Err(payload) => format!("it panicked: {}", panic_message(&*payload)),
            });
        }
        self.ending.clone()
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        self.stop = None;
        let began = Instant::now();
        while self.ending().is_none() && began.elapsed() < THREAD_GRACE {
            thread::sleep(THREAD_POLL);
        }
    }
}

fn serve(server: &InProcess, listener: TcpListener, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // A local set, because the server's future need not be `Send` and may use `spawn_local`.
    let served = LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::select! {
            () = (server.serve)(listener) => {}
            _ = stopped => {}
        }
        Ok(())
    });
    // Does not wait for its blocking threads.
    runtime.shutdown_background();
    served
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::process::{Command as Process, Stdio};
    use std::sync::Mutex;

    use super::*;
    use crate::plan::Location;

    /// Makes this test binary, which the tests start again, a server. Without this variable, [`SERVER_ENTRY`] is a test like others.
    const IS_SERVER: &str = "PLIMSOLL_TEST_IS_SERVER";
    const SERVER_ENTRY: &str =
        "measure::service::tests::the_port_is_in_arguments_and_environment_and_service_args_come_last";
    /// Makes this test binary a plimsoll that is killed, in the same way.
    const IS_KILLED: &str = "PLIMSOLL_TEST_IS_KILLED";
    const KILLED_ENTRY: &str = "measure::service::tests::nothing_is_left_when_plimsoll_is_killed_by_sigkill";
    /// The file to which the server writes the ids of the processes that it starts.
    const PIDS: &str = "PLIMSOLL_TEST_PIDS";
    /// The path of a Unix socket for the server to listen on instead of the port.
    const SOCKET: &str = "PLIMSOLL_TEST_SOCKET";
    /// Makes the server leave its group immediately, as a daemon does.
    const LEAVES: &str = "PLIMSOLL_TEST_LEAVES";
    /// Longer than anything takes on a busy machine.
    const LONG: Duration = Duration::from_secs(60);
    /// Limit for killed processes to be gone.
    const SOON: Duration = Duration::from_secs(5);

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn shell(script: &str) -> ServiceCommand {
        Service::command("sh").args(["-c", script])
    }

    /// This test binary as [`be_server`].
    fn server() -> ServiceCommand {
        let program = std::env::current_exe().unwrap();
        let args = ["--exact", SERVER_ENTRY, "--nocapture"];
        Service::command(program.to_str().unwrap()).args(args).env(IS_SERVER, "true")
    }

    fn prepare(command: &ServiceCommand) -> PreparedCommand {
        PreparedCommand::new(command, Side::Head, &[], &std::env::temp_dir()).unwrap()
    }

    fn start(service: impl Into<Service>, timeout: Duration) -> Result<Running, ServiceError> {
        let launcher = Launcher::prepare(&service.into(), Side::Head, &[], &std::env::temp_dir())?;
        block_on(launcher.start(timeout, &Transport::default()))
    }

    fn pid(running: &Running) -> i32 {
        match &running.life {
            Life::Process { process, .. } => process.groups()[1],
            Life::External | Life::InProcess(_) => panic!("it has no process of its own"),
        }
    }

    fn url(running: &Running) -> &str {
        running.url.as_deref().unwrap()
    }

    fn get(url: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // A server that dies resets the connection: what came until then counts.
        _ = stream.read_to_string(&mut answer);
        answer
    }

    /// Whether a process still runs. A dead one that nobody reaps does not.
    fn is_running(pid: &str) -> bool {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }

    fn eventually(mut holds: impl FnMut() -> bool) -> bool {
        let began = Instant::now();
        while began.elapsed() < SOON {
            if holds() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        holds()
    }

    fn pids(file: &Path, count: usize) -> Vec<String> {
        let read = || fs::read_to_string(file).unwrap_or_default();
        assert!(eventually(|| read().lines().count() >= count), "{} has too few lines", file.display());
        read().lines().map(str::to_owned).collect()
    }

    /// A server. `/up` responds with 503 twice and then with 200, `/late` likewise with 404, `/none` always with 404. Everything else gets
    /// 200 immediately, with the arguments and a variable. It starts a child and a grandchild that ignore SIGTERM.
    #[expect(clippy::zombie_processes, reason = "the child is there to be killed")]
    fn be_server() -> ! {
        if std::env::var(LEAVES).as_deref() == Ok("true") {
            nix::unistd::setsid().unwrap();
        }
        if let Some(file) = std::env::var_os(PIDS) {
            let script = "trap '' TERM; echo $$ >> \"$0\"; sleep 1000 & echo $! >> \"$0\"; wait";
            Process::new("sh").arg("-c").arg(script).arg(&file).spawn().unwrap();
        }
        let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
        let accept: Box<dyn Fn() -> TcpStream> = match std::env::var(SOCKET) {
            Ok(path) => {
                let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
                Box::new(move || std::os::fd::OwnedFd::from(listener.accept().unwrap().0).into())
            }
            Err(_) => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
                Box::new(move || listener.accept().unwrap().0)
            }
        };
        let mut ups = 0;
        loop {
            let mut stream = accept();
            let mut head = [0; 1024];
            let read = stream.read(&mut head).unwrap_or(0);
            let asks_for = |path: &str| head[..read].starts_with(format!("GET {path}").as_bytes());
            if asks_for("/die") {
                eprintln!("a request of death");
                std::process::exit(7);
            }
            ups += usize::from(asks_for("/up") || asks_for("/late"));
            let status = if asks_for("/up") && ups < 3 {
                503
            } else if asks_for("/late") && ups < 3 || asks_for("/none") {
                404
            } else {
                200
            };
            let lines: Vec<String> = std::env::args().chain(std::env::var("ADDRESS")).collect();
            let body = format!("{ups} ups\n{}\n", lines.join("\n"));
            _ = write!(stream, "HTTP/1.1 {status} X\r\nconnection: close\r\n\r\n{body}");
        }
    }

    /// A plimsoll that is killed while its service runs.
    fn be_killed() {
        let pids = PathBuf::from(std::env::var_os(PIDS).unwrap());
        let running = start(server().env(PIDS, pids.to_str().unwrap()), LONG).unwrap();
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&pids).unwrap();
        writeln!(file, "{}", pid(&running)).unwrap();
        thread::sleep(LONG);
        drop(running);
    }

    #[test]
    fn a_service_that_dies_immediately_is_an_error_with_its_exit_status_and_last_lines() {
        let error = start(shell("for i in 1 2 3; do echo line $i; done; echo no config >&2; exit 3"), LONG)
            .unwrap_err();
        assert!(matches!(error, ServiceError::DiedEarly { .. }), "{error}");
        let text = error.to_string();
        let end =
            " ended with exit status 3; its last output:\n  | line 1\n  | line 2\n  | line 3\n  | no config";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn a_service_that_is_killed_by_a_signal_is_an_error_that_names_the_signal() {
        let text = start(shell("kill -s SEGV $$"), LONG).unwrap_err().to_string();
        assert!(text.ends_with(" was killed by SIGSEGV; it wrote no output"), "{text}");
    }

    #[test]
    fn a_service_that_never_listens_is_an_error_that_says_what_to_do() {
        let text =
            start(shell("echo starting; sleep 1000"), Duration::from_millis(300)).unwrap_err().to_string();
        for part in ["within 300ms", "nothing accepts connections at 127.0.0.1:", "PORT", "| starting"] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }

    #[test]
    fn a_service_that_answers_with_503_is_not_ready_until_it_answers_with_200() {
        let running = start(server().ready("/up"), LONG).unwrap();
        assert!(get(url(&running), "/").contains("3 ups"));
    }

    /// Starts the server with a limit for answers that it does not know its ready path.
    fn start_unknown(ready: &str, unknown: Duration) -> Result<String, ServiceError> {
        let patience = Patience { timeout: LONG, unknown };
        let command = prepare(&server().ready(ready));
        let running = block_on(command.start(patience, &Transport::default(), PortLease::new))?;
        Ok(get(url(&running), "/"))
    }

    #[test]
    fn a_ready_path_that_stays_unknown_is_an_error_with_path_status_and_what_to_do() {
        let error = start_unknown("/none", Duration::from_millis(20)).unwrap_err();
        assert!(matches!(error, ServiceError::NotReady { why: Unready::Refused { .. }, .. }), "{error}");
        let text = error.to_string();
        for part in
            ["/none responds with status 404 instead of 2xx or 3xx", "there is no such path", ".ready(…)"]
        {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }

    #[test]
    fn late_routes_and_a_service_that_warms_up_are_waited_for() {
        assert!(start_unknown("/late", LONG).unwrap().contains("3 ups"));
        // A 503 says nothing about the path.
        assert!(start_unknown("/up", Duration::ZERO).unwrap().contains("3 ups"));
    }

    #[test]
    fn the_port_is_in_arguments_and_environment_and_service_args_come_last() {
        if std::env::var_os(IS_SERVER).is_some() {
            be_server();
        }
        let command = server().args(["--skip", "{{port}}"]).env("ADDRESS", "127.0.0.1:{port}");
        let args = ["--skip=x:{port}".to_owned()];
        let launcher = Launcher::prepare(&command.into(), Side::Head, &args, &std::env::temp_dir()).unwrap();
        let running = block_on(launcher.start(LONG, &Transport::default())).unwrap();
        let port = url(&running).rsplit_once(':').unwrap().1.to_owned();
        let answer = get(url(&running), "/");
        let original = std::env::current_exe().unwrap();
        assert!(answer.contains(&format!("\n{}\n", original.display())), "argv[0] is the original: {answer}");
        let expected = format!("\n--skip\n{{port}}\n--skip=x:{port}\n127.0.0.1:{port}\n");
        assert!(answer.ends_with(&expected), "{answer}");
    }

    #[test]
    fn each_launch_has_its_side_its_number_and_further_ports_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let text = "{side} {launch} {port} {port:admin} {port:other}";
        let note = |when: &str| {
            let script = "echo \"$0 $1 $PORT $ADDRESS $OWN\" >> \"$LOG\"";
            Service::command("sh").args(["-c", script, when, text]).env("OWN", "{port:admin}")
        };
        let command = server()
            .arg("{side}-{launch}-{port:admin}")
            .env("ADDRESS", text)
            .env("LOG", log.to_str().unwrap())
            .before_launch(note("before"))
            .after_launch(note("after"));
        let launch = |side: Side| {
            let launcher =
                Launcher::prepare(&command.clone().into(), side, &[], &std::env::temp_dir()).unwrap();
            let running = block_on(launcher.start(LONG, &Transport::default())).unwrap();
            let answer = get(url(&running), "/");
            let port = url(&running).rsplit_once(':').unwrap().1.to_owned();
            block_on(running.stop());
            let values = answer.lines().last().unwrap().to_owned();
            let lines = fs::read_to_string(&log).unwrap();
            fs::remove_file(&log).unwrap();
            let [_, _, _, admin, other] = values.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{values}")
            };
            let expected = |when: &str| format!("{when} {values} {port} {values} {admin}\n");
            assert_eq!(lines, expected("before") + &expected("after"));
            assert!(admin != other && admin != port && other != port, "{values}");
            let number = values.split(' ').nth(1).unwrap().to_owned();
            assert!(values.starts_with(&format!("{side} {number} {port} ")), "{values}");
            assert!(answer.contains(&format!("\n{side}-{number}-{admin}\n")), "{answer}");
            number
        };
        assert_ne!(launch(Side::Head), launch(Side::Base));
    }

    /// A command that writes its name to a file, and the lines of that file.
    fn noted(folder: &Path, name: &str) -> ServiceCommand {
        Service::command("sh").args([
            "-c",
            "echo \"$0\" >> \"$1\"",
            name,
            folder.join("log").to_str().unwrap(),
        ])
    }

    fn notes(folder: &Path) -> String {
        fs::read_to_string(folder.join("log")).unwrap_or_default().replace('\n', " ")
    }

    #[test]
    fn commands_run_before_the_service_starts_and_after_it_stopped_also_if_it_fails_or_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let around = |command: ServiceCommand| {
            command
                .before_launch(noted(folder.path(), "one"))
                .before_launch(noted(folder.path(), "two"))
                .after_launch(noted(folder.path(), "three"))
                .after_launch(noted(folder.path(), "four"))
        };
        let running = start(around(server()), LONG).unwrap();
        assert_eq!(notes(folder.path()), "one two ");
        drop(running);
        assert_eq!(notes(folder.path()), "one two three four ");
        let error = start(around(shell("echo no config; exit 3")), LONG).unwrap_err();
        assert!(matches!(error, ServiceError::DiedEarly { .. }), "{error}");
        assert_eq!(notes(folder.path()), "one two three four ".repeat(2));
        let interrupted = around(server().ready("/none"));
        let started = async {
            let launcher =
                Launcher::prepare(&interrupted.into(), Side::Head, &[], &std::env::temp_dir()).unwrap();
            let transport = Transport::default();
            tokio::select! {
                _ = launcher.start(LONG, &transport) => panic!("it is never ready"),
                () = async {
                    while notes(folder.path()).len() < "one two three four ".len() * 2 + "one two ".len() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                } => {}
            }
        };
        block_on(started);
        assert_eq!(notes(folder.path()), "one two three four ".repeat(3));
    }

    #[test]
    fn a_command_before_a_launch_that_fails_is_named_with_its_output_and_the_service_does_not_start() {
        let folder = tempfile::tempdir().unwrap();
        let service =
            shell("echo started >> \"$LOG\"").env("LOG", folder.path().join("log").to_str().unwrap());
        let service = service.after_launch(noted(folder.path(), "after"));
        let text = start(service.clone().before_launch(shell("echo no room; exit 3")), LONG)
            .unwrap_err()
            .to_string();
        let expected = "the command of before_launch failed: `sh -c 'echo no room; exit 3'` ended with exit status 3; its last \
                        output:\n  | no room";
        assert_eq!(text, expected);
        let slow = service.before_launch(shell("echo waiting; sleep 1000"));
        let text = start(slow, Duration::from_millis(300)).unwrap_err().to_string();
        for part in ["before_launch did not end within 300ms", "group.ready_timeout(…)", "| waiting"] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        assert_eq!(notes(folder.path()), "after after ");
        let missing = start(server().before_launch(Service::command("./no-such-tool")), LONG).unwrap_err();
        let missing = missing.to_string();
        assert!(
            missing.starts_with("the command of before_launch: the program `./no-such-tool` was not"),
            "{missing}"
        );
    }

    #[test]
    fn a_command_after_a_launch_that_fails_is_named_and_the_others_run_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let fails = shell("echo still in use >&2; exit 1");
        let after = |service: ServiceCommand| {
            service.after_launch(fails.clone()).after_launch(noted(folder.path(), "last"))
        };
        block_on(start(after(server()), LONG).unwrap().stop());
        assert_eq!(notes(folder.path()), "last ");
        assert!(matches!(start(after(shell("exit 3")), LONG), Err(ServiceError::DiedEarly { .. })));
        assert_eq!(notes(folder.path()), "last last ");
        let launch = prepare(&fails).launch(&Transport::default(), &mut PortLease::new).unwrap();
        let hook = prepare(&fails).start_hook(Hook::After, &launch.values, LONG).unwrap();
        let text = hook.finish_blocking().unwrap_err().to_string();
        assert!(text.starts_with("the command of after_launch failed: `sh -c "), "{text}");
        assert!(text.ends_with("ended with exit status 1; its last output:\n  | still in use"), "{text}");
    }

    #[test]
    fn a_service_may_listen_on_a_unix_socket_of_its_own_in_each_launch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("{side}-{launch}.sock").to_str().unwrap().to_owned();
        let transport = Transport { unix_socket: Some(path.clone()), ..Transport::default() };
        let launch = |ready: Option<&str>| {
            let command = server().env(SOCKET, &path);
            let command = if let Some(ready) = ready { command.ready(ready) } else { command };
            let launcher =
                Launcher::prepare(&command.into(), Side::Head, &[], &std::env::temp_dir()).unwrap();
            let running = block_on(launcher.start(LONG, &transport)).unwrap();
            let socket = running.transport(&transport).unix_socket.unwrap();
            assert!(socket.contains("/head-") && Path::new(&socket).exists(), "{socket}");
            let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let mut answer = String::new();
            _ = stream.read_to_string(&mut answer);
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            drop(running);
            assert!(!Path::new(&socket).exists(), "{socket} was left behind");
            socket
        };
        assert_ne!(launch(None), launch(Some("/up")));
    }

    #[test]
    fn a_service_is_not_ready_if_it_has_died_and_another_process_accepts_at_its_port() {
        let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut lease = PortLease::of(stranger.local_addr().unwrap().port());
        // The port may accept before the service has died. Then the run finds it dead.
        let transport = Transport::default();
        let command = prepare(&shell("exit 1"));
        let launch = command.launch(&transport, &mut || Ok(lease.take().unwrap())).unwrap();
        let died = match block_on(command.start_on(launch, Patience::within(LONG), &transport)) {
            Err(error) => matches!(error, ServiceError::DiedEarly { .. }),
            Ok(mut running) => eventually(|| running.check_alive("g/c/4").is_err()),
        };
        assert!(died);
    }

    #[test]
    fn a_service_that_dies_because_somebody_took_its_port_gets_another_one() {
        let taken = tokio::net::TcpSocket::new_v4().unwrap();
        taken.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let taken_port = taken.local_addr().unwrap().port();
        let mut given = Vec::new();
        let transport = Transport::default();
        let running = block_on(prepare(&server()).start(Patience::within(LONG), &transport, || {
            let lease = if given.is_empty() { PortLease::of(taken_port).unwrap() } else { PortLease::new()? };
            given.push(lease.port);
            Ok(lease)
        }));
        assert!(running.unwrap().check_alive("g/c/4").is_ok());
        assert_eq!((given.len(), given[0]), (2, taken_port));
    }

    #[test]
    fn a_service_that_dies_during_the_run_is_reported_with_its_last_output() {
        let mut running = start(server(), LONG).unwrap();
        assert!(running.check_alive("g/c/4").is_ok());
        assert_eq!(get(url(&running), "/die"), "");
        assert!(eventually(|| running.check_alive("g/c/4").is_err()));
        let text = running.check_alive("g/c/4").unwrap_err().to_string();
        assert!(text.contains("cell `g/c/4`"), "{text}");
        assert!(text.contains("ended with exit status 7") && text.contains("| a request of death"), "{text}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn nothing_of_a_group_that_ignores_sigterm_is_left_after_stop_or_drop() {
        for (orderly, leaves) in [(true, "false"), (false, "false"), (true, "true"), (false, "true")] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("pids");
            let command = server().env(PIDS, file.to_str().unwrap()).env(LEAVES, leaves);
            let running = start(command, LONG).unwrap();
            let mut all = pids(&file, 2);
            all.push(pid(&running).to_string());
            assert!(all.iter().all(|pid| is_running(pid)));
            if orderly {
                block_on(running.stop())
            } else {
                drop(running)
            }
            assert!(eventually(|| !all.iter().any(|pid| is_running(pid))), "{all:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn nothing_is_left_when_plimsoll_is_killed_by_sigkill() {
        if std::env::var_os(IS_KILLED).is_some() {
            return be_killed();
        }
        for leaves in ["false", "true"] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("pids");
            let mut plimsoll = Process::new(std::env::current_exe().unwrap());
            plimsoll.args(["--exact", KILLED_ENTRY, "--nocapture"]);
            plimsoll.env(IS_KILLED, "true").env(PIDS, &file).env(LEAVES, leaves);
            let mut plimsoll = plimsoll.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let all = pids(&file, 3);
            assert!(all.iter().all(|pid| is_running(pid)));
            let mut programs = all.iter().map(|pid| fs::read_link(format!("/proc/{pid}/exe")).unwrap());
            let copy = programs.find(|program| program.to_string_lossy().contains(".plimsoll-")).unwrap();
            plimsoll.kill().unwrap();
            plimsoll.wait().unwrap();
            assert!(eventually(|| !all.iter().any(|pid| is_running(pid))), "{all:?}");
            assert!(eventually(|| !copy.exists()), "{}", copy.display());
        }
    }

    /// Bytes that the kernel has put on a process's stack: path, arguments, environment, and a pointer for each string of both.
    #[cfg(target_os = "linux")]
    fn stack_bytes(process: &std::process::Child, path: &Path) -> usize {
        let read = |name: &str| fs::read(format!("/proc/{}/{name}", process.id())).unwrap();
        // `spawn` returns a moment before the kernel has put it there.
        assert!(eventually(|| !read("environ").is_empty()));
        let texts = [read("cmdline"), read("environ")].concat();
        let pointers = texts.iter().filter(|&&byte| byte == 0).count();
        path.as_os_str().len() + 1 + texts.len() + size_of::<usize>() * pointers
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_stacks_of_both_sides_of_a_duet_begin_at_the_same_address() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/much/longer/path/than/that/of/the/other/side");
        fs::create_dir_all(&deep).unwrap();
        fs::copy(fs::canonicalize("/bin/sleep").unwrap(), deep.join("sleep")).unwrap();
        let built = deep.join("sleep").to_string_lossy().into_owned();
        let head = Service::command("sleep").args(["30", "30"]);
        let base = Service::command(built).arg("60.0").env("ADDRESS", "127.0.0.1:{port} {port:admin}");
        let base = base.env("B", "").env("DATA", "{side}-{launch}");
        let [mut head, mut base] = [head, base].map(|command| Launcher::Command(Box::new(prepare(&command))));
        let measured = |side: &Launcher| {
            let Launcher::Command(side) = side else { panic!("it is a command") };
            let ports = [("admin".to_owned(), 20_001)].into();
            let values = LaunchValues { side: side.side, launch: FIRST_LAUNCH.start, port: 20_000, ports };
            let mut command = side.system_command(&values);
            let mut process = command.stdin(Stdio::null()).spawn().unwrap();
            let bytes = stack_bytes(&process, Path::new(command.get_program()));
            process.kill().unwrap();
            process.wait().unwrap();
            bytes
        };
        assert_ne!(measured(&head), measured(&base));
        Launcher::align_stacks(&mut base, &mut head);
        assert_eq!(measured(&head), measured(&base));
    }

    #[test]
    fn a_server_in_this_process_serves_and_stops() {
        let server = Service::in_process(|listener: tokio::net::TcpListener| async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer =
                    tokio::task::spawn_local(async { b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello" });
                let answer = answer.await.unwrap();
                _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 512]).await;
                _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
            }
        });
        let mut running = start(server, LONG).unwrap();
        let url = url(&running).to_owned();
        assert!(get(&url, "/").ends_with("hello"));
        assert!(running.check_alive("g/c/4").is_ok());
        block_on(running.stop());
        assert!(TcpStream::connect(url.strip_prefix("http://").unwrap()).is_err());
    }

    #[test]
    fn a_server_in_this_process_that_panics_or_returns_has_died() {
        let panics = Service::in_process(|_| async { panic!("no database") });
        let returns = Service::in_process(|_| async {});
        for (server, how) in [(panics, "it panicked: no database"), (returns, "it returned")] {
            let mut running = start(server, LONG).unwrap();
            assert!(eventually(|| running.check_alive("g/c/4").is_err()));
            assert!(running.check_alive("g/c/4").unwrap_err().to_string().contains(how));
        }
    }

    #[test]
    fn a_server_in_this_process_that_ends_before_it_is_ready_is_reported_with_the_reason() {
        let panics = Service::in_process(|_| async { panic!("no database") });
        let returns = Service::in_process(|_| async {});
        for (server, how) in [(panics, "it panicked: no database"), (returns, "it returned")] {
            let text = start(server.ready("/up"), LONG).unwrap_err().to_string();
            assert_eq!(text, format!("the server in this process ended before it was ready: {how}"));
        }
    }

    #[test]
    fn a_server_in_this_process_gets_no_advice_on_ports_that_it_does_not_choose() {
        let deaf = Service::in_process(|listener: tokio::net::TcpListener| {
            drop(listener);
            std::future::pending::<()>()
        });
        let text = start(deaf.ready("/up"), Duration::from_millis(300)).unwrap_err().to_string();
        assert!(text.starts_with("the server in this process was not ready within 300ms: "), "{text}");
        assert!(!text.contains("PORT") && !text.contains("{port}"), "{text}");
    }

    /// The URL of a server that listens after `wait` and answers every request with `status`.
    fn late_url(wait: Duration, status: &'static str) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let early = wait.is_zero().then_some(listener);
        thread::spawn(move || {
            thread::sleep(wait);
            let listener = early.unwrap_or_else(|| TcpListener::bind(address).unwrap());
            for mut stream in listener.incoming().flatten() {
                _ = stream.read(&mut [0; 1024]);
                _ = write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\n\r\n");
            }
        });
        format!("http://{address}")
    }

    #[test]
    fn a_service_at_a_url_is_waited_for_and_used_as_it_is() {
        let late = late_url(Duration::from_millis(300), "200 OK");
        for service in [Service::url(&late), Service::url(&late).ready("/x")] {
            let mut running = start(service, LONG).unwrap();
            assert_eq!(url(&running), late);
            assert!(running.check_alive("g/c/4").is_ok());
        }
    }

    #[test]
    fn a_url_that_is_not_ready_is_an_error_that_names_it() {
        let busy = late_url(Duration::ZERO, "503 Loading");
        let error =
            start(Service::url(&busy).ready("/x"), Duration::from_millis(300)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the service at {busy} was not ready within 300ms")), "{error}");
        assert!(error.contains("status 503") && !error.contains("PORT"), "{error}");
        let error =
            wait(&Endpoint::get(format!("{busy}/x")), Duration::from_millis(300)).unwrap_err().to_string();
        let end = format!(
            "{busy}/x responds with status 503; if it only needs longer, raise the timeout with --wait"
        );
        assert!(error.ends_with(&end), "{error}");
    }

    fn wait(endpoint: &Endpoint, timeout: Duration) -> Result<(), ServiceError> {
        let group = Group::new("load", Location::unknown());
        block_on(wait_for(endpoint, &group, Instant::now(), timeout))
    }

    /// The URL of a server that answers one request after the other with these statuses, each after a pause, and what it received.
    fn answering(pause: Duration, statuses: &'static [&'static str]) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&received);
        thread::spawn(move || {
            for status in statuses {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let read = stream.read(&mut request).unwrap_or(0);
                log.lock().unwrap().push(String::from_utf8_lossy(&request[..read]).into_owned());
                thread::sleep(pause);
                _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        (url, received)
    }

    #[test]
    fn load_waits_for_any_complete_response_that_is_not_a_5xx() {
        for statuses in [
            &["503 No", "200 OK"],
            &["500 No", "302 Moved\r\nLocation: /"],
            &["502 No", "401 No"],
            &["503 No", "404 No"],
            &["503 No", "408 No"],
            &["503 No", "425 No"],
            &["504 No", "429 No"],
        ] {
            let (url, received) = answering(Duration::ZERO, statuses);
            wait(&Endpoint::get(url).expect_status(500).expect_body_contains("loaded"), LONG).unwrap();
            assert_eq!(received.lock().unwrap().len(), 2, "{statuses:?}");
        }
    }

    #[test]
    fn load_does_not_abandon_the_request_that_it_waits_for() {
        let (url, received) = answering(Duration::from_millis(1_500), &["200 OK", "200 OK"]);
        wait(&Endpoint::get(url), LONG).unwrap();
        assert_eq!(received.lock().unwrap().len(), 1);
    }

    #[test]
    fn load_waits_for_the_port_alone_if_the_request_may_change_something() {
        for method in ["POST", "PUT", "DELETE"] {
            let (url, received) = answering(Duration::ZERO, &["503 No"]);
            wait(&Endpoint::new(method, url).body("order"), LONG).unwrap();
            assert!(eventually(|| received.lock().unwrap().len() == 1));
            assert_eq!(received.lock().unwrap()[0], "");
        }
    }
}
