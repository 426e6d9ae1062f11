//! What the JSON files of this room share: a machine and its condition as they are written, and maps in which no key may come twice.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize as DeserializeDerive, Serialize};

use crate::record::condition::Condition;
use crate::record::environment::Machine;
use crate::record::test_bed::TestBed;

/// The layout that this version writes and reads.
pub(crate) const SCHEMA: u64 = 1;

/// The largest count of a round: beyond it a file is damaged, and sums could overflow.
pub(crate) const LARGEST_COUNT: u64 = 1_000_000_000_000;

/// The first thing read of any of our files.
#[derive(DeserializeDerive)]
pub(crate) struct SchemaProbe {
    pub(crate) schema: Option<u64>,
    /// A baseline has one, runs have none.
    pub(crate) group: Option<serde::de::IgnoredAny>,
}

/// A machine as it is written.
#[derive(Debug, Clone, Serialize, DeserializeDerive)]
#[serde(deny_unknown_fields)]
pub(crate) struct MachineWire {
    arch: String,
    os: String,
    cpu: String,
    cpus: u32,
    memory_gib: u32,
    #[serde(rename = "virtual")]
    is_virtual: bool,
    loopback: bool,
    #[serde(default, skip_serializing_if = "TestBed::is_unknown")]
    test_bed: TestBed,
}

impl From<&Machine> for MachineWire {
    fn from(machine: &Machine) -> Self {
        let Machine { arch, os, cpu, cpus, memory_gib, is_virtual, loopback, test_bed } = machine.clone();
        Self { arch, os, cpu, cpus, memory_gib, is_virtual, loopback, test_bed }
    }
}

impl From<MachineWire> for Machine {
    fn from(wire: MachineWire) -> Self {
        let MachineWire { arch, os, cpu, cpus, memory_gib, is_virtual, loopback, test_bed } = wire;
        Self { arch, os, cpu, cpus, memory_gib, is_virtual, loopback, test_bed }
    }
}

/// A machine's condition as it is written; what is not known is left out.
#[derive(Debug, Serialize, DeserializeDerive)]
pub(crate) struct ConditionWire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    others_share: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stolen_share: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    throttled_share: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heat_throttles: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frequency_mhz: Option<(f64, f64)>,
}

impl From<&Condition> for ConditionWire {
    fn from(condition: &Condition) -> Self {
        let Condition { others_share, stolen_share, throttled_share, heat_throttles, frequency_mhz } =
            *condition;
        Self { others_share, stolen_share, throttled_share, heat_throttles, frequency_mhz }
    }
}

impl ConditionWire {
    /// The condition, or what is wrong with it.
    pub(crate) fn into_condition(self) -> Result<Condition, String> {
        let Self { others_share, stolen_share, throttled_share, heat_throttles, frequency_mhz } = self;
        let shares = [others_share, stolen_share, throttled_share];
        let is_possible = shares.into_iter().flatten().all(|share| (0.0..=1.0).contains(&share))
            && frequency_mhz.is_none_or(|(low, high)| 0.0 < low && low <= high);
        is_possible
            .then_some(Condition {
                others_share,
                stolen_share,
                throttled_share,
                heat_throttles,
                frequency_mhz,
            })
            .ok_or_else(|| "the condition of its machine is impossible".to_owned())
    }
}

/// A map in which a key that comes twice is an error; JSON readers commonly keep the last one silently.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct UniqueMap<V>(pub(crate) BTreeMap<String, V>);

impl<V> Default for UniqueMap<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor(PhantomData))
    }
}

struct UniqueVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for UniqueVisitor<V> {
    type Value = UniqueMap<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some(key) = access.next_key::<String>()? {
            match map.entry(key) {
                Entry::Occupied(entry) => {
                    return Err(A::Error::custom(format_args!("the key `{}` comes twice", entry.key())));
                }
                Entry::Vacant(entry) => entry.insert(access.next_value()?),
            };
        }
        Ok(UniqueMap(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_comes_twice_is_an_error() {
        let read = |text| serde_json::from_str::<UniqueMap<u8>>(text);
        assert_eq!(read(r#"{"a": 1, "b": 2}"#).unwrap().0["b"], 2);
        assert!(read(r#"{"a": 1, "a": 1}"#).unwrap_err().to_string().contains("`a` comes twice"));
    }
}
