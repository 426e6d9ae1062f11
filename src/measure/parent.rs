//! What started us, and that we do not outlive it.
//!
//! `cargo bench` runs the bench as a child. Ctrl-C reaches both; a SIGTERM to cargo alone (a CI that cancels a job) does not,
//! and the bench would measure on with nobody to read it.

use std::sync::OnceLock;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// What the kernel sends when the parent dies. None that people or runners send to end something: of Ctrl-C cargo dies at once, so
/// that its end is told right behind it, and would count as a second one.
pub(crate) const PARENT_DIED: Signal = Signal::SIGUSR2;

static PARENT: OnceLock<Pid> = OnceLock::new();

/// Asks the kernel for a signal when the parent dies, if that is cargo (which sets `CARGO`). A bench that is run by hand
/// may outlive its shell, as any program under `nohup` may.
///
/// The kernel speaks of the parent's *thread* that started us: cargo starts benches from its main thread; other runners
/// may not, and start benches without `--bench`. So call it in a bench run only. Elsewhere than on Linux it does nothing.
pub(crate) fn watch_parent() {
    if std::env::var_os("CARGO").is_some() {
        #[cfg(target_os = "linux")]
        ask_kernel();
    }
}

/// Whether the parent that is watched is gone. The signal alone does not show it: anybody may send that.
pub(crate) fn parent_is_gone() -> bool {
    PARENT.get().is_some_and(|parent| *parent != getppid())
}

#[cfg(target_os = "linux")]
fn ask_kernel() {
    use nix::sys::prctl::set_pdeathsig;
    use nix::sys::signal::raise;
    let parent = *PARENT.get_or_init(getppid);
    let asked = set_pdeathsig(PARENT_DIED);
    // It may have died between the two calls: then nobody would tell us any more.
    if asked.is_ok() && getppid() != parent {
        _ = raise(PARENT_DIED);
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    /// Tells the fixtures that they are ones.
    const FIXTURE: &str = "PLIMSOLL_TEST_PARENT";

    fn fixture(role: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "measure::parent::tests::fixture_family", "--nocapture"]).env(FIXTURE, role);
        command
    }

    /// No test by itself: a parent that starts a child, and the child.
    #[test]
    fn fixture_family() {
        match std::env::var(FIXTURE).as_deref() {
            Ok("parent") => {
                fixture("child").env("CARGO", "cargo").spawn().unwrap().wait().unwrap();
            }
            Ok("child") => {
                super::watch_parent();
                println!("\nchild {}", std::process::id());
                std::thread::sleep(Duration::from_secs(60));
            }
            _ => {}
        }
    }

    #[test]
    fn a_bench_ends_with_the_cargo_that_started_it() {
        let mut parent = fixture("parent").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
        let child =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("child ").map(str::to_owned));
        let stat = format!("/proc/{}/stat", child.unwrap());
        let runs = || {
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
        };
        assert!(runs());
        parent.kill().unwrap();
        parent.wait().unwrap();
        let began = Instant::now();
        while runs() && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!runs());
    }
}
