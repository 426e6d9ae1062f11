//! A service's process group, the guardian beside it, and the end of both.
//!
//! **The guardian** is a shell in a group of its own whose stdin is a pipe that we hold. When we are gone, by whatever
//! means, the kernel closes the pipe, and the shell kills the service's group. It is started before the service and told
//! the group right after the service's start: between the two lie some microseconds in which a SIGKILL of plimsoll leaves the
//! service alone. (A gate in front of the service would close even that gap, but the service would start from a shell.)
//!
//! **Never a stranger's group.** The number of a group can be given away again once its leader is reaped and its members
//! are gone. So we look at the leader without reaping it, kill the group while it is still ours, then end the guardian by
//! SIGKILL (its pipe still open, so that it has not acted), and only then reap the leader. When plimsoll itself is killed,
//! init reaps a leader that had already ended; the guardian acts within the same milliseconds, and numbers are given
//! away in a circle.

use std::io::{self, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::error::ServiceError;
use super::output::Output;

/// How long a service may take for an orderly end: short, for it has nothing to save, and there is one for each launch.
const GRACE: Duration = Duration::from_millis(200);
/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(1);
/// How long the kernel may take for the end of a killed process without our other work standing still.
const KILL_TIME: Duration = Duration::from_secs(5);
/// Attempts to start a file that another thread's child still holds open for writing, for the moment before its `exec`.
const BUSY_TRIES: u32 = 50;

/// A started service: its leader, its group and its guardian. Dropping it kills and reaps them.
#[derive(Debug)]
pub(crate) struct ServiceProcess {
    leader: Child,
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
        command.process_group(0).stdin(Stdio::null()).stdout(writer).stderr(second);
        let leader = spawn_unless_busy(&mut command).map_err(SpawnError::Service)?;
        let told = guardian.watch(group_of(&leader));
        let process = Self { leader, guardian, output, ending: None };
        told.map_err(SpawnError::Guardian)?;
        Ok(process)
    }

    /// The leader's id.
    #[cfg(test)]
    pub(crate) fn pid(&self) -> u32 {
        self.leader.id()
    }

    /// What it wrote.
    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    /// How its leader ended, if it has. The leader is not reaped by this.
    pub(crate) fn ending(&mut self) -> Option<Ending> {
        if self.ending.is_none() {
            self.ending = ending_of(&mut self.leader);
        }
        self.ending
    }

    /// Asks the group to end, and soon kills what is left of it.
    pub(crate) async fn stop(mut self) {
        if self.ending().is_none() {
            _ = killpg(group_of(&self.leader), Signal::SIGTERM);
            self.wait(GRACE).await;
        }
        _ = killpg(group_of(&self.leader), Signal::SIGKILL);
        self.wait(KILL_TIME).await;
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
        _ = killpg(group_of(&self.leader), Signal::SIGKILL);
        self.guardian.end();
        _ = self.leader.wait();
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

/// The leader's own id is that of its group.
fn group_of(leader: &Child) -> Pid {
    Pid::from_raw(i32::try_from(leader.id()).expect("a process id is a positive i32"))
}

#[cfg(target_os = "linux")]
fn ending_of(leader: &mut Child) -> Option<Ending> {
    use nix::errno::Errno;
    use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::Pid(group_of(leader)), look) {
        Ok(WaitStatus::Exited(_, code)) => Some(Ending::Exit(code)),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ending::Signal(signal as i32)),
        Err(Errno::ECHILD) => Some(reaped(leader)),
        // A real-time signal has no name in `nix`.
        Err(Errno::EINVAL) => Some(reaped(leader)),
        Ok(_) | Err(_) => None,
    }
}

/// Without `waitid` of the leader's state it is reaped, and the rest of its group killed in the same breath.
#[cfg(not(target_os = "linux"))]
fn ending_of(leader: &mut Child) -> Option<Ending> {
    let ending = leader.try_wait().ok().flatten().map(Ending::of)?;
    _ = killpg(group_of(leader), Signal::SIGKILL);
    Some(ending)
}

#[cfg(target_os = "linux")]
fn reaped(leader: &mut Child) -> Ending {
    leader.try_wait().ok().flatten().map_or(Ending::Unknown, Ending::of)
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

/// The shell that outlives us by a moment.
#[derive(Debug)]
struct Guardian {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Guardian {
    /// Waits for a group's number, then for the end of the pipe, then kills the group.
    const SCRIPT: &str =
        r#"trap '' INT TERM HUP; read -r group || exit 0; read -r _; kill -s KILL -- "-$group""#;

    fn spawn() -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", Self::SCRIPT]).env_clear().current_dir("/").process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.spawn()?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    fn watch(&mut self, group: Pid) -> io::Result<()> {
        let line = format!("{group}\n");
        self.pipe.as_mut().map_or(Ok(()), |pipe| pipe.write_all(line.as_bytes()))
    }

    fn end(&mut self) {
        _ = self.shell.kill();
        _ = self.shell.wait();
        self.pipe = None;
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.end();
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
