//! Did the share of failures rise? A test and an interval over launches.
//!
//! Requests of one launch share its luck, so they count for fewer than they are: for `requests / dispersion`, the
//! dispersion being how much more the launches' shares differ than independent requests would let them. Each side's
//! share gets an exact binomial (Clopper-Pearson) limit of that effective count, after Korn & Graubard (1998), and
//! both limits are joined into one of the difference by the MOVER rule (Zou & Donner 2008). So few failures are
//! judged exactly, many by Student's t on launches, and a count of zero needs no case of its own.

use super::normal;
use super::root;
use super::special::beta_quantile;
use super::student;

/// Correlation between requests of one launch that is assumed where the data cannot show it: a launch's share then
/// has a standard deviation of sqrt(share (1 - share) / 1000), which is 1.5 points at a share of one third.
pub const ALLOWED_CORRELATION: f64 = 0.001;

/// Degrees of freedom that the allowance is worth. Launches with fewer are filled up to it.
pub const ALLOWANCE_DF: f64 = 4.0;

/// Levels are sought between exp(this) and one half.
const LN_LEAST_P: f64 = -34.0;

/// Where the search begins: near the levels that decide.
const LN_FIRST_GUESS: f64 = -7.0;

/// Step in ln p for the slope of the limit.
const SLOPE_STEP: f64 = 1e-4;

/// Relative tolerance of ln p: nine digits of the p value.
const P_TOLERANCE: f64 = 1e-10;

/// Failures and requests of what is one sample: a launch, or a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Requests that failed.
    pub failures: u64,
    /// All requests; a sample without any says nothing and is passed over.
    pub requests: u64,
}

/// Two sides, reduced to what the test needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rise {
    base: Side,
    head: Side,
    df: f64,
    allowance: bool,
}

/// Interval of the rise of the failure share, as a difference of shares: 0.001 is 0.1 points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiseInterval {
    /// Lower end.
    pub low: f64,
    /// Head's share less base's.
    pub estimate: f64,
    /// Upper end.
    pub high: f64,
}

/// One side: its share, and how many independent requests would know it as well.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Side {
    share: f64,
    effective_requests: f64,
}

/// What the launches of one side show.
struct Observed {
    failures: u64,
    requests: u64,
    launches: usize,
    /// Pearson's dispersion: 1 if the requests are independent.
    dispersion: f64,
    /// Degrees of freedom of `dispersion`.
    df: f64,
}

impl Rise {
    /// Reduces the launches of both sides; `None` if one of them has no request.
    ///
    /// A side's dispersion is measured if it has two launches and two failures; else the other side's correlation
    /// is taken over. Degrees of freedom are Welch's. Where they are fewer than [`ALLOWANCE_DF`], as with a launch a side,
    /// [`ALLOWED_CORRELATION`] fills up what is missing, and [`Rise::rests_on_allowance`] says so. That is an assumption:
    /// with a launch a side and a true correlation of 0.01, 8 of 100 tests at level 0.01 are false alarms.
    pub fn between(base: &[Sample], head: &[Sample]) -> Option<Self> {
        let (base, head) = (observe(base)?, observe(head)?);
        let (base_correlation, head_correlation) = (correlation(&base), correlation(&head));
        let borrowed = |own: Option<f64>, other: Option<f64>| own.or(other).unwrap_or(0.0).max(0.0);
        let base_dispersion = dispersion(&base, borrowed(base_correlation, head_correlation));
        let head_dispersion = dispersion(&head, borrowed(head_correlation, base_correlation));
        let measured_df = welch_df((&base, base_dispersion), (&head, head_dispersion));
        let missing = (ALLOWANCE_DF - measured_df).max(0.0) / ALLOWANCE_DF;
        // Launches that differ by more than is allowed for refute the allowance, and it adds no certainty.
        let trust = |observed: &Observed, measured: f64| {
            (dispersion(observed, ALLOWED_CORRELATION) / measured).min(1.0)
        };
        let belief = trust(&base, base_dispersion).min(trust(&head, head_dispersion));
        let filled = |observed: &Observed, measured: f64| {
            let allowed = dispersion(observed, ALLOWED_CORRELATION).max(measured);
            (1.0 - missing) * measured + missing * allowed
        };
        Some(Self {
            base: Side::new(&base, filled(&base, base_dispersion)),
            head: Side::new(&head, filled(&head, head_dispersion)),
            df: measured_df + (ALLOWANCE_DF - measured_df).max(0.0) * belief,
            allowance: missing > 0.0,
        })
    }

    /// Head's failure share less base's.
    pub fn estimate(&self) -> f64 {
        self.head.share - self.base.share
    }

    /// Standard deviation of [`Rise::estimate`], as both sides' shares and dispersions have it.
    pub fn standard_error(&self) -> f64 {
        let variance = |side: &Side| side.share * (1.0 - side.share) / side.effective_requests;
        (variance(&self.base) + variance(&self.head)).max(0.0).sqrt()
    }

    /// Whether an assumption about launches stands in for launches, or for failures to compare them by, that are missing.
    pub fn rests_on_allowance(&self) -> bool {
        self.allowance
    }

    /// Two-sided interval at `confidence`; the whole range -1 to 1 unless that lies strictly between 0 and 1.
    pub fn interval(&self, confidence: f64) -> RiseInterval {
        let estimate = self.estimate();
        if !(confidence > 0.0 && confidence < 1.0) {
            return RiseInterval { low: -1.0, estimate, high: 1.0 };
        }
        let tail = 0.5 * (1.0 - confidence);
        RiseInterval { low: self.lower_limit(tail), estimate, high: self.upper_limit(tail) }
    }

    /// One-sided p value of "the failure share rose by no more than `margin`": the level at which the lower limit
    /// of the rise reaches `margin`. Exactly 1 if not even the estimate lies above it; never below 1e-15.
    pub fn p_above(&self, margin: f64) -> f64 {
        let above = |ln_p: f64| self.lower_limit(ln_p.exp()) - margin;
        let ln_half = 0.5_f64.ln();
        // The limits are conservative: even at a level of one half the lower one lies below the estimate.
        if self.estimate() <= margin || above(ln_half) <= 0.0 {
            return 1.0;
        }
        let value_and_slope = |ln_p: f64| {
            let value = above(ln_p);
            (value, (value - above(ln_p - SLOPE_STEP)) / SLOPE_STEP)
        };
        root::increasing(LN_LEAST_P, ln_half, LN_FIRST_GUESS, P_TOLERANCE, value_and_slope).exp()
    }

    /// Missed from above with probability `tail`.
    fn lower_limit(&self, tail: f64) -> f64 {
        let penalty = self.penalty(tail);
        let fall = self.head.share - self.head.lower_limit(tail, penalty);
        let rise = self.base.upper_limit(tail, penalty) - self.base.share;
        (self.estimate() - fall.hypot(rise)).max(-1.0)
    }

    /// Missed from below with probability `tail`.
    fn upper_limit(&self, tail: f64) -> f64 {
        let penalty = self.penalty(tail);
        let rise = self.head.upper_limit(tail, penalty) - self.head.share;
        let fall = self.base.share - self.base.lower_limit(tail, penalty);
        (self.estimate() + fall.hypot(rise)).min(1.0)
    }

    /// What a dispersion that is only estimated costs: (z / t)², by which effective counts shrink.
    fn penalty(&self, tail: f64) -> f64 {
        /// Towards a level of one half both quantiles vanish and their ratio becomes that of the densities at 0.
        const MOST: f64 = 0.49;
        let tail = tail.min(MOST);
        (normal::upper_quantile(tail) / student::upper_quantile(tail, self.df)).powi(2)
    }
}

impl Side {
    fn new(observed: &Observed, dispersion: f64) -> Self {
        let requests = observed.requests as f64;
        Self { share: observed.failures as f64 / requests, effective_requests: requests / dispersion }
    }

    /// Clopper-Pearson's lower limit, for `penalty` times the effective requests.
    fn lower_limit(&self, tail: f64, penalty: f64) -> f64 {
        let requests = self.effective_requests * penalty;
        let failures = self.share * requests;
        if failures <= 0.0 {
            return 0.0;
        }
        beta_quantile(tail, failures, requests - failures + 1.0).min(self.share)
    }

    fn upper_limit(&self, tail: f64, penalty: f64) -> f64 {
        let mirrored = Self { share: 1.0 - self.share, effective_requests: self.effective_requests };
        1.0 - mirrored.lower_limit(tail, penalty)
    }
}

fn observe(launches: &[Sample]) -> Option<Observed> {
    let used: Vec<(f64, f64)> = launches
        .iter()
        .filter(|launch| launch.requests > 0)
        .map(|launch| (launch.failures.min(launch.requests) as f64, launch.requests as f64))
        .collect();
    let failures: f64 = used.iter().map(|launch| launch.0).sum();
    let requests: f64 = used.iter().map(|launch| launch.1).sum();
    if used.is_empty() {
        return None;
    }
    let share = failures / requests;
    let rarer = failures.min(requests - failures);
    // n failures have n - 1 degrees of freedom to be spread unevenly: one alone looks the same wherever it falls.
    let df = (used.len() as f64 - 1.0).min(rarer - 1.0).max(0.0);
    let pearson: f64 = used
        .iter()
        .map(|(failures, requests)| {
            (failures - requests * share).powi(2) / (requests * share * (1.0 - share))
        })
        .sum();
    let dispersion = if df > 0.0 { pearson / (used.len() as f64 - 1.0) } else { 1.0 };
    Some(Observed {
        failures: failures as u64,
        requests: requests as u64,
        launches: used.len(),
        dispersion,
        df,
    })
}

/// Between requests of one launch, by dispersion = 1 + (requests of a launch - 1) · correlation; `None` where nothing shows it.
fn correlation(observed: &Observed) -> Option<f64> {
    let others = observed.requests as f64 / observed.launches as f64 - 1.0;
    (observed.df > 0.0 && others > 0.0).then(|| (observed.dispersion - 1.0) / others)
}

fn dispersion(observed: &Observed, correlation: f64) -> f64 {
    let others = observed.requests as f64 / observed.launches as f64 - 1.0;
    1.0 + others.max(0.0) * correlation
}

/// Welch's degrees of freedom of the difference. A side that shows nothing adds none.
fn welch_df(base: (&Observed, f64), head: (&Observed, f64)) -> f64 {
    if base.0.df <= 0.0 || head.0.df <= 0.0 {
        return base.0.df.max(head.0.df);
    }
    let variance = |(observed, dispersion): (&Observed, f64)| {
        let requests = observed.requests as f64;
        let share = observed.failures as f64 / requests;
        share * (1.0 - share) * dispersion / requests
    };
    let (base_variance, head_variance) = (variance(base), variance(head));
    (base_variance + head_variance).powi(2)
        / (base_variance.powi(2) / base.0.df + head_variance.powi(2) / head.0.df)
}

#[cfg(test)]
mod tests;
