//! Random numbers of the shapes that the simulations need, from one seed.

use std::f64::consts::TAU;

use fastrand::Rng;

/// A source of luck.
#[derive(Debug, Clone)]
pub(super) struct Luck {
    rng: Rng,
    spare: Option<f64>,
}

impl Luck {
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), spare: None }
    }

    /// Evenly distributed from 0 up to, but not including, 1.
    pub fn even(&mut self) -> f64 {
        self.rng.f64()
    }

    /// One of so many.
    pub fn below(&mut self, count: usize) -> usize {
        self.rng.usize(..count)
    }

    /// Whether something happens that has this chance.
    pub fn happens(&mut self, chance: f64) -> bool {
        self.even() < chance
    }

    /// Normally distributed around 0; two at a time by Box & Muller (1958).
    pub fn normal(&mut self, sd: f64) -> f64 {
        if sd == 0.0 {
            return 0.0;
        }
        if let Some(spare) = self.spare.take() {
            return sd * spare;
        }
        let radius = (-2.0 * (1.0 - self.even()).ln()).sqrt();
        let (sin, cos) = (TAU * self.even()).sin_cos();
        self.spare = Some(radius * sin);
        sd * radius * cos
    }

    /// How often something happens that is expected `mean` times: Poisson's distribution, by the product of even numbers for few
    /// (Knuth), by the normal one for many.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        const MANY: f64 = 50.0;
        if mean > MANY {
            return (mean + self.normal(mean.sqrt())).round().max(0.0) as u64;
        }
        let (end, mut product, mut count) = ((-mean).exp(), self.even(), 0);
        while product > end {
            product *= self.even();
            count += 1;
        }
        count
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.rng.shuffle(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::describe::{mean, sample_variance};

    #[test]
    fn numbers_have_the_moments_of_their_distributions() {
        let mut luck = Luck::new(1);
        let normal: Vec<f64> = (0..20_000).map(|_| luck.normal(2.0)).collect();
        assert!(mean(&normal).unwrap().abs() < 0.05);
        assert!((sample_variance(&normal).unwrap() - 4.0).abs() < 0.15);
        for expected in [0.0, 3.0, 200.0] {
            let counts: Vec<f64> = (0..20_000).map(|_| luck.poisson(expected) as f64).collect();
            assert!((mean(&counts).unwrap() - expected).abs() <= 0.02 * expected);
            assert!((sample_variance(&counts).unwrap() - expected).abs() <= 0.06 * expected);
        }
    }
}
