//! What a comparison rests on, stored runs or the pairs of a duet, and what can be said of it either way.

use crate::judge::advice;
use crate::judge::decide::{Test, Worsening};
use crate::judge::difference::Difference;
use crate::judge::launch::SOUND_TAIL;
use crate::judge::pairs::Pairs;
use crate::judge::policy::Terms;
use crate::judge::shown::Precision;
use crate::judge::stored::{Around, Samples, StoredDifference};
use crate::plan::Confirmation;
use crate::record::Better;

/// Uncorrected one-sided level of "slower at all" at which a comparison is measured again.
pub(super) const SCREEN: f64 = 0.05;

/// What there is to compare.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Evidence {
    /// Runs of head, and stored ones.
    Stored(Samples),
    /// Pairs of rounds.
    Duet(Pairs),
}

/// A change, and what it was found from.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// Against stored runs.
    Stored(&'a Samples, StoredDifference),
    /// In a duet.
    Duet(&'a Pairs),
}

impl Evidence {
    /// Whether there are too few rounds and launches for what the metric needs.
    pub fn is_unsound(&self) -> bool {
        match self {
            Self::Stored(samples) => samples.is_unsound(),
            Self::Duet(pairs) => pairs.is_unsound(),
        }
    }

    /// Sums of squares of stored runs with their degrees of freedom, around their centre and around their line; none in a duet.
    pub fn between_runs(&self) -> Option<[(f64, f64); 2]> {
        match self {
            Self::Stored(samples) => {
                Some([samples.between_runs(Around::Mean), samples.between_runs(Around::Line)])
            }
            Self::Duet(_) => None,
        }
    }

    /// Head against the anchor of its epoch; nothing in a duet, or where the anchor is all there is.
    pub fn against_anchor(&self, better: Better, learned: Option<f64>) -> Option<StoredDifference> {
        match self {
            Self::Stored(samples) => samples.against_anchor(better, learned),
            Self::Duet(_) => None,
        }
    }

    /// Head against base; nothing when a side has no run. `learned` is a prior variance that other cells have shown.
    pub fn found(&self, better: Better, learned: Option<f64>) -> Option<Found<'_>> {
        match self {
            Self::Stored(samples) => Some(Found::Stored(samples, samples.difference(better, learned)?)),
            Self::Duet(pairs) => Some(Found::Duet(pairs)),
        }
    }
}

impl Found<'_> {
    /// The change.
    pub fn difference(&self) -> Difference {
        match self {
            Self::Stored(_, found) => found.difference,
            Self::Duet(pairs) => pairs.difference(),
        }
    }

    /// Its tests.
    pub fn test(&self, terms: &Terms) -> Test {
        self.difference().test(terms)
    }

    /// The interval that is displayed, and how it was made.
    pub fn interval(&self, precision: Precision) -> (Worsening, String) {
        match self {
            Self::Stored(_, found) => (found.difference.interval(precision.confidence), found.method()),
            Self::Duet(pairs) => pairs.interval(precision),
        }
    }

    /// The smallest worsening that would have been found in four of five cases, as a logarithm: at once, or screened and then
    /// confirmed.
    pub fn findable(&self, terms: &Terms, tests: usize, confirmation: Option<&Confirmation>) -> f64 {
        match (self, confirmation) {
            (Self::Duet(pairs), Some(confirmation)) => {
                let screened = pairs.difference().seen(SCREEN);
                let last = pairs.with_pairs(confirmation.most_pairs());
                screened.max(last.findable(terms, terms.significance_level / confirmation.looks() as f64))
            }
            _ => self.difference().findable(terms, terms.level_of_one(tests)),
        }
    }

    /// What would decide it, were the estimate and the spread to stay as they are.
    pub fn advice(&self, terms: &Terms, tests: usize) -> String {
        match self {
            Self::Stored(samples, _) if samples.is_unsound() => SOUND_TAIL.to_owned(),
            Self::Duet(pairs) if pairs.is_unsound() => SOUND_TAIL.to_owned(),
            Self::Stored(_, found) => advice::advice(found, terms, tests),
            Self::Duet(pairs) => pairs.advice(terms, tests),
        }
    }
}
