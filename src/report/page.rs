//! The page of a bench: one HTML file with everything in it, and no script. Next to it the page that links to all benches.

use std::fs;
use std::path::Path;

use crate::judge::{
    Candidate, CellJudgement, Change, Comparison, Estimate, LimitOutcome, Note, Stage, Verdict,
};
use crate::plan::{CellId, Side};
use crate::record::{CellRun, Unit};
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
    let sentence = marked_up(&report.sentence());
    let sentence = match report.judgement.compared_nothing() {
        true => format!("<b>{}</b>. {sentence}", text::NOT_COMPARED),
        false => sentence,
    };
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
        body.push_str(&results(&cells, &shared));
        body.push_str(&stages(report));
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

/// A sign next to a verdict's colour, for readers who do not see the colour.
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

/// A verdict with its glyph and colour.
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
            escaped(&text::extent(cell)),
            why.unwrap_or_default(),
            more(cell, shared)
        ));
    }
    match is_compared {
        true => table(&["metric", ">base", ">head", ">change", "verdict", ">detectable"], &bodies),
        false => table(&["metric", ">head"], &bodies),
    }
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
    let unit: Unit = row.metric.unit;
    let Some(Estimate { value, interval, .. }) = row.value(side) else {
        return format!("<td class=\"n\">{NO_VALUE}</td>");
    };
    let interval = interval.filter(|(low, high)| low < high);
    let interval = interval.map(|ends| format!("<small>{}</small>", minus(&number::value_range(ends, unit))));
    format!("<td class=\"n\">{}{}</td>", minus(&number::value(value, unit)), interval.unwrap_or_default())
}

fn change(row: &Row) -> String {
    let change = row.comparison.and_then(|found| Some(with_interval(found.change?, found.is_difference())));
    format!("<td class=\"n\">{}</td>", change.unwrap_or_default())
}

/// A change with its interval below.
fn with_interval(change: Change, is_difference: bool) -> String {
    let range = minus(&number::change_range(change, is_difference));
    format!("{}<small>{range}</small>", minus(&number::change_of(change.estimate, is_difference)))
}

/// Responses, client, advice, limits and notes of a cell.
fn more(cell: &Cell, shared: &[(Note, Vec<&CellId>)]) -> String {
    let mut lines = Vec::new();
    let (responses, client) = (text::responses(cell), text::client(cell));
    let client = if client.is_empty() { client } else { format!("; client: {client}") };
    lines.push(("responses", format!("{responses}{client}")));
    for found in cell.rows().iter().filter_map(Row::judged) {
        lines.extend(found.advice.as_ref().map(|advice| (found.metric.title, text::advice(advice))));
    }
    for limit in &cell.judged.limits {
        let label = match limit.outcome {
            LimitOutcome::Broken => "limit broken",
            LimitOutcome::Holds => "limit holds",
            LimitOutcome::Undecided => "limit undecided",
        };
        lines.push((label, text::limit(limit)));
    }
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

/// Both stages of a duet: the candidates of its screening, and what fresh pairs showed of each.
fn stages(report: &Report) -> String {
    if report.screened_cells() == 0 {
        return String::new();
    }
    let rows: String =
        report.judgement.candidates.iter().filter_map(|candidate| stage(candidate, report)).collect();
    let headings = ["cell", "metric", "candidate because", ">screening", ">confirmation", "verdict"];
    let table = if rows.is_empty() { rows } else { table(&headings, &format!("<tbody>\n{rows}</tbody>")) };
    format!("<h2>Screening and confirmation</h2>\n<p class=\"why\">{}</p>\n{table}", text::stages(report))
}

fn stage(candidate: &Candidate, report: &Report) -> Option<String> {
    let Candidate { cell: id, metric, limit, slower, analysis, .. } = candidate;
    let cell: &CellJudgement = report.judgement.cells.iter().find(|cell| cell.id == *id)?;
    let pairs = |run: &CellRun| if run.id == *id { run.rounds.len() } else { 0 };
    let screened: usize = report.runs.iter().flat_map(|run| &run.cells).map(pairs).sum();
    let confirmed = report.runs.iter().flat_map(|run| run.confirmations.iter().take(*analysis).flatten());
    let fresh: usize = confirmed.map(pairs).sum();
    let seen = |change: Option<String>, pairs: usize| match pairs {
        0 => "not measured again".to_owned(),
        _ => format!("{}<small>{}</small>", change.unwrap_or_default(), number::plural(pairs as u64, "pair")),
    };
    let title = escaped(metric.title);
    let (title, looked, screening, confirmation, verdict) = match limit {
        Some(place) => {
            let check = escaped(&text::limit(cell.limits.get(*place)?));
            (format!("limit on {title}"), "above it", None, None, check)
        }
        None => {
            let found = cell.comparisons.iter().find(|found| found.metric == *metric)?;
            let (screening, confirmation) = match found.stage {
                Stage::Confirmed { screening, .. } => (screening, found.change),
                Stage::Screened | Stage::Whole => (found.change, None),
            };
            let [screening, confirmation] = [screening, confirmation]
                .map(|change| change.map(|change| with_interval(change, found.is_difference())));
            let level = report.runs.first()?.cell(id)?.settings.significance_level;
            let looked = if *slower { "slower" } else { "faster" };
            (title, looked, screening, confirmation, judged(found, level))
        }
    };
    Some(format!(
        "<tr><td>{}</td><td class=\"metric\">{title}</td><td>{looked}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{}</td><td>{verdict}</td></tr>\n",
        escaped(&id.to_string()),
        seen(screening, screened),
        seen(confirmation, fresh)
    ))
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

/// The page that links to each folder below `root` that has a page. Folders that cannot be read are left out.
pub(crate) fn overview(root: &Path) -> String {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut benches: Vec<(String, String)> = entries
        .filter_map(|entry| {
            let folder = entry.file_name().into_string().ok()?;
            let page = fs::read(entry.path().join(INDEX)).ok()?;
            let page = String::from_utf8_lossy(&page);
            let name = meta(&page, BENCH).unwrap_or_else(|| escaped(&folder));
            let sentence = in_code(&meta(&page, DESCRIPTION).unwrap_or_default());
            let item =
                format!("<li><a href=\"{}/{INDEX}\">{name}</a><p>{sentence}</p></li>\n", link(&folder));
            Some((folder, item))
        })
        .collect();
    benches.sort();
    let items: String = benches.into_iter().map(|(_, item)| item).collect();
    let body = format!("<h1>Benches</h1>\n{}", element("ul", "benches", &items));
    html("Benches – plimsoll", "The reports of all benches.", "", &body)
}

/// The content of an element of a page's head, still escaped; `None` if it is not there or could leave its place.
fn meta(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("<meta name=\"{name}\" content=\""))?;
    let (content, _) = rest.split_once('"')?;
    (!content.contains(['<', '>'])).then(|| content.to_owned())
}

/// A folder's name as part of a link. Ours need no escape, but others may stand there too.
fn link(folder: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'=' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    folder.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::LimitCheck;
    use crate::record::metric;
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
            "3 cells: 1 regressed (tokenizer/3k_tokens/5), 1 invalid (tokenizer/3k_tokens/15), 1 unchanged.",
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
    fn each_candidate_has_both_intervals_and_its_verdict() {
        let sampled = Sampled::duet();
        insta::assert_snapshot!(stages(&sampled.report()), @r#"
        <h2>Screening and confirmation</h2>
        <p class="why">The screening of 2 cells found 2 comparisons to confirm. One of them was measured again on fresh launches. Only these fresh pairs decide.</p>
        <div class="scroll"><table>
        <thead><tr><th>cell</th><th>metric</th><th>candidate because</th><th class="n">screening</th><th class="n">confirmation</th><th>verdict</th></tr></thead>
        <tbody>
        <tr><td>tokenizer/3k_tokens/5</td><td class="metric">latency p50</td><td>slower</td><td class="n">+30.0%<small>+10.0 to +50.0%</small><small>10 pairs</small></td><td class="n">+23.1%<small>+19.0 to +27.2%</small><small>10 pairs</small></td><td><span class="badge regressed"><b aria-hidden="true">✗</b> regressed</span><small>p = 0.0012 &lt; 0.01, analysis 1 of 3</small></td></tr>
        <tr><td>tokenizer/3k_tokens/10</td><td class="metric">latency p99</td><td>slower</td><td class="n">+1.2%<small>−15.8 to +18.2%</small><small>10 pairs</small></td><td class="n">not measured again</td><td><span class="badge inconclusive"><b aria-hidden="true">?</b> inconclusive</span><small>screening p = 1.0000</small></td></tr>
        </tbody></table></div>
        "#);
        let page = page_of(&sampled);
        for part in ["10 fresh pairs</span>", ">32.50 ms<", ">40.00 ms<"] {
            assert!(row(&page, "latency p50").contains(part), "{part}");
        }
    }

    #[test]
    fn a_limit_is_shown_with_the_pairs_that_decided_it_however_long_its_cell_went_on() {
        let mut sampled = Sampled::duet();
        sampled.judgement.cells[0].limits = vec![LimitCheck {
            metric: metric("latency_p99").unwrap(),
            limit: 1e6,
            value: Some(Estimate { value: 9e5, interval: None, method: None }),
            p_adjusted: 1.0,
            outcome: LimitOutcome::Holds,
            remedy: None,
        }];
        let first = &sampled.judgement.candidates[0];
        sampled.judgement.candidates =
            vec![Candidate { limit: Some(0), analysis: 1, open: false, ..first.clone() }];
        let further = sampled.runs[0].confirmations[0].clone();
        sampled.runs[0].confirmations.push(further);
        let html = stages(&sampled.report());
        let row = html.lines().find(|line| line.contains("within its limit")).unwrap();
        assert_eq!(row.matches("<small>10 pairs</small>").count(), 2, "{row}");
    }

    #[test]
    fn a_screening_without_candidates_says_so_and_a_call_in_one_stage_has_no_stages() {
        let mut sampled = Sampled::duet();
        sampled.judgement.candidates.clear();
        let html = stages(&sampled.report());
        assert!(html.contains("found no candidates") && !html.contains("<table"), "{html}");
        assert_eq!(stages(&Sampled::new(&[Verdict::Regressed]).report()), "");
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
    fn the_overview_links_to_folders_with_a_page_and_foreign_ones_cannot_break_it() {
        let root = tempfile::tempdir().unwrap();
        let add = |folder: &str, page: &str| {
            fs::create_dir_all(root.path().join(folder)).unwrap();
            fs::write(root.path().join(folder).join(INDEX), page).unwrap();
        };
        add(
            "ours",
            "<meta name=\"plimsoll-bench\" content=\"Our &amp; s\"><meta name=\"description\" content=\"Fine.\">",
        );
        add("a \"b\"<c>", "<meta name=\"description\" content=\"<script>\">");
        fs::create_dir(root.path().join("empty")).unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let page = overview(root.path());
        let foreign =
            "<a href=\"a%20%22b%22%3Cc%3E/index.html\">a &quot;b&quot;&lt;c&gt;</a><p></p></li>\n<li>";
        let ours = "<a href=\"ours/index.html\">Our &amp; s</a><p>Fine.</p></li>\n</ul>";
        assert!(page.contains(&format!("{foreign}{ours}")), "{page}");
        assert!(!page.contains("<script>"));
        assert!(overview(Path::new("/nowhere/at/all")).contains("<h1>Benches</h1>"));
    }
}
