//! Ctrl-C, SIGTERM and SIGHUP, and the death of the cargo that started the bench.
//!
//! The first signal of a run asks for an orderly end: a run looks at [`Interrupt::signalled`] or waits for [`Interrupt::wait`]. A second
//! Ctrl-C or SIGTERM ends the process immediately, and the watchdogs then end the services. Without a run, the first signal ends the
//! process, as in any program.
//!
//! Signals caused by the first Ctrl-C do not count as a second one: cargo exiting, the SIGHUP of a closing terminal, or a test runner
//! that forwards the same signal.
//!
//! `cargo bench` runs the bench as a child. Ctrl-C reaches both, but SIGTERM often reaches cargo alone (for example if CI cancels a job),
//! and the bench would keep measuring although nobody reads its result. Therefore the bench asks the kernel to signal the death of cargo.
//!
//! A separate thread handles the signals: the client's runtime may be busy, and its time is measured.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getppid};
use tokio::runtime::Builder;
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::watch;

use crate::measure::process::Watchdog;

/// The exit code of a process that a signal ends is this plus the signal's number.
pub(crate) const SIGNAL_BASE: i32 = 128;
/// Two signals within this time count as one, which the terminal sent and a runner forwarded.
const ONE_SIGNAL: Duration = Duration::from_millis(200);
/// Sent by the kernel when cargo exits. Must not be SIGINT or SIGTERM: cargo exits on Ctrl-C too, and its exit would look like a
/// second Ctrl-C.
const PARENT_DIED: Signal = Signal::SIGUSR2;
/// Interval at which a command is checked for its end.
const POLL: Duration = Duration::from_millis(20);

/// The signals of the current run. Its subscribers are the living [`Interrupt`]s.
static STATE: LazyLock<watch::Sender<State>> = LazyLock::new(|| watch::Sender::new(State::default()));
/// The parent, if its death is watched.
static PARENT: OnceLock<Pid> = OnceLock::new();

#[derive(Debug, Default)]
struct State {
    /// The first signal.
    received: Option<i32>,
    /// The time of the first Ctrl-C or SIGTERM.
    requested: Option<Instant>,
}

/// A run's subscription to signals. While none is alive, a signal ends the process.
#[derive(Debug)]
pub(crate) struct Interrupt {
    state: watch::Receiver<State>,
}

impl Interrupt {
    /// Handles signals from now on. Signals that this process was started to ignore (`nohup`, background jobs of a script) stay ignored.
    pub(crate) fn subscribe() -> io::Result<Self> {
        static IS_HANDLING: Mutex<bool> = Mutex::new(false);
        let mut is_handling = IS_HANDLING.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_handling {
            start_handling()?;
            *is_handling = true;
        }
        if STATE.receiver_count() == 0 {
            STATE.send_replace(State::default());
        }
        Ok(Self { state: STATE.subscribe() })
    }

    /// The number of the first signal, `None` if there was none yet.
    pub(crate) fn signalled(&self) -> Option<i32> {
        self.state.borrow().received
    }

    /// Waits for a signal and returns its number.
    pub(crate) async fn wait(&self) -> i32 {
        let mut state = self.state.clone();
        let received =
            state.wait_for(|state| state.received.is_some()).await.ok().and_then(|state| state.received);
        received.expect("the sender is static")
    }
}

/// Installs the handlers and starts the thread that reacts to them.
fn start_handling() -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let context = runtime.enter();
    let unless_ignored = |kind: SignalKind| {
        if is_ignored(kind.as_raw_value()) { Ok(None) } else { unix::signal(kind).map(Some) }
    };
    let mut interrupt = unless_ignored(SignalKind::interrupt())?;
    let mut terminate = unless_ignored(SignalKind::terminate())?;
    let mut hangup = unless_ignored(SignalKind::hangup())?;
    let mut parent_died = unix::signal(SignalKind::from_raw(PARENT_DIED as i32))?;
    drop(context);
    let handle = async move {
        loop {
            // If several have come, a cause is handled before its consequence.
            tokio::select! {
                biased;
                () = next(&mut interrupt) => receive(Signal::SIGINT, true),
                () = next(&mut terminate) => receive(Signal::SIGTERM, true),
                () = next(&mut hangup) => receive(Signal::SIGHUP, false),
                _ = parent_died.recv() => if parent_is_gone() { receive(Signal::SIGTERM, false) },
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(handle))?;
    Ok(())
}

async fn next(signals: &mut Option<unix::Signal>) {
    match signals {
        Some(signals) => _ = signals.recv().await,
        None => std::future::pending().await,
    }
}

/// Takes note of a signal. The second one that somebody sent on purpose ends the process, and so does any signal without a run.
fn receive(signal: Signal, is_request: bool) {
    let signal = signal as i32;
    let is_second = STATE.borrow().requested.is_some_and(|first| first.elapsed() > ONE_SIGNAL);
    if STATE.receiver_count() == 0 || is_request && is_second {
        std::process::exit(SIGNAL_BASE + signal);
    }
    STATE.send_modify(|state| {
        state.received.get_or_insert(signal);
        if is_request {
            state.requested.get_or_insert_with(Instant::now);
        }
    });
}

/// Whether this process was started with the signal ignored. Only Linux shows it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_mask(&status).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

fn ignored_mask(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// Asks the kernel for a signal when the parent dies, if the parent is cargo (which sets `CARGO`). A bench started by hand may outlive its
/// shell, like any program under `nohup`. Does nothing on systems other than Linux.
///
/// The kernel watches the *thread* of the parent that started us. Cargo starts benches from its main thread. Other runners may not,
/// and start benches without `--bench`. Therefore call this in a bench run only.
pub(crate) fn watch_parent() {
    #[cfg(target_os = "linux")]
    if std::env::var_os("CARGO").is_some() {
        let parent = *PARENT.get_or_init(getppid);
        let is_watched = nix::sys::prctl::set_pdeathsig(PARENT_DIED).is_ok();
        // It may have died between the two calls. Then the kernel does not send the signal.
        if is_watched && getppid() != parent {
            _ = nix::sys::signal::raise(PARENT_DIED);
        }
    }
}

/// Whether the watched parent is gone. The signal is not enough: anybody may send it.
fn parent_is_gone() -> bool {
    PARENT.get().is_some_and(|parent| *parent != getppid())
}

/// Runs a command to its end and returns what it wrote to its pipes. A signal to us kills its process group, and so does our death:
/// otherwise a killed build would leave a compiler behind, which writes where the next call builds.
pub(crate) fn output_unless_interrupted(command: &mut Command, signals: &Interrupt) -> io::Result<Output> {
    let watchdog = Watchdog::spawn(None)?;
    let child = command.process_group(watchdog.group().as_raw()).spawn()?;
    let waiting = std::thread::spawn(move || child.wait_with_output());
    while !waiting.is_finished() {
        if signals.signalled().is_some() {
            // The watchdog leads the group and is not reaped yet, so the number is ours.
            _ = killpg(watchdog.group(), Signal::SIGKILL);
            break;
        }
        std::thread::sleep(POLL);
    }
    // If the command has ended, what it leaves running on purpose (such as the server of a compiler cache) is not killed.
    waiting.join().unwrap_or_else(|_| Err(io::Error::other("the thread that waited for it has panicked")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{ExitStatus, Stdio};

    use super::*;

    /// Set in the environment of a process that is to receive signals. Signals reach whole processes, so the tests start this binary
    /// again with [`ENTRY`], which is a test without this variable.
    const CASE: &str = "PLIMSOLL_TEST_INTERRUPT";
    const ENTRY: &str =
        "measure::signals::tests::the_first_signal_of_a_run_is_reported_and_the_second_ends_the_process";

    /// Sends itself signals. Exits with 42 if it survives them.
    fn receive_signals(case: &str) -> ! {
        let send = |signal| nix::sys::signal::kill(Pid::this(), signal).unwrap();
        let mut interrupt = Some(Interrupt::subscribe().unwrap());
        if case == "no run" {
            interrupt = None;
        }
        send(Signal::SIGTERM);
        if let Some(interrupt) = &interrupt {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            assert_eq!(runtime.block_on(interrupt.wait()), 15);
            assert_eq!(interrupt.signalled(), Some(15));
        }
        match case {
            "forwarded" => send(Signal::SIGTERM),
            "consequences" => {
                std::thread::sleep(2 * ONE_SIGNAL);
                send(Signal::SIGHUP);
                send(PARENT_DIED);
                // As if the parent were really gone.
                receive(Signal::SIGTERM, false);
            }
            // Later than a forwarded signal.
            "twice" => std::thread::sleep(2 * ONE_SIGNAL),
            _ => {}
        }
        if case == "twice" || case == "no run" {
            send(Signal::SIGTERM);
            std::thread::sleep(Duration::from_secs(60));
        }
        // Time for a signal that must not end this process.
        std::thread::sleep(ONE_SIGNAL);
        assert_eq!(interrupt.as_ref().and_then(Interrupt::signalled), Some(15));
        std::process::exit(42);
    }

    fn run(case: &str) -> ExitStatus {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", ENTRY, "--nocapture"]);
        command.env(CASE, case).stdout(Stdio::null()).status().unwrap()
    }

    #[test]
    fn the_first_signal_of_a_run_is_reported_and_the_second_ends_the_process() {
        if let Ok(case) = std::env::var(CASE) {
            receive_signals(&case);
        }
        assert_eq!(run("once").code(), Some(42));
        assert_eq!(run("twice").code(), Some(143));
    }

    #[test]
    fn neither_a_forwarded_signal_nor_a_consequence_of_the_first_counts_as_the_second() {
        assert_eq!(run("forwarded").code(), Some(42));
        assert_eq!(run("consequences").code(), Some(42));
    }

    #[test]
    fn a_signal_without_a_run_ends_the_process() {
        let status = run("no run");
        assert_eq!((status.code(), status.signal()), (Some(143), None));
    }

    #[test]
    fn ignored_signals_are_read_from_the_mask_of_the_kernel() {
        assert_eq!(ignored_mask("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"), Some(0x1001));
        assert_eq!(ignored_mask("Name:\tx\n"), None);
    }
}
