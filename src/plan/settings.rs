//! The settings of a group: flag, variable, default, check and help of each in one place.

use std::borrow::Cow;
use std::fmt::Debug;
use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use serde::{Deserialize, Serialize};

use crate::plan::duration::{MAX_DURATION, parse_duration, seconds};
use crate::plan::metric;

/// The headings of `--help`, in their order.
pub(crate) mod heading {
    pub(crate) const MEASURE: &str = "What to measure";
    pub(crate) const DECIDE: &str = "How to decide";
    pub(crate) const BASELINES: &str = "Baselines (stored runs to compare with)";
    pub(crate) const DUETS: &str = "Duets (measure base and head in one run)";
    pub(crate) const OUTPUT: &str = "Output";
}

/// How the cells of a group are measured and compared. Names are criterion's wherever the meaning is the same.
///
/// A field with `long` is a flag of each bench binary, and with `env` a variable. Without a flag the bench file decides, and without
/// either the default given here.
#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[group(skip)]
pub struct Settings {
    /// Number of rounds per cell
    #[arg(long, value_name = "N", env = "PLIMSOLL_SAMPLE_SIZE", default_value_t = 30)]
    #[arg(help_heading = heading::MEASURE)]
    pub sample_size: usize,
    /// Measuring time per cell (per side in a duet)
    #[arg(long, value_name = "TIME", env = "PLIMSOLL_MEASUREMENT_TIME", default_value = "10s")]
    #[arg(value_parser = parse_duration, help_heading = heading::MEASURE)]
    #[serde(rename = "measurement_time_s", with = "seconds")]
    pub measurement_time: Duration,
    /// Warm-up time per launch
    #[arg(long, value_name = "TIME", env = "PLIMSOLL_WARM_UP_TIME", default_value = "200ms")]
    #[arg(value_parser = parse_duration, help_heading = heading::MEASURE)]
    #[serde(rename = "warm_up_time_s", with = "seconds")]
    pub warm_up_time: Duration,
    /// Number of times to start each service [default: 5 to 30]
    #[arg(long, value_name = "N", env = "PLIMSOLL_LAUNCHES", help_heading = heading::MEASURE)]
    pub launches: Option<usize>,
    /// Ignore changes below this fraction [default: 0.05; 0.01 in a duet]
    #[arg(long, value_name = "X", env = "PLIMSOLL_NOISE_THRESHOLD", help_heading = heading::DECIDE)]
    pub noise_threshold: Option<f64>,
    /// Smaller changes are unchanged [default: 0.10; 0.05 in a duet]
    #[arg(long, value_name = "X", env = "PLIMSOLL_EQUIVALENCE_MARGIN", help_heading = heading::DECIDE)]
    pub equivalence_margin: Option<f64>,
    /// Probability of a false alarm per bench command
    #[arg(long, value_name = "X", env = "PLIMSOLL_SIGNIFICANCE_LEVEL", default_value_t = 0.01)]
    #[arg(help_heading = heading::DECIDE)]
    pub significance_level: f64,
    /// Confidence level of the displayed intervals
    #[arg(long, value_name = "X", env = "PLIMSOLL_CONFIDENCE_LEVEL", default_value_t = 0.95)]
    #[arg(help_heading = heading::DECIDE)]
    pub confidence_level: f64,
    /// Number of bootstrap resamples
    #[arg(long, value_name = "N", env = "PLIMSOLL_NRESAMPLES", default_value_t = 100_000)]
    #[arg(help_heading = heading::DECIDE)]
    pub nresamples: usize,
    /// A cell with a smaller success ratio is invalid.
    #[arg(skip = 0.95)]
    pub min_success_ratio: f64,
    /// Maximum time of a request.
    #[arg(skip = Duration::from_secs(30))]
    #[serde(rename = "timeout_s", with = "seconds")]
    pub timeout: Duration,
    /// Maximum time to open a connection.
    #[arg(skip = Duration::from_secs(5))]
    #[serde(rename = "connect_timeout_s", with = "seconds")]
    pub connect_timeout: Duration,
    /// Maximum time until the service is ready.
    #[arg(skip = Duration::from_secs(30))]
    #[serde(rename = "ready_timeout_s", with = "seconds")]
    pub ready_timeout: Duration,
    /// Ids of the metrics to judge. `None`: the default metrics.
    #[arg(skip)]
    pub judged: Option<Vec<String>>,
    /// Absolute limits of each cell.
    #[arg(skip)]
    pub limits: Vec<Limit>,
}

/// What head is compared with, which decides how large a change must be to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Base of a duet.
    Base,
    /// The tree that began the epoch of a baseline, in fresh pairs for a candidate of its stored runs. The change may have come in
    /// several steps.
    FirstTree,
    /// Stored runs.
    StoredRuns,
}

/// Fewer rounds do not show how much rounds vary.
const MIN_SAMPLE_SIZE: usize = 10;
/// Fewer launches do not show how much launches vary.
pub(crate) const MIN_LAUNCHES: usize = 5;
/// The quantiles of a 95% interval need this many resamples.
const MIN_RESAMPLES: usize = 1_000;
/// More resamples need much memory and do not make the interval more exact.
const MAX_RESAMPLES: usize = 10_000_000;
const MIN_ROUND: Duration = Duration::from_millis(1);

impl Default for Settings {
    /// The defaults of the attributes above.
    fn default() -> Self {
        let command = Self::augment_args(Command::new("defaults")).mut_args(|arg| arg.env(None::<&str>));
        let matches = command.get_matches_from(["defaults"]);
        Self::from_arg_matches(&matches).expect("each setting that is not an Option has a default")
    }
}

impl Settings {
    /// Applies `--quick`: fewer rounds, less time and fewer launches. A group with one launch keeps it.
    pub(crate) fn quicken(&mut self) {
        (self.sample_size, self.measurement_time) = (10, Duration::from_secs(2));
        if self.launches != Some(1) {
            self.launches = Some(MIN_LAUNCHES);
        }
    }

    /// The time of one round.
    pub fn window(&self) -> Duration {
        self.measurement_time / u32::try_from(self.sample_size.max(1)).unwrap_or(u32::MAX)
    }

    /// Changes smaller than this fraction are ignored.
    pub(crate) fn noise_threshold(&self, against: Against) -> f64 {
        self.noise_threshold.unwrap_or(match against {
            Against::Base => 0.01,
            Against::FirstTree => 0.02,
            Against::StoredRuns => 0.05,
        })
    }

    /// Changes smaller than this fraction are unchanged.
    pub(crate) fn equivalence_margin(&self, against: Against) -> f64 {
        self.equivalence_margin.unwrap_or(if against == Against::StoredRuns { 0.10 } else { 0.05 })
    }

    /// The first value that is out of range, and its range.
    pub(crate) fn problem(&self) -> Option<String> {
        let is_fraction = |value: f64| (0.0..1.0).contains(&value);
        let is_level = |value: f64| is_fraction(value) && value > 0.0;
        let check = |holds: bool, name: &str, value: &dyn Debug, must: &str| {
            (!holds).then(|| format!("{name} is {value:?}: it must {must}"))
        };
        let level = |name, value| check(is_level(value), name, &value, "lie between 0 and 1");
        let fraction = |name, value: Option<f64>| {
            let value = value.unwrap_or(0.0);
            check(is_fraction(value), name, &value, "be at least 0 and less than 1")
        };
        let timeout = |name, value: Duration| check(!value.is_zero(), name, &value, "be longer than 0");
        let (rounds, time) = (self.sample_size, self.measurement_time);
        let (launches, ratio) = (self.launches.unwrap_or(1), self.min_success_ratio);
        let launches_range = format!("lie between 1 and sample_size, which is {rounds}");
        let is_time = self.window() >= MIN_ROUND && time <= MAX_DURATION;
        let is_nresamples = (MIN_RESAMPLES..=MAX_RESAMPLES).contains(&self.nresamples);
        let is_judged = self.judged.as_ref().is_none_or(|metrics| !metrics.is_empty());
        let has_zero_limit = self.limits.iter().any(|limit| limit.max.is_zero());
        [
            check(rounds >= MIN_SAMPLE_SIZE, "sample_size", &rounds, "be at least 10"),
            check(is_time, "measurement_time", &time, "be at least 1ms per round and at most 24h"),
            check(self.warm_up_time <= MAX_DURATION, "warm_up_time", &self.warm_up_time, "be at most 24h"),
            check((1..=rounds).contains(&launches), "launches", &launches, &launches_range),
            level("confidence_level", self.confidence_level),
            level("significance_level", self.significance_level),
            fraction("noise_threshold", self.noise_threshold),
            fraction("equivalence_margin", self.equivalence_margin),
            check(is_nresamples, "nresamples", &self.nresamples, "lie between 1,000 and 10,000,000"),
            timeout("timeout", self.timeout),
            timeout("connect_timeout", self.connect_timeout),
            timeout("ready_timeout", self.ready_timeout),
            check((0.0..=1.0).contains(&ratio), "min_success_ratio", &ratio, "lie between 0 and 1"),
            (!is_judged).then(|| "judge has no metric: it must name at least one".to_owned()),
            has_zero_limit.then(|| "a limit is 0: every latency would break it".to_owned()),
        ]
        .into_iter()
        .flatten()
        .next()
    }
}

/// The longest that a percentile of a cell's latency may be.
///
/// A run breaks it (exit code 1) if the percentile is longer at 99% confidence. One slow round does not.
///
/// ```
/// use plimsoll::Limit;
/// use std::time::Duration;
/// # let mut harness = plimsoll::Harness::default();
/// let mut group = harness.benchmark_group("search");
/// group.limit(Limit::p50(Duration::from_millis(5)));
/// group.limit(Limit::p90(Duration::from_millis(10)));
/// group.limit(Limit::p95(Duration::from_millis(20)));
/// group.limit(Limit::p99(Duration::from_millis(50)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub(crate) metric: Cow<'static, str>,
    #[serde(rename = "max_s", with = "seconds")]
    pub(crate) max: Duration,
}

impl Limit {
    /// Half of the requests finish within `max`.
    pub const fn p50(max: Duration) -> Self {
        Self { metric: Cow::Borrowed(metric::LATENCY_P50), max }
    }

    /// 90% of the requests finish within `max`.
    pub const fn p90(max: Duration) -> Self {
        Self { metric: Cow::Borrowed(metric::LATENCY_P90), max }
    }

    /// 95% of the requests finish within `max`.
    pub const fn p95(max: Duration) -> Self {
        Self { metric: Cow::Borrowed(metric::LATENCY_P95), max }
    }

    /// 99% of the requests finish within `max`.
    pub const fn p99(max: Duration) -> Self {
        Self { metric: Cow::Borrowed(metric::LATENCY_P99), max }
    }
}

/// How a duet measures candidates again: cells that look slower in the screening.
///
/// Only the fresh pairs decide, each of one new launch of base and head. They owe nothing to how the candidates were chosen. After
/// each interim analysis, cells that are still open are measured further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confirmation {
    /// Total number of fresh pairs at each interim analysis. Rising.
    pub pairs: Vec<usize>,
}

impl Confirmation {
    /// The number of interim analyses.
    pub fn analyses(&self) -> usize {
        self.pairs.len()
    }

    /// The number of fresh pairs at the last analysis.
    pub fn max_pairs(&self) -> usize {
        self.pairs.last().copied().unwrap_or(0)
    }

    /// The number of pairs that an analysis adds. Analyses are counted from 1.
    pub fn pairs_of(&self, analysis: usize) -> usize {
        let until =
            |analysis: usize| self.pairs[..analysis.min(self.pairs.len())].last().copied().unwrap_or(0);
        until(analysis).saturating_sub(until(analysis - 1))
    }

    /// What is wrong with it. `None`: nothing.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let rises = self.pairs.windows(2).all(|pair| pair[0] < pair[1]);
        (self.pairs.is_empty() || self.pairs[0] < 2 || !rises)
            .then_some("the numbers of --confirm-pairs must be at least 2 and rise, as in 30,60,120")
    }
}

impl Default for Confirmation {
    fn default() -> Self {
        Self { pairs: vec![30, 60, 120] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_named() {
        let problem = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.problem().expect("a problem")
        };
        assert!(problem(|s| s.sample_size = 9).starts_with("sample_size is 9"));
        assert!(problem(|s| s.measurement_time = Duration::ZERO).starts_with("measurement_time"));
        assert!(problem(|s| s.launches = Some(0)).starts_with("launches is 0"));
        assert!(problem(|s| s.launches = Some(31)).starts_with("launches is 31"));
        assert!(problem(|s| s.confidence_level = 1.0).starts_with("confidence_level"));
        assert!(problem(|s| s.significance_level = f64::NAN).starts_with("significance_level"));
        assert!(problem(|s| s.noise_threshold = Some(-0.1)).starts_with("noise_threshold is -0.1"));
        assert!(problem(|s| s.equivalence_margin = Some(f64::INFINITY)).starts_with("equivalence_margin"));
        assert!(problem(|s| s.nresamples = 10).starts_with("nresamples"));
        assert!(problem(|s| s.timeout = Duration::ZERO).starts_with("timeout is 0"));
        assert!(problem(|s| s.ready_timeout = Duration::ZERO).starts_with("ready_timeout is 0"));
        assert!(problem(|s| s.min_success_ratio = 1.1).starts_with("min_success_ratio"));
        assert!(problem(|s| s.judged = Some(Vec::new())).starts_with("judge has no metric"));
        assert!(problem(|s| s.limits = vec![Limit::p50(Duration::ZERO)]).starts_with("a limit is 0"));
    }

    #[test]
    fn the_default_and_the_quick_settings_are_valid() {
        let mut settings = Settings::default();
        assert_eq!((settings.sample_size, settings.measurement_time), (30, Duration::from_secs(10)));
        assert_eq!(settings.problem(), None);
        settings.quicken();
        assert_eq!((settings.problem(), settings.launches), (None, Some(5)));
    }

    #[test]
    fn a_file_gives_the_same_settings_back() {
        let settings =
            Settings { limits: vec![Limit::p99(Duration::from_millis(50))], ..Settings::default() };
        let text = serde_json::to_string(&settings).unwrap();
        assert!(text.contains(r#""measurement_time_s":10.0"#), "{text}");
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    }

    #[test]
    fn each_analysis_adds_the_missing_pairs() {
        let default = Confirmation::default();
        assert_eq!([1, 2, 3].map(|analysis| default.pairs_of(analysis)), [30, 30, 60]);
        assert_eq!((default.analyses(), default.max_pairs(), default.pairs_of(4)), (3, 120, 0));
    }

    #[test]
    fn pairs_that_do_not_rise_are_refused() {
        assert_eq!(Confirmation::default().problem(), None);
        for pairs in [vec![], vec![1], vec![30, 30], vec![30, 20]] {
            assert!(Confirmation { pairs }.problem().is_some());
        }
    }
}
