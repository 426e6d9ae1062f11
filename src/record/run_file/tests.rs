//! Run files by round trip and by damage.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::plan::{Cell, Endpoint, Group, Limit, Load, Location, Throughput};
use crate::record::base_ref::BaseRef;
use crate::record::condition::Condition;
use crate::record::environment::{Environment, Machine};
use crate::record::fault::Fault;
use crate::record::metric::metric;
use crate::record::round::Round;
use crate::record::run::{CellRun, Stop};
use crate::record::tally::Tally;

fn round(launch: usize, rng: &mut fastrand::Rng) -> Round {
    let mut tally = Tally { window: Duration::from_secs(10) / 30, ..Tally::default() };
    (tally.counts.requests, tally.counts.successes, tally.successes_in_window) = (103, 100, 99.0 + rng.f64());
    (0..100).for_each(|_| tally.latency.record(Duration::from_nanos(rng.u64(1_000..1_000_000_000))));
    tally.failure_latency.record(Duration::from_millis(1));
    tally.counts.statuses.extend([(200, 100), (429, 1)]);
    tally.counts.faults.extend([(Fault::Status(429), 1), (Fault::TimeOut, 2)]);
    tally.output_tokens.add(-rng.f64() * 1e6);
    tally.counts.unstamped = 7;
    Round::close(&tally, launch, Duration::from_millis(launch as u64))
}

fn run() -> Run {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut group = Group::new("to\"ken", Location::unknown());
    group.about = Some("what it is for".to_owned());
    group.judged = Some(vec!["latency_p50".to_owned()]);
    group.limits.push(Limit::p99(Duration::from_millis(50)));
    group.settings.noise_threshold = Some(0.05);
    let cell = |id: &str, throughput| Cell {
        id: id.into(),
        targets: Endpoint::get("/secret-path").header("authorization", "token").into(),
        load: Load::closed(10),
        throughput,
        location: Location::unknown(),
        metrics: None,
    };
    let mut measured = CellRun::planned(&group, &cell("a", Some(Throughput::Elements(3))));
    measured.metrics = ["latency_p50", "latency_p99"].iter().filter_map(|id| metric(id)).collect();
    measured.rounds = (0..4).map(|number| round(number / 2, &mut rng)).collect();
    measured.notes.push("a note".to_owned());
    let mut invalid = CellRun::planned(&group, &cell("b", None));
    invalid.invalid = Some("too slow".to_owned());
    Run {
        id: "20261124T170012Z-abc1234".to_owned(),
        bench: "suite".to_owned(),
        started: UNIX_EPOCH + Duration::new(1_795_539_612, 123_456_789),
        elapsed: Duration::from_secs(10),
        environment: Environment {
            machine: Machine { cpus: 2, ..Machine::default() },
            setup: [("kernel".to_owned(), "6.8".to_owned())].into(),
            commit: Some("abc1234".to_owned()),
            dirty: true,
            load: 0.3,
            condition: Some(Condition {
                others_share: Some(0.3),
                heat_throttles: Some(3),
                frequency_mhz: Some((2_900.5, 3_400.0)),
                ..Condition::default()
            }),
        },
        cells: vec![measured, invalid],
        base_ref: Some(BaseRef { name: "main".to_owned(), lacking: 2, ..BaseRef::default() }),
        stop: Some(Stop::Failed("the service died".to_owned())),
        look: 0,
        confirmation: None,
    }
}

fn text(runs: &[Run]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    RunFile::write(&path, runs).unwrap();
    fs::read_to_string(path).unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Run>, RunFileError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    fs::write(&path, bytes).unwrap();
    RunFile::read(&path)
}

#[test]
fn everything_comes_back_to_the_last_bit() {
    let runs =
        [run(), Run { stop: Some(Stop::Signal(2)), ..run() }, Run { stop: None, cells: Vec::new(), ..run() }];
    let written = text(&runs);
    let back = read(written.as_bytes()).unwrap();
    assert_eq!(back, runs);
    assert_eq!(text(&back), written);
    assert_eq!(read(text(&[]).as_bytes()).unwrap(), []);
}

#[test]
fn a_round_is_one_line_and_no_secret_is_told() {
    let written = text(&[run()]);
    assert!(written.starts_with("{\n  \"schema\": 1,\n  \"runs\": [\n"), "{written}");
    assert!(written.ends_with("}\n"));
    assert_eq!(
        written.lines().filter(|line| line.trim_start().starts_with("{ \"launch\": ")).count(),
        4,
        "{written}"
    );
    assert!(!written.contains("secret") && !written.contains("authorization"));
}

#[test]
fn a_field_that_is_not_known_is_passed_over() {
    let written = text(&[run()]).replacen("\"values\": {", "\"colour\": 1, \"values\": {", 1);
    assert!(written.contains("colour"));
    let back = read(written.as_bytes()).unwrap();
    assert_eq!(back[0].cells[0].rounds, run().cells[0].rounds);
}

#[test]
fn damage_is_told_with_the_file_and_what_to_do() {
    let whole = text(&[run()]);
    for (from, to, told) in [
        ("\"schema\": 1", "\"schema\": 9", "schema 9"),
        ("\"schema\": 1", "\"scheme\": 1", "holds no runs"),
        ("\"requests\": 103", "\"requests\": 3", "`to\"ken/a`: one of its rounds has impossible counts"),
        ("\"unstamped\": 7", "\"unstamped\": 18446744073709551615", "impossible counts"),
        ("\"time_out\": 2", "\"gremlins\": 2", "no kind of fault"),
        ("\"latency\": \"", "\"latency\": \"AAAA", "histograms is damaged"),
        ("\"values\": {", "\"values\": { \"horsepower\": 3,", "`to\"ken/a`: there is no metric `horsepower`"),
        ("\"values\": {", "\"values\": { \"lag\": -3,", "impossible value of `lag`"),
        (
            "\"limits\": [",
            "\"limits\": [{ \"metric\": \"horsepower\", \"most_ns\": 1 }, ",
            "no metric `horsepower`",
        ),
        ("\"metrics\": [", "\"metrics\": [\"horsepower\", ", "no metric `horsepower`"),
        ("\"nresamples\": ", "\"nresamples\": 9999", "rules is out of range"),
        ("\"confidence_level\": 0.95", "\"confidence_level\": 1", "rules is out of range"),
        ("\"id\": \"b\"", "\"id\": \"a\"", "is there twice"),
        ("2026-11-24T", "yesterday T", "is no time"),
        ("\"others_share\": 0.3", "\"others_share\": 1.3", "the condition of its machine is impossible"),
        ("\"frequency_mhz\": [", "\"frequency_mhz\": [9e9, ", "run.json"),
        ("\"cells\": [", "\"confirm_pairs\": [30, 20], \"cells\": [", "fresh pairs are at least 2"),
    ] {
        let damaged = whole.replacen(from, to, 1);
        assert_ne!(damaged, whole, "{from}");
        let error = read(damaged.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("run.json") && error.contains(told), "{from}: {error}");
    }
    assert!(matches!(RunFile::read(Path::new("/no/such/run.json")), Err(RunFileError::Read { .. })));
}

#[test]
fn a_file_from_before_the_machines_condition_was_kept_still_reads() {
    let mut file: serde_json::Value = serde_json::from_str(&text(&[run()])).unwrap();
    let environment = file["runs"][0]["environment"].as_object_mut().unwrap();
    assert!(environment.remove("condition").is_some());
    let mut expected = run();
    expected.environment.condition = None;
    assert_eq!(read(file.to_string().as_bytes()).unwrap(), [expected]);
}

#[test]
fn no_damage_panics() {
    let whole = text(&[run()]).into_bytes();
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..400 {
        let mut damaged = whole.clone();
        let position = rng.usize(..damaged.len());
        damaged[position] = if rng.bool() { rng.u8(..) } else { rng.choice(*b"0123456789AZaz-\" ").unwrap() };
        if rng.u8(..10) == 0 {
            damaged.truncate(position);
            assert!(read(&damaged).is_err());
        }
        if let Ok(runs) = read(&damaged) {
            for cell in runs.iter().flat_map(|run| &run.cells) {
                cell.series();
                cell.counts();
            }
            text(&runs);
        }
    }
}

#[test]
fn the_last_run_is_kept_and_a_damaged_one_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let last = LastRun::of(folder.path(), "my/bench");
    assert_eq!(last.read(), None);
    last.write(&[run()]).unwrap();
    assert_eq!(last.read().unwrap(), [run()]);
    fs::write(folder.path().join("last/my=2fbench.json"), "{").unwrap();
    assert_eq!(last.read(), None);
}

#[test]
fn a_clock_before_1970_is_written() {
    let early = Run { started: SystemTime::UNIX_EPOCH - Duration::from_secs(5), ..run() };
    assert_eq!(read(text(&[early]).as_bytes()).unwrap()[0].started, UNIX_EPOCH);
}
