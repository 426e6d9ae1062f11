//! What is asked of a cell: which metrics are compared, which of them are judged, and which are settled without a test.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::judge::evidence::{Evidence, Found};
use crate::judge::fair::client_bound;
use crate::judge::launch::{RunValue, SOUND_TAIL, reduce};
use crate::judge::pairs::Pairs;
use crate::judge::sides::{HeadCell, StoredCell, depends_on_window};
use crate::judge::stored::Samples;
use crate::judge::verdict::Verdict;
use crate::plan::Settings;
use crate::record::{CellRun, Judged, METRICS, Metric, Series, Unit, UsualRound};

/// What is advised where it is not known how much would do, of a closed loop ...
const LONGER: &str = "a longer measurement_time";
/// ... and of a burst.
const LARGER: &str = "a larger burst";

/// What the cells of the call have shown together, by metric.
pub(super) type Learned = BTreeMap<&'static str, Prior>;

/// Prior variances of a run's value that several cells have shown; zero where they have shown none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Prior {
    /// Around the mean of each epoch.
    pub around_mean: f64,
    /// Around the line through each current epoch.
    pub around_line: f64,
}

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
    pub answer: Result<Evidence, Settled>,
    /// Why it is shown for information only, if it would be judged otherwise.
    pub information: Option<String>,
}

impl Question {
    /// The change, if there is one to tell.
    pub fn found(&self, learned: &Learned) -> Option<Found<'_>> {
        let prior = learned.get(self.metric.id).map(|prior| prior.around_mean);
        self.answer.as_ref().ok()?.found(self.metric.better, prior)
    }
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
pub(super) struct Contest<'a> {
    /// Fair runs of head.
    pub head: &'a [&'a HeadCell<'a>],
    /// What they are held against.
    pub against: Against<'a>,
}

/// What head is held against.
#[derive(Clone, Copy)]
pub(super) enum Against<'a> {
    /// The base beside it, in each of its runs.
    Duet,
    /// Stored runs.
    Stored {
        /// Those of the current epoch.
        current: &'a [StoredCell<'a>],
        /// Those of each earlier epoch.
        earlier: &'a [Vec<StoredCell<'a>>],
    },
}

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Base,
    Head,
}

/// All questions of a cell in the order of the table of metrics, but for the success ratio, which is judged by counts.
pub(super) fn questions(contest: &Contest, rules: &Settings) -> Vec<Question> {
    let by_value = METRICS.iter().filter(|metric| metric.judged != Judged::ByCounts);
    by_value
        .filter_map(|metric| {
            let asked = is_asked(metric, contest, rules);
            let known =
                contest.base_has(metric) && contest.head_has(metric) && bound(metric, contest).is_none();
            (asked || known).then(|| question(metric, asked, contest))
        })
        .collect()
}

/// Ids that a group asks for and no metric has.
pub(super) fn unknown(rules: &Settings) -> impl Iterator<Item = &String> {
    rules.judged.iter().flatten().filter(|id| METRICS.iter().all(|metric| metric.id != id.as_str()))
}

/// What would give each round of such a series of a cell enough successes; nothing when nothing would, or when there are enough.
pub(super) fn remedy(cell: &CellRun, series: &Series, window: Duration, metric: &Metric) -> Option<String> {
    let rounds: usize = series.requests.iter().map(Vec::len).sum();
    let requests: u64 = series.requests.iter().flatten().sum();
    let round = UsualRound {
        is_timed: cell.load.is_timed(),
        measurement_time: window.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX)),
        requests: requests as f64 / rounds as f64,
        successes: successes_a_round(series)?,
    };
    round.remedy(metric)
}

/// Why the rates of any run of head are the client's, if they are.
fn bound(metric: &Metric, contest: &Contest) -> Option<String> {
    contest.head.iter().find_map(|head| client_bound(head.cell, metric))
}

fn is_asked(metric: &Metric, contest: &Contest, rules: &Settings) -> bool {
    if let Some(ids) = &rules.judged {
        return ids.iter().any(|id| id == metric.id);
    }
    match metric.judged {
        Judged::Always => true,
        Judged::HighestTail => highest_tails(contest).any(|highest| highest.id == metric.id),
        Judged::ByCounts | Judged::WhenAsked => false,
    }
}

/// Tails that are judged: the highest that base has (else that head has), so that one that head cannot reach does not go missing
/// in silence, and the highest that both have, so that a regression is found all the same.
fn highest_tails(contest: &Contest) -> impl Iterator<Item = &'static Metric> {
    let highest = |has: &dyn Fn(&Metric) -> bool| {
        METRICS.iter().rev().find(|metric| metric.judged == Judged::HighestTail && has(metric))
    };
    let wanted =
        highest(&|metric| contest.base_has(metric)).or_else(|| highest(&|metric| contest.head_has(metric)));
    let both = highest(&|metric| {
        contest.base_has(metric) && contest.head_has(metric) && contest.too_few(metric).is_none()
    });
    wanted.into_iter().chain(both)
}

fn question(metric: &'static Metric, asked: bool, contest: &Contest) -> Question {
    let values = |series: &Series| series.values.get(metric.id).filter(|rounds| !rounds.is_empty()).cloned();
    let base: Vec<_> = contest.base_series(metric).filter_map(values).collect();
    let head: Vec<_> = contest.head.iter().filter_map(|head| values(&head.series)).collect();
    let mut question = Question {
        metric,
        judged: asked,
        base: plain_centre(&base, metric),
        head: plain_centre(&head, metric),
        answer: settled(Verdict::Inconclusive, "It has no value.", None),
        information: None,
    };
    question.answer = if let Some(reason) = bound(metric, contest) {
        settled(
            Verdict::Inconclusive,
            &reason,
            Some("a CPU for the client alone, or a lower concurrency".to_owned()),
        )
    } else if let Some(side) = contest.too_few(metric) {
        too_few(metric, contest, side)
    } else if base.is_empty() {
        settled(Verdict::Incomparable, "Its rounds are of another length, which moves the tail.", None)
    } else if base.iter().chain(&head).flatten().flatten().all(|value| *value == 0.0) {
        settled(Verdict::Unchanged, "All values are zero.", None)
    } else {
        evidence(metric, contest, &base, &head)
    };
    if let Ok(evidence) = &question.answer
        && evidence.is_unsound()
    {
        question.judged = false;
        question.information =
            asked.then(|| format!("{} is for information only: a tail needs {SOUND_TAIL}.", metric.title));
    }
    question
}

fn evidence(
    metric: &'static Metric,
    contest: &Contest,
    base: &[Vec<Vec<f64>>],
    head: &[Vec<Vec<f64>>],
) -> Result<Evidence, Settled> {
    let reduced = |runs: &[Vec<Vec<f64>>]| -> Option<Vec<RunValue>> {
        runs.iter().map(|rounds| reduce(rounds, metric.centre)).collect()
    };
    let found = match contest.against {
        // The launches of several runs are launches alike.
        Against::Duet => {
            Pairs::new(&base.concat(), &head.concat(), metric.centre, metric.better).map(Evidence::Duet)
        }
        Against::Stored { current, earlier } => {
            let serving = |stored: &&StoredCell| stored.serves(metric);
            let value = |stored: &StoredCell| reduce(stored.series.values.get(metric.id)?, metric.centre);
            let earlier = earlier.iter().map(|runs| runs.iter().filter(serving).filter_map(value).collect());
            let earlier = earlier.collect();
            let anchor = current.iter().filter(serving).filter(|stored| stored.is_anchor).find_map(value);
            reduced(base)
                .zip(reduced(head))
                .map(|(base, head)| Evidence::Stored(Samples { base, anchor, earlier, head }))
        }
    };
    found.map_or_else(
        || {
            let reason = "Some rounds have the value zero, and zero has no ratio.";
            settled(
                Verdict::Inconclusive,
                reason,
                Some(format!("{}, if its rounds are then above zero", contest.more())),
            )
        },
        Ok,
    )
}

fn too_few(metric: &Metric, contest: &Contest, side: Side) -> Result<Evidence, Settled> {
    let head = contest.head.iter().map(|head| (&head.series, head.cell.settings.window()));
    let base = contest.all_base();
    let poorest = |runs: &mut dyn Iterator<Item = (&Series, Duration)>| {
        runs.filter_map(|(series, window)| {
            Some((poorest_round(series)?, remedy(contest.head[0].cell, series, window, metric)))
        })
        .min_by_key(|(successes, _)| *successes)
    };
    let (name, found, anew) = match side {
        Side::Head => ("head", poorest(&mut { head }), ""),
        Side::Base if matches!(contest.against, Against::Duet) => {
            ("base", poorest(&mut base.into_iter()), "")
        }
        Side::Base => ("the baseline", poorest(&mut base.into_iter()), ", with a baseline recorded anew"),
    };
    let Some((successes, remedy)) = found else {
        return settled(Verdict::Inconclusive, "It has no value.", Some(contest.more().to_owned()));
    };
    let least = metric.least_successes;
    let needed = if successes < least { least } else { metric.promised_from() };
    let reason = if successes < needed {
        format!(
            "Too few exchanges in {name}: {successes} successes in its poorest round, {needed} are needed."
        )
    } else {
        format!("Some round of {name} has no value of it.")
    };
    let more = remedy.unwrap_or_else(|| contest.more().to_owned());
    settled(Verdict::Inconclusive, &reason, Some(format!("{more}{anew}")))
}

fn settled(verdict: Verdict, reason: &str, advice: Option<String>) -> Result<Evidence, Settled> {
    Err(Settled { verdict, reason: reason.to_owned(), advice })
}

/// Successes of a round on average; nothing when there is none.
fn successes_a_round(series: &Series) -> Option<f64> {
    let counts = series.counts_by_launch();
    let successes: u64 = counts.iter().map(|(requests, failures)| requests.saturating_sub(*failures)).sum();
    let rounds: usize = series.requests.iter().map(Vec::len).sum();
    (successes > 0 && rounds > 0).then(|| successes as f64 / rounds as f64)
}

/// Successes of the round that has the fewest; nothing without a round.
fn poorest_round(series: &Series) -> Option<u64> {
    let rounds = series.requests.iter().flatten().zip(series.failures.iter().flatten());
    rounds.map(|(requests, failures)| requests.saturating_sub(*failures)).min()
}

/// Mean over runs on the log scale, or the plain mean of all rounds where there is a zero.
fn plain_centre(runs: &[Vec<Vec<f64>>], metric: &Metric) -> Option<f64> {
    let mean = crate::stats::describe::mean;
    let logs: Option<Vec<f64>> = runs.iter().map(|rounds| Some(reduce(rounds, metric.centre)?.log)).collect();
    let centre = match logs {
        Some(logs) => mean(&logs).map(f64::exp),
        None => mean(&runs.iter().flatten().flatten().copied().collect::<Vec<_>>()),
    };
    centre.filter(|centre| centre.is_finite())
}

impl Contest<'_> {
    /// What gives a round more successes, however many that are.
    fn more(&self) -> &'static str {
        if self.head[0].cell.load.is_timed() { LONGER } else { LARGER }
    }

    /// The side that has too few successes for a metric, or no value of it.
    fn too_few(&self, metric: &Metric) -> Option<Side> {
        if !self.head_has(metric) || self.head.iter().any(|head| is_poor(&head.series, metric)) {
            return Some(Side::Head);
        }
        (!self.base_has(metric)).then_some(Side::Base)
    }

    /// Whether base has it from enough successes: any stored run of the current epoch, or each run of a duet.
    fn base_has(&self, metric: &Metric) -> bool {
        let serves = |series: &Series| has(series, metric) && !is_poor(series, metric);
        match self.against {
            Against::Duet => self.head.iter().all(|head| head.base.as_ref().is_some_and(serves)),
            Against::Stored { current, .. } => current.iter().any(|stored| serves(&stored.series)),
        }
    }

    /// Base's rounds as far as they are comparable: of its runs, or of a duet's other side.
    fn base_series(&self, metric: &Metric) -> impl Iterator<Item = &Series> {
        let (duet, stored) = match self.against {
            Against::Duet => (self.head, &[][..]),
            Against::Stored { current, .. } => (&[][..], current),
        };
        let comparable = move |stored: &&StoredCell| stored.serves(metric);
        let stored = stored.iter().filter(comparable).map(|stored| &stored.series);
        duet.iter().filter_map(|head| head.base.as_ref()).chain(stored)
    }

    /// All of base's rounds, each with the length of its windows.
    fn all_base(&self) -> Vec<(&Series, Duration)> {
        match self.against {
            Against::Duet => self
                .head
                .iter()
                .filter_map(|head| Some((head.base.as_ref()?, head.cell.settings.window())))
                .collect(),
            Against::Stored { current, .. } => {
                current.iter().map(|stored| (&stored.series, stored.cell.settings.window())).collect()
            }
        }
    }

    /// Whether each run of head has it: what one of them lacks, it lacks because it was slow.
    fn head_has(&self, metric: &Metric) -> bool {
        self.head.iter().all(|head| has(&head.series, metric))
    }
}

impl StoredCell<'_> {
    /// Whether it takes part in comparing a metric.
    pub fn serves(&self, metric: &Metric) -> bool {
        (self.same_window || !depends_on_window(metric)) && !is_poor(&self.series, metric)
    }
}

/// Whether there are too few successes for a percentile. A rate is worth having however few they are: that they are few is what
/// it says.
fn is_poor(series: &Series, metric: &Metric) -> bool {
    metric.unit == Unit::Nanoseconds
        && successes_a_round(series).is_none_or(|successes| successes < metric.least_successes as f64)
}

fn has(series: &Series, metric: &Metric) -> bool {
    series.values.get(metric.id).is_some_and(|launches| launches.iter().any(|rounds| !rounds.is_empty()))
}
