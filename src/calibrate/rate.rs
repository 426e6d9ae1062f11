//! A share that was counted, with how well it is known.

use serde::Serialize;

use crate::stats::distribution::beta_quantile;

/// Confidence of the intervals that are printed.
const CONFIDENCE: f64 = 0.95;

/// How often something happened among so many trials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// How often it happened.
    pub hits: u64,
    /// How often it could have happened.
    pub trials: u64,
}

impl Rate {
    /// Counts one trial.
    pub fn count(&mut self, hit: bool) {
        self.trials += 1;
        self.hits += u64::from(hit);
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.trials += other.trials;
    }

    /// The share; nothing without a trial.
    pub fn share(self) -> Option<f64> {
        (self.trials > 0).then(|| self.hits as f64 / self.trials as f64)
    }

    /// Clopper-Pearson's exact limit from below, missed with probability `tail`.
    pub fn lower_limit(self, tail: f64) -> f64 {
        if self.hits == 0 {
            return 0.0;
        }
        beta_quantile(tail, self.hits as f64, (self.trials - self.hits) as f64 + 1.0)
    }

    /// The limit from above, missed with probability `tail`.
    pub fn upper_limit(self, tail: f64) -> f64 {
        1.0 - Self { hits: self.trials - self.hits, ..self }.lower_limit(tail)
    }

    /// The two-sided interval at 95 %.
    pub fn interval(self) -> (f64, f64) {
        let tail = 0.5 * (1.0 - CONFIDENCE);
        (self.lower_limit(tail), self.upper_limit(tail))
    }
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told {
            hits: u64,
            trials: u64,
            share: Option<f64>,
            low: f64,
            high: f64,
        }
        let (low, high) = self.interval();
        Told { hits: self.hits, trials: self.trials, share: self.share(), low, high }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_the_exact_ones_of_the_tables() {
        // Clopper & Pearson 1934: 0 of 10 and 3 of 10 at 95 %.
        let (low, high) = Rate { hits: 0, trials: 10 }.interval();
        assert!(low == 0.0 && (high - 0.308_5).abs() < 1e-4, "{high}");
        let (low, high) = Rate { hits: 3, trials: 10 }.interval();
        assert!((low - 0.066_7).abs() < 1e-4 && (high - 0.652_5).abs() < 1e-4, "{low} {high}");
        assert_eq!(Rate { hits: 5, trials: 5 }.interval().1, 1.0);
    }
}
