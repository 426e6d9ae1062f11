//! The report for a terminal: a block per cell in words like criterion's, and last one sentence for the whole call.

use crate::judge::{Change, Comparison, Estimate, LimitOutcome, Note, Stage, Verdict};
use crate::plan::{CellId, Side, metric};
use crate::record::{Round, Unit};
use crate::report::chart::svg::{clean, wrap};
use crate::report::model::{Cell, Report, Row};
use crate::report::number;
use crate::report::text;
use crate::stats::describe::sample_variance;

/// The columns that all text is made for.
const WIDTH: usize = 80;
/// Labels stand in a column of this width ...
const LABEL: usize = 14;
/// ... behind this indent.
const INDENT: usize = 2;
/// Where the text begins.
const TEXT: usize = INDENT + LABEL + 1;

impl Report<'_> {
    /// The whole text, ending with a line feed.
    ///
    /// If nothing could be compared, only the first line says so. The last line is the sentence for the whole call.
    pub(crate) fn terminal(&self, color: bool, verbose: bool) -> String {
        let printer = Printer { color, verbose };
        let cells = self.cells();
        let mut text = String::new();
        if self.judgement.compared_nothing() {
            let base = if self.is_duet() { "base" } else { "a baseline" };
            text.push_str(&format!("{}\n\n", printer.bold(&format!("{} with {base}", text::NOT_COMPARED))));
        }
        let shared = self.shared_notes();
        for cell in &cells {
            text.push_str(&printer.cell(cell, &shared));
            text.push('\n');
        }
        let dim = |line: &str| format!("{}\n", printer.dim(&wrapped(line, 0)));
        if let Some(load) = text::machine_load(self.runs) {
            text.push_str(&dim(&format!("Machine: {load}")));
        }
        if let Some(control) = &self.judgement.control {
            text.push_str(&dim(&format!("Control: {}", text::control(control))));
        }
        for note in text::call_notes(self, &shared) {
            text.push_str(&format!("{}\n", wrapped(&note, 0)));
        }
        text.extend(text::correction(self).map(|correction| dim(&correction)));
        let sentence = clean(&self.sentence());
        text + &match cells.iter().map(|cell| cell.judged.verdict).max() {
            Some(verdict) => format!("{}\n", printer.verdict(verdict, &sentence)),
            None => format!("{sentence}\n"),
        }
    }
}

impl Report<'_> {
    /// A line per cell as libtest and the `bencher` crate print it: the median latency, and in brackets the standard deviation of the
    /// medians of the rounds. A cell without a success has no line.
    pub(crate) fn bencher(&self) -> String {
        let line = |cell: &Cell| {
            let rounds = || cell.runs.iter().flat_map(|run| &run.rounds);
            let shown = cell.row(metric::LATENCY_P50).and_then(|row| row.value(Side::Head));
            let median = shown.map(|median| median.value).or_else(|| text::median_ns(rounds()))?;
            let of_round = |round: &Round| {
                let recorded = round.values.get(metric::LATENCY_P50).copied();
                recorded.or_else(|| text::median_ns([round]))
            };
            let medians: Vec<f64> = rounds().filter_map(of_round).collect();
            let spread = sample_variance(&medians).map_or(0.0, f64::sqrt);
            let [median, spread] = [median, spread].map(|ns| number::count(ns.round() as u64));
            let id = clean(&cell.judged.id.to_string());
            Some(format!("test {id} ... bench: {median:>11} ns/iter (+/- {spread})\n"))
        };
        self.cells().iter().filter_map(line).collect()
    }
}

/// Prints with or without colors and details.
struct Printer {
    color: bool,
    verbose: bool,
}

impl Printer {
    fn sgr(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.sgr("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.sgr("2", text)
    }

    fn verdict(&self, verdict: Verdict, text: &str) -> String {
        let code = match verdict {
            Verdict::Regressed => "1;31",
            Verdict::Invalid | Verdict::Incomparable => "1;35",
            Verdict::Inconclusive | Verdict::New => "33",
            Verdict::Improved | Verdict::SeemsFaster => "1;32",
            Verdict::Unchanged => "32",
        };
        self.sgr(code, text)
    }

    fn cell(&self, cell: &Cell, shared: &[(Note, Vec<&CellId>)]) -> String {
        let id = self.bold(&clean(&cell.judged.id.to_string()));
        let mut block = format!("{id}  {}\n", self.dim(&text::extent(cell)));
        block.push_str(&self.line("compared with", &text::compared_with(cell)));
        for row in cell.rows().iter().filter(|row| self.shows(row)) {
            block.push_str(&self.row(row, cell));
        }
        let throughput = cell.row(metric::THROUGHPUT).and_then(|row| row.value(Side::Head));
        if let Some((of_one, throughput)) = cell.last().throughput.zip(throughput) {
            block.push_str(&self.line("", &number::throughput_per_s(throughput.value, of_one)));
        }
        if self.verbose || !cell.all_200() {
            block.push_str(&self.line("responses", &text::responses(cell)));
        }
        block.push_str(&self.line("latency", &text::median_of_all(cell)));
        block.push_str(&self.line("client", &text::client(cell)));
        block.push_str(&self.line("detectable", &text::detectable_changes(cell)));
        for limit in &cell.judged.limits {
            let verdict = match limit.outcome {
                LimitOutcome::Broken => Verdict::Regressed,
                LimitOutcome::Holds => Verdict::Unchanged,
                LimitOutcome::Undecided => Verdict::Inconclusive,
            };
            let found = wrapped(&text::limit(limit), TEXT);
            block.push_str(&self.labelled("limit", &self.verdict(verdict, &found)));
        }
        for note in cell.own_notes(shared) {
            block.push_str(&self.line("note", &text::note(&note)));
        }
        block + &self.conclusion(cell)
    }

    fn shows(&self, row: &Row) -> bool {
        row.metric.id != metric::LAG && (row.is_primary || self.verbose)
    }

    fn row(&self, row: &Row, cell: &Cell) -> String {
        let Row { metric, comparison, .. } = row;
        let head = row.value(Side::Head);
        let value = head.map_or_else(|| "no value".to_owned(), |head| self.estimate(&head, metric.unit));
        let mut text = self.labelled(metric.title, &value);
        if let Some(method) = head.and_then(|head| head.method).filter(|_| self.verbose) {
            text.push_str(&self.line("", &text::method(&method)));
        }
        // Two values of fresh pairs belong together: the other values of the cell are of other rounds.
        let shows_base = self.verbose || row.fresh_pairs().is_some();
        if let Some(base) = row.value(Side::Base).filter(|_| shows_base) {
            text.push_str(&self.under("base", &self.estimate(&base, metric.unit)));
        }
        text + &comparison.map(|comparison| self.comparison(comparison, cell)).unwrap_or_default()
    }

    fn comparison(&self, found: &Comparison, cell: &Cell) -> String {
        let is_difference = found.is_difference();
        // A service that answers everything, as before, is not news.
        if is_difference && found.verdict == Verdict::Unchanged && !self.verbose {
            return String::new();
        }
        let verdict = match found.judged {
            true => self.verdict(found.verdict, found.verdict.name()),
            false => self.dim("not judged"),
        };
        let change = match found.change {
            Some(change) => {
                let p = text::evidence(found, cell.level()).filter(|_| found.judged);
                let p = p.map(|p| format!(" ({p})")).unwrap_or_default();
                format!("{}{p}", self.change(change, is_difference))
            }
            None => "unknown".to_owned(),
        };
        let mut text = self.under("change", &format!("{change}  {verdict}"));
        if let Stage::Confirmed { pairs, screening, .. } = found.stage {
            if let Some(screening) = screening {
                text.push_str(&self.under("screening", &self.change(screening, is_difference)));
            }
            text.push_str(&self.line("", &text::decided_by(pairs)));
        }
        let reason = found.reason.as_ref().filter(|_| found.change.is_none()).map(text::reason);
        let method = found.method.as_ref().filter(|_| self.verbose).map(text::method);
        let advice = found.advice.as_ref().filter(|_| found.judged).map(text::advice);
        text.extend([reason, method, advice].iter().flatten().map(|about| self.line("", about)));
        text
    }

    fn estimate(&self, estimate: &Estimate, unit: Unit) -> String {
        let value = self.bold(&number::value(estimate.value, unit));
        match estimate.interval {
            Some((low, high)) if low < high => {
                let [low, high] = [low, high].map(|end| self.dim(&number::value(end, unit)));
                format!("[{low} {value} {high}]")
            }
            _ => value,
        }
    }

    fn change(&self, Change { low, estimate, high }: Change, is_difference: bool) -> String {
        let [low, high] = [low, high].map(|end| self.dim(&number::change_in_row(end, is_difference)));
        let unit = if is_difference { " points" } else { "" };
        format!("[{low} {} {high}]{unit}", self.bold(&number::change_in_row(estimate, is_difference)))
    }

    fn conclusion(&self, cell: &Cell) -> String {
        let conclusion = text::conclusion(cell);
        let colored = self.verdict(cell.judged.verdict, conclusion);
        match text::cell_reason(cell.judged) {
            None => format!("{:INDENT$}{colored}.\n", ""),
            Some(reason) => {
                let text = wrapped(&format!("{conclusion}: {reason}"), INDENT);
                // The first words are short enough to stand whole in the first line.
                format!("{:INDENT$}{colored}{}\n", "", &text[conclusion.len()..])
            }
        }
    }

    fn line(&self, label: &str, text: &str) -> String {
        if text.is_empty() { String::new() } else { self.labelled(label, &wrapped(text, TEXT)) }
    }

    fn labelled(&self, label: &str, text: &str) -> String {
        format!("{:INDENT$}{label:LABEL$} {text}\n", "")
    }

    fn under(&self, label: &str, text: &str) -> String {
        format!("{:INDENT$}{label:>LABEL$} {text}\n", "")
    }
}

/// Breaks text at spaces so that each line fits [`WIDTH`] when indented. The first line comes without its indent. A word longer
/// than a line stays whole, so that it can be copied. Control characters, which could move the cursor, are replaced.
fn wrapped(text: &str, indent: usize) -> String {
    wrap(&clean(text), |line| line.chars().count() <= WIDTH - indent)
        .join(&format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::LimitCheck;
    use crate::plan::Throughput;
    use crate::record::{Condition, Stop};
    use crate::report::tests::Sampled;

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
        Sampled::new(&[verdict]).report().terminal(false, false)
    }

    #[test]
    fn a_regression_reads_like_criterions() {
        insta::assert_snapshot!(text(Verdict::Regressed), @r"
        tokenizer/3k_tokens/5  closed(5), 10 rounds in 10 launches
          compared with  5 stored runs
          success ratio  100%
          latency p50    [27.82 ms 28.39 ms 28.96 ms]
                  change [+19.0% +23.1% +27.2%] (p = 0.0012 < 0.01)  regressed
          latency p99    [52.86 ms 53.94 ms 55.02 ms]
                  change [+19.0% +23.1% +27.2%] (p = 0.0012 < 0.01)  regressed
          throughput     [172.6/s 176.1/s 179.6/s]
                  change [-22.9% -18.8% -14.7%] (p = 0.0012 < 0.01)  regressed
          output token throughput [517,789 tokens/s 528,356 tokens/s 538,923 tokens/s]
                  change [-22.9% -18.8% -14.7%]  not judged
          client         lag p99 12.40 µs, responses timed by the kernel
          detectable     success ratio -0.40 points, latency p50 +17.0%, latency p99
                         +17.0%, throughput -17.0%
          Performance has regressed: latency p50 is 23.1% higher (interval +19.0 to
          +27.2%).

        p values are corrected for 4 tests; intervals are not
        1 of 1 cell regressed: tokenizer/3k_tokens/5, latency p50 +23.1% [+19.0, +27.2].
        ");
    }

    #[test]
    fn the_lines_of_bencher_are_those_that_its_readers_know() {
        let verdicts = [Verdict::Regressed, Verdict::Invalid, Verdict::New];
        insta::assert_snapshot!(Sampled::new(&verdicts).report().bencher(), @r"
        test tokenizer/3k_tokens/5 ... bench:  28,389,938 ns/iter (+/- 343,819)
        test tokenizer/3k_tokens/15 ... bench:  85,577,250 ns/iter (+/- 1,036,392)
        ");
    }

    #[test]
    fn an_improvement() {
        insta::assert_snapshot!(text(Verdict::Improved), @r"
        tokenizer/3k_tokens/5  closed(5), 10 rounds in 10 launches
          compared with  5 stored runs
          success ratio  100%
          latency p50    [17.38 ms 17.74 ms 18.09 ms]
                  change [-27.2% -23.1% -19.0%] (p = 1.0000 > 0.01)  improved
          latency p99    [33.02 ms 33.70 ms 34.37 ms]
                  change [-27.2% -23.1% -19.0%] (p = 1.0000 > 0.01)  improved
          throughput     [276.3/s 281.9/s 287.6/s]
                  change [+25.9% +30.0% +34.1%] (p = 1.0000 > 0.01)  improved
          output token throughput [828,867 tokens/s 845,782 tokens/s 862,698 tokens/s]
                  change [+25.9% +30.0% +34.1%]  not judged
          client         lag p99 12.40 µs, responses timed by the kernel
          detectable     success ratio -0.40 points, latency p50 +17.0%, latency p99
                         +17.0%, throughput -17.0%
          Performance has improved: latency p50 is 23.1% lower (interval -27.2 to
          -19.0%).

        p values are corrected for 4 tests; intervals are not
        1 cell: 1 improved (tokenizer/3k_tokens/5). No regression was found. The smallest slowdown that would have been detected: 17.0 to 20.5%. Stored runs can miss a slowdown of 20% here; `--base-ref COMMIT` finds smaller ones.
        ");
    }

    #[test]
    fn an_unchanged_cell_with_all_details() {
        insta::assert_snapshot!(Sampled::new(&[Verdict::Unchanged]).report().terminal(false, true), @r"
        tokenizer/3k_tokens/5  closed(5), 10 rounds in 10 launches
          compared with  5 stored runs
          success ratio  100%
                         bootstrap-t over 10 launches
                    base 100%
                  change [-0.01 +0.00 +0.02] points  unchanged
                         t over 1 head run and 5 stored runs, 8 degrees of freedom
          latency p50    [22.87 ms 23.34 ms 23.81 ms]
                         bootstrap-t over 10 launches
                    base [22.60 ms 23.06 ms 23.52 ms]
                  change [-2.9% +1.2% +5.3%]  unchanged
                         t over 1 head run and 5 stored runs, 8 degrees of freedom
          latency p90    [29.73 ms 30.34 ms 30.95 ms]
                         bootstrap-t over 10 launches
                    base [29.38 ms 29.98 ms 30.58 ms]
                  change [-2.9% +1.2% +5.3%]  not judged
                         t over 1 head run and 5 stored runs, 8 degrees of freedom
          latency p99    [43.46 ms 44.34 ms 45.23 ms]
                         bootstrap-t over 10 launches
                    base [42.94 ms 43.82 ms 44.70 ms]
                  change [-2.9% +1.2% +5.3%]  unchanged
                         t over 1 head run and 5 stored runs, 8 degrees of freedom
          throughput     [209.9/s 214.2/s 218.5/s]
                         bootstrap-t over 10 launches
                    base [212.5/s 216.8/s 221.1/s]
                  change [-5.3% -1.2% +2.9%]  unchanged
                         t over 1 head run and 5 stored runs, 8 degrees of freedom
          output token throughput [629,840 tokens/s 642,694 tokens/s 655,548 tokens/s]
                         bootstrap-t over 10 launches
                    base [637,398 tokens/s 650,407 tokens/s 663,415 tokens/s]
                  change [-5.3% -1.2% +2.9%]  not judged
                         t over 1 head run and 5 stored runs, 8 degrees of freedom
          responses      200: 12,340
          client         lag p99 12.40 µs, responses timed by the kernel
          detectable     success ratio -0.40 points, latency p50 +17.0%, latency p99
                         +17.0%, throughput -17.0%
          Performance is unchanged.

        p values are corrected for 4 tests; intervals are not
        1 cell: 1 unchanged. No regression was found. The smallest slowdown that would have been detected: 17.0 to 20.5%. Stored runs can miss a slowdown of 20% here; `--base-ref COMMIT` finds smaller ones.
        ");
    }

    #[test]
    fn an_inconclusive_cell_says_what_would_decide_it() {
        insta::assert_snapshot!(text(Verdict::Inconclusive), @r"
        tokenizer/3k_tokens/5  closed(5), 10 rounds in 10 launches
          compared with  5 stored runs
          success ratio  100%
          latency p50    [22.87 ms 23.34 ms 23.81 ms]
                  change [-15.8% +1.2% +18.2%] (p = 1.0000 > 0.01)  inconclusive
          latency p99    [43.46 ms 44.34 ms 45.23 ms]
                  change [-15.8% +1.2% +18.2%] (p = 1.0000 > 0.01)  inconclusive
                         needs: stored runs of other days, or a duet (--base-ref)
          throughput     [209.9/s 214.2/s 218.5/s]
                  change [-18.2% -1.2% +15.8%] (p = 1.0000 > 0.01)  inconclusive
          output token throughput [629,840 tokens/s 642,694 tokens/s 655,548 tokens/s]
                  change [-18.2% -1.2% +15.8%]  not judged
          client         lag p99 12.40 µs, responses timed by the kernel
          detectable     success ratio -0.40 points, latency p50 +17.0%, latency p99
                         +17.0%, throughput -17.0%
          Inconclusive: latency p50 is 1.2% higher (interval -15.8 to +18.2%), which is
          too wide to tell whether it changed.

        p values are corrected for 4 tests; intervals are not
        1 cell: 1 inconclusive. No regression was found. The smallest slowdown that would have been detected: 17.0 to 20.5%. Stored runs can miss a slowdown of 20% here; `--base-ref COMMIT` finds smaller ones.
        ");
    }

    #[test]
    fn a_confirmed_change_shows_the_values_of_the_fresh_pairs_alone() {
        insta::assert_snapshot!(Sampled::duet().report().terminal(false, false), @r"
        tokenizer/3k_tokens/5  closed(5), 10 rounds in 10 launches, then 10 fresh pairs
          compared with  base, alternately
          success ratio  100%
          latency p50    40.00 ms
                    base 32.50 ms
                  change [+19.0% +23.1% +27.2%] (p = 0.0012 < 0.01, analysis 1 of 3)  regressed
               screening [+10.0% +30.0% +50.0%]
                         decided by 10 fresh pairs of base and head; the values above
                         are from these pairs only
          latency p99    [52.86 ms 53.94 ms 55.02 ms]
                  change [+19.0% +23.1% +27.2%] (screening p = 0.0012)  regressed
          throughput     [172.6/s 176.1/s 179.6/s]
                  change [-22.9% -18.8% -14.7%] (screening p = 0.0012)  regressed
          output token throughput [517,789 tokens/s 528,356 tokens/s 538,923 tokens/s]
                  change [-22.9% -18.8% -14.7%]  not judged
          client         lag p99 12.40 µs, responses timed by the kernel
          detectable     success ratio -0.40 points, latency p50 +17.0%, latency p99
                         +17.0%, throughput -17.0%
          Performance has regressed: latency p50 is 23.1% higher (interval +19.0 to
          +27.2%).

        tokenizer/3k_tokens/10  closed(10), 10 rounds in 10 launches
          compared with  base, alternately
          success ratio  100%
          latency p50    [50.83 ms 51.87 ms 52.90 ms]
                  change [-15.8% +1.2% +18.2%] (screening p = 1.0000)  inconclusive
          latency p99    [96.57 ms 98.54 ms 100.5 ms]
                  change [-15.8% +1.2% +18.2%] (screening p = 1.0000)  inconclusive
                         needs: stored runs of other days, or a duet (--base-ref)
          throughput     [189.0/s 192.8/s 196.7/s]
                  change [-18.2% -1.2% +15.8%] (screening p = 1.0000)  inconclusive
          output token throughput [566,856 tokens/s 578,425 tokens/s 589,993 tokens/s]
                  change [-18.2% -1.2% +15.8%]  not judged
          client         lag p99 12.40 µs, responses timed by the kernel
          detectable     success ratio -0.40 points, latency p50 +17.0%, latency p99
                         +17.0%, throughput -17.0%
          Inconclusive: latency p50 is 1.2% higher (interval -15.8 to +18.2%), which is
          too wide to tell whether it changed.

        2 of 2 cells looked slower than the stored runs. 1 of them measured again next
        to the first tree (the code of the baseline's first run), 1 confirmed.
        p values of fresh pairs are corrected for all candidates and interim analyses
        1 of 2 cells regressed: tokenizer/3k_tokens/5, latency p50 +23.1% [+19.0, +27.2]. The others: 1 inconclusive.
        ");
    }

    #[test]
    fn without_a_baseline_the_first_line_says_so_and_the_last_one_what_to_do() {
        insta::assert_snapshot!(text(Verdict::New), @r"
        NOT COMPARED with a baseline

        tokenizer/3k_tokens/5  closed(5), 10 rounds in 10 launches
          success ratio  100%
          latency p50    [22.87 ms 23.34 ms 23.81 ms]
          latency p99    [43.46 ms 44.34 ms 45.23 ms]
          throughput     [209.9/s 214.2/s 218.5/s]
          output token throughput [629,840 tokens/s 642,694 tokens/s 655,548 tokens/s]
          client         lag p99 12.40 µs, responses timed by the kernel
          New: There is no baseline yet.

        There is no baseline `main` yet. To record one: `cargo bench --bench tokenizer -- --save-baseline main`.
        ");
    }

    #[test]
    fn an_incomparable_cell() {
        insta::assert_snapshot!(text(Verdict::Incomparable), @r"
        NOT COMPARED with a baseline

        tokenizer/3k_tokens/5  closed(5), 10 rounds in 10 launches
          success ratio  100%
          latency p50    [22.87 ms 23.34 ms 23.81 ms]
          latency p99    [43.46 ms 44.34 ms 45.23 ms]
          throughput     [209.9/s 214.2/s 218.5/s]
          output token throughput [629,840 tokens/s 642,694 tokens/s 655,548 tokens/s]
          client         lag p99 12.40 µs, responses timed by the kernel
          Incomparable: The machine has changed since the run was stored (CPU Intel Xeon
          instead of AMD EPYC). Compare by --base-ref, or record a new baseline.

        1 cell: 1 incomparable (tokenizer/3k_tokens/5).
        ");
    }

    #[test]
    fn a_cell_that_failed_says_what_came_back() {
        insta::assert_snapshot!(text(Verdict::Invalid), @r"
        NOT COMPARED with a baseline

        tokenizer/3k_tokens/5  closed(5), 10 rounds in 10 launches
          success ratio  0%
          responses      429 (unexpected): 12,300, timed out: 40
          client         responses timed by the kernel
          Invalid: Only 0% of requests succeeded (at least 95% required), so latency was
          not compared. If failures are expected here, lower the limit with
          `group.min_success_ratio(…)`.

        1 cell: 1 invalid (tokenizer/3k_tokens/5).
        ");
    }

    #[test]
    fn limits_notes_machine_load_and_a_rate_of_bytes() {
        let mut sampled = Sampled::new(&[Verdict::Unchanged, Verdict::Unchanged]);
        for cell in &mut sampled.judgement.cells {
            cell.notes.push(Note::OtherTestBed(2));
        }
        sampled.judgement.cells[0].notes.push(Note::Recorded("Its rounds follow each other: \x1b[2J".into()));
        sampled.judgement.cells[0].limits.push(LimitCheck {
            metric: crate::record::metric("latency_p99").unwrap(),
            limit: 50e6,
            value: Some(Estimate { value: 44e6, interval: None, method: None }),
            p: 0.5,
            outcome: LimitOutcome::Holds,
            remedy: None,
        });
        sampled.judgement.notes.push(Note::OneStoredRun);
        sampled.judgement.removed.push(CellId::new("tokenizer", "old"));
        let run = &mut sampled.runs[0];
        run.cells[0].throughput = Some(Throughput::Bytes(1024));
        run.cells[0].rounds[0].counts.unstamped = 7;
        run.cells[0].rounds[0].counts.slow_sends = 1;
        run.stop = Some(Stop::Signal(2));
        run.environment.condition =
            Some(Condition { others_share: Some(0.385), stolen_share: Some(0.0), ..Condition::default() });
        sampled.runs.push(sampled.runs[0].clone());
        insta::assert_snapshot!(sampled.report().terminal(false, false), @r"
        tokenizer/3k_tokens/5  closed(5), 20 rounds in 20 launches
          compared with  5 stored runs
          success ratio  100%
          latency p50    [22.87 ms 23.34 ms 23.81 ms]
                  change [-2.9% +1.2% +5.3%]  unchanged
          latency p99    [43.46 ms 44.34 ms 45.23 ms]
                  change [-2.9% +1.2% +5.3%]  unchanged
          throughput     [209.9/s 214.2/s 218.5/s]
                  change [-5.3% -1.2% +2.9%]  unchanged
          output token throughput [629,840 tokens/s 642,694 tokens/s 655,548 tokens/s]
                  change [-5.3% -1.2% +2.9%]  not judged
                         214.2 KiB/s
          client         lag p99 12.40 µs, responses timed by the kernel, but 14
                         responses by this process, 2 requests took longer than 1 ms to
                         send: latency may be too high
          detectable     success ratio -0.40 points, latency p50 +17.0%, latency p99
                         +17.0%, throughput -17.0%
          limit          latency p99 is 44.00 ms, within its limit of 50.00 ms.
          note           Its rounds follow each other: �[2J
          Performance is unchanged.

        tokenizer/3k_tokens/10  closed(10), 20 rounds in 20 launches
          compared with  5 stored runs
          success ratio  100%
          latency p50    [50.83 ms 51.87 ms 52.90 ms]
                  change [-2.9% +1.2% +5.3%]  unchanged
          latency p99    [96.57 ms 98.54 ms 100.5 ms]
                  change [-2.9% +1.2% +5.3%]  unchanged
          throughput     [189.0/s 192.8/s 196.7/s]
                  change [-5.3% -1.2% +2.9%]  unchanged
          output token throughput [566,856 tokens/s 578,425 tokens/s 589,993 tokens/s]
                  change [-5.3% -1.2% +2.9%]  not judged
          client         lag p99 12.40 µs, responses timed by the kernel
          detectable     success ratio -0.40 points, latency p50 +17.0%, latency p99
                         +17.0%, throughput -17.0%
          Performance is unchanged.

        Machine: load average 0.21 at the start, other processes used 38.5% of the CPUs,
        0.0% stolen by the hypervisor
        Signal 2 ended the measurement early.
        Signal 2 ended the measurement early.
        All 2 cells: Left out, because measured on another test bed: 2 stored runs.
        The baseline has only one run, so the variation between runs is assumed. Record
        runs on other days.
        Removed or renamed since the baseline: tokenizer/old. If that is intended,
        record a new baseline.
        p values are corrected for 8 tests; intervals are not
        2 cells: 2 unchanged, 1 removed (tokenizer/old). No regression was found. The smallest slowdown that would have been detected: 17.0 to 20.5%. Stored runs can miss a slowdown of 20% here; `--base-ref COMMIT` finds smaller ones. The measurement ended early.
        ");
    }

    #[test]
    fn every_line_but_the_sentence_fits_a_terminal() {
        for verbose in [false, true] {
            let sampled = Sampled::new(&ALL);
            let text = sampled.report().terminal(false, verbose);
            let (lines, last) = text.trim_end().rsplit_once('\n').unwrap();
            assert_eq!(last, sampled.report().sentence());
            for line in lines.lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
        }
    }

    #[test]
    fn if_nothing_is_compared_the_first_line_alone_says_so() {
        for verdicts in [&[Verdict::New; 3][..], &[Verdict::Invalid], &[]] {
            let sampled = Sampled::new(verdicts);
            let text = sampled.report().terminal(false, true);
            assert!(text.starts_with("NOT COMPARED with a baseline\n"), "{text}");
            assert_eq!(text.matches("NOT COMPARED").count(), 1, "{text}");
            assert!(sampled.report().headline().starts_with("NOT COMPARED. "));
        }
    }

    #[test]
    fn color_adds_nothing_but_color() {
        let sampled = Sampled::new(&ALL);
        let mut stripped = String::new();
        for (index, part) in sampled.report().terminal(true, true).split('\x1b').enumerate() {
            stripped.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
        }
        assert_eq!(stripped, sampled.report().terminal(false, true));
        assert!(!stripped.contains('\x1b'));
    }

    #[test]
    fn text_is_wrapped_within_the_width_and_long_words_stay_whole() {
        let text = wrapped(&"seven letters and more ".repeat(12), 17);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(text.lines().skip(1).all(|line| line.starts_with(&" ".repeat(17))));
        let long = "x".repeat(100);
        assert_eq!(wrapped(&format!("a {long}"), 2), format!("a\n  {long}"));
        assert_eq!(wrapped("", 5), "");
    }
}
