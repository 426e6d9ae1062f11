//! The charts of a report: plain data in, an SVG as a string out. A chart is a file with a `draw`. All of them draw on the
//! [`svg::Canvas`]. Sizes are CSS px.

pub(crate) mod forest;
pub(crate) mod frame;
pub(crate) mod history;
pub(crate) mod knee;
pub(crate) mod lines;
pub(crate) mod percentiles;
#[cfg(feature = "png")]
pub(crate) mod png;
pub(crate) mod rounds;
pub(crate) mod svg;
pub(crate) mod table;

#[cfg(test)]
mod tests {
    //! Every chart with every odd input: the files are complete, and all text lies in the picture and clear of other text. The
    //! pictures stay in `target/charts`, to be looked at.

    use std::fs;
    use std::path::Path;

    use regex_lite::Regex;
    use roxmltree::{Document, Node};

    use super::*;
    use crate::judge::{CellJudgement, Change, Comparison, Judgement, Stage, Verdict};
    use crate::plan::{CellId, Side};
    use crate::record::{Better, metric};
    use crate::report::chart::frame::{Line, Point};
    use crate::report::chart::history::Place;
    use crate::report::chart::lines::Contents;
    use crate::report::chart::percentiles::Distribution;
    use crate::report::chart::svg::{Marker, width};
    use crate::report::text::KNEE_SUBTITLE;

    const LONG_ID: &str = "tokenizer/encode_with_a_name_that_somebody_generated_from_a_route_and_a_tenant/3k";
    /// How far letters reach above and below the baseline, as shares of the font size.
    const ASCENT: f64 = 0.80;
    const DESCENT: f64 = 0.24;
    const ID: &str = "tokenizer/3k_tokens/10";
    const BOTH: [Side; 2] = [Side::Base, Side::Head];
    const FEW: [u32; 4] = [5, 10, 15, 20];
    const MANY: [u32; 14] = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50, 100, 200, 1000];

    /// A text of a chart and its box in px.
    #[derive(Debug)]
    struct Text {
        text: String,
        left: f64,
        top: f64,
        right: f64,
        bottom: f64,
    }

    fn texts(svg: &str) -> Vec<Text> {
        let document = Document::parse(svg).unwrap();
        let text = |node: Node| {
            let attribute = |name| node.ancestors().find_map(|node| node.attribute(name)).unwrap();
            let number = |name| -> f64 { attribute(name).parse().unwrap() };
            let (x, baseline, size) = (number("x"), number("y"), number("font-size"));
            let text = node.text().unwrap_or_default().to_owned();
            let width = width(&text, size);
            let left = x - match attribute("text-anchor") {
                "start" => 0.0,
                "middle" => width / 2.0,
                _ => width,
            };
            let (top, bottom) = (baseline - ASCENT * size, baseline + DESCENT * size);
            Text { text, left, top, right: left + width, bottom }
        };
        document.descendants().filter(|node| node.has_tag_name("text")).map(text).collect()
    }

    fn has(svg: &str, label: &str) -> bool {
        texts(svg).iter().any(|text| text.text == label)
    }

    /// The points of a service whose throughput saturates, with intervals of ± `spread` of the value.
    fn saturating(names: &[&str], concurrencies: &[u32], spread: f64, sides: &[Side]) -> Vec<Line> {
        let line = |nth: usize, name: &str, side: Side| {
            let slower = if side == Side::Head { 0.93 } else { 1.0 };
            let most = 9000.0 * slower / (1.0 + nth as f64 * 0.3);
            line(name, side, spread, concurrencies, |n| most * n / (n + 8.0))
        };
        let lines =
            |(nth, name): (usize, &&str)| sides.iter().map(|side| line(nth, name, *side)).collect::<Vec<_>>();
        names.iter().enumerate().flat_map(lines).collect()
    }

    /// The latency percentiles of such a service.
    fn latencies(concurrencies: &[u32], base_ns: f64, spread: f64, sides: &[Side]) -> Vec<Line> {
        let mut lines = Vec::new();
        for (name, factor) in [("p50", 1.0), ("p90", 1.4), ("p99", 2.6)] {
            for &side in sides {
                let ns = base_ns * factor * if side == Side::Head { 1.06 } else { 1.0 };
                lines.push(line(name, side, spread * factor, concurrencies, |n| ns * (1.0 + n / 9.0)));
            }
        }
        lines
    }

    fn line(name: &str, side: Side, spread: f64, concurrencies: &[u32], value: impl Fn(f64) -> f64) -> Line {
        let point = |&concurrency: &u32| {
            let value = value(concurrency.into());
            let interval = (spread > 0.0).then_some((value * (1.0 - spread), value * (1.0 + spread)));
            Point::new(concurrency.into(), value, interval)
        };
        Line { name: name.into(), side, marker: None, points: concurrencies.iter().map(point).collect() }
    }

    fn throughput(title: &str, concurrencies: &[u32], lines: Vec<Line>) -> String {
        let subtitle =
            "Throughput levels off at 15 requests in flight; head is 4% slower there (interval 1% to 7%).";
        let concurrencies = concurrencies.to_vec();
        lines::draw(title, subtitle, &Contents { is_latency: false, concurrencies, lines }).unwrap().file()
    }

    fn latency(title: &str, concurrencies: &[u32], lines: Vec<Line>) -> String {
        let subtitle = "p99 rose by 6% at every concurrency.";
        let concurrencies = concurrencies.to_vec();
        lines::draw(title, subtitle, &Contents { is_latency: true, concurrencies, lines }).unwrap().file()
    }

    fn throughput_cases() -> Vec<(&'static str, String)> {
        let fourteen: Vec<String> = (0..14).map(|n| format!("endpoint_{n}")).collect();
        let fourteen: Vec<&str> = fourteen.iter().map(String::as_str).collect();
        let hundred: Vec<String> = (0..100).map(|n| format!("route {n}")).collect();
        let hundred: Vec<&str> = hundred.iter().map(String::as_str).collect();
        let other_long = LONG_ID.replace("somebody", "everybody");
        let three = ["30_tokens", "3k_tokens", "300k_tokens"];
        let script = ["トークン化/エンドポイント", "токенизатор/длинное_имя", "مُرمِّز", "emoji 🚀 <&>"];
        let of_head = |points: &[Point]| {
            vec![Line { points: points.to_vec(), ..line("a", Side::Head, 0.0, &[], |n| n) }]
        };
        let wild = [(5.0, f64::NAN), (10.0, 1e12), (20.0, 5.0)].map(|(n, rate)| Point::new(n, rate, None));
        let wide = [(5.0, 900.0, (810.0, 990.0)), (10.0, 1000.0, (-4000.0, 1e7))];
        let wide = wide.map(|(n, rate, interval)| Point::new(n, rate, Some(interval)));
        let one =
            |spread: f64| throughput("tokenizer", &FEW, saturating(&["3k_tokens"], &FEW, spread, &BOTH));
        let of = |names: &[&str], sides: &[Side]| {
            throughput("tokenizer", &FEW, saturating(names, &FEW, 0.04, sides))
        };
        vec![
            ("throughput-one", one(0.04)),
            ("throughput-one-round", one(0.0)),
            ("throughput-several", of(&three, &BOTH)),
            ("throughput-base-missing", of(&three[..2], &[Side::Head])),
            ("throughput-zero", throughput("zero", &FEW, vec![line("a", Side::Head, 0.0, &FEW, |_| 0.0)])),
            (
                "throughput-long-ids",
                throughput(
                    &LONG_ID.repeat(3),
                    &FEW,
                    saturating(&[LONG_ID, &other_long, "short"], &FEW, 0.04, &BOTH),
                ),
            ),
            (
                "throughput-scripts",
                throughput("サービス · служба · λ", &FEW, saturating(&script, &FEW, 0.04, &BOTH)),
            ),
            ("throughput-many", throughput("gateway", &MANY, saturating(&fourteen, &MANY, 0.04, &BOTH))),
            ("throughput-hundred", throughput("gateway", &FEW, saturating(&hundred, &FEW, 0.04, &BOTH))),
            ("throughput-wild", throughput("wild", &[5, 10, 20], of_head(&wild))),
            ("throughput-wide-interval", throughput("hash", &[5, 10], of_head(&wide))),
            (
                "throughput-ended-early",
                throughput("early", &MANY, saturating(&["a", "b"], &MANY[..9], 0.05, &BOTH)),
            ),
        ]
    }

    fn latency_cases() -> Vec<(&'static str, String)> {
        let hundred: Vec<u32> = (1..=100).collect();
        let few = |spread: f64, sides: &[Side]| {
            latency("tokenizer/3k_tokens", &FEW, latencies(&FEW, 2e6, spread, sides))
        };
        let mut early = latencies(&FEW, 2e6, 0.02, &BOTH);
        early[4].points.truncate(2);
        early[5].points.truncate(2);
        vec![
            ("latency", few(0.02, &BOTH)),
            ("latency-one-round", few(0.0, &BOTH)),
            ("latency-base-missing", few(0.02, &[Side::Head])),
            (
                "latency-microseconds",
                latency("cache/get", &[1, 2, 4, 8], latencies(&[1, 2, 4, 8], 31e3, 0.03, &BOTH)),
            ),
            ("latency-long-id", latency(LONG_ID, &FEW, latencies(&FEW, 7e8, 0.02, &BOTH))),
            ("latency-scripts", latency("токенизатор/三千", &FEW, latencies(&FEW, 2e6, 0.02, &BOTH))),
            ("latency-log", latency("gateway", &MANY, latencies(&MANY, 2e6, 0.05, &BOTH))),
            ("latency-hundred", latency("gateway", &hundred, latencies(&hundred, 2e6, 0.05, &BOTH))),
            ("latency-p99-missing-above-10", latency("tokenizer", &FEW, early)),
            ("latency-zero", latency("zero", &[1, 2], vec![line("p50", Side::Head, 0.0, &[1, 2], |_| 0.0)])),
        ]
    }

    /// Percentiles that grow by `growth` with each nine.
    fn curve(side: Side, nines: &[f64], ns: f64, growth: f64, spread: f64) -> Line {
        let percentile = |&nines: &f64| {
            let value = ns * growth.powf(nines);
            let off = spread * (1.0 + nines);
            Point::new(nines, value, Some((value * (1.0 - off), value * (1.0 + off))))
        };
        Line { name: side.to_string(), side, marker: None, points: nines.iter().map(percentile).collect() }
    }

    fn head(last: f64, ns: f64, growth: f64, spread: f64) -> Line {
        let steps = (last * 16.0).ceil() as usize;
        let nines: Vec<f64> = (0..=steps).map(|step| last * step as f64 / steps as f64).collect();
        curve(Side::Head, &nines, ns, growth, spread)
    }

    fn points(side: Side, ns: f64, growth: f64, spread: f64) -> Line {
        Line { marker: Some(Marker::Circle), ..curve(side, &[0.301, 1.0, 1.301, 2.0], ns, growth, spread) }
    }

    fn base(ns: f64, growth: f64, spread: f64) -> Option<Line> {
        Some(points(Side::Base, ns, growth, spread))
    }

    fn distribution(base: Option<Line>, head: Option<Line>) -> Distribution {
        Distribution { lines: base.into_iter().chain(head).collect(), cut: Some(0.1) }
    }

    fn percentile_cases() -> Vec<(&'static str, String)> {
        let chart = |title: &str, base: Option<Line>, head: Line| {
            let subtitle = "p50 1.253 ms, p99 3.391 ms; base 1.101 ms and 3.302 ms. \
                        Bands: all rounds but the lowest and the highest tenth.";
            percentiles::draw(title, subtitle, &distribution(base, Some(head))).unwrap().file()
        };
        let mut wild = head(2.3, 2e6, 1.5, 0.02);
        wild.points[20].high = 9e12;
        wild.points[5].low = 0.0;
        vec![
            ("percentiles", chart(ID, base(2e6, 1.6, 0.03), head(2.4, 2.4e6, 1.6, 0.04))),
            ("percentiles-unchanged", chart(ID, base(2e6, 1.6, 0.03), head(2.0, 2.01e6, 1.6, 0.03))),
            ("percentiles-no-base", chart(ID, None, head(2.4, 2.4e6, 1.6, 0.04))),
            ("percentiles-short", chart(ID, None, head(0.301, 2.4e6, 1.6, 0.04))),
            (
                "percentiles-base-reaches-further",
                chart(ID, base(2e6, 1.6, 0.03), head(1.7, 2.4e6, 1.6, 0.04)),
            ),
            ("percentiles-one-round", chart(ID, base(2e6, 1.6, 0.0), head(2.4, 2.4e6, 1.6, 0.0))),
            ("percentiles-log", chart(ID, base(2e6, 4.0, 0.1), head(3.4, 2.4e6, 5.0, 0.1))),
            ("percentiles-six-nines", chart(ID, None, head(6.2, 31e3, 2.0, 0.02))),
            ("percentiles-of-points", chart(ID, base(2e6, 1.6, 0.03), points(Side::Head, 2.2e6, 1.6, 0.03))),
            ("percentiles-long-id", chart(LONG_ID, base(2e8, 1.6, 0.03), head(2.4, 2.4e8, 1.6, 0.04))),
            ("percentiles-scripts", chart("поиск/三千トークン/ä", None, head(2.4, 2.4e6, 1.6, 0.04))),
            ("percentiles-flat", chart(ID, base(2e6, 1.0, 0.0), head(2.4, 2e6, 1.0, 0.0))),
            ("percentiles-wild", chart(ID, base(2e6, 1.6, 0.03), wild)),
        ]
    }

    fn round_cases() -> Vec<(&'static str, String)> {
        let chart = |title: &str,
                     launches: usize,
                     each: usize,
                     has_base: bool,
                     value: fn(usize) -> Option<f64>| {
            let lines = [("p50", 1.0), ("p99", 1.9)].into_iter().flat_map(|(name, factor)| {
                let line = |side, points| Line { name: name.into(), side, marker: None, points };
                let point = |round: usize| Some(Point::new(round as f64, factor * value(round)?, None));
                let base = Point::new(0.0, 2.1e6 * factor, Some((2.0e6 * factor, 2.2e6 * factor)));
                let head = line(Side::Head, (0..launches * each).filter_map(point).collect());
                [Some(head), has_base.then(|| line(Side::Base, vec![base]))].into_iter().flatten()
            });
            let launches: Vec<usize> = (0..launches * each).map(|round| round / each).collect();
            rounds::draw(title, "3k_tokens/5: p50 +23.1% regressed.", &launches, &lines.collect::<Vec<_>>())
                .file()
        };
        let wavy = |round: usize| Some(2e6 * (1.0 + 0.05 * ((round * 7 % 11) as f64 / 11.0)));
        let spike = |round: usize| Some(if round == 4 { 3e9 } else { 2e6 });
        vec![
            ("rounds-30x1", chart(ID, 30, 1, true, wavy)),
            ("rounds-5x6", chart(ID, 5, 6, true, wavy)),
            ("rounds-1x30", chart(ID, 1, 30, false, wavy)),
            ("rounds-one", chart(ID, 1, 1, true, wavy)),
            ("rounds-1000", chart(ID, 100, 10, false, wavy)),
            ("rounds-spike", chart(LONG_ID, 5, 2, false, spike)),
            ("rounds-scripts", chart("поиск/三千トークン/ä", 5, 2, true, wavy)),
            ("rounds-none", chart(ID, 5, 2, false, |_| None)),
        ]
    }

    fn knee_cases() -> Vec<(&'static str, String)> {
        let chart = |title: &str, concurrencies: &[u32], sides: &[Side], spread: f64| {
            let mut lines = latencies(concurrencies, 2e6, spread, sides);
            lines.retain(|line| line.name != "p90");
            for line in &mut lines {
                let most = if line.side == Side::Head { 840.0 } else { 900.0 };
                line.points.iter_mut().for_each(|point| point.x = most * point.x / (point.x + 8.0));
            }
            let concurrencies = vec![concurrencies.to_vec(); lines.len()];
            knee::draw(title, KNEE_SUBTITLE, &lines, &concurrencies).unwrap().file()
        };
        vec![
            ("knee", chart("tokenizer/3k_tokens", &FEW, &BOTH, 0.02)),
            ("knee-base-missing", chart("tokenizer/3k_tokens", &FEW, &[Side::Head], 0.0)),
            ("knee-many", chart(LONG_ID, &MANY, &BOTH, 0.05)),
        ]
    }

    fn history_cases() -> Vec<(&'static str, String)> {
        let chart = |title: &str, runs: usize, epochs: &[(usize, &str)]| {
            let place = |nth: usize| Place {
                date: format!("2026-11-{:02}", nth + 1),
                commit: if nth == 1 { String::new() } else { format!("abc12{nth:02}") },
                begins: epochs.iter().find(|(at, _)| *at == nth).map(|(_, reason)| (*reason).to_owned()),
            };
            let places: Vec<Place> = (0..=runs).map(place).collect();
            let lines =
                [("p50", 2e6), ("p99", 3.9e6)].into_iter().enumerate().flat_map(|(nth, (name, ns))| {
                    let point = |run: usize| {
                        let value = ns * (1.0 + 0.03 * (run % 3) as f64);
                        Point::new(run as f64, value, Some((0.95 * value, 1.02 * value)))
                    };
                    let marker = Some(Marker::nth(nth));
                    let line = |side, points| Line { name: name.into(), side, marker, points };
                    [line(Side::Base, (0..runs).map(point).collect()), line(Side::Head, vec![point(runs)])]
                });
            history::draw(title, "5 accepted runs, then head.", &places, &lines.collect::<Vec<_>>())
                .unwrap()
                .file()
        };
        let long = "new epoch: a reason that somebody wrote in a whole paragraph, ".repeat(9);
        vec![
            ("history-2", chart(ID, 2, &[])),
            ("history-5", chart(ID, 5, &[(2, "new epoch: TLS was turned on")])),
            ("history-10", chart(LONG_ID, 10, &[(0, "new epoch"), (4, &long), (9, &long), (10, &long)])),
            ("history-30", chart("поиск/三千トークン/ä", 30, &[])),
        ]
    }

    /// A comparison that is `nth % 4` worse by 1%, 23%, 4% or -19%, with an interval of ± `half`.
    fn row(cell: &str, id: &str, nth: usize, half: f64) -> CellJudgement {
        let verdicts = [Verdict::Unchanged, Verdict::Regressed, Verdict::Inconclusive, Verdict::Improved];
        let metric = metric(id).unwrap();
        let worse = [0.012, 0.23, 0.04, -0.19][nth % 4];
        let estimate = if metric.better == Better::Lower { worse } else { -worse };
        let comparison = Comparison {
            metric,
            judged: true,
            base: None,
            head: None,
            change: Some(Change { low: estimate - half, estimate, high: estimate + half }),
            p_adjusted: 1.0,
            verdict: verdicts[nth % 4],
            reason: None,
            stage: Stage::Whole,
            method: None,
            detectable: Some(0.14),
            margin: 0.05,
            advice: None,
        };
        CellJudgement {
            id: CellId::new("tokenizer", cell),
            verdict: comparison.verdict,
            reason: None,
            comparisons: vec![comparison],
            limits: Vec::new(),
            values: Vec::new(),
            fresh: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn rows(cells: usize, cell: &str, half: f64) -> Vec<CellJudgement> {
        let metrics = ["success_ratio", "latency_p50", "latency_p99", "throughput"];
        let of_cell = |nth: usize| metrics.map(|metric| row(&format!("{cell}/{nth}"), metric, nth, half));
        (0..cells).flat_map(of_cell).collect()
    }

    fn forest(cells: Vec<CellJudgement>) -> String {
        let subtitle = "14 cells: 1 regressed (tokenizer/3k_tokens/10), 13 unchanged.";
        let drawing = forest::draw("tokenizer", subtitle, &Judgement { cells, ..Judgement::default() });
        drawing.map(|drawing| drawing.file()).unwrap_or_default()
    }

    fn forest_cases() -> Vec<(&'static str, String)> {
        let other_long = LONG_ID.replace("somebody", "everybody");
        let changed = |mut row: CellJudgement, change: Change| {
            row.comparisons[0].change = Some(change);
            row
        };
        let mut wild = rows(2, "3k_tokens", 0.05);
        wild[0] = changed(wild[0].clone(), Change { low: -0.9, estimate: 0.012, high: 40.0 });
        let endless = Change { low: f64::NEG_INFINITY, estimate: 0.012, high: f64::INFINITY };
        wild[1] = changed(wild[1].clone(), endless);
        wild[2].comparisons[0].detectable = None;
        wild[3] = changed(wild[3].clone(), Change { low: -0.1, estimate: f64::NAN, high: 0.1 });
        let still = |row| changed(row, Change { low: 0.0, estimate: 0.0, high: 0.0 });
        vec![
            ("forest-1", forest(rows(1, "3k_tokens", 0.04))),
            ("forest-4", forest(rows(4, "3k_tokens", 0.04))),
            ("forest-14", forest(rows(14, "3k_tokens", 0.04))),
            ("forest-100", forest(rows(100, "3k_tokens", 0.04))),
            ("forest-long-ids", forest(rows(4, LONG_ID, 0.04))),
            ("forest-similar-ids", forest([rows(2, LONG_ID, 0.04), rows(2, &other_long, 0.04)].concat())),
            ("forest-scripts", forest(rows(4, "поиск/三千トークン/ä", 0.04))),
            ("forest-one-round", forest(rows(2, "3k_tokens", f64::NAN))),
            ("forest-nothing-moved", forest(rows(2, "a", 0.0).into_iter().map(still).collect())),
            ("forest-wild", forest(wild)),
        ]
    }

    fn case(cases: Vec<(&str, String)>, name: &str) -> String {
        cases.into_iter().find(|case| case.0 == name).unwrap().1
    }

    #[test]
    fn every_case_is_a_legible_picture() {
        let of_groups = [throughput_cases(), latency_cases(), knee_cases(), forest_cases()];
        let of_cells = [percentile_cases(), round_cases(), history_cases()];
        for (name, svg) in of_groups.iter().chain(&of_cells).flatten() {
            assert_complete(name, svg);
            assert_legible(name, svg);
        }
    }

    /// The SVG is well-formed with finite coordinates, and its PNG has twice the size and something drawn on it.
    fn assert_complete(name: &str, svg: &str) {
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{name}");
        assert!(svg.contains("<title>") && svg.contains("<desc>"), "{name}");
        assert_eq!(svg.matches("<svg ").count(), 1, "{name}");
        assert_eq!(svg.matches("<text ").count(), texts(svg).len(), "{name}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
        #[cfg(feature = "png")]
        {
            let png = crate::report::chart::png::png(svg).unwrap();
            // Being able to look at it is a convenience that may fail.
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/charts");
            _ = fs::create_dir_all(&folder);
            _ = fs::write(folder.join(format!("{name}.png")), &png);
            let pixels = resvg::tiny_skia::Pixmap::decode_png(&png).unwrap();
            let size = format!("width=\"{}\" height=\"{}\"", pixels.width() / 2, pixels.height() / 2);
            assert!(svg.contains(&size), "{name}: {size}");
            let dark = pixels.pixels().iter().filter(|pixel| pixel.green() < 0x80).count();
            assert!(dark > 200, "{name}: {dark} dark pixels");
            assert!(pixels.pixels().iter().all(|pixel| pixel.alpha() == u8::MAX), "{name} is opaque");
        }
    }

    fn assert_legible(name: &str, svg: &str) {
        let size = Regex::new("width=\"(\\d+)\" height=\"(\\d+)\"").unwrap();
        let size = size.captures(svg).unwrap();
        let (width, height): (f64, f64) = (size[1].parse().unwrap(), size[2].parse().unwrap());
        let texts = texts(svg);
        assert!(texts.len() >= 2, "{name}");
        for (index, a) in texts.iter().enumerate() {
            let inside = a.left >= 0.0 && a.top >= 0.0 && a.right <= width && a.bottom <= height;
            assert!(inside, "{name}: {a:?} is cut");
            for b in &texts[index + 1..] {
                let apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
                assert!(apart, "{name}: {a:?} overlaps {b:?}");
            }
        }
    }

    #[test]
    fn lines_have_the_shortest_clear_names_at_their_ends() {
        let throughput = |name: &str| case(throughput_cases(), name);
        let latency = |name: &str| case(latency_cases(), name);
        assert!(has(&throughput("throughput-one"), "base") && has(&throughput("throughput-one"), "head"));
        assert!(has(&throughput("throughput-several"), "30_tokens base"));
        assert!(has(&throughput("throughput-base-missing"), "30_tokens"));
        assert!(has(&latency("latency"), "p99 head") && has(&latency("latency-base-missing"), "p99"));
        assert!(has(&latency("latency"), "latency (ms)"));
        assert!(has(&latency("latency-microseconds"), "latency (µs)"));
        assert!(has(&latency("latency-log"), "latency (ms, log scale)"));
        assert!(has(&throughput("throughput-hundred"), "20 of 100 are shown"));
        let long = texts(&throughput("throughput-long-ids"));
        for differing in ["…somebody_", "…everybody_"] {
            assert!(long.iter().any(|text| text.text.starts_with(differing)), "{differing} in {long:?}");
        }
    }

    #[test]
    fn the_measured_concurrencies_are_the_ticks() {
        let svg = case(latency_cases(), "latency");
        FEW.iter().for_each(|tick| assert!(has(&svg, &tick.to_string()), "{tick}"));
    }

    #[test]
    fn one_round_has_no_intervals() {
        let strokes = |svg: &str| -> usize {
            let paths = svg.split(" d=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
            paths.map(|path| path.matches('m').count()).sum()
        };
        let lines = |name: &str| strokes(&case(throughput_cases(), name));
        // Two lines of four points: a line and two caps for each.
        assert_eq!(lines("throughput-one") - lines("throughput-one-round"), 2 * 4 * 3);
        let forest = |half: f64| strokes(&forest(rows(1, "a", half)));
        assert_eq!(forest(0.04) - forest(f64::NAN), 4 * 3);
    }

    #[test]
    fn an_svg_names_in_full_what_it_shortens_and_keeps_the_length_of_text() {
        let svg = latency(LONG_ID, &FEW, latencies(&FEW, 2e6, 0.02, &BOTH));
        assert!(svg.contains(&format!("<title>{LONG_ID}</title>")));
        assert!(!has(&svg, LONG_ID));
        assert!(svg.contains("textLength="));
        let svg = latency("三千 <&>", &FEW, latencies(&FEW, 2e6, 0.02, &BOTH));
        assert!(svg.contains(">三千 &lt;&amp;&gt;</text>"), "{svg}");
        assert!(svg.matches("textLength=").count() < svg.matches("<text ").count());
    }

    #[test]
    fn percentile_shares_are_labelled_and_sides_are_named_at_their_ends() {
        let svg = case(percentile_cases(), "percentiles");
        for label in ["0%", "50%", "90%", "99%", "base", "head", "latency (ms)"] {
            assert!(has(&svg, label), "{label} in {:?}", texts(&svg));
        }
    }

    #[test]
    fn a_single_percentile_is_not_a_chart() {
        let draws = |head: Option<Line>| {
            percentiles::draw("cell", "", &distribution(base(2e6, 1.6, 0.0), head)).is_some()
        };
        assert!(!draws(None));
        assert!(!draws(Some(curve(Side::Head, &[0.301], 2e6, 1.6, 0.0))));
        assert!(draws(Some(curve(Side::Head, &[0.301, 1.0], 2e6, 1.6, 0.0))));
    }

    #[test]
    fn percentiles_of_rounds_are_named_and_one_outlier_does_not_flatten_the_others() {
        let svg = case(round_cases(), "rounds-5x6");
        for label in ["p50", "p99", "p50 base", "p99 base", "latency (ms)", "30"] {
            assert!(has(&svg, label), "{label} in {:?}", texts(&svg));
        }
        // Its axis would be in seconds.
        assert!(has(&case(round_cases(), "rounds-spike"), "latency (ms)"));
    }

    #[test]
    fn of_many_rows_those_that_changed_are_drawn_and_not_success_ratios_that_stayed() {
        let mut all: Vec<CellJudgement> =
            (0..100).map(|nth| row(&format!("still {nth}"), "success_ratio", 0, 0.02)).collect();
        all.extend((0..50).map(|nth| row(&format!("open {nth}"), "latency_p50", 2, 0.02)));
        all.extend([row("fast", "latency_p50", 3, 0.02), row("slow", "latency_p50", 1, 0.02)]);
        let svg = forest(all);
        assert!(has(&svg, "tokenizer/fast") && has(&svg, "tokenizer/slow") && has(&svg, "tokenizer/open 49"));
        assert_eq!(texts(&svg).iter().filter(|text| text.text.starts_with("tokenizer/still")).count(), 8);
    }

    #[test]
    fn regressed_rows_are_first_and_the_others_are_sorted_by_how_much_worse_they_are() {
        let rows = [2, 3, 1, 0].map(|nth| row(&format!("cell {nth}"), "latency_p50", nth, 0.02)).to_vec();
        let svg = forest(rows);
        let texts = texts(&svg);
        let top =
            |cell: &str| texts.iter().find(|text| text.text == format!("tokenizer/{cell}")).unwrap().top;
        assert!(
            top("cell 1") < top("cell 2") && top("cell 2") < top("cell 0") && top("cell 0") < top("cell 3")
        );
        for label in ["+23.0%", "-19.0%", "latency p50", "regressed", "detectable change"] {
            assert!(has(&svg, label), "{label}");
        }
    }

    #[test]
    fn the_points_of_a_knee_have_their_concurrency_and_a_history_its_dates_and_reasons() {
        let svg = case(knee_cases(), "knee");
        for label in
            ["5", "10", "15", "20", "p50 base", "p99 head", "throughput (requests/s)", "latency (ms)"]
        {
            assert!(has(&svg, label), "{label} in {:?}", texts(&svg));
        }
        let svg = case(history_cases(), "history-5");
        for label in [
            "2026-11-01",
            "abc1200",
            "2026-11-06",
            "new epoch: TLS was turned on",
            "p99 accepted",
            "p50 head",
        ] {
            assert!(has(&svg, label), "{label} in {:?}", texts(&svg));
        }
    }

    #[test]
    fn nothing_compared_is_not_a_chart() {
        assert_eq!(forest(Vec::new()), "");
    }

    #[test]
    fn rows_without_room_are_counted() {
        assert!(has(&case(forest_cases(), "forest-100"), "60 of 400 are shown"));
    }

    #[test]
    fn long_and_similar_ids_are_told_apart() {
        let svg = case(forest_cases(), "forest-similar-ids");
        let texts = texts(&svg);
        for parameter in ["3k/0", "3k/1"] {
            for who in ["…somebody_", "…everybody_"] {
                let rows =
                    texts.iter().filter(|text| text.text.starts_with(who) && text.text.ends_with(parameter));
                assert_eq!(rows.count(), 4, "one row per metric of {who}{parameter}");
            }
        }
    }
}
