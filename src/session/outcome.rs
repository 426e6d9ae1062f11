//! What a call came to, and what the shell is told.

use std::process::ExitCode;

use crate::judge::{Judgement, Verdict};
use crate::measure::SIGNAL_BASE;
use crate::record::{Run, Stop};
use crate::session::options::FailOn;

/// Nothing was shown to be slower.
const PASSED: u8 = 0;
/// Something became slower, or broke a limit.
const REGRESSED: u8 = 1;
/// The call or a file is wrong: clap's own code for a wrong call.
pub(crate) const WRONG_CALL: u8 = 2;
/// It could not be measured, or what was measured could not be kept.
pub(crate) const NOT_MEASURED: u8 = 3;

/// What a call came to. Of several, the one that comes first here is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// A signal ended it.
    Interrupted(i32),
    /// Something became slower, or broke a limit.
    Regressed,
    /// Something could not be measured, or a report could not be written.
    NotMeasured,
    /// Nothing was shown to be slower.
    Passed,
}

impl Outcome {
    /// From what was measured and judged.
    pub(crate) fn of(runs: &[Run], judgement: &Judgement, fail_on: &[FailOn]) -> Self {
        let of_verdict = |verdict: Verdict| match verdict {
            Verdict::Regressed => Self::Regressed,
            Verdict::Invalid => Self::NotMeasured,
            Verdict::Inconclusive if fail_on.contains(&FailOn::Inconclusive) => Self::Regressed,
            Verdict::Incomparable if fail_on.contains(&FailOn::Incomparable) => Self::NotMeasured,
            _ => Self::Passed,
        };
        let of_stop = |stop: &Stop| match stop {
            Stop::Signal(signal) => Self::Interrupted(*signal),
            Stop::Failed(_) => Self::NotMeasured,
            Stop::TimeUp => Self::Passed,
        };
        let stops = runs.iter().filter_map(|run| run.stop.as_ref()).map(of_stop);
        let verdicts = judgement.cells.iter().map(|cell| of_verdict(cell.verdict));
        // A gate that has nothing to compare with is open.
        let is_open = judgement.compared_nothing() && fail_on.contains(&FailOn::Incomparable);
        let open = is_open.then_some(Self::NotMeasured);
        stops.chain(verdicts).chain(open).min().unwrap_or(Self::Passed)
    }

    /// The more urgent of two.
    pub(crate) fn and(self, other: Self) -> Self {
        self.min(other)
    }
}

/// The exit code of an outcome.
pub(crate) fn exit_code(outcome: Outcome) -> ExitCode {
    ExitCode::from(match outcome {
        Outcome::Passed => PASSED,
        Outcome::Regressed => REGRESSED,
        Outcome::NotMeasured => NOT_MEASURED,
        Outcome::Interrupted(signal) => u8::try_from(SIGNAL_BASE + signal).unwrap_or(u8::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_urgent_outcome_is_told() {
        let all = [Outcome::Passed, Outcome::NotMeasured, Outcome::Regressed, Outcome::Interrupted(15)];
        for (index, outcome) in all.iter().enumerate() {
            for lesser in &all[..=index] {
                assert_eq!(outcome.and(*lesser), *outcome);
            }
        }
        let codes = all.map(|outcome| format!("{:?}", exit_code(outcome)));
        let expected = [0, 3, 1, 143].map(|code: u8| format!("{:?}", ExitCode::from(code)));
        assert_eq!(codes, expected);
    }
}
