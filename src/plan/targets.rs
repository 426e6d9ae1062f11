//! The requests of a cell: one endpoint or a file of endpoints, and the order in which they are sent.

use std::fs;
use std::path::{Path, PathBuf};

use crate::plan::endpoint::{Endpoint, EndpointError};

/// The endpoints that a cell requests: one, or the lines of a file.
///
/// ```
/// use plimsoll::{Endpoint, Load, Targets};
/// # let mut harness = plimsoll::Harness::default();
/// let mut group = harness.benchmark_group("search");
/// group.bench_endpoint("many", Targets::from_file("benches/endpoints.txt"), Load::closed(10));
/// group.bench_endpoint("one", Targets::from(Endpoint::get("/search?q=ship")), Load::closed(10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) order: Order,
}

/// The order in which several endpoints are requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Shuffled decks: every endpoint once in random order, then again, so that all rounds request the same mix.
    Deck,
    /// Each request picks an endpoint at random.
    Random,
}

/// Why [`Targets::from_file`] failed.
///
/// ```
/// use plimsoll::{Targets, TargetsError};
/// let error = Targets::from_file("no/such/file.txt").unwrap_err();
/// assert!(matches!(error, TargetsError::Read { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetsError {
    /// The file could not be read.
    #[error("the targets file {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file is not UTF-8 text.
    #[error("the targets file {} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The file contains no URL.
    #[error("the targets file {} contains no URL: write one URL or /path per line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is not a valid URL.
    #[error("{}:{line}: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line number, counted from 1.
        line: usize,
        /// What is wrong with the URL.
        source: EndpointError,
    },
}

impl Targets {
    /// Reads a targets file: one URL or `/path` per line, each requested with `GET`.
    ///
    /// Blank lines and lines that start with `#` are skipped. Both kinds of line ends and a byte order mark are accepted.
    /// A bench requests every line once in random order before it starts again. Base and head get the same order.
    ///
    /// # Errors
    /// If the file cannot be read, is not UTF-8, contains no URL, or one of its lines is not a valid URL.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, TargetsError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| TargetsError::Read { path: path.to_owned(), source })?;
        let text = String::from_utf8(bytes).map_err(|_| TargetsError::NotText { path: path.to_owned() })?;
        let mut endpoints = Vec::new();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let endpoint = Endpoint::get(line);
            endpoint.check().map_err(|source| TargetsError::Line {
                path: path.to_owned(),
                line: number + 1,
                source,
            })?;
            endpoints.push(endpoint);
        }
        if endpoints.is_empty() {
            return Err(TargetsError::Empty { path: path.to_owned() });
        }
        Ok(Self { endpoints, order: Order::Deck })
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    #[must_use]
    pub(crate) fn ordered(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Changes each endpoint: for a header or an expected status that all lines of a file share.
    ///
    /// ```no_run
    /// # use plimsoll::Targets;
    /// let targets = Targets::from_file("endpoints.txt")?.map(|endpoint| endpoint.expect_status(200));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn map(mut self, change: impl FnMut(Endpoint) -> Endpoint) -> Self {
        self.endpoints = self.endpoints.into_iter().map(change).collect();
        self
    }
}

impl From<Endpoint> for Targets {
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoints: vec![endpoint], order: Order::Deck }
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::plan::endpoint::Endpoint {}
    impl Sealed for crate::plan::targets::Targets {}
    impl Sealed for Result<crate::plan::targets::Targets, crate::plan::targets::TargetsError> {}
}

/// What a cell can request: an [`Endpoint`], [`Targets`], or the `Result` of [`Targets::from_file`]. Sealed: only plimsoll
/// implements it.
///
/// ```
/// # let mut harness = plimsoll::Harness::default();
/// # let mut group = harness.benchmark_group("search");
/// use plimsoll::{Endpoint, Load, Targets};
/// group.bench_endpoint("one", Endpoint::get("/search?q=ship"), Load::closed(10));
/// group.bench_endpoint("many", Targets::from_file("endpoints.txt"), Load::closed(10));
/// ```
pub trait IntoTargets: sealed::Sealed {
    /// # Errors
    /// If the targets file could not be read. The harness reports it together with the cell.
    #[doc(hidden)]
    fn into_targets(self) -> Result<Targets, TargetsError>;
}

impl IntoTargets for Endpoint {
    fn into_targets(self) -> Result<Targets, TargetsError> {
        Ok(self.into())
    }
}

impl IntoTargets for Targets {
    fn into_targets(self) -> Result<Targets, TargetsError> {
        Ok(self)
    }
}

impl IntoTargets for Result<Targets, TargetsError> {
    fn into_targets(self) -> Result<Targets, TargetsError> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Targets, TargetsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("endpoints.txt");
        fs::write(&path, bytes).unwrap();
        Targets::from_file(path)
    }

    #[test]
    fn comments_blank_lines_crlf_and_bom_are_accepted() {
        let targets = read("\u{feff}# ours\r\n\r\n/hello\r\n  http://h:1/x  \n".as_bytes()).unwrap();
        let urls: Vec<_> = targets.endpoints().iter().map(Endpoint::url).collect();
        assert_eq!(urls, ["/hello", "http://h:1/x"]);
    }

    #[test]
    fn a_bad_line_is_named_with_its_number() {
        let error = read(b"/hello\n\nlocalhost:80\n").unwrap_err().to_string();
        assert!(error.contains("endpoints.txt:3: "), "{error}");
        assert!(error.contains("no scheme"), "{error}");
    }

    #[test]
    fn files_without_a_url_are_refused() {
        assert!(matches!(read(b"\n# nothing\n"), Err(TargetsError::Empty { .. })));
        assert!(matches!(read(b"/a\xff\n"), Err(TargetsError::NotText { .. })));
        assert!(matches!(Targets::from_file("/no/such/file"), Err(TargetsError::Read { .. })));
    }
}
