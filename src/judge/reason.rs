//! Why a comparison has its verdict, in words that agree with its numbers.

use crate::judge::policy::Terms;
use crate::judge::verdict::{Change, Comparison, Stage, Verdict};
use crate::record::words::{change as signed, percent, share};
use crate::record::{Better, Metric};

/// From the scale on which positive is worse to a fraction of base in the metric's own direction.
pub(super) fn in_own_direction(metric: &Metric, low: f64, estimate: f64, high: f64) -> Change {
    match metric.better {
        Better::Lower => Change { low: low.exp_m1(), estimate: estimate.exp_m1(), high: high.exp_m1() },
        Better::Higher => {
            Change { low: (-high).exp_m1(), estimate: (-estimate).exp_m1(), high: (-low).exp_m1() }
        }
    }
}

/// Why a comparison has its verdict, in a sentence.
pub(super) fn reason(comparison: &Comparison, terms: &Terms, may_improve: bool) -> Option<String> {
    let title = comparison.metric.title;
    let Some(Change { low, estimate, high }) = comparison.change else {
        return Some(format!("{title}: {}", comparison.method));
    };
    if comparison.is_difference() {
        let (base, head) = (comparison.base?, comparison.head?);
        let moved = if estimate < 0.0 { "fell" } else { "rose" };
        let doubt = if comparison.verdict == Verdict::Inconclusive { ", which may be chance" } else { "" };
        return Some(format!("The {title} {moved} from {} to {}{doubt}.", share(base), share(head)));
    }
    let direction = if estimate < 0.0 { "lower" } else { "higher" };
    let change = format!(
        "{title} is {} {direction} (interval {} to {})",
        percent(estimate),
        signed(low),
        signed(high)
    );
    Some(match comparison.verdict {
        Verdict::Inconclusive => format!("{change}, {}.", doubt(comparison, terms, may_improve)),
        _ => format!("{change}."),
    })
}

/// Why a change is undecided, in words that agree with its interval.
fn doubt(comparison: &Comparison, terms: &Terms, may_improve: bool) -> String {
    let Some(Change { low, estimate, high }) = comparison.change else {
        return "which is not known".to_owned();
    };
    let is_better = (comparison.metric.better == Better::Lower) == (estimate < 0.0);
    // The margin as this direction has it: 5 % more time is 4.8 % fewer exchanges.
    let beyond = low.ln_1p() > terms.noise_threshold.ln_1p() || high.ln_1p() < -terms.noise_threshold.ln_1p();
    match beyond {
        true if is_better && !may_improve && comparison.p_adjusted < terms.significance_level => {
            "but the success ratio fell: that failures are fast is no improvement".to_owned()
        }
        true => beyond_in_doubt(comparison),
        false if low > 0.0 || high < 0.0 => "which may be within the noise threshold or beyond it".to_owned(),
        false => "which shows neither a change nor that there is none".to_owned(),
    }
}

/// Why a change is undecided whose interval, which is not corrected, lies beyond the threshold.
fn beyond_in_doubt(comparison: &Comparison) -> String {
    let over = match comparison.stage {
        Stage::Screened => return "which a screening alone does not decide".to_owned(),
        Stage::Confirmed { .. } => "all suspects and looks",
        Stage::Whole => "all tests of the call",
    };
    format!("which is not beyond doubt: p = {:.4} corrected over {over}", comparison.p_adjusted)
}

/// A reason with what a cell's other comparisons came to, where one of them is incomparable by itself.
pub(super) fn with_the_rest<'a>(
    why: String,
    verdict: Verdict,
    judged: impl Iterator<Item = &'a Comparison>,
) -> String {
    let compared = judged.filter(|comparison| comparison.change.is_some());
    let found: Vec<String> = compared
        .map(|comparison| format!("{} is {}", comparison.metric.title, comparison.verdict.name()))
        .collect();
    if verdict != Verdict::Incomparable || found.is_empty() {
        return why;
    }
    format!("{why} The rest was compared: {}.", found.join(", "))
}
