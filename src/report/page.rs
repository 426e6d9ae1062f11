//! The page of a bench: one HTML file with everything in it, and no script. Next to it the page that links to all benches.

use std::fs;
use std::path::Path;

use crate::judge::{Change, Comparison, Estimate, Note, Stage, Verdict};
use crate::plan::{CellId, Side};
use crate::report::chart::svg::escaped;
use crate::report::charts::{self, Figure, Scope};
use crate::report::model::{Artifact, Cell, Report, ReportError, Row};
use crate::report::number;
use crate::report::text;

/// The page of a bench, and of all benches.
pub(crate) const INDEX: &str = "index.html";
/// The file with all data, next to the page.
const DATA: &str = "run.json";
/// The names of the elements that hold a page's bench and its sentence.
const BENCH: &str = "plimsoll-bench";
const DESCRIPTION: &str = "description";
const NO_VALUE: &str = "–";
const COLUMNS: usize = 6;
const STYLE: &str = include_str!("style.css");
/// A Plimsoll mark: a circle with a line through it.
const MARK: &str = "<svg width=\"22\" height=\"14\" viewBox=\"0 0 22 14\" aria-hidden=\"true\">\
    <circle cx=\"11\" cy=\"7\" r=\"5.5\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.6\"/>\
    <path d=\"M0 7h22\" stroke=\"currentColor\" stroke-width=\"1.6\"/></svg>";

/// The charts as files, and the page with the charts in it.
///
/// # Errors
/// If a chart cannot be drawn as PNG.
pub(crate) fn render(report: &Report) -> Result<Vec<Artifact>, ReportError> {
    let figures = if report.options.plots { charts::figures(report) } else { Vec::new() };
    let mut artifacts = charts::files(&figures)?;
    artifacts.push(Artifact { name: INDEX.to_owned(), bytes: page(report, &figures).into_bytes() });
    Ok(artifacts)
}

fn page(report: &Report, figures: &[Figure]) -> String {
    let cells = report.cells();
    let worst = cells.iter().map(|cell| cell.judged.verdict).max().unwrap_or(Verdict::New);
    let not_compared = format!("<b>{}</b>", text::NOT_COMPARED);
    let sentence = marked_up(&report.headline()).replacen(text::NOT_COMPARED, &not_compared, 1);
    let mut body = format!(
        "<h1>{}</h1>\n<p class=\"sentence {}\"><span>{sentence}</span></p>\n",
        escaped(report.title),
        class(worst)
    );
    let fact = |(name, value): &(&str, String)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(name), escaped(value))
    };
    body.push_str(&element("dl", "facts", &text::facts(report).iter().map(fact).collect::<String>()));
    let shared = report.shared_notes();
    body.push_str(&list("notes", &text::call_notes(report, &shared)));
    if !cells.is_empty() {
        body.push_str("<h2>Results</h2>\n");
        if report.screened_cells() > 0 {
            body.push_str(&format!("<p class=\"why\">{}</p>\n", text::stages(report)));
        }
        body.push_str(&results(&cells, &shared));
        body.push_str(&others(&cells));
    }
    if !figures.is_empty() {
        body.push_str(&figure_section(report, figures));
    }
    if let Some(cell) = cells.first() {
        body.push_str("<h2>How to read this</h2>\n");
        body.push_str(&list("reading", &text::reading(report, cell)));
    }
    let above = format!(" <a href=\"../{INDEX}\">All benches</a>.");
    let above = if report.options.overview { above.as_str() } else { "" };
    body.push_str(&format!(
        "<footer>All measured data, with histograms: <a href=\"{DATA}\">{DATA}</a>.{above}</footer>\n"
    ));
    let head = format!("<meta name=\"{BENCH}\" content=\"{}\">\n", escaped(report.title));
    html(&format!("{} – plimsoll", report.title), &report.headline(), &head, &body)
}

/// A whole HTML file. `title` and `description` are plain text, `head` and `body` are HTML.
fn html(title: &str, description: &str, head: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"{DESCRIPTION}\" content=\"{}\">\n{head}<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<p class=\"brand\">{MARK} plimsoll</p>\n{body}</main>\n</body>\n</html>\n",
        escaped(description),
        escaped(title)
    )
}

/// An element with a class; empty if it would have no content.
fn element(name: &str, class: &str, inner: &str) -> String {
    if inner.is_empty() { String::new() } else { format!("<{name} class=\"{class}\">\n{inner}</{name}>\n") }
}

fn list(class: &str, items: &[String]) -> String {
    element(
        "ul",
        class,
        &items.iter().map(|item| format!("<li>{}</li>\n", marked_up(item))).collect::<String>(),
    )
}

/// Text as HTML, with what stands between backquotes set as code.
fn marked_up(text: &str) -> String {
    in_code(&escaped(text))
}

fn in_code(html: &str) -> String {
    let parts: Vec<&str> = html.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return html.to_owned();
    }
    let part = |(index, part): (usize, &&str)| match index % 2 {
        0 => (*part).to_owned(),
        _ => format!("<code>{part}</code>"),
    };
    parts.iter().enumerate().map(part).collect()
}

/// A number as HTML, with a real minus.
fn minus(text: &str) -> String {
    escaped(&text.replace('-', "\u{2212}"))
}

/// A sign next to a verdict's color, for readers who do not see the color.
fn glyph(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regressed => "✗",
        Verdict::Improved => "✓",
        Verdict::SeemsFaster => "~",
        Verdict::Unchanged => "=",
        Verdict::Inconclusive => "?",
        Verdict::Invalid => "!",
        Verdict::Incomparable => "≠",
        Verdict::New => "+",
    }
}

/// A verdict's name in the style sheet.
fn class(verdict: Verdict) -> String {
    verdict.name().replace(' ', "-")
}

/// A verdict with its glyph and color.
fn badge(verdict: Verdict) -> String {
    let (class, glyph, name) = (class(verdict), glyph(verdict), verdict.name());
    format!("<span class=\"badge {class}\"><b aria-hidden=\"true\">{glyph}</b> {name}</span>")
}

/// A table that scrolls by itself if it is wider than the page. Headings that begin with `>` are those of numbers.
fn table(headings: &[&str], bodies: &str) -> String {
    let heading = |heading: &&str| match heading.strip_prefix('>') {
        Some(heading) => format!("<th class=\"n\">{heading}</th>"),
        None => format!("<th>{heading}</th>"),
    };
    let headings: String = headings.iter().map(heading).collect();
    format!("<div class=\"scroll\"><table>\n<thead><tr>{headings}</tr></thead>\n{bodies}</table></div>\n")
}

/// The primary metrics. If no cell has a base there are no columns for it.
fn results(cells: &[Cell], shared: &[(Note, Vec<&CellId>)]) -> String {
    let has_base = |row: &Row| row.comparison.is_some() || row.value(Side::Base).is_some();
    let is_compared = cells.iter().flat_map(Cell::rows).any(|row| has_base(&row));
    let mut bodies = String::new();
    for cell in cells {
        let why = text::cell_reason(cell.judged)
            .map(|reason| format!("<p class=\"why\">{}</p>", marked_up(&reason)));
        let rows: String = (cell.rows().iter().filter(|row| row.is_primary))
            .map(|row| if is_compared { result(row, cell.level()) } else { head_alone(row) })
            .collect();
        bodies.push_str(&format!(
            "<tbody>\n<tr class=\"cell\"><th colspan=\"{COLUMNS}\" scope=\"rowgroup\"><span class=\"id\">{}</span>{}\
             <span class=\"load\">{}</span>{}</th></tr>\n{rows}{}</tbody>\n",
            escaped(&cell.judged.id.to_string()),
            badge(cell.judged.verdict),
            escaped(&extent(cell)),
            why.unwrap_or_default(),
            more(cell, shared)
        ));
    }
    match is_compared {
        true => table(&["metric", ">base", ">head", ">change", "verdict", ">detectable"], &bodies),
        false => table(&["metric", ">head"], &bodies),
    }
}

/// Its load and rounds, and what they are compared with.
fn extent(cell: &Cell) -> String {
    let (extent, base) = (text::extent(cell), text::compared_with(cell));
    if base.is_empty() { extent } else { format!("{extent}; compared with {base}") }
}

fn head_alone(row: &Row) -> String {
    format!("<tr><td class=\"metric\">{}</td>{}</tr>\n", escaped(row.metric.title), value(row, Side::Head))
}

fn result(row: &Row, level: f64) -> String {
    let shown = match (row.comparison, row.fresh_pairs()) {
        (Some(Comparison { judged: false, .. }), _) => "not judged".to_owned(),
        (_, Some(pairs)) => number::plural(pairs as u64, "fresh pair"),
        _ => String::new(),
    };
    let shown = if shown.is_empty() { shown } else { format!("<span class=\"shown\">{shown}</span>") };
    let detectable = row.comparison.and_then(text::detectable_change).unwrap_or_default();
    format!(
        "<tr><td class=\"metric\">{}{shown}</td>{}{}{}<td>{}</td><td class=\"n\">{}</td></tr>\n",
        escaped(row.metric.title),
        value(row, Side::Base),
        value(row, Side::Head),
        change(row),
        row.judged().map(|found| judged(found, level)).unwrap_or_default(),
        minus(&detectable)
    )
}

/// A verdict with the p value that it rests on, if anything was tested.
fn judged(found: &Comparison, level: f64) -> String {
    let p = found.change.and_then(|_| text::evidence(found, level));
    let p = p.map(|p| format!("<small>{}</small>", escaped(&p))).unwrap_or_default();
    format!("{}{p}", badge(found.verdict))
}

fn value(row: &Row, side: Side) -> String {
    let unit = row.metric.unit;
    let Some(Estimate { value, interval, .. }) = row.value(side) else {
        return format!("<td class=\"n\">{NO_VALUE}</td>");
    };
    let interval = interval.filter(|(low, high)| low < high);
    let interval = interval.map(|ends| format!("<small>{}</small>", minus(&number::value_range(ends, unit))));
    format!("<td class=\"n\">{}{}</td>", minus(&number::value(value, unit)), interval.unwrap_or_default())
}

/// A change with its interval below, and the interval of the screening if fresh pairs decided.
fn change(row: &Row) -> String {
    let html = row.comparison.and_then(|found| {
        let (change, is_difference) = (found.change?, found.is_difference());
        let range = |change: Change| minus(&number::change_range(change, is_difference));
        let screening = match found.stage {
            Stage::Confirmed { screening: Some(change), .. } => {
                format!("<small>screening: {}</small>", range(change))
            }
            _ => String::new(),
        };
        let estimate = minus(&number::change_of(change.estimate, is_difference));
        Some(format!("{estimate}<small>{}</small>{screening}", range(change)))
    });
    format!("<td class=\"n\">{}</td>", html.unwrap_or_default())
}

/// Responses, client, advice, limits and notes of a cell.
fn more(cell: &Cell, shared: &[(Note, Vec<&CellId>)]) -> String {
    let mut lines = Vec::new();
    let (responses, client) = (text::responses(cell), text::client(cell));
    let client = if client.is_empty() { client } else { format!("; client: {client}") };
    lines.push(("responses", format!("{responses}{client}")));
    lines.push(("latency", text::median_of_all(cell)));
    for found in cell.rows().iter().filter_map(Row::judged) {
        lines.extend(found.advice.as_ref().map(|advice| (found.metric.title, text::advice(advice))));
    }
    lines.extend(cell.judged.limits.iter().map(|limit| ("limit", text::limit(limit))));
    lines.extend(cell.own_notes(shared).iter().map(|note| ("note", text::note(note))));
    lines.retain(|(_, text)| !text.is_empty());
    if lines.is_empty() {
        return String::new();
    }
    let line = |(label, text): &(&str, String)| format!("<p><b>{label}</b> {}</p>", marked_up(text));
    let lines: String = lines.iter().map(line).collect();
    format!("<tr class=\"more\"><td colspan=\"{COLUMNS}\">{lines}</td></tr>\n")
}

/// All other metrics; empty if there are none.
fn others(cells: &[Cell]) -> String {
    let mut rows = String::new();
    for cell in cells {
        for row in cell.rows().iter().filter(|row| !row.is_primary) {
            rows.push_str(&format!(
                "<tr><td>{}</td><td class=\"metric\">{}</td>{}{}{}</tr>\n",
                escaped(&cell.judged.id.to_string()),
                escaped(row.metric.title),
                value(row, Side::Base),
                value(row, Side::Head),
                change(row)
            ));
        }
    }
    if rows.is_empty() {
        return rows;
    }
    let table = table(&["cell", "metric", ">base", ">head", ">change"], &format!("<tbody>\n{rows}</tbody>"));
    format!("<details><summary>All other metrics</summary>\n{table}</details>\n")
}

fn figure_section(report: &Report, figures: &[Figure]) -> String {
    let of = |scope: Scope| {
        let of_scope = figures.iter().filter(|figure| figure.scope == scope);
        element("div", "charts", &of_scope.map(figure).collect::<String>())
    };
    let mut html = format!("<h2>Charts</h2>\n{}", of(Scope::Call));
    for (nth, (name, cells)) in report.groups().iter().enumerate() {
        let name = escaped(name);
        if let Some(about) = &cells[0].last().about {
            html.push_str(&format!("<p><b>{name}</b>: {}</p>\n", escaped(about)));
        }
        html.push_str(&of(Scope::Group(nth)));
        let cells = of(Scope::Cell(nth));
        if !cells.is_empty() {
            html.push_str(&format!(
                "<details><summary>Each cell of {name}: its rounds in order of time, and its latency percentiles</summary>\n\
                 {cells}</details>\n"
            ));
        }
    }
    html
}

fn figure(Figure { name, svg, .. }: &Figure) -> String {
    let name = escaped(name);
    let png =
        if cfg!(feature = "png") { format!(" · <a href=\"{name}.png\">PNG</a>") } else { String::new() };
    format!("<figure>\n{svg}<figcaption><a href=\"{name}.svg\">SVG</a>{png}</figcaption>\n</figure>\n")
}

/// The page that links to each folder below `root` with a page of ours. Others, and those that cannot be read, are left out.
pub(crate) fn overview(root: &Path) -> String {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut benches: Vec<(String, String)> = entries
        .filter_map(|entry| {
            let folder = entry.file_name().into_string().ok()?;
            let page = fs::read_to_string(entry.path().join(INDEX)).ok()?;
            let (name, sentence) = (meta(&page, BENCH)?, in_code(meta(&page, DESCRIPTION)?));
            let link = format!("<a href=\"{}/{INDEX}\">{name}</a>", escaped(&folder));
            Some((folder, format!("<li>{link}<p>{sentence}</p></li>\n")))
        })
        .collect();
    benches.sort();
    let items: String = benches.into_iter().map(|(_, item)| item).collect();
    let body = format!("<h1>Benches</h1>\n{}", element("ul", "benches", &items));
    html("Benches – plimsoll", "The reports of all benches.", "", &body)
}

/// The content of an element of a page's head, still escaped; `None` if it is not there or could leave its place.
fn meta<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(&format!("<meta name=\"{name}\" content=\""))?;
    let (content, _) = rest.split_once('"')?;
    Some(content).filter(|content| !content.contains(['<', '>']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{Sampled, samples};

    fn page_of(sampled: &Sampled) -> String {
        let artifact = render(&sampled.report()).unwrap().pop().unwrap();
        assert_eq!(artifact.name, INDEX, "what it links to is written before");
        String::from_utf8(artifact.bytes).unwrap()
    }

    /// The row of the table of results that begins with this metric.
    fn row<'a>(page: &'a str, metric: &str) -> &'a str {
        page.lines().find(|line| line.starts_with(&format!("<tr><td class=\"metric\">{metric}"))).unwrap()
    }

    #[test]
    fn the_page_holds_each_cell_the_charts_the_facts_and_the_sentence() {
        let sampled = Sampled::new(&[Verdict::Regressed, Verdict::Unchanged, Verdict::Invalid]);
        let page = page_of(&sampled);
        for cell in &sampled.judgement.cells {
            assert!(page.contains(&format!("<span class=\"id\">{}</span>", cell.id)));
        }
        assert_eq!(page.matches("<figure>").count(), 7);
        for part in [
            "1 of 3 cells regressed: tokenizer/3k_tokens/5, latency p50 +23.1% [+19.0, +27.2]. Others: 1 invalid (tokenizer/3k_tokens/15), 1 unchanged.",
            "AMD EPYC 7763",
            "abc1234 with uncommitted changes",
            "429 (unexpected): 12,300, timed out: 40",
            "href=\"run.json\"",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn names_of_others_are_escaped_everywhere() {
        let mut odd = samples(&[Verdict::Regressed]);
        odd[0].group = "<script>g</script>".into();
        odd[0].function = "f\"'><img src=x>".into();
        let mut sampled = Sampled::of(&odd);
        sampled.title = "</h1><script>".into();
        sampled.judgement.notes.push(Note::Recorded("<b>note</b>".into()));
        sampled.runs[0].environment.machine.cpu = "<i>cpu</i>".into();
        let page = page_of(&sampled);
        for raw in ["<script", "<img", "<b>note", "<i>"] {
            assert!(!page.contains(raw), "{raw}");
        }
    }

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        let page = html("</title><b>", "\"><b>", "", "");
        for outside in ["http:", "https:", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("<title>&lt;/title&gt;&lt;b&gt;</title>"));
        assert!(page.contains("content=\"&quot;&gt;&lt;b&gt;\""));
    }

    #[test]
    fn without_plots_there_is_no_figure() {
        let mut sampled = Sampled::new(&[Verdict::Unchanged]);
        sampled.options.plots = false;
        assert_eq!(render(&sampled.report()).unwrap().len(), 1);
        assert!(!page_of(&sampled).contains("<figure>"));
    }

    #[test]
    fn an_empty_report_is_a_page_too() {
        assert!(page_of(&Sampled::new(&[])).contains("<b>NOT COMPARED</b>. Nothing was measured."));
    }

    #[test]
    fn a_row_holds_base_head_change_verdict_and_detectable_change() {
        let page = page_of(&Sampled::new(&[Verdict::Regressed]));
        insta::assert_snapshot!(row(&page, "throughput").replace("<td", "\n<td"), @r#"
        <tr>
        <td class="metric">throughput</td>
        <td class="n">216.8/s<small>212.5 to 221.1/s</small></td>
        <td class="n">176.1/s<small>172.6 to 179.6/s</small></td>
        <td class="n">−18.8%<small>−22.9 to −14.7%</small></td>
        <td><span class="badge regressed"><b aria-hidden="true">✗</b> regressed</span><small>p = 0.0012 &lt; 0.01</small></td>
        <td class="n">−17.0%</td></tr>
        "#);
        assert!(row(&page, "output token throughput").contains("<span class=\"shown\">not judged</span>"));
    }

    #[test]
    fn without_any_base_there_are_no_empty_columns() {
        let page = page_of(&Sampled::new(&[Verdict::New]));
        assert!(page.contains("<thead><tr><th>metric</th><th class=\"n\">head</th></tr></thead>"));
        assert!(row(&page, "throughput").contains("214.2/s<small>209.9 to 218.5/s</small>"));
    }

    #[test]
    fn metrics_that_are_not_judged_are_folded_away() {
        let page = page_of(&Sampled::new(&[Verdict::Regressed]));
        let (results, others) = page.split_once("<details>").unwrap();
        for metric in ["latency p90", "client lag p99"] {
            assert!(!results.contains(metric) && others.contains(metric), "{metric}");
        }
    }

    #[test]
    fn a_confirmed_change_shows_its_screening_and_the_values_of_the_fresh_pairs() {
        let page = page_of(&Sampled::duet());
        let stages = "<p class=\"why\">The screening of 2 cells found 2 comparisons that may have changed. Measured again on fresh \
                      launches: 1 of 2. Only these fresh pairs decide.</p>";
        assert!(page.contains(stages), "{page}");
        insta::assert_snapshot!(row(&page, "latency p50").replace("<td", "\n<td"), @r#"
        <tr>
        <td class="metric">latency p50<span class="shown">10 fresh pairs</span></td>
        <td class="n">32.50 ms</td>
        <td class="n">40.00 ms</td>
        <td class="n">+23.1%<small>+19.0 to +27.2%</small><small>screening: +10.0 to +50.0%</small></td>
        <td><span class="badge regressed"><b aria-hidden="true">✗</b> regressed</span><small>p = 0.0012 &lt; 0.01, analysis 1 of 3</small></td>
        <td class="n">+17.0%</td></tr>
        "#);
    }

    #[test]
    fn a_screening_without_candidates_says_so_and_a_call_in_one_stage_has_no_stages() {
        let mut sampled = Sampled::duet();
        sampled.judgement.candidates.clear();
        assert!(page_of(&sampled).contains("found no candidates"));
        assert!(!page_of(&Sampled::new(&[Verdict::Regressed])).contains("screening"));
    }

    #[test]
    fn each_verdict_has_a_glyph_and_a_style_of_its_own() {
        let all = [
            Verdict::Regressed,
            Verdict::Improved,
            Verdict::SeemsFaster,
            Verdict::Unchanged,
            Verdict::Inconclusive,
            Verdict::Invalid,
            Verdict::Incomparable,
            Verdict::New,
        ];
        let glyphs: std::collections::BTreeSet<_> = all.iter().map(|verdict| glyph(*verdict)).collect();
        assert_eq!(glyphs.len(), all.len());
        for verdict in all {
            let class = class(verdict);
            assert!(!class.contains(' ') && STYLE.contains(&format!(".{class}")), "{verdict:?}");
        }
    }

    #[test]
    fn numbers_have_a_real_minus_and_commands_are_set_as_code() {
        assert_eq!(minus("-20.0%"), "\u{2212}20.0%");
        assert_eq!(marked_up("a `b` <"), "a <code>b</code> &lt;");
        assert_eq!(marked_up("a ` c"), "a ` c");
    }

    #[test]
    fn the_overview_links_to_folders_with_a_page_of_ours_and_foreign_ones_cannot_break_it() {
        let root = tempfile::tempdir().unwrap();
        let add = |folder: &str, page: &str| {
            fs::create_dir_all(root.path().join(folder)).unwrap();
            fs::write(root.path().join(folder).join(INDEX), page).unwrap();
        };
        let bench = "<meta name=\"plimsoll-bench\" content=\"Our &amp; s\">";
        let description = "<meta name=\"description\" content=\"Fine.\">";
        add("ours", &[bench, description].concat());
        add("\"<a>", &[bench, description].concat());
        add("foreign", description);
        add("broken", &[bench, "<meta name=\"description\" content=\"<script>\">"].concat());
        fs::create_dir(root.path().join("empty")).unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let page = overview(root.path());
        let odd = "<li><a href=\"&quot;&lt;a&gt;/index.html\">Our &amp; s</a><p>Fine.</p></li>\n";
        let ours = "<li><a href=\"ours/index.html\">Our &amp; s</a><p>Fine.</p></li>\n";
        assert!(page.contains(&format!("<ul class=\"benches\">\n{odd}{ours}</ul>")), "{page}");
        assert!(overview(Path::new("/nowhere/at/all")).contains("<h1>Benches</h1>"));
    }
}
