//! Both stages of a duet for the page: what its screening made suspect, and what fresh pairs said of each.

use super::html::{escaped, number};
use super::table::{change_in_cell, judged};
use super::text;
use crate::judge::{Candidate, CellJudgement, Change, Comparison, Judgement, LimitCheck, Stage};
use crate::record::{CellRun, Metric, Run};

/// A duet that was screened.
#[derive(Debug, Clone)]
pub(crate) struct Stages {
    /// Cells that were screened.
    cells: usize,
    suspects: Vec<Suspected>,
    /// One-sided error for the whole call.
    level: f64,
}

/// What the screening made suspect, and what became of it.
#[derive(Debug, Clone)]
struct Suspected {
    /// The whole id of its cell.
    cell: String,
    metric: &'static Metric,
    slower: bool,
    /// Pairs of rounds that screened its cell.
    screened_pairs: usize,
    /// Fresh pairs that decided; none when it was not measured again.
    fresh_pairs: usize,
    found: Found,
}

#[derive(Debug, Clone)]
enum Found {
    Comparison(Comparison),
    /// An absolute limit on the metric, as it stands now.
    Limit(LimitCheck),
}

impl Stages {
    /// Those of a call; nothing where all was judged at once.
    pub(crate) fn of(runs: &[Run], judgement: &Judgement) -> Option<Self> {
        let has_stages = |cell: &&CellJudgement| {
            cell.comparisons.iter().any(|comparison| comparison.stage != Stage::Whole)
        };
        let cells = judgement.cells.iter().filter(has_stages).count();
        let rules = runs.iter().flat_map(|run| &run.cells).next().map(|cell| &cell.settings)?;
        let suspected = |suspect| suspected(suspect, runs, judgement);
        let suspects = judgement.candidates.iter().filter_map(suspected).collect();
        (cells > 0).then_some(Self { cells, suspects, level: rules.significance_level })
    }

    /// The section of the page.
    pub(crate) fn html(&self) -> String {
        let mut html =
            format!("<h2>Screened, then confirmed</h2>\n<p class=\"why\">{}</p>\n", self.sentence());
        if self.suspects.is_empty() {
            return html;
        }
        html.push_str(
            "<div class=\"scroll\"><table>\n<thead><tr><th>cell</th><th>metric</th><th>looked</th>",
        );
        html.push_str("<th class=\"n\">screening</th><th class=\"n\">fresh pairs</th><th>verdict</th></tr></thead>\n<tbody>\n");
        self.suspects.iter().for_each(|suspect| html.push_str(&suspect.html(self.level)));
        html.push_str("</tbody></table></div>\n");
        html
    }

    fn sentence(&self) -> String {
        let cells = text::plural(self.cells as u64, "cell");
        if self.suspects.is_empty() {
            return format!("The screening of {cells} found no candidates, so nothing was measured again.");
        }
        let comparisons = text::plural(self.suspects.len() as u64, "comparison");
        let again = self.suspects.iter().filter(|suspect| suspect.fresh_pairs > 0).count();
        const RULE: &str =
            " on fresh launches, and these fresh pairs alone decide: the screening is not used twice.";
        let again = match again {
            0 => "None was measured again, so none is decided.".to_owned(),
            all if all == self.suspects.len() => format!("Each was measured again{RULE}"),
            some => format!("{} of them were measured again{RULE}", text::count(some as u64)),
        };
        format!("The screening of {cells} found {comparisons} to confirm. {again}")
    }
}

fn suspected(suspect: &Candidate, runs: &[Run], judgement: &Judgement) -> Option<Suspected> {
    let cell = judgement.cells.iter().find(|cell| cell.id == suspect.cell)?;
    let found = match suspect.limit {
        Some(place) => Found::Limit(cell.limits.get(place)?.clone()),
        None => Found::Comparison(cell.comparisons.iter().find(|one| one.metric == suspect.metric)?.clone()),
    };
    let own = |cell: &&CellRun| cell.id == suspect.cell;
    let screened = runs.iter().flat_map(|run| &run.cells).filter(own).map(|cell| cell.rounds.len()).sum();
    let looks = runs.iter().flat_map(|run| run.confirmations.iter().take(suspect.analysis).flatten());
    let fresh = looks.filter(own).map(|cell| cell.rounds.len()).sum();
    Some(Suspected {
        cell: suspect.cell.to_string(),
        metric: suspect.metric,
        slower: suspect.slower,
        screened_pairs: screened,
        fresh_pairs: fresh,
        found,
    })
}

impl Suspected {
    fn html(&self, level: f64) -> String {
        let (title, looked) = (escaped(self.metric.title), if self.slower { "slower" } else { "faster" });
        let (title, looked, screening, fresh, verdict) = match &self.found {
            Found::Comparison(comparison) => {
                let (screening, fresh) = match comparison.stage {
                    Stage::Confirmed { screening, .. } => (screening, comparison.change),
                    Stage::Screened | Stage::Whole => (comparison.change, None),
                };
                let said = |change: Option<Change>, pairs| told(change, comparison.is_difference(), pairs);
                let screening = said(screening, self.screened_pairs);
                (title, looked, screening, said(fresh, self.fresh_pairs), judged(comparison, level))
            }
            Found::Limit(check) => {
                let fresh = told(None, false, self.fresh_pairs);
                let screening = told(None, false, self.screened_pairs);
                (format!("limit on {title}"), "over it", screening, fresh, escaped(&text::limit(check)))
            }
        };
        format!(
            "<tr><td>{}</td><td class=\"metric\">{title}</td><td>{looked}</td><td class=\"n\">{screening}</td>\
             <td class=\"n\">{fresh}</td><td>{verdict}</td></tr>\n",
            escaped(&self.cell)
        )
    }
}

/// A change with its interval and what it was seen in.
fn told(change: Option<Change>, is_difference: bool, pairs: usize) -> String {
    if pairs == 0 {
        return "not measured again".to_owned();
    }
    let change = change.map(|change| change_in_cell(change, is_difference)).unwrap_or_default();
    format!("{change}<small>{}</small>", number(&text::plural(pairs as u64, "pair")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Estimate, LimitOutcome, Shown, Verdict};
    use crate::plan::Confirmation;
    use crate::record::metric;
    use crate::report::samples::{judgement_of, options, run_of, samples};
    use crate::report::subtitle::of_percentiles;
    use crate::report::table::results;
    use crate::report::view::Report;

    /// Two cells: the first looked slower in p50 and was measured again in one look, the second looked slower in p99 and was not.
    fn duet() -> (Vec<Run>, Judgement) {
        let verdicts = [Verdict::Regressed, Verdict::Inconclusive];
        let mut judgement = judgement_of(&verdicts);
        for comparison in judgement.cells.iter_mut().flat_map(|cell| &mut cell.comparisons) {
            comparison.stage = Stage::Screened;
        }
        let screening = Some(Change { low: 0.1, estimate: 0.3, high: 0.5 });
        let p50 =
            judgement.cells[0].comparisons.iter_mut().find(|one| one.metric.id == "latency_p50").unwrap();
        p50.stage = Stage::Confirmed { analysis: 1, analyses: 3, pairs: 10, screening };
        let estimate = |value: f64| Estimate { value, interval: None, method: None };
        let (head, base) = (estimate(40e6), estimate(32.5e6));
        judgement.cells[0].fresh =
            vec![Shown { metric: metric("latency_p50").unwrap(), head, base: Some(base) }];
        let suspect = |place: usize, id: &str| Candidate {
            cell: judgement.cells[place].id.clone(),
            metric: metric(id).unwrap(),
            limit: None,
            slower: true,
            open: place == 1,
            analysis: usize::from(place == 0),
        };
        judgement.candidates = vec![suspect(0, "latency_p50"), suspect(1, "latency_p99")];
        let mut whole = Run { confirmation: Some(Confirmation::default()), ..run_of(&samples(&verdicts)) };
        whole.cells.iter_mut().for_each(|cell| cell.base = cell.rounds.clone());
        whole.confirmations.push(vec![whole.cells[0].clone()]);
        (vec![whole], judgement)
    }

    #[test]
    fn each_suspect_has_both_intervals_and_what_was_said_of_it() {
        let (runs, judgement) = duet();
        let html = Stages::of(&runs, &judgement).unwrap().html();
        assert!(
            html.contains("The screening of 2 cells found 2 comparisons to confirm. 1 of them"),
            "{html}"
        );
        let row = |id: &str| html.lines().find(|line| line.contains(id) && line.starts_with("<tr>")).unwrap();
        for part in [
            "<td>slower</td>",
            "+30.0%<small>+10.0 to +50.0%</small><small>10 pairs</small>",
            "+23.1%<small>+19.0 to +27.2%</small><small>10 pairs</small>",
            "badge regressed",
            "p = 0.0012 &lt; 0.01, analysis 1 of 3",
        ] {
            assert!(row("3k_tokens/5").contains(part), "{part} in {html}");
        }
        for part in ["latency p99", "+1.2%", "not measured again", "badge inconclusive"] {
            assert!(row("3k_tokens/10").contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn a_limit_is_told_with_the_pairs_that_decided_it_however_long_its_cell_went_on() {
        let (mut runs, mut judgement) = duet();
        let limit = LimitCheck {
            metric: metric("latency_p99").unwrap(),
            limit: 1e6,
            value: Some(Estimate { value: 9e5, interval: None, method: None }),
            p_adjusted: 1.0,
            outcome: LimitOutcome::Holds,
            remedy: None,
        };
        judgement.cells[0].limits = vec![limit];
        let dropped =
            Candidate { limit: Some(0), analysis: 1, open: false, ..judgement.candidates[0].clone() };
        judgement.candidates = vec![dropped];
        let further = runs[0].confirmations[0].clone();
        runs[0].confirmations.push(further);
        let html = Stages::of(&runs, &judgement).unwrap().html();
        let row = html.lines().find(|line| line.contains("within its limit")).unwrap();
        assert_eq!(row.matches("<small>10 pairs</small>").count(), 2, "{row}");
    }

    #[test]
    fn beside_a_change_of_fresh_pairs_stands_no_value_of_the_screening_and_they_are_counted() {
        let (runs, judgement) = duet();
        let report = Report::new("b", &runs, &Default::default(), &judgement, &options());
        let text = report.terminal(false, false);
        let (block, other) = text.split_once("3k_tokens/10").unwrap();
        for part in [
            "10 rounds in 10 launches, then 10 fresh pairs\n",
            "latency p50    40.00 ms\n            base 32.50 ms\n          change [+19.0% +23.1%",
            "       screening [+10.0% +30.0% +50.0%]\n",
            " 10 fresh pairs decided: head, base and change are of them alone\n",
        ] {
            assert!(block.contains(part), "{part} in {block}");
        }
        assert!(!block.contains("28.39 ms"), "the screening's: {block}");
        assert!(!other.contains("fresh pairs decided"), "{other}");
        assert!(text.contains("\np: corrected over all candidates and interim analyses"), "{text}");
        let table = results(&report);
        let is_row = |line: &&str| line.contains("latency p50") && !line.contains("class=\"cell\"");
        let row = table.lines().find(is_row).unwrap();
        for part in ["10 fresh pairs</span>", ">32.50 ms<", ">40.00 ms<"] {
            assert!(row.contains(part), "{part} in {row}");
        }
        // Its charts draw the rounds of the screening, and say so.
        let [confirmed, screened] = [0, 1].map(|nth| of_percentiles(&report.groups[0].cells[nth]));
        assert!(confirmed.starts_with("p50 28.39 ms, p99 53.94 ms; base 23.06 ms"), "{confirmed}");
        assert!(
            confirmed.ends_with("These are the rounds of the screening; fresh pairs decided."),
            "{confirmed}"
        );
        assert!(!screened.contains("screening"), "{screened}");
    }

    #[test]
    fn a_screening_that_finds_nothing_says_so_and_what_was_judged_at_once_has_no_stages() {
        let (runs, mut judgement) = duet();
        judgement.candidates.clear();
        let html = Stages::of(&runs, &judgement).unwrap().html();
        assert!(html.contains("found no candidates") && !html.contains("<table"), "{html}");
        assert!(Stages::of(&runs, &judgement_of(&[Verdict::Regressed])).is_none());
    }
}
