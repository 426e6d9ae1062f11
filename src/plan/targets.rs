//! The requests of a cell: one endpoint, or a file of them, and the order in which they are taken.

use std::fs;
use std::path::{Path, PathBuf};

use crate::plan::endpoint::{Endpoint, EndpointError};

/// One or more endpoints, and how the next one is chosen.
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

/// How the next of several endpoints is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Dealt from shuffled decks: each endpoint once before any comes again, so that two rounds ask for the same.
    Deck,
    /// Each time one at random.
    Random,
}

/// Why a targets file could not be used.
///
/// ```
/// use plimsoll::{Targets, TargetsError};
/// let error = Targets::from_file("no/such/file.txt").unwrap_err();
/// assert!(matches!(error, TargetsError::Read { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum TargetsError {
    /// It could not be read.
    #[error("the targets file {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not text.
    #[error("the targets file {} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// It has no line that names a URL.
    #[error("the targets file {} names no URL: write one URL or /path a line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is no URL.
    #[error("{}:{line}: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: EndpointError,
    },
}

impl Targets {
    /// Reads a targets file: one URL or `/path` a line, each asked with `GET`.
    ///
    /// Blank lines and lines that start with `#` are skipped; line ends of either kind and a byte order mark are fine.
    /// In a bench the lines are dealt as shuffled decks, the same for base and head.
    ///
    /// # Errors
    /// When the file cannot be read, is no text, holds no URL, or a line of it is none: file and line are named.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, TargetsError> {
        let path = path.as_ref();
        let named = || path.to_owned();
        let bytes = fs::read(path).map_err(|source| TargetsError::Read { path: named(), source })?;
        let text = String::from_utf8(bytes).map_err(|_| TargetsError::NotText { path: named() })?;
        let mut endpoints = Vec::new();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let endpoint = Endpoint::get(line);
            endpoint.check().map_err(|source| TargetsError::Line {
                path: named(),
                line: number + 1,
                source,
            })?;
            endpoints.push(endpoint);
        }
        if endpoints.is_empty() {
            return Err(TargetsError::Empty { path: named() });
        }
        Ok(Self { endpoints, order: Order::Deck })
    }

    /// The endpoints in the order of the file.
    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The same endpoints, chosen in another order.
    #[must_use]
    pub(crate) fn ordered(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Changes each of the endpoints, for what all lines of a file share: a header, an expected status.
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
    fn comments_blank_lines_crlf_and_bom_are_fine() {
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
