//! What the tests that run our binaries share: started processes that never outlive their test, and the reference API.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Nothing that a test starts takes so long, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// The signals to end a call by, with its exit codes. One that this process was started to ignore (a background job of a script,
/// `nohup`) is ignored by what it starts as well, and left out.
pub fn ending_signals() -> Vec<(Signal, i32)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let is_heard = |signal: &Signal| ignored >> (*signal as i32 - 1) & 1 == 0;
    let signals = [Signal::SIGINT, Signal::SIGTERM].into_iter().filter(is_heard);
    signals.map(|signal| (signal, 128 + signal as i32)).collect()
}

/// What a process came to.
#[derive(Debug)]
pub struct Ran {
    /// Nothing when a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Insists on an exit code, and shows all that was said when it is another.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// Insists on a part of what was written to standard error.
    #[track_caller]
    pub fn expect_err(self, part: &str) -> Self {
        assert!(self.err.contains(part), "no `{part}` in:\n{}", self.err);
        self
    }

    /// Insists on a part of what was written to standard output, wherever its lines are broken.
    #[track_caller]
    pub fn expect_out(self, part: &str) -> Self {
        let unbroken = self.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(self.out.contains(part) || unbroken.contains(part), "no `{part}` in:\n{}", self.out);
        self
    }
}

/// A process that runs, and is killed with its test.
pub struct Running {
    child: Child,
    out: Option<JoinHandle<String>>,
    err: Option<JoinHandle<String>>,
}

/// Reads to the end in a thread of its own, so that no pipe fills up.
fn drained(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let pipes = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        let out = child.stdout.take().map(drained);
        let err = child.stderr.take().map(drained);
        Self { child, out, err }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Signals all of its process group, as a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        killpg(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Ran {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < DEADLINE, "it did not end");
            thread::sleep(Duration::from_millis(5));
        };
        let text =
            |pipe: Option<JoinHandle<String>>| pipe.map_or_else(String::new, |pipe| pipe.join().unwrap());
        Ran { code: status.code(), out: text(self.out.take()), err: text(self.err.take()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ran {
    Running::start(command).finish()
}

/// Runs a command whose standard output goes elsewhere.
pub fn run_into(out: impl Into<Stdio>, command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).stdout(out).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    Ran { code: output.status.code(), out: String::new(), err }
}

/// Runs a command on a terminal of its own that is called so, and returns its exit code with all that it wrote there.
pub fn run_on_terminal(term: Option<&str>, command: &mut Command) -> (Option<i32>, String) {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let slave = || Stdio::from(terminal.slave.try_clone().unwrap());
    command.env_remove("TERM").env_remove("NO_COLOR").env_remove("CARGO_TERM_COLOR");
    command.envs(term.map(|term| ("TERM", term)));
    let mut child = command.stdin(Stdio::null()).stdout(slave()).stderr(slave()).spawn().unwrap();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    drop(terminal.slave);
    // Reading ends with an error as soon as nobody has the other end open.
    let text = drained(std::fs::File::from(terminal.master));
    let code = child.wait().unwrap().code();
    (code, text.join().unwrap())
}

/// A pipe whose reader has gone.
pub fn closed_pipe() -> Stdio {
    let (_, writer) = std::io::pipe().unwrap();
    writer.into()
}

pub fn full_disk() -> Stdio {
    std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// The `plimsoll` command with arguments.
pub fn plimsoll(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.args(args).env("NO_COLOR", "1").env_remove("GITHUB_ACTIONS");
    command
}

/// A `plimsoll serve` of its own on a free port.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Server {
    pub fn start(args: &[&str]) -> Self {
        let mut command = plimsoll(&["serve", "--port", "0"]);
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap()
    }

    /// The body of the answer to one request on a connection of its own.
    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Its own count of what it answered, by status.
    pub fn stats(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("/stats")).unwrap()
    }

    /// Sends a signal and waits for the end; gives the exit code.
    pub fn end(mut self, signal: Signal) -> Option<i32> {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A mark for the processes of a folder that is not a path: in a service's environment paths become those of its tree.
pub fn mark(folder: &Path) -> String {
    folder.to_string_lossy().replace('/', "~")
}

/// The living processes that inherited a variable with the [mark] of a folder, with their command lines. The dead have no environment.
pub fn alive(folder: &Path) -> Vec<(i32, String)> {
    let wanted = format!("={}\0", mark(folder));
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let read = |name: &str| {
            let bytes = std::fs::read(entry.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        if read("environ").contains(&wanted) {
            found.push((pid, read("cmdline").replace('\0', " ")));
        }
    }
    found
}

/// Waits until something holds.
#[track_caller]
pub fn wait_until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
