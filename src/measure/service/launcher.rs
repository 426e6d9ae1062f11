//! A service that can be started as often as there are launches.
//!
//! What the plan says comes in once ([`Launcher::prepare`]), all that can be wrong about the program with it; each
//! [`Launcher::start`] gives a [`Running`] that answers.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use super::error::ServiceError;
use super::in_process::ServerThread;
use super::layout::{PADDING, paddings, weight_bytes};
use super::port::{PortLease, is_free};
use super::process::{Ending, ServiceProcess};
use super::program::{Program, own_search_path};
use super::ready::{self, NotYet, Patience, Refused};
use crate::plan::{Command, InProcess, Service, with_port};

/// How often a service that does not answer yet is asked.
const POLL: Duration = Duration::from_millis(3);
/// How many ports a service is given when somebody takes one before it.
const PORTS: usize = 5;
/// The variable that holds the port.
const PORT_VARIABLE: &str = "PORT";

/// A service, ready to be started.
#[derive(Debug)]
pub(crate) struct Launcher {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Absent,
    Url(String),
    InProcess(InProcess),
    Command(Box<Startable>),
}

impl Launcher {
    /// Finds the program and pins it (see `program`). `root` is the package's folder, from which the program's path and
    /// the working directory count; `service_args` are appended to the command line; `scratch` takes the program's copy
    /// where its own folder cannot. Nothing is started.
    pub(crate) fn prepare(
        service: &Service,
        service_args: &[String],
        root: &Path,
        scratch: &Path,
    ) -> Result<Self, ServiceError> {
        let kind = match service {
            Service::Absent => Kind::Absent,
            Service::Url(url) => Kind::Url(url.trim_end_matches('/').to_owned()),
            Service::InProcess(server) => Kind::InProcess(server.clone()),
            Service::Command(command) => {
                Kind::Command(Box::new(Startable::prepare(command, service_args, root, scratch)?))
            }
        };
        Ok(Self { kind })
    }

    /// Makes both sides of a duet find their stack at the same place (see `layout`).
    pub(crate) fn level(one: &mut Self, other: &mut Self) {
        if let (Kind::Command(one), Kind::Command(other)) = (&mut one.kind, &mut other.kind) {
            Startable::level(one, other);
        }
    }

    /// The first 16 hexadecimal digits of the SHA-256 of the program that is run, if it is one and may be read.
    pub(crate) fn digest(&self) -> Option<&str> {
        match &self.kind {
            Kind::Command(launch) => launch.program.digest(),
            Kind::Absent | Kind::Url(_) | Kind::InProcess(_) => None,
        }
    }

    /// Starts it and waits until it answers. Dropping the future leaves no process behind.
    pub(crate) async fn start(&self, ready_time_out: Duration) -> Result<Running, ServiceError> {
        let began = Instant::now();
        let (url, life) = match &self.kind {
            Kind::Absent => (String::new(), Life::Foreign),
            Kind::Url(url) => (url.clone(), Life::Foreign),
            Kind::InProcess(server) => {
                let server = ServerThread::start(server)?;
                (local_url(server.port()), Life::InProcess(server))
            }
            Kind::Command(launch) => {
                let life = launch.start(Patience::within(ready_time_out), PortLease::new).await?;
                (local_url(life.lease.port()), Life::Process(Box::new(life)))
            }
        };
        Ok(Running { url, started_in: began.elapsed(), life })
    }
}

fn local_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// A program with all that its start needs but the port.
#[derive(Debug)]
pub(super) struct Startable {
    program: Program,
    command: Command,
    args: Vec<String>,
    directory: PathBuf,
    /// What makes up for a shorter command line or environment than that of a duet's other side.
    padding: Option<String>,
}

impl Startable {
    pub(super) fn prepare(
        command: &Command,
        service_args: &[String],
        root: &Path,
        scratch: &Path,
    ) -> Result<Self, ServiceError> {
        let search_path = command.env.get("PATH").map_or_else(own_search_path, OsString::from);
        Ok(Self {
            program: Program::prepare(&command.program, root, &search_path, scratch)?,
            command: command.clone(),
            args: command.args.iter().chain(service_args).cloned().collect(),
            directory: command.directory.as_ref().map_or_else(|| root.to_owned(), |given| root.join(given)),
            padding: None,
        })
    }

    pub(super) fn level(one: &mut Self, other: &mut Self) {
        let (of_one, of_other) = paddings(one.weight_bytes(), other.weight_bytes());
        (one.padding, other.padding) = (Some(of_one), Some(of_other));
    }

    /// What the kernel lays on its stack, without padding.
    fn weight_bytes(&self) -> usize {
        // All ports have as many digits.
        const ANY_PORT: u16 = u16::MAX;
        let args: Vec<String> = self.args.iter().map(|arg| with_port(arg, ANY_PORT)).collect();
        let args = std::iter::once(self.program.name().as_os_str()).chain(args.iter().map(OsStr::new));
        let mut env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        env.extend(self.variables(ANY_PORT).map(|(name, value)| (name.into(), value.into())));
        weight_bytes(self.program.file().as_os_str(), args, &env)
    }

    /// What it has in its environment beside what it inherits.
    fn variables(&self, port: u16) -> impl Iterator<Item = (&str, String)> {
        let given = self.command.env.iter().map(move |(name, value)| (name.as_str(), with_port(value, port)));
        std::iter::once((PORT_VARIABLE, port.to_string())).chain(given)
    }

    /// Starts it with a port, and with another one when it died of that port.
    pub(super) async fn start(
        &self,
        patience: Patience,
        mut leases: impl FnMut() -> Result<PortLease, ServiceError>,
    ) -> Result<LeasedProcess, ServiceError> {
        self.program.check()?;
        let mut tries = 1;
        loop {
            let lease = leases()?;
            let port = lease.port();
            match self.start_on(lease, patience).await {
                Err(ServiceError::DiedEarly { .. }) if tries < PORTS && !is_free(port) => tries += 1,
                outcome => return outcome,
            }
        }
    }

    pub(super) async fn start_on(
        &self,
        lease: PortLease,
        patience: Patience,
    ) -> Result<LeasedProcess, ServiceError> {
        let port = lease.port();
        let spawned = ServiceProcess::spawn(self.system_command(port));
        let process = spawned.map_err(|error| error.of(self.line(port), self.directory.clone()))?;
        let mut life = LeasedProcess { process, lease, line: self.line(port) };
        let began = Instant::now();
        let mut refused = Refused::default();
        loop {
            if let Some(ending) = life.process.ending() {
                return Err(life.died_early(ending));
            }
            let NotYet { missing, refusal } = match ready::look(port, self.command.ready.as_deref()).await {
                // Somebody else's port may accept after ours has died.
                Ok(()) => match life.process.ending() {
                    None => return Ok(life),
                    Some(ending) => return Err(life.died_early(ending)),
                },
                Err(not_yet) => not_yet,
            };
            let lasted = refused.lasting(refusal, Instant::now());
            let is_final = lasted.is_some_and(|lasted| lasted >= patience.refused);
            if let Some(status) = refusal.filter(|_| is_final) {
                let (waited, advice) = (patience.refused, ready::advice(status));
                let (command, output) = (life.line, life.process.output().last_lines());
                return Err(ServiceError::Refuses { command, waited, missing, advice, output });
            }
            if began.elapsed() >= patience.time_out {
                let (waited, output) = (patience.time_out, life.process.output().last_lines());
                return Err(ServiceError::NotReady { command: life.line, waited, missing, output });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub(super) fn system_command(&self, port: u16) -> process::Command {
        let mut command = process::Command::new(self.program.file());
        command.arg0(self.program.name());
        command.args(self.args.iter().map(|arg| with_port(arg, port)));
        command.envs(self.variables(port));
        command.envs(self.padding.as_ref().map(|padding| (PADDING, padding)));
        command.current_dir(&self.directory);
        command
    }

    /// The command line for people.
    fn line(&self, port: u16) -> String {
        let args = self.args.iter().map(|arg| with_port(arg, port));
        let words: Vec<String> = std::iter::once(self.command.program.clone()).chain(args).collect();
        words.join(" ")
    }
}

/// A process and the port that is its own while it lives.
#[derive(Debug)]
pub(super) struct LeasedProcess {
    process: ServiceProcess,
    lease: PortLease,
    line: String,
}

impl LeasedProcess {
    #[cfg(test)]
    pub(super) fn port(&self) -> u16 {
        self.lease.port()
    }

    fn died_early(self, ending: Ending) -> ServiceError {
        let output = self.process.output().last_words();
        ServiceError::DiedEarly { command: self.line, how: ending.sentence(), hint: ending.hint(), output }
    }

    pub(super) fn death(&mut self, cell: &str) -> Option<ServiceError> {
        let ending = self.process.ending()?;
        let output = self.process.output().last_words();
        let command = self.line.clone();
        let cell = cell.to_owned();
        Some(ServiceError::Died { cell, command, how: ending.sentence(), hint: ending.hint(), output })
    }
}

/// A service that answers. Dropping it ends it at once, with all of its group.
#[derive(Debug)]
pub(crate) struct Running {
    url: String,
    started_in: Duration,
    life: Life,
}

#[derive(Debug)]
enum Life {
    /// Not ours to end.
    Foreign,
    InProcess(ServerThread),
    Process(Box<LeasedProcess>),
}

impl Running {
    /// `http://host:port`, to which an endpoint's path is appended; empty for [`Service::Absent`], whose endpoints have
    /// whole URLs.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How long it took from its start until it answered.
    pub(crate) fn started_in(&self) -> Duration {
        self.started_in
    }

    /// The process that it is, if it is one of its own.
    #[cfg(test)]
    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.life {
            Life::Process(life) => Some(life.process.pid()),
            Life::Foreign | Life::InProcess(_) => None,
        }
    }

    /// The process groups in which it lives, none for a server in this process; nothing for one that is not ours.
    pub(crate) fn groups(&self) -> Option<Vec<i32>> {
        match &self.life {
            Life::Foreign => None,
            Life::InProcess(_) => Some(Vec::new()),
            Life::Process(life) => Some(life.process.groups().to_vec()),
        }
    }

    /// Why it is no longer there, with its last output. Does not wait. Of a service that already ran only its answers tell.
    /// `cell` is the one that loads it.
    pub(crate) fn has_died(&mut self, cell: &str) -> Option<ServiceError> {
        match &mut self.life {
            Life::Foreign => None,
            Life::InProcess(server) => {
                server.ending().map(|how| ServiceError::DiedInProcess { cell: cell.to_owned(), how })
            }
            Life::Process(life) => life.death(cell),
        }
    }

    /// Ends it: SIGTERM to its group, a moment's grace, then SIGKILL.
    pub(crate) async fn stop(self) {
        match self.life {
            Life::Foreign => {}
            Life::InProcess(server) => server.stop().await,
            Life::Process(life) => life.process.stop().await,
        }
    }
}
