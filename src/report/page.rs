//! The page of a bench: one file with everything in it.

use super::chart::{Chart, Scope};
use super::formats::{Artifact, INDEX};
use super::html::{self, escaped, in_code};
use super::sentence::NOT_COMPARED;
use super::stages::Stages;
use super::table;
use super::text;
use super::view::Report;
use crate::judge::Verdict;

/// Where the whole data is, beside the page.
const DATA: &str = "run.json";

/// The page.
pub(crate) fn render(report: &Report, charts: &[Chart]) -> Vec<Artifact> {
    let mut body = format!("<h1>{}</h1>\n", escaped(&report.title));
    body.push_str(&sentence(report));
    body.push_str(&facts(report));
    body.push_str(&notes(report));
    if !report.groups.is_empty() {
        body.push_str("<h2>Results</h2>\n");
        body.push_str(&table::results(report));
        body.push_str(&report.stages.as_ref().map(Stages::html).unwrap_or_default());
        body.push_str(&table::others(report));
    }
    if !charts.is_empty() {
        body.push_str(&figures(report, charts));
    }
    body.push_str(&reading(report));
    let above = format!(" <a href=\"../{INDEX}\">All benches</a>.");
    let above = if report.options.overview { above.as_str() } else { "" };
    body.push_str(&format!(
        "<footer>Everything that was measured, histograms included: <a href=\"{DATA}\">{DATA}</a>.{above}</footer>\n"
    ));
    let head = format!("<meta name=\"{}\" content=\"{}\">\n", super::overview::BENCH, escaped(&report.title));
    let page = html::page(&format!("{} – plimsoll", report.title), &report.headline(), &head, &body);
    vec![Artifact { name: INDEX.to_owned(), bytes: page.into_bytes() }]
}

fn sentence(report: &Report) -> String {
    let worst = report.cells().map(|cell| cell.verdict).max().unwrap_or(Verdict::New);
    let sentence = in_code(&escaped(&report.sentence));
    let text = if report.compared { sentence } else { format!("<b>{NOT_COMPARED}</b>. {sentence}") };
    format!("<p class=\"sentence {}\"><span>{text}</span></p>\n", html::class(worst))
}

fn facts(report: &Report) -> String {
    let fact = |fact: &super::view::Fact| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(&fact.name), escaped(&fact.value))
    };
    let facts: String = report.facts.iter().map(fact).collect();
    if facts.is_empty() { facts } else { format!("<dl class=\"facts\">\n{facts}</dl>\n") }
}

fn notes(report: &Report) -> String {
    let notes: String =
        report.notes.iter().map(|note| format!("<li>{}</li>\n", in_code(&escaped(note)))).collect();
    if notes.is_empty() { notes } else { format!("<ul class=\"notes\">\n{notes}</ul>\n") }
}

fn figures(report: &Report, charts: &[Chart]) -> String {
    let of = |scope: Scope| {
        let figures: String = charts.iter().filter(|chart| chart.scope == scope).map(figure).collect();
        if figures.is_empty() { figures } else { format!("<div class=\"charts\">\n{figures}</div>\n") }
    };
    let mut html = format!("<h2>Charts</h2>\n{}", of(Scope::Call));
    for (nth, group) in report.groups.iter().enumerate() {
        let name = escaped(&group.name);
        if let Some(about) = &group.about {
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

fn figure(chart: &Chart) -> String {
    let (svg, name) = (&chart.svg, escaped(&chart.name));
    let png = if chart.png.is_some() { format!(" · <a href=\"{name}.png\">PNG</a>") } else { String::new() };
    format!("<figure>\n{svg}<figcaption><a href=\"{name}.svg\">SVG</a>{png}</figcaption>\n</figure>\n")
}

fn reading(report: &Report) -> String {
    let Some(cell) = report.cells().next() else { return String::new() };
    let (confidence, level) = (text::setting(cell.confidence), cell.level);
    let tests = match report.stages {
        Some(_) => {
            "all candidates of the screening and all interim analyses, on fresh pairs alone".to_owned()
        }
        None => format!("the {} tests of the call, as the interval is not", report.tests),
    };
    let base = if report.is_duet { "what was measured beside it" } else { "the stored baseline" };
    format!(
        "<h2>How to read this</h2>\n<ul class=\"reading\">\n\
         <li><b>base</b> is {base}, <b>head</b> is what was measured now; small figures are {confidence} \
         confidence intervals, over launches of the service and over runs, never over single requests. The intervals of base and head \
         leave out how much runs differ; that of the change holds it, so two bars may lie apart and yet show nothing.</li>\n\
         <li>A <b>change</b> is head against base in the metric’s own direction: a latency of +20 % is slower, a \
         throughput of \u{2212}20 % is slower too.</li>\n\
         <li><b>{}</b> and <b>{}</b> need an interval beyond the noise threshold and a p value below {level}, corrected \
         over {tests}; <b>{}</b> needs an interval within the equivalence margin; \
         of the success ratio it says that not more than 0.1 points were seen to change.</li>\n\
         <li><b>{}</b> means that neither was shown. It is not a pass: <b>detectable</b> is the smallest worsening \
         that this run would have found with 80% probability.</li>\n\
         <li>Latencies and throughput count successes only; failures have their own row, the success ratio, which is \
         judged first.</li>\n</ul>\n",
        Verdict::Regressed.name(),
        Verdict::Improved.name(),
        Verdict::Unchanged.name(),
        Verdict::Inconclusive.name()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::charts;
    use crate::report::samples::{report, report_of, samples};

    fn page(report: &Report) -> String {
        let mut artifacts = render(report, &charts::draw(report).unwrap());
        assert_eq!(artifacts.len(), 1);
        String::from_utf8(artifacts.remove(0).bytes).unwrap()
    }

    #[test]
    fn the_page_holds_each_cell_the_charts_and_the_sentence() {
        let view = report_of(&[Verdict::Regressed, Verdict::Unchanged, Verdict::Invalid]);
        let page = page(&view);
        for cell in view.cells() {
            assert!(page.contains(&format!("<span class=\"id\">{}</span>", cell.full_id())));
        }
        assert_eq!(page.matches("<figure>").count(), 7);
        assert!(page.contains(
            "3 cells: 1 regressed (tokenizer/3k_tokens/5), 1 invalid (tokenizer/3k_tokens/15), 1 unchanged."
        ));
        assert!(
            page.contains("AMD EPYC 7763") && page.contains("abc1234 with changes that were not committed")
        );
        assert!(page.contains("429 (unexpected): 12,300, timed out: 40"));
        assert!(page.contains("href=\"run.json\""));
    }

    #[test]
    fn names_of_others_are_escaped_everywhere() {
        let mut odd = samples(&[Verdict::Regressed]);
        odd[0].group = "<script>g</script>".into();
        odd[0].function = "f\"'><img src=x>".into();
        let mut view = report(&odd);
        view.title = "</h1><script>".into();
        view.notes.push("<b>note</b>".into());
        view.facts[0].value = "<i>cpu</i>".into();
        let page = page(&view);
        for raw in ["<script", "<img", "<b>note", "<i>"] {
            assert!(!page.contains(raw), "{raw}");
        }
    }

    #[test]
    fn without_plots_there_is_no_figure() {
        let mut view = report_of(&[Verdict::Unchanged]);
        view.options.plots = false;
        assert!(!page(&view).contains("<figure>"));
    }

    #[test]
    fn an_empty_report_is_a_page_too() {
        let view = report(&[]);
        let page = page(&view);
        assert!(page.contains("<b>NOT COMPARED</b>. Nothing was measured."));
    }
}
