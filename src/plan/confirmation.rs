//! How a duet measures its suspects again before it calls them slower.

use serde::{Deserialize, Serialize};

/// Looks at the suspects of a screening, each on all fresh pairs so far.
///
/// A screening asks of each comparison whether it looks slower; what does is measured again, on fresh launches of one pair each, and
/// only the fresh pairs decide: fresh data owe nothing to how the suspects were chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confirmation {
    /// Fresh pairs at each look, all looks before it included; rising.
    pub pairs: Vec<usize>,
}

impl Confirmation {
    /// Pairs at each look unless said otherwise.
    pub const USUAL: [usize; 3] = [30, 60, 120];

    /// How many looks there are.
    pub fn looks(&self) -> usize {
        self.pairs.len()
    }

    /// Fresh pairs at the last look.
    pub fn most_pairs(&self) -> usize {
        self.pairs.last().copied().unwrap_or(0)
    }

    /// Pairs that a look adds, counted from 1.
    pub fn pairs_of(&self, look: usize) -> usize {
        let until = |look: usize| look.checked_sub(1).and_then(|at| self.pairs.get(at)).copied().unwrap_or(0);
        until(look).saturating_sub(until(look - 1))
    }

    /// What is wrong with it, if anything is.
    pub fn problem(&self) -> Option<&'static str> {
        let rises = self.pairs.windows(2).all(|pair| pair[0] < pair[1]);
        (self.pairs.is_empty() || self.pairs[0] < 2 || !rises)
            .then_some("--confirm-pairs are at least 2 and rise from look to look, as in 30,60,120")
    }
}

impl Default for Confirmation {
    fn default() -> Self {
        Self { pairs: Self::USUAL.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_look_adds_what_is_missing_to_its_pairs() {
        let usual = Confirmation::default();
        assert_eq!([1, 2, 3].map(|look| usual.pairs_of(look)), [30, 30, 60]);
        assert_eq!((usual.looks(), usual.most_pairs(), usual.pairs_of(4)), (3, 120, 0));
    }

    #[test]
    fn pairs_that_do_not_rise_are_a_problem() {
        assert_eq!(Confirmation::default().problem(), None);
        for pairs in [vec![], vec![1], vec![30, 30], vec![30, 20]] {
            assert!(Confirmation { pairs }.problem().is_some());
        }
    }
}
