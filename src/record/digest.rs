//! Digests in baseline files: a run's, by which an edited one is known, and a machine's, by which runs name it.

use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::record::baseline::{Epoch, StoredRun, is_derived};
use crate::record::baseline_wire::{EpochWire, StoredRunWire};
use crate::record::environment::Machine;
use crate::record::json_text::one_line;
use crate::record::wire::MachineWire;

/// Bytes of a run's digest: it guards against slips, not against forgers, who could compute it anew.
const RUN_BYTES: usize = 8;
/// Bytes of a machine's key: first these few, more where two machines of a file would share a key.
const MACHINE_BYTES: [usize; 3] = [2, 8, 32];

/// The digest of all that a file says of a run: group, header, machine, epoch, and its lines of all cells.
///
/// It is taken over values and not over text, so that spaces do not matter, and over nothing of another run, so that a merge in
/// git that keeps the lines of both sides stays valid. The run must be [rounded](StoredRun::rounded).
pub(crate) fn run_digest(group: &str, run: &StoredRun, epoch: &Epoch) -> String {
    let mut digest = Sha256::new();
    // A line of JSON holds no line end, so nothing can be moved from one part to the next.
    let mut part = |line: String| {
        digest.update(line.as_bytes());
        digest.update(b"\n");
    };
    part(one_line(&group));
    part(one_line(&StoredRunWire::new(run, String::new(), String::new())));
    part(one_line(&MachineWire::from(&run.machine)));
    part(one_line(&EpochWire::from(epoch)));
    for (id, series) in &run.cells {
        part(one_line(&(id, &series.definition)));
        part(one_line(&series.requests));
        part(one_line(&series.failures));
        for (metric, values) in series.values.iter().filter(|(metric, _)| !is_derived(metric)) {
            part(one_line(&(metric, values)));
        }
    }
    format!("sha256:{}", hex(&digest.finalize(), RUN_BYTES))
}

/// For each machine its key in a file that holds all of them; equal machines have equal keys.
pub(crate) fn machine_keys(machines: &[&Machine]) -> Vec<String> {
    let hashes: Vec<_> = machines
        .iter()
        .map(|machine| Sha256::digest(one_line(&MachineWire::from(*machine)).as_bytes()))
        .collect();
    let keys = |bytes: usize| -> Vec<String> {
        hashes.iter().map(|hash| format!("m{}", hex(hash, bytes))).collect()
    };
    let tells_apart = |keys: &[String]| {
        let mut pairs = (0..keys.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
        pairs.all(|(one, other)| keys[one] != keys[other] || hashes[one] == hashes[other])
    };
    let whole = MACHINE_BYTES[MACHINE_BYTES.len() - 1];
    MACHINE_BYTES.into_iter().map(keys).find(|keys| tells_apart(keys)).unwrap_or_else(|| keys(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(cpu: &str) -> Machine {
        Machine { cpu: cpu.to_owned(), ..Machine::default() }
    }

    #[test]
    fn equal_machines_share_a_short_key() {
        let machines = [machine("a"), machine("b"), machine("a")];
        let keys = machine_keys(&machines.iter().collect::<Vec<_>>());
        assert_eq!(keys[0], keys[2]);
        assert_ne!(keys[0], keys[1]);
        assert_eq!(keys[0].len(), 5);
    }

    #[test]
    fn keys_that_would_collide_are_longer() {
        let machines: Vec<_> = (0..2_000).map(|number| machine(&number.to_string())).collect();
        let mut keys = machine_keys(&machines.iter().collect::<Vec<_>>());
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), machines.len());
    }
}
