//! Baseline files by round trip, by diff and merge, and by damage.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::record::environment::Machine;
use crate::record::series::Series;

fn stored(id: &str, cells: &[&str]) -> StoredRun {
    let shift = id.len() as f64;
    let series = Series {
        definition: "sha256:9c1e".to_owned(),
        values: BTreeMap::from([
            (
                "latency_p90".to_owned(),
                vec![vec![41_234_567.0 + shift, 40_980_000.0], vec![41_770_000.0, 41_010_000.0]],
            ),
            ("throughput".to_owned(), vec![vec![0.0, 1.0 / 3.0], vec![12_345.678, 1e9]]),
        ]),
        requests: vec![vec![4123, 4098], vec![4177, 4101]],
        failures: vec![vec![0, 7], vec![0, 0]],
    };
    StoredRun {
        id: id.to_owned(),
        epoch: 1,
        machine: Machine { arch: "x86_64".to_owned(), cpus: 4, memory_gib: 16, ..Machine::default() },
        setup: BTreeMap::from([("kernel".to_owned(), "6.8".to_owned())]),
        commit: Some("abc1234".to_owned()),
        dirty: false,
        load: 0.214_67,
        window: Duration::from_secs(10) / 30,
        cells: cells.iter().map(|cell| ((*cell).to_owned(), series.clone())).collect(),
    }
}

fn baseline(group: &str) -> Baseline {
    let mut baseline = Baseline::empty(group);
    baseline.append(stored("20261124T170012Z-abc1234", &["3k/10", "3k/5"]));
    baseline.append(stored("20261125T170012Z-abc1235", &["3k/10"]));
    baseline.accept_as_new_epoch(stored("20261126T170012Z", &["3k/10"]), "a \"faster\"\nparser");
    baseline
}

fn small() -> Baseline {
    let mut baseline = Baseline::empty("g");
    baseline.append(stored("r1", &["c"]));
    baseline.accept_as_new_epoch(stored("r22", &["c"]), "why");
    baseline
}

fn error(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.json");
    fs::write(&path, text).unwrap();
    let error = Baseline::read(&path).unwrap_err().to_string();
    assert!(error.contains("g.json"), "{error}");
    error
}

#[test]
fn what_is_written_is_read_and_written_as_the_same_text() {
    let folder = tempfile::tempdir().unwrap();
    let store = BaselineStore::new(folder.path());
    for group in ["tokenizer", "a/b.c ü\n\"", &"東".repeat(200), "", "TOKENIZER"] {
        let path = store.path("main", group);
        assert_eq!(store.read("main", group).unwrap(), None);
        baseline(group).write(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let read = store.read("main", group).unwrap().unwrap();
        assert_eq!(read, baseline(group));
        read.write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(store.groups("main").unwrap().len(), 5);
    assert_eq!(store.names().unwrap(), ["main"]);
}

#[test]
fn the_text_is_laid_out_for_people_and_git() {
    let text = text(&baseline("tokenizer"));
    assert!(
        text.starts_with("{\n  \"schema\": 1,\n  \"group\": \"tokenizer\",\n  \"machines\": {\n    \"m"),
        "{text}"
    );
    assert!(text.contains("      \"latency_p90\": [\n        [\"20261126T170012Z\", [[41230000, 40980000], [41770000, 41010000]]],\n"), "{text}");
    assert!(text.contains("\"load\": 0.2147, \"window_ms\": 333.333333,"), "{text}");
    assert!(text.contains("[[0, 0.3333], [12350, 1000000000]]"), "{text}");
    assert!(text.ends_with("}\n") && !text.contains('\r') && !text.contains("success_ratio"));
    assert!(text.lines().all(|line| line.trim_end() == line));
}

/// Whether each line of `old` is in `new`, in order; and the lines that were added.
fn added<'a>(old: &str, new: &'a str) -> Option<Vec<&'a str>> {
    let mut rest = old.lines().peekable();
    let added = new.lines().filter(|line| rest.next_if_eq(line).is_none()).collect();
    rest.peek().is_none().then_some(added)
}

#[test]
fn an_appended_run_only_adds_lines() {
    let old = baseline("g");
    let mut new = old.clone();
    new.append(stored("20261127T170012Z", &["3k/10", "3k/5"]));
    let (old, new) = (text(&old), text(&new));
    let added = added(&old, &new).expect("no line has changed");
    assert_eq!(added.len(), 1 + 2 * 4, "its header, and in each cell two counts and two metrics");
    assert!(added.iter().all(|line| line.contains("20261127T170012Z")), "{added:?}");
}

/// What `merge=union` in git makes of two files that both only add lines to `old`.
fn union(old: &str, ours: &str, theirs: &str) -> String {
    let (mut ours, mut theirs) = (ours.lines().peekable(), theirs.lines().peekable());
    let mut merged = String::new();
    for line in old.lines().map(Some).chain([None]) {
        for side in [&mut ours, &mut theirs] {
            while let Some(added) = side.next_if(|next| Some(*next) != line) {
                merged += &format!("{added}\n");
            }
            side.next();
        }
        line.iter().for_each(|line| merged += &format!("{line}\n"));
    }
    merged
}

#[test]
fn a_merge_that_keeps_the_lines_of_both_sides_is_valid() {
    let old = baseline("g");
    let (mut ours, mut theirs) = (old.clone(), old.clone());
    ours.append(stored("20261127T000000Z", &["3k/10", "3k/5"]));
    theirs.append(stored("20261128T000000Z", &["3k/10"]));
    let merged = union(&text(&old), &text(&ours), &text(&theirs));
    let merged = parse(merged.as_bytes()).unwrap();
    assert_eq!(merged.runs.len(), old.runs.len() + 2);
    for run in ours.runs.iter().chain(&theirs.runs) {
        assert!(merged.runs.contains(run), "{} is as it was", run.id);
    }
    assert_eq!(parse(text(&merged).as_bytes()).unwrap(), merged);
}

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    let whole = text(&small());
    for end in 0..whole.trim_end().len() {
        assert!(parse(&whole.as_bytes()[..end]).is_err(), "cut at {end}");
    }
    assert_eq!(parse(whole.trim_end().as_bytes()).unwrap(), small());
}

#[test]
fn a_file_with_any_byte_changed_is_refused_or_means_the_same() {
    let whole = text(&small()).into_bytes();
    let wanted = small();
    let (mut refused, mut same) = (0, 0);
    for position in 0..whole.len() {
        let byte = whole[position];
        let digit = if byte.is_ascii_digit() { b'0' + (byte - b'0' + 1) % 10 } else { b'7' };
        for replacement in [
            digit,
            b'0',
            b'-',
            b'+',
            b'.',
            b'e',
            b' ',
            b'\n',
            b'"',
            b'[',
            b'}',
            b',',
            b'x',
            0,
            0xff,
            byte ^ 0x20,
        ] {
            if replacement == byte {
                continue;
            }
            let mut changed = whole.clone();
            changed[position] = replacement;
            match parse(&changed) {
                Err(_) => refused += 1,
                Ok(read) => {
                    assert_eq!(read, wanted, "byte {position}: {} for {}", replacement as char, byte as char);
                    same += 1;
                }
            }
        }
    }
    assert!(refused > 10 * same && same > 0, "{refused} refused, {same} the same");
}

#[test]
fn an_edited_run_is_named() {
    let whole = text(&baseline("g"));
    for (from, to) in [
        ("40980000", "40970000"),
        ("4098]", "4097]"),
        ("[0, 7]", "[0, 6]"),
        ("\"kernel\": \"6.8\"", "\"kernel\": \"6.9\""),
        ("\"cpus\": 4", "\"cpus\": 2"),
        ("\"reason\": \"first\"", "\"reason\": \"second\""),
        ("333.333333", "333.333334"),
        ("\"dirty\": false", "\"dirty\": true"),
        ("sha256:9c1e", "sha256:9c1f"),
        ("\"3k/5\"", "\"3k/6\""),
        ("\"group\": \"g\"", "\"group\": \"h\""),
    ] {
        let edited = whole.replacen(from, to, 1);
        assert_ne!(edited, whole, "{from}");
        let error = error(&edited);
        assert!(error.contains("was edited") && error.contains("the run `2026112"), "{from}: {error}");
    }
}

#[test]
fn each_contradiction_is_told() {
    let whole = text(&baseline("g"));
    let newest = "\"20261126T170012Z\"";
    for (from, to, told) in [
        ("\"schema\": 1", "\"schema\": 2", "has schema 2"),
        ("\"schema\": 1", "\"schema\": 0", "no baseline"),
        ("\"schema\": 1", "\"scheme\": 1", "no baseline"),
        ("\"schema\": 1", "\"schema\": 1, \"extra\": 1", "unknown field `extra`"),
        ("\"schema\": 1", "\"schema\": 1, \"group\": \"x\"", "duplicate field `group`"),
        ("\"definition\"", "\"failures\": [], \"definition\"", "`failures` comes twice"),
        ("\"definition\"", "\"success_ratio\": [], \"definition\"", "follows from the counts"),
        ("\"runs\": [\n", "\"runs\": [\n<<<<<<< HEAD\n", "keep the lines of both sides"),
        ("[\"20261126T170012Z\", [[4123", "[\"20261126\", [[4123", "not there"),
        (
            "{ \"id\": \"20261126T170012Z\", \"epoch\": 2",
            "{ \"id\": \"20261126T170012Z\", \"epoch\": 3",
            "anchor",
        ),
        ("{ \"epoch\": 2", "{ \"epoch\": 1", "twice"),
        ("4098], [4177", "4098, 4177", "differ in launches"),
        ("[0, 7]", "[0, 4099]", "impossible counts"),
        ("[0, 7]", "[0, 7, 7]", "differ in launches"),
        ("[4123, 4098]", "[]", "launch without a round"),
        ("12350", "-12350", "out of range"),
        ("12350", "1e30", "out of range"),
        ("12350", "1e999", "damaged"),
        ("12350", "null", "damaged"),
        ("0.2147", "-0.2147", "out of range"),
    ] {
        let edited = whole.replacen(from, to, 1);
        assert_ne!(edited, whole, "{from}");
        let error = error(&edited);
        assert!(error.contains(told), "{from} to {to}: {error}");
    }
    assert!(error(&whole.replace(newest, "\"20261125T170012Z-abc1235\"")).contains("is there twice"));
    let nothing =
        "{\"schema\": 1, \"group\": \"g\", \"machines\": {}, \"runs\": [], \"epochs\": [], \"cells\": {}}";
    assert!(error(nothing).contains("holds no run"));
    assert!(error("").contains("damaged"));
    assert!(error(&"[".repeat(100_000)).contains("damaged"));
}

#[test]
fn a_renamed_file_is_not_taken_for_another_groups() {
    let folder = tempfile::tempdir().unwrap();
    let store = BaselineStore::new(folder.path());
    small().write(&store.path("main", "h")).unwrap();
    assert!(matches!(store.read("main", "h"), Err(BaselineError::OtherGroup { .. })));
}

#[test]
fn dropping_removes_baselines_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = BaselineStore::new(folder.path());
    assert!(matches!(store.drop("main"), Err(BaselineError::Absent { .. })));
    small().write(&store.path("main", "g")).unwrap();
    small().write(&store.path("../Other", "g")).unwrap();
    fs::write(folder.path().join("main/notes.txt"), "mine").unwrap();
    assert_eq!(store.names().unwrap(), ["../Other", "main"]);
    store.drop("main").unwrap();
    store.drop("../Other").unwrap();
    assert_eq!(store.names().unwrap(), [""; 0]);
    assert!(folder.path().join("main/notes.txt").exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_baseline_without_a_run_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.json");
    assert!(matches!(Baseline::empty("g").write(&path), Err(BaselineError::Empty { .. })));
    assert!(!path.exists());
}
