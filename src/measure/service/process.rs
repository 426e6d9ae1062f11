//! A service's process group, the guardian (see `guardian`) beside it, and the end of both.
//!
//! **Never a stranger's group.** The number of a group can be given away again once its leader is reaped. Ours is the
//! guardian, which we reap last, and which lives until it acts when we are gone. The service itself is looked at without being
//! reaped, where the system allows it, so that its own number stays its own as long.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::getpgid;

use super::error::ServiceError;
use super::guardian::{Guardian, id_of};
use super::output::Output;

/// How long a service may take for an orderly end: short, for it has nothing to save, and there is one for each launch.
const GRACE: Duration = Duration::from_millis(200);
/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(1);
/// How long the end of a killed process may take; after that it is left to itself.
const KILL_TIME: Duration = Duration::from_secs(5);
/// Attempts to start a file that another thread's child still holds open for writing, for the moment before its `exec`.
const BUSY_TRIES: u32 = 50;

/// A started service and the guardian of its group. Dropping it kills and reaps them.
#[derive(Debug)]
pub(crate) struct ServiceProcess {
    service: Child,
    guardian: Guardian,
    output: Output,
    ending: Option<Ending>,
}

impl ServiceProcess {
    /// Starts the command in a group of its own, without input, its output collected.
    pub(crate) fn spawn(mut command: Command) -> Result<Self, SpawnError> {
        let mut guardian = Guardian::spawn().map_err(SpawnError::Guardian)?;
        let (reader, writer) = io::pipe().map_err(SpawnError::Service)?;
        let output = Output::collect(reader).map_err(SpawnError::Service)?;
        let second = writer.try_clone().map_err(SpawnError::Service)?;
        command.process_group(guardian.group().as_raw());
        command.stdin(Stdio::null()).stdout(writer).stderr(second);
        let service = spawn_unless_busy(&mut command).map_err(SpawnError::Service)?;
        let told = guardian.tell(id_of(&service));
        let process = Self { service, guardian, output, ending: None };
        told.map_err(SpawnError::Guardian)?;
        Ok(process)
    }

    /// The service's process id.
    #[cfg(test)]
    pub(crate) fn pid(&self) -> u32 {
        self.service.id()
    }

    /// The process groups in which its processes live: ours for it, and the one that it may have made of itself.
    pub(crate) fn groups(&self) -> [i32; 2] {
        [self.guardian.group().as_raw(), id_of(&self.service).as_raw()]
    }

    /// What it wrote.
    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    /// How it ended, if it has.
    pub(crate) fn ending(&mut self) -> Option<Ending> {
        if self.ending.is_none() {
            self.ending = ending_of(&mut self.service);
        }
        self.ending
    }

    /// Asks the group to end, and soon kills what is left of it.
    pub(crate) async fn stop(mut self) {
        if self.ending().is_none() {
            self.signal(Signal::SIGTERM);
            self.wait(GRACE).await;
        }
        self.signal(Signal::SIGKILL);
        self.wait(KILL_TIME).await;
    }

    /// Sends a signal to the group, and to the group that the service has made of itself, if it has.
    fn signal(&self, signal: Signal) {
        let (group, own) = (self.guardian.group(), id_of(&self.service));
        _ = killpg(group, signal);
        // Once it is reaped its number may be another's.
        if (KEEPS_THE_DEAD || self.ending.is_none()) && getpgid(Some(own)) != Ok(group) {
            _ = killpg(own, signal);
        }
    }

    async fn wait(&mut self, at_most: Duration) {
        let began = Instant::now();
        while self.ending().is_none() && began.elapsed() < at_most {
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        let began = Instant::now();
        // One that has changed its user cannot be killed: it must not hold the run for ever.
        while matches!(self.service.try_wait(), Ok(None)) && began.elapsed() < KILL_TIME {
            std::thread::sleep(POLL);
        }
        // The guardian goes last: until then the group is ours.
    }
}

/// What could not be started.
#[derive(Debug)]
pub(crate) enum SpawnError {
    Service(io::Error),
    Guardian(io::Error),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Exit(i32),
    Signal(i32),
    /// SIGCHLD is ignored, and the kernel has thrown the status away.
    Unknown,
}

impl Ending {
    /// "ended with exit status 1".
    pub(crate) fn sentence(self) -> String {
        match self {
            Self::Exit(status) => format!("ended with exit status {status}"),
            Self::Signal(number) => match Signal::try_from(number) {
                Ok(signal) => format!("was killed by {signal}"),
                Err(_) => format!("was killed by signal {number}"),
            },
            Self::Unknown => "ended".to_owned(),
        }
    }

    /// What to do about it, where that is known.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Exit(0) => " It must stay in the foreground: start it without its daemon mode.",
            Self::Exit(127) => " A shell ends so when it does not find a program.",
            Self::Signal(9) => " Was memory short? The kernel kills so.",
            _ => "",
        }
    }

    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exit(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }
}

/// Whether [`ending_of`] leaves a dead process in the kernel's table, so that its number is not given away.
const KEEPS_THE_DEAD: bool = cfg!(target_os = "linux");

#[cfg(target_os = "linux")]
fn ending_of(child: &mut Child) -> Option<Ending> {
    use nix::errno::Errno;
    use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::Pid(id_of(child)), look) {
        Ok(WaitStatus::Exited(_, code)) => Some(Ending::Exit(code)),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ending::Signal(signal as i32)),
        // SIGCHLD is ignored; or it ended by a real-time signal, which has no name in `nix`.
        Err(Errno::ECHILD | Errno::EINVAL) => Some(reaped(child).unwrap_or(Ending::Unknown)),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn ending_of(child: &mut Child) -> Option<Ending> {
    reaped(child)
}

fn reaped(child: &mut Child) -> Option<Ending> {
    child.try_wait().ok().flatten().map(Ending::of)
}

fn spawn_unless_busy(command: &mut Command) -> io::Result<Child> {
    let mut tries = 1;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES => {
                tries += 1;
                std::thread::sleep(POLL);
            }
            outcome => return outcome,
        }
    }
}

impl SpawnError {
    /// The error of a service with this command line.
    pub(crate) fn of(self, command: String, directory: std::path::PathBuf) -> ServiceError {
        match self {
            Self::Service(source) => ServiceError::Spawn { command, directory, source },
            Self::Guardian(source) => ServiceError::Guardian { source },
        }
    }
}
