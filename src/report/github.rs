//! What a step of GitHub Actions hands on: annotations at the lines of the bench file, a summary, and outputs.
//!
//! The form is that of GitHub's workflow commands. The runner reads them on standard error, too, where they disturb no output.

use crate::judge::Verdict;
use crate::report::chart::svg::clean;
use crate::report::markdown;
use crate::report::model::{Cell, Report};
use crate::report::text;

/// Annotations of a kind that GitHub shows for each step.
const MOST: usize = 10;
/// GitHub takes titles of 255 characters. The verdict stands behind the name.
const MOST_OF_TITLE: usize = 200;

/// What a step hands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// Lines for standard error.
    pub(crate) log: String,
    /// Texts to append to the files that these variables name.
    pub(crate) appended: Vec<(&'static str, String)>,
}

/// The annotations, the summary and the outputs `verdict` and `regressed`.
pub(crate) fn render(report: &Report) -> Step {
    let cells = report.worst_first();
    let log = ["error", "warning", "notice"].map(|kind| {
        let of_kind: Vec<&Cell> = cells.iter().filter(|cell| kind_of(report, cell) == Some(kind)).collect();
        let shown = if of_kind.len() > MOST { MOST - 1 } else { of_kind.len() };
        let mut lines: String = of_kind[..shown].iter().map(|cell| annotation(kind, cell)).collect();
        if of_kind.len() > shown {
            let more = of_kind.len() - shown;
            let verdicts = text::verdicts(&of_kind[shown..]);
            lines.push_str(&format!(
                "::{kind} title=plimsoll::and {more} more cells ({verdicts}); see the summary\n"
            ));
        }
        lines
    });
    let whole = report.failure_as_a_whole();
    let whole =
        whole.map(|why| format!("::error title=plimsoll::{}\n", data(&clean(&why)))).unwrap_or_default();
    let outputs = format!(
        "verdict={}\nregressed={}\n",
        report.verdict().name(),
        report.judgement.count(Verdict::Regressed)
    );
    let summary = format!("{}\n", markdown::text(report));
    Step {
        log: whole + &log.concat(),
        appended: vec![("GITHUB_STEP_SUMMARY", summary), ("GITHUB_OUTPUT", outputs)],
    }
}

/// The kind of a cell's annotation; `None` if it gets none.
fn kind_of(report: &Report, cell: &Cell) -> Option<&'static str> {
    match cell.judged.verdict {
        _ if report.fails(cell.judged) => Some("error"),
        // A quiet gate: a noisy machine is no news for each cell of each push.
        Verdict::Incomparable => Some("warning"),
        Verdict::Improved => Some("notice"),
        _ => None,
    }
}

fn annotation(kind: &str, cell: &Cell) -> String {
    let source = cell.last().source.as_ref();
    let place = source.map(|source| format!("file={},line={},", property(&source.file), source.line));
    let id = markdown::shortened(&cell.judged.id.to_string(), MOST_OF_TITLE);
    let title = property(&clean(&format!("{id} {}", cell.judged.verdict.name())));
    let message = data(&clean(&text::conclusion_with_reason(cell)));
    format!("::{kind} {}title={title}::{message}\n", place.unwrap_or_default())
}

/// A message of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::SourceLine;
    use crate::report::tests::{Sampled, hostile};

    type Properties = Vec<(String, String)>;

    /// What the runner makes of a line: its kind, its properties and its message.
    fn read(line: &str) -> Option<(String, Properties, String)> {
        let (command, message) = line.strip_prefix("::")?.split_once("::")?;
        let (kind, properties) = command.split_once(' ')?;
        let decoded = |text: &str| {
            let codes = [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")];
            codes.iter().fold(text.to_owned(), |text, (code, sign)| text.replace(code, sign))
        };
        let property =
            |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), decoded(value)));
        let properties: Option<Vec<_>> = properties.split(',').map(property).collect();
        Some((kind.to_owned(), properties?, decoded(message)))
    }

    #[test]
    fn annotations_stand_at_the_line_of_the_bench_file_and_outputs_say_the_verdict() {
        let mut sampled = Sampled::new(&[Verdict::Unchanged, Verdict::Regressed, Verdict::Inconclusive]);
        let source = SourceLine { file: "api/benches/a,b.rs".into(), line: 12 };
        sampled.runs[0].cells[1].source = Some(source);
        sampled.runs[0].cells[2].source = None;
        let Step { log, appended } = render(&sampled.report());
        insta::assert_snapshot!(log, @"::error file=api/benches/a%2Cb.rs,line=12,title=tokenizer/3k_tokens/10 regressed::Performance has regressed: latency p50 is 23.1%25 higher (interval +19.0 to +27.2%25).");
        assert_eq!(appended[1], ("GITHUB_OUTPUT", "verdict=regressed\nregressed=1\n".to_owned()));
        assert!(appended[0].0 == "GITHUB_STEP_SUMMARY" && appended[0].1.contains("1 of 3 cells regressed"));
    }

    #[test]
    fn what_fails_the_call_is_an_error_and_nothing_is_said_of_unchanged_cells() {
        let mut sampled = Sampled::new(&[Verdict::Unchanged, Verdict::New]);
        assert!(render(&sampled.report()).log.starts_with("::error title=plimsoll::2 cells: "));
        sampled.options.failed = false;
        assert_eq!(render(&sampled.report()).log, "");
        let mut sampled = Sampled::new(&[Verdict::Regressed]);
        sampled.options.accepts = true;
        sampled.options.failed = false;
        assert_eq!(render(&sampled.report()).log, "", "its speed was accepted");
        let mut sampled = Sampled::new(&[Verdict::Incomparable]);
        sampled.options.failed = false;
        assert!(render(&sampled.report()).log.starts_with("::warning "));
        let mut sampled = Sampled::new(&[Verdict::Inconclusive]);
        sampled.options.failed = false;
        assert_eq!(render(&sampled.report()).log, "", "the summary counts them");
        sampled.options.fails.push(Verdict::Inconclusive);
        assert!(render(&sampled.report()).log.starts_with("::error "));
    }

    #[test]
    fn of_each_kind_ten_are_shown_at_most() {
        let verdicts: Vec<Verdict> =
            (0..24).map(|nth| if nth % 2 == 0 { Verdict::Regressed } else { Verdict::Improved }).collect();
        let log = render(&Sampled::new(&verdicts).report()).log;
        for kind in ["error", "notice"] {
            let lines: Vec<_> = log.lines().filter(|line| line.starts_with(&format!("::{kind} "))).collect();
            assert_eq!(lines.len(), MOST);
            assert!(lines[MOST - 1].contains("and 3 more"), "{}", lines[MOST - 1]);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_read_back(name in hostile()) {
            let mut sampled = Sampled::new(&[Verdict::Regressed]);
            sampled.rename(&name);
            sampled.runs[0].cells[0].source = None;
            let Step { log, appended } = render(&sampled.report());
            let lines: Vec<&str> = log.split('\n').collect();
            proptest::prop_assert!(lines.len() == 2 && lines[1].is_empty());
            let (kind, properties, message) = read(lines[0]).unwrap();
            let id = markdown::shortened(&sampled.judgement.cells[0].id.to_string(), MOST_OF_TITLE);
            let title = clean(&format!("{id} regressed"));
            proptest::prop_assert!(title.chars().count() <= 255);
            proptest::prop_assert_eq!((kind.as_str(), &properties), ("error", &vec![("title".to_owned(), title)]));
            proptest::prop_assert!(message.starts_with("Performance has regressed: latency p50"));
            proptest::prop_assert!(appended[0].1.len() < 900_000);
        }
    }
}
