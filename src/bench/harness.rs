//! What a bench file's functions are handed: the plan while it grows.

use std::time::Duration;

use crate::bench::group::BenchmarkGroup;
use crate::plan::{Group, Location, Plan, PlanError, Settings};

/// Collects the groups of a bench file.
///
/// Its setters are the defaults of all groups that follow; criterion's names wherever the thing is the same.
///
/// ```
/// use plimsoll::{Harness, bench_group};
/// use std::time::Duration;
///
/// fn search(harness: &mut Harness) {
///     harness.benchmark_group("search").finish();
/// }
///
/// bench_group! {
///     name = benches;
///     config = Harness::default()
///         .sample_size(50)                          // rounds of a cell
///         .measurement_time(Duration::from_secs(20)) // of all rounds of a cell together
///         .warm_up_time(Duration::from_millis(500))  // of a launch
///         .launches(10)
///         .confidence_level(0.99)                   // of the displayed intervals
///         .significance_level(0.001)                // for a whole call
///         .noise_threshold(0.02)                    // 2 % are too little to be red
///         .nresamples(10_000);
///     targets = search
/// }
/// # benches(&mut Harness::default());
/// ```
#[derive(Debug, Default)]
pub struct Harness {
    settings: Settings,
    groups: Vec<Group>,
    errors: Vec<PlanError>,
}

impl Harness {
    /// Opens a group. Two groups of one name are one group in files, so their cells must differ.
    #[track_caller]
    pub fn benchmark_group(&mut self, name: impl Into<String>) -> BenchmarkGroup<'_> {
        let mut group = Group::new(name, Location::caller());
        group.settings = self.settings.clone();
        BenchmarkGroup::new(self, group)
    }

    /// Rounds of a cell; at least 10.
    #[must_use]
    pub fn sample_size(mut self, rounds: usize) -> Self {
        self.settings.sample_size = rounds;
        self
    }

    /// The time of a cell's rounds together.
    #[must_use]
    pub fn measurement_time(mut self, time: Duration) -> Self {
        self.settings.measurement_time = time;
        self
    }

    /// The warm-up of each launch, shared by its cells.
    #[must_use]
    pub fn warm_up_time(mut self, time: Duration) -> Self {
        self.settings.warm_up_time = time;
        self
    }

    /// Launches of a service in one run, instead of as many as can be paid.
    #[must_use]
    pub fn launches(mut self, launches: usize) -> Self {
        self.settings.launches = Some(launches);
        self
    }

    /// Confidence of the displayed intervals, from 0 to 1.
    #[must_use]
    pub fn confidence_level(mut self, level: f64) -> Self {
        self.settings.confidence_level = level;
        self
    }

    /// One-sided error for a whole call, from 0 to 1.
    #[must_use]
    pub fn significance_level(mut self, level: f64) -> Self {
        self.settings.significance_level = level;
        self
    }

    /// What is too little to be red, as a fraction.
    #[must_use]
    pub fn noise_threshold(mut self, threshold: f64) -> Self {
        self.settings.noise_threshold = Some(threshold);
        self
    }

    /// Resamples of a bootstrap; at least 1,000.
    #[must_use]
    pub fn nresamples(mut self, resamples: usize) -> Self {
        self.settings.nresamples = resamples;
        self
    }

    /// Runs `define` with the settings of another harness as defaults: what `config = …` in `bench_group!` does.
    #[doc(hidden)]
    pub fn with_settings_of(&mut self, config: &Self, define: impl FnOnce(&mut Self)) {
        let ours = std::mem::replace(&mut self.settings, config.settings.clone());
        define(self);
        self.settings = ours;
    }

    pub(crate) fn add_group(&mut self, group: Group) {
        self.groups.push(group);
    }

    pub(crate) fn add_error(&mut self, error: PlanError) {
        self.errors.push(error);
    }

    /// The plan of all groups that were defined.
    pub(crate) fn into_plan(self, bench: &str) -> Plan {
        const ONE_RUN: usize = 1;
        const SEED: u64 = 1;
        Plan {
            bench: bench.to_owned(),
            groups: self.groups,
            errors: self.errors,
            runs: ONE_RUN,
            seed: SEED,
            ..Plan::default()
        }
    }
}
