//! A calibration for people: two Markdown tables, which a terminal shows as well as a document.

use std::fmt::Write;

use crate::calibrate::rate::Rate;
use crate::calibrate::study::{Calibration, Effort, Row};

impl Calibration {
    /// Both tables, with what their columns mean.
    pub fn table(&self) -> String {
        let effort = &self.effort;
        let call =
            if *effort == Effort::THOROUGH { "plimsoll calibrate --thorough" } else { "plimsoll calibrate" };
        let mut text = format!(
            "# How often the gate is wrong\n\n`{call} --seed {}` wrote this: {} simulated calls of each row in which nothing changed, and {} with \
             each change of one cell. In per cent, with 95 % intervals. A call has 30 cells of three metrics where nothing else is said; *finds* counts \
             calls that named the changed cell; *rounds* is what a call took, its first measurement being 1: unchanged, and at the most.\n\n",
            self.seed, effort.unchanged, effort.changed
        );
        text += &aligned(&self.gate());
        let _ = write!(
            text,
            "\n## Other rules\n\nThe very same rounds, shown to other rules: p50 of {} unchanged calls of each row (red cells / red calls), and of as \
             many with +5 % in one cell (found). Against stored runs they are shown the last of them.\n\n",
            effort.rivals
        );
        text += &aligned(&self.others());
        text
    }

    fn gate(&self) -> Vec<Vec<String>> {
        let mut lines = vec![
            [
                "scenario",
                "against",
                "red calls",
                "red cells",
                "95 % interval holds p50",
                "tail",
                "throughput",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        let mut changes: Vec<&str> = Vec::new();
        for found in self.rows.iter().flat_map(|row| &row.found) {
            if !changes.contains(&found.change.as_str()) {
                changes.push(&found.change);
            }
        }
        lines[0].extend(changes.iter().map(|change| format!("finds {change}")));
        lines[0].push("rounds".to_owned());
        lines.extend(self.rows.iter().map(|row| line(row, &changes)));
        lines
    }

    fn others(&self) -> Vec<Vec<String>> {
        let rules = self.rows.first().map(|row| &row.rivals[..]).unwrap_or_default();
        let mut lines = vec![vec!["scenario".to_owned(), "data of".to_owned()]];
        lines[0].extend(rules.iter().map(|rival| rival.rule.to_owned()));
        for row in &self.rows {
            let mut line = vec![row.scenario.to_owned(), row.against.clone()];
            line.extend(row.rivals.iter().map(|rival| {
                let [cells, calls, found] = [rival.red_cells, rival.red_calls, rival.found].map(percent);
                format!("{cells} / {calls} / {found}")
            }));
            lines.push(line);
        }
        lines
    }
}

fn line(row: &Row, changes: &[&str]) -> Vec<String> {
    let covered = |wanted: fn(&str) -> bool| {
        let found = row.covered.iter().find(|(id, _)| wanted(id));
        found.map_or("–".to_owned(), |(_, rate)| percent(*rate))
    };
    let mut line = vec![
        row.scenario.to_owned(),
        row.against.clone(),
        with_interval(row.red_calls),
        with_interval(row.red_cells),
        covered(|id| id == "latency_p50"),
        covered(|id| id.starts_with("latency_p9")),
        covered(|id| id == "throughput"),
    ];
    line.extend(changes.iter().map(|change| {
        let found = row.found.iter().find(|found| found.change == *change);
        found.map_or("–".to_owned(), |found| with_interval(found.named))
    }));
    let most = row.found.iter().map(|found| found.cost).fold(row.cost, f64::max);
    line.push(format!("{:.2} to {most:.2}", row.cost));
    line
}

fn percent(rate: Rate) -> String {
    rate.share().map_or("–".to_owned(), |share| format!("{:.1}", 100.0 * share))
}

fn with_interval(rate: Rate) -> String {
    let (low, high) = rate.interval();
    match rate.share() {
        Some(share) => format!("{:.1} [{:.1}, {:.1}]", 100.0 * share, 100.0 * low, 100.0 * high),
        None => "–".to_owned(),
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
