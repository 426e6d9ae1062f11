//! The report for a terminal: a block a cell in words like criterion's, and last one sentence for the whole.

use super::cell_words::{LAG, client, detectable_changes, responses};
use super::ink::{Ink, WIDTH, plain, wrapped};
use super::sentence::NOT_COMPARED;
use super::text;
use super::view::{CellView, Report, Row};
use crate::judge::{Change, Comparison, Estimate, LimitOutcome, Stage, Verdict};
use crate::record::Unit;

/// Labels stand in a column of this width ...
const LABEL: usize = 14;
/// ... behind this indent.
const INDENT: usize = 2;
/// Where the text begins.
const TEXT: usize = INDENT + LABEL + 1;
const SUCCESS_RATIO: &str = "success_ratio";
/// What the metrics of the client and the methods with an allowance mean, printed once where one of them was.
const LAG_TERM: &str = "client lag: the time from a response until the client sends the next request";
const ALLOWANCE_TERM: &str =
    "allowance: where too few launches show how much launches differ, a usual spread is assumed";

impl Report {
    /// The whole text, ending with a line feed.
    ///
    /// If nothing could be compared, the first line says so, and no other one does; the last line is the sentence for the whole.
    pub(crate) fn terminal(&self, colour: bool, verbose: bool) -> String {
        let printer = Printer { ink: Ink { colour }, verbose };
        let mut text = String::new();
        if !self.compared {
            let base = if self.is_duet { "base" } else { "a baseline" };
            text.push_str(&format!("{}\n\n", printer.ink.bold(&format!("{NOT_COMPARED} with {base}"))));
        }
        for cell in self.cells() {
            text.push_str(&printer.cell(cell));
            text.push('\n');
        }
        if !self.machine_load.is_empty() {
            let machine = wrapped(&format!("Machine: {}", plain(&self.machine_load)), 0);
            text.push_str(&format!("{}\n", printer.ink.dim(&machine)));
        }
        for note in &self.notes {
            text.push_str(&format!("{}\n", wrapped(&plain(note), 0)));
        }
        text.push_str(&printer.terms(self));
        text.push_str(&printer.correction(self));
        text.push_str(&printer.sentence(self));
        text
    }
}

/// How it is printed.
struct Printer {
    ink: Ink,
    verbose: bool,
}

impl Printer {
    fn sentence(&self, report: &Report) -> String {
        let worst = report.cells().map(|cell| cell.verdict).max();
        let sentence = plain(&report.sentence);
        match worst {
            Some(verdict) => format!("{}\n", self.ink.verdict(verdict, &sentence)),
            None => format!("{sentence}\n"),
        }
    }

    fn terms(&self, report: &Report) -> String {
        let rows = || report.cells().flat_map(|cell| &cell.rows).filter(|row| self.shows(row));
        let is_lag = |row: &Row| row.metric.id.starts_with(LAG);
        let method = |row: &Row| row.comparison.as_ref().and_then(|comparison| comparison.method);
        let has_allowance = |row: &Row| method(row).is_some_and(|method| method.has_allowance());
        let used =
            [(rows().any(is_lag), LAG_TERM), (self.verbose && rows().any(has_allowance), ALLOWANCE_TERM)];
        let used = used.into_iter().filter(|(is_used, _)| *is_used);
        used.map(|(_, term)| format!("{}\n", self.ink.dim(&wrapped(term, 0)))).collect()
    }

    /// What p values were corrected for, which the intervals beside them are not.
    fn correction(&self, report: &Report) -> String {
        let over = match (&report.stages, report.tests) {
            _ if !report.compared => return String::new(),
            (Some(_), _) => {
                "corrected over all candidates and interim analyses; that of a screening is not".to_owned()
            }
            (None, 0 | 1) => return String::new(),
            (None, tests) => format!("corrected over the {tests} tests of the call; the intervals are not"),
        };
        format!("{}\n", self.ink.dim(&wrapped(&format!("p: {over}"), 0)))
    }

    fn cell(&self, cell: &CellView) -> String {
        let mut block = self.title(cell);
        for row in cell.rows.iter().filter(|row| self.shows(row)) {
            block.push_str(&self.row(row, cell));
        }
        block.push_str(&self.rate(cell));
        if self.verbose || !cell.all_200() {
            block.push_str(&self.line("responses", &responses(cell)));
        }
        block.push_str(&self.line("client", &client(cell)));
        block.push_str(&self.line("detectable", &detectable_changes(cell)));
        for limit in &cell.limits {
            let verdict = match limit.outcome {
                LimitOutcome::Broken => Verdict::Regressed,
                LimitOutcome::Holds => Verdict::Unchanged,
                LimitOutcome::Undecided => Verdict::Inconclusive,
            };
            let reason = wrapped(&plain(&text::limit(limit)), TEXT);
            block.push_str(&self.labelled("limit", &self.ink.verdict(verdict, &reason)));
        }
        for note in &cell.notes {
            block.push_str(&self.line("note", &text::note(note, note)));
        }
        block.push_str(&self.conclusion(cell));
        block
    }

    fn title(&self, cell: &CellView) -> String {
        let measured = format!("{}, {}", cell.load, cell.extent());
        format!("{}  {}\n", self.ink.bold(&plain(&cell.full_id())), self.ink.dim(&measured))
    }

    fn shows(&self, row: &Row) -> bool {
        row.metric.id != LAG && (row.primary || self.verbose)
    }

    fn row(&self, row: &Row, cell: &CellView) -> String {
        let unit = row.metric.unit;
        let mut text = String::new();
        match &row.head {
            Some(head) => text.push_str(&self.labelled(row.metric.title, &self.estimate(head, unit))),
            None => text.push_str(&self.labelled(row.metric.title, "no value")),
        }
        if let Some(method) = row.head.as_ref().and_then(|head| head.method).filter(|_| self.verbose) {
            text.push_str(&self.line("", &text::method(&method)));
        }
        // Two values of fresh pairs belong together: the cell's other levels are of other rounds.
        if let Some(base) = row.base.as_ref().filter(|_| self.verbose || row.fresh_pairs().is_some()) {
            text.push_str(&self.under("base", &self.estimate(base, unit)));
        }
        if let Some(comparison) = &row.comparison {
            text.push_str(&self.comparison(comparison, cell));
        }
        text
    }

    fn comparison(&self, comparison: &Comparison, cell: &CellView) -> String {
        // A service that answers everything, as before, is no news.
        let no_news = comparison.metric.id == SUCCESS_RATIO && comparison.verdict == Verdict::Unchanged;
        if no_news && !self.verbose {
            return String::new();
        }
        let verdict = if comparison.judged {
            self.ink.verdict(comparison.verdict, comparison.verdict.name())
        } else {
            self.ink.dim("not judged")
        };
        let mut text = match comparison.change {
            Some(change) => {
                let change = self.change(change, comparison.is_difference());
                let p = if comparison.judged {
                    text::evidence(comparison, cell.level).map(|p| format!(" ({p})")).unwrap_or_default()
                } else {
                    String::new()
                };
                self.under("change", &format!("{change}{p}  {verdict}"))
            }
            None => self.under("change", &format!("none to tell  {verdict}")),
        };
        if let Stage::Confirmed { screening: Some(screening), .. } = comparison.stage {
            let change = self.change(screening, comparison.is_difference());
            text.push_str(&self.under("screening", &change));
        }
        if let Stage::Confirmed { pairs, .. } = comparison.stage {
            let pairs = text::plural(pairs as u64, "fresh pair");
            text.push_str(
                &self.line("", &format!("{pairs} decided: head, base and change are of them alone")),
            );
        }
        if let Some(reason) = comparison.reason.as_ref().filter(|_| comparison.change.is_none()) {
            text.push_str(&self.line("", &text::reason(reason)));
        }
        if let Some(method) = comparison.method.as_ref().filter(|_| self.verbose) {
            text.push_str(&self.line("", &text::method(method)));
        }
        if let Some(advice) = comparison.advice.as_ref().filter(|_| comparison.judged) {
            text.push_str(&self.line("", &format!("would be decided by {}", text::advice(advice))));
        }
        text
    }

    fn estimate(&self, estimate: &Estimate, unit: Unit) -> String {
        let value = self.ink.bold(&text::value(estimate.value, unit));
        match estimate.interval {
            Some((low, high)) if low < high => {
                let [low, high] = [low, high].map(|end| self.ink.dim(&text::value(end, unit)));
                format!("[{low} {value} {high}]")
            }
            _ => value,
        }
    }

    fn change(&self, change: Change, is_difference: bool) -> String {
        let Change { low, estimate, high } = change;
        let say = if is_difference { text::points } else { text::change };
        let [low, high] = [low, high].map(|end| self.ink.dim(&say(end)));
        let unit = if is_difference { " points" } else { "" };
        format!("[{low} {} {high}]{unit}", self.ink.bold(&say(estimate)))
    }

    /// What was said to be handled by an exchange, as a rate.
    fn rate(&self, cell: &CellView) -> String {
        let (Some(one), Some(head)) =
            (cell.per_exchange, cell.row("throughput").and_then(|row| row.head.as_ref()))
        else {
            return String::new();
        };
        self.line("", &text::throughput_per_s(head.value, one))
    }

    fn conclusion(&self, cell: &CellView) -> String {
        let verdict = match cell.verdict {
            Verdict::Regressed if cell.only_broke_a_limit() => "A limit is broken",
            Verdict::Regressed => "Performance has regressed",
            Verdict::Improved => "Performance has improved",
            Verdict::SeemsFaster => "Seems faster",
            Verdict::Unchanged => "Performance is unchanged",
            Verdict::Inconclusive => "Inconclusive",
            Verdict::Invalid => "Invalid",
            Verdict::Incomparable => "Incomparable",
            Verdict::New => "New",
        };
        let indent = " ".repeat(INDENT);
        let coloured = self.ink.verdict(cell.verdict, verdict);
        match &cell.reason {
            None => format!("{indent}{coloured}.\n"),
            Some(reason) => {
                let text = wrapped(&format!("{verdict}: {}", plain(reason)), INDENT);
                // The verdict is short enough to stand whole in the first line.
                format!("{indent}{}\n", text.replacen(verdict, &coloured, 1))
            }
        }
    }

    fn line(&self, label: &str, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        self.labelled(label, &wrapped(&plain(text), TEXT))
    }

    fn labelled(&self, label: &str, text: &str) -> String {
        format!("{:INDENT$}{label:LABEL$} {text}\n", "")
    }

    fn under(&self, label: &str, text: &str) -> String {
        format!("{:INDENT$}{label:>LABEL$} {text}\n", "")
    }
}

const _: () = assert!(TEXT < WIDTH);

#[cfg(test)]
mod tests;
