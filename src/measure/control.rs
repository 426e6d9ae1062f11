//! The control: a small fixed computation of plimsoll's own that shows whether the machine is as fast as when stored runs were measured.
//!
//! The bench program starts its own file again, once for each launch of the control, between the launches of the services. That process
//! times its own work, which needs a CPU and nothing else. A server that a client loads would be closer to what is measured, but at one
//! connection its latency has two states, 150 µs apart, that depend on the CPUs on which the kernel puts the two.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::record::Environment;

/// The first argument of a process that is the control.
const ARGUMENT: &str = "plimsoll-control";
/// Changes whenever the work or the way to time it changes: older figures then mean something else.
const VERSION: u32 = 2;
/// How long a launch measures each figure, which is about a hundred times its work.
const TIME: Duration = Duration::from_millis(10);
/// The time that makes a figure, as a quantile of all times: other work on the machine interrupts longer ones.
const QUANTILE: f64 = 0.1;
/// Launches differ by about 1%, on a busy machine by more.
const LEAST_LAUNCHES: usize = 20;
/// What a launch costs, with the start of its process.
const LAUNCH_TIME: Duration = Duration::from_millis(25);
/// Multiplications that wait for one another.
const MULTIPLICATIONS: u64 = 90_000;
/// Blocks to hash with SHA-256, for which many CPUs have instructions of their own.
const BLOCKS: usize = 24;
const BLOCK: [u8; 8192] = [7; 8192];

/// How often each work can be done in a second, by its name.
pub(super) type Figures = BTreeMap<String, f64>;

/// Measures the figures of one launch and prints them, if this process was started to do that. Returns whether it was.
///
/// # Errors
/// If they cannot be printed.
pub(crate) fn measure_if_asked() -> io::Result<bool> {
    if std::env::args_os().nth(1).is_none_or(|argument| argument != ARGUMENT) {
        return Ok(false);
    }
    let figures = [("multiply", per_second(multiply)), ("hash", per_second(hash))];
    let figures = Figures::from(figures.map(|(name, figure)| (name.to_owned(), figure)));
    io::stdout().write_all(&serde_json::to_vec(&figures)?)?;
    Ok(true)
}

fn per_second(work: fn()) -> f64 {
    let (began, mut times_s) = (Instant::now(), Vec::new());
    while times_s.is_empty() || began.elapsed() < TIME {
        let began = Instant::now();
        work();
        times_s.push(began.elapsed().as_secs_f64());
    }
    times_s.sort_by(f64::total_cmp);
    1.0 / times_s[(QUANTILE * times_s.len() as f64) as usize]
}

fn multiply() {
    let odd = black_box(0xbf58_476d_1ce4_e5b9_u64);
    black_box((0..MULTIPLICATIONS).fold(1, |product: u64, step| (product ^ step).wrapping_mul(odd)));
}

fn hash() {
    let mut digest = Sha256::new();
    (0..BLOCKS).for_each(|_| digest.update(black_box(&BLOCK)));
    black_box(digest.finalize());
}

/// What a control must share with another one so that their figures can be compared.
pub(crate) fn identity(environment: &Environment) -> String {
    let fact = |name: &str| environment.setup.get(name).map_or("unknown", String::as_str);
    let [plimsoll, rustc, profile] = ["plimsoll", "rustc", "profile"].map(fact);
    format!("control {VERSION} of plimsoll {plimsoll}, rustc {rustc}, {profile}")
}

/// The program that measures the control, and how often each run starts it.
pub(super) struct ControlProgram {
    path: PathBuf,
    pub(super) launches: usize,
}

impl ControlProgram {
    /// `path` is the file of this process.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), launches: LEAST_LAUNCHES }
    }

    /// Sets its launches for a run in which a service has that many. Returns the time that they take.
    pub(super) fn size_for(&mut self, launches: usize) -> Duration {
        self.launches = launches.max(LEAST_LAUNCHES);
        LAUNCH_TIME.saturating_mul(u32::try_from(self.launches).unwrap_or(u32::MAX))
    }

    /// Starts it once and waits for its figures.
    pub(super) fn launch(&self) -> io::Result<Figures> {
        let output = Command::new(&self.path).arg(ARGUMENT).stdin(Stdio::null()).output()?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_how_often_the_work_can_be_done_in_a_second() {
        let figure = per_second(|| std::thread::sleep(Duration::from_millis(2)));
        assert!(figure > 50.0 && figure <= 500.0, "{figure}");
    }
}
