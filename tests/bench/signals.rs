//! What is left when a bench is ended while it measures: a partial report, and no process.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{Running, alive, ending_signals, wait_until};
use crate::suite::Package;

crate::checks!(signals: signals_end_it_with_a_partial_report, before_one_round_nothing_is_reported, a_kill_leaves_no_service);

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

fn signals_end_it_with_a_partial_report() {
    let package = Package::with_baseline();
    let before = package.main();
    for (signal, code) in ending_signals() {
        fs::remove_dir_all(package.path("reports")).unwrap();
        let running = measuring(&package, &SHORT_ROUNDS);
        std::thread::sleep(FIRST_ROUNDS);
        running.signal(signal);
        let ran = running.finish().expect_code(code);
        assert!(ran.err.contains("was left as it is: the run was interrupted"), "{}\n{}", ran.out, ran.err);
        package.expect_nothing_left();
        assert_eq!(package.main(), before);
        let run = fs::read_to_string(package.reports().join("run.json")).unwrap();
        let run: serde_json::Value = serde_json::from_str(&run).unwrap();
        let stop = &run["runs"][0]["stop"];
        assert!(stop.to_string().contains(&(code - 128).to_string()), "{stop}");
        let partial = package.reports().join("run.json");
        package
            .plimsoll(&["accept", partial.to_str().unwrap()])
            .expect_code(2)
            .expect_err("ended before its time");
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
        let why =
            format!("the last report stays: signal {} ended the measuring before one round", code - 128);
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
