//! A change on a log scale with its uncertainty: its p values, its interval, and the verdict that follows from both.
//! Whether it comes from a duet or from stored runs makes no difference here.

use crate::judge::verdict::{Advice, Change, Method, Reason, TooFew, Verdict};
use crate::plan::{Against, Confirmation, Settings};
use crate::record::{Better, Metric};
use crate::stats::decision::{POWER, bonferroni, detectable_log_change, holm, p_above};
use crate::stats::interval::t_limits;

/// One-sided level, not corrected, of "slower at all" at which a duet measures a comparison again.
pub(super) const SCREENING_LEVEL: f64 = 0.05;
/// The p value of "not slower at all" below which a comparison with stored runs is a candidate, if it is the only one. It falls with the square root of the number of comparisons,
/// because those of one call resemble each other.
const CUT: f64 = 0.25;
/// An interval lies within both ends with probability [`POWER`] if it misses each of them in one of ten cases.
const EACH_END: f64 = 1.0 - 0.5 * (1.0 - POWER);

/// The cut by which stored runs screen that many comparisons.
pub(super) fn cut(comparisons: usize) -> f64 {
    CUT / (comparisons.max(1) as f64).sqrt()
}

/// What all cells of a call share while they are decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// The number of tests that are corrected together.
    pub tests: usize,
    /// How the candidates of a screening are confirmed, if they are.
    pub confirmation: Option<&'a Confirmation>,
    /// Whether stored runs only screen. Then `tests` counts what they screen.
    pub is_ranked: bool,
    /// Whether to leave out what no verdict depends on.
    pub verdicts_only: bool,
}

impl Context<'_> {
    /// The one-sided level that one of its tests has to reach: the displayed interval has to show the change, too.
    pub fn level_per_test(&self, settings: &Settings) -> f64 {
        let corrected = settings.significance_level / self.tests.max(1) as f64;
        corrected.min(0.5 * (1.0 - settings.confidence_level))
    }
}

/// One-sided p values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PValues {
    /// Of "no worse than the margin".
    pub worse: f64,
    /// Of "no better than the margin".
    pub better: f64,
}

impl PValues {
    /// Nothing is shown.
    pub const NONE: Self = Self { worse: 1.0, better: 1.0 };

    /// Bonferroni's correction for this number of tests.
    pub fn bonferroni(self, tests: usize) -> Self {
        Self { worse: bonferroni(self.worse, tests), better: bonferroni(self.better, tests) }
    }

    /// The one on the side of the estimate.
    pub fn of(self, estimate: f64) -> f64 {
        if estimate >= 0.0 { self.worse } else { self.better }
    }
}

/// A test before the correction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Test {
    pub metric: &'static Metric,
    pub p: PValues,
    /// p value of "not worse at all", by which candidates are found.
    pub p_worse_at_all: f64,
    /// The standard error of the estimate and its degrees of freedom; `None` for counts.
    pub error: Option<(f64, f64)>,
    /// How much worse it looks, on the scale of the margin.
    pub estimate: f64,
    pub margin: f64,
}

/// Holm's correction over all tests, for each direction separately.
pub(super) fn adjusted(tests: &[Test]) -> Vec<PValues> {
    let worse = holm(&tests.iter().map(|test| test.p.worse).collect::<Vec<_>>());
    let better = holm(&tests.iter().map(|test| test.p.better).collect::<Vec<_>>());
    worse.into_iter().zip(better).map(|(worse, better)| PValues { worse, better }).collect()
}

/// Head against base, on a log scale; positive is worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Effect {
    pub estimate: f64,
    pub standard_error: f64,
    /// Degrees of freedom of the standard error.
    pub df: f64,
    /// Lower end of the displayed interval.
    pub low: f64,
    /// Upper end of the displayed interval.
    pub high: f64,
    pub method: Method,
    pub against: Against,
    /// In a duet the variance between single pairs, each of a launch of its own.
    pub pair_variance: Option<f64>,
    /// What is in the way of a decision, if it is not the number of launches in a duet.
    pub advice: Option<Advice>,
    /// Whether it is robust enough to be judged.
    pub is_sound: bool,
    /// Why stored runs may not show a change alone, if they may not.
    pub too_few: Option<TooFew>,
}

impl Effect {
    /// An effect with the plain t interval, of stored runs.
    pub fn new(estimate: f64, standard_error: f64, df: f64, method: Method, confidence: f64) -> Self {
        let (low, high) = t_limits(estimate, standard_error, df, confidence);
        Self {
            estimate,
            standard_error,
            df,
            low,
            high,
            method,
            against: Against::StoredRuns,
            pair_variance: None,
            advice: None,
            is_sound: true,
            too_few: None,
        }
    }

    /// p value of "no worse than the margin".
    pub fn p_worse(&self, margin: f64) -> f64 {
        p_above(self.estimate, margin, self.standard_error, self.df)
    }

    /// Changes below this fraction are ignored.
    fn noise_threshold(&self, settings: &Settings) -> f64 {
        settings.noise_threshold(self.against)
    }

    fn equivalence_margin(&self, settings: &Settings) -> f64 {
        settings.equivalence_margin(self.against)
    }

    /// p values of both directions beyond the noise threshold.
    pub fn p_values(&self, settings: &Settings) -> PValues {
        let margin = self.noise_threshold(settings).ln_1p();
        let better = p_above(-self.estimate, margin, self.standard_error, self.df);
        PValues { worse: self.p_worse(margin), better }
    }

    /// The smallest worsening that is found with probability [`POWER`], as a logarithm: as one of the tests, or in a duet
    /// screened and then confirmed. Of a candidate of stored runs it is what they find: fresh pairs find less. Infinite if the stored
    /// runs may not show any.
    pub fn detectable(&self, settings: &Settings, context: &Context) -> f64 {
        if context.is_ranked && self.against == Against::StoredRuns {
            let found = self.detectable_at(cut(context.tests), 0.0);
            return found.max(settings.noise_threshold(Against::FirstTree).ln_1p());
        }
        if self.too_few.is_some() {
            return f64::INFINITY;
        }
        let margin = self.noise_threshold(settings);
        let Some(confirmation) = context.confirmation.filter(|_| self.against != Against::StoredRuns) else {
            return self.detectable_at(context.level_per_test(settings), margin);
        };
        let level = settings.significance_level / confirmation.analyses() as f64;
        let last = self.with_pairs(confirmation.max_pairs());
        self.detectable_at(SCREENING_LEVEL, 0.0).max(last.detectable_at(level, margin))
    }

    fn detectable_at(&self, level: f64, margin: f64) -> f64 {
        detectable_log_change(self.standard_error, self.df, level, margin, POWER)
    }

    /// The same duet with this number of launches of one pair each.
    fn with_pairs(&self, pairs: usize) -> Self {
        let count = pairs.max(2) as f64;
        let standard_error = (self.pair_variance.unwrap_or(0.0) / count).sqrt();
        Self { standard_error: standard_error.max(RESOLUTION), df: count - 1.0, ..*self }
    }

    /// Whether it is decided in one stage with probability [`POWER`], either way, if the estimate is the truth.
    fn decides(&self, settings: &Settings, context: &Context) -> bool {
        let distance = self.estimate.abs();
        let room = self.equivalence_margin(settings).ln_1p() - distance;
        let one_end = 0.5 * (1.0 - settings.confidence_level);
        let is_equal = detectable_log_change(self.standard_error, self.df, one_end, 0.0, EACH_END) <= room;
        is_equal || self.detectable(settings, &Context { confirmation: None, ..*context }) <= distance
    }

    /// What would decide it, if the estimate and the spread stay as they are.
    pub fn advice(&self, settings: &Settings, context: &Context) -> Advice {
        const MOST_LAUNCHES: usize = 1_000;
        self.advice.unwrap_or_else(|| {
            let (Method::Pairs { pairs, .. } | Method::Resolution { pairs, .. }) = self.method else {
                return Advice::Duet;
            };
            let numbers: Vec<usize> = (pairs + 1..=MOST_LAUNCHES).collect();
            let first = numbers.partition_point(|&pairs| !self.with_pairs(pairs).decides(settings, context));
            numbers.get(first).map_or(Advice::QuieterMachine, |&launches| Advice::MoreLaunches {
                launches,
                measurement_time: settings.window() * u32::try_from(launches).unwrap_or(u32::MAX),
            })
        })
    }

    /// The verdict: a change needs the corrected p value *and* the displayed interval. And why it is inconclusive, if it is.
    pub fn decide(&self, p: PValues, settings: &Settings, may_improve: bool) -> (Verdict, Option<Reason>) {
        let margin = self.noise_threshold(settings).ln_1p();
        let equal = self.equivalence_margin(settings).ln_1p();
        let is_worse = self.low > margin && p.worse < settings.significance_level;
        let is_better = self.high < -margin && p.better < settings.significance_level;
        match self.too_few {
            Some(too_few) if is_worse || is_better => (Verdict::Inconclusive, Some(Reason::TooFew(too_few))),
            _ if is_worse => (Verdict::Regressed, None),
            _ if is_better && may_improve => (Verdict::Improved, None),
            _ if is_better => (Verdict::Inconclusive, Some(Reason::SuccessRatioFell)),
            _ if -equal < self.low && self.high < equal => (Verdict::Unchanged, None),
            _ => (Verdict::Inconclusive, Some(self.doubt(margin))),
        }
    }

    fn doubt(&self, margin: f64) -> Reason {
        if self.low > margin || self.high < -margin {
            Reason::NotSignificant
        } else if self.low > 0.0 || self.high < 0.0 {
            Reason::NearThreshold
        } else {
            Reason::NotShown
        }
    }

    /// The change as a fraction of base in the metric's own direction.
    pub fn change(&self, better: Better) -> Change {
        let Self { low, estimate, high, .. } = *self;
        match better {
            Better::Lower => Change { low: low.exp_m1(), estimate: estimate.exp_m1(), high: high.exp_m1() },
            Better::Higher => {
                Change { low: (-high).exp_m1(), estimate: (-estimate).exp_m1(), high: (-low).exp_m1() }
            }
        }
    }
}

/// Histograms are right to 0.1%: launches that agree are known no better.
pub(super) const RESOLUTION: f64 = 0.001;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::METRICS;

    const CONTEXT: Context = Context { tests: 1, confirmation: None, is_ranked: false, verdicts_only: false };
    const SURE: PValues = PValues { worse: 1e-6, better: 1e-6 };

    fn effect(low: f64, high: f64) -> Effect {
        let method = Method::Head { runs: 1, launches: 10, df: 9.0 };
        let plain = Effect::new(0.5 * (low + high), 0.02, 9.0, method, 0.95);
        Effect { low, high, ..plain }
    }

    fn verdict(low: f64, high: f64, p: PValues) -> Verdict {
        effect(low, high).decide(p, &Settings::default(), true).0
    }

    #[test]
    fn regressed_needs_both_the_p_value_and_the_interval() {
        assert_eq!(verdict(0.06, 0.2, SURE), Verdict::Regressed);
        assert_eq!(verdict(0.06, 0.2, PValues { worse: 0.01, better: 1.0 }), Verdict::Inconclusive);
        assert_eq!(verdict(0.04, 0.2, SURE), Verdict::Inconclusive);
        assert_eq!(verdict(1.05_f64.ln() + 1e-9, 0.2, SURE), Verdict::Regressed, "ln 1.05, not 0.05");
        assert_eq!(verdict(1.05_f64.ln() - 1e-9, 0.2, SURE), Verdict::Inconclusive);
    }

    #[test]
    fn improved_is_the_mirror_of_regressed_unless_more_requests_failed() {
        assert_eq!(verdict(-0.2, -0.06, SURE), Verdict::Improved);
        assert_eq!(verdict(-0.2, -0.06, PValues { worse: 1.0, better: 0.02 }), Verdict::Inconclusive);
        let withheld = effect(-0.2, -0.06).decide(SURE, &Settings::default(), false);
        assert_eq!(withheld, (Verdict::Inconclusive, Some(Reason::SuccessRatioFell)));
    }

    #[test]
    fn unchanged_needs_the_whole_interval_within_the_equivalence_margin() {
        assert_eq!(verdict(-0.09, 0.09, PValues::NONE), Verdict::Unchanged);
        assert_eq!(verdict(-0.09, 0.10, PValues::NONE), Verdict::Inconclusive);
        assert_eq!(verdict(f64::NEG_INFINITY, f64::INFINITY, PValues::NONE), Verdict::Inconclusive);
        assert_eq!(verdict(0.06, 0.09, PValues::NONE), Verdict::Unchanged, "shown to be within the margin");
    }

    #[test]
    fn few_sittings_show_no_change_and_may_show_that_there_is_none() {
        let few = |low, high| {
            Effect { too_few: Some(TooFew::Sittings(2)), ..effect(low, high) }.decide(
                SURE,
                &Settings::default(),
                true,
            )
        };
        let too_few = Some(Reason::TooFew(TooFew::Sittings(2)));
        assert_eq!(few(0.06, 0.2), (Verdict::Inconclusive, too_few.clone()));
        assert_eq!(few(-0.2, -0.06), (Verdict::Inconclusive, too_few));
        assert_eq!(few(-0.04, 0.04), (Verdict::Unchanged, None));
    }

    #[test]
    fn a_reason_agrees_with_the_interval() {
        let reason = |low, high| effect(low, high).decide(PValues::NONE, &Settings::default(), true).1;
        assert_eq!(reason(0.06, 0.2), Some(Reason::NotSignificant));
        assert_eq!(reason(0.01, 0.2), Some(Reason::NearThreshold));
        assert_eq!(reason(-0.01, 0.2), Some(Reason::NotShown));
    }

    #[test]
    fn each_direction_is_corrected_over_all_tests() {
        let test = |worse, better| Test {
            metric: &METRICS[1],
            p: PValues { worse, better },
            p_worse_at_all: 1.0,
            error: None,
            estimate: 0.0,
            margin: 0.0,
        };
        let tests = [test(0.001, 1.0), test(0.9, 0.002), test(1.0, 1.0)];
        let adjusted = adjusted(&tests);
        assert!((adjusted[0].worse - 0.003).abs() < 1e-15 && (adjusted[1].better - 0.006).abs() < 1e-15);
        assert_eq!(tests[0].p.bonferroni(3).worse, 0.003);
        assert_eq!(tests[1].p.bonferroni(3).worse, 1.0);
    }

    #[test]
    fn a_level_that_the_displayed_interval_does_not_reach_detects_nothing_more() {
        let detectable = |level: f64, tests: usize| {
            let settings = Settings { significance_level: level, ..Settings::default() };
            effect(0.0, 0.1).detectable(&settings, &Context { tests, ..CONTEXT })
        };
        assert!((detectable(0.2, 1) - detectable(0.025, 1)).abs() < 1e-12);
        assert!(detectable(0.025, 10) > detectable(0.025, 1));
    }
}
