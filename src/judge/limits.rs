//! Absolute limits: broken when shown to be, by head alone and right without any baseline.
//!
//! A t test on logs. With one run of head its launches are the sample, and how much runs differ is left out; with several the runs
//! are, each with one value, and their variance is moderated as it is against stored runs. The binomial rule ("so many of so many
//! requests took longer") is not used: it asks for independent requests, and those of a launch share its luck.

use crate::judge::launch::{Centring, RESOLUTION, RunValue, reduce};
use crate::judge::policy::Terms;
use crate::judge::questions::remedy;
use crate::judge::sides::HeadCell;
use crate::judge::stored::{Around, PRIOR_DF, Samples, USUAL_SPREAD, disorder_variance};
use crate::judge::verdict::{Estimate, LimitCheck, LimitOutcome};
use crate::plan::Limit;
use crate::record::words::{duration_ns, plural};
use crate::record::{Centre, Metric, metric};
use crate::stats::decision::p_above;
use crate::stats::describe::mean;
use crate::stats::interval::t_limits;

/// A limit with what head shows of it.
#[derive(Debug)]
pub(super) struct LimitTest {
    metric: &'static Metric,
    limit: f64,
    /// Nothing when head has no value.
    found: Option<HeadValue>,
    advice: Option<String>,
}

/// Head's value on a log scale.
#[derive(Debug, Clone, Copy)]
struct HeadValue {
    log: f64,
    standard_error: f64,
    df: f64,
    launches: usize,
    runs: usize,
}

impl LimitTest {
    /// Holds the fair runs of head against a limit; nothing when its metric is unknown. In a duet the launches of several runs
    /// are launches alike.
    pub fn new(limit: &Limit, head: &[&HeadCell], is_duet: bool) -> Option<Self> {
        let metric = metric(&limit.metric)?;
        let mut rounds: Vec<Vec<Vec<f64>>> =
            head.iter().filter_map(|head| head.series.values.get(metric.id)).cloned().collect();
        if is_duet && rounds.len() > 1 {
            rounds = vec![rounds.concat()];
        }
        let runs: Option<Vec<RunValue>> = rounds.iter().map(|rounds| launches(rounds, metric)).collect();
        let found = runs.and_then(|runs| match &runs[..] {
            [] => None,
            [run] => Some(of_one(run)),
            _ => of_several(runs),
        });
        let too_slow = head.first().filter(|_| found.is_none());
        let advice = too_slow.map(|head| {
            let remedy = remedy(head.cell, &head.series, head.cell.settings.window(), metric);
            let remedy = remedy.map(|remedy| format!(": {remedy} would do")).unwrap_or_default();
            format!("each round needs {} successes{remedy}", metric.promised_from())
        });
        Some(Self { metric, limit: limit.most.as_nanos() as f64, found, advice })
    }

    /// p value of "the limit holds".
    pub fn p_holds(&self) -> f64 {
        self.found.map_or(1.0, |found| p_above(found.log, self.limit.ln(), found.standard_error, found.df))
    }

    /// By how much it is seen to be exceeded, as a logarithm; negative when it is kept.
    pub fn excess(&self) -> f64 {
        self.found.map_or(0.0, |found| found.log - self.limit.ln())
    }

    /// What follows from the corrected p value and the interval.
    pub fn check(&self, p_adjusted: f64, terms: &Terms) -> LimitCheck {
        let interval = self
            .found
            .map(|found| t_limits(found.log, found.standard_error, found.df, terms.confidence_level));
        let log = self.limit.ln();
        let outcome = match interval {
            Some((low, _)) if p_adjusted < terms.significance_level && low > log => LimitOutcome::Broken,
            Some((_, high)) if high < log => LimitOutcome::Holds,
            _ => LimitOutcome::Undecided,
        };
        let value = self.found.zip(interval).map(|(found, (low, high))| Estimate {
            value: found.log.exp(),
            interval: Some((low.exp(), high.exp())),
            method: found.method(),
        });
        let reason = self.reason(outcome, value.as_ref());
        LimitCheck { metric: self.metric, limit: self.limit, value, p_adjusted, outcome, reason }
    }

    fn reason(&self, outcome: LimitOutcome, value: Option<&Estimate>) -> String {
        let (title, limit) = (self.metric.title, duration_ns(self.limit));
        let Some(value) = value else {
            let why = self.advice.as_ref().map(|advice| format!(" ({advice})")).unwrap_or_default();
            return format!("{title} has no value to hold against its limit of {limit}{why}.");
        };
        let found = duration_ns(value.value);
        match outcome {
            LimitOutcome::Broken => format!("{title} is {found}, shown to be over its limit of {limit}."),
            LimitOutcome::Holds => format!("{title} is {found}, shown to keep its limit of {limit}."),
            LimitOutcome::Undecided => {
                format!("{title} is {found}, which does not decide whether it keeps its limit of {limit}.")
            }
        }
    }
}

impl HeadValue {
    fn method(&self) -> String {
        let allowance = if self.launches == 1 { ", with an allowance for one launch" } else { "" };
        let sample = match self.runs {
            1 => plural(self.launches as u64, "launch"),
            runs => plural(runs as u64, "run"),
        };
        format!("t over {sample}, {} degrees of freedom{allowance}", degrees(self.df))
    }
}

/// Degrees of freedom, with one digit where they are no whole number: `8`, `3.4`.
fn degrees(df: f64) -> String {
    if df.fract() == 0.0 { format!("{df}") } else { format!("{df:.1}") }
}

/// A run of head. A tail that is for information only against a baseline has no centre that could leave
/// bursts out; they are part of what a limit allows, so the mean does.
fn launches(rounds: &[Vec<f64>], metric: &Metric) -> Option<RunValue> {
    let run = reduce(rounds, metric.centre)?;
    if run.centring == Centring::Unsound { reduce(rounds, Centre::Mean) } else { Some(run) }
}

/// What several runs show: as many values as runs.
fn of_several(runs: Vec<RunValue>) -> Option<HeadValue> {
    let launches = runs.iter().map(|run| run.launches.len()).min()?;
    let log = mean(&runs.iter().map(|run| run.log).collect::<Vec<_>>())?;
    let samples = Samples { base: Vec::new(), anchor: None, earlier: Vec::new(), head: runs };
    let (variance, df) = samples.run_variance(Around::Mean, None);
    let runs = samples.head.len();
    let variance = variance / runs as f64 + disorder_variance(&samples.head);
    Some(HeadValue { log, standard_error: variance.sqrt(), df, launches, runs })
}

fn of_one(run: &RunValue) -> HeadValue {
    let (launches, runs) = (run.launches.len(), 1);
    let Some(variance) = run.centre_variance() else {
        let allowance = USUAL_SPREAD.powi(2).max(run.round_variance.unwrap_or(0.0));
        return HeadValue {
            log: run.log,
            standard_error: (2.0 * allowance).sqrt(),
            df: PRIOR_DF,
            launches,
            runs,
        };
    };
    let standard_error = variance.sqrt().max(RESOLUTION);
    HeadValue { log: run.log, standard_error, df: run.centre_df(), launches, runs }
}
