//! The end that somebody asks for by Ctrl-C, SIGTERM or SIGHUP.
//!
//! The first signal of a run asks for an orderly end: the walk looks at [`Interrupt::signalled`] or waits for
//! [`Interrupt::wait`]. A second Ctrl-C or SIGTERM ends the process at once, and the services' guardians end them. With no run
//! under way the first one ends the process too, as it would any program.
//!
//! What only follows from the first one is no second one: the parent's death (cargo dies of the Ctrl-C that we hear as well), the
//! hang-up of a terminal whose first process that parent was, and the same signal passed on once more by a runner.
//!
//! The signals are heard in a thread of their own: the client's runtime may be busy, and its time is measured.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::measure::parent::{PARENT_DIED, parent_is_gone};

/// A process that ends by a signal has this plus the signal's number as its exit code.
pub(crate) const SIGNAL_BASE: i32 = 128;

/// Within this time two signals are one that came twice: by the terminal or the group, and by a runner that passes it on.
const ONE_SIGNAL: Duration = Duration::from_millis(200);

static HEARD: LazyLock<watch::Sender<Option<i32>>> = LazyLock::new(|| watch::Sender::new(None));
static RUNS: AtomicUsize = AtomicUsize::new(0);
/// When somebody first asked for this run's end by Ctrl-C or SIGTERM.
static ASKED: Mutex<Option<Instant>> = Mutex::new(None);

/// A run's ear for signals, as long as it lives.
#[derive(Debug)]
pub(crate) struct Interrupt {
    heard: watch::Receiver<Option<i32>>,
}

impl Interrupt {
    /// Begins to listen. A signal that is ignored already (`nohup`, a background job of a script) stays so.
    pub(crate) fn install() -> io::Result<Self> {
        static LISTENING: Mutex<bool> = Mutex::new(false);
        let mut listening = LISTENING.lock().unwrap_or_else(PoisonError::into_inner);
        if !*listening {
            start_listening()?;
            *listening = true;
        }
        if RUNS.fetch_add(1, Ordering::SeqCst) == 0 {
            HEARD.send_replace(None);
            *asked() = None;
        }
        Ok(Self { heard: HEARD.subscribe() })
    }

    /// The signal's number, once there was one.
    pub(crate) fn signalled(&self) -> Option<i32> {
        *self.heard.borrow()
    }

    /// Waits for a signal and gives its number.
    pub(crate) async fn wait(&self) -> i32 {
        let mut heard = self.heard.clone();
        match heard.wait_for(Option::is_some).await.map(|signal| *signal) {
            Ok(Some(signal)) => signal,
            // The sender is static.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        RUNS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Starts the thread, and waits until each signal has its handler.
fn start_listening() -> io::Result<()> {
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(listen(&tell)),
            Err(error) => _ = tell.send(Err(error)),
        }
    })?;
    told.recv().map_err(|_| io::Error::other("the thread for signals has ended"))?
}

async fn listen(tell: &mpsc::SyncSender<io::Result<()>>) {
    let all = (
        ear(SignalKind::interrupt()),
        ear(SignalKind::terminate()),
        ear(SignalKind::hangup()),
        signal(SignalKind::from_raw(PARENT_DIED as i32)),
    );
    let (mut interrupt, mut terminate, mut hangup, mut parent) = match all {
        (Ok(interrupt), Ok(terminate), Ok(hangup), Ok(parent)) => (interrupt, terminate, hangup, parent),
        (Err(error), ..) | (_, Err(error), ..) | (_, _, Err(error), _) | (.., Err(error)) => {
            _ = tell.send(Err(error));
            return;
        }
    };
    _ = tell.send(Ok(()));
    loop {
        // The cause before what follows from it, when both have come.
        tokio::select! {
            biased;
            () = next(&mut interrupt) => hear_request(SignalKind::interrupt().as_raw_value()),
            () = next(&mut terminate) => hear_request(SignalKind::terminate().as_raw_value()),
            () = next(&mut hangup) => hear(SignalKind::hangup().as_raw_value()),
            _ = parent.recv() => if parent_is_gone() { hear(SignalKind::terminate().as_raw_value()) },
        }
    }
}

/// Hears what somebody sends to end us; the second one does so at once.
fn hear_request(signal: i32) {
    let before = *asked().get_or_insert_with(Instant::now);
    if before.elapsed() > ONE_SIGNAL {
        end(signal);
    }
    hear(signal);
}

/// Hears a signal, which counts if it is the first.
fn hear(signal: i32) {
    if RUNS.load(Ordering::SeqCst) == 0 {
        end(signal);
    }
    HEARD.send_if_modified(|heard| {
        let is_first = heard.is_none();
        heard.get_or_insert(signal);
        is_first
    });
}

fn end(signal: i32) {
    std::process::exit(SIGNAL_BASE + signal);
}

fn asked() -> std::sync::MutexGuard<'static, Option<Instant>> {
    ASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ear(kind: SignalKind) -> io::Result<Option<Signal>> {
    if is_ignored(kind.as_raw_value()) { Ok(None) } else { signal(kind).map(Some) }
}

async fn next(ear: &mut Option<Signal>) {
    match ear {
        Some(signal) => _ = signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Whether the process was started with this signal ignored. Only Linux tells.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_by(&status).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

fn ignored_by(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus};

    use nix::sys::signal::Signal;

    use super::*;

    /// Tells the fixture which case it is.
    const CASE: &str = "PLIMSOLL_TEST_INTERRUPT";

    /// No test by itself: signals are a whole process's, so the tests start this binary anew with it.
    #[test]
    fn fixture_signals() {
        let Ok(case) = std::env::var(CASE) else { return };
        let own = nix::unistd::Pid::this();
        let send = |signal| nix::sys::signal::kill(own, signal).unwrap();
        let mut interrupt = Some(Interrupt::install().unwrap());
        if case == "no run" {
            interrupt = None;
        }
        send(Signal::SIGTERM);
        if let Some(interrupt) = &interrupt {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            assert_eq!(runtime.block_on(interrupt.wait()), 15);
            assert_eq!(interrupt.signalled(), Some(15));
        }
        match case.as_str() {
            "once" => {}
            // Later than a signal that is passed on.
            "twice" => std::thread::sleep(2 * ONE_SIGNAL),
            "passed on" => send(Signal::SIGTERM),
            "what follows" => {
                std::thread::sleep(2 * ONE_SIGNAL);
                send(Signal::SIGHUP);
                send(PARENT_DIED);
                // As when the parent is really gone.
                hear(15);
            }
            _ => {}
        }
        if case == "twice" || case == "no run" {
            send(Signal::SIGTERM);
            std::thread::sleep(Duration::from_secs(60));
        }
        // Time for what should not end us to do so.
        std::thread::sleep(ONE_SIGNAL);
        assert_eq!(interrupt.as_ref().and_then(Interrupt::signalled), Some(15));
        std::process::exit(42);
    }

    fn run(case: &str) -> ExitStatus {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "measure::interrupt::tests::fixture_signals", "--nocapture"]);
        command.env(CASE, case).stdout(std::process::Stdio::null()).status().unwrap()
    }

    #[test]
    fn the_first_signal_of_a_run_is_told_and_the_second_ends_the_process() {
        assert_eq!(run("once").code(), Some(42));
        assert_eq!(run("twice").code(), Some(143));
    }

    #[test]
    fn neither_a_signal_passed_on_nor_what_follows_from_the_first_is_a_second_one() {
        assert_eq!(run("passed on").code(), Some(42));
        assert_eq!(run("what follows").code(), Some(42));
    }

    #[test]
    fn a_signal_without_a_run_ends_the_process() {
        let status = run("no run");
        assert_eq!((status.code(), status.signal()), (Some(143), None));
    }

    #[test]
    fn what_a_parent_has_ignored_is_read_from_the_kernels_mask() {
        assert_eq!(ignored_by("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"), Some(0x1001));
        assert_eq!(ignored_by("Name:\tx\n"), None);
    }
}
