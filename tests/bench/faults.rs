//! Services that do not start or answer wrongly, and disks that take nothing.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::common::{Ran, closed_pipe, full_disk, run, run_into};
use crate::suite::{CELL, Package};

crate::checks!(faults:
    a_service_that_does_not_start_is_not_measured,
    a_wrong_first_answer_names_cell_url_and_what_came,
    a_file_in_the_place_of_reports_leaves_the_verdict_told,
    a_full_disk_behind_standard_output_is_an_error_after_everything_is_saved,
    a_reader_that_left_early_is_not_an_error,
    a_full_disk_leaves_the_baseline_whole,
    more_connections_than_open_files_are_allowed_where_they_can_be_and_else_are_an_error,
);

fn a_service_that_does_not_start_is_not_measured() {
    let package = Package::new();
    for args in [&["--bench"][..], &[]] {
        let absent = package.run("absent", args).expect_code(3);
        assert!((absent.out + &absent.err).contains("/no/such/program` was not found"), "{args:?}");
        let dies = package.run("dies", args).expect_code(3);
        let told = dies.out + &dies.err;
        assert!(told.contains("exit status 7") && told.contains("| my last words"), "{told}");
    }
    assert!(!package.path("baselines").exists());
}

fn a_wrong_first_answer_names_cell_url_and_what_came() {
    let package = Package::new();
    package
        .bench("wrong", &["--save-baseline", "main"])
        .expect_code(3)
        .expect_err(&format!("cell `{CELL}`"))
        .expect_err("/tokenizer failed")
        .expect_err("400");
    assert!(!package.path("baselines").exists());
}

fn a_file_in_the_place_of_reports_leaves_the_verdict_told() {
    let package = Package::new();
    fs::write(package.path("reports"), "mine").unwrap();
    package
        .bench("usual", &["--save-baseline", "main"])
        .expect_code(3)
        .expect_out(CELL)
        .expect_out("NOT COMPARED")
        .expect_err("is a file where a folder is needed");
    assert_eq!(fs::read_to_string(package.path("reports")).unwrap(), "mine");
}

/// A bench below a limit that a shell sets.
fn limited(limit: &str, package: &Package, suite: &str, args: &[&str]) -> Ran {
    let bench = package.command(suite, &[args, &["--bench"]].concat());
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")])
        .arg(bench.get_program())
        .args(bench.get_args());
    for (name, value) in bench.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    run(&mut shell)
}

fn more_connections_than_open_files_are_allowed_where_they_can_be_and_else_are_an_error() {
    let package = Package::new();
    // The soft limit is the process's own to raise.
    let raised = limited("ulimit -Sn 256", &package, "many", &["--noplot"]);
    assert!(matches!(raised.code, Some(0 | 3)), "{}\n{}", raised.out, raised.err);
    assert!(
        raised.out.contains("api/hello/300") && !raised.out.contains("too many open files"),
        "{}",
        raised.out
    );
    assert!(raised.out.contains("100%"), "{}", raised.out);
    limited("ulimit -n 256", &package, "many", &["--noplot"])
        .expect_code(3)
        .expect_err("300 connections at once need 364 open files, but this process is limited to 256")
        .expect_err("ulimit -n 364");
    package.expect_nothing_left();
}

fn a_full_disk_behind_standard_output_is_an_error_after_everything_is_saved() {
    let package = Package::new();
    let args = ["--save-baseline", "main", "--noplot", "--bench"];
    run_into(full_disk(), &mut package.command("usual", &args))
        .expect_code(3)
        .expect_err("error: could not write to standard output: No space left on device");
    assert!(package.reports().join("run.json").is_file() && package.reports().join("index.html").is_file());
    assert_eq!(package.runs("main").len(), 1);
    for args in [&["--list"][..], &[]] {
        run_into(full_disk(), &mut package.command("usual", args)).expect_code(3);
    }
}

fn a_reader_that_left_early_is_not_an_error() {
    let package = Package::new();
    for args in [&["--list"][..], &[], &["--save-baseline", "main", "--noplot", "--bench"]] {
        let ran = run_into(closed_pipe(), &mut package.command("usual", args)).expect_code(0);
        assert!(!ran.err.contains("error") && !ran.err.contains("panicked"), "{}", ran.err);
    }
    assert_eq!(package.runs("main").len(), 1);
}

fn a_full_disk_leaves_the_baseline_whole() {
    let package = Package::with_baseline();
    let before = package.main();
    let args = ["--save-baseline", "main", "--noplot"];
    let ran = limited("ulimit -f 1", &package, "usual", &args).expect_code(3).expect_out(CELL);
    assert!(ran.err.contains("error: "), "{}", ran.err);
    assert_eq!(package.main(), before);
    package.expect_nothing_left();
    assert_eq!(package.runs("main").len(), 2, "no half file is left");

    // The same for the command, whose only file is the baseline.
    let run_file = package.reports().join("run.json");
    let accept = Command::new("sh")
        .args(["-c", "ulimit -f 1; exec \"$0\" accept \"$1\" --reason why", env!("CARGO_BIN_EXE_plimsoll")])
        .arg(run_file)
        .current_dir(package.root())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&accept.stderr);
    assert_eq!((accept.status.code(), accept.status.signal()), (Some(3), None), "{told}");
    assert!(told.contains("baselines/main/fixture/"), "{told}");
    assert_eq!(package.main(), before);
}
