//! Absolute limits: right without any baseline.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::duration::seconds;

/// The longest that a percentile of a cell's latency may be.
///
/// A run breaks it when it is *shown* to be longer (exit code 1), not when one round was.
///
/// ```
/// use plimsoll::Limit;
/// use std::time::Duration;
/// # let mut harness = plimsoll::Harness::default();
/// let mut group = harness.benchmark_group("search");
/// group.limit(Limit::p50(Duration::from_millis(5)));
/// group.limit(Limit::p90(Duration::from_millis(10)));
/// group.limit(Limit::p95(Duration::from_millis(20)));
/// group.limit(Limit::p99(Duration::from_millis(50)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The metric that is limited.
    pub(crate) metric: Cow<'static, str>,
    #[serde(rename = "max_s", with = "seconds")]
    pub(crate) most: Duration,
}

impl Limit {
    /// Half of the exchanges are back within `most`.
    pub const fn p50(most: Duration) -> Self {
        Self { metric: Cow::Borrowed("latency_p50"), most }
    }

    /// Nine of ten exchanges are back within `most`.
    pub const fn p90(most: Duration) -> Self {
        Self { metric: Cow::Borrowed("latency_p90"), most }
    }

    /// 95 of 100 exchanges are back within `most`.
    pub const fn p95(most: Duration) -> Self {
        Self { metric: Cow::Borrowed("latency_p95"), most }
    }

    /// 99 of 100 exchanges are back within `most`.
    pub const fn p99(most: Duration) -> Self {
        Self { metric: Cow::Borrowed("latency_p99"), most }
    }
}
