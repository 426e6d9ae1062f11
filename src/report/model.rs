//! The input of all formats, which borrows what was measured and judged, and their output.

use std::cmp::Ordering;
use std::io;
use std::path::PathBuf;

use crate::judge::{
    CellJudgement, Comparison, Estimate, Judgement, LimitCheck, Note, Reason, Shown, Stage, Verdict,
};
use crate::output::OutputError;
use crate::plan::{CellId, Side, metric};
use crate::record::{Baseline, CellRun, Counts, Judged, METRICS, Metric, Run, WriteError};

/// Shown by default though not judged by default: what services for language models are loaded for.
const ALWAYS_SHOWN: [&str; 2] = [metric::INPUT_TOKEN_THROUGHPUT, metric::OUTPUT_TOKEN_THROUGHPUT];

/// The measured runs of a call and their judgement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report<'a> {
    /// The bench target.
    pub(crate) bench: &'a str,
    /// The bench target, and whether the runs come from files.
    pub(crate) title: &'a str,
    pub(crate) runs: &'a [Run],
    pub(crate) baseline: &'a Baseline,
    pub(crate) judgement: &'a Judgement,
    pub(crate) options: &'a ReportOptions,
}

/// Facts about the call that a report needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReportOptions {
    /// Whether charts are drawn.
    pub(crate) plots: bool,
    /// The name of the baseline.
    pub(crate) baseline: String,
    /// Whether the runs are about to become a baseline.
    pub(crate) records: bool,
    /// The command that records a baseline here; `None` if files are compared with each other.
    pub(crate) record_command: Option<String>,
    /// The command that compares here without a baseline; `None` if no duet of this bench is known.
    pub(crate) duet_command: Option<String>,
    /// The command that measures the cells again in the same way; `None` if they come from files.
    pub(crate) again_command: Option<String>,
    /// The verdicts that end the call with another exit code than 0.
    pub(crate) fails: Vec<Verdict>,
    /// Whether the runs take the place of what they are compared with. Then a slower cell fails only by a limit.
    pub(crate) accepts: bool,
    /// Whether the call ends with another exit code than 0, be it by a cell or as a whole.
    pub(crate) failed: bool,
    /// Why nothing was measured, if that is not an error, and what follows.
    pub(crate) nothing_measured: Option<(String, Verdict)>,
    /// Whether the folder above has a page that links to all benches.
    pub(crate) overview: bool,
}

/// A file to be written into the folder of a bench.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// Its name, which holds no separator.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// A chart that was drawn, with its numbers.
#[derive(Debug)]
pub(crate) struct Figure {
    /// The name of its files without an ending.
    pub(crate) name: String,
    pub(crate) scope: Scope,
    /// The SVG as a file of its own, and as an element of a page.
    pub(crate) file: String,
    pub(crate) inline: String,
    pub(crate) numbers: Table,
}

/// What a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The whole call.
    Call,
    /// The group with this index.
    Group(usize),
    /// The cell with the second index, of the group with the first.
    Cell(usize, usize),
}

/// Printed numbers with a heading above each column. The first column names the row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) headings: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[cfg(feature = "png")]
    #[error("could not draw a chart as PNG: {0}")]
    Png(String),
    #[error("could not write JSON: {0}")]
    Json(String),
    #[cfg(feature = "junit")]
    #[error("could not write JUnit: {0}")]
    JUnit(String),
    #[error("could not write the report: {0}")]
    Write(#[from] WriteError),
    #[error("could not append to {}, the file that {variable} names: {source}", path.display())]
    Append { variable: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("could not remove {}, a file of an earlier report: {source}; remove it yourself", path.display())]
    Stale { path: PathBuf, source: io::Error },
}

/// A judged cell with its measured rounds.
#[derive(Debug, Clone)]
pub(crate) struct Cell<'a> {
    pub(crate) judged: &'a CellJudgement,
    /// One for each run that has it, without confirmations.
    pub(crate) runs: Vec<&'a CellRun>,
    /// Pairs of rounds that were measured in confirmations.
    pub(crate) fresh_pairs: usize,
}

/// One metric of a cell. If fresh pairs decided it, the values are theirs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) metric: &'static Metric,
    pub(crate) shown: Option<&'a Shown>,
    pub(crate) comparison: Option<&'a Comparison>,
    /// Whether it is shown by default.
    pub(crate) is_primary: bool,
}

impl<'a> Report<'a> {
    pub(crate) fn cells(&self) -> Vec<Cell<'a>> {
        let cell = |judged: &'a CellJudgement| {
            let confirmed = self.runs.iter().flat_map(|run| run.confirmations.iter().flatten());
            Cell {
                judged,
                runs: self.runs.iter().filter_map(|run| run.cell(&judged.id)).collect(),
                fresh_pairs: confirmed.filter(|run| run.id == judged.id).map(|run| run.rounds.len()).sum(),
            }
        };
        self.judgement.cells.iter().map(cell).collect()
    }

    /// The cells by group, in the order of their definition.
    pub(crate) fn groups(&self) -> Vec<(&'a str, Vec<Cell<'a>>)> {
        by_key(self.cells().into_iter().map(|cell| (cell.judged.id.group.as_str(), cell)))
    }

    pub(crate) fn is_duet(&self) -> bool {
        let mut cells = self.runs.iter().flat_map(|run| &run.cells);
        cells.any(|cell| !cell.base.is_empty() || cell.base_failure.is_some())
    }

    /// The worst verdict of a cell, or what follows if nothing was measured.
    pub(crate) fn verdict(&self) -> Verdict {
        let worst = self.judgement.cells.iter().map(|cell| cell.verdict).max();
        let instead = self.options.nothing_measured.as_ref().map(|(_, verdict)| *verdict);
        worst.or(instead).unwrap_or(Verdict::Incomparable)
    }

    /// Whether a cell ends the call with another exit code than 0.
    pub(crate) fn fails(&self, cell: &CellJudgement) -> bool {
        let is_accepted = self.options.accepts && cell.verdict == Verdict::Regressed;
        let counts = !is_accepted || cell.limits.iter().any(LimitCheck::is_broken);
        self.options.fails.contains(&cell.verdict) && counts
    }

    /// The sentence of a call that failed although no cell did, as with removed cells or an interruption.
    pub(crate) fn failure_as_a_whole(&self) -> Option<String> {
        let is_by_cell = self.judgement.cells.iter().any(|cell| self.fails(cell));
        (self.options.failed && !is_by_cell).then(|| self.headline())
    }

    /// The cells with the worst verdict first. Of one verdict first those with a broken limit alone, then those whose success ratio
    /// changed, then the others by the size of their change.
    pub(crate) fn worst_first(&self) -> Vec<Cell<'a>> {
        let mut cells = self.cells();
        let change = |cell: &Cell| {
            let decisive = cell.decisive();
            let is_ratio = decisive.is_some_and(Comparison::is_difference);
            (cell.only_broke_a_limit(), is_ratio, decisive.map_or(0.0, |found| found.worsening().abs()))
        };
        cells.sort_by(|one, other| {
            let by_verdict = other.judged.verdict.cmp(&one.judged.verdict);
            by_verdict.then(change(other).partial_cmp(&change(one)).unwrap_or(Ordering::Equal))
        });
        cells
    }

    /// The stored runs that a cell can be compared with, the oldest first.
    pub(crate) fn stored(&self, cell: &Cell<'a>) -> Vec<(&'a Run, &'a CellRun)> {
        let (Some(run), last) = (self.runs.last(), cell.last()) else { return Vec::new() };
        let current = self.baseline.current(&last.id, &run.environment.machine.test_bed);
        current.filter(|(_, stored)| stored.definition == last.definition).collect()
    }

    /// The accepted runs of a cell on this test bed in all epochs, the oldest first.
    pub(crate) fn history(&self, cell: &Cell<'a>) -> Vec<(&'a Run, &'a CellRun)> {
        let (Some(here), last) = (self.runs.last(), cell.last()) else { return Vec::new() };
        let test_bed = |run: &'a Run| run.environment.machine.test_bed.id.as_ref();
        let runs = self.baseline.runs.iter();
        let runs = runs.filter(|run| test_bed(run).is_some() && test_bed(run) == test_bed(here));
        let cells = runs.filter_map(|run| Some((run, run.cell(&last.id)?)));
        cells.filter(|(_, stored)| stored.definition == last.definition).collect()
    }

    /// The number of cells that were judged by a screening and its confirmations.
    pub(crate) fn screened_cells(&self) -> usize {
        let is_screened =
            |cell: &&CellJudgement| cell.comparisons.iter().any(|one| one.stage != Stage::Whole);
        self.judgement.cells.iter().filter(is_screened).count()
    }

    /// The notes that several cells have, with those cells.
    pub(crate) fn shared_notes(&self) -> Vec<(Note, Vec<&'a CellId>)> {
        let of_cell = |cell: Cell<'a>| cell.notes().into_iter().map(move |note| (note, &cell.judged.id));
        let mut all = by_key(self.cells().into_iter().flat_map(of_cell));
        all.retain(|(_, cells)| cells.len() > 1);
        all
    }
}

/// The values of each key, in the order in which the keys first appear.
pub(crate) fn by_key<K: PartialEq, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Vec<(K, Vec<V>)> {
    let mut groups: Vec<(K, Vec<V>)> = Vec::new();
    for (key, value) in pairs {
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => groups.push((key, vec![value])),
        }
    }
    groups
}

/// Each item once, in the order in which they first appear.
pub(crate) fn unique<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    by_key(items.into_iter().map(|item| (item, ()))).into_iter().map(|(item, _)| item).collect()
}

impl<'a> Cell<'a> {
    /// Its newest rounds.
    pub(crate) fn last(&self) -> &'a CellRun {
        self.runs.last().expect("a judged cell is in a run")
    }

    /// The comparison that decides for it; of an unchanged cell the one with the largest change.
    pub(crate) fn decisive(&self) -> Option<&'a Comparison> {
        let judged = self.judged.comparisons.iter().filter(|found| found.judged && found.change.is_some());
        let mut same = judged.filter(|found| found.verdict == self.judged.verdict);
        match self.judged.reason {
            Some(Reason::Comparison(metric)) => same.find(|found| found.metric == metric),
            _ => same.max_by(|one, other| one.worsening().abs().total_cmp(&other.worsening().abs())),
        }
    }

    /// The sum over all its rounds.
    pub(crate) fn counts(&self) -> Counts {
        Counts::sum(self.runs.iter().flat_map(|run| &run.rounds).map(|round| &round.counts))
    }

    pub(crate) fn launches(&self) -> usize {
        let launches = |run: &&CellRun| unique(run.rounds.iter().map(|round| round.launch)).len();
        self.runs.iter().map(launches).sum()
    }

    pub(crate) fn is_duet(&self) -> bool {
        self.runs.iter().any(|run| !run.base.is_empty())
    }

    /// One-sided error for the whole call.
    pub(crate) fn level(&self) -> f64 {
        self.last().settings.significance_level
    }

    /// The notes of its measurement and its judgement, each once.
    fn notes(&self) -> Vec<Note> {
        let recorded = self.runs.iter().flat_map(|run| &run.notes).cloned().map(Note::Recorded);
        unique(recorded.chain(self.judged.notes.iter().cloned()))
    }

    /// The notes that no other cell has.
    pub(crate) fn own_notes(&self, shared: &[(Note, Vec<&CellId>)]) -> Vec<Note> {
        let mut notes = self.notes();
        notes.retain(|note| !shared.iter().any(|(other, _)| other == note));
        notes
    }

    /// Its metrics in the order of the table of metrics.
    pub(crate) fn rows(&self) -> Vec<Row<'a>> {
        METRICS.iter().filter_map(|metric| self.row(metric.id)).collect()
    }

    pub(crate) fn row(&self, metric_id: &str) -> Option<Row<'a>> {
        let metric = METRICS.iter().find(|metric| metric.id == metric_id)?;
        let CellJudgement { comparisons, values, fresh, .. } = self.judged;
        let comparison = comparisons.iter().find(|comparison| comparison.metric == metric);
        let shown = fresh.iter().chain(values).find(|shown| shown.metric == metric);
        let tails =
            values.iter().map(|shown| shown.metric).filter(|other| other.judged == Judged::HighestTail);
        let is_primary = comparison.is_some_and(|comparison| comparison.judged)
            || match metric.judged {
                Judged::Always | Judged::ByCounts => true,
                // The tail that would be judged if there were a baseline.
                Judged::HighestTail => tails.max_by_key(|tail| tail.least_successes) == Some(metric),
                Judged::WhenAsked => ALWAYS_SHOWN.contains(&metric.id),
            };
        (shown.is_some() || comparison.is_some()).then_some(Row { metric, shown, comparison, is_primary })
    }

    /// The values of a metric in its own rounds, even if fresh pairs decided it.
    pub(crate) fn of_rounds(&self, metric_id: &str) -> Option<&'a Shown> {
        self.judged.values.iter().find(|shown| shown.metric.id == metric_id)
    }

    /// Whether each response was a success with status 200.
    pub(crate) fn all_200(&self) -> bool {
        let counts = self.counts();
        counts.faults.is_empty() && counts.statuses.keys().all(|&status| status == 200)
    }

    /// Whether it regressed because of an absolute limit alone.
    pub(crate) fn only_broke_a_limit(&self) -> bool {
        let regressed = |found: &Comparison| found.judged && found.verdict == Verdict::Regressed;
        self.judged.limits.iter().any(LimitCheck::is_broken) && !self.judged.comparisons.iter().any(regressed)
    }
}

impl<'a> Row<'a> {
    /// The value of a side.
    pub(crate) fn value(&self, side: Side) -> Option<Estimate> {
        let (shown, alone) = match side {
            Side::Base => (self.shown.and_then(|shown| shown.base), self.comparison.and_then(|one| one.base)),
            Side::Head => (self.shown.map(|shown| shown.head), self.comparison.and_then(|one| one.head)),
        };
        shown.or(alone.map(|value| Estimate { value, interval: None, method: None }))
    }

    /// Its comparison, if that is judged; `None` if it is only shown.
    pub(crate) fn judged(&self) -> Option<&'a Comparison> {
        self.comparison.filter(|comparison| comparison.judged)
    }

    /// The number of fresh pairs that decided it; `None` if its own rounds did.
    pub(crate) fn fresh_pairs(&self) -> Option<usize> {
        match self.comparison?.stage {
            Stage::Confirmed { pairs, .. } => Some(pairs),
            Stage::Screened | Stage::Whole => None,
        }
    }
}
