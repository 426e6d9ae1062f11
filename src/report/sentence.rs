//! The one sentence for a whole call: the last line of the terminal, the first of the page. If nothing regressed it says what would
//! have been found, so that nobody takes the result for more than it is.

use crate::judge::{Judgement, OtherTestBed, Verdict};
use crate::record::{Better, TestBed};
use crate::report::text;
use crate::report::view::ReportOptions;

/// What a report says first if nothing was compared.
pub(crate) const NOT_COMPARED: &str = "NOT COMPARED";
/// The last line in CI of a call that compared nothing.
pub(crate) const OPEN_GATE: &str = "nothing was compared, so this gate lets everything pass. In a pull request, `--base-ref origin/main...HEAD` \
     compares with the commit where the branch began. On machines of your own, record a baseline with `--test-bed NAME` and pass the \
     same name here";
/// In the order of telling, with whether the cells are named.
const ORDER: [(Verdict, bool); 8] = [
    (Verdict::Regressed, true),
    (Verdict::Invalid, true),
    (Verdict::Incomparable, true),
    (Verdict::Inconclusive, false),
    (Verdict::New, false),
    (Verdict::Improved, true),
    (Verdict::SeemsFaster, true),
    (Verdict::Unchanged, false),
];

/// The sentence. That nothing was compared is told apart from it.
pub(crate) fn sentence(options: &ReportOptions, judgement: &Judgement, stopped: bool) -> String {
    let early = if stopped { " Measuring ended early." } else { "" };
    let cells = judgement.cells.len();
    if cells == 0 {
        return format!("Nothing was measured.{early}");
    }
    if judgement.count(Verdict::New) == cells {
        let (name, command) = (&options.baseline, &options.record_command);
        return match options {
            ReportOptions { is_duet: true, .. } => {
                format!("Base cannot answer any of these cells, so all are new.{early}")
            }
            ReportOptions { records: true, .. } => format!("There was no baseline `{name}` yet.{early}"),
            _ => format!("There is no baseline yet; `{command}` records one.{early}"),
        };
    }
    if let Some(other) = judgement.other_test_bed.as_ref().filter(|_| judgement.compared_nothing()) {
        return format!("{}{early}", elsewhere(other, options));
    }
    let mut parts: Vec<String> =
        ORDER.iter().filter_map(|(verdict, named)| part(judgement, *verdict, *named)).collect();
    if !judgement.removed.is_empty() {
        parts.push(format!("{} removed", judgement.removed.len()));
    }
    let counted = format!("{}: {}.", text::plural(cells as u64, "cell"), parts.join(", "));
    let detectable = detectable(judgement).map(|found| format!(" {found}")).unwrap_or_default();
    format!("{counted}{detectable}{early}")
}

/// What a call without a regression proves: how small a slow-down it would have found, from its most to its least sensitive judged
/// comparison, each as more time: half the throughput is a slow-down of 100%. The success ratio, which falls by points and not
/// by percent, is in each cell's block only.
fn detectable(judgement: &Judgement) -> Option<String> {
    if judgement.compared_nothing() || judgement.count(Verdict::Regressed) > 0 {
        return None;
    }
    let comparisons = judgement.cells.iter().flat_map(|cell| &cell.comparisons);
    let speeds: Vec<Option<f64>> = comparisons
        .filter(|comparison| comparison.judged && !comparison.is_difference())
        .map(|comparison| slow_down(comparison.metric.better, comparison.detectable?))
        .collect();
    let sizes = || speeds.iter().copied().flatten();
    let (least, most) = (sizes().min_by(f64::total_cmp)?, sizes().max_by(f64::total_cmp)?);
    let [low, high] = [least, most].map(text::percent);
    let found = match low == high {
        true => format!("a slow-down of {low}"),
        false => format!("slow-downs of {}", text::range(&low, &high)),
    };
    let blind = match speeds.len() - sizes().count() {
        0 => String::new(),
        blind => format!("; {blind} of {} comparisons could not have found any", speeds.len()),
    };
    Some(format!("No regression was shown; {found} would have been found{blind}."))
}

/// How much more time a worsening is; `None` if it has no bound.
fn slow_down(better: Better, worsening: f64) -> Option<f64> {
    let size = match better {
        Better::Lower => worsening,
        Better::Higher => (1.0 - worsening).recip() - 1.0,
    };
    (size.is_finite() && size >= 0.0).then_some(size)
}

/// That stored runs were measured on another machine, and what compares on this one.
fn elsewhere(other: &OtherTestBed, options: &ReportOptions) -> String {
    let id = |test_bed: &TestBed| test_bed.id.clone().unwrap_or_else(|| "unknown".to_owned());
    let command = match &options.duet_command {
        _ if options.records => "It is about to be replaced or extended".to_owned(),
        Some(command) => format!("To compare on this machine: `{command}`"),
        None => format!("To record one on this machine: `{}`", options.record_command),
    };
    format!(
        "The baseline `{}` was measured on another test bed ({}; this machine is {}). {command}.",
        options.baseline,
        id(&other.base),
        id(&other.here)
    )
}

fn part(judgement: &Judgement, verdict: Verdict, named: bool) -> Option<String> {
    let ids: Vec<String> = judgement
        .cells
        .iter()
        .filter(|cell| cell.verdict == verdict)
        .map(|cell| cell.id.to_string())
        .collect();
    if ids.is_empty() {
        return None;
    }
    // Where all share one fate their names say nothing more.
    let all = ids.len() == judgement.cells.len() && ids.len() > 1;
    if !named || all {
        return Some(format!("{} {}", ids.len(), verdict.name()));
    }
    Some(format!("{} {} ({})", ids.len(), verdict.name(), text::named(&ids)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::CellId;
    use crate::report::samples::{judgement_of, no_baseline, options};

    #[test]
    fn the_worst_comes_first_and_is_named() {
        let cells = [Verdict::Unchanged, Verdict::Regressed, Verdict::Unchanged];
        assert_eq!(
            sentence(&options(), &judgement_of(&cells), false),
            "3 cells: 1 regressed (tokenizer/3k_tokens/10), 2 unchanged."
        );
    }

    #[test]
    fn many_are_counted_and_what_is_gone_is_said() {
        let mut cells = vec![Verdict::Regressed; 5];
        cells.push(Verdict::Improved);
        let mut judgement = judgement_of(&cells);
        judgement.removed.push(CellId::new("tokenizer", "old"));
        assert_eq!(
            sentence(&options(), &judgement, true),
            "6 cells: 5 regressed (tokenizer/3k_tokens/5, tokenizer/3k_tokens/10, tokenizer/3k_tokens/15 and 2 more), \
             1 improved (tokenizer/3k_tokens/30), 1 removed. Measuring ended early."
        );
        assert_eq!(
            sentence(&options(), &judgement_of(&[Verdict::Regressed; 4]), false),
            "4 cells: 4 regressed."
        );
    }

    #[test]
    fn where_nothing_is_red_it_says_what_would_have_been_found() {
        let mut judgement = judgement_of(&[Verdict::Unchanged, Verdict::Inconclusive]);
        let said = |judgement: &Judgement| sentence(&options(), judgement, false);
        assert_eq!(
            said(&judgement),
            "2 cells: 1 inconclusive, 1 unchanged. No regression was shown; slow-downs of 17.0 to 20.5% would have been found."
        );
        let set = |judgement: &mut Judgement, cell: usize, metric: &str, detectable: Option<f64>| {
            let mut comparisons = judgement.cells[cell].comparisons.iter_mut();
            comparisons.find(|found| found.metric.id == metric).unwrap().detectable = detectable;
        };
        set(&mut judgement, 0, "latency_p50", Some(0.0912));
        // A throughput that is down by 30% is a service that takes 42.9% longer.
        set(&mut judgement, 0, "throughput", Some(0.3));
        set(&mut judgement, 1, "latency_p99", Some(0.42));
        // Neither what falls by points nor what is not judged is one of the slow-downs.
        set(&mut judgement, 1, "success_ratio", Some(0.9));
        set(&mut judgement, 1, "output_token_throughput", Some(0.8));
        let range = "; slow-downs of 9.1 to 42.9% would have been found";
        assert!(said(&judgement).ends_with(&format!("{range}.")), "{}", said(&judgement));
        set(&mut judgement, 0, "latency_p99", Some(f64::INFINITY));
        set(&mut judgement, 1, "latency_p50", None);
        let blind = format!("{range}; 2 of 6 comparisons could not have found any.");
        assert!(said(&judgement).ends_with(&blind), "{}", said(&judgement));
        judgement.cells[1].verdict = Verdict::Regressed;
        assert!(!said(&judgement).contains("found"), "a red call proves more than that");
    }

    #[test]
    fn without_anything_to_compare_with_it_says_why() {
        assert_eq!(
            sentence(&options(), &no_baseline(2), false),
            "There is no baseline yet; `cargo bench --bench tokenizer -- --save-baseline main --runs 5` records one."
        );
        let recording = ReportOptions { records: true, ..options() };
        assert_eq!(sentence(&recording, &no_baseline(2), false), "There was no baseline `main` yet.");
        let mut judgement = judgement_of(&[Verdict::Incomparable, Verdict::Invalid]);
        judgement.cells.iter_mut().for_each(|cell| cell.comparisons.clear());
        assert_eq!(
            sentence(&options(), &judgement, false),
            "2 cells: 1 invalid (tokenizer/3k_tokens/10), 1 incomparable (tokenizer/3k_tokens/5)."
        );
        assert_eq!(sentence(&options(), &Judgement::default(), false), "Nothing was measured.");
    }
}
