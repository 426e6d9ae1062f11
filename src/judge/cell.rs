//! One cell: which metrics are compared and which of them are judged, its tests, and the verdict once the tests of the whole call
//! are corrected together.

use crate::judge::duet;
use crate::judge::effect::{Criteria, Effect, PValues, Subject, Test};
use crate::judge::failures::Failures;
use crate::judge::launch::{estimate, summarize};
use crate::judge::limit::LimitTest;
use crate::judge::sides::{Base, Measured, Sides, by_sitting, success_ratio_of};
use crate::judge::stored;
use crate::judge::verdict::{
    Advice, CellJudgement, Comparison, LimitCheck, Note, Reason, Shown, Stage, Verdict,
};
use crate::plan::{CellId, Confirmation, Side};
use crate::record::{Better, Judged, METRICS, Metric, Remedy, Series, metric, success_ratio};
use crate::stats::describe::mean;

/// What all cells of a call share while they are decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// The number of tests that are corrected together.
    pub tests: usize,
    /// How the candidates of a screening are confirmed, if they are.
    pub confirmation: Option<&'a Confirmation>,
    /// Whether to leave out what no verdict depends on.
    pub verdicts_only: bool,
}

/// A cell whose metrics are compared but not decided.
#[derive(Debug)]
pub(super) struct Cell<'a> {
    pub sides: Sides<'a>,
    criteria: Criteria,
    failures: Option<Failures>,
    /// All metrics but the success ratio, in the order of [`METRICS`].
    metrics: Vec<Undecided>,
    limits: Vec<LimitTest>,
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
        let criteria = Criteria::new(settings, sides.is_duet());
        let unknown = settings.judged.iter().flatten().filter(|id| metric(id).is_none());
        sides.notes.extend(unknown.cloned().map(Note::UnknownMetric));
        let failures = match &sides.base {
            Base::None => None,
            Base::Duet(base) => Failures::duet(series(base), series(&sides.head)),
            Base::Stored(current) => Failures::stored(series(current), series(&sides.head)),
        };
        let min = settings.min_success_ratio;
        let too_few = |side, runs: &[Measured]| {
            let ratio = success_ratio_of(runs).filter(|ratio| *ratio < min)?;
            Some(Reason::TooManyFailures { side, ratio, min })
        };
        let head_fails = too_few(Side::Head, &sides.head);
        let base_fails = sides.is_duet().then(|| too_few(Side::Base, sides.base.runs())).flatten();
        let mut cell = Self { criteria, failures, metrics: Vec::new(), limits: Vec::new(), sides };
        if head_fails.is_none() && base_fails.is_none() && !matches!(cell.sides.base, Base::None) {
            cell.compare_metrics();
        }
        if head_fails.is_none() && !cell.sides.head.is_empty() {
            cell.test_limits();
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
            let mut undecided = compare(metric, sides, &self.criteria);
            let is_sound = undecided.effect.is_none_or(|effect| effect.is_sound);
            undecided.comparison.judged = asked && is_sound;
            if asked && !is_sound {
                self.sides.notes.push(Note::ShownOnly(metric));
            }
            self.metrics.push(undecided);
        }
    }

    fn test_limits(&mut self) {
        let Self { sides, criteria, .. } = self;
        let limits = sides.cell.settings.limits.iter().filter_map(|limit| {
            let metric = metric(&limit.metric)?;
            let mut runs: Vec<_> =
                sides.head.iter().filter_map(|head| head.values(metric)).cloned().collect();
            // The launches of several runs of a duet are alike.
            if sides.is_duet() && runs.len() > 1 {
                runs = vec![runs.concat()];
            }
            let remedy = || sides.remedy(sides.head.first()?, metric);
            Some(LimitTest::new(metric, limit.max.as_nanos() as f64, &runs, criteria, remedy))
        });
        self.limits = limits.collect();
    }

    /// Its name.
    pub fn id(&self) -> CellId {
        self.sides.cell.id.clone()
    }

    /// Whether it is a duet whose sides were started several times, so that fresh launches can tell more.
    pub fn has_launches(&self) -> bool {
        self.sides.is_duet() && self.sides.head.iter().any(|head| head.series.launches() > 1)
    }

    /// Rounds of head.
    pub fn rounds(&self) -> usize {
        self.sides.head.iter().map(|head| head.series.requests.iter().map(Vec::len).sum::<usize>()).sum()
    }

    /// The tests that take part in the correction: the success ratio, each judged metric, each limit.
    pub fn tests(&self) -> Vec<Test> {
        let margin = self.criteria.noise_threshold.ln_1p();
        let judged = self.metrics.iter().filter(|metric| metric.comparison.judged);
        let metrics = judged.map(|Undecided { comparison, effect }| Test {
            subject: Subject::Metric(comparison.metric.id),
            p: effect.map_or(PValues::NONE, |effect| effect.p_values(&self.criteria)),
            p_worse_at_all: effect.map_or(1.0, |effect| effect.p_worse(0.0)),
            estimate: effect.map_or(0.0, |effect| effect.estimate),
            margin,
        });
        let limits = self.limits.iter().enumerate().map(|(place, limit)| limit.test(place));
        self.failures.iter().map(Failures::test).chain(metrics).chain(limits).collect()
    }

    /// All of its comparisons and limits, given the corrected p values in the order of [`tests`](Self::tests).
    pub fn decide_all(
        &self,
        adjusted: &[PValues],
        stage: Stage,
        context: &Context,
    ) -> (Vec<Comparison>, Vec<LimitCheck>) {
        let mut adjusted = adjusted.iter().copied();
        let mut next = || adjusted.next().unwrap_or(PValues::NONE);
        let mut comparisons = Vec::new();
        if let Some(failures) = &self.failures {
            comparisons.push(self.decide_failures(failures, next(), stage, context));
        }
        for undecided in &self.metrics {
            let p = undecided.comparison.judged.then(&mut next);
            comparisons.push(self.decide(undecided, p, stage, context));
        }
        let limits = self.limits.iter().map(|limit| limit.check(next().worse, &self.criteria)).collect();
        (comparisons, limits)
    }

    /// One of its judged metrics, decided separately.
    pub fn decide_metric(&self, id: &str, p: PValues, stage: Stage, context: &Context) -> Option<Comparison> {
        if id == success_ratio().id {
            return Some(self.decide_failures(self.failures.as_ref()?, p, stage, context));
        }
        let undecided = self.metrics.iter().find(|undecided| undecided.comparison.metric.id == id)?;
        Some(self.decide(undecided, Some(p), stage, context))
    }

    /// One of its limits, decided separately.
    pub fn check_limit(&self, place: usize, p: PValues) -> Option<LimitCheck> {
        Some(self.limits.get(place)?.check(p.worse, &self.criteria))
    }

    fn decide_failures(
        &self,
        failures: &Failures,
        p: PValues,
        stage: Stage,
        context: &Context,
    ) -> Comparison {
        let detectable = || failures.detectable(&self.criteria, context.tests);
        Comparison {
            detectable: (!context.verdicts_only).then(detectable),
            ..failures.compare(p, stage, &self.criteria)
        }
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
        let criteria = &self.criteria;
        let p = corrected.unwrap_or_else(|| effect.p_values(criteria).bonferroni(context.tests));
        let may_improve = self.failures.as_ref().is_none_or(Failures::may_improve);
        comparison.p_adjusted = p.of(effect.estimate);
        comparison.change = Some(effect.change(comparison.metric.better));
        comparison.method = Some(effect.method);
        if effect.is_sound {
            (comparison.verdict, comparison.reason) = effect.decide(p, criteria, may_improve);
        }
        if stage == Stage::Screened && comparison.reason == Some(Reason::NotSignificant) {
            comparison.reason = Some(Reason::ScreeningOnly);
        }
        if context.verdicts_only {
            return comparison;
        }
        let detectable = effect.detectable(criteria, context.tests, context.confirmation);
        comparison.detectable = detectable.is_finite().then(|| match comparison.metric.better {
            Better::Lower => detectable.exp_m1(),
            Better::Higher => -(-detectable).exp_m1(),
        });
        // An improvement that is only withheld needs no more data.
        let is_open = comparison.verdict == Verdict::Inconclusive
            && comparison.reason != Some(Reason::SuccessRatioFell);
        comparison.advice = is_open.then(|| effect.advice(criteria, context.tests));
        comparison
    }

    /// The judgement of the cell, given its decided comparisons and limits.
    pub fn conclude(
        &self,
        comparisons: Vec<Comparison>,
        limits: Vec<LimitCheck>,
        fresh: Vec<Shown>,
        context: &Context,
    ) -> CellJudgement {
        let (verdict, reason) = self.verdict(&comparisons, &limits);
        let all = || METRICS.iter().filter_map(|metric| self.shown(metric)).collect();
        CellJudgement {
            id: self.sides.cell.id.clone(),
            verdict,
            reason,
            comparisons,
            limits,
            values: if context.verdicts_only { Vec::new() } else { all() },
            fresh,
            notes: self.sides.notes.clone(),
        }
    }

    /// The worst of all that was found; a regression ranks above what made comparing impossible.
    fn verdict(&self, comparisons: &[Comparison], limits: &[LimitCheck]) -> (Verdict, Option<Reason>) {
        let judged = || comparisons.iter().filter(|comparison| comparison.judged);
        let worst = judged().map(|comparison| comparison.verdict).max();
        if worst != Some(Verdict::Regressed)
            && let Some(place) = limits.iter().position(LimitCheck::is_broken)
        {
            return (Verdict::Regressed, Some(Reason::Limit(place)));
        }
        match (worst, &self.sides.instead) {
            (Some(Verdict::Regressed), _) | (Some(_), None) => {
                let verdict = worst.unwrap_or(Verdict::Inconclusive);
                let first = judged().find(|comparison| comparison.verdict == verdict);
                let needs_reason = |comparison: &&Comparison| comparison.verdict != Verdict::Unchanged;
                let first = first.filter(needs_reason);
                (verdict, first.map(|comparison| Reason::Comparison(comparison.metric)))
            }
            (_, Some(instead)) => instead.clone(),
            (None, None) => (Verdict::Inconclusive, Some(Reason::NothingToCompare)),
        }
    }

    /// Both sides' values of a metric; `None` if head has none.
    pub fn shown(&self, metric: &'static Metric) -> Option<Shown> {
        let Criteria { confidence_level, nresamples, .. } = self.criteria;
        let estimate = |values: Vec<&Vec<Vec<f64>>>| estimate(&values, metric, confidence_level, nresamples);
        let head = self.sides.head.iter().filter_map(|run| run.values(metric)).collect();
        let base = self.sides.base_runs(metric).filter_map(|run| run.values(metric)).collect();
        Some(Shown { metric, head: estimate(head)?, base: estimate(base) })
    }
}

fn series(runs: &[Measured]) -> impl Iterator<Item = &Series> {
    runs.iter().map(|run| &run.series)
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
fn compare(metric: &'static Metric, sides: &Sides, criteria: &Criteria) -> Undecided {
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
        margin: criteria.noise_threshold,
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
        effect = effect_of(metric, sides, &base, &head, criteria);
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
    criteria: &Criteria,
) -> Option<Effect> {
    if base.iter().chain(head).flatten().flatten().any(|value| !value.ln().is_finite()) {
        return None;
    }
    let summary = |run: &Measured| summarize(run.values(metric)?, metric.centre);
    let sittings = |runs: &[Measured]| -> Vec<stored::Sitting> {
        let comparable = runs.iter().filter(|run| sides.is_comparable(run, metric));
        by_sitting(comparable.filter_map(|run| Some((run, summary(run)?))))
    };
    match &sides.base {
        Base::None => None,
        // The launches of several runs are launches alike.
        Base::Duet(_) => duet::compare(&base.concat(), &head.concat(), metric, criteria),
        Base::Stored(base) => {
            stored::compare(&sittings(base), &sittings(&sides.head), metric.better, criteria)
        }
    }
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
