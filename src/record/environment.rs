//! The machine and the build that a run was measured with.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

use crate::record::condition::Condition;
use crate::record::test_bed::{TestBed, answer, sysctl};

/// The facts of a machine. Stored runs are compared only with runs of the same test bed and the same facts.
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
    /// Its identity.
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
    /// The call of cargo that measured it, which may be several bench targets; `None` without cargo. A baseline does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Whether the working tree had changes that were not committed.
    pub dirty: bool,
    /// The load average of the last minute when the run began.
    pub load: f64,
    /// What else the machine did during the rounds, if known. A baseline does not keep it.
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
        let difference = |is_same: bool, words: String| (!is_same).then_some(words);
        let named = |what: &str, base: &str, head: &str| match base.is_empty() || head.is_empty() {
            true => Some(format!("the {what} is not known")),
            false => difference(base == head, format!("{what} {head} instead of {base}")),
        };
        let counted = |what: &str, unit: &str, base: u32, head: u32, tolerance: f64| match base.min(head) {
            0 => Some(format!("the {what} is not known")),
            _ => {
                let is_same = f64::from(base.abs_diff(head)) <= tolerance * f64::from(base.max(head));
                difference(is_same, format!("{head} {unit} instead of {base}"))
            }
        };
        let kind = |machine: &Self| if machine.is_virtual { "a virtual machine" } else { "a physical one" };
        let way = |machine: &Self| if machine.loopback { "by loopback" } else { "over a network" };
        let differences = [
            named("architecture", &self.arch, &other.arch),
            named("system", &self.os, &other.os),
            named("CPU", &self.cpu, &other.cpu),
            counted("number of CPUs", "CPUs", self.cpus, other.cpus, 0.0),
            counted("memory", "GiB of memory", self.memory_gib, other.memory_gib, SAME_MEMORY),
            difference(kind(self) == kind(other), format!("{} instead of {}", kind(other), kind(self))),
            difference(way(self) == way(other), format!("reached {} instead of {}", way(other), way(self))),
        ];
        let differences: Vec<String> = differences.into_iter().flatten().collect();
        (!differences.is_empty()).then(|| differences.join(", "))
    }
}

/// Digits of a commit.
const SHORT_COMMIT: &str = "--short=7";
/// Changes that do not make a working tree dirty: baselines, which a run itself may have written.
const NOT_BASELINES: &str = ":(exclude,top,glob)**/baselines/*/*/*.json";

impl Environment {
    /// Asks this machine, and the working tree around `package_root`.
    ///
    /// `loopback`: the service is reached by loopback. `test_bed`: the user's name for this machine. The compiler is recorded only below
    /// cargo, which used it to build the bench. A working tree is dirty if a tracked file other than a baseline was changed.
    pub fn collect(loopback: bool, package_root: &Path, test_bed: Option<&str>) -> Self {
        Self {
            machine: machine(loopback, test_bed),
            setup: setup(package_root)
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?)))
                .collect(),
            commit: git(package_root, &["rev-parse", SHORT_COMMIT, "HEAD"])
                .filter(|commit| !commit.is_empty()),
            dirty: git(
                package_root,
                &["status", "--porcelain", "--untracked-files=no", "--", ":/", NOT_BASELINES],
            )
            .is_some_and(|changes| !changes.is_empty()),
            load: text("/proc/loadavg")
                .or_else(|| sysctl("vm.loadavg"))
                .and_then(|text| load_average(&text))
                .unwrap_or(0.0),
            tree: None,
            call: None,
            condition: None,
        }
    }
}

fn machine(loopback: bool, test_bed: Option<&str>) -> Machine {
    let cpuinfo = text("/proc/cpuinfo").unwrap_or_default();
    let memory = text("/proc/meminfo")
        .and_then(|meminfo| memory_bytes(&meminfo))
        .or_else(|| sysctl("hw.memsize")?.parse().ok());
    let is_virtual = is_virtual(&cpuinfo);
    Machine {
        arch: env::consts::ARCH.to_owned(),
        os: env::consts::OS.to_owned(),
        cpu: cpu_model(&cpuinfo).or_else(|| sysctl("machdep.cpu.brand_string")).unwrap_or_default(),
        cpus: available_parallelism().ok().and_then(|cpus| u32::try_from(cpus.get()).ok()).unwrap_or(0),
        memory_gib: memory.map_or(0, rounded_gib),
        is_virtual,
        loopback,
        test_bed: TestBed::here(test_bed, is_virtual),
    }
}

fn is_virtual(cpuinfo: &str) -> bool {
    let board = ["/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name"];
    has_hypervisor_flag(cpuinfo)
        || board.into_iter().filter_map(text).any(|name| is_virtual_board(&name))
        || Path::new("/proc/device-tree/hypervisor").exists()
        || sysctl("kern.hv_vmm_present").is_some_and(|present| present == "1")
}

fn setup(package_root: &Path) -> [(&'static str, Option<String>); 5] {
    let release = text("/proc/sys/kernel/osrelease").or_else(|| sysctl("kern.osrelease"));
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    [
        ("kernel", release.and_then(|release| kernel_version(&release))),
        ("governor", text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        ("rustc", rustc(package_root)),
        ("profile", Some(profile.to_owned())),
        ("plimsoll", Some(env!("CARGO_PKG_VERSION").to_owned())),
    ]
}

fn rustc(package_root: &Path) -> Option<String> {
    env::var_os("CARGO")?;
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    rustc_version(&answer(Command::new(rustc).arg("--version").current_dir(package_root))?)
}

fn git(package_root: &Path, arguments: &[&str]) -> Option<String> {
    // Without the option `status` would write the index, and two benches could disturb each other.
    let mut command = Command::new("git");
    command.arg("--no-optional-locks").args(arguments).current_dir(package_root);
    // Inside a git hook these name another tree, index or repository than the package's.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"] {
        command.env_remove(name);
    }
    answer(&mut command)
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The CPU's model from `/proc/cpuinfo`: x86's `model name`, an ARM's implementer and parts, or what other architectures say.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    let value = |key: &'static str| values(cpuinfo, key).next().filter(|value| !value.is_empty());
    if let Some(name) = value("model name").filter(|_| value("CPU part").is_none()) {
        return Some(one_spaced(name));
    }
    if let (Some(implementer), Some(_)) = (value("CPU implementer"), value("CPU part")) {
        let mut parts: Vec<&str> = values(cpuinfo, "CPU part").collect();
        parts.sort_unstable();
        parts.dedup();
        return Some(format!("ARM {implementer} part {}", parts.join("+")));
    }
    // POWER says `cpu`, RISC-V `uarch` or `isa`, s390 `processor 0`.
    ["cpu", "uarch", "isa", "processor 0"].into_iter().find_map(value).map(one_spaced)
}

/// Whether `/proc/cpuinfo` of an x86 says that a hypervisor is there.
fn has_hypervisor_flag(cpuinfo: &str) -> bool {
    values(cpuinfo, "flags").next().is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"))
}

/// Whether a board's vendor or product name is the name of a virtual machine (`/sys/class/dmi/id/sys_vendor`, `product_name`).
fn is_virtual_board(name: &str) -> bool {
    const VIRTUAL: [&str; 12] = [
        "qemu",
        "kvm",
        "vmware",
        "virtualbox",
        "virtual machine",
        "xen",
        "amazon ec2",
        "google compute engine",
        "bochs",
        "openstack",
        "parallels",
        "bhyve",
    ];
    let name = name.to_lowercase();
    VIRTUAL.iter().any(|word| name.contains(word)) && !name.contains(".metal")
}

/// Memory from `/proc/meminfo` in bytes.
fn memory_bytes(meminfo: &str) -> Option<u64> {
    let kibibytes: u64 = values(meminfo, "MemTotal").next()?.split(' ').next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Bytes as GiB, rounded, and at least one: the kernel keeps some of the memory for itself and does not say it.
fn rounded_gib(bytes: u64) -> u32 {
    const GIB: u64 = 1 << 30;
    u32::try_from(bytes.saturating_add(GIB / 2) / GIB).unwrap_or(u32::MAX).max(1)
}

/// The load average of the last minute from `/proc/loadavg`, or from BSD's `{ 1.2 3.4 5.6 }`.
fn load_average(text: &str) -> Option<f64> {
    let first = text.split_whitespace().find(|word| *word != "{")?;
    first.parse().ok().filter(|load: &f64| load.is_finite() && *load >= 0.0)
}

/// The first two numbers of a kernel's release: the rest changes with each patch of a CI machine's image.
fn kernel_version(release: &str) -> Option<String> {
    let mut numbers = release.trim().split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
    Some(format!("{}.{}", numbers.next()?, numbers.next()?))
}

/// The version from `rustc --version`; a nightly's with its commit and date.
fn rustc_version(text: &str) -> Option<String> {
    let version = text.trim().strip_prefix("rustc ")?;
    let short = version.split(' ').next()?;
    Some(if short.contains('-') { version } else { short }.to_owned())
}

/// The values of a key in `key : value` lines.
fn values<'a>(text: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

fn one_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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

    #[test]
    fn this_machine_is_known() {
        let environment = Environment::collect(true, Path::new(env!("CARGO_MANIFEST_DIR")), None);
        let machine = &environment.machine;
        assert_eq!(machine.mismatch(machine), None, "nothing is unknown: {machine:?}");
        assert!(machine.cpus >= 1 && machine.loopback);
        assert!(environment.setup.contains_key("kernel") && environment.setup.contains_key("plimsoll"));
        assert!(environment.load >= 0.0);
    }

    #[test]
    fn outside_git_there_is_no_commit() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::collect(false, folder.path(), None);
        assert_eq!((environment.commit, environment.dirty), (None, false));
        let nowhere = Environment::collect(false, &folder.path().join("gone"), None);
        assert_eq!((nowhere.commit, nowhere.dirty), (None, false));
    }

    #[test]
    fn a_changed_file_makes_a_tree_dirty_but_a_baseline_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let run = |arguments: &[&str]| {
            let identity =
                ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
            let arguments: Vec<&str> = identity.iter().chain(arguments).copied().collect();
            assert!(git(root, &arguments).is_some(), "git {arguments:?}");
        };
        let write = |name: &str, text: &str| {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), text).unwrap();
        };
        let dirty = || Environment::collect(true, &root.join("a"), None).dirty;
        run(&["init", "-q"]);
        write("lib.rs", "1");
        write("a/baselines/main/g/r.json", "1");
        run(&["add", "."]);
        run(&["commit", "-q", "-m", "first"]);
        assert_eq!(Environment::collect(true, root, None).commit.unwrap().len(), 7);
        assert!(!dirty());
        write("new.rs", "1");
        write("a/baselines/main/g/r.json", "2");
        assert!(!dirty());
        write("lib.rs", "2");
        assert!(dirty());
    }

    const X86: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R) CPU   @ 2.00GHz\nflags\t\t: fpu sse hypervisor lm\n\nprocessor\t: 1\nmodel name\t: Intel(R) Xeon(R) CPU   @ 2.00GHz\n";
    const ARM: &str = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0c\n\nprocessor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\nprocessor\t: 2\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n";
    const OLD_ARM: &str =
        "model name\t: ARMv7 Processor rev 4 (v7l)\nCPU implementer\t: 0x41\nCPU part\t: 0xd03\n";
    const POWER: &str = "processor\t: 0\ncpu\t\t: POWER9 (architected)\n";

    #[test]
    fn each_architecture_has_a_model() {
        assert_eq!(cpu_model(X86).unwrap(), "Intel(R) Xeon(R) CPU @ 2.00GHz");
        assert_eq!(cpu_model(ARM).unwrap(), "ARM 0x41 part 0xd05+0xd0c");
        assert_eq!(cpu_model(OLD_ARM).unwrap(), "ARM 0x41 part 0xd03");
        assert_eq!(cpu_model(POWER).unwrap(), "POWER9 (architected)");
        assert_eq!(cpu_model("model name\t:\n"), None);
    }

    #[test]
    fn virtual_machines_are_known() {
        assert!(has_hypervisor_flag(X86) && !has_hypervisor_flag(ARM));
        assert!(is_virtual_board("QEMU\n") && is_virtual_board("Amazon EC2"));
        assert!(!is_virtual_board("Dell Inc.") && !is_virtual_board("Amazon EC2 m5.metal"));
    }

    #[test]
    fn memory_is_rounded() {
        assert_eq!(memory_bytes("MemTotal:       16393244 kB\nMemFree: 1 kB\n").map(rounded_gib), Some(16));
        assert_eq!(memory_bytes("MemTotal:         400000 kB\n").map(rounded_gib), Some(1));
        assert_eq!(memory_bytes("MemTotal: much"), None);
        assert_eq!(rounded_gib(u64::MAX), u32::MAX);
    }

    #[test]
    fn load_kernel_and_compiler_are_read() {
        assert_eq!(load_average("0.21 0.15 0.10 1/234 5678\n"), Some(0.21));
        assert_eq!(load_average("{ 1.50 1.40 1.30 }\n"), Some(1.5));
        assert_eq!(load_average("nan"), None);
        assert_eq!(kernel_version("6.8.0-1018-azure\n").unwrap(), "6.8");
        assert_eq!(kernel_version("generic"), None);
        assert_eq!(rustc_version("rustc 1.95.0 (59807616e 2026-04-14)\n").unwrap(), "1.95.0");
        assert_eq!(
            rustc_version("rustc 1.97.0-nightly (aaa 2026-05-01)\n").unwrap(),
            "1.97.0-nightly (aaa 2026-05-01)"
        );
        assert_eq!(rustc_version("command not found"), None);
    }
}
