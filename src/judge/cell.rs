//! One cell: which metrics are compared and which of them are judged, its tests, and the verdict once the tests of the whole call
//! are corrected together.

use std::collections::BTreeMap;

use crate::judge::duet;
use crate::judge::effect::{Context, Effect, PValues, Test};
use crate::judge::failures::Failures;
use crate::judge::launch::{estimate, summarize};
use crate::judge::limit;
use crate::judge::sides::{Measured, Sides, success_ratio_of};
use crate::judge::stored;
use crate::judge::verdict::{
    Advice, CellJudgement, Comparison, LimitCheck, Note, Reason, Shown, Stage, TooFew, Verdict,
};
use crate::plan::metric::RESPONSE_BYTES;
use crate::plan::{CellId, Settings, Side};
use crate::record::{Better, Judged, METRICS, Metric, Remedy, by_sitting, metric};
use crate::stats::describe::mean;

/// A cell whose responses became shorter or longer by a larger fraction did other work than before.
const MAX_SIZE_CHANGE: f64 = 0.1;

/// A cell whose metrics are compared but not decided.
#[derive(Debug)]
pub(super) struct Cell<'a> {
    pub sides: Sides<'a>,
    failures: Option<Failures>,
    /// All metrics but the success ratio, in the order of [`METRICS`].
    metrics: Vec<Undecided>,
    limits: Vec<LimitCheck>,
    /// Whether the responses have another size than base's, so that faster is not better.
    is_resized: bool,
}

/// One metric with its effect, or without one the comparison as it stays.
#[derive(Debug)]
struct Undecided {
    comparison: Comparison,
    effect: Option<Effect>,
}

impl<'a> Cell<'a> {
    pub fn new(mut sides: Sides<'a>) -> Self {
        let settings = &sides.cell.settings;
        let unknown = settings.judged.iter().flatten().filter(|id| metric(id).is_none());
        sides.notes.extend(unknown.cloned().map(Note::UnknownMetric));
        let (base, head) = (sides.base.iter(), sides.head.iter());
        let failures =
            Failures::new(base.map(|run| &run.series), head.map(|run| &run.series), sides.is_duet());
        let min = settings.min_success_ratio;
        let too_few = |side, runs: &[Measured]| {
            let ratio = success_ratio_of(runs).filter(|ratio| *ratio < min)?;
            Some(Reason::TooManyFailures { side, ratio, min })
        };
        let head_fails = too_few(Side::Head, &sides.head);
        let base_fails = if sides.is_duet() { too_few(Side::Base, &sides.base) } else { None };
        let (metrics, limits) = (Vec::new(), Vec::new());
        let mut cell = Self { failures, metrics, limits, is_resized: false, sides };
        if head_fails.is_none() && base_fails.is_none() && !cell.sides.base.is_empty() {
            cell.compare_metrics();
        }
        if head_fails.is_none() && !cell.sides.head.is_empty() {
            cell.check_limits();
        }
        let instead = head_fails.map(|reason| (Verdict::Invalid, Some(reason)));
        let instead = instead.or(base_fails.map(|reason| (Verdict::Incomparable, Some(reason))));
        cell.sides.instead = instead.or(cell.sides.instead);
        cell
    }

    fn compare_metrics(&mut self) {
        for metric in METRICS.iter().filter(|metric| metric.judged != Judged::ByCounts) {
            let sides = &self.sides;
            let asked = is_asked(metric, sides);
            let known =
                sides.base_has(metric) && sides.head_has(metric) && sides.client_bound(metric).is_none();
            if !asked && !known {
                continue;
            }
            let mut undecided = compare(metric, sides);
            let is_sound = undecided.effect.is_none_or(|effect| effect.is_sound);
            undecided.comparison.judged = asked && is_sound;
            if asked && !is_sound {
                self.sides.notes.push(Note::ShownOnly(metric));
            }
            self.metrics.push(undecided);
        }
        if let Some((base, head)) = self.resized() {
            self.is_resized = true;
            self.sides.notes.push(Note::ResponseSize { base, head });
        }
    }

    /// The mean sizes of base's and head's responses, if they differ too much. Older runs do not have them.
    fn resized(&self) -> Option<(f64, f64)> {
        let sizes = self.metrics.iter().map(|undecided| &undecided.comparison);
        let sizes = sizes.filter(|comparison| comparison.metric.id == RESPONSE_BYTES);
        let (change, (base, head)) =
            sizes.filter_map(|sizes| Some((sizes.change.as_ref(), sizes.base.zip(sizes.head)?))).next()?;
        // Sizes that differ between requests differ between sides by chance.
        let may_be_equal =
            change.is_some_and(|change| change.low <= MAX_SIZE_CHANGE && change.high >= -MAX_SIZE_CHANGE);
        ((head - base).abs() > MAX_SIZE_CHANGE * base && !may_be_equal).then_some((base, head))
    }

    /// Whether an improvement of a metric does not count, because the responses have another size.
    pub fn withholds(&self, metric: &Metric) -> bool {
        self.is_resized && metric.id != RESPONSE_BYTES
    }

    /// Takes back an improvement that does not count.
    pub fn withhold(&self, comparison: &mut Comparison) {
        let is_better = matches!(comparison.verdict, Verdict::Improved | Verdict::SeemsFaster);
        if is_better && self.withholds(comparison.metric) {
            (comparison.verdict, comparison.advice) = (Verdict::Inconclusive, None);
            comparison.reason = Some(Reason::ResponseSize);
        }
    }

    /// Judges a metric that the screening judged, also if fresh pairs have another highest tail.
    pub fn judge_also(&mut self, metric: &Metric) {
        for undecided in self.metrics.iter_mut().filter(|undecided| undecided.comparison.metric == metric) {
            undecided.comparison.judged = undecided.effect.is_none_or(|effect| effect.is_sound);
        }
    }

    fn check_limits(&mut self) {
        let sides = &self.sides;
        let settings = &sides.cell.settings;
        let limits = settings.limits.iter().filter_map(|limit| {
            let metric = metric(&limit.metric)?;
            let mut runs: Vec<_> =
                sides.head.iter().filter_map(|head| head.values(metric)).cloned().collect();
            // The runs of a duet differ no more than its launches.
            if sides.is_duet() && runs.len() > 1 {
                runs = vec![runs.concat()];
            }
            let remedy = || sides.remedy(sides.head.first()?, metric);
            let max_ns = limit.max.as_nanos() as f64;
            Some(limit::check(metric, max_ns, &runs, settings, remedy))
        });
        self.limits = limits.collect();
    }

    /// Its name.
    pub fn id(&self) -> &CellId {
        &self.sides.cell.id
    }

    /// Whether it is a duet whose sides were started several times, so that fresh launches can tell more.
    pub fn has_launches(&self) -> bool {
        self.sides.is_duet() && self.sides.head.iter().any(|head| head.series.launches() > 1)
    }

    /// Whether it has fewer rounds than it was to have.
    pub fn is_short(&self) -> bool {
        self.rounds() < self.settings().sample_size * self.sides.head.len()
    }

    /// Rounds of head.
    pub fn rounds(&self) -> usize {
        self.sides.head.iter().map(|head| head.series.rounds()).sum()
    }

    /// The tests that take part in the correction: the success ratio and each judged metric.
    pub fn tests(&self) -> Vec<Test> {
        let settings = self.settings();
        let margin = settings.noise_threshold(self.sides.against).ln_1p();
        let judged = self.metrics.iter().filter(|metric| metric.comparison.judged);
        let metrics = judged.map(|Undecided { comparison, effect }| Test {
            metric: comparison.metric,
            p: effect.map_or(PValues::NONE, |effect| effect.p_values(settings)),
            p_worse_at_all: effect.map_or(1.0, |effect| effect.p_worse(0.0)),
            error: effect.map(|effect| (effect.standard_error, effect.df)),
            estimate: effect.map_or(0.0, |effect| effect.estimate),
            margin,
        });
        self.failures.iter().map(Failures::test).chain(metrics).collect()
    }

    /// The judgement of the cell, given the corrected p values in the order of [`tests`](Self::tests).
    pub fn judge(&self, adjusted: &[PValues], stage: Stage, context: &Context) -> CellJudgement {
        let mut adjusted = adjusted.iter().copied();
        let mut next = || adjusted.next().unwrap_or(PValues::NONE);
        let mut comparisons = Vec::new();
        if let Some(failures) = &self.failures {
            comparisons.push(self.compare_failures(failures, next(), stage, context));
        }
        for undecided in &self.metrics {
            let p = undecided.comparison.judged.then(&mut next);
            comparisons.push(self.decide(undecided, p, stage, context));
        }
        let (verdict, reason) = self.verdict(&comparisons);
        let shown = || METRICS.iter().filter_map(|metric| self.shown(metric)).collect();
        CellJudgement {
            id: self.id().clone(),
            verdict,
            reason,
            comparisons,
            limits: self.limits.clone(),
            values: if context.verdicts_only { Vec::new() } else { shown() },
            fresh: Vec::new(),
            notes: self.sides.notes.clone(),
        }
    }

    /// One of its judged metrics, decided separately; `None` if it does not have it.
    pub fn decide_metric(
        &self,
        metric: &Metric,
        p: PValues,
        stage: Stage,
        context: &Context,
    ) -> Option<Comparison> {
        if metric.is_by_counts() {
            return Some(self.compare_failures(self.failures.as_ref()?, p, stage, context));
        }
        let undecided = self.metrics.iter().find(|undecided| undecided.comparison.metric == metric)?;
        Some(self.decide(undecided, Some(p), stage, context))
    }

    fn compare_failures(
        &self,
        failures: &Failures,
        p: PValues,
        stage: Stage,
        context: &Context,
    ) -> Comparison {
        let mut comparison = failures.compare(p, stage, self.settings(), context);
        self.withhold(&mut comparison);
        comparison
    }

    fn settings(&self) -> &Settings {
        &self.sides.cell.settings
    }

    fn decide(
        &self,
        undecided: &Undecided,
        corrected: Option<PValues>,
        stage: Stage,
        context: &Context,
    ) -> Comparison {
        let mut comparison = Comparison { stage, ..undecided.comparison.clone() };
        let Some(effect) = undecided.effect else { return comparison };
        let settings = self.settings();
        let p = corrected.unwrap_or_else(|| effect.p_values(settings).bonferroni(context.tests));
        let may_improve = self.failures.as_ref().is_none_or(Failures::may_improve);
        comparison.p_adjusted = p.of(effect.estimate);
        comparison.change = Some(effect.change(comparison.metric.better));
        comparison.method = Some(effect.method);
        if effect.is_sound {
            (comparison.verdict, comparison.reason) = effect.decide(p, settings, may_improve);
            self.withhold(&mut comparison);
        }
        if stage == Stage::Screened && comparison.reason == Some(Reason::NotSignificant) {
            comparison.reason = Some(Reason::ScreeningOnly);
        }
        if context.verdicts_only {
            return comparison;
        }
        let detectable = effect.detectable(settings, context);
        comparison.detectable = detectable.is_finite().then(|| match comparison.metric.better {
            Better::Lower => detectable.exp_m1(),
            Better::Higher => -(-detectable).exp_m1(),
        });
        // An improvement that is only withheld needs no more data.
        let is_withheld = matches!(comparison.reason, Some(Reason::SuccessRatioFell | Reason::ResponseSize));
        let is_open = comparison.verdict == Verdict::Inconclusive && !is_withheld;
        comparison.advice = is_open.then(|| effect.advice(settings, context));
        comparison
    }

    /// The worst of all that was found; a regression ranks above what made comparing impossible.
    pub fn verdict(&self, comparisons: &[Comparison]) -> (Verdict, Option<Reason>) {
        let judged = || comparisons.iter().filter(|comparison| comparison.judged);
        let worst = judged().map(|comparison| comparison.verdict).max();
        if worst != Some(Verdict::Regressed)
            && let Some(place) = self.limits.iter().position(LimitCheck::is_broken)
        {
            return (Verdict::Regressed, Some(Reason::Limit(place)));
        }
        match (worst, &self.sides.instead) {
            (Some(Verdict::Regressed), _) | (Some(_), None) => {
                let verdict = worst.unwrap_or(Verdict::Inconclusive);
                let same = || judged().filter(|comparison| comparison.verdict == verdict);
                let shown = match verdict {
                    Verdict::Unchanged => None,
                    Verdict::Regressed | Verdict::Improved => largest(same()),
                    _ => same().next(),
                };
                (verdict, shown.map(|comparison| Reason::Comparison(comparison.metric)))
            }
            (_, Some(instead)) => instead.clone(),
            (None, None) => (Verdict::Inconclusive, Some(Reason::NothingToCompare)),
        }
    }

    /// Both sides' values of a metric; `None` if head has none.
    pub fn shown(&self, metric: &'static Metric) -> Option<Shown> {
        let Settings { confidence_level, nresamples, .. } = *self.settings();
        let estimate = |values: Vec<&Vec<Vec<f64>>>| estimate(&values, metric, confidence_level, nresamples);
        let head = self.sides.head.iter().filter_map(|run| run.values(metric)).collect();
        let base = self.sides.base_runs(metric).filter_map(|run| run.values(metric)).collect();
        Some(Shown { metric, head: estimate(head)?, base: estimate(base) })
    }
}

fn is_asked(metric: &Metric, sides: &Sides) -> bool {
    if let Some(ids) = &sides.cell.settings.judged {
        return ids.iter().any(|id| id == metric.id);
    }
    match metric.judged {
        Judged::Always => true,
        Judged::HighestTail => is_highest_tail(metric, sides),
        Judged::ByCounts | Judged::WhenAsked => false,
    }
}

/// Whether it is the highest tail that base has (else that head has), so that one that head cannot reach does not disappear, or
/// the highest that both have, so that a regression is found nevertheless.
fn is_highest_tail(metric: &Metric, sides: &Sides) -> bool {
    let highest = |has: &dyn Fn(&Metric) -> bool| {
        METRICS.iter().rev().find(|metric| metric.judged == Judged::HighestTail && has(metric))
    };
    let wanted =
        highest(&|metric| sides.base_has(metric)).or_else(|| highest(&|metric| sides.head_has(metric)));
    let both = highest(&|metric| sides.lacking(metric).is_none());
    [wanted, both].into_iter().flatten().any(|tail| tail == metric)
}

/// A metric of both sides, before any test is corrected.
fn compare(metric: &'static Metric, sides: &Sides) -> Undecided {
    let values = |run: &Measured| run.values(metric).filter(|rounds| !rounds.is_empty()).cloned();
    let base: Vec<_> = sides.base_runs(metric).filter_map(values).collect();
    let head: Vec<_> = sides.head.iter().filter_map(values).collect();
    let mut comparison = Comparison {
        metric,
        judged: false,
        base: plain_center(&base, metric),
        head: plain_center(&head, metric),
        change: None,
        p_adjusted: 1.0,
        verdict: Verdict::Inconclusive,
        reason: None,
        stage: Stage::Whole,
        method: None,
        detectable: None,
        margin: sides.cell.settings.noise_threshold(sides.against),
        advice: None,
    };
    let mut effect = None;
    if let Some(ratio) = sides.client_bound(metric) {
        (comparison.reason, comparison.advice) = (Some(Reason::ClientBound(ratio)), Some(Advice::FreeClient));
    } else if let Some(side) = sides.lacking(metric) {
        let (reason, advice) = too_few(metric, sides, side);
        (comparison.reason, comparison.advice) = (Some(reason), Some(advice));
    } else if base.is_empty() {
        (comparison.verdict, comparison.reason) = (Verdict::Incomparable, Some(Reason::OtherWindow));
    } else if base.iter().chain(&head).flatten().flatten().all(|value| *value == 0.0) {
        (comparison.verdict, comparison.reason) = (Verdict::Unchanged, Some(Reason::AllZero));
    } else {
        effect = effect_of(metric, sides, &base, &head);
        if effect.is_none() {
            let advice = Advice::AboveZero(more(sides));
            (comparison.reason, comparison.advice) = (Some(Reason::SomeZero), Some(advice));
        }
    }
    Undecided { comparison, effect }
}

fn effect_of(
    metric: &'static Metric,
    sides: &Sides,
    base: &[Vec<Vec<f64>>],
    head: &[Vec<Vec<f64>>],
) -> Option<Effect> {
    if base.iter().chain(head).flatten().flatten().any(|value| !value.ln().is_finite()) {
        return None;
    }
    let settings = &sides.cell.settings;
    if sides.is_duet() {
        // The runs of a duet differ no more than its launches.
        return duet::compare(&base.concat(), &head.concat(), metric, settings, sides.against);
    }
    let machines = sides.machines();
    let unit = if machines > 1 { TooFew::Machines } else { TooFew::Sittings };
    let summary = |run: &Measured| summarize(run.values(metric)?, metric.centre);
    let sittings = |runs: &[Measured]| -> Vec<stored::Sitting> {
        let comparable = runs.iter().filter(|run| sides.is_comparable(run, metric));
        let comparable = comparable.filter(|run| run.has(metric));
        let sittings = if machines > 1 {
            let mut machines: BTreeMap<Option<&str>, Vec<&Measured>> = BTreeMap::new();
            comparable.for_each(|run| machines.entry(run.machine()).or_default().push(run));
            machines.into_values().collect()
        } else {
            by_sitting(comparable, |run| run.run)
        };
        sittings.into_iter().map(|runs| runs.into_iter().filter_map(summary).collect()).collect()
    };
    let (base, head) = (sittings(&sides.base), sittings(&sides.head));
    stored::compare(&base, &head, metric.better, settings.confidence_level, unit)
}

fn too_few(metric: &Metric, sides: &Sides, side: Side) -> (Reason, Advice) {
    let record_again = side == Side::Base && !sides.is_duet();
    let more = more(sides);
    let Some((successes, remedy)) = sides.poorest(side, metric) else {
        return (Reason::NoValue, Advice::MoreSuccesses { remedy: more, record_again });
    };
    let min = metric.least_successes;
    let needed = if successes < min { min } else { metric.promised_from() };
    let reason = if successes < needed {
        Reason::TooFewSuccesses { side, successes, needed }
    } else {
        Reason::MissingValues(side)
    };
    (reason, Advice::MoreSuccesses { remedy: remedy.unwrap_or(more), record_again })
}

/// What gives a round more successes, if it is not known how many are needed.
fn more(sides: &Sides) -> Remedy {
    if sides.cell.load.is_timed() { Remedy::MeasurementTime(None) } else { Remedy::Burst(None) }
}

/// Mean over runs on the log scale, or the plain mean of all rounds where there is a zero.
fn plain_center(runs: &[Vec<Vec<f64>>], metric: &Metric) -> Option<f64> {
    let logs: Option<Vec<f64>> =
        runs.iter().map(|rounds| Some(summarize(rounds, metric.centre)?.log)).collect();
    let center = match logs {
        Some(logs) => mean(&logs).map(f64::exp),
        None => mean(&runs.iter().flatten().flatten().copied().collect::<Vec<_>>()),
    };
    center.filter(|center| center.is_finite())
}
/// The comparison with the largest change, of equal ones the first. A success ratio that changed counts before all latencies, and these
/// before rates: in a closed loop throughput shows the same as latency.
fn largest<'a>(comparisons: impl Iterator<Item = &'a Comparison>) -> Option<&'a Comparison> {
    let rank = |found: &Comparison| {
        (found.is_difference(), found.metric.better == Better::Lower, found.worsening().abs())
    };
    comparisons.reduce(|first, next| if rank(next) > rank(first) { next } else { first })
}
