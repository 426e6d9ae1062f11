//! What all formats show: plain data, computed once from runs and their judgement.
//!
//! [`Report::new`](super::gather) makes it; terminal, page and charts only read it.

use std::collections::BTreeMap;

use super::distribution::Distribution;
use super::sentence::NOT_COMPARED;
use super::stages::Stages;
use super::text;
use crate::judge::{Change, Comparison, Estimate, LimitCheck, Note, Shown, Stage, Verdict};
use crate::plan::Throughput;
use crate::record::{Counts, Metric};

/// A whole call, ready to be shown.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// What it is of: the bench target, and whether it comes from saved runs.
    pub(crate) title: String,
    /// The one sentence for the whole; [`headline`](Self::headline) says first whether anything was compared.
    pub(crate) sentence: String,
    /// Whether anything was compared with a baseline.
    pub(crate) compared: bool,
    /// Whether base was measured beside head.
    pub(crate) is_duet: bool,
    /// How many tests share the significance level.
    pub(crate) tests: usize,
    /// How a duet was screened and its suspects confirmed; nothing where all was judged at once.
    pub(crate) stages: Option<Stages>,
    /// The machine, the build and the run, by name.
    pub(crate) facts: Vec<Fact>,
    /// What other programs and the hypervisor did meanwhile, in one line; empty if that is not known.
    pub(crate) machine_load: String,
    /// Cells by group, in the order of their definition.
    pub(crate) groups: Vec<GroupView>,
    /// What is worth saying of the whole.
    pub(crate) notes: Vec<String>,
    /// What was asked for.
    pub(crate) options: ReportOptions,
}

/// What is asked of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReportOptions {
    /// Whether charts are drawn.
    pub(crate) plots: bool,
    /// The name of the baseline that was compared with.
    pub(crate) baseline: String,
    /// Whether what was measured is about to become a baseline.
    pub(crate) records: bool,
    /// Whether the call asked for a duet.
    pub(crate) is_duet: bool,
    /// The command that records a baseline here.
    pub(crate) record_command: String,
    /// The command that compares here without one; `None` if no duet of this bench is known.
    pub(crate) duet_command: Option<String>,
    /// Whether the page above its folder leads to all benches.
    pub(crate) overview: bool,
}

/// Something to know about where and when it was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The cells of one group.
#[derive(Debug, Clone)]
pub(crate) struct GroupView {
    pub(crate) name: String,
    /// What it is for.
    pub(crate) about: Option<String>,
    pub(crate) cells: Vec<CellView>,
}

/// One cell.
#[derive(Debug, Clone)]
pub(crate) struct CellView {
    pub(crate) group: String,
    /// Its id within the group.
    pub(crate) id: String,
    /// The function part of its id; may be empty.
    pub(crate) function: String,
    /// The load in words.
    pub(crate) load: String,
    pub(crate) concurrency: u32,
    /// What one exchange handles, if that was said.
    pub(crate) per_exchange: Option<Throughput>,
    pub(crate) verdict: Verdict,
    /// Why, in a sentence.
    pub(crate) reason: Option<String>,
    /// All its metrics, in the order of the table of metrics.
    pub(crate) rows: Vec<Row>,
    pub(crate) limits: Vec<LimitCheck>,
    pub(crate) notes: Vec<Note>,
    /// What all its rounds counted together.
    pub(crate) counts: Counts,
    pub(crate) rounds: usize,
    pub(crate) launches: usize,
    /// Whether base was measured beside head.
    pub(crate) is_duet: bool,
    /// Pairs of rounds that were measured anew after a screening, by which what looked slower is decided.
    pub(crate) fresh_pairs: usize,
    /// Its rounds in order of time, run after run.
    pub(crate) timeline: Vec<Moment>,
    /// Its latency percentiles; empty when no charts are drawn.
    pub(crate) distribution: Distribution,
    /// One-sided error for the whole call.
    pub(crate) level: f64,
    /// Confidence of the intervals.
    pub(crate) confidence: f64,
}

/// One round of a cell.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// The launch that served it, numbered over all runs.
    pub(crate) launch: usize,
    /// Its latency percentiles in nanoseconds, by the id of the metric.
    pub(crate) latency_ns: BTreeMap<&'static str, f64>,
}

/// One metric of one cell.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) metric: &'static Metric,
    /// Whether it is shown without being asked for: what is judged, and what people load a service for.
    pub(crate) primary: bool,
    pub(crate) head: Option<Estimate>,
    pub(crate) base: Option<Estimate>,
    /// What the rounds of the screening showed, where head, base and change are of fresh pairs.
    pub(crate) screening: Option<Shown>,
    /// What came of comparing; nothing when there was nothing to compare with.
    pub(crate) comparison: Option<Comparison>,
}

impl Report {
    /// The sentence for the whole where nothing else says that nothing was compared.
    pub(crate) fn headline(&self) -> String {
        if self.compared { self.sentence.clone() } else { format!("{NOT_COMPARED}. {}", self.sentence) }
    }

    /// All cells.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &CellView> {
        self.groups.iter().flat_map(|group| &group.cells)
    }
}

impl CellView {
    /// Whether it is red by an absolute limit alone, and not by a comparison.
    pub(crate) fn only_broke_a_limit(&self) -> bool {
        let regressed =
            |row: &Row| row.comparison.as_ref().is_some_and(|c| c.judged && c.verdict == Verdict::Regressed);
        self.limits.iter().any(LimitCheck::is_broken) && !self.rows.iter().any(regressed)
    }

    /// How much was measured: `30 rounds in 15 launches, then 60 fresh pairs`.
    pub(crate) fn extent(&self) -> String {
        let rounds = text::plural(self.rounds as u64, "round");
        let launches = text::plural(self.launches as u64, "launch");
        let fresh = match self.fresh_pairs {
            0 => String::new(),
            pairs => format!(", then {}", text::plural(pairs as u64, "fresh pair")),
        };
        format!("{rounds} in {launches}{fresh}")
    }

    /// Whether anything of it was decided by fresh pairs, which its rounds in order of time are not.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.rows.iter().any(|row| row.fresh_pairs().is_some())
    }

    /// `group/function/parameter`.
    pub(crate) fn full_id(&self) -> String {
        format!("{}/{}", self.group, self.id)
    }

    /// The row of that metric.
    pub(crate) fn row(&self, metric_id: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.metric.id == metric_id)
    }

    /// Whether each response came with status 200 and was a success.
    pub(crate) fn all_200(&self) -> bool {
        const OK: u16 = 200;
        self.counts.faults.is_empty() && self.counts.statuses.keys().all(|&status| status == OK)
    }
}

impl Row {
    /// The change, if there is one to tell.
    pub(crate) fn change(&self) -> Option<Change> {
        self.comparison.as_ref()?.change
    }

    /// So many fresh pairs head, base and change are of; nothing where they are of all rounds that were measured at once.
    pub(crate) fn fresh_pairs(&self) -> Option<usize> {
        match self.comparison.as_ref()?.stage {
            Stage::Confirmed { pairs, .. } => Some(pairs),
            Stage::Screened | Stage::Whole => None,
        }
    }

    /// Head as the rounds of the cell show it that were not measured again.
    pub(crate) fn head_of_rounds(&self) -> Option<&Estimate> {
        self.screening.as_ref().map(|shown| &shown.head).or(self.head.as_ref())
    }

    /// Base beside them.
    pub(crate) fn base_of_rounds(&self) -> Option<&Estimate> {
        match &self.screening {
            Some(shown) => shown.base.as_ref(),
            None => self.base.as_ref(),
        }
    }

    /// Whether it counts for the cell's verdict.
    pub(crate) fn is_judged(&self) -> bool {
        self.comparison.as_ref().is_some_and(|comparison| comparison.judged)
    }

    /// Whether a change is a difference of shares and no fraction.
    pub(crate) fn is_difference(&self) -> bool {
        self.comparison.as_ref().is_some_and(Comparison::is_difference)
    }
}
