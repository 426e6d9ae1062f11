//! What is asked of a cell: which metrics are compared, which of them are judged, and which are settled without a test.

use std::time::Duration;

use crate::judge::fair::client_bound;
use crate::judge::launch::{Centring, RunValue, reduce};
use crate::judge::sides::{HeadCell, StoredCell, depends_on_window};
use crate::judge::stored::Samples;
use crate::judge::verdict::Verdict;
use crate::judge::words::whole_seconds;
use crate::record::{Judged, METRICS, Metric, Rules, Series};

/// One metric of a cell, as far as it is known before anything is tested.
#[derive(Debug)]
pub(super) struct Question {
    /// The metric.
    pub metric: &'static Metric,
    /// Whether it counts for the verdict.
    pub judged: bool,
    /// Base's value, for people.
    pub base: Option<f64>,
    /// Head's value, for people.
    pub head: Option<f64>,
    /// Runs to compare, or what is said without a test.
    pub answer: Result<Samples, Settled>,
    /// Why it is shown for information only, if it would be judged otherwise.
    pub information: Option<String>,
}

/// A verdict without a test.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settled {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What would make a test possible.
    pub advice: Option<String>,
}

/// Both sides of one cell; neither is empty.
pub(super) struct Pair<'a> {
    /// Fair runs of head.
    pub head: &'a [&'a HeadCell<'a>],
    /// Stored runs of the current epoch.
    pub current: &'a [StoredCell<'a>],
    /// Stored runs of each earlier epoch.
    pub earlier: &'a [Vec<StoredCell<'a>>],
}

/// All questions of a cell in the order of the table of metrics, but for the success ratio, which is judged by counts.
pub(super) fn questions(pair: &Pair, rules: &Rules) -> Vec<Question> {
    let by_value = METRICS.iter().filter(|metric| metric.judged != Judged::ByCounts);
    by_value
        .filter_map(|metric| {
            let asked = is_asked(metric, pair, rules);
            let known = pair.base_has(metric) && pair.head_has(metric);
            (asked || known).then(|| question(metric, asked, pair))
        })
        .collect()
}

/// Ids that a group asks for and no metric has.
pub(super) fn unknown(rules: &Rules) -> impl Iterator<Item = &String> {
    rules.judged.iter().flatten().filter(|id| METRICS.iter().all(|metric| metric.id != id.as_str()))
}

/// Which `measurement_time` would give each round of such a series enough successes; nothing when no time would, or when there
/// are enough.
pub(super) fn time_that_would_do(series: &Series, window: Duration, metric: &Metric) -> Option<String> {
    let rounds: usize = series.requests.iter().map(Vec::len).sum();
    let successes = successes_a_round(series)?;
    let factor = metric.promised_from() as f64 / successes;
    let seconds = window.as_secs_f64() * rounds as f64 * factor;
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    (factor > 1.0).then(|| whole_seconds(time))
}

fn is_asked(metric: &Metric, pair: &Pair, rules: &Rules) -> bool {
    if let Some(ids) = &rules.judged {
        return ids.iter().any(|id| id == metric.id);
    }
    match metric.judged {
        Judged::Always => true,
        Judged::HighestTail => highest_tail(pair).is_some_and(|highest| highest.id == metric.id),
        Judged::ByCounts | Judged::WhenAsked => false,
    }
}

/// The highest tail that both sides have; else the lowest that one of them has, so that it does not go missing in silence.
fn highest_tail(pair: &Pair) -> Option<&'static Metric> {
    let tails = || METRICS.iter().filter(|metric| metric.judged == Judged::HighestTail);
    tails()
        .rev()
        .find(|metric| pair.base_has(metric) && pair.head_has(metric))
        .or_else(|| tails().find(|metric| pair.base_has(metric) || pair.head_has(metric)))
}

fn question(metric: &'static Metric, asked: bool, pair: &Pair) -> Question {
    let comparable = |stored: &&StoredCell| stored.same_window || !depends_on_window(metric);
    let values = |series: &Series| series.values.get(metric.id).filter(|rounds| !rounds.is_empty()).cloned();
    let base: Vec<_> =
        pair.current.iter().filter(comparable).filter_map(|stored| values(stored.series)).collect();
    let head: Vec<_> = pair.head.iter().filter_map(|head| values(&head.series)).collect();
    let mut question = Question {
        metric,
        judged: asked,
        base: plain_centre(&base, metric),
        head: plain_centre(&head, metric),
        answer: settled(Verdict::Inconclusive, "It has no value.", None),
        information: None,
    };
    let bound = pair.head.iter().find_map(|head| client_bound(head.cell, metric));
    question.answer = if let Some(reason) = bound {
        settled(Verdict::Invalid, &reason, None)
    } else if !(pair.base_has(metric) && pair.head_has(metric)) {
        too_few(metric, pair)
    } else if base.is_empty() {
        settled(Verdict::Incomparable, "Its rounds are of another length, which moves the tail.", None)
    } else if base.iter().chain(&head).flatten().flatten().all(|value| *value == 0.0) {
        settled(Verdict::Unchanged, "All values are zero.", None)
    } else {
        let earlier = pair.earlier.iter().map(|runs| {
            runs.iter()
                .filter(comparable)
                .filter_map(|stored| reduce(stored.series.values.get(metric.id)?, metric.centre))
        });
        samples(metric, &base, &head, earlier.map(Iterator::collect).collect())
    };
    if let Ok(samples) = &question.answer
        && samples.base.iter().chain(&samples.head).any(|run| run.centring == Centring::Unsound)
    {
        question.judged = false;
        question.information = asked.then(|| {
            format!(
                "{} is for information only: a tail needs ten launches, or three rounds in each launch.",
                metric.title
            )
        });
    }
    question
}

fn samples(
    metric: &'static Metric,
    base: &[Vec<Vec<f64>>],
    head: &[Vec<Vec<f64>>],
    earlier: Vec<Vec<RunValue>>,
) -> Result<Samples, Settled> {
    let reduced = |runs: &[Vec<Vec<f64>>]| -> Option<Vec<RunValue>> {
        runs.iter().map(|rounds| reduce(rounds, metric.centre)).collect()
    };
    match (reduced(base), reduced(head)) {
        (Some(base), Some(head)) => Ok(Samples { base, earlier, head }),
        _ => settled(Verdict::Inconclusive, "Some rounds have the value zero, and zero has no ratio.", None),
    }
}

fn too_few(metric: &Metric, pair: &Pair) -> Result<Samples, Settled> {
    let (side, series, window) = match (pair.head_has(metric), pair.head.first(), pair.current.last()) {
        (false, Some(head), _) => ("head", &head.series, head.cell.window),
        (_, _, Some(stored)) => ("the baseline", stored.series, stored.run.window),
        _ => return settled(Verdict::Inconclusive, "It has no value.", None),
    };
    let mut reason = format!("Too few exchanges in {side}");
    if let Some(successes) = successes_a_round(series) {
        reason += &format!(": {successes:.0} successes a round, {} are needed", metric.promised_from());
    }
    let advice = time_that_would_do(series, window, metric).map(|time| {
        let anew = if side == "head" { "" } else { ", with a baseline recorded anew" };
        format!("a measurement_time of {time}{anew}")
    });
    settled(Verdict::Inconclusive, &format!("{reason}."), advice)
}

fn settled(verdict: Verdict, reason: &str, advice: Option<String>) -> Result<Samples, Settled> {
    Err(Settled { verdict, reason: reason.to_owned(), advice })
}

/// Successes of a round on average; nothing when there is none.
fn successes_a_round(series: &Series) -> Option<f64> {
    let counts = series.counts_by_launch();
    let successes: u64 = counts.iter().map(|(requests, failures)| requests.saturating_sub(*failures)).sum();
    let rounds: usize = series.requests.iter().map(Vec::len).sum();
    (successes > 0 && rounds > 0).then(|| successes as f64 / rounds as f64)
}

/// Mean over runs on the log scale, or the plain mean of all rounds where there is a zero.
fn plain_centre(runs: &[Vec<Vec<f64>>], metric: &Metric) -> Option<f64> {
    let mean = crate::stats::location::mean;
    let logs: Option<Vec<f64>> = runs.iter().map(|rounds| Some(reduce(rounds, metric.centre)?.log)).collect();
    let centre = match logs {
        Some(logs) => mean(&logs).map(f64::exp),
        None => mean(&runs.iter().flatten().flatten().copied().collect::<Vec<_>>()),
    };
    centre.filter(|centre| centre.is_finite())
}

impl Pair<'_> {
    /// Whether any stored run of the current epoch has it.
    fn base_has(&self, metric: &Metric) -> bool {
        self.current.iter().any(|stored| has(stored.series, metric))
    }

    /// Whether each run of head has it: what one of them lacks, it lacks because it was slow.
    fn head_has(&self, metric: &Metric) -> bool {
        self.head.iter().all(|head| has(&head.series, metric))
    }
}

fn has(series: &Series, metric: &Metric) -> bool {
    series.values.get(metric.id).is_some_and(|launches| launches.iter().any(|rounds| !rounds.is_empty()))
}
