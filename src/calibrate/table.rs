//! A calibration for people: two Markdown tables, which a terminal shows as well as a document.

use std::fmt::Write;

use crate::calibrate::bounds::Standing;
use crate::calibrate::rate::Rate;
use crate::calibrate::row::{Calibration, Effort, Rival, Row};
use crate::calibrate::world::Change;

/// What stands where nothing was counted.
const NOTHING: &str = "–";

impl Calibration {
    /// Both tables, with what their columns mean, and what is left of the promises.
    pub fn text(&self) -> String {
        let effort = &self.effort;
        let thorough = if *effort == Effort::THOROUGH { " --thorough" } else { "" };
        let mut text = format!(
            "# How often the gate is wrong\n\n\
             `plimsoll calibrate{thorough} --seed {}` of version {} wrote this. Each row is {} simulated calls in which nothing changed, and {} \
             with each change of one cell ({} where it is promised to be found). Shares are in per cent, with 95 % intervals. A call has 30 cells of p50, p99 and throughput where nothing \
             else is said; *5 × 6* is five launches of six rounds, and looks at suspects are launches of one pair each.\n\n\
             - *holds*: displayed 95 % intervals of the first measurement that held the truth where nothing changed; *fresh*: those of pairs that were measured again, \
             the number of which is decided by looking at them, in calls of all kinds.\n\
             - *finds*: calls that named the changed cell, in brackets those in which it was named by p50 (or the tail) itself. What is slower by 5 % is slower in all it measures.\n\
             - *red elsewhere*: calls with a change in which any other cell was red.\n\
             - *rounds*: what a call took, its first measurement being 1: where nothing changed, and at the most.\n\
             - Cells of a call are counted as if each were by itself; against stored runs they share half of a run's luck.\n\
             - Resamples of the displayed intervals are 1,000 here. What the promises are, and how they stand, is at the end.\n\n",
            self.seed, self.version, effort.unchanged, effort.changed, effort.promised
        );
        text += &aligned(&self.gate());
        let _ = write!(
            text,
            "\n## Other rules\n\nThe rounds of the first measurement, shown to other rules: p50 of {} calls of each row in which nothing changed (cells that they called \
             slower, calls in which they called any so), and of as many with +5 % in one cell (found). With one stored run they are shown that one. plimsoll itself measures \
             what looks slower again, and they do not.\n\n",
            effort.rivals
        );
        text += &aligned(&self.others());
        text.push('\n');
        text + &self.promises()
    }

    fn promises(&self) -> String {
        let mut text = "## Promises\n\nAt most 1 % of calls red where nothing changed, in duets, and against five stored runs where runs differ by up to 2 %; at least 93 % of intervals hold the truth; \
             with all disturbances in thirty cells a duet finds +5 % in 95 %, a tail of +15 % in 80 % of calls, at 1.3 times the rounds of its screening.\n\n"
            .to_owned();
        let doubts = self.doubts();
        let of = |standing: Standing| doubts.iter().filter(move |doubt| doubt.standing == standing);
        if of(Standing::Broken).next().is_none() {
            text += "No promise was shown to be broken.\n";
        }
        of(Standing::Broken).for_each(|doubt| text += &format!("- **Broken.** {}.\n", doubt.says));
        of(Standing::Doubtful)
            .for_each(|doubt| text += &format!("- Doubtful, may be chance. {}.\n", doubt.says));
        text
    }

    fn gate(&self) -> Vec<Vec<String>> {
        let mut changes: Vec<Change> = Vec::new();
        for found in self.rows.iter().flat_map(|row| &row.found) {
            if !changes.contains(&found.change) {
                changes.push(found.change);
            }
        }
        let mut head: Vec<String> =
            ["scenario", "against", "red calls", "red cells", "holds p50", "tail", "throughput", "fresh"]
                .map(str::to_owned)
                .to_vec();
        head.extend(changes.iter().map(|change| format!("finds {}", change.name())));
        head.extend(["red elsewhere".to_owned(), "rounds".to_owned()]);
        std::iter::once(head).chain(self.rows.iter().map(|row| line(row, &changes))).collect()
    }

    fn others(&self) -> Vec<Vec<String>> {
        let asked = || self.rows.iter().filter(|row| !row.rivals.is_empty());
        let rules = asked().next().map(|row| &row.rivals[..]).unwrap_or_default();
        let mut head = vec!["scenario".to_owned(), "data of".to_owned()];
        head.extend(rules.iter().map(|rival| rival.rule.to_owned()));
        let line = |row: &Row| {
            let names = [row.scenario.name.to_owned(), row.design.name()].into_iter();
            names.chain(row.rivals.iter().map(rival)).collect()
        };
        std::iter::once(head).chain(asked().map(line)).collect()
    }
}

fn line(row: &Row, changes: &[Change]) -> Vec<String> {
    let covered = |wanted: fn(&str) -> bool| {
        let found = row.covered.iter().find(|(id, _)| wanted(id));
        found.map_or(NOTHING.to_owned(), |(_, rate)| percent(*rate))
    };
    let mut line = vec![
        row.scenario.name.to_owned(),
        row.design.name(),
        with_interval(row.red_calls),
        with_interval(row.red_cells),
        covered(|id| id == "latency_p50"),
        covered(|id| id.starts_with("latency_p9")),
        covered(|id| id == "throughput"),
        percent(row.covered_fresh),
    ];
    line.extend(changes.iter().map(|change| {
        let found = row.found.iter().find(|found| found.change == *change);
        found.map_or(NOTHING.to_owned(), |found| {
            format!("{} ({})", with_interval(found.named), percent(found.by_metric))
        })
    }));
    let mut elsewhere = Rate::default();
    row.found.iter().for_each(|found| elsewhere.add(found.wrongly_red));
    line.push(with_interval(elsewhere));
    let most = row.found.iter().map(|found| found.cost).fold(row.cost, f64::max);
    line.push(format!("{:.2} to {most:.2}", row.cost));
    line
}

fn rival(rival: &Rival) -> String {
    let of = |rate: Rate| format!("{} of {}", rate.hits, rate.trials);
    format!("{}, {}; {}", of(rival.red_cells), of(rival.red_calls), of(rival.found))
}

fn percent(rate: Rate) -> String {
    rate.share().map_or(NOTHING.to_owned(), |share| format!("{:.1}", 100.0 * share))
}

fn with_interval(rate: Rate) -> String {
    let (low, high) = rate.interval();
    match rate.share() {
        Some(share) => format!("{:.1} [{:.1}, {:.1}]", 100.0 * share, 100.0 * low, 100.0 * high),
        None => NOTHING.to_owned(),
    }
}

/// A Markdown table with columns of equal width; the first line is its head.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if index == 0 {
            widths.iter().for_each(|width| text.push_str(&format!("|{}", "-".repeat(width + 2))));
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let line = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let table = aligned(&[line(["a", "bb"]), line(["ccc", "±"])]);
        assert_eq!(table, "| a   | bb |\n|-----|----|\n| ccc | ±  |\n");
    }
}
