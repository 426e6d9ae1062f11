//! What ends a process group when we are gone, by whatever means.
//!
//! **The guardian** is a shell whose stdin is a pipe that we hold. When we are gone, by whatever means, the kernel closes
//! the pipe, and the shell kills its own process group. It is that group's leader, and the service is started right
//! into the group: so there is no moment after the service's `exec` in which it has no guardian. (A guardian that is told
//! of a group once it exists misses the service when plimsoll is killed while the kernel is still loading it: 2 of 60
//! tries.) A service that makes a group or session of its own leaves ours; the guardian is told its number besides, and
//! kills that group too. Signals that a service may send to its own group do not end the guardian, but for SIGKILL, which
//! ends the group with it.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::measure::interrupt::Interrupt;

/// How often it is looked whether a command has ended, or a signal has come.
const POLL: Duration = Duration::from_millis(20);

/// Runs a command to its end, which comes with ours at the latest: killed in the middle of a build, we would leave a compiler
/// behind, which writes where the next call builds. A signal to us kills it. What it writes to pipes is given.
pub(crate) fn output_unless_interrupted(command: &mut Command, ears: &Interrupt) -> io::Result<Output> {
    let guardian = Guardian::spawn()?;
    let child = command.process_group(guardian.group().as_raw()).spawn()?;
    let waiting = std::thread::spawn(move || child.wait_with_output());
    while !waiting.is_finished() {
        if ears.signalled().is_some() {
            // The guardian leads that group and is not reaped before it is dropped: the number is ours.
            _ = killpg(guardian.group(), Signal::SIGKILL);
            break;
        }
        std::thread::sleep(POLL);
    }
    // The guardian is dropped last, and kills nothing then: what a build leaves running on purpose (a server of its cache) stays.
    waiting.join().unwrap_or_else(|_| Err(io::Error::other("the thread that waited for it has panicked")))
}

/// The shell that outlives us by a moment.
#[derive(Debug)]
pub(super) struct Guardian {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Guardian {
    /// Reads the service's number, waits for the end of the pipe, kills the group that the service may have made, and its own.
    const SCRIPT: &str = "trap '' HUP INT QUIT TERM USR1 USR2 ALRM PIPE TSTP TTIN TTOU
        read -r service && read -r _
        if test \"$service\"; then kill -s KILL -- \"-$service\"; fi
        kill -s KILL 0";

    pub(super) fn spawn() -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", Self::SCRIPT]).env_clear().current_dir("/").process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.spawn()?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// The group that it leads.
    pub(super) fn group(&self) -> Pid {
        id_of(&self.shell)
    }

    pub(super) fn tell(&mut self, service: Pid) -> io::Result<()> {
        let line = format!("{service}\n");
        self.pipe.as_mut().map_or(Ok(()), |pipe| pipe.write_all(line.as_bytes()))
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // Its pipe is still open, so that it has not acted; nor does it have to.
        _ = self.shell.kill();
        _ = self.shell.wait();
    }
}

pub(super) fn id_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id is a positive i32"))
}
