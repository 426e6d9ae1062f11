//! What became slower, and what fails, is told by exit code and name.

use std::fs;

use crate::common::{Ran, full_disk, plimsoll, run_into};
use crate::suite::{CELL, Package};

crate::checks!(verdicts:
    a_service_with_other_arguments_is_another_one,
    failures_are_never_fast_successes,
    a_broken_limit_is_red_without_a_baseline,
    a_duet_is_red_by_fresh_pairs_and_without_a_baseline,
);

/// A busy machine can make the client the bottleneck, which is said and is no verdict; not every time.
fn in_three_tries(what: &str, mut call: impl FnMut() -> Ran, holds: impl Fn(&Ran) -> bool) {
    let tried: Vec<String> = (0..3)
        .map(|_| call())
        .take_while(|ran| !holds(ran))
        .map(|ran| format!("{:?}\n{}\n{}", ran.code, ran.out, ran.err))
        .collect();
    assert!(tried.len() < 3, "{what}:\n{}", tried.join("\n"));
}

fn a_service_with_other_arguments_is_another_one() {
    let package = Package::with_baseline();
    let base = package.path("base.json");
    fs::copy(package.reports().join("run.json"), &base).unwrap();
    let slower = ["--service-arg=--service-time=12ms", "--noplot"];
    let is_shown = |ran: &Ran| ran.code == Some(0) && ran.out.contains("1 incomparable");
    in_three_tries("it is incomparable", || package.bench("usual", &slower), is_shown);
    let head = package.reports().join("run.json");
    let files = [base.to_str().unwrap(), head.to_str().unwrap()];
    let compared = package.plimsoll(&["compare", files[0], files[1], "--noplot"]);
    compared.expect_code(0).expect_out("1 incomparable");
    // Compared with one baseline and saved as another: the slow service is still a failure, and the first one stays.
    let before = package.main();
    let compared = ["--baseline", "main", "--save-baseline", "pr-7", "--fail-on", "incomparable", "--noplot"];
    in_three_tries(
        "it is saved all the same",
        || package.bench("usual", &[&slower[..1], &compared[..]].concat()),
        |ran| ran.code == Some(3) && ran.err.contains("Saved 1 run as baseline `pr-7`"),
    );
    assert_eq!(package.main(), before);
    in_three_tries(
        "replacing accepts",
        || package.bench("usual", &[&slower[..1], &["--save-baseline", "slow", "--noplot"]].concat()),
        |ran| ran.code == Some(0) && package.baseline("slow").is_dir(),
    );
    let accepted = package.plimsoll(&["accept", files[1], "--reason", "slower on purpose"]);
    accepted.expect_code(0).expect_out("baselines/main/fixture/");
    package.bench("usual", &["--load-baseline", "slow", "--baseline", "main", "--noplot"]).expect_code(0);
}

fn a_duet_is_red_by_fresh_pairs_and_without_a_baseline() {
    let package = Package::new();
    let base = format!("{} serve --port {{port}} --service-time 2ms", env!("CARGO_BIN_EXE_plimsoll"));
    let duet = ["--base-command", &base, "--confirm-pairs", "5,10", "--noplot"];
    in_three_tries(
        "it is red",
        || package.bench("usual", &[&duet[..], &["--service-arg=--service-time=12ms"]].concat()),
        |ran| {
            ran.code == Some(1)
                && ran.out.contains(&format!("1 of 1 cell regressed: {CELL}"))
                && ran.out.contains("analysis 1 of 2")
                && ran.err.contains("The cell looks slower; measuring again (analysis 1 of 2)")
        },
    );
    assert!(!package.path("baselines").exists(), "never written unasked");
    // The saved run has both stages, and is as red.
    let run = package.reports().join("run.json");
    package
        .plimsoll(&["report", run.to_str().unwrap(), "--noplot"])
        .expect_code(1)
        .expect_out("analysis 1 of 2");
    let mut report = plimsoll(&["report", run.to_str().unwrap(), "--noplot"]);
    run_into(full_disk(), report.current_dir(package.root()))
        .expect_code(1)
        .expect_err("could not write to standard output");
    in_three_tries("it is not", || package.bench("usual", &duet), |ran| ran.code == Some(0));
    package
        .bench("usual", &["--base-command", "'", "--noplot"])
        .expect_code(2)
        .expect_err("cannot be parsed as a command line");
    package
        .bench("usual", &["--base-ref", "HEAD", "--noplot"])
        .expect_code(2)
        .expect_err("is not in a git repository");
}

fn failures_are_never_fast_successes() {
    let package = Package::with_baseline();
    let ran = package.bench("usual", &["--service-arg=--max-concurrent-requests=1", "--noplot"]);
    assert!(matches!(ran.code, Some(1 | 3)), "{}\n{}", ran.out, ran.err);
    assert!(!ran.out.contains("improved"), "{}", ran.out);
    assert!(ran.out.contains("429"), "{}", ran.out);
}

fn a_broken_limit_is_red_without_a_baseline() {
    let package = Package::new();
    in_three_tries(
        "it is red",
        || package.bench("limited", &["--noplot"]),
        |ran| ran.code == Some(1) && ran.out.contains("limit") && ran.out.contains(CELL),
    );
}
