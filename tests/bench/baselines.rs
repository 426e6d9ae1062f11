//! Baselines as a bench reads, writes and refuses them, and what the command does with the files.

use std::fs;

use serde_json::Value;

use crate::suite::{CELL, Package};

crate::checks!(baselines:
    runs_are_saved_appended_and_replaced,
    a_named_baseline_must_be_there,
    a_baseline_stands_in_for_a_measurement,
    damaged_baselines_are_named_and_nothing_is_measured,
    a_redefined_cell_and_another_test_bed_are_incomparable,
    a_removed_cell_fails_a_gate_that_must_compare_and_a_new_one_passes,
    saved_runs_are_compared_accepted_listed_shown_and_dropped,
    files_that_cannot_be_compared_are_refused_with_the_reason,
    all_bench_targets_of_the_last_call_are_accepted_or_the_one_that_is_named,
);

fn runs(package: &Package, name: &str) -> usize {
    package.runs(name).len()
}

fn runs_are_saved_appended_and_replaced() {
    let package = Package::with_baseline();
    assert_eq!(runs(&package, "main"), 2);
    // What could not be measured fairly, or came out slower, is not added; then it says so.
    let added = package.bench("usual", &["--append", "--noplot"]);
    let refused = added.err.contains("The baseline `main` was not changed");
    assert_eq!(runs(&package, "main"), if refused { 2 } else { 3 }, "{}\n{}", added.out, added.err);
    assert_eq!(refused, added.code != Some(0), "{}\n{}", added.out, added.err);
    let replaced = package.bench("usual", &["--save-baseline", "main", "--noplot"]);
    if replaced.code == Some(0) {
        assert_eq!(runs(&package, "main"), 1);
        replaced.expect_err("Saved 1 run as baseline `main`");
    }
}

fn a_named_baseline_must_be_there() {
    let package = Package::with_baseline();
    let before = fs::read(package.reports().join("run.json")).unwrap();
    for suite in ["usual", "absent"] {
        package
            .bench(suite, &["--baseline", "other"])
            .expect_code(2)
            .expect_err("the baseline `other` does not hold `api/hello/4`")
            .expect_err("--save-baseline other");
    }
    package.bench("two", &["--baseline", "main"]).expect_code(2).expect_err("does not hold `api/hello/2`");
    package
        .bench("usual", &["--load-baseline", "other"])
        .expect_code(2)
        .expect_err("`other` does not hold `fixture`");
    assert_eq!(fs::read(package.reports().join("run.json")).unwrap(), before, "nothing was measured");
    let lenient = package.bench("usual", &["--baseline-lenient", "other", "--noplot"]);
    assert!(
        matches!(lenient.code, Some(0 | 3)) && lenient.out.starts_with("NOT COMPARED"),
        "{}",
        lenient.out
    );
    let new = package.bench("two", &["--noplot"]);
    assert!(new.out.contains("api/hello/2") && new.code != Some(2), "{}\n{}", new.out, new.err);
}

fn a_baseline_stands_in_for_a_measurement() {
    let package = Package::with_baseline();
    // With itself nothing is slower; and a service that cannot start shows that nothing is started.
    let ran = package.bench("absent", &["--load-baseline", "main", "--noplot"]).expect_code(0);
    assert!(ran.out.contains(CELL) && !ran.out.contains("NOT COMPARED"), "{}", ran.out);
    assert_eq!(runs(&package, "main"), 2);
}

fn damaged_baselines_are_named_and_nothing_is_measured() {
    let package = Package::with_baseline();
    let file = package.runs("main").remove(0);
    let sound = fs::read_to_string(&file).unwrap();
    fs::remove_dir_all(package.path("reports")).unwrap();
    for (text, sentence) in [
        (sound[..sound.len() / 2].to_owned(), "is damaged"),
        (String::new(), "is damaged"),
        (sound.replacen("\"schema\": 2", "\"schema\": 3", 1), "update plimsoll"),
        (sound.replacen("\"schema\": 2,", "", 1), "is not a file of runs"),
    ] {
        fs::write(&file, &text).unwrap();
        for args in [&["--noplot"][..], &["--append"], &["--save-baseline", "main"]] {
            let ran = package.bench("absent", args).expect_code(2).expect_err(sentence);
            assert!(ran.err.contains("baselines/main/fixture/") && ran.out.is_empty(), "{}", ran.err);
        }
        package.plimsoll(&["baseline", "show"]).expect_code(2).expect_err(sentence);
        assert_eq!(fs::read_to_string(&file).unwrap(), text, "nothing changed");
    }
    assert!(!package.path("reports").exists());
}

fn a_redefined_cell_and_another_test_bed_are_incomparable() {
    let package = Package::with_baseline();
    let both = |suite: &str| {
        let ran = package.bench(suite, &["--noplot"]);
        // Invalid when the machine is too busy to measure at all.
        assert!(matches!(ran.code, Some(0 | 3)), "{}\n{}", ran.out, ran.err);
        assert!(ran.code == Some(3) || ran.out.to_lowercase().contains("incomparable"), "{}", ran.out);
        assert!(ran.out.starts_with("NOT COMPARED"), "{}", ran.out);
        package.bench(suite, &["--noplot", "--fail-on", "incomparable"]).expect_code(3);
    };
    both("redefined");
    let (run, redefined) = (package.reports().join("run.json"), package.path("redefined.json"));
    fs::copy(&run, &redefined).unwrap();
    // As if another machine had recorded it: said once, with the command that compares here.
    package.bench("usual", &["--noplot"]);
    fs::remove_dir_all(package.baseline("main")).unwrap();
    let files = [redefined.to_str().unwrap(), run.to_str().unwrap()];
    package.plimsoll(&[&["report"][..], &files].concat()).expect_code(2).expect_err("has another definition");
    let here = fs::read_to_string(&run).unwrap();
    let elsewhere = here.replace("\"id\": \"boot:", "\"id\": \"boot:another-");
    assert_ne!(elsewhere, here);
    fs::write(&run, elsewhere).unwrap();
    package.plimsoll(&["accept", run.to_str().unwrap()]).expect_code(0);
    both("usual");
    let ran = package.bench("usual", &["--noplot"]);
    let said = "The baseline `main` was measured on another test bed (boot:another-";
    assert_eq!(ran.out.matches("another test bed").count(), 1, "{}", ran.out);
    ran.expect_out(said).expect_out("To record one on this machine: `cargo bench --bench fixture");
    // A name brings a machine with a new boot id back.
    let named = ["--noplot", "--test-bed", "desk"];
    package.bench("usual", &[&named[..], &["--save-baseline", "main"]].concat());
    let ran = package.bench("usual", &named);
    assert!(!ran.out.contains("NOT COMPARED"), "{}", ran.out);
    let ran = ran.expect_out("on another test bed: 1 stored run.");
    assert!(!ran.out.contains("To record one"), "{}", ran.out);
    let mut in_ci = package.command("usual", &["--noplot", "--test-bed", "another desk", "--bench"]);
    let ran = crate::common::run(in_ci.env("CI", "true"));
    let last = ran.err.trim().lines().last().unwrap_or_default();
    assert!(last.starts_with("warning: nothing was compared, therefore this check passes"), "{}", ran.err);
    ran.expect_code(0).expect_err("--base-ref origin/main...HEAD").expect_err("--test-bed NAME");
}

fn a_removed_cell_fails_a_gate_that_must_compare_and_a_new_one_passes() {
    let package = Package::new();
    let save = |suite: &str, name: &str| {
        let saves = || package.bench(suite, &["--save-baseline", name, "--noplot"]);
        assert!((0..3).any(|_| saves().code == Some(0)), "in three calls {suite} could not be measured");
    };
    save("two", "both");
    save("usual", "one");
    // Stored runs on both sides: nothing is measured, so nothing is slower by chance.
    let gate = |head: &str, base: &str, more: &[&str]| {
        let files = ["--load-baseline", head, "--baseline-lenient", base, "--noplot"];
        package.bench(if head == "both" { "two" } else { "usual" }, &[&files[..], more].concat())
    };
    let must_compare = ["--fail-on", "incomparable"];
    let removed = gate("one", "both", &must_compare).expect_code(3);
    removed
        .expect_out(
            "Removed or renamed since the baseline: api/hello/2. If that is intended, record a new baseline.",
        )
        .expect_out("1 removed (api/hello/2)");
    gate("one", "both", &[]).expect_code(0);
    let filtered = gate("one", "both", &["hello/4"]);
    assert!(!filtered.out.contains("removed"), "{}", filtered.out);
    let new = gate("both", "one", &must_compare).expect_out("1 new (api/hello/2)");
    // The control of a busy machine may differ between the two calls. Then nothing was compared.
    assert_eq!(new.code, Some(if new.out.starts_with("NOT COMPARED") { 3 } else { 0 }), "{}", new.out);
}

fn files_that_cannot_be_compared_are_refused_with_the_reason() {
    let package = Package::with_baseline();
    let stored = package.reports().join("run.json");
    let text = fs::read_to_string(&stored).unwrap();
    let file = |name: &str, text: &str| {
        fs::write(package.path(name), text).unwrap();
        name.to_owned()
    };
    let one = file("one.json", &text);
    let compare = |base: &str, head: &str| package.plimsoll(&["compare", base, head, "--noplot"]);
    let elsewhere = text.replace("\"id\": \"boot:", "\"id\": \"boot:another-");
    assert_ne!(elsewhere, text);
    let elsewhere = file("elsewhere.json", &elsewhere);
    compare(&elsewhere, &one)
        .expect_code(2)
        .expect_err("elsewhere.json was measured on the test bed boot:another-")
        .expect_err("and one.json on boot:")
        .expect_err("--base-ref");
    let others = text.replace("\"function\": \"hello\"", "\"function\": \"other\"");
    assert_ne!(others, text);
    let others = file("others.json", &others);
    compare(&others, &one).expect_code(2).expect_err("others.json and one.json have no cell in common");
    let base = format!("{} serve --port {{port}} --service-time 2ms", env!("CARGO_BIN_EXE_plimsoll"));
    let duet = ["--base-command", &base, "--confirm", "none", "--noplot"];
    package.bench("usual", &duet);
    let alone = file("alone.json", &fs::read_to_string(&stored).unwrap());
    for (base, head) in [(&alone, &one), (&one, &alone), (&alone, &alone)] {
        let refused = compare(base, head).expect_code(2);
        refused.expect_err("alone.json: it is the run of a duet and has no control");
    }
    assert!(!package.path("reports/compare").exists());
    // A duet that is saved has a control.
    package.bench("usual", &[&duet[..], &["--save-baseline", "duet"]].concat());
    let saved = file("saved.json", &fs::read_to_string(&stored).unwrap());
    compare(&saved, &saved).expect_code(0).expect_err("Head is compared with head");
}

fn all_bench_targets_of_the_last_call_are_accepted_or_the_one_that_is_named() {
    let package = Package::with_baseline();
    let text = fs::read_to_string(package.reports().join("run.json")).unwrap();
    let mut measured: Value = serde_json::from_str(&text).unwrap();
    let own = measured["runs"][0]["id"].as_str().unwrap().to_owned();
    // As if cargo had measured other bench targets.
    let mut write = |bench: &str, call: Option<&str>| {
        for run in measured["runs"].as_array_mut().unwrap() {
            run["bench"] = bench.into();
            if bench == "search" {
                run["started"] = "2030-01-01T00:00:00Z".into();
            }
            run["environment"].as_object_mut().unwrap().remove("call");
            call.into_iter().for_each(|call| run["environment"]["call"] = call.into());
        }
        let file = package.path("reports").join(bench).join("run.json");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, measured.to_string()).unwrap();
    };
    let accept = |args: &[&str]| package.plimsoll(&[&["accept"][..], args].concat());
    write("orders", Some("1234-5678"));
    write("search", Some("1234-5678"));
    fs::remove_dir_all(package.reports()).unwrap();
    // A report of a file is no bench target.
    fs::create_dir(package.path("reports/report")).unwrap();
    fs::copy(package.path("reports/search/run.json"), package.path("reports/report/run.json")).unwrap();
    let both = accept(&["--baseline", "both"]).expect_code(0);
    assert_eq!(both.out.matches("Accepted into").count(), 4, "{}", both.out);
    for bench in ["orders", "search"] {
        assert!(both.out.contains(&format!("baselines/both/{bench}/")), "{}", both.out);
        let stored = package.path("baselines/both").join(bench).join(format!("{own}.json"));
        assert!(!fs::read_to_string(stored).unwrap().contains("1234-5678"), "a baseline has no call");
    }
    // All or none.
    fs::remove_dir_all(package.path("baselines/both/orders")).unwrap();
    accept(&["--baseline", "both"]).expect_code(2).expect_err("reports/search/run.json: its run");
    assert!(!package.path("baselines/both/orders").exists());
    let one = accept(&["reports/orders/run.json", "--baseline", "one"]).expect_code(0);
    assert!(one.out.contains("baselines/one/orders/") && !one.out.contains("search"), "{}", one.out);
    // An earlier call, and one without cargo: only the newest, and the other is named.
    for call in [Some("999-1"), None] {
        write("search", call);
        let last = accept(&["--baseline", call.unwrap_or("by hand")]).expect_code(0);
        assert_eq!(last.out.matches("Accepted into").count(), 2, "{}", last.out);
        last.expect_out("Not accepted, because an earlier call measured it: ")
            .expect_out("reports/orders/run.json");
    }
    // A new epoch says what it removes.
    for (run, id) in measured["runs"].as_array_mut().unwrap().iter_mut().zip(["new-1", "new-2"]) {
        (run["id"], run["bench"]) = (format!("3{id}").into(), "orders".into());
    }
    fs::write(package.path("reports/orders/run.json"), measured.to_string()).unwrap();
    let accepted = accept(&["reports/orders/run.json", "--baseline", "one", "--reason", "on purpose"]);
    accepted.expect_code(0).expect_out("Removed 2 older runs of `orders` from the baseline `one`");
    let replaced = package.bench("usual", &["--save-baseline", "main", "--noplot"]);
    if replaced.code == Some(0) {
        replaced.expect_err("Saved 1 run as baseline `main` in").expect_err("; removed 2 older runs");
    }
}

fn saved_runs_are_compared_accepted_listed_shown_and_dropped() {
    let package = Package::with_baseline();
    let run = package.reports().join("run.json");
    let run = run.to_str().unwrap();
    let same = package.plimsoll(&["compare", run, run, "--noplot"]).expect_code(0).expect_out(CELL);
    assert!(!same.out.contains("regressed"), "{}", same.out);
    package.plimsoll(&["compare", run, "/no/such.json"]).expect_code(2).expect_err("/no/such.json");
    package
        .plimsoll(&["report", run])
        .expect_code(0)
        .expect_out(CELL)
        .expect_err("reports/report/index.html");
    for file in ["index.html", "run.json", "rounds-api~hello=2f4.svg", "percentiles-api~hello=2f4.png"] {
        assert!(package.path(&format!("reports/report/{file}")).is_file(), "{file}");
    }
    let measured = fs::read(package.reports().join("index.html")).unwrap();
    let chosen = package.plimsoll(&["report", run, "--output", "docs/load", "--noplot"]).expect_code(0);
    chosen.expect_err("Report: docs/load/index.html");
    let page = fs::read_to_string(package.path("docs/load/index.html")).unwrap();
    assert!(page.contains("<bdi>fixture, from saved runs</bdi>"), "it names the bench: {page}");
    assert!(!package.path("docs/index.html").exists(), "beside a chosen folder nothing is written");
    assert_eq!(fs::read(package.reports().join("index.html")).unwrap(), measured);
    let (copy, folder) = ("docs/load/run.json", "docs/load");
    for args in [&["report", run, copy, "--output", folder][..], &["compare", copy, run, "--output", folder]]
    {
        package.plimsoll(args).expect_code(2).expect_err("choose another folder with --output");
    }
    package.plimsoll(&["report", run, "/no/such.json"]).expect_code(2).expect_err("/no/such.json");
    package.plimsoll(&["report"]).expect_code(2).expect_err("<RUN>");

    package
        .plimsoll(&["accept", "--baseline", "other"])
        .expect_code(0)
        .expect_out("baselines/other/fixture/");
    assert_eq!(runs(&package, "other"), 2);
    let again = package.plimsoll(&["accept", "--baseline", "other"]);
    again.expect_code(2).expect_err("is already in the baseline `other`");
    assert_eq!(runs(&package, "other"), 2);
    let why = "stronger encryption";
    package.plimsoll(&["accept", run, "--baseline", "main", "--reason", why]).expect_code(0);
    let epochs: Vec<Value> = (package.runs("main").iter())
        .map(|path| serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap())
        .map(|file| file["runs"][0]["epoch"].clone())
        .collect();
    let reasons: Vec<_> = epochs.iter().filter_map(|epoch| epoch["reason"].as_str()).collect();
    assert_eq!((epochs.len(), reasons), (2, vec![why]), "{epochs:?}");
    assert!(epochs.iter().all(|epoch| epoch["first_run"] == epochs[0]["first_run"]), "{epochs:?}");

    package
        .plimsoll(&["baseline", "list"])
        .expect_code(0)
        .expect_out("main\n  fixture: 2 runs")
        .expect_out("other\n  fixture: 2 runs");
    package
        .plimsoll(&["baseline", "show"])
        .expect_code(0)
        .expect_out(why)
        .expect_out("hello/4: 10 rounds over 5 launches");
    package.plimsoll(&["baseline", "drop", "other"]).expect_code(0);
    assert!(!package.baseline("other").exists() && package.baseline("main").is_dir());
    for what in ["show", "drop"] {
        package
            .plimsoll(&["baseline", what, "other"])
            .expect_code(2)
            .expect_err("there is no baseline `other`");
    }
    let empty = Package::new();
    empty.plimsoll(&["accept"]).expect_code(2).expect_err("there is no run in");
    empty.plimsoll(&["baseline", "list"]).expect_code(0).expect_out("There is no baseline");
}
