//! The page of a bench: one HTML file with everything in it, and no script. Next to it the page that links to all benches.
//!
//! maud escapes every text. The only raw HTML are the style sheet and the SVGs of [`charts`].

mod cells;
mod elements;
mod environment;
mod failures;

use std::fs;
use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::report::chart::svg::dark_rules;
use crate::report::charts;
use crate::report::model::{Artifact, Figure, Report, ReportError, Scope};
use crate::report::page::cells::results;
use crate::report::page::elements::{class, figure, list, marked_up};
use crate::report::page::environment::environment;
use crate::report::page::failures::failures;
use crate::report::text;

/// The page of a bench, and of all benches.
pub(crate) const INDEX: &str = "index.html";
/// The file with all data, next to the page.
const DATA: &str = "run.json";
/// The names of the elements that hold a page's bench and its sentence.
const BENCH: &str = "plimsoll-bench";
const DESCRIPTION: &str = "description";
const STYLE: &str = include_str!("style.css");
/// A Plimsoll mark: a circle with a line through it.
const MARK: &str = "<svg width=\"22\" height=\"14\" viewBox=\"0 0 22 14\" aria-hidden=\"true\">\
    <circle cx=\"11\" cy=\"7\" r=\"5.5\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.6\"/>\
    <path d=\"M0 7h22\" stroke=\"currentColor\" stroke-width=\"1.6\"/></svg>";
/// What turns the direction of the text around it.
const DIRECTIONS: [char; 9] = [
    '\u{202A}', '\u{202B}', '\u{202C}', '\u{202D}', '\u{202E}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
];

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
    let shared = report.shared_notes();
    let has_cells = !report.judgement.cells.is_empty();
    let body = html! {
        h1 { bdi { (report.title) } }
        (sentence(report))
        (list("notes", &text::call_notes(report, &shared)))
        @for chart in figures.iter().filter(|figure| figure.scope == Scope::Call) {
            h2 { "Changes" }
            (figure(chart))
        }
        @if has_cells {
            (results(report, figures, &shared))
            (failures(report))
        }
        @if !report.runs.is_empty() { (environment(report)) }
        @if has_cells { (decision(report)) }
        footer {
            @if has_cells { "All measured data, with histograms: " a href=(DATA) { (DATA) } "." }
            @if report.options.overview { " " a href={ "../" (INDEX) } { "All benches" } "." }
        }
    };
    let head = html! { meta name=(BENCH) content=(report.title); };
    document(&format!("{} – plimsoll", report.title), &report.headline(), &head, &body)
}

/// The verdict on the call.
fn sentence(report: &Report) -> Markup {
    let worst = report.verdict();
    let headline = report.headline();
    html! {
        p.sentence.(class(worst)) {
            b aria-hidden="true" { (text::glyph(worst)) }
            " "
            span {
                @match headline.split_once(text::NOT_COMPARED) {
                    Some((before, after)) => { (marked_up(before)) b { (text::NOT_COMPARED) } (marked_up(after)) },
                    None => (marked_up(&headline)),
                }
            }
        }
    }
}

/// How the verdicts came about, and how to read them.
fn decision(report: &Report) -> Markup {
    let stages = (report.screened_cells() > 0).then(|| text::stages(report));
    let control =
        report.judgement.control.as_ref().map(|check| format!("Control: {}.", text::control(check)));
    let correction = text::correction(report).map(|correction| format!("{correction}."));
    let facts: Vec<String> = stages.into_iter().chain(correction).chain(control).collect();
    html! {
        h2 { "How it was decided" }
        (list("reading", &facts))
        @if let Some(cell) = report.cells().first() { (list("reading", &text::reading(report, cell))) }
    }
}

/// A whole HTML file.
fn document(title: &str, description: &str, head: &Markup, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name=(DESCRIPTION) content=(description);
                (head)
                title { (title) }
                style { (PreEscaped(STYLE)) "@media screen and (prefers-color-scheme:dark){" (PreEscaped(dark_rules())) "}" }
            }
            body { main { p.brand { (PreEscaped(MARK)) " plimsoll" } (body) } }
        }
    };
    // maud escapes what could leave its place, but no control characters.
    let is_odd = |c: char| c.is_control() && c != '\n' || DIRECTIONS.contains(&c);
    page.into_string().replace(is_odd, "\u{FFFD}")
}

/// The page that links to each folder below `root` with a page of ours. Others, and those that cannot be read, are left out.
pub(crate) fn overview(root: &Path) -> String {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut benches: Vec<(String, String, String)> = entries
        .filter_map(|entry| {
            let folder = entry.file_name().into_string().ok()?;
            let page = fs::read_to_string(entry.path().join(INDEX)).ok()?;
            Some((folder, meta(&page, BENCH)?, meta(&page, DESCRIPTION)?))
        })
        .collect();
    benches.sort();
    let body = html! {
        h1 { "Benches" }
        @if !benches.is_empty() {
            ul.benches {
                @for (folder, name, sentence) in &benches {
                    li { a href={ (folder) "/" (INDEX) } { (name) } p { (marked_up(sentence)) } }
                }
            }
        }
    };
    document("Benches – plimsoll", "The reports of all benches.", &html! {}, &body)
}

/// The content of an element of a page's head; `None` if it is not there or could leave its place.
fn meta(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("<meta name=\"{name}\" content=\""))?;
    let (content, _) = rest.split_once('"').filter(|(content, _)| !content.contains(['<', '>']))?;
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    Some(entities.iter().fold(content.to_owned(), |text, (entity, sign)| text.replace(entity, sign)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roxmltree::{Document, Node};

    use super::*;
    use crate::judge::{Note, Verdict};
    use crate::report::tests::{Sampled, contrast, samples};

    fn page_of(sampled: &Sampled) -> String {
        let artifact = render(&sampled.report()).unwrap().pop().unwrap();
        assert_eq!(artifact.name, INDEX, "what it links to is written before");
        String::from_utf8(artifact.bytes).unwrap()
    }

    fn without_plots(mut sampled: Sampled) -> String {
        sampled.options.plots = false;
        page_of(&sampled)
    }

    /// The body of a page, which is well-formed XML too.
    fn body(page: &str) -> Document<'_> {
        let start = page.find("<main>").unwrap();
        let end = page.find("</body>").unwrap();
        Document::parse(&page[start..end]).unwrap()
    }

    fn text(node: Node) -> String {
        node.descendants().filter_map(|node| node.text().filter(|_| node.is_text())).collect()
    }

    /// The texts of the cells of the row that begins with this heading.
    fn row(page: &str, heading: &str) -> Vec<String> {
        let body = body(page);
        let starts =
            |row: &Node| row.first_element_child().is_some_and(|first| text(first).starts_with(heading));
        let row = body.descendants().find(|node| node.has_tag_name("tr") && starts(node));
        row.unwrap().children().map(text).collect()
    }

    #[test]
    fn the_page_holds_each_cell_the_charts_the_facts_and_the_sentence() {
        let sampled = Sampled::new(&[Verdict::Regressed, Verdict::Unchanged, Verdict::Invalid]);
        let page = page_of(&sampled);
        for cell in &sampled.judgement.cells {
            assert!(page.contains(&format!("<bdi class=\"id\">{}</bdi>", cell.id)));
        }
        assert_eq!(page.matches("<figure>").count(), page.matches("<summary>Numbers</summary>").count());
        let link = "</b> regressed</span> <a href=\"#cell-0\"><bdi>tokenizer/3k_tokens/5</bdi></a>";
        assert!(page.contains(link) && page.contains("id=\"cell-0\""), "a link to what changed");
        for part in [
            &marked_up(&sampled.report().headline()).into_string(),
            "AMD EPYC 7763",
            "abc1234 with uncommitted changes",
            "429 (unexpected): 12,300, timed out: 40",
            "p values are corrected for 8 tests; intervals are not.",
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
        body(&page);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_name_changes_the_markup(name in "[a<>&\"'\\n\\x00\\x1b/=-]{1,20}|\\PC{1,40}") {
            let page = |name: &str| {
                let mut odd = samples(&[Verdict::Regressed, Verdict::Invalid]);
                for sample in &mut odd {
                    sample.group = format!("g{name}");
                    sample.function = name.to_owned();
                }
                let mut sampled = Sampled::of(&odd);
                sampled.title = name.to_owned();
                sampled.runs[0].environment.machine.cpu = name.to_owned();
                without_plots(sampled)
            };
            let elements = |page: &str| -> Vec<String> {
                let of_text = |node: &Node| ["code", "b"].contains(&node.tag_name().name());
                body(page).descendants().filter(|node| node.is_element() && !of_text(node)).map(|node| node.tag_name().name().to_owned()).collect()
            };
            prop_assert_eq!(elements(&page(&name)), elements(&page("a")));
        }
    }

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        let page = document("</title><b>", "\"><b>", &html! {}, &html! {});
        for outside in ["http:", "https:", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("<title>&lt;/title&gt;&lt;b&gt;</title>"));
        assert!(page.contains("content=\"&quot;&gt;&lt;b&gt;\""));
    }

    #[test]
    fn without_plots_there_is_no_figure() {
        assert!(!without_plots(Sampled::new(&[Verdict::Unchanged])).contains("<figure>"));
    }

    #[test]
    fn an_empty_report_is_a_page_too() {
        assert!(page_of(&Sampled::new(&[])).contains("<b>NOT COMPARED</b>. Nothing was measured."));
    }

    #[test]
    fn a_row_holds_base_head_change_verdict_and_detectable_change() {
        let page = page_of(&Sampled::new(&[Verdict::Regressed]));
        insta::assert_snapshot!(row(&page, "throughput").join("\n"), @r"
        throughput
        216.8/s 212.5 to 221.1/s
        176.1/s 172.6 to 179.6/s
        −18.8% −22.9 to −14.7%
        ✗ regressed p = 0.0012 < 0.01
        −17.0%
        ");
        assert_eq!(row(&page, "output token throughput")[0], "output token throughput not judged");
    }

    #[test]
    fn without_any_base_there_are_no_empty_columns() {
        let page = without_plots(Sampled::new(&[Verdict::New]));
        assert_eq!(row(&page, "metric"), ["metric", "head"]);
        assert_eq!(row(&page, "throughput"), ["throughput", "214.2/s 209.9 to 218.5/s"]);
        assert_eq!(row(&page, "fact"), ["fact", "head"]);
    }

    #[test]
    fn metrics_that_are_not_primary_are_folded_away() {
        let page = without_plots(Sampled::new(&[Verdict::Regressed]));
        let (primary, others) = page.split_once("All other metrics").unwrap();
        for metric in ["latency p90", "client lag p99"] {
            assert!(!primary.contains(metric) && others.contains(metric), "{metric}");
        }
    }

    #[test]
    fn the_line_of_a_cell_says_what_decided_and_the_worst_are_open() {
        let mut sampled =
            Sampled::new(&[Verdict::Unchanged, Verdict::Regressed, Verdict::New, Verdict::Invalid]);
        let lines = |sampled: &Sampled| {
            let page = page_of(sampled);
            let body = body(&page);
            let cells = body.descendants().filter(|node| node.attribute("class") == Some("cell"));
            let line = |cell: Node| {
                let open = if cell.has_attribute("open") { "open" } else { "closed" };
                format!("{open}: {}", text(cell.first_element_child().unwrap()))
            };
            cells.map(line).collect::<Vec<_>>()
        };
        insta::assert_snapshot!(lines(&sampled).join("\n"), @r"
        closed: = unchanged tokenizer/3k_tokens/5 throughput −1.2% −5.3 to +2.9%
        open: ✗ regressed tokenizer/3k_tokens/10 latency p50 +23.1% +19.0 to +27.2%
        closed: + new tokenizer/3k_tokens/15 latency p50 85.58 ms
        open: ! invalid tokenizer/3k_tokens/20
        ");
        sampled = Sampled::new(&[Verdict::Regressed; 7]);
        assert_eq!(lines(&sampled).iter().filter(|line| line.starts_with("open")).count(), 5);
    }

    #[test]
    fn a_confirmed_change_shows_its_screening_and_the_values_of_the_fresh_pairs() {
        let page = without_plots(Sampled::duet());
        let stages = "The screening of 2 cells found 2 comparisons that may have changed. Measured again on fresh launches: 1 of 2. \
                      Only these fresh pairs decide.";
        assert!(page.contains(stages), "{page}");
        insta::assert_snapshot!(row(&page, "latency p50").join("\n"), @r"
        latency p50 10 fresh pairs
        32.50 ms
        40.00 ms
        +23.1% +19.0 to +27.2% screening: +10.0 to +50.0%
        ✗ regressed p = 0.0012 < 0.01, analysis 1 of 3
        +17.0%
        ");
    }

    #[test]
    fn a_screening_without_candidates_says_so_and_a_call_in_one_stage_has_no_stages() {
        let mut sampled = Sampled::duet();
        sampled.judgement.candidates.clear();
        assert!(page_of(&sampled).contains("found no candidates"));
        assert!(!page_of(&Sampled::new(&[Verdict::Regressed])).contains("screening"));
    }

    #[test]
    fn failed_requests_are_listed_by_cell_and_kind() {
        let page = without_plots(Sampled::new(&[Verdict::Unchanged, Verdict::Invalid]));
        let (_, failures) = page.split_once("<h2>Failures</h2>").unwrap();
        assert_eq!(
            row(&page, "tokenizer/3k_tokens/10"),
            ["tokenizer/3k_tokens/10", "timed out", "–", "40 of 12,340"]
        );
        let link = failures.split("href=\"#").nth(1).unwrap().split('"').next().unwrap();
        assert!(page.contains(&format!("<div id=\"{link}\">")));
        assert!(!page_of(&Sampled::new(&[Verdict::Unchanged])).contains("<h2>Failures</h2>"));
    }

    #[test]
    fn what_differs_between_the_environments_is_marked() {
        let mut sampled = Sampled::new(&[Verdict::Unchanged]);
        sampled.baseline.runs[0].environment.setup.insert("rustc".into(), "1.94.0".into());
        let page = without_plots(sampled);
        assert_eq!(row(&page, "rustc"), ["rustc ≠ differs", "1.94.0", "1.95.0"]);
        assert_eq!(row(&page, "kernel"), ["kernel", "6.8"]);
    }

    #[test]
    fn a_page_of_a_hundred_cells_is_smaller_than_two_megabytes() {
        for cells in [1, 36, 100, 200] {
            let page = page_of(&Sampled::many(cells));
            // Being able to look at it is a convenience that may fail.
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
            _ = fs::create_dir_all(&folder);
            _ = fs::write(folder.join(format!("{cells}.html")), &page);
            assert!(cells > 100 || page.len() < 2_000_000, "{cells} cells: {}", page.len());
        }
    }

    #[test]
    fn colors_of_text_can_be_read_on_light_and_dark_pages() {
        let schemes: Vec<&str> = STYLE.split(":root {").skip(1).take(2).collect();
        for scheme in schemes {
            let color =
                |name: &str| scheme.split_once(&format!("--{name}: ")).unwrap().1.split(';').next().unwrap();
            for text in ["ink", "soft", "faint", "bad", "good", "odd", "unsure", "link"] {
                for area in ["paper", "wash"] {
                    let found = contrast(color(text), color(area));
                    assert!(found >= 4.5, "{text} on {area}: {found}");
                }
            }
        }
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
        let odd = "<li><a href=\"&quot;&lt;a&gt;/index.html\">Our &amp; s</a><p>Fine.</p></li>";
        let ours = "<li><a href=\"ours/index.html\">Our &amp; s</a><p>Fine.</p></li>";
        assert!(page.contains(&format!("<ul class=\"benches\">{odd}{ours}</ul>")), "{page}");
        assert!(overview(Path::new("/nowhere/at/all")).contains("<h1>Benches</h1>"));
    }
}
