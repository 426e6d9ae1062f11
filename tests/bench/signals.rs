//! What is left when a bench is ended while it measures: a partial report, and no process.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{Ran, Running, alive, ending_signals, wait_until};
use crate::duets::Repository;
use crate::suite::{CARGO, Package};

crate::checks!(signals:
    signals_end_it_with_a_partial_report,
    before_one_round_nothing_is_reported,
    a_ctrl_c_of_which_cargo_dies_ends_it_with_a_partial_report,
    the_death_of_cargo_alone_ends_it_with_a_partial_report,
    a_ctrl_c_while_base_is_built_is_told,
    a_kill_leaves_no_service,
);

/// Rounds so short that many of them are measured at once.
const SHORT_ROUNDS: [&str; 4] = ["--sample-size", "1000", "--warm-up-time", "100ms"];
/// However busy the machine, it measures within this time.
const START: Duration = Duration::from_secs(60);
/// And some rounds within this one.
const FIRST_ROUNDS: Duration = Duration::from_secs(5);

fn measuring(package: &Package, more: &[&str]) -> Running {
    let long = ["--measurement-time", "100s", "--save-baseline", "main", "--noplot", "--bench"];
    let running = Running::start(&mut package.command("usual", &[&long, more].concat()));
    wait_until("the service runs", START, || {
        alive(package.root()).iter().any(|(_, command)| command.contains("serve --port"))
    });
    running
}

/// A bench below a parent that dies of signals, both in a process group of their own, once something of it runs.
fn below_cargo(package: &Package, mut bench: Command, waits_for: &str) -> Running {
    let running = Running::start(bench.env(CARGO, "1").process_group(0));
    wait_until("what it starts runs", START, || {
        alive(package.root()).iter().any(|(_, line)| line.contains(waits_for) && !line.contains("--bench"))
    });
    running
}

/// What was said until the bench itself has ended, which is later than its parent.
fn ended_below_cargo(package: &Package, running: Running) -> Ran {
    wait_until("the bench has ended", START, || alive(package.root()).is_empty());
    running.finish()
}

fn hears_ctrl_c() -> bool {
    ending_signals().iter().any(|(signal, _)| *signal == Signal::SIGINT)
}

fn stop_of(package: &Package) -> String {
    let run = fs::read_to_string(package.reports().join("run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_str(&run).unwrap();
    run["runs"][0]["stop"].to_string()
}

fn measuring_below_cargo(package: &Package) -> Running {
    let long = ["--measurement-time", "100s", "--save-baseline", "main", "--noplot", "--bench"];
    below_cargo(package, package.command("usual", &[&long[..], &SHORT_ROUNDS].concat()), "serve --port")
}

fn a_ctrl_c_of_which_cargo_dies_ends_it_with_a_partial_report() {
    if !hears_ctrl_c() {
        return;
    }
    let package = Package::new();
    // In the trial there is nothing to report yet.
    for (delay, stops) in [(Duration::ZERO, None), (FIRST_ROUNDS, Some("2"))] {
        let running = measuring_below_cargo(&package);
        std::thread::sleep(delay);
        running.signal_group(Signal::SIGINT);
        let ran = ended_below_cargo(&package, running);
        assert_eq!(ran.code, None, "cargo dies of it");
        match stops {
            None => _ = ran.expect_err("signal 2 ended the run before one round"),
            Some(signal) => {
                ran.expect_err("was not changed: the run was interrupted").expect_err("Report: ");
                assert!(stop_of(&package).contains(signal), "{}", stop_of(&package));
            }
        }
    }
}

fn the_death_of_cargo_alone_ends_it_with_a_partial_report() {
    let package = Package::new();
    let running = measuring_below_cargo(&package);
    std::thread::sleep(FIRST_ROUNDS);
    running.signal(Signal::SIGKILL);
    let ran = ended_below_cargo(&package, running).expect_err("Report: ");
    assert_eq!(ran.code, None);
    assert!(stop_of(&package).contains("15"), "{}", stop_of(&package));
}

fn a_ctrl_c_while_base_is_built_is_told() {
    if !hears_ctrl_c() {
        return;
    }
    let repository = Repository::new();
    let running = below_cargo(&repository.package, repository.command(&["--noplot", "--bench"]), "sleep 60");
    running.signal_group(Signal::SIGINT);
    let ran = ended_below_cargo(&repository.package, running)
        .expect_err("Interrupted before anything was measured.");
    assert!(!ran.err.contains("error"), "{}", ran.err);
    assert_eq!(repository.git(&["worktree", "list"]).lines().count(), 1);
    assert!(!repository.package.reports().exists());
}

fn signals_end_it_with_a_partial_report() {
    let package = Package::with_baseline();
    let before = package.main();
    for (signal, code) in ending_signals() {
        fs::remove_dir_all(package.path("reports")).unwrap();
        let running = measuring(&package, &SHORT_ROUNDS);
        std::thread::sleep(FIRST_ROUNDS);
        running.signal(signal);
        let ran = running.finish().expect_code(code);
        assert!(ran.err.contains("was not changed: the run was interrupted"), "{}\n{}", ran.out, ran.err);
        package.expect_nothing_left();
        assert_eq!(package.main(), before);
        let run = fs::read_to_string(package.reports().join("run.json")).unwrap();
        let run: serde_json::Value = serde_json::from_str(&run).unwrap();
        let stop = &run["runs"][0]["stop"];
        assert!(stop.to_string().contains(&(code - 128).to_string()), "{stop}");
        let partial = package.reports().join("run.json");
        package.plimsoll(&["accept", partial.to_str().unwrap()]).expect_code(2).expect_err("ended early");
        assert_eq!(package.main(), before);
    }
}

fn before_one_round_nothing_is_reported() {
    let package = Package::with_baseline();
    let files = ["index.html", "run.json"];
    let read = || files.map(|file| fs::read(package.reports().join(file)).unwrap());
    let (baseline, reports) = (package.main(), read());
    for (signal, code) in ending_signals() {
        // A round takes ten seconds.
        let running = measuring(&package, &[]);
        running.signal(signal);
        let ran = running.finish().expect_code(code);
        let why = format!("the previous page stays: signal {} ended the run before one round", code - 128);
        assert!(ran.err.contains(&why) && ran.out.is_empty(), "{}\n{}", ran.out, ran.err);
        package.expect_nothing_left();
        assert!(package.main() == baseline && read() == reports);
    }
}

fn a_kill_leaves_no_service() {
    let package = Package::new();
    let running = measuring(&package, &[]);
    running.signal(Signal::SIGKILL);
    assert_eq!(running.finish().code, None);
    package.expect_nothing_left();
    assert!(!package.path("baselines").exists());
}
