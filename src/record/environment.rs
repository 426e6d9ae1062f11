//! The machine and the build that a run was measured with, and how two of them differ. `collect` fills it in.

use std::collections::{BTreeMap, BTreeSet};

/// The hard facts of a machine: a baseline of another machine is not compared with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    pub is_virtual: bool,
    /// Whether the service is reached by loopback rather than by a network.
    pub loopback: bool,
}

/// The machine and the build that a run was measured with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Environment {
    /// The hard facts.
    pub machine: Machine,
    /// The soft ones by name: `kernel`, `governor`, `rustc`, `profile`, `plimsoll`, and a digest of each service's binary
    /// as `service GROUP`.
    pub setup: BTreeMap<String, String>,
    /// The commit of the working tree, seven digits, if it is in git.
    pub commit: Option<String>,
    /// Whether the working tree had changes that were not committed.
    pub dirty: bool,
    /// The load average of the last minute when the run began.
    pub load: f64,
}

/// Memory that differs by less than this share is the same: what a kernel keeps for itself changes with its version.
const SAME_MEMORY: f64 = 0.02;
/// What the key of a service's digest begins with.
const SERVICE_KEY: &str = "service ";

impl Machine {
    /// In words how another machine differs from this one, the baseline's; nothing when both are alike.
    ///
    /// What is not known of either is a difference: nobody can say that it is the same.
    ///
    /// ```
    /// use plimsoll::record::Machine;
    /// let base = Machine { arch: "x86_64".into(), os: "linux".into(), cpu: "EPYC".into(), cpus: 4, memory_gib: 16, ..Machine::default() };
    /// let head = Machine { cpus: 2, ..base.clone() };
    /// assert_eq!(base.mismatch(&base), None);
    /// assert_eq!(base.mismatch(&head).unwrap(), "2 CPUs instead of 4");
    /// ```
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

/// In words how the soft facts of a run differ from those of its baseline; nothing when they are alike. Digests of services are
/// left out: that the service is another one is why it is measured.
///
/// ```
/// use std::collections::BTreeMap;
/// let setup = |kernel: &str| BTreeMap::from([("kernel".to_owned(), kernel.to_owned())]);
/// let words = plimsoll::record::setup_differences(&setup("6.8"), &setup("6.9"));
/// assert_eq!(words.unwrap(), "kernel 6.9 instead of 6.8");
/// ```
pub fn setup_differences(base: &BTreeMap<String, String>, head: &BTreeMap<String, String>) -> Option<String> {
    let keys: BTreeSet<&String> =
        base.keys().chain(head.keys()).filter(|key| !key.starts_with(SERVICE_KEY)).collect();
    let words: Vec<String> = keys
        .into_iter()
        .filter(|key| base.get(*key) != head.get(*key))
        .map(|key| match (base.get(key), head.get(key)) {
            (Some(base), Some(head)) => format!("{key} {head} instead of {base}"),
            (Some(base), None) => format!("{key} not known instead of {base}"),
            (None, head) => format!("{key} {} instead of not known", head.map_or("", String::as_str)),
        })
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
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

    #[test]
    fn setups_differ_in_words_but_not_by_the_service() {
        let setup =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let base = setup(&[("kernel", "6.8"), ("rustc", "1.95.0"), ("service g", "a")]);
        let head = setup(&[("kernel", "6.8"), ("governor", "powersave"), ("service g", "b")]);
        assert_eq!(
            setup_differences(&base, &head).unwrap(),
            "governor powersave instead of not known, rustc not known instead of 1.95.0"
        );
        assert_eq!(setup_differences(&base, &base), None);
    }
}
