//! JUnit: a test suite for each group, a test case for each cell. A cell that fails the call is a failure, one that could not be measured an
//! error, and one that could not be compared is skipped.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::judge::Verdict;
use crate::report::chart::svg::clean;
use crate::report::model::{Cell, Report, ReportError};
use crate::report::text;

/// The whole XML.
pub(crate) fn render(report: &Report) -> Result<String, ReportError> {
    let mut suites = quick_junit::Report::new("plimsoll");
    for (group, cells) in report.groups() {
        let mut suite = TestSuite::new(clean(&format!("{}/{group}", report.bench)));
        for cell in &cells {
            let mut case = TestCase::new(clean(&cell.judged.id.benchmark.to_string()), status(report, cell));
            case.set_classname(clean(&format!("{}.{group}", report.bench)));
            case.set_time(
                cell.runs.iter().flat_map(|run| &run.rounds).map(|round| round.window).sum::<Duration>(),
            );
            let metrics = text::judged_metrics(cell);
            case.set_system_out(metrics.lines().map(clean).collect::<Vec<_>>().join("\n"));
            suite.add_test_case(case);
        }
        suites.add_test_suite(suite);
    }
    let whole = match report.failure_as_a_whole() {
        Some(why) => Some((TestCaseStatus::non_success(NonSuccessKind::Error), why)),
        None if report.judgement.cells.is_empty() => Some((TestCaseStatus::skipped(), report.sentence())),
        None => None,
    };
    if let Some((mut status, why)) = whole {
        status.set_message(clean(&why));
        let mut suite = TestSuite::new(clean(report.bench));
        suite.add_test_case(TestCase::new("the whole run", status));
        suites.add_test_suite(suite);
    }
    let xml = suites.to_string().map_err(|error| ReportError::JUnit(error.to_string()))?;
    Ok(without_sum_of_skipped(xml))
}

fn status(report: &Report, cell: &Cell) -> TestCaseStatus {
    let verdict = cell.judged.verdict;
    let kind = match verdict {
        Verdict::Invalid | Verdict::Incomparable => NonSuccessKind::Error,
        _ => NonSuccessKind::Failure,
    };
    let mut status = match verdict {
        _ if report.fails(cell.judged) => TestCaseStatus::non_success(kind),
        Verdict::Inconclusive | Verdict::Incomparable => TestCaseStatus::skipped(),
        _ => return TestCaseStatus::success(),
    };
    status.set_type(verdict.name()).set_message(clean(&text::conclusion_with_reason(cell)));
    status
}

/// Jenkins' schema knows the number of skipped tests for suites, not for all of them together.
fn without_sum_of_skipped(xml: String) -> String {
    let Some((before, rest)) = xml.split_once("<testsuites ") else { return xml };
    let Some((tag, rest)) = rest.split_once('>') else { return xml };
    let attributes: Vec<&str> =
        tag.split(' ').filter(|attribute| !attribute.starts_with("skipped=")).collect();
    format!("{before}<testsuites {}>{rest}", attributes.join(" "))
}

#[cfg(test)]
mod tests {
    use quick_junit::XmlString;

    use super::*;
    use crate::report::tests::{Sampled, hostile};

    #[test]
    fn verdicts_become_the_outcomes_that_ci_systems_know() {
        let verdicts = [
            Verdict::Regressed,
            Verdict::Invalid,
            Verdict::Inconclusive,
            Verdict::Incomparable,
            Verdict::Unchanged,
        ];
        let mut sampled = Sampled::new(&verdicts);
        let outcomes = |sampled: &Sampled| -> Vec<String> {
            let xml = render(&sampled.report()).unwrap();
            let document = roxmltree::Document::parse(&xml).unwrap();
            let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
            let outcome = |case: roxmltree::Node| {
                let first = case.children().find(|child| child.is_element()).unwrap();
                first.tag_name().name().to_owned()
            };
            cases.map(outcome).collect()
        };
        assert_eq!(outcomes(&sampled), ["failure", "error", "skipped", "skipped", "system-out"]);
        sampled.options.fails.extend([Verdict::Inconclusive, Verdict::Incomparable]);
        assert_eq!(outcomes(&sampled), ["failure", "error", "failure", "error", "system-out"]);
        insta::assert_snapshot!(render(&Sampled::new(&[Verdict::Regressed]).report()).unwrap(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="plimsoll" tests="1" failures="1" errors="0">
            <testsuite name="tokenizer/tokenizer" tests="1" skipped="0" errors="0" failures="1">
                <testcase name="3k_tokens/5" classname="tokenizer.tokenizer" time="3.330">
                    <failure message="Performance has regressed: latency p50 is 23.1% higher (interval +19.0 to +27.2%)." type="regressed"/>
                    <system-out>success ratio: 100% -&gt; 100%, +0.00 points [-0.01, +0.02] unchanged
        latency p50: 23.06 ms -&gt; 28.39 ms, +23.1% [+19.0, +27.2] regressed
        latency p99: 43.82 ms -&gt; 53.94 ms, +23.1% [+19.0, +27.2] regressed
        throughput: 216.8/s -&gt; 176.1/s, -18.8% [-22.9, -14.7] regressed
        output token throughput: 650,407 tokens/s -&gt; 528,356 tokens/s</system-out>
                </testcase>
            </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn a_call_that_fails_as_a_whole_has_a_case_that_fails() {
        let mut sampled = Sampled::new(&[Verdict::New]);
        let errors = |sampled: &Sampled| render(&sampled.report()).unwrap().matches("<error").count();
        assert_eq!(errors(&sampled), 1);
        sampled.options.failed = false;
        assert_eq!(errors(&sampled), 0);
        sampled.judgement.cells.clear();
        assert!(render(&sampled.report()).unwrap().contains("<skipped"));
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_read_back(name in hostile()) {
            let mut sampled = Sampled::new(&[Verdict::Regressed]);
            sampled.rename(&name);
            let xml = render(&sampled.report()).unwrap();
            let document = roxmltree::Document::parse(&xml).unwrap();
            let suites = document.root_element();
            proptest::prop_assert!(suites.attribute("skipped").is_none() && suites.attribute("tests") == Some("1"));
            let case = document.descendants().find(|node| node.has_tag_name("testcase")).unwrap();
            let benchmark = sampled.judgement.cells[0].id.benchmark.to_string();
            let read = XmlString::new(clean(&benchmark));
            proptest::prop_assert_eq!(case.attribute("name"), Some(read.as_str()));
            proptest::prop_assert_eq!(case.children().filter(|child| child.has_tag_name("failure")).count(), 1);
        }
    }
}
