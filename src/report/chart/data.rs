//! What the line charts draw: estimates of base and head, with their intervals, at each concurrency.

/// Which of the two that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// What it was: solid and grey.
    Base,
    /// What it is: dashed and blue.
    Head,
}

impl Side {
    /// The word for it in labels.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Head => "head",
        }
    }
}

/// The estimate of one cell. The unit is that of the chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) concurrency: u32,
    pub(crate) value: f64,
    /// Lower and upper end of its confidence interval; none with one round.
    pub(crate) interval: Option<(f64, f64)>,
}

/// The estimates of one endpoint (or one percentile) of one side. A cell without an estimate is left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) side: Side,
    pub(crate) estimates: Vec<Estimate>,
}

/// An interval that is far wider than its estimate is large must not flatten all others: the axis ends here,
/// as a multiple of the largest estimate.
const LARGEST_OVERSHOOT: f64 = 2.0;
/// The same at the lower end of a logarithmic axis.
const SMALLEST_UNDERSHOOT: f64 = 0.25;

fn estimates(curves: &[Curve]) -> impl Iterator<Item = &Estimate> {
    let all = curves.iter().flat_map(|curve| &curve.estimates);
    all.filter(|estimate| estimate.value.is_finite())
}

/// The largest value that an axis should reach; none without an estimate.
pub(crate) fn largest_shown(curves: &[Curve]) -> Option<f64> {
    let value = estimates(curves).map(|e| e.value).reduce(f64::max)?;
    let ends = estimates(curves).filter_map(|e| e.interval).map(|(_, upper)| upper);
    let end = ends.filter(|upper| upper.is_finite()).fold(value, f64::max);
    Some(end.min(value * LARGEST_OVERSHOOT).max(value))
}

/// The smallest positive value that a logarithmic axis should reach; none when an estimate is not positive.
pub(crate) fn smallest(curves: &[Curve]) -> Option<f64> {
    let value = estimates(curves).map(|e| e.value).reduce(f64::min)?;
    if value <= 0.0 {
        return None;
    }
    let ends = estimates(curves).filter_map(|e| e.interval).map(|(lower, _)| lower);
    let end = ends.fold(value, f64::min);
    Some(end.max(value * SMALLEST_UNDERSHOOT))
}

/// The curves in a unit of this size, without what is no number.
pub(crate) fn scaled(curves: &[Curve], unit: f64) -> Vec<Curve> {
    let scale = |estimate: &Estimate| Estimate {
        value: estimate.value / unit,
        interval: (estimate.interval)
            .filter(|(lower, upper)| lower.is_finite() && upper.is_finite())
            .map(|(lower, upper)| (lower / unit, upper / unit)),
        ..*estimate
    };
    curves
        .iter()
        .map(|curve| Curve {
            name: curve.name.clone(),
            side: curve.side,
            estimates: estimates(std::slice::from_ref(curve)).map(scale).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(estimates: &[(f64, Option<(f64, f64)>)]) -> Curve {
        let estimates =
            estimates.iter().map(|&(value, interval)| Estimate { concurrency: 1, value, interval });
        Curve { name: "p50".into(), side: Side::Head, estimates: estimates.collect() }
    }

    #[test]
    fn intervals_count_unless_they_would_flatten_the_chart() {
        let near = curve(&[(10.0, Some((9.0, 12.0))), (5.0, None)]);
        assert_eq!(largest_shown(std::slice::from_ref(&near)), Some(12.0));
        assert_eq!(smallest(&[near]), Some(5.0));
        let far = curve(&[(10.0, Some((-3.0, 1e9)))]);
        assert_eq!(largest_shown(std::slice::from_ref(&far)), Some(20.0));
        assert_eq!(smallest(&[far]), Some(2.5));
        assert_eq!(largest_shown(&[curve(&[])]), None);
        assert_eq!(smallest(&[curve(&[(0.0, None)])]), None);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let odd = curve(&[(f64::NAN, None), (4.0, Some((f64::NEG_INFINITY, 5.0)))]);
        assert_eq!(scaled(&[odd], 2.0), [curve(&[(2.0, None)])]);
    }
}
