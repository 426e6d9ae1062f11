//! Head against the anchor of its epoch: many small steps, each too small to be red, must not creep by.
//!
//! Each run that is added to a baseline pulls its centre along. The run that began the epoch, its anchor, stays. So beside
//! the question whether head is slower than its stored runs there is a second one: whether it is slower than the anchor, by
//! the same margin. Those tests have a share of the call's level for themselves (see `call.rs`). One stored run has no spread:
//! the variance is that of the other runs of the epoch, with the same prior, but around their own line, since a creeping
//! baseline would else hide its creeping behind the spread that it makes.

use crate::judge::decide::Test;
use crate::judge::policy::Terms;
use crate::judge::questions::{Learned, Question};
use crate::judge::reason::in_own_direction;
use crate::judge::stored::StoredDifference;
use crate::judge::verdict::{AnchorCheck, Change};
use crate::record::Metric;
use crate::record::words::{change as signed, setting};

/// One judged metric of head, held against the anchor.
#[derive(Debug)]
pub(super) struct AnchorTest<'a> {
    /// The metric.
    pub metric: &'static Metric,
    anchor: &'a str,
    found: StoredDifference,
    /// Head against all stored runs of the epoch, for the sentence.
    usual: f64,
}

impl<'a> AnchorTest<'a> {
    /// Nothing when it is not judged, or its epoch has one run only.
    pub fn new(question: &Question, anchor: &'a str, learned: &Learned) -> Option<Self> {
        let Question { metric, judged, .. } = *question;
        let evidence = question.answer.as_ref().ok().filter(|_| judged)?;
        let prior = learned.get(metric.id);
        let found = evidence.against_anchor(metric.better, prior.map(|prior| prior.around_line))?;
        let usual = question.found(learned)?.difference().estimate;
        Some(Self { metric, anchor, found, usual })
    }

    /// The test of a worsening; a better head than the anchor's is no question.
    pub fn test(&self, terms: &Terms) -> Test {
        Test { worse: self.found.difference.test(terms).worse, better: 1.0 }
    }

    /// The worsening that is seen, as a logarithm.
    pub fn estimate(&self) -> f64 {
        self.found.difference.estimate
    }

    /// What follows from the corrected p value and the interval.
    pub fn check(&self, p_adjusted: f64, terms: &Terms) -> AnchorCheck {
        let shown = self.found.difference.interval(terms.confidence_level);
        let exceeded = p_adjusted < terms.significance_level && shown.low > terms.noise_threshold.ln_1p();
        let change = in_own_direction(self.metric, shown.low, shown.estimate, shown.high);
        AnchorCheck {
            metric: self.metric,
            anchor: self.anchor.to_owned(),
            change,
            p_adjusted,
            exceeded,
            reason: self.reason(&change, terms),
        }
    }

    fn reason(&self, change: &Change, terms: &Terms) -> String {
        let usual = in_own_direction(self.metric, self.usual, self.usual, self.usual).estimate;
        let against_stored = if self.usual.abs() <= terms.noise_threshold.ln_1p() {
            format!("within {} of the stored runs", setting(terms.noise_threshold))
        } else {
            format!("{} against the stored runs", signed(usual))
        };
        format!(
            "{} is {against_stored}, yet {} against the anchor of its epoch, recorded on {}: small steps have added up; \
             accept it with `plimsoll accept --reason`.",
            self.metric.title,
            signed(change.estimate),
            day_of_run(self.anchor)
        )
    }
}

/// The day on which a run began, `2026-11-24`; its id, when that does not tell.
fn day_of_run(id: &str) -> String {
    match (id.get(..4), id.get(4..6), id.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => format!("`{id}`"),
    }
}
