//! Markdown for a comment on a pull request: the verdict, the cells that changed, how sure that is and what to do. All other cells are
//! folded.

use crate::judge::{CellJudgement, Verdict};
use crate::plan::Side;
use crate::record::file_name;
use crate::report::chart::svg::clean;
use crate::report::model::{Cell, Report, ReportError};
use crate::report::number;
use crate::report::text;

/// GitHub takes comments of 65,536 characters. These are bytes, of which there are never fewer.
const MOST_BYTES: usize = 64_000;
/// Of these at most, the changed cells.
const MOST_OF_CHANGED: usize = 30_000;
const MOST_OF_SENTENCE: usize = 1_000;
const MOST_OF_NAME: usize = 120;
const MOST_OF_REASON: usize = 400;

/// The comment, after a marker by which scripts find it again.
pub(crate) fn render(report: &Report) -> Result<String, ReportError> {
    Ok(format!("<!-- plimsoll:{} -->\n{}", file_name(report.bench), text(report)))
}

/// The comment without its marker. If nothing changed, it is one line.
pub(crate) fn text(report: &Report) -> String {
    let verdict = report.verdict();
    let sentence = shortened(&report.headline(), MOST_OF_SENTENCE);
    let lead = format!("{} **{}**\n", text::glyph(verdict), marked_up(&sentence));
    let mut text = lead.clone();
    let cells = report.worst_first();
    let (changed, mut others): (Vec<&Cell>, Vec<&Cell>) =
        cells.iter().partition(|cell| is_shown(report, cell.judged));
    let is_quiet = changed.is_empty() && report.judgement.removed.is_empty();
    if is_quiet && (others.iter().all(|cell| cell.judged.verdict != Verdict::Inconclusive)) {
        return text;
    }
    // Of unchanged cells their number is enough.
    let summary = text::others(&others, cells.len());
    others.retain(|cell| cell.judged.verdict != Verdict::Unchanged);
    if !changed.is_empty() {
        text.push_str(
            "\n| | cell | metric | base | head | change | also changed |\n|---|---|---|--:|--:|--:|---|\n",
        );
        text.push_str(&rows(&changed, MOST_OF_CHANGED, changed_row));
    }
    if let Some(line) = text::how_sure(report) {
        text.push_str(&format!("\n{}\n", marked_up(&line)));
    }
    // A command without its middle cannot be run.
    let mut todo = text::what_to_do(report);
    todo.retain(|line| line.chars().count() <= MOST_OF_SENTENCE);
    if !todo.is_empty() {
        text.push_str("\n**What to do**\n\n");
        todo.iter().for_each(|line| text.push_str(&format!("- {}\n", marked_up(line))));
    }
    let facts = format!("\n<sub>{}</sub>\n", marked_up(&text::compared_sides(report)));
    if !others.is_empty() {
        let before = format!(
            "\n<details><summary>{}</summary>\n\n| | cell | why |\n|---|---|---|\n",
            marked_up(&summary)
        );
        let room = MOST_BYTES.saturating_sub(text.len() + before.len() + facts.len());
        text.push_str(&before);
        text.push_str(&rows(&others, room, other_row));
        text.push_str("\n</details>\n");
    }
    match text.len() + facts.len() {
        0..=MOST_BYTES => text + &facts,
        _ => format!("{lead}\nThe names are too long for a comment. All results are on the page.\n"),
    }
}

/// Whether a cell changed, or fails the call.
fn is_shown(report: &Report, cell: &CellJudgement) -> bool {
    let is_changed = matches!(cell.verdict, Verdict::Regressed | Verdict::Improved | Verdict::Invalid);
    is_changed || report.fails(cell)
}

/// As many rows as fit, and the number of the others.
fn rows(cells: &[&Cell], room: usize, row: fn(&Cell) -> String) -> String {
    const FOR_REST: usize = 60;
    let mut rows = String::new();
    for (nth, cell) in cells.iter().enumerate() {
        let next = row(cell);
        if rows.len() + next.len() + FOR_REST > room {
            return rows + &format!("| | and {} more, which are on the page |\n", cells.len() - nth);
        }
        rows.push_str(&next);
    }
    rows
}

fn changed_row(cell: &Cell) -> String {
    let verdict = cell.judged.verdict;
    let name = code(&cell.judged.id.to_string());
    let first = format!("| {} {} | {name} |", text::glyph(verdict), verdict.name());
    let Some(found) = cell.decisive() else {
        return format!(
            "{first} | | | | {} |\n",
            marked_up(&text::cell_reason(cell.judged).unwrap_or_default())
        );
    };
    let row = cell.row(found.metric.id);
    let [base, head] = [Side::Base, Side::Head].map(|side| {
        let estimate = row.and_then(|row| row.value(side));
        estimate.map(|estimate| number::value(estimate.value, found.metric.unit)).unwrap_or_default()
    });
    let change = found.change.map(|change| number::change_with_interval(change, found.is_difference()));
    let change = change.map(|change| format!("**{change}**")).unwrap_or_default();
    let also = marked_up(&text::also(cell, found));
    format!("{first} {} | {base} | {head} | {change} | {also} |\n", found.metric.title)
}

fn other_row(cell: &Cell) -> String {
    let verdict = cell.judged.verdict;
    format!(
        "| {} {} | {} | {} |\n",
        text::glyph(verdict),
        verdict.name(),
        code(&cell.judged.id.to_string()),
        marked_up(&shortened(&text::cell_reason(cell.judged).unwrap_or_default(), MOST_OF_REASON))
    )
}

/// The beginning and the end of a text that is too long.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let all: Vec<char> = text.chars().collect();
    if all.len() <= most {
        return text.to_owned();
    }
    let half = most / 2;
    let [start, end] = [&all[..half], &all[all.len() - half..]].map(|part| part.iter().collect::<String>());
    format!("{start}…{end}")
}

/// Text as Markdown, with what stands between backquotes set as code.
fn marked_up(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escaped(text);
    }
    let part = |(nth, part): (usize, &&str)| if nth % 2 == 0 { escaped(part) } else { code(part) };
    parts.iter().enumerate().map(part).collect()
}

/// A name or a command as code. In a table a bar ends a cell even within code, and a backquote ends code: such text is set as HTML.
fn code(text: &str) -> String {
    let text = clean(&shortened(text, MOST_OF_NAME.max(if text.starts_with("cargo ") { 1_000 } else { 0 })));
    let is_plain = !text.is_empty() && !text.contains(['`', '|', '\\']) && text.trim() == text;
    if is_plain { format!("`{text}`") } else { format!("<code>{}</code>", escaped(&text)) }
}

/// Text without any meaning of Markdown or HTML, and without mentions of people and issues.
fn escaped(text: &str) -> String {
    let chars: Vec<char> = clean(text).chars().collect();
    let mut escaped = String::with_capacity(text.len());
    for (nth, &c) in chars.iter().enumerate() {
        let before = nth.checked_sub(1).and_then(|nth| chars.get(nth)).copied().unwrap_or(' ');
        let is_within_word =
            before.is_alphanumeric() && chars.get(nth + 1).is_some_and(|c| c.is_alphanumeric());
        match c {
            ' ' | '.' | ',' | ';' | ')' | '/' | '+' | '-' | '%' | '=' | '?' | '"' | '\'' | ']' => {
                escaped.push(c)
            }
            // Behind a bracket they make a link.
            '(' | '[' | ':' if before != ']' => escaped.push(c),
            '_' if is_within_word => escaped.push(c),
            '@' => escaped.push_str("&#64;<!-- -->"),
            '#' => escaped.push_str("&#35;<!-- -->"),
            c if c.is_ascii_punctuation() => escaped.push_str(&format!("&#{};", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    use super::*;
    use crate::report::tests::{Sampled, hostile};

    fn of(sampled: &Sampled) -> String {
        render(&sampled.report()).unwrap()
    }

    /// The cells of the first table, as a reader sees them.
    fn table(markdown: &str) -> Vec<Vec<String>> {
        let (mut rows, mut is_open) = (Vec::new(), true);
        for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::TableHead | Tag::TableRow) if is_open => rows.push(Vec::new()),
                Event::Start(Tag::TableCell) if is_open => rows.last_mut().unwrap().push(String::new()),
                Event::Text(text) | Event::Code(text) if is_open && !rows.is_empty() => {
                    rows.last_mut().unwrap().last_mut().unwrap().push_str(&text);
                }
                Event::End(TagEnd::Table) => is_open = false,
                _ => {}
            }
        }
        rows
    }

    #[test]
    fn a_reviewer_reads_what_became_slower_by_how_much_and_what_to_do() {
        let verdicts = [Verdict::Unchanged, Verdict::Regressed, Verdict::Inconclusive];
        insta::assert_snapshot!(of(&Sampled::new(&verdicts)), @r"
        <!-- plimsoll:tokenizer -->
        ✗ **1 of 3 cells regressed: tokenizer/3k_tokens/10, latency p50 +23.1% [+19.0, +27.2]. The others: 1 inconclusive, 1 unchanged.**

        | | cell | metric | base | head | change | also changed |
        |---|---|---|--:|--:|--:|---|
        | ✗ regressed | `tokenizer/3k_tokens/10` | latency p50 | 51.25 ms | 63.09 ms | **+23.1% [+19.0, +27.2]** | latency p99 +23.1%, throughput -18.8% |

        Head was compared with 5 stored runs, all on one test bed. Brackets hold 95% confidence intervals. If base and head were the same, at most 1% of runs would report a regression.

        **What to do**

        - If the slowdown is not intended, find the cause. This measures the worst cell again: `cargo bench --bench tokenizer -- --exact tokenizer/3k_tokens/10`
        - If it is intended, run `plimsoll accept --reason TEXT` and commit `baselines/`.
        - Inconclusive cells show neither a change nor that there is none. The page says what would decide each.

        <details><summary>2 other cells: 1 inconclusive, 1 unchanged (not listed)</summary>

        | | cell | why |
        |---|---|---|
        | ? inconclusive | `tokenizer/3k_tokens/15` | latency p50 is 1.2% higher (interval -15.8 to +18.2%), which is too wide to tell whether it changed. |

        </details>

        <sub>baseline `main`, head abc1234 with uncommitted changes, 10 rounds in 10 launches, AMD EPYC 7763 with 4 CPUs, plimsoll 0.1.0. A cell is one endpoint under one load.</sub>
        ");
        insta::assert_snapshot!(of(&Sampled::duet()), @r"
        <!-- plimsoll:tokenizer -->
        ✗ **1 of 2 cells regressed: tokenizer/3k_tokens/5, latency p50 +23.1% [+19.0, +27.2]. The others: 1 inconclusive.**

        | | cell | metric | base | head | change | also changed |
        |---|---|---|--:|--:|--:|---|
        | ✗ regressed | `tokenizer/3k_tokens/5` | latency p50 | 32.50 ms | 40.00 ms | **+23.1% [+19.0, +27.2]** | latency p99 +23.1%, throughput -18.8% |

        Rounds of base and head alternated on one machine. Cells that looked slower were measured again in up to 10 fresh pairs, and only these decided. Brackets hold 95% confidence intervals. If base and head were the same, at most 1% of runs would report a regression.

        **What to do**

        - If the slowdown is not intended, find the cause. This measures the worst cell again: `cargo bench --bench tokenizer -- --exact tokenizer/3k_tokens/5`
        - If it is intended, merge anyway: later comparisons have the new code as base.
        - Inconclusive cells show neither a change nor that there is none. The page says what would decide each.

        <details><summary>1 other cell: 1 inconclusive</summary>

        | | cell | why |
        |---|---|---|
        | ? inconclusive | `tokenizer/3k_tokens/10` | latency p50 is 1.2% higher (interval -15.8 to +18.2%), which is too wide to tell whether it changed. |

        </details>

        <sub>head abc1234 with uncommitted changes, 10 rounds in 10 launches, then 10 fresh pairs, AMD EPYC 7763 with 4 CPUs, plimsoll 0.1.0. A cell is one endpoint under one load.</sub>
        ");
    }

    #[test]
    fn names_that_grow_when_they_are_escaped_fit_too() {
        let verdicts = [Verdict::Regressed, Verdict::Improved, Verdict::Invalid, Verdict::Inconclusive];
        let mut sampled = Sampled::new(&[verdicts, verdicts, verdicts].concat());
        let mut cells = sampled.judgement.cells.clone();
        for (nth, cell) in cells.iter_mut().enumerate() {
            cell.id.group = format!("{}{nth}", "@".repeat(1_000));
            sampled.runs[0].cells[nth].id = cell.id.clone();
        }
        sampled.judgement.removed = cells.iter().map(|cell| cell.id.clone()).collect();
        sampled.judgement.cells = cells;
        assert!(of(&sampled).len() < 65_000, "{}", of(&sampled).len());
    }

    #[test]
    fn if_nothing_changed_there_are_two_lines() {
        let mut sampled = Sampled::new(&[Verdict::Unchanged; 36]);
        assert_eq!(of(&sampled).lines().count(), 2, "{}", of(&sampled));
        assert!(of(&sampled).starts_with("<!-- plimsoll:tokenizer -->\n= **36 cells: 36 unchanged. "));
        sampled.judgement.cells.clear();
        sampled.options.nothing_measured =
            Some(("Base and head have the same files.".into(), Verdict::Unchanged));
        assert_eq!(of(&sampled), "<!-- plimsoll:tokenizer -->\n= **Base and head have the same files.**\n");
        assert_eq!(of(&Sampled::new(&[Verdict::New])).lines().count(), 2);
    }

    #[test]
    fn hundreds_of_long_names_fit_into_a_comment() {
        for verdict in [Verdict::Regressed, Verdict::Inconclusive] {
            let mut sampled = Sampled::new(&[verdict; 300]);
            for cell in &mut sampled.judgement.cells {
                cell.id.group = "|`@".repeat(300);
            }
            let ids = sampled.judgement.cells.iter().map(|cell| cell.id.clone());
            for (cell, id) in sampled.runs[0].cells.iter_mut().zip(ids) {
                cell.id = id;
            }
            let markdown = of(&sampled);
            assert!(markdown.len() < 65_000, "{}", markdown.len());
            assert!(markdown.contains(" more, which are on the page"), "{markdown}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_text_in_its_own_cell(name in hostile()) {
            let mut sampled = Sampled::new(&[Verdict::Regressed, Verdict::Unchanged]);
            sampled.rename(&name);
            let markdown = of(&sampled);
            let first = markdown.lines().next().unwrap();
            let mark = first.strip_prefix("<!-- plimsoll:").and_then(|rest| rest.strip_suffix(" -->"));
            proptest::prop_assert!(mark.is_some_and(|mark| !mark.contains(['<', '>', '"'])), "{}", markdown);
            let rows = table(&markdown);
            proptest::prop_assert!(rows.len() == 2 && rows.iter().all(|row| row.len() == 7), "{}", markdown);
            let shown = shortened(&sampled.judgement.cells[0].id.to_string(), MOST_OF_NAME);
            proptest::prop_assert_eq!(rows[1][1].trim().to_owned(), clean(&shown).trim().to_owned());
            let html: Vec<String> = Parser::new_ext(&markdown, Options::ENABLE_TABLES)
                .filter_map(|event| match event {
                    Event::Html(html) | Event::InlineHtml(html) => Some(html.trim().to_owned()),
                    _ => None,
                })
                .collect();
            let ours = [first, "<!-- -->", "<code>", "</code>", "<sub>", "</sub>", "<details><summary>", "</summary>", "</details>"];
            for html in html {
                proptest::prop_assert!(ours.contains(&html.as_str()) || html.starts_with("<details><summary>"), "{}", html);
            }
        }
    }
}
