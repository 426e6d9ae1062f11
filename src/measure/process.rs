//! A service's process group, the watchdog that kills it if plimsoll dies, and the end of its output.
//!
//! **The watchdog** is a shell whose stdin is a pipe held by plimsoll. However plimsoll ends, the kernel then closes the pipe, and the
//! shell kills its own process group. The watchdog is the group's leader, and the service is started directly in this group, so the
//! service has a watchdog from its first instruction. (A watchdog that learns of the group afterwards misses a service that is still
//! being loaded when plimsoll is killed: 2 of 60 attempts.) A service may move to a group or session of its own. Therefore the
//! watchdog also reads the service's process id from the pipe, and kills that group too. If a service signals its own group, the
//! watchdog survives all signals but SIGKILL, which ends the group with it.
//!
//! **Only our own group is ever signalled.** A group's number can be reused once its leader is reaped. The leader is the watchdog, which
//! is reaped last. The service is checked without reaping it where the system allows this, so its process id is not reused either.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, PipeReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpgid};

/// Time between SIGTERM and SIGKILL. Short, because a service under test has nothing to save and is stopped after each launch.
const GRACE: Duration = Duration::from_millis(200);
/// Interval at which a process that should end is checked.
const POLL: Duration = Duration::from_millis(1);
/// Time to wait for a killed process, then it is left alone.
const KILL_TIME: Duration = Duration::from_secs(5);
/// Attempts to start a file that another thread's child holds open for writing until its `exec`.
const BUSY_TRIES: u32 = 50;
/// Bytes of output that are kept.
const KEPT_BYTES: usize = 64 * 1024;
/// Lines of output that an error shows.
const SHOWN_LINES: usize = 20;
/// Characters of a line that an error shows.
const SHOWN_CHARS: usize = 400;
/// Time to wait for the rest of a dead service's output. A process that left the group may hold the pipe open forever.
const OUTPUT_TIME: Duration = Duration::from_millis(200);
/// Whether [`ending_of`] leaves a dead process in the kernel's table, so that its id is not reused.
const KEEPS_THE_DEAD: bool = cfg!(target_os = "linux");

/// A running service and the watchdog of its group. Dropping it kills and reaps both.
#[derive(Debug)]
pub(crate) struct ServiceProcess {
    service: Child,
    // Dropped after the service was killed: until then the group is ours.
    watchdog: Watchdog,
    output: Output,
    ending: Option<Ending>,
}

impl ServiceProcess {
    /// Starts the command in a new process group, without input, and collects its output.
    pub(crate) fn spawn(mut command: Command) -> io::Result<Self> {
        let mut watchdog = Watchdog::spawn(None)?;
        let (reader, writer) = io::pipe()?;
        let output = Output::collect(reader)?;
        command.process_group(watchdog.group().as_raw());
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let service = spawn_unless_busy(&mut command)?;
        let watched = watchdog.watch(id_of(&service));
        let process = Self { service, watchdog, output, ending: None };
        watched.map(|()| process)
    }

    /// The process groups of the service's processes: ours, and the one that the service may have created.
    pub(crate) fn groups(&self) -> [i32; 2] {
        [self.watchdog.group().as_raw(), id_of(&self.service).as_raw()]
    }

    /// The last lines of its output, as the end of an error. Call [`ending`](Self::ending) first: the rest of a dead service's output is
    /// waited for.
    pub(crate) fn last_lines(&self) -> String {
        self.output.last_lines(if self.ending.is_some() { OUTPUT_TIME } else { Duration::ZERO })
    }

    /// How it ended, `None` if it still runs.
    pub(crate) fn ending(&mut self) -> Option<Ending> {
        self.ending = self.ending.or_else(|| ending_of(&mut self.service));
        self.ending
    }

    /// Sends SIGTERM to the group, waits a moment, and kills what is left of it.
    pub(crate) async fn stop(mut self) {
        if self.ending().is_none() {
            self.signal(Signal::SIGTERM);
        }
        let began = Instant::now();
        while self.ending().is_none() && began.elapsed() < GRACE {
            tokio::time::sleep(POLL).await;
        }
        // Dropping it kills the rest.
    }

    /// Signals our group, and the group that the service has created, if any.
    fn signal(&self, signal: Signal) {
        let (group, own) = (self.watchdog.group(), id_of(&self.service));
        _ = killpg(group, signal);
        let is_ours = KEEPS_THE_DEAD || self.ending.is_none();
        if is_ours && getpgid(Some(own)) != Ok(group) {
            _ = killpg(own, signal);
        }
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        let began = Instant::now();
        // A service that has changed its user cannot be killed, and must not block the run forever.
        while matches!(self.service.try_wait(), Ok(None)) && began.elapsed() < KILL_TIME {
            thread::sleep(POLL);
        }
    }
}

/// A shell that kills its process group as soon as this process is gone. Dropping it ends the shell alone.
#[derive(Debug)]
pub(crate) struct Watchdog(Child);

impl Watchdog {
    /// Reads the service's process id, waits for the end of the pipe, kills the service's group, removes the file, and kills its own group.
    const SCRIPT: &str = r#"trap '' HUP INT QUIT TERM USR1 USR2 ALRM PIPE TSTP TTIN TTOU
        read -r service && read -r _
        if test "$service"; then kill -s KILL -- "-$service"; fi
        if test "$1"; then rm -f -- "$1"; fi
        kill -s KILL 0"#;

    /// Starts the watchdog. It also removes `file` if this process dies.
    pub(crate) fn spawn(file: Option<&Path>) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", Self::SCRIPT, "sh"]).args(file).current_dir("/").process_group(0);
        shell.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        shell.spawn().map(Self).map_err(|source| {
            let text =
                format!("could not start `sh`, the watchdog that cleans up if plimsoll is killed: {source}");
            io::Error::new(source.kind(), text)
        })
    }

    /// The process group that it leads.
    pub(crate) fn group(&self) -> Pid {
        id_of(&self.0)
    }

    fn watch(&mut self, service: Pid) -> io::Result<()> {
        self.0.stdin.as_mut().map_or(Ok(()), |pipe| writeln!(pipe, "{service}"))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // The pipe is still open, so the shell dies without acting.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn id_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id is a positive i32"))
}

fn spawn_unless_busy(command: &mut Command) -> io::Result<Child> {
    let mut tries = 1;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES => {
                tries += 1;
                thread::sleep(POLL);
            }
            outcome => return outcome,
        }
    }
}

/// How a process ended. Displayed as "ended with exit status 1", with advice where there is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Exit(i32),
    Signal(i32),
    /// SIGCHLD is ignored, so the kernel has discarded the status.
    Unknown,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exit(status) => write!(f, "ended with exit status {status}")?,
            Self::Signal(number) => match Signal::try_from(number) {
                Ok(signal) => write!(f, "was killed by {signal}")?,
                Err(_) => write!(f, "was killed by signal {number}")?,
            },
            Self::Unknown => f.write_str("ended")?,
        }
        f.write_str(match self {
            Self::Exit(0) => " (start it in the foreground, not as a daemon)",
            Self::Exit(127) => " (the status of a shell that did not find a program)",
            Self::Signal(9) => " (the kernel does that when memory runs out)",
            _ => "",
        })
    }
}

#[cfg(target_os = "linux")]
fn ending_of(child: &mut Child) -> Option<Ending> {
    use nix::errno::Errno;
    use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::Pid(id_of(child)), flags) {
        Ok(WaitStatus::Exited(_, code)) => Some(Ending::Exit(code)),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ending::Signal(signal as i32)),
        // SIGCHLD is ignored, or a real-time signal ended it, which has no name in `nix`.
        Err(Errno::ECHILD | Errno::EINVAL) => Some(reaped(child).unwrap_or(Ending::Unknown)),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn ending_of(child: &mut Child) -> Option<Ending> {
    reaped(child)
}

fn reaped(child: &mut Child) -> Option<Ending> {
    let status = child.try_wait().ok().flatten()?;
    let code = status.code().map(Ending::Exit);
    code.or_else(|| status.signal().map(Ending::Signal))
}

/// The end of a service's output. A thread reads it immediately, so the service never waits for us and the client's runtime, whose time is
/// measured, does not read it. Stdout and stderr share one pipe, which keeps the order of their lines.
#[derive(Debug)]
struct Output {
    kept: Arc<Mutex<VecDeque<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    fn collect(pipe: PipeReader) -> io::Result<Self> {
        let kept = Arc::default();
        let shared = Arc::clone(&kept);
        let reader =
            thread::Builder::new().name("service output".to_owned()).spawn(move || drain(pipe, &shared))?;
        Ok(Self { kept, reader })
    }

    /// The last lines until now, or until the pipe is closed, if that happens within the given time.
    fn last_lines(&self, at_most: Duration) -> String {
        let began = Instant::now();
        while !self.reader.is_finished() && began.elapsed() < at_most {
            thread::sleep(POLL);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(kept.make_contiguous());
        let mut lines: Vec<&str> = text.lines().collect();
        if text.len() >= KEPT_BYTES && lines.len() > 1 {
            // The beginning of the first kept line may be missing.
            lines.remove(0);
        }
        if lines.is_empty() {
            return "; it wrote no output".to_owned();
        }
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        let shown: String = shown.iter().map(|line| format!("\n  | {}", printable(line))).collect();
        format!("; its last output:{shown}")
    }
}

fn drain(mut pipe: PipeReader, kept: &Mutex<VecDeque<u8>>) {
    let mut chunk = [0; 16 * 1024];
    loop {
        let read = match pipe.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&chunk[..read]);
        let excess = kept.len().saturating_sub(KEPT_BYTES);
        kept.drain(..excess);
    }
}

/// A line without control characters, which would move a terminal's cursor, and not longer than an error shows.
fn printable(line: &str) -> String {
    let shown = line.chars().take(SHOWN_CHARS).map(|c| if c == '\t' { ' ' } else { c });
    let mut out: String = shown.filter(|c| !c.is_control()).collect();
    if line.chars().nth(SHOWN_CHARS).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output_of(bytes: &[u8]) -> Vec<String> {
        let (reader, mut writer) = io::pipe().unwrap();
        let output = Output::collect(reader).unwrap();
        writer.write_all(bytes).unwrap();
        drop(writer);
        let text = output.last_lines(Duration::from_secs(10));
        assert!(output.kept.lock().unwrap().len() <= KEPT_BYTES);
        text.split("\n  | ").skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn a_service_that_writes_forever_does_not_block_and_only_its_last_lines_are_kept() {
        let text: String = (0..100_000).map(|line| format!("line {line}\n")).collect();
        let lines = output_of(text.as_bytes());
        assert_eq!(lines.len(), SHOWN_LINES);
        assert_eq!(lines[SHOWN_LINES - 1], "line 99999");
    }

    #[test]
    fn long_lines_are_cut_and_control_characters_are_left_out() {
        let long = [&[b'x'; 3 * KEPT_BYTES][..], b"\nred: \x1b[31m\xff\tend"].concat();
        assert_eq!(output_of(&long), ["red: [31m\u{fffd} end"], "the cut line is left out");
        assert_eq!(output_of(&[b'y'; 1_000])[0].chars().count(), SHOWN_CHARS + 1);
    }

    #[test]
    fn an_ending_says_what_to_do_where_that_is_known() {
        for (ending, text) in [
            (Ending::Exit(1), "ended with exit status 1"),
            (Ending::Exit(0), "ended with exit status 0 (start it in the foreground, not as a daemon)"),
            (Ending::Signal(11), "was killed by SIGSEGV"),
            (Ending::Signal(40), "was killed by signal 40"),
        ] {
            assert_eq!(ending.to_string(), text);
        }
    }

    #[test]
    fn a_watchdog_removes_its_file_when_plimsoll_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("-a copy");
        std::fs::write(&file, "").unwrap();
        drop(Watchdog::spawn(Some(&file)).unwrap());
        assert!(file.exists(), "plimsoll has dropped it, and removes the file itself");
        let mut watchdog = Watchdog::spawn(Some(&file)).unwrap();
        // The same for the shell as the death of this process.
        drop(watchdog.0.stdin.take());
        watchdog.0.wait().unwrap();
        assert!(!file.exists());
    }
}
