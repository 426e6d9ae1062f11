//! Why a comparison is too noisy to be decided, where the machine's own counters show a likely cause.

use crate::judge::launch::reduce;
use crate::judge::stored::USUAL_SPREAD;
use crate::judge::verdict::{CellJudgement, Comparison, Verdict};
use crate::record::{Better, CellRun, Condition, Metric, Run};

/// A machine that nobody uses spends a few per cent on itself. From a tenth on client and service have to wait for a CPU now and
/// then, or share a core and its caches.
const MANY_OTHERS: f64 = 0.10;
/// A hypervisor takes a CPU away for milliseconds. Most clouds do so for less than one per cent of the time; a p99 is hit by two.
const MUCH_STOLEN: f64 = 0.02;
/// Each period that is throttled stops client and service for up to 100 ms, more than most exchanges take: one in a hundred is seen
/// by every tail.
const MUCH_THROTTLED: f64 = 0.01;
/// Launches whose CPU was a tenth faster are some tenth faster themselves: more than any margin.
const MUCH_FASTER: f64 = 0.10;
/// It takes long to get a CPU so hot, and some time to cool it: once is enough.
const MUCH_HEAT: u64 = 1;
/// What could have been found holds the margin itself. It is the noise that decides where that is as large again.
const NOISY: f64 = 2.0;
/// Spread between launches, in usual ones, from which on head's own rounds are noisy. Below it a comparison with stored runs is
/// undecided because runs are few, or were noisy then.
const NOISY_LAUNCHES: f64 = 2.0;

/// Notes at each cell with an undecided comparison what the machine did that is the likely cause of the noise; nothing where its
/// counters show nothing.
pub(super) fn name_causes(cells: &mut [CellJudgement], runs: &[Run]) {
    if runs.iter().all(|run| run.environment.condition.is_none()) {
        return;
    }
    for cell in cells {
        let mut undecided = cell.comparisons.iter().filter(|comparison| is_lost_in_noise(comparison));
        let note = undecided.find_map(|comparison| likely_cause(&condition_of(cell, comparison, runs)));
        cell.notes.extend(note);
    }
}

/// Whether it is undecided, and noise is what hides a change of the size of the margin. Without any spread of its own, as with a
/// single launch, it is not noise that is in the way.
fn is_lost_in_noise(comparison: &Comparison) -> bool {
    let Some(findable) = comparison.findable else { return false };
    let findable = match comparison.metric.better {
        Better::Lower => findable.ln_1p(),
        Better::Higher => -(-findable).ln_1p(),
    };
    comparison.judged
        && comparison.verdict == Verdict::Inconclusive
        && !comparison.is_difference()
        && findable.is_finite()
        && findable > NOISY * comparison.margin.ln_1p()
}

/// The worst condition of all runs that the comparison rests on, as far as their own rounds are noisy.
fn condition_of(cell: &CellJudgement, comparison: &Comparison, runs: &[Run]) -> Condition {
    let is_noisy = |own: &CellRun| !own.base.is_empty() || has_noisy_launches(own, comparison.metric);
    let noisy = runs
        .iter()
        .filter(|run| run.cells.iter().any(|own| own.id.to_string() == cell.full_id() && is_noisy(own)));
    Condition::worst(noisy.filter_map(|run| run.environment.condition.as_ref()))
}

fn has_noisy_launches(cell: &CellRun, metric: &Metric) -> bool {
    let series = cell.series();
    let run = series.values.get(metric.id).and_then(|rounds| reduce(rounds, metric.centre));
    let variance = run.and_then(|run| run.launch_variance.or(run.round_variance));
    variance.is_some_and(|variance| variance.sqrt() > NOISY_LAUNCHES * USUAL_SPREAD)
}

/// What stands out most, in a sentence.
fn likely_cause(condition: &Condition) -> Option<String> {
    let share = |share: Option<f64>, much: f64, words: &dyn Fn(String) -> String| {
        share.map(|share| (share / much, words(percent(share))))
    };
    let causes = [
        share(condition.throttled_share, MUCH_THROTTLED, &|share| {
            format!("A limit of CPU time stopped client and service in {share} of its periods")
        }),
        share(condition.stolen_share, MUCH_STOLEN, &|share| {
            format!("The hypervisor gave {share} of the CPUs' time to other machines")
        }),
        share(condition.others_share, MANY_OTHERS, &|share| {
            format!("Other processes used {share} of the CPUs")
        }),
        condition.heat_throttles.map(|count| {
            let words = format!("CPUs were slowed down for their heat, {count} times in all,");
            (count as f64 / MUCH_HEAT as f64, words)
        }),
        condition.frequency_mhz.filter(|(low, _)| *low > 0.0).map(|(low, high)| {
            let words = format!("The CPUs ran at {low:.0} MHz in one launch and at {high:.0} in another");
            ((high / low - 1.0) / MUCH_FASTER, words)
        }),
    ];
    let standing_out = causes.into_iter().flatten().filter(|(excess, _)| *excess >= 1.0);
    let (_, words) = standing_out.max_by(|one, other| one.0.total_cmp(&other.0))?;
    Some(format!("{words} while it was measured: that is the likely cause of its noise."))
}

/// `38 %`, and `1.3 %` where whole ones tell too little.
fn percent(share: f64) -> String {
    const WHOLE_FROM: f64 = 0.1;
    let digits = usize::from(share < WHOLE_FROM);
    format!("{:.digits$} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixture::{Nested, baseline, cell, run};
    use crate::judge::{Judgement, Policy, judge};

    const NOTE: &str =
        "Other processes used 38 % of the CPUs while it was measured: that is the likely cause of its noise.";

    /// Launches that differ from each other with this standard deviation.
    fn launches(spread: f64) -> Nested {
        let places = [-1.2, 0.7, 1.3, -0.4, 0.1, -1.0, 0.9, 1.1, -0.6, -0.9];
        places.iter().map(|place| vec![1e6 * (spread * place).exp(); 3]).collect()
    }

    fn measured(spread: f64, condition: Option<Condition>) -> Run {
        let mut run = run(vec![cell("find/10", &[("latency_p50", launches(spread))])]);
        run.environment.condition = condition;
        run
    }

    fn busy() -> Condition {
        Condition { others_share: Some(0.38), stolen_share: Some(0.001), ..Condition::default() }
    }

    fn against_stored(head: Run) -> Judgement {
        let stored = (0..5).map(|_| cell("find/10", &[("latency_p50", launches(0.01))])).collect();
        judge(&baseline(stored), &[head], &Policy::usual())
    }

    fn slower(mut run: Run, factor: f64) -> Run {
        run.cells[0].rounds.iter_mut().for_each(|round| {
            round.values.insert("latency_p50", factor * round.values["latency_p50"]);
        });
        run
    }

    fn duet(base: f64, head: f64) -> Run {
        let mut run = measured(head, Some(busy()));
        let mut base = launches(base);
        base.reverse();
        run.cells[0].base = cell("find/10", &[("latency_p50", base)]).rounds;
        run
    }

    fn notes(judgement: &Judgement) -> Vec<&str> {
        let about_noise = |note: &&str| note.contains("likely cause");
        judgement.cells[0].notes.iter().map(String::as_str).filter(about_noise).collect()
    }

    #[test]
    fn an_undecided_cell_with_noisy_launches_names_the_processes_that_disturbed_it() {
        let judged = against_stored(measured(0.2, Some(busy())));
        assert_eq!(judged.cells[0].verdict, Verdict::Inconclusive);
        assert_eq!(notes(&judged), [NOTE]);
    }

    #[test]
    fn a_quiet_machine_or_an_unknown_one_is_not_accused() {
        let quiet = Condition { others_share: Some(0.03), ..busy() };
        assert_eq!(notes(&against_stored(measured(0.2, Some(quiet)))), [""; 0]);
        assert_eq!(notes(&against_stored(measured(0.2, None))), [""; 0]);
        assert_eq!(notes(&against_stored(measured(0.2, Some(Condition::default())))), [""; 0]);
    }

    #[test]
    fn too_few_stored_runs_are_not_blamed_on_the_machine() {
        let stored = baseline(vec![cell("find/10", &[("latency_p50", launches(0.01))])]);
        let head = slower(measured(0.01, Some(busy())), 1.1);
        let judged = judge(&stored, &[head], &Policy::usual());
        assert_eq!(judged.cells[0].verdict, Verdict::Inconclusive);
        assert_eq!(notes(&judged), [""; 0]);
    }

    #[test]
    fn a_decided_cell_needs_no_cause() {
        let judged = against_stored(slower(measured(0.2, Some(busy())), 5.0));
        assert_eq!((judged.cells[0].verdict, notes(&judged).len()), (Verdict::Regressed, 0));
    }

    #[test]
    fn a_noisy_duet_names_it_too_and_a_steady_one_does_not() {
        let judged = judge(&crate::record::Baseline::default(), &[duet(0.2, 0.1)], &Policy::usual());
        assert_eq!(judged.cells[0].verdict, Verdict::Inconclusive);
        assert_eq!(notes(&judged), [NOTE]);
        assert_eq!(
            notes(&judge(&crate::record::Baseline::default(), &[duet(0.001, 0.001)], &Policy::usual())),
            [""; 0]
        );
    }

    #[test]
    fn what_stands_out_most_is_named_and_what_is_usual_is_not() {
        let cause = |condition: Condition| likely_cause(&condition).unwrap_or_default();
        let several = Condition { stolen_share: Some(0.03), throttled_share: Some(0.2), ..busy() };
        assert!(
            cause(several)
                .starts_with("A limit of CPU time stopped client and service in 20 % of its periods")
        );
        let stolen = Condition { stolen_share: Some(0.065), others_share: Some(0.2), ..Condition::default() };
        assert!(
            cause(stolen).starts_with("The hypervisor gave 6.5 % of the CPUs' time to other machines while")
        );
        let hot = Condition { heat_throttles: Some(14), ..Condition::default() };
        assert!(cause(hot).starts_with("CPUs were slowed down for their heat, 14 times in all, while"));
        let slow = Condition { frequency_mhz: Some((2_400.0, 3_400.0)), ..Condition::default() };
        assert!(
            cause(slow).starts_with("The CPUs ran at 2400 MHz in one launch and at 3400 in another while")
        );
        let usual = Condition {
            others_share: Some(0.05),
            stolen_share: Some(0.005),
            throttled_share: Some(0.0),
            heat_throttles: Some(0),
            frequency_mhz: Some((3_300.0, 3_400.0)),
        };
        assert_eq!(cause(usual), "");
    }
}
