//! One endpoint under one load: what criterion calls a benchmark.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::plan::group::Location;
use crate::plan::id::CellId;
use crate::plan::load::Load;
use crate::plan::targets::{Order, Targets};

/// Bytes of a definition's digest.
const DEFINITION_BYTES: usize = 8;

/// What one exchange handles, for a rate beside requests per second.
///
/// ```
/// use plimsoll::Throughput;
/// # let mut harness = plimsoll::Harness::default();
/// let mut group = harness.benchmark_group("search");
/// group.throughput(Throughput::Elements(20)); // twenty ships a request: the report has elements a second
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Throughput {
    /// Bytes per exchange.
    Bytes(u64),
    /// Elements (rows, tokens, pictures) per exchange.
    Elements(u64),
}

/// One endpoint, or one targets file, under one load.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Its name.
    pub id: CellId,
    /// What is requested.
    pub targets: Targets,
    /// How.
    pub load: Load,
    /// What one exchange handles, if that was said.
    pub throughput: Option<Throughput>,
    /// Where in the bench file it was defined.
    pub location: Location,
    /// The metrics that its baseline has, if there is one: they are then this run's too.
    pub metrics: Option<Vec<String>>,
}

impl Cell {
    /// A digest of what is loaded: method, path with query, body and check of each endpoint, their order, and the load.
    /// Host, headers and name are left out: the same cell may run elsewhere, under another token, under another name.
    pub fn definition(&self) -> String {
        let mut digest = Sha256::new();
        let mut part = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        part(self.load.to_string().as_bytes());
        part(match self.targets.order {
            Order::Deck => b"deck",
            Order::Random => b"random",
        });
        for endpoint in &self.targets.endpoints {
            part(endpoint.method.as_bytes());
            part(path_and_query(&endpoint.url).as_bytes());
            part(&endpoint.body);
            part(endpoint.status.map(|status| status.to_string()).unwrap_or_default().as_bytes());
            part(endpoint.body_contains.as_deref().unwrap_or_default().as_bytes());
        }
        format!("sha256:{}", hex(&digest.finalize(), DEFINITION_BYTES))
    }
}

/// A URL without scheme and host.
fn path_and_query(url: &str) -> &str {
    match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::endpoint::Endpoint;

    fn cell(endpoint: Endpoint, load: Load) -> Cell {
        Cell {
            id: CellId::new("g", "x"),
            targets: endpoint.into(),
            load,
            throughput: None,
            location: Location::unknown(),
            metrics: None,
        }
    }

    #[test]
    fn the_definition_knows_the_request_but_not_the_host() {
        let here = cell(Endpoint::get("/a?b"), Load::closed(1)).definition();
        let there = cell(Endpoint::get("http://h:1/a?b").header("token", "t"), Load::closed(1)).definition();
        assert_eq!(here, there);
        assert_ne!(here, cell(Endpoint::get("/a?c"), Load::closed(1)).definition());
        assert_ne!(here, cell(Endpoint::get("/a?b"), Load::closed(2)).definition());
        assert_ne!(here, cell(Endpoint::get("/a?b").body("x"), Load::closed(1)).definition());
    }
}
