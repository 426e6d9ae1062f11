//! What the line charts draw: estimates of base and head, with their intervals, at each concurrency.

use plotters::style::RGBColor;

use super::palette;

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

    /// Its colour in all charts.
    pub(crate) fn color(self) -> RGBColor {
        match self {
            Self::Base => palette::BASE,
            Self::Head => palette::HEAD,
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
/// The same at the lower end, as a share of the smallest.
const SMALLEST_UNDERSHOOT: f64 = 0.25;

fn estimates(curves: &[Curve]) -> impl Iterator<Item = &Estimate> {
    let all = curves.iter().flat_map(|curve| &curve.estimates);
    all.filter(|estimate| estimate.value.is_finite())
}

/// A value and the ends of its interval.
type Spread = (f64, Option<(f64, f64)>);

/// The curves' values, with what is known of their spread.
pub(crate) fn spreads(curves: &[Curve]) -> impl Iterator<Item = Spread> {
    estimates(curves).map(|estimate| (estimate.value, estimate.interval))
}

/// The smallest and the largest value that an axis should reach; none without a value.
pub(crate) fn extent(spreads: impl Iterator<Item = Spread>) -> Option<(f64, f64)> {
    let spreads: Vec<Spread> = spreads.filter(|(value, _)| value.is_finite()).collect();
    let values = || spreads.iter().map(|(value, _)| *value);
    let (smallest, largest) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
    let ends = || spreads.iter().filter_map(|(_, interval)| *interval);
    let finite = |end: &f64| end.is_finite();
    let lower = ends().map(|(lower, _)| lower).filter(finite).fold(smallest, f64::min);
    let upper = ends().map(|(_, upper)| upper).filter(finite).fold(largest, f64::max);
    let low = lower.max(smallest * SMALLEST_UNDERSHOOT).min(smallest);
    Some((low, upper.min(largest * LARGEST_OVERSHOOT).max(largest)))
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
        let of = |curve: &Curve| extent(spreads(std::slice::from_ref(curve)));
        assert_eq!(of(&near), Some((5.0, 12.0)));
        let far = curve(&[(10.0, Some((-3.0, 1e9)))]);
        assert_eq!(of(&far), Some((2.5, 20.0)));
        assert_eq!(of(&curve(&[])), None);
        assert_eq!(of(&curve(&[(0.0, None), (f64::NAN, None)])), Some((0.0, 0.0)));
        assert_eq!(of(&curve(&[(2.0, Some((f64::NEG_INFINITY, f64::INFINITY)))])), Some((2.0, 2.0)));
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let odd = curve(&[(f64::NAN, None), (4.0, Some((f64::NEG_INFINITY, 5.0)))]);
        assert_eq!(scaled(&[odd], 2.0), [curve(&[(2.0, None)])]);
    }
}
