//! What is left when a bench is ended while it measures: a partial report, and no process.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{Running, alive, ending_signals, wait_until};
use crate::suite::Package;

crate::checks!(signals: signals_end_it_with_a_partial_report, a_kill_leaves_no_service);

/// However busy the machine, it measures within this time.
const START: Duration = Duration::from_secs(60);

fn measuring(package: &Package) -> Running {
    let long = ["--measurement-time", "100s", "--save-baseline", "main", "--noplot", "--bench"];
    let running = Running::start(&mut package.command("usual", &long));
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
        let running = measuring(&package);
        // Into the first rounds, or into what comes before: it must not matter.
        std::thread::sleep(Duration::from_millis(500));
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

fn a_kill_leaves_no_service() {
    let package = Package::new();
    let running = measuring(&package);
    running.signal(Signal::SIGKILL);
    assert_eq!(running.finish().code, None);
    package.expect_nothing_left();
    assert!(!package.path("baselines").exists());
}
