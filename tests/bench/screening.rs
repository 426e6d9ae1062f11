//! Stored runs that screen and trees that decide, with a real cargo and a real git; and the bases that plimsoll knows by itself.

use crate::base_ref::Shop;
use crate::common::Ran;
use crate::suite::{CONTROL, Package};

crate::checks!(screening:
    stored_runs_count_only_while_the_machine_behaves_as_it_did,
    a_slowdown_since_the_baseline_is_confirmed_next_to_the_tree_that_began_it,
    a_baseline_recorded_before_its_commit_leads_to_a_squashed_one,
    a_first_tree_that_no_longer_builds_leaves_the_decision_to_the_stored_runs,
    files_of_the_baseline_itself_are_not_measured_again,
    the_last_program_is_base_until_another_one_is_measured,
);

const CELL: &str = "api/hello/2";
const FEW_PAIRS: [&str; 2] = ["--confirm-pairs", "5,10"];

/// Expects that the fresh pairs confirmed the cell.
#[track_caller]
fn expect_confirmed(ran: Ran) -> Ran {
    ran.expect_code(1)
        .expect_err("The cell looks slower than the stored runs; building")
        .expect_out(
            "1 of 1 cell looked slower than the stored runs. 1 of them measured again next to the first tree (the code of the baseline's first run), 1 confirmed.",
        )
        .expect_out(&format!("1 of 1 cell regressed: {CELL}"))
}

/// A shop that does not ignore its reports: they are no part of what was measured.
fn shop() -> Shop {
    let shop = Shop::new();
    shop.replace(".gitignore", "/reports\n", "");
    shop.commit("first");
    shop
}

/// Records a baseline; a service of a busy machine may be measured unfairly, but not three times.
fn record(shop: &Shop) -> Ran {
    for _ in 0..3 {
        let ran = shop.bench(&[], &["--save-baseline", "main", "--runs", "2"]);
        if ran.err.contains("Saved 2 runs") {
            return ran.expect_code(0);
        }
    }
    panic!("in three calls nothing could be recorded");
}

fn a_first_tree_that_no_longer_builds_leaves_the_decision_to_the_stored_runs() {
    let shop = shop();
    let text = std::fs::read_to_string(shop.root.join("switch/src/lib.rs")).unwrap();
    // A file outside the repository, which is gone later.
    let outside = shop.folder.path().join("outside.rs");
    std::fs::write(&outside, "1").unwrap();
    shop.write("switch/src/lib.rs", &format!("pub const FACTOR: u32 = include!({outside:?});\n"));
    shop.commit("with a file from outside");
    record(&shop);
    shop.commit("a baseline");
    std::fs::remove_file(&outside).unwrap();
    shop.write("switch/src/lib.rs", &text);
    shop.write("config.txt", "4\n");
    let ran = shop.bench(&[], &FEW_PAIRS).expect_code(0);
    ran.expect_err("base could not be built")
        .expect_err("So the stored runs decide alone")
        .expect_out("1 inconclusive");
}

fn stored_runs_count_only_while_the_machine_behaves_as_it_did() {
    let package = Package::with_baseline();
    let bench = |slower: &str, args: &[&str]| {
        let mut command = package.command("usual", &[args, &["--noplot", "--bench"]].concat());
        crate::common::run(command.env(CONTROL, slower))
    };
    let same = bench("1", &[]).expect_out("2 of 2 stored runs match");
    assert!(same.code == Some(0) && !same.out.contains("NOT COMPARED"), "{}", same.out);
    let other = bench("2", &[]).expect_code(0).expect_out("0 of 2 stored runs match");
    let other =
        other.expect_out("No stored run of the baseline `main` can be compared. The machine does not behave");
    assert!(other.out.starts_with("NOT COMPARED"), "{}", other.out);
    bench("2", &["--fail-on", "incomparable"]).expect_code(3);
}

fn a_slowdown_since_the_baseline_is_confirmed_next_to_the_tree_that_began_it() {
    let shop = shop();
    let recorded = record(&shop);
    assert!(!recorded.err.contains("No commit has the files"), "{}", recorded.err);
    shop.commit("a baseline");
    shop.write("config.txt", "4\n");
    let only_screened = shop.bench(&[], &["--confirm", "none"]).expect_code(0);
    only_screened.expect_out("1 of 1 cell looked slower than the stored runs; nothing was measured again.");
    let ran = expect_confirmed(shop.bench(&[], &FEW_PAIRS));
    ran.expect_out("2 stored runs, then the first tree, alternately")
        .expect_out("the first tree of the baseline `main`");
    // A call that adds to the baseline is refused, and says so.
    let refused = shop.bench(&[], &[&FEW_PAIRS[..], &["--append"]].concat()).expect_code(1);
    refused.expect_err("The baseline `main` was not changed");
    // The same without any screening.
    let whole = shop.bench(&[], &[&FEW_PAIRS[..], &["--base", "baseline"]].concat()).expect_code(1);
    whole.expect_out("Base is the first tree of the baseline `main`");
    shop.bench(&[], &["--base", "main"]).expect_code(2).expect_err("--base-ref main");
    shop.bench(&[], &["--base", "baseline", "--baseline", "other"])
        .expect_code(2)
        .expect_err("no baseline `other`");
}

fn a_baseline_recorded_before_its_commit_leads_to_a_squashed_one() {
    let shop = shop();
    shop.git(&["checkout", "-q", "-b", "branch"]);
    shop.write("notes.md", "To be measured.\n");
    record(&shop).expect_err("No commit has the files that were measured. Commit them with the baseline");
    shop.commit("notes and a baseline");
    shop.git(&["checkout", "-q", "main"]);
    shop.git(&["merge", "-q", "--squash", "branch"]);
    shop.commit("squashed");
    shop.git(&["branch", "-q", "-D", "branch"]);
    shop.write("config.txt", "4\n");
    shop.commit("slower");
    expect_confirmed(shop.bench(&[], &FEW_PAIRS));
}

fn files_of_the_baseline_itself_are_not_measured_again() {
    let shop = shop();
    record(&shop);
    shop.commit("a baseline");
    // Slower, but not because of a file of the repository.
    let ran = shop.bench(&["--features", "slow"], &[]).expect_code(0);
    assert!(!ran.err.contains("Building"), "{}", ran.err);
    ran.expect_out("The files are the same as in the first tree of the baseline `main`");
}

fn the_last_program_is_base_until_another_one_is_measured() {
    let shop = shop();
    let last = [&FEW_PAIRS[..], &["--base", "last"]].concat();
    let must_compare = [&last[..], &["--fail-on", "incomparable"]].concat();
    let first = shop.bench(&[], &must_compare).expect_code(3);
    first.expect_out("NOT COMPARED: this is the first program that was measured by this bench");
    shop.bench(&[], &last).expect_code(0).expect_out("NOT COMPARED");
    shop.replace("src/main.rs", "from_micros(500)", "from_micros(2500)");
    for _ in 0..2 {
        let ran = shop.bench(&[], &last).expect_code(1).expect_out(&format!("1 of 1 cell regressed: {CELL}"));
        ran.expect_out("Base is the program that was measured");
    }
    shop.replace("src/main.rs", "from_micros(2500)", "from_micros(500)");
    shop.bench(&[], &last).expect_code(0);
}
