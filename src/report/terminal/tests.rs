//! The text of each verdict, and that it fits a terminal.

use crate::judge::{Estimate, LimitCheck, LimitOutcome, Method, Note, Verdict};
use crate::plan::Throughput;
use crate::record::metric;
use crate::report::ink::WIDTH;
use crate::report::samples::{options, report_of, run_of, samples};
use crate::report::view::Report;

const ALL: [Verdict; 7] = [
    Verdict::Regressed,
    Verdict::Improved,
    Verdict::Unchanged,
    Verdict::Inconclusive,
    Verdict::Invalid,
    Verdict::Incomparable,
    Verdict::New,
];

fn text(verdict: Verdict) -> String {
    report_of(&[verdict]).terminal(false, false)
}

#[test]
fn a_regression_reads_like_criterions() {
    let expected = "\
tokenizer/3k_tokens/5  closed(5), 10 rounds in 10 launches
  success ratio  100%
  latency p50    [27.82 ms 28.39 ms 28.96 ms]
          change [+19.0% +23.1% +27.2%] (p = 0.0012 < 0.01)  regressed
  latency p99    [52.86 ms 53.94 ms 55.02 ms]
          change [+19.0% +23.1% +27.2%] (p = 0.0012 < 0.01)  regressed
  throughput     [172.6/s 176.1/s 179.6/s]
          change [-22.9% -18.8% -14.7%] (p = 0.0012 < 0.01)  regressed
  output token throughput [517,789 tokens/s 528,356 tokens/s 538,923 tokens/s]
          change [-22.9% -18.8% -14.7%]  not judged
  client         next request within 12.40 µs (p99), timed by the kernel
  detectable     success ratio -0.40 points, latency p50 +17.0%, latency p99
                 +17.0%, throughput -17.0%
  Performance has regressed: latency p50 is 23.1% higher (interval +19.0 to
  +27.2%).

p: corrected over the 4 tests of the call; the intervals are not
1 cell: 1 regressed (tokenizer/3k_tokens/5).
";
    assert_eq!(text(Verdict::Regressed), expected);
}

#[test]
fn without_a_baseline_the_first_line_says_so_and_the_last_one_what_to_do() {
    let expected = "\
NOT COMPARED with a baseline

tokenizer/3k_tokens/5  closed(5), 10 rounds in 10 launches
  success ratio  100%
  latency p50    [22.87 ms 23.34 ms 23.81 ms]
  latency p99    [43.46 ms 44.34 ms 45.23 ms]
  throughput     [209.9/s 214.2/s 218.5/s]
  output token throughput [629,840 tokens/s 642,694 tokens/s 655,548 tokens/s]
  client         next request within 12.40 µs (p99), timed by the kernel
  New: The baseline does not have this cell.

There is no baseline yet; `cargo bench --bench tokenizer -- --save-baseline main --runs 5` records one.
";
    assert_eq!(text(Verdict::New), expected);
}

#[test]
fn a_cell_that_failed_says_what_came_back() {
    let expected = "\
NOT COMPARED with a baseline

tokenizer/3k_tokens/5  closed(5), 10 rounds in 10 launches
  success ratio  0%
  responses      429 (unexpected): 12,300, timed out: 40
  client         timed by the kernel
  Invalid: Only 0% of requests succeeded (at least 95% required), so latency was
  not compared. If failures are expected here, lower the limit with
  `group.min_success_ratio(…)`.

1 cell: 1 invalid (tokenizer/3k_tokens/5).
";
    assert_eq!(text(Verdict::Invalid), expected);
}

#[test]
fn each_verdict_has_its_conclusion() {
    let conclusions = [
        (Verdict::Improved, "  Performance has improved: latency p50 is 23.1% lower"),
        (Verdict::Unchanged, "  Performance is unchanged.\n"),
        (Verdict::Inconclusive, "  Inconclusive: latency p50 is 1.2% higher"),
        (Verdict::Incomparable, "  Incomparable: The machine has changed since"),
    ];
    for (verdict, conclusion) in conclusions {
        assert!(text(verdict).contains(conclusion), "{}", text(verdict));
    }
    let undecided = text(Verdict::Inconclusive);
    assert!(
        undecided.contains("would be decided by stored runs of other days, or a duet of\n"),
        "{undecided}"
    );
}

#[test]
fn every_line_but_the_sentence_fits_a_terminal() {
    for verbose in [false, true] {
        let report = report_of(&ALL);
        let text = report.terminal(false, verbose);
        let (lines, last) = text.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(last, report.sentence);
        for line in lines.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}

#[test]
fn verbose_says_how_intervals_were_made_and_what_base_was() {
    let text = report_of(&[Verdict::Unchanged]).terminal(false, true);
    for part in [
        "                 bootstrap-t over 10 launches\n",
        "                 t over 1 head run and 5 stored runs, 8 degrees of freedom\n",
        "            base [22.60 ms 23.06 ms 23.52 ms]\n",
        "  responses      200: 12,340\n",
        "  latency p90    ",
        "          change [-0.01 +0.00 +0.02] points (p = 1.0000 > 0.01)  unchanged\n",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn a_term_that_was_printed_is_explained_once_and_no_other() {
    let mut report = report_of(&[Verdict::Unchanged, Verdict::Inconclusive]);
    for row in report.groups[0].cells.iter_mut().flat_map(|cell| &mut cell.rows) {
        let comparison = row.comparison.as_mut().unwrap();
        comparison.method = Some(Method::Pairs { launches: None, pairs: 30, widened: None });
    }
    let told = report.terminal(false, true);
    assert_eq!(told.matches("\nallowance: where too few launches show").count(), 1, "{told}");
    assert!(!report.terminal(false, false).contains("allowance"));
    for term in ["clock kernel", "lag p99", "slow send,"] {
        assert!(!told.contains(term), "{term} in\n{told}");
    }
}

#[test]
fn what_is_not_compared_is_said_in_the_first_line_alone() {
    for report in [report_of(&[Verdict::New; 3]), report_of(&[Verdict::Invalid]), report_of(&[])] {
        let text = report.terminal(false, true);
        assert!(text.starts_with("NOT COMPARED with a baseline\n"), "{text}");
        assert_eq!(text.matches("NOT COMPARED").count(), 1, "{text}");
        assert!(report.headline().starts_with("NOT COMPARED"), "which a page and a quiet call begin with");
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let report = report_of(&ALL);
    let mut stripped = String::new();
    for (index, part) in report.terminal(true, true).split('\x1b').enumerate() {
        stripped.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(stripped, report.terminal(false, true));
    assert!(!report.terminal(false, true).contains('\x1b'));
}

#[test]
fn limits_notes_and_a_rate_of_bytes_are_told() {
    let mut judgement = crate::report::samples::judgement_of(&[Verdict::Unchanged]);
    judgement.cells[0].notes.push(Note::Recorded("Its rounds follow each other: \x1b[2J".into()));
    judgement.cells[0].limits.push(LimitCheck {
        metric: metric("latency_p99").unwrap(),
        limit: 50e6,
        value: Some(Estimate { value: 44e6, interval: None, method: None }),
        p_adjusted: 0.5,
        outcome: LimitOutcome::Holds,
        remedy: None,
    });
    judgement.notes.push(Note::OneStoredRun);
    let mut run = run_of(&samples(&[Verdict::Unchanged]));
    run.cells[0].throughput = Some(Throughput::Bytes(1024));
    run.cells[0].rounds[0].counts.unstamped = 7;
    run.cells[0].rounds[0].counts.slow_sends = 1;
    run.stop = Some(crate::record::Stop::Signal(2));
    let report = Report::new("b", &[run.clone(), run], &Default::default(), &judgement, &options());
    let text = report.terminal(false, false);
    for part in [
        "  limit          latency p99 is 44.00 ms, within its limit of 50.00 ms.\n",
        "  note           Its rounds follow each other: \u{fffd}[2J\n",
        "                 214.2 KiB/s\n",
        "20 rounds in 20 launches\n",
        "timed by the kernel, but 14\n                 responses by this process, 2 requests took long to send, so\n",
        "                 that latency may be too high\n",
        "The baseline is one stored run.",
        "Signal 2 ended the measuring before its time.\n",
        " would have been found. Measuring ended early.\n",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn what_the_machine_did_is_one_line_and_a_fact_of_the_page() {
    use crate::record::Condition;
    use crate::report::samples::{baseline_of, judgement};
    let samples = samples(&[Verdict::Unchanged]);
    let mut run = run_of(&samples);
    run.environment.condition =
        Some(Condition { others_share: Some(0.385), stolen_share: Some(0.0), ..Condition::default() });
    let report = Report::new("tokenizer", &[run], &baseline_of(&samples), &judgement(&samples), &options());
    let text = report.terminal(false, false);
    let machine = "\nMachine: load 0.21 before, other processes used 38.5% of the CPUs, 0.0% stolen";
    assert!(text.contains(machine), "{text}");
    let facts: Vec<&str> = report.facts.iter().map(|fact| fact.name.as_str()).collect();
    assert!(facts.contains(&"machine load") && !facts.contains(&"load average"), "{facts:?}");
}
