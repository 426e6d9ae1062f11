//! Asks the system what a run is measured with. Whatever cannot be found out stays empty and so differs from every other
//! machine; nothing here fails, and no host or user name is asked for.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use crate::record::environment::{Environment, Machine};
use crate::record::proc_text::{
    cpu_model, has_hypervisor_flag, is_virtual_board, kernel_version, load_average, memory_bytes,
    rounded_gib, rustc_version,
};
use crate::record::test_bed::TestBed;

/// Digits of a commit.
const SHORT_COMMIT: &str = "--short=7";
/// Changes that do not make a working tree dirty: baselines, which a run itself may have written.
const NOT_BASELINES: &str = ":(exclude,top,glob)**/baselines/*/*/*.json";

impl Environment {
    /// Asks this machine, and the working tree around `package_root`.
    ///
    /// `loopback` says whether the service is reached by loopback, `test_bed` how the user calls this machine. The compiler is asked only below cargo, where it is the one
    /// that built the bench. A tree is dirty when a file in git was changed, but for baselines; new files do not count.
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
    // Without it `status` would write the index, and two benches at once could get in each other's way.
    let mut command = Command::new("git");
    command.arg("--no-optional-locks").args(arguments).current_dir(package_root);
    // Inside a git hook these name another tree, index or repository than the package's.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"] {
        command.env_remove(name);
    }
    answer(&mut command)
}

/// A value of the kernel on macOS; elsewhere files tell.
fn sysctl(name: &str) -> Option<String> {
    if cfg!(target_os = "macos") { answer(Command::new("sysctl").args(["-n", name])) } else { None }
}

fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
