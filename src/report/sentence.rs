//! The one sentence for a whole call: the last line of the terminal, the first of the page.

use super::view::ReportOptions;
use super::words;
use crate::judge::{Judgement, Verdict};

/// What a report says first when there was nothing to compare.
pub(crate) const NOT_COMPARED: &str = "NOT COMPARED";
/// So many ids are named; more are counted.
const MOST_NAMED: usize = 3;
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

/// The sentence.
pub(crate) fn sentence(bench: &str, options: &ReportOptions, judgement: &Judgement, stopped: bool) -> String {
    let early = if stopped { " Measuring ended before its time." } else { "" };
    let cells = judgement.cells.len();
    if cells == 0 {
        return format!("{NOT_COMPARED}: nothing was measured.{early}");
    }
    if judgement.count(Verdict::New) == cells {
        let baseline = &options.baseline;
        return if options.records {
            format!("{NOT_COMPARED}: there was no baseline `{baseline}` yet.{early}")
        } else {
            format!("{NOT_COMPARED}: there is no baseline yet; {}{early}", advice(bench, baseline))
        };
    }
    let mut parts: Vec<String> =
        ORDER.iter().filter_map(|(verdict, named)| part(judgement, *verdict, *named)).collect();
    if !judgement.gone.is_empty() {
        parts.push(format!("{} gone", judgement.gone.len()));
    }
    let counted = format!("{}: {}.", words::plural(cells as u64, "cell"), parts.join(", "));
    if judgement.compared_nothing() {
        format!("{NOT_COMPARED}: {counted}{early}")
    } else {
        format!("{counted}{early}")
    }
}

fn advice(bench: &str, baseline: &str) -> String {
    format!("`cargo bench --bench {bench} -- --save-baseline {baseline} --runs 5` records one.")
}

fn part(judgement: &Judgement, verdict: Verdict, named: bool) -> Option<String> {
    let ids: Vec<String> =
        judgement.cells.iter().filter(|cell| cell.verdict == verdict).map(|cell| cell.full_id()).collect();
    if ids.is_empty() {
        return None;
    }
    // Where all share one fate their names say nothing more.
    let all = ids.len() == judgement.cells.len() && ids.len() > 1;
    if !named || all {
        return Some(format!("{} {}", ids.len(), verdict.name()));
    }
    let more = match ids.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names = ids[..ids.len().min(MOST_NAMED)].join(", ");
    Some(format!("{} {} ({names}{more})", ids.len(), verdict.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{judgement_of, no_baseline, options};

    #[test]
    fn the_worst_comes_first_and_is_named() {
        let cells = [Verdict::Unchanged, Verdict::Regressed, Verdict::Unchanged];
        assert_eq!(
            sentence("tokenizer", &options(), &judgement_of(&cells), false),
            "3 cells: 1 regressed (tokenizer/3k_tokens/10), 2 unchanged."
        );
    }

    #[test]
    fn many_are_counted_and_what_is_gone_is_said() {
        let mut cells = vec![Verdict::Regressed; 5];
        cells.push(Verdict::Improved);
        let mut judgement = judgement_of(&cells);
        judgement.gone.push("tokenizer/old".into());
        assert_eq!(
            sentence("tokenizer", &options(), &judgement, true),
            "6 cells: 5 regressed (tokenizer/3k_tokens/5, tokenizer/3k_tokens/10, tokenizer/3k_tokens/15 and 2 more), \
             1 improved (tokenizer/3k_tokens/30), 1 gone. Measuring ended before its time."
        );
        assert_eq!(
            sentence("t", &options(), &judgement_of(&[Verdict::Regressed; 4]), false),
            "4 cells: 4 regressed."
        );
    }

    #[test]
    fn without_anything_to_compare_with_it_says_so_first() {
        assert_eq!(
            sentence("tokenizer", &options(), &no_baseline(2), false),
            "NOT COMPARED: there is no baseline yet; `cargo bench --bench tokenizer -- --save-baseline main --runs 5` records one."
        );
        let recording = ReportOptions { records: true, ..options() };
        assert_eq!(
            sentence("tokenizer", &recording, &no_baseline(2), false),
            "NOT COMPARED: there was no baseline `main` yet."
        );
        let mut judgement = judgement_of(&[Verdict::Incomparable, Verdict::Invalid]);
        judgement.cells.iter_mut().for_each(|cell| cell.comparisons.clear());
        assert_eq!(
            sentence("tokenizer", &options(), &judgement, false),
            "NOT COMPARED: 2 cells: 1 invalid (tokenizer/3k_tokens/10), 1 incomparable (tokenizer/3k_tokens/5)."
        );
        assert_eq!(
            sentence("t", &options(), &Judgement::default(), false),
            "NOT COMPARED: nothing was measured."
        );
    }
}
