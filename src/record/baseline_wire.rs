//! The parts of a baseline file as they are written, apart from what they mean. A field that is not listed here is refused: no
//! digest would cover it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize as DeserializeDerive, Serialize};

use crate::record::baseline::{Epoch, StoredRun};
use crate::record::wire::{MachineWire, UniqueMap};

/// For each launch the values of its rounds.
pub(crate) type Nested<T> = Vec<Vec<T>>;
/// For each run, the newest first, its values.
pub(crate) type Lines<T> = Vec<(String, Nested<T>)>;

/// A whole file.
#[derive(DeserializeDerive)]
#[serde(deny_unknown_fields)]
pub(crate) struct BaselineWire {
    #[serde(rename = "schema")]
    pub(crate) _schema: u64,
    pub(crate) group: String,
    pub(crate) machines: UniqueMap<MachineWire>,
    pub(crate) runs: Vec<StoredRunWire>,
    pub(crate) epochs: Vec<EpochWire>,
    pub(crate) cells: UniqueMap<StoredCellWire>,
}

/// What a file says of a run beside its lines.
#[derive(Serialize, DeserializeDerive)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredRunWire {
    pub(crate) id: String,
    pub(crate) epoch: u32,
    pub(crate) machine: String,
    pub(crate) commit: Option<String>,
    pub(crate) dirty: bool,
    pub(crate) load: f64,
    pub(crate) window_ms: f64,
    pub(crate) setup: UniqueMap<String>,
    pub(crate) digest: String,
}

impl StoredRunWire {
    pub(crate) fn new(run: &StoredRun, machine: String, digest: String) -> Self {
        Self {
            id: run.id.clone(),
            epoch: run.epoch,
            machine,
            commit: run.commit.clone(),
            dirty: run.dirty,
            load: run.load,
            window_ms: run.window.as_nanos() as f64 / NS_PER_MS,
            setup: UniqueMap(run.setup.clone()),
            digest,
        }
    }

    /// The window to the nanosecond; nothing when it is negative or longer than any.
    pub(crate) fn window(&self) -> Option<Duration> {
        const LONGEST_MS: f64 = 1e9;
        (0.0..=LONGEST_MS)
            .contains(&self.window_ms)
            .then(|| Duration::from_nanos((self.window_ms * NS_PER_MS).round() as u64))
    }
}

const NS_PER_MS: f64 = 1e6;

/// An epoch as it is written.
#[derive(Serialize, DeserializeDerive)]
#[serde(deny_unknown_fields)]
pub(crate) struct EpochWire {
    epoch: u32,
    anchor: String,
    reason: String,
}

impl From<&Epoch> for EpochWire {
    fn from(epoch: &Epoch) -> Self {
        Self { epoch: epoch.number, anchor: epoch.anchor.clone(), reason: epoch.reason.clone() }
    }
}

impl From<EpochWire> for Epoch {
    fn from(wire: EpochWire) -> Self {
        Self { number: wire.epoch, anchor: wire.anchor, reason: wire.reason }
    }
}

/// A cell: its definition, and for each metric a line a run.
pub(crate) struct StoredCellWire {
    pub(crate) definition: String,
    pub(crate) requests: Lines<u64>,
    pub(crate) failures: Lines<u64>,
    pub(crate) metrics: BTreeMap<String, Lines<f64>>,
}

/// The keys of a cell that are no metric.
pub(crate) const DEFINITION: &str = "definition";
pub(crate) const REQUESTS: &str = "requests";
pub(crate) const FAILURES: &str = "failures";

impl<'de> Deserialize<'de> for StoredCellWire {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = StoredCellWire;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cell with `definition`, `requests`, `failures` and metrics")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<StoredCellWire, A::Error> {
        let (mut definition, mut requests, mut failures) = (None, None, None);
        let mut metrics = BTreeMap::new();
        while let Some(key) = access.next_key::<String>()? {
            let is_first = match key.as_str() {
                DEFINITION => definition.replace(access.next_value()?).is_none(),
                REQUESTS => requests.replace(access.next_value()?).is_none(),
                FAILURES => failures.replace(access.next_value()?).is_none(),
                _ => metrics.insert(key.clone(), access.next_value()?).is_none(),
            };
            if !is_first {
                return Err(A::Error::custom(format_args!("the key `{key}` comes twice")));
            }
        }
        Ok(StoredCellWire {
            definition: definition.ok_or_else(|| A::Error::missing_field(DEFINITION))?,
            requests: requests.ok_or_else(|| A::Error::missing_field(REQUESTS))?,
            failures: failures.ok_or_else(|| A::Error::missing_field(FAILURES))?,
            metrics,
        })
    }
}
