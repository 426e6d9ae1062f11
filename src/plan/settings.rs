//! How long, how often and how strictly a group is measured, and the one table of defaults.

use std::time::Duration;

/// What can be set for a group. The names are criterion's wherever the thing is the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Rounds of a cell in one run.
    pub sample_size: usize,
    /// The time of a cell's rounds together.
    pub measurement_time: Duration,
    /// The warm-up of a launch, shared by its cells.
    pub warm_up_time: Duration,
    /// Launches of the service in one run; without it as many as can be paid.
    pub launches: Option<usize>,
    /// Confidence of the displayed intervals.
    pub confidence_level: f64,
    /// One-sided error for a whole call.
    pub significance_level: f64,
    /// What is too little to be red, as a fraction; without it 1 % in a duet, 5 % against a stored baseline.
    pub noise_threshold: Option<f64>,
    /// What is little enough to be called equal, as a fraction; without it 5 % in a duet, 10 % stored.
    pub equivalence: Option<f64>,
    /// Resamples of a bootstrap.
    pub nresamples: usize,
    /// The longest that one exchange may take.
    pub exchange_time_out: Duration,
    /// The longest that opening a connection may take.
    pub connect_time_out: Duration,
    /// The longest that the service may take to start.
    pub ready_time_out: Duration,
    /// The share of successes below which a cell was not measured at all.
    pub least_success_ratio: f64,
}

/// Rounds, time and launches of `--quick`; the other values are the usual ones, and nobody asks for them.
pub const QUICK: Settings = Settings {
    sample_size: 10,
    measurement_time: Duration::from_secs(2),
    launches: Some(5),
    ..Settings::new()
};

/// How much is too little, and how much is nothing, where a group does not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Margins {
    /// What is too little to be red, as a fraction.
    pub(crate) noise_threshold: f64,
    /// What is little enough to be called equal, as a fraction.
    pub(crate) equivalence: f64,
}

impl Margins {
    /// Against a stored baseline, a guest from another time.
    pub(crate) const STORED: Self = Self { noise_threshold: 0.05, equivalence: 0.10 };
    /// In a duet.
    pub(crate) const DUET: Self = Self { noise_threshold: 0.01, equivalence: 0.05 };
}

/// Fewer rounds than this show no spread.
pub(crate) const LEAST_SAMPLE_SIZE: usize = 10;
/// Fewer launches than this show no spread between launches.
pub(crate) const LEAST_LAUNCHES: usize = 5;
/// The fewest resamples that make a quantile at 95 % worth drawing.
const LEAST_RESAMPLES: usize = 1_000;
/// The longest measurement of a cell that is not a slip of the finger.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether it is a share of something that is not all of it.
pub(crate) fn is_fraction(value: f64) -> bool {
    (0.0..1.0).contains(&value)
}

/// Whether it can be the level of a test or of an interval.
pub(crate) fn is_level(value: f64) -> bool {
    is_fraction(value) && value > 0.0
}

impl Settings {
    /// More resamples take memory and show nothing more; a damaged number must not make judging endless.
    pub(crate) const MOST_RESAMPLES: usize = 10_000_000;

    const fn new() -> Self {
        Self {
            sample_size: 30,
            measurement_time: Duration::from_secs(10),
            warm_up_time: Duration::from_millis(200),
            launches: None,
            confidence_level: 0.95,
            significance_level: 0.01,
            noise_threshold: None,
            equivalence: None,
            nresamples: 100_000,
            exchange_time_out: Duration::from_secs(30),
            connect_time_out: Duration::from_secs(5),
            ready_time_out: Duration::from_secs(30),
            least_success_ratio: 0.95,
        }
    }

    /// The time of one round.
    pub fn window(&self) -> Duration {
        self.measurement_time / u32::try_from(self.sample_size.max(1)).unwrap_or(u32::MAX)
    }

    /// What is wrong with these values, in a sentence; nothing when nothing is.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.sample_size < LEAST_SAMPLE_SIZE {
            return Some(format!(
                "sample_size is {}: at least {LEAST_SAMPLE_SIZE} rounds are needed",
                self.sample_size
            ));
        }
        if self.window() < Duration::from_millis(1) || self.measurement_time > LONGEST {
            return Some(format!(
                "measurement_time is {:?} for {} rounds: a round takes at least 1 ms, a cell at most 24 h",
                self.measurement_time, self.sample_size
            ));
        }
        if self.warm_up_time > LONGEST {
            return Some(format!("warm_up_time is {:?}: at most 24 h", self.warm_up_time));
        }
        if let Some(launches) = self.launches.filter(|&launches| launches == 0 || launches > self.sample_size)
        {
            return Some(format!(
                "launches is {launches}: at least 1, at most sample_size ({}), a round to each",
                self.sample_size
            ));
        }
        if !is_level(self.confidence_level) || !is_level(self.significance_level) {
            return Some(format!(
                "confidence_level is {} and significance_level {}: both lie between 0 and 1",
                self.confidence_level, self.significance_level
            ));
        }
        for (name, margin) in [("noise_threshold", self.noise_threshold), ("equivalence", self.equivalence)] {
            if let Some(margin) = margin.filter(|&margin| !is_fraction(margin)) {
                return Some(format!("{name} is {margin}: a fraction from 0 up to, but not including, 1"));
            }
        }
        if !(LEAST_RESAMPLES..=Self::MOST_RESAMPLES).contains(&self.nresamples) {
            return Some(format!(
                "nresamples is {}: from {LEAST_RESAMPLES} to {}",
                self.nresamples,
                Self::MOST_RESAMPLES
            ));
        }
        if [self.exchange_time_out, self.connect_time_out, self.ready_time_out].contains(&Duration::ZERO) {
            return Some("a time-out is 0: nothing could finish".to_owned());
        }
        if !(0.0..=1.0).contains(&self.least_success_ratio) {
            return Some(format!(
                "least_success_ratio is {}: it lies between 0 and 1",
                self.least_success_ratio
            ));
        }
        None
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// A row of [`DEFAULTS`]: the setting, its value, what it means.
pub type DefaultRow = (&'static str, &'static str, &'static str);

/// The defaults as `--help` prints them. A test holds them against [`Settings::default`] and [`Margins`].
pub const DEFAULTS: &[DefaultRow] = &[
    ("sample_size", "30", "rounds of a cell; at least 10"),
    ("measurement_time", "10s", "of a cell's rounds together"),
    ("--quick", "10, 2s", "rounds over 5 launches, time"),
    (
        "launches",
        "as many as pay",
        "starts and warm-ups take at most a third of the measuring time; at least 5",
    ),
    ("warm_up_time", "200ms", "of a launch, shared by its cells"),
    ("time-outs", "30s, 5s, 30s", "of an exchange, of connecting, of starting the service"),
    ("nresamples", "100000", "resamples of a bootstrap"),
    ("seed", "1", "of every random order"),
    ("noise_threshold", "0.05", "what is too little to be red (0.01 in a duet)"),
    ("equivalence", "0.10", "what is little enough to be equal (0.05 in a duet)"),
    ("significance_level", "0.01", "one-sided, for a whole call"),
    ("confidence_level", "0.95", "of the intervals that are shown"),
    ("least_success_ratio", "0.95", "below it a cell counts as not measured"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::duration::parse_duration;

    #[test]
    fn the_printed_defaults_are_the_real_ones() {
        let settings = Settings::default();
        let value = |name: &str| DEFAULTS.iter().find(|row| row.0 == name).map(|row| row.1).unwrap();
        assert_eq!(value("sample_size"), settings.sample_size.to_string());
        assert_eq!(parse_duration(value("measurement_time")), Ok(settings.measurement_time));
        assert_eq!(parse_duration(value("warm_up_time")), Ok(settings.warm_up_time));
        assert_eq!(value("nresamples"), settings.nresamples.to_string());
        assert_eq!(value("significance_level"), settings.significance_level.to_string());
        assert_eq!(value("confidence_level"), settings.confidence_level.to_string());
        assert_eq!(value("least_success_ratio"), settings.least_success_ratio.to_string());
        let both = |name: &str, of: fn(Margins) -> f64| {
            let row = DEFAULTS.iter().find(|row| row.0 == name).unwrap();
            assert_eq!(row.1, format!("{:.2}", of(Margins::STORED)));
            assert!(row.2.ends_with(&format!("({:.2} in a duet)", of(Margins::DUET))), "{row:?}");
        };
        both("noise_threshold", |margins| margins.noise_threshold);
        both("equivalence", |margins| margins.equivalence);
        assert_eq!(value("--quick"), format!("{}, {}s", QUICK.sample_size, QUICK.measurement_time.as_secs()));
    }

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
        assert!(problem(|s| s.significance_level = f64::NAN).starts_with("confidence_level"));
        assert!(problem(|s| s.noise_threshold = Some(-0.1)).starts_with("noise_threshold is -0.1"));
        assert!(problem(|s| s.equivalence = Some(f64::INFINITY)).starts_with("equivalence"));
        assert!(problem(|s| s.nresamples = 10).starts_with("nresamples"));
        assert!(problem(|s| s.exchange_time_out = Duration::ZERO).starts_with("a time-out"));
        assert!(problem(|s| s.least_success_ratio = 1.1).starts_with("least_success_ratio"));
        assert_eq!(Settings::default().problem(), None);
        assert_eq!(QUICK.problem(), None);
    }
}
