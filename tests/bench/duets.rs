//! Duets that are killed: nothing of them is left, and the next call begins where nothing was.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::common::{Ran, Running, alive, run, wait_until};
use crate::suite::{BUILT, CELL, Package};

crate::checks!(duets:
    each_launch_has_its_own_state_which_is_removed_also_after_an_interrupt,
    a_kill_leaves_neither_side_of_a_duet,
    a_kill_while_a_side_is_built_leaves_no_build_and_the_next_call_builds_it,
    a_kill_while_a_side_is_measured_leaves_no_service,
);

/// However busy the machine, it does what it is waited for within this time.
const START: Duration = Duration::from_secs(60);
const LONG: [&str; 4] = ["--measurement-time", "100s", "--noplot", "--bench"];

/// Waits until both sides of a launch live. In the trial there is one at a time.
fn wait_for_both_sides(package: &Package) {
    wait_until("both services run", START, || {
        let services = alive(package.root())
            .into_iter()
            .filter(|(_, line)| line.contains("serve --port") && !line.contains("--bench"));
        services.count() >= 2
    });
}

fn kill(package: &Package, running: Running) {
    running.signal(Signal::SIGKILL);
    assert_eq!(running.finish().code, None);
    package.expect_nothing_left();
}

/// It measured; what it found is another matter.
#[track_caller]
fn expect_measured(ran: Ran) -> Ran {
    assert!(ran.code != Some(2), "{:?}\n{}\n{}", ran.code, ran.out, ran.err);
    ran.expect_out(CELL)
}

fn a_kill_leaves_neither_side_of_a_duet() {
    let package = Package::new();
    let base = format!("{} serve --port {{port}} --service-time 2ms", env!("CARGO_BIN_EXE_plimsoll"));
    let duet = ["--base-command", &base];
    let running = Running::start(&mut package.command("usual", &[&duet[..], &LONG].concat()));
    wait_for_both_sides(&package);
    kill(&package, running);
    expect_measured(package.bench("usual", &[&duet[..], &["--confirm", "none", "--noplot"]].concat()));
}

fn each_launch_has_its_own_state_which_is_removed_also_after_an_interrupt() {
    let package = Package::new();
    let base = format!("{} serve --port {{port}} --service-time 2ms", env!("CARGO_BIN_EXE_plimsoll"));
    let duet = ["--base-command", &base, "--confirm", "none"];
    expect_measured(package.bench("stateful", &[&duet[..], &["--noplot"]].concat()));
    let log = fs::read_to_string(package.path("log")).unwrap();
    let different: BTreeSet<&str> = log.lines().collect();
    for side in ["state/base-", "state/head-"] {
        let launches = different.iter().filter(|line| line.starts_with(side)).count();
        assert_eq!(launches, 6, "the trial and five launches: {log}");
    }
    let left = || fs::read_dir(package.path("state")).unwrap().count();
    assert_eq!((different.len(), left()), (12, 0), "{log}");
    let running = Running::start(&mut package.command("stateful", &[&duet[..], &LONG].concat()));
    wait_for_both_sides(&package);
    assert_eq!(left(), 2);
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code, Some(130));
    assert_eq!(left(), 0);
}

/// A package with a commit, whose program is copied where cargo would build it.
pub struct Repository {
    pub package: Package,
    cache: TempDir,
}

impl Repository {
    pub fn new() -> Self {
        let package = Package::new();
        fs::write(package.path(".gitignore"), "/target\n/reports\n").unwrap();
        fs::create_dir_all(package.path("target/release")).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_plimsoll"), package.path(BUILT)).unwrap();
        let repository = Self { package, cache: tempfile::tempdir().unwrap() };
        repository.git(&["init", "-q"]);
        repository.git(&["add", "-A"]);
        let name = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        repository.git(&[&name[..], &["commit", "-qm", "first"]].concat());
        repository
    }

    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        run(Command::new("git").args(args).current_dir(self.package.root())).expect_code(0).out
    }

    /// Against its own commit, whose program is there as soon as the file `go` is.
    pub fn command(&self, args: &[&str]) -> Command {
        let root = self.package.root().display();
        let build = format!(
            "test -e '{root}/target/go' || sleep 60; mkdir -p \"$CARGO_TARGET_DIR/release\" && \
             cp '{root}/{BUILT}' \"$CARGO_TARGET_DIR/release/api\""
        );
        fs::write(self.package.path("untracked"), "a difference").unwrap();
        let duet = ["--base-ref", "HEAD", "--base-build", &build, "--confirm", "none"];
        let mut command = self.package.command("built", &[&duet, args].concat());
        command.env("XDG_CACHE_HOME", self.cache.path());
        command
    }

    /// A whole call, after which the user's repository is as before.
    fn measure(&self) -> Ran {
        let ran = expect_measured(run(&mut self.command(&["--noplot", "--bench"])));
        self.package.expect_nothing_left();
        assert_eq!(self.git(&["worktree", "list"]).lines().count(), 1);
        assert_eq!(self.git(&["status", "--porcelain"]), "?? untracked\n");
        ran
    }

    fn let_build(&self) {
        fs::write(self.package.path("target/go"), "").unwrap();
    }
}

fn a_kill_while_a_side_is_built_leaves_no_build_and_the_next_call_builds_it() {
    let repository = Repository::new();
    let running = Running::start(&mut repository.command(&LONG));
    wait_until("a side is built", START, || {
        alive(repository.package.root()).iter().any(|(_, line)| line.starts_with("sleep 60"))
    });
    kill(&repository.package, running);
    repository.let_build();
    repository.measure().expect_err("Building head").expect_err("Building base: HEAD");
}

fn a_kill_while_a_side_is_measured_leaves_no_service() {
    let repository = Repository::new();
    repository.let_build();
    let running = Running::start(&mut repository.command(&LONG));
    wait_for_both_sides(&repository.package);
    kill(&repository.package, running);
    repository.measure();
    let built = fs::read_dir(repository.cache.path().join("plimsoll")).unwrap().flatten().next().unwrap();
    for folder in ["base-target/release", "head-target/release"] {
        let programs = fs::read_dir(built.path().join(folder)).unwrap().count();
        assert_eq!(programs, 1, "copies neither of this call nor of the killed one");
    }
}
