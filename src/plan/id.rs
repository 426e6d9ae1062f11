//! The names of cells, and of the two sides of a comparison.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

/// The name of a cell within its group: a function and a parameter, as in criterion.
///
/// ```
/// use plimsoll::BenchmarkId;
/// assert_eq!(BenchmarkId::new("3k_tokens", 10).to_string(), "3k_tokens/10");
/// assert_eq!(BenchmarkId::from_parameter(10).to_string(), "10");
/// assert_eq!(BenchmarkId::from("hello").to_string(), "hello");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BenchmarkId {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
}

impl BenchmarkId {
    /// `function/parameter`. Cells with the same function form one line in a chart.
    pub fn new(function: impl Into<String>, parameter: impl Display) -> Self {
        Self { function: Some(function.into()), parameter: Some(parameter.to_string()) }
    }

    /// A parameter without a function, for groups that load one endpoint.
    pub fn from_parameter(parameter: impl Display) -> Self {
        Self { function: None, parameter: Some(parameter.to_string()) }
    }
}

impl Display for BenchmarkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.function, &self.parameter) {
            (Some(function), Some(parameter)) => write!(f, "{function}/{parameter}"),
            (Some(only), None) | (None, Some(only)) => f.write_str(only),
            (None, None) => Ok(()),
        }
    }
}

impl<S: Into<String>> From<S> for BenchmarkId {
    fn from(function: S) -> Self {
        Self { function: Some(function.into()), parameter: None }
    }
}

/// The full name of a cell, printed as `group/function/parameter`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CellId {
    /// The name of its group.
    pub group: String,
    /// Its name within the group.
    #[serde(flatten)]
    pub benchmark: BenchmarkId,
}

impl CellId {
    /// The cell `benchmark` of the group `group`.
    pub fn new(group: impl Into<String>, benchmark: impl Into<BenchmarkId>) -> Self {
        Self { group: group.into(), benchmark: benchmark.into() }
    }

    /// The part that all cells of one chart line share. Empty without a function.
    pub(crate) fn function(&self) -> &str {
        self.benchmark.function.as_deref().unwrap_or_default()
    }
}

impl Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.benchmark)
    }
}

/// The two sides of a comparison. Without a duet only head is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The old service.
    Base,
    /// The new service.
    Head,
}

impl Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "base",
            Self::Head => "head",
        })
    }
}
