//! The machine and the build that a run was measured with, and how two of them differ. `collect` fills it in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::condition::Condition;
use crate::record::test_bed::TestBed;

/// The hard facts of a machine: runs of another test bed, or of one whose facts changed, are not compared with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Machine {
    /// `x86_64`, `aarch64`.
    pub arch: String,
    /// `linux`, `macos`.
    pub os: String,
    /// The CPU's model, or an ARM's implementer and part.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cpus: u32,
    /// Memory, rounded to GiB.
    pub memory_gib: u32,
    /// Whether it is a virtual machine.
    #[serde(rename = "virtual")]
    pub is_virtual: bool,
    /// Whether the service is reached by loopback rather than by a network.
    pub loopback: bool,
    /// Which machine it is.
    pub test_bed: TestBed,
}

/// The machine and the build that a run was measured with.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Environment {
    /// The hard facts.
    pub machine: Machine,
    /// The soft ones by name: `kernel`, `governor`, `rustc`, `profile`, `plimsoll`, and a digest of each service's binary
    /// as `service GROUP`.
    pub setup: BTreeMap<String, String>,
    /// The commit of the working tree, seven digits, if it is in git.
    pub commit: Option<String>,
    /// The id that git gives the files of the working tree, without baselines and reports; `None` outside of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// Whether the working tree had changes that were not committed.
    pub dirty: bool,
    /// The load average of the last minute when the run began.
    pub load: f64,
    /// What else the machine did during the rounds, as far as it is known. A baseline does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// Memory that differs by less than this share is the same: what a kernel keeps for itself changes with its version.
const SAME_MEMORY: f64 = 0.02;

impl Machine {
    /// How the facts of another machine differ from those of this one, the baseline's; `None` if they are the same. Equal facts do not
    /// make the same machine: [`TestBed::is_same`] says that.
    ///
    /// A fact that is not known of either is a difference: nobody can say that it is the same.
    pub fn mismatch(&self, other: &Self) -> Option<String> {
        let mut differences = Vec::new();
        for (what, base, head) in [
            ("architecture", &self.arch, &other.arch),
            ("system", &self.os, &other.os),
            ("CPU", &self.cpu, &other.cpu),
        ] {
            if base.is_empty() || head.is_empty() {
                differences.push(format!("the {what} is not known"));
            } else if base != head {
                differences.push(format!("{what} {head} instead of {base}"));
            }
        }
        if self.cpus == 0 || other.cpus == 0 {
            differences.push("the number of CPUs is not known".to_owned());
        } else if self.cpus != other.cpus {
            differences.push(format!("{} CPUs instead of {}", other.cpus, self.cpus));
        }
        let (base, head) = (self.memory_gib, other.memory_gib);
        if base == 0 || head == 0 {
            differences.push("the memory is not known".to_owned());
        } else if f64::from(base.abs_diff(head)) > SAME_MEMORY * f64::from(base.max(head)) {
            differences.push(format!("{head} GiB of memory instead of {base}"));
        }
        let choice = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
        if self.is_virtual != other.is_virtual {
            let kind = |is| choice(is, "a virtual machine", "a physical one");
            differences.push(format!("{} instead of {}", kind(other.is_virtual), kind(self.is_virtual)));
        }
        if self.loopback != other.loopback {
            let way = |is| choice(is, "by loopback", "over a network");
            differences.push(format!("reached {} instead of {}", way(other.loopback), way(self.loopback)));
        }
        (!differences.is_empty()).then(|| differences.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            arch: "x86_64".into(),
            os: "linux".into(),
            cpu: "EPYC".into(),
            cpus: 4,
            memory_gib: 252,
            is_virtual: true,
            loopback: true,
            test_bed: TestBed::default(),
        }
    }

    #[test]
    fn each_field_tells_machines_apart() {
        let differs = |change: fn(&mut Machine)| {
            let mut other = machine();
            change(&mut other);
            machine().mismatch(&other).unwrap_or_default()
        };
        assert_eq!(differs(|_| ()), "");
        assert_eq!(differs(|m| m.memory_gib = 251), "", "a kernel that keeps more for itself");
        assert_eq!(differs(|m| m.arch = "aarch64".into()), "architecture aarch64 instead of x86_64");
        assert_eq!(differs(|m| m.os = "macos".into()), "system macos instead of linux");
        assert_eq!(differs(|m| m.cpu = "Xeon".into()), "CPU Xeon instead of EPYC");
        assert_eq!(differs(|m| m.cpus = 2), "2 CPUs instead of 4");
        assert_eq!(differs(|m| m.memory_gib = 8), "8 GiB of memory instead of 252");
        assert_eq!(differs(|m| m.is_virtual = false), "a physical one instead of a virtual machine");
        assert_eq!(differs(|m| m.loopback = false), "reached over a network instead of by loopback");
    }

    #[test]
    fn what_is_not_known_is_a_mismatch_even_with_itself() {
        let unknown = Machine::default();
        let words = unknown.mismatch(&unknown).unwrap();
        for part in ["architecture", "system", "CPU is", "number of CPUs", "memory"] {
            assert!(words.contains(part), "{words}");
        }
    }
}
