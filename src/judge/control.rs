//! Does the machine behave as it did when a stored run was measured? The control answers: a stored run matches if each of its figures
//! lies within [`TOLERANCE`] of today's. Only matching runs are compared with. The control never corrects a figure.

use crate::judge::verdict::{ControlCheck, Figure, Reason};
use crate::record::{Control, Run};
use crate::stats::describe::trimmed_mean;

/// Figures that differ by less are those of a machine in the same state, as a fraction.
const TOLERANCE: f64 = 0.05;
/// The share of launches that is trimmed at each end: other work on the machine hits some of them.
const TRIM: f64 = 0.25;
/// Standard errors that a figure may be off.
const ERRORS: f64 = 2.0;

/// The control of the runs of head.
#[derive(Debug)]
pub(super) struct Today<'a> {
    identity: Option<&'a str>,
    figures: Vec<Figure>,
}

impl<'a> Today<'a> {
    pub fn of(runs: &'a [Run]) -> Self {
        let controls: Vec<&Control> = runs.iter().filter_map(|run| run.control.as_ref()).collect();
        let all = controls.len() == runs.len();
        let identity = controls.first().filter(|_| all).map(|control| control.identity.as_str());
        let is_one = controls.iter().all(|control| Some(control.identity.as_str()) == identity);
        let names = controls.first().into_iter().flat_map(|control| control.figures.keys());
        let figure = |name: &String| {
            let launches = controls.iter().filter_map(|control| control.figures.get(name)).flatten();
            let (log, error) = center(launches)?;
            Some(Figure { name: name.clone(), log, uncertainty: (ERRORS * error).exp_m1(), stored: None })
        };
        // All or none: one figure alone says too little.
        let figures: Option<Vec<Figure>> = names.map(figure).collect();
        Self { identity: identity.filter(|_| is_one), figures: figures.unwrap_or_default() }
    }

    /// Why a stored run cannot be compared with; `None` if it matches.
    pub fn mismatch(&self, stored: &Run) -> Option<Reason> {
        let Some(identity) = self.identity.filter(|_| !self.figures.is_empty()) else {
            return Some(Reason::NoControl);
        };
        let is_certain = |figure: &Figure| figure.uncertainty <= TOLERANCE;
        if !self.figures.iter().all(is_certain) {
            return Some(Reason::NoisyControl);
        }
        let Some(control) = &stored.control else { return Some(Reason::StoredWithoutControl) };
        if control.identity != identity {
            return Some(Reason::OtherControl { from: control.identity.clone(), to: identity.to_owned() });
        }
        let is_near = |figure: &Figure| {
            let stored = control.figures.get(&figure.name).and_then(center);
            stored.is_some_and(|(log, _)| (log - figure.log).abs() <= TOLERANCE.ln_1p())
        };
        (!self.figures.iter().all(is_near)).then_some(Reason::ControlDiffers)
    }

    /// What to tell of it, for a call that has these stored runs on its test bed.
    pub fn check(&self, stored: &[&Run]) -> Option<ControlCheck> {
        if self.figures.is_empty() || stored.is_empty() {
            return None;
        }
        let mut figures = self.figures.clone();
        for figure in &mut figures {
            let controls = stored.iter().filter_map(|run| run.control.as_ref());
            let logs = controls.filter_map(|control| Some(center(control.figures.get(&figure.name)?)?.0));
            figure.stored = logs.fold(None, |range: Option<(f64, f64)>, log| {
                let (low, high) = range.unwrap_or((log, log));
                Some((low.min(log), high.max(log)))
            });
        }
        let matching = stored.iter().filter(|run| self.mismatch(run).is_none()).count();
        let mismatch = stored.iter().rev().find_map(|run| self.mismatch(run));
        Some(ControlCheck { figures, stored: stored.len(), matching, mismatch })
    }
}

/// The center of the logarithms of a figure's launches, and its standard error. `None` with too few launches, or if one is not above 0.
fn center<'a>(launches: impl IntoIterator<Item = &'a f64>) -> Option<(f64, f64)> {
    let logs: Vec<f64> = launches.into_iter().map(|figure| figure.ln()).collect();
    let center = trimmed_mean(&logs, TRIM).filter(|_| logs.iter().all(|log| log.is_finite()))?;
    Some((center.mean, center.standard_error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::run_at;

    fn runs(factor: f64, spread: f64) -> Vec<Run> {
        let mut run = run_at(1, Vec::new());
        let launches =
            |at: f64| (0..10).map(|n| at * factor * (spread * (f64::from(n) - 4.5)).exp()).collect();
        let figures = [("multiply".to_owned(), launches(5_000.0)), ("hash".to_owned(), launches(6_000.0))];
        run.control = Some(Control { identity: "control 1".into(), figures: figures.into() });
        vec![run]
    }

    fn mismatch(today: &[Run], stored: &[Run]) -> Option<Reason> {
        Today::of(today).mismatch(&stored[0])
    }

    #[test]
    fn a_stored_run_matches_within_five_percent_either_way() {
        let today = runs(1.0, 0.001);
        for factor in [0.96, 1.0, 1.049] {
            assert_eq!(mismatch(&today, &runs(factor, 0.001)), None, "{factor}");
        }
        for factor in [0.94, 1.06, 1.5, 2.0] {
            assert_eq!(mismatch(&today, &runs(factor, 0.001)), Some(Reason::ControlDiffers), "{factor}");
        }
        let mut one = runs(1.0, 0.001);
        one[0].control.as_mut().unwrap().figures.get_mut("hash").unwrap().iter_mut().for_each(|x| *x *= 1.2);
        assert_eq!(mismatch(&today, &one), Some(Reason::ControlDiffers), "one figure is enough");
    }

    #[test]
    fn a_control_that_differs_between_launches_says_nothing() {
        assert_eq!(mismatch(&runs(1.0, 0.03), &runs(1.0, 0.001)), Some(Reason::NoisyControl));
        assert_eq!(mismatch(&runs(1.0, 0.001), &runs(1.0, 0.03)), None, "only today's must be certain");
    }

    #[test]
    fn figures_of_another_control_mean_something_else() {
        let today = runs(1.0, 0.001);
        let mut other = runs(1.0, 0.001);
        other[0].control.as_mut().unwrap().identity = "control 2".into();
        assert!(matches!(mismatch(&today, &other), Some(Reason::OtherControl { .. })));
        other[0].control = None;
        assert_eq!(mismatch(&today, &other), Some(Reason::StoredWithoutControl));
        assert_eq!(mismatch(&other, &today), Some(Reason::NoControl));
        let both = [today[0].clone(), other[0].clone()];
        assert_eq!(mismatch(&both, &today), Some(Reason::NoControl), "each run of head needs one");
    }

    #[test]
    fn figures_that_are_zero_or_missing_match_nothing() {
        let today = runs(1.0, 0.001);
        let mut zero = runs(0.0, 0.001);
        assert_eq!(mismatch(&today, &zero), Some(Reason::ControlDiffers));
        assert_eq!(mismatch(&zero, &today), Some(Reason::NoControl));
        let mut one = today.clone();
        one[0].control.as_mut().unwrap().figures.insert("hash".into(), vec![0.0; 10]);
        assert_eq!(mismatch(&one, &today), Some(Reason::NoControl), "one figure is not enough");
        zero[0].control.as_mut().unwrap().figures.clear();
        assert_eq!(mismatch(&today, &zero), Some(Reason::ControlDiffers));
    }
}
