//! What would decide what is undecided: more stored runs, more runs of head, or something else.

use crate::judge::policy::Terms;
use crate::judge::stored::{StoredDifference, USUAL_SPREAD};
use crate::record::KEPT_RUNS;
use crate::record::words::{percent, plural};

/// More runs than these at once nobody waits for.
const MOST_HEAD_RUNS: usize = 5;
/// Spread between launches, in usual ones, from which on the machine is called noisy.
const NOISY: f64 = 2.0;

/// The share of the whole variance from which on the order of launches is what is in the way.
const DOMINANT: f64 = 0.5;

/// What would decide this comparison in four of five cases, were the estimate and the spread to stay as they are.
pub(super) fn advice(difference: &StoredDifference, terms: &Terms, tests: usize) -> String {
    if difference.launch_variance.is_none() {
        return "several launches (let plimsoll start the service): more rounds of one launch cannot help"
            .to_owned();
    }
    let decides = |base, head| difference.with_runs(base, head).difference.decides(terms, tests);
    let base_runs = (difference.base_runs + 1..=KEPT_RUNS).find(|&base| decides(base, difference.head_runs));
    if let Some(base_runs) = base_runs {
        let more = base_runs - difference.base_runs;
        return format!("{} in the baseline ({base_runs} in all)", plural(more as u64, "more stored run"));
    }
    let kept = difference.base_runs.max(KEPT_RUNS);
    for base_runs in [difference.base_runs, kept] {
        if let Some(head_runs) =
            (difference.head_runs + 1..=MOST_HEAD_RUNS).find(|&head| decides(base_runs, head))
        {
            let stored = if base_runs > difference.base_runs {
                format!(" against {base_runs} stored ones")
            } else {
                String::new()
            };
            return format!("{head_runs} runs of head{stored}");
        }
    }
    if difference.disorder_variance > DOMINANT * difference.difference.standard_error.powi(2) {
        return "runs whose launches neither drift nor resemble the one before: a quieter machine".to_owned();
    }
    let spread = difference.run_variance.sqrt();
    if spread > NOISY * USUAL_SPREAD {
        return format!(
            "a duet, or a quieter machine: its runs are taken to differ by {}",
            percent(spread.exp_m1())
        );
    }
    "a duet of both builds".to_owned()
}
