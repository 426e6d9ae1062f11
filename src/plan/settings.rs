//! The settings of a group: flag, variable, default, check and help of each in one place.

use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use serde::{Deserialize, Serialize};

use crate::plan::duration::{parse_duration, seconds};
use crate::plan::limit::Limit;

/// How long, how often and how strictly the cells of a group are measured and compared. Names are criterion's wherever the thing is the
/// same.
///
/// A field with `long` is a flag of each bench binary, and with `env` a variable. Without a flag, the bench file decides; what it leaves
/// out has the default that is given here.
#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[group(skip)]
pub struct Settings {
    /// Number of rounds per cell
    #[arg(long, value_name = "ROUNDS", env = "PLIMSOLL_SAMPLE_SIZE", default_value_t = 30)]
    pub sample_size: usize,
    /// Total measuring time per cell and side
    #[arg(long, value_name = "TIME", env = "PLIMSOLL_MEASUREMENT_TIME", default_value = "10s")]
    #[arg(value_parser = parse_duration)]
    #[serde(rename = "measurement_time_s", with = "seconds")]
    pub measurement_time: Duration,
    /// Warm-up time per launch, shared by its cells
    #[arg(long, value_name = "TIME", env = "PLIMSOLL_WARM_UP_TIME", default_value = "200ms")]
    #[arg(value_parser = parse_duration)]
    #[serde(rename = "warm_up_time_s", with = "seconds")]
    pub warm_up_time: Duration,
    /// Launches of each service per run [default: as many as take at most a third of the measuring time, at least 5]
    #[arg(long, value_name = "N", env = "PLIMSOLL_LAUNCHES")]
    pub launches: Option<usize>,
    /// Resamples of a bootstrap
    #[arg(long, value_name = "N", env = "PLIMSOLL_NRESAMPLES", default_value_t = 100_000)]
    pub nresamples: usize,
    /// Ignore changes smaller than this fraction [default: 0.05; 0.01 in a duet]
    #[arg(long, value_name = "FRACTION", env = "PLIMSOLL_NOISE_THRESHOLD")]
    pub noise_threshold: Option<f64>,
    /// Call changes smaller than this fraction unchanged [default: 0.10; 0.05 in a duet]
    #[arg(long, value_name = "FRACTION", env = "PLIMSOLL_EQUIVALENCE")]
    pub equivalence: Option<f64>,
    /// Confidence level of the displayed intervals
    #[arg(long, value_name = "LEVEL", env = "PLIMSOLL_CONFIDENCE_LEVEL", default_value_t = 0.95)]
    pub confidence_level: f64,
    /// False-alarm rate of the whole call
    #[arg(long, value_name = "LEVEL", env = "PLIMSOLL_SIGNIFICANCE_LEVEL", default_value_t = 0.01)]
    pub significance_level: f64,
    /// Success ratio below which a cell is invalid
    #[arg(skip = 0.95)]
    pub least_success_ratio: f64,
    /// Longest time that a request may take.
    #[arg(skip = Duration::from_secs(30))]
    #[serde(rename = "timeout_s", with = "seconds")]
    pub timeout: Duration,
    /// Longest time that opening a connection may take.
    #[arg(skip = Duration::from_secs(5))]
    #[serde(rename = "connect_timeout_s", with = "seconds")]
    pub connect_timeout: Duration,
    /// Longest time that the service may take to start.
    #[arg(skip = Duration::from_secs(30))]
    #[serde(rename = "ready_timeout_s", with = "seconds")]
    pub ready_timeout: Duration,
    /// Ids of the metrics to judge; `None` for the usual ones.
    #[arg(skip)]
    pub judged: Option<Vec<String>>,
    /// Absolute limits of each cell.
    #[arg(skip)]
    pub limits: Vec<Limit>,
}

/// Fewer rounds than this show no spread.
const MIN_SAMPLE_SIZE: usize = 10;
/// Fewer launches than this show no spread between launches.
pub(crate) const MIN_LAUNCHES: usize = 5;
/// A quantile of a 95% interval needs this many resamples.
const MIN_RESAMPLES: usize = 1_000;
/// More resamples take memory and show nothing more.
const MAX_RESAMPLES: usize = 10_000_000;
/// A longer time is a typing error.
const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Settings {
    /// The defaults of the attributes above.
    fn default() -> Self {
        let command = Self::augment_args(Command::new("defaults")).mut_args(|arg| arg.env(None::<&str>));
        let matches = command.get_matches_from(["defaults"]);
        Self::from_arg_matches(&matches).expect("each setting that is not an Option has a default")
    }
}

impl Settings {
    /// The rounds, time and launches of `--quick` in place of these. A group with one launch keeps it.
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
    pub(crate) fn noise_threshold(&self, is_duet: bool) -> f64 {
        self.noise_threshold.unwrap_or(if is_duet { 0.01 } else { 0.05 })
    }

    /// Changes smaller than this fraction are unchanged.
    pub(crate) fn equivalence(&self, is_duet: bool) -> f64 {
        self.equivalence.unwrap_or(if is_duet { 0.05 } else { 0.10 })
    }

    /// What is wrong with these values, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        let is_fraction = |value: f64| (0.0..1.0).contains(&value);
        let is_level = |value: f64| is_fraction(value) && value > 0.0;
        let timeouts = [self.timeout, self.connect_timeout, self.ready_timeout];
        let Self { sample_size, measurement_time, warm_up_time, launches, nresamples, .. } = self;
        if *sample_size < MIN_SAMPLE_SIZE {
            Some(format!("sample_size is {sample_size}: at least {MIN_SAMPLE_SIZE} rounds are needed"))
        } else if self.window() < Duration::from_millis(1) || *measurement_time > MAX_TIME {
            Some(format!(
                "measurement_time is {measurement_time:?} for {sample_size} rounds: a round takes at least 1ms, a cell at most 24h"
            ))
        } else if *warm_up_time > MAX_TIME {
            Some(format!("warm_up_time is {warm_up_time:?}: at most 24h"))
        } else if let Some(launches) = launches.filter(|launches| !(1..=*sample_size).contains(launches)) {
            Some(format!(
                "launches is {launches}: at least 1 and at most sample_size, which is {sample_size}"
            ))
        } else if !is_level(self.confidence_level) {
            Some(format!("confidence_level is {}: it must lie between 0 and 1", self.confidence_level))
        } else if !is_level(self.significance_level) {
            Some(format!("significance_level is {}: it must lie between 0 and 1", self.significance_level))
        } else if let Some(value) = self.noise_threshold.filter(|&value| !is_fraction(value)) {
            Some(format!("noise_threshold is {value}: it must be at least 0 and less than 1"))
        } else if let Some(value) = self.equivalence.filter(|&value| !is_fraction(value)) {
            Some(format!("equivalence is {value}: it must be at least 0 and less than 1"))
        } else if !(MIN_RESAMPLES..=MAX_RESAMPLES).contains(nresamples) {
            Some(format!("nresamples is {nresamples}: from {MIN_RESAMPLES} to {MAX_RESAMPLES}"))
        } else if timeouts.contains(&Duration::ZERO) {
            Some("a timeout is 0: nothing could finish".to_owned())
        } else if !(0.0..=1.0).contains(&self.least_success_ratio) {
            Some(format!("least_success_ratio is {}: it must lie between 0 and 1", self.least_success_ratio))
        } else if self.judged.as_ref().is_some_and(Vec::is_empty) {
            Some("no metric is judged".to_owned())
        } else if self.limits.iter().any(|limit| limit.most.is_zero()) {
            Some("a limit of 0 can never hold".to_owned())
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_absurd_value_is_named() {
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
        assert!(problem(|s| s.equivalence = Some(f64::INFINITY)).starts_with("equivalence"));
        assert!(problem(|s| s.nresamples = 10).starts_with("nresamples"));
        assert!(problem(|s| s.timeout = Duration::ZERO).starts_with("a timeout"));
        assert!(problem(|s| s.least_success_ratio = 1.1).starts_with("least_success_ratio"));
        assert!(problem(|s| s.judged = Some(Vec::new())).starts_with("no metric"));
    }

    #[test]
    fn the_defaults_and_the_quick_settings_have_no_problem() {
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
}
