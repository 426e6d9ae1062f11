//! A group of cells that share a service, settings and rules.

use std::fmt;
use std::panic;

use crate::plan::cell::Cell;
use crate::plan::service::Service;
use crate::plan::settings::Settings;

/// Where in a bench file or a command line something was defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location(Option<(String, u32)>);

impl Location {
    /// The place of the caller of the function that is marked `#[track_caller]`.
    #[track_caller]
    pub fn caller() -> Self {
        let location = panic::Location::caller();
        Self(Some((location.file().to_owned(), location.line())))
    }

    /// No place in a file: a command line.
    pub const fn unknown() -> Self {
        Self(None)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some((file, line)) => write!(f, "{file}:{line}: "),
            None => Ok(()),
        }
    }
}

/// What our own HTTP/1.1 client does not do; with any of these set, reqwest makes the requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transport {
    /// HTTP/2: by ALPN over https, with prior knowledge over http.
    pub http2: bool,
    /// Follow redirects, up to ten.
    pub follow: bool,
    /// Send everything through this proxy (`http://…` or `socks5://…`).
    pub proxy: Option<String>,
}

impl Transport {
    /// Whether nothing is asked that our own client does not do.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Cells that share a service, settings and rules; what criterion calls a benchmark group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name; the first part of each id, and the name of its baseline file.
    pub name: String,
    /// What it is for, in a sentence.
    pub about: Option<String>,
    /// What is loaded.
    pub service: Service,
    /// What is loaded beside it and compared with, in a duet.
    pub base: Option<Service>,
    /// How its requests travel.
    pub transport: Transport,
    /// How long, how often and how strictly.
    pub settings: Settings,
    /// Its cells in the order of their definition.
    pub cells: Vec<Cell>,
    /// Where it was opened.
    pub location: Location,
}

impl Group {
    /// An empty group without a service.
    pub fn new(name: impl Into<String>, location: Location) -> Self {
        Self {
            name: name.into(),
            about: None,
            service: Service::Absent,
            base: None,
            transport: Transport::default(),
            settings: Settings::default(),
            cells: Vec::new(),
            location,
        }
    }
}
