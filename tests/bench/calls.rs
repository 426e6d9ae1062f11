//! What cargo, nextest and people call a bench with.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use crate::common::{Running, alive, ending_signals, run, run_on_terminal, wait_until};
use crate::suite::{CELL, Package};

crate::checks!(calls:
    cells_are_listed_for_people_and_for_nextest,
    without_bench_each_request_is_made_once,
    each_line_of_a_targets_file_is_requested_with_its_own_body,
    nextest_asks_for_one_cell,
    what_libtest_knows_is_ignored,
    a_filter_without_a_match_is_an_error_unless_another_target_may_have_one,
    a_broken_filter_is_a_wrong_call,
    bench_measures_and_reports,
    a_dumb_terminal_gets_lines_and_the_usual_variables_decide_on_colors,
    a_report_comes_in_the_forms_that_are_asked_for,
    criterions_other_flags_do_what_they_do_there,
    wrong_values_name_file_line_group_and_cell,
    wrong_flags_are_refused_before_anything_is_started,
    a_flag_overrules_variables_and_an_empty_variable_says_nothing,
);

fn cells_are_listed_for_people_and_for_nextest() {
    let package = Package::new();
    let both = "api/hello/4: benchmark\napi/hello/2: benchmark\n";
    // A service that cannot start shows that none is started.
    for suite in ["two", "absent"] {
        let expected = if suite == "two" { both } else { "api/hello/4: benchmark\n" };
        for args in [&["--list"][..], &["--list", "--format", "terse"], &["--list", "--bench"]] {
            let ran = package.run(suite, args).expect_code(0);
            assert_eq!((ran.out.as_str(), ran.err.as_str()), (expected, ""), "{args:?}");
        }
        let ran = package.run(suite, &["--list", "--format", "terse", "--ignored"]).expect_code(0);
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    }
    assert_eq!(package.run("two", &["--list", "2$"]).out, "api/hello/2: benchmark\n");
    package.expect_not_measured();
}

fn without_bench_each_request_is_made_once() {
    let package = Package::new();
    for args in [&[][..], &["--bench", "--test"]] {
        let ran = package.run("two", args).expect_code(0);
        for cell in ["api/hello/4", "api/hello/2"] {
            assert_eq!(ran.out.matches(&format!("Testing {cell}\nSuccess\n")).count(), 1, "{}", ran.out);
        }
    }
    assert!(!package.path("reports").exists());
    package.run("wrong", &[]).expect_code(3).expect_out("400");
}

/// Answers that many requests, each on a connection of its own, and returns them.
fn answer(listener: &TcpListener, requests: usize) -> Vec<String> {
    let answer_one = |_| {
        let (mut connection, _) = listener.accept().unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let (mut request, mut bytes) = (String::new(), [0; 4096]);
        // Each body ends with a point.
        while !request.ends_with("\r\n\r\n") && !request.ends_with('.') {
            let read = connection.read(&mut bytes).unwrap();
            request += std::str::from_utf8(&bytes[..read]).unwrap();
        }
        connection.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
        request
    };
    (0..requests).map(answer_one).collect()
}

fn each_line_of_a_targets_file_is_requested_with_its_own_body() {
    let package = Package::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let lines = format!(
        "{{\"url\": \"{url}/a\", \"body\": \"one.\"}}\n{{\"method\": \"put\", \"url\": \"{url}/b\", \
         \"headers\": {{\"X-Of\": \"b\"}}, \"body_file\": \"two\"}}\n{url}/c\n"
    );
    fs::write(package.path("targets.jsonl"), lines).unwrap();
    fs::write(package.path("two"), "two.").unwrap();
    let server = thread::spawn(move || answer(&listener, 3));
    package.run("targets", &[]).expect_code(0).expect_out("Testing api/many\nSuccess\n");
    let requests = server.join().unwrap();
    assert!(requests[0].starts_with("POST /a ") && requests[0].ends_with("\r\n\r\none."), "{requests:?}");
    assert!(requests[1].starts_with("PUT /b ") && requests[1].ends_with("\r\n\r\ntwo."), "{requests:?}");
    assert!(requests[1].contains("\r\nX-Of: b\r\n") && requests[2].starts_with("GET /c "), "{requests:?}");

    fs::write(package.path("targets.jsonl"), "/hello\n{\"path\": \"/a\"}\n").unwrap();
    package
        .run("targets", &[])
        .expect_code(2)
        .expect_err("suite.rs:")
        .expect_err("cell `api/many`: targets.jsonl:2: unknown field `path`");
}

fn nextest_asks_for_one_cell() {
    let package = Package::new();
    let ran = package.run("two", &[CELL, "--exact", "--nocapture"]).expect_code(0);
    assert!(ran.out.contains("Testing api/hello/4") && !ran.out.contains("hello/2"), "{}", ran.out);
    // Several at once are safe.
    let commands =
        ["api/hello/4", "api/hello/2"].map(|id| package.command("two", &[id, "--exact", "--nocapture"]));
    let running = commands.map(|mut command| crate::common::Running::start(&mut command));
    for running in running {
        running.finish().expect_code(0).expect_out("Success");
    }
    package.expect_nothing_left();
}

fn what_libtest_knows_is_ignored() {
    let package = Package::new();
    let flags = [
        "--test-threads=1",
        "--nocapture",
        "--no-capture",
        "--show-output",
        "--include-ignored",
        "--report-time",
        "--shuffle",
        "--logfile",
        "log",
        "-Z",
        "unstable-options",
        "--format",
        "pretty",
        "--skip",
        "hello/2",
    ];
    let ran = package.run("two", &flags).expect_code(0).expect_out("Testing api/hello/4");
    assert!(!ran.out.contains("hello/2"), "{}", ran.out);
}

fn a_filter_without_a_match_is_an_error_unless_another_target_may_have_one() {
    let package = Package::new();
    // `cargo test NAME` runs the tests of that name, wherever they are.
    for args in [&["nothing"][..], &["hello", "--exact"]] {
        let ran =
            package.run("usual", args).expect_code(0).expect_err("warning: nothing was tested, because");
        assert!(ran.out.is_empty(), "{args:?}: {}", ran.out);
    }
    let message = "no cell matches the filter `hallo`; similar cells: `api/hello/4`, `api/hello/2` (--list shows all 2)";
    package.run("two", &["hallo", "--bench"]).expect_code(2).expect_err(&format!("error: {message}"));
    // cargo that cannot be asked may be running several targets.
    let several = |args: &[&str]| run(package.command("two", args).env("CARGO", "cargo"));
    let warned = several(&["hallo", "--bench"]).expect_code(0);
    warned.expect_err(&format!("warning: NOT COMPARED: nothing was measured, because {message}"));
    several(&["hallo", "--bench", "--fail-on", "incomparable"]).expect_code(3);
    let skipped = package.run("two", &["--skip", "hello", "--bench"]).expect_code(0);
    skipped.expect_err("because --skip leaves out every cell");
    package.expect_not_measured();
}

fn a_broken_filter_is_a_wrong_call() {
    let package = Package::new();
    package.bench("usual", &["hello("]).expect_code(2).expect_err("the filter is not a regular expression");
    package.expect_not_measured();
}

fn bench_measures_and_reports() {
    let package = Package::new();
    let ran = package.bench("usual", &[]);
    // On a machine that is very busy the client is the bottleneck, and says so.
    assert!(matches!(ran.code, Some(0 | 3)), "{}\n{}", ran.out, ran.err);
    assert!(ran.out.lines().next().unwrap().contains("NOT COMPARED"), "{}", ran.out);
    assert!(ran.out.contains(CELL), "{}", ran.out);
    let written = |name: &str| fs::read(package.reports().join(name)).unwrap();
    assert!(String::from_utf8(written("index.html")).unwrap().contains(CELL));
    for chart in ["rounds-api~hello=2f4", "percentiles-api~hello=2f4"] {
        let (svg, png) = (written(&format!("{chart}.svg")), written(&format!("{chart}.png")));
        assert!(svg.starts_with(b"<svg") && svg.ends_with(b"</svg>\n"), "{chart}");
        assert!(png.starts_with(b"\x89PNG") && png.len() > 1_000, "{chart}");
    }
    let run: serde_json::Value = serde_json::from_slice(&written("run.json")).unwrap();
    assert!(run.is_object(), "{run}");
    assert!(package.path("reports/index.html").is_file());
    assert!(!package.path("baselines").exists(), "never written unasked");

    let quiet = package.bench("usual", &["--quiet", "--noplot"]);
    assert!(quiet.out.is_empty() && matches!(quiet.code, Some(0 | 3)), "{}\n{}", quiet.out, quiet.err);
}

fn a_dumb_terminal_gets_lines_and_the_usual_variables_decide_on_colors() {
    let package = Package::new();
    let on_terminal = |term: Option<&str>| {
        let (code, text) = run_on_terminal(term, &mut package.command("usual", &["--noplot", "--bench"]));
        assert!(matches!(code, Some(0 | 3)) && text.contains(CELL), "{text}");
        text
    };
    for term in [Some("dumb"), None] {
        let text = on_terminal(term);
        assert!(text.contains("Measuring 1 cell in 10 rounds") && !text.contains('\x1b'), "{text}");
    }
    assert!(on_terminal(Some("xterm")).contains('\x1b'));
    let colored = |variables: &[(&str, &str)]| {
        let mut command = package.command("usual", &["--noplot", "--bench"]);
        let command = command.env_remove("NO_COLOR").env_remove("CARGO_TERM_COLOR");
        run(command.envs(variables.iter().copied())).out.contains('\x1b')
    };
    assert!(colored(&[("CARGO_TERM_COLOR", "always")]), "cargo is told to use colors");
    assert!(!colored(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

fn a_report_comes_in_the_forms_that_are_asked_for() {
    let package = Package::new();
    for (wrong, why) in [
        (&["--report", "xml"][..], "it must be one of markdown, github, junit, json, openmetrics, csv"),
        (&["--report", "json=-,csv=-"], "standard output holds one thing"),
        (&["--report", "json=-", "--output-format", "bencher"], "standard output holds one thing"),
        (&["--report", "json=reports/fixture/run.json"], "--report cannot write to"),
        (&["--report", "json=a,csv=a"], "another part of the report goes there"),
        (&["--report", "json=/dev/stdout"], "it is not a file"),
        (&["--report", "json=/proc/x.json"], "--report cannot write to /proc/x.json"),
    ] {
        package.bench("usual", wrong).expect_code(2).expect_err(why);
        package.expect_not_measured();
    }
    let mut command =
        package.command("usual", &["--report", "markdown,junit=out/,csv", "--noplot", "--bench"]);
    let handed_on = |name: &str| fs::read_to_string(package.path(name)).unwrap();
    fs::write(package.path("output"), "mine=1\n").unwrap();
    let ran = run(command
        .args(["--report", "json=-"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", package.path("output"))
        .env("GITHUB_STEP_SUMMARY", package.path("summary")));
    package.expect_nothing_left();
    let judgement: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let cell = &judgement["cells"][0];
    assert_eq!((&cell["id"], &judgement["bench"]), (&CELL.into(), &"fixture".into()));
    assert_eq!(cell["verdict"], "new");
    assert!(cell["requests"].as_u64() > Some(0), "{}", ran.out);
    // The package is not in git, so that the compiler's path stays.
    assert_eq!(cell["source"]["file"], "tests/bench/suite.rs");
    ran.expect_err("NOT COMPARED with a baseline");
    assert_eq!(handed_on("output"), "mine=1\nverdict=new\nregressed=0\n");
    assert!(handed_on("summary").starts_with("+ **NOT COMPARED. "), "{}", handed_on("summary"));
    assert!(
        handed_on("reports/fixture/report.md").starts_with("<!-- plimsoll:fixture -->\n+ **NOT COMPARED.")
    );
    assert!(handed_on("out/junit.xml").contains("<testcase name=\"hello/4\""));
    assert!(handed_on("reports/fixture/rounds.csv").lines().count() > 10);

    let run_file = "reports/fixture/run.json";
    let again =
        package.plimsoll(&["report", run_file, "--noplot", "--report", "openmetrics=-"]).expect_code(0);
    assert!(again.out.starts_with("# TYPE plimsoll_") && again.out.ends_with("# EOF\n"), "{}", again.out);
    let over = package.plimsoll(&["report", run_file, "--report", &format!("json={run_file}")]);
    over.expect_code(2)
        .expect_err("the report would overwrite it: choose another path with --report NAME=PATH");

    // Nobody may take a file of the last run for one of a run that failed.
    package.bench("absent", &["--report", "markdown,markdown"]).expect_code(3);
    assert!(!package.path("reports/fixture/report.md").exists());
}

fn criterions_other_flags_do_what_they_do_there() {
    let package = Package::new();
    let bencher = package.bench("two", &["--output-format", "bencher", "--noplot"]);
    assert!(matches!(bencher.code, Some(0 | 3)), "{}", bencher.err);
    let lines: Vec<&str> = bencher.out.lines().collect();
    for (line, id) in lines.iter().zip(["api/hello/4", "api/hello/2"]) {
        // `test api/hello/4 ... bench:   2,134,567 ns/iter (+/- 12,345)`
        let rest = line.strip_prefix(&format!("test {id} ... bench: ")).unwrap();
        let (median, spread) = rest.split_once(" ns/iter (+/- ").unwrap();
        let number = |text: &str| text.trim().replace(',', "").parse::<u64>().unwrap();
        assert!(number(median) >= 2_000_000 && number(spread.strip_suffix(')').unwrap()) > 0, "{line}");
    }
    assert_eq!(lines.len(), 2, "{}", bencher.out);
    bencher.expect_err("NOT COMPARED").expect_err("Report: ");
    fs::remove_dir_all(package.path("reports")).unwrap();

    // The service of a profile has the process that is told, and nothing is written.
    let mut command = package.command("usual", &["--profile-time", "2s", "--bench"]);
    let profiled = run(&mut command).expect_code(0);
    package.expect_nothing_left();
    let process = profiled.out.trim().strip_prefix("Loading api/hello/4 for 2.000 s: process ").unwrap();
    assert!(process.parse::<u32>().is_ok() && profiled.err.is_empty(), "{}\n{}", profiled.out, profiled.err);
    let base = format!("{} serve --port {{port}} --service-time 1ms", env!("CARGO_BIN_EXE_plimsoll"));
    for alone in [&[][..], &["--alone"]] {
        let duet = ["--base-command", &base, "--profile-time", "100ms"];
        let ran = package.bench("two", &[&duet[..], alone].concat()).expect_code(0);
        let lines = if alone.is_empty() { 2 } else { 4 };
        assert_eq!(ran.out.lines().count(), lines, "{}", ran.out);
        for side in ["base", "head"] {
            assert_eq!(ran.out.matches(&format!("{side} is process")).count(), 2, "{}", ran.out);
        }
    }
    package.bench("dies", &["--profile-time", "1s"]).expect_code(3).expect_err("my last words");
    let endless = Running::start(&mut package.command("usual", &["--profile-time", "1h", "--bench"]));
    wait_until("the service runs", Duration::from_secs(60), || {
        alive(package.root()).iter().any(|(_, line)| line.contains("serve --port"))
    });
    let (signal, code) = ending_signals()[0];
    endless.signal(signal);
    endless.finish().expect_code(code);
    package.expect_nothing_left();
    assert!(!package.path("reports").exists() && !package.path("baselines").exists());

    let saved = ("PLIMSOLL_SAVE_BASELINE", "main");
    run(package.command("usual", &["--discard-baseline", "--noplot", "--bench"]).envs([saved]));
    assert!(!package.path("baselines").exists() && package.reports().is_dir());
    package
        .bench("absent", &["--plotting-backend", "gnuplot"])
        .expect_code(2)
        .expect_err("--plotting-backend has no effect, because plimsoll draws its charts itself");
}

fn wrong_values_name_file_line_group_and_cell() {
    let package = Package::new();
    package
        .bench("rounds", &[])
        .expect_code(2)
        .expect_err("suite.rs:")
        .expect_err("group `api`: sample_size is 5: it must be at least 10");
    package
        .bench("load", &[])
        .expect_code(2)
        .expect_err("suite.rs:")
        .expect_err("cell `api/hello/0`: its load sends nothing");
    package
        .bench("metric", &[])
        .expect_code(2)
        .expect_err("group `api`: `latency_p42` is not a metric")
        .expect_err("latency_p50, ");
    for ran in [
        package.bench("placeholder", &[]),
        package.bench("usual", &["--base-command", "serve --port={Port}"]),
    ] {
        ran.expect_code(2)
            .expect_err("suite.rs:")
            .expect_err("group `api`: `{Port}` is not a placeholder of a service");
    }
    package.expect_not_measured();
}

fn wrong_flags_are_refused_before_anything_is_started() {
    let package = Package::new();
    for (args, sentence) in [
        (&["--sample-size", "5"][..], "sample_size is 5"),
        (&["--measurement-time", "NaN"], "`NaN` is not a duration"),
        (&["--measurement-time", "0"], "at least 1ms per round"),
        (&["--measurement-time=-1s"], "`-1s` is out of range"),
        (&["--warm-up-time", "9999h"], "`9999h` is out of range"),
        (&["--confidence-level", "NaN"], "confidence_level is NaN: it must lie between 0 and 1"),
        (&["--noise-threshold", "7"], "at least 0 and less than 1"),
        (&["--nresamples", "1"], "lie between 1,000 and"),
        (&["--launches", "11"], "lie between 1 and sample_size, which is 10"),
        (&["--runs", "0"], "at least one run"),
        (&["--fail-on", "anything"], "'anything'"),
        (&["--bogus"], "'--bogus'"),
        (&["--baseline", "a", "--baseline-lenient", "b"], "cannot be used with"),
        (&["--base-ref", "a", "--base-url", "b"], "--base-ref cannot be used with --base-url"),
        (&["--base-arg", "a"], "--base-arg needs --base-ref"),
        (&["--service-arg=--port={Port}"], "`{Port}` is not a placeholder of a service"),
        (&["--test", "--base-ref", "a"], "--base-ref has no effect without a measurement"),
        (&["--load-baseline", "a", "--quick"], "--quick has no effect with --load-baseline"),
        (&["--alone", "--save-baseline", "a"], "--alone has no effect without a base"),
        (&["--save-baseline", ""], "a value is required for '--save-baseline <NAME>'"),
        (&["--baseline", "", "--append"], "a value is required for '--baseline <NAME>'"),
    ] {
        package.bench("absent", args).expect_code(2).expect_err(sentence);
    }
    package.expect_not_measured();
}

fn a_flag_overrules_variables_and_an_empty_variable_says_nothing() {
    let package = Package::new();
    let told = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = package.command("absent", &[args, &["--bench"]].concat());
        run(command.envs(variables.iter().copied()))
    };
    // No commit of that name is there, in no repository: so it is base-ref that counts.
    let (url, line) = (("PLIMSOLL_BASE_URL", "http://127.0.0.1:1"), ("PLIMSOLL_BASE_COMMAND", "false"));
    told(&[url, line], &["--base-ref", "main"]).expect_code(2).expect_err("is not in a git repository");
    told(&[("PLIMSOLL_BASE_REF", "main"), url], &[])
        .expect_code(2)
        .expect_err("PLIMSOLL_BASE_REF cannot be used with PLIMSOLL_BASE_URL");
    let (reference, baseline) = (("PLIMSOLL_BASE_REF", ""), ("PLIMSOLL_BASELINE", ""));
    told(&[reference, baseline], &[]).expect_code(3).expect_err("`/no/such/program` was not found");
    let (loud, verbose) = (("PLIMSOLL_QUIET", "0"), ("PLIMSOLL_VERBOSE", "1"));
    told(&[loud, verbose], &[]).expect_code(3).expect_err("`/no/such/program` was not found");
    told(&[("PLIMSOLL_QUIET", "1"), verbose], &[])
        .expect_code(2)
        .expect_err("PLIMSOLL_QUIET cannot be used with PLIMSOLL_VERBOSE");
    // A variable that says what to compare with does not keep a baseline from being recorded.
    for baseline in ["main", "other"] {
        told(&[("PLIMSOLL_BASELINE", baseline)], &["--save-baseline", "main"])
            .expect_code(3)
            .expect_err("`/no/such/program` was not found");
    }
}
