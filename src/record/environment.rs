//! The machine and the build that a run was measured with.

use std::collections::BTreeMap;

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
    /// The soft ones by name: `kernel`, `governor`, `rustc`, `profile`, `plimsoll`, and a digest of each service's binary.
    pub setup: BTreeMap<String, String>,
    /// The commit of the working tree, seven digits, if it is in git.
    pub commit: Option<String>,
    /// Whether the working tree had changes that were not committed.
    pub dirty: bool,
    /// The load average of the last minute when the run began.
    pub load: f64,
}
