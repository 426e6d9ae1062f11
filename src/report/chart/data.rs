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
