//! Absolute limits: broken if shown to be, by head alone and without any baseline. Each is decided separately, outside of the level of
//! the call.
//!
//! A t test on logs. With one run of head its launches are the sample, and how much runs differ is left out. With several the
//! runs are, and their variance is moderated as it is against stored runs. The binomial rule on counted requests is not used: it
//! needs independent requests, and those of a launch share its effect.

use crate::judge::effect::{Effect, RESOLUTION};
use crate::judge::launch::{Centering, RunSummary, summarize};
use crate::judge::stored::{PRIOR_DF, Sitting, USUAL_SPREAD, disorder_variance, sitting_variance};
use crate::judge::verdict::{Estimate, LimitCheck, LimitOutcome, Method};
use crate::plan::Settings;
use crate::record::{Centre, Metric, Remedy};
use crate::stats::describe::mean;

/// Compares the rounds of head's runs, nested by launch, with a limit. `remedy` would give head a value if it has none.
pub(super) fn check(
    metric: &'static Metric,
    limit: f64,
    runs: &[Vec<Vec<f64>>],
    settings: &Settings,
    remedy: impl FnOnce() -> Option<Remedy>,
) -> LimitCheck {
    let summaries: Option<Vec<RunSummary>> = runs.iter().map(|rounds| summary(rounds, metric)).collect();
    let excess = summaries.and_then(|runs| excess(runs, limit.ln(), settings.confidence_level));
    let value = excess.map(|Effect { estimate, low, high, method, .. }| {
        let value = |excess: f64| (limit.ln() + excess).exp();
        Estimate { value: value(estimate), interval: Some((value(low), value(high))), method: Some(method) }
    });
    let p = excess.map_or(1.0, |excess| excess.p_worse(0.0));
    let outcome = match excess {
        Some(excess) if p < settings.significance_level && excess.low > 0.0 => LimitOutcome::Broken,
        Some(excess) if excess.high < 0.0 => LimitOutcome::Holds,
        _ => LimitOutcome::Undecided,
    };
    let remedy = if excess.is_none() { remedy() } else { None };
    LimitCheck { metric, limit, value, p, outcome, remedy }
}

/// A tail with too few rounds and launches has no center that could leave bursts out. They are part of what a limit allows, so
/// that the mean does.
fn summary(rounds: &[Vec<f64>], metric: &Metric) -> Option<RunSummary> {
    let run = summarize(rounds, metric.centre)?;
    if run.centering == Centering::Unsound { summarize(rounds, Centre::Mean) } else { Some(run) }
}

fn excess(summaries: Vec<RunSummary>, limit: f64, confidence: f64) -> Option<Effect> {
    let log = mean(&summaries.iter().map(|run| run.log).collect::<Vec<_>>())?;
    let launches = summaries.iter().map(|run| run.launches.len()).min()?;
    let runs = summaries.len();
    let (standard_error, df) = match &summaries[..] {
        [run] => match run.variance() {
            Some(variance) => (variance.sqrt().max(RESOLUTION), run.df()),
            None => {
                let allowance = USUAL_SPREAD.powi(2).max(run.round_variance.unwrap_or(0.0));
                ((2.0 * allowance).sqrt(), PRIOR_DF)
            }
        },
        _ => {
            let each: Vec<Sitting> = summaries.into_iter().map(|run| vec![run]).collect();
            let (variance, df) = sitting_variance(&[&each]);
            ((variance / runs as f64 + disorder_variance(&each)).sqrt(), df)
        }
    };
    let method = Method::Head { runs, launches, df };
    Some(Effect::new(log - limit, standard_error, df, method, confidence))
}
