//! Every chart with every odd input: that its files are whole, and that all text lies in the picture and clear of other text.

use plotters::prelude::SVGBackend;

use super::canvas::TextBox;
use super::data::{Curve, Estimate, Side};
use super::latency::Latency;
use super::line_chart::LineChart;
use super::pen::DOTS_PER_PX;
use super::render::{Chart, draw_on, render};
use super::throughput::Throughput;

const LONG_ID: &str =
    "tokenizer/encode_with_a_name_that_somebody_generated_from_a_route_and_a_tenant/3k";
const SUBTITLE: &str = "Throughput levels off at 15 requests in flight; head is 4 % slower there (interval 1 % to 7 %).";

/// Estimates with intervals of ± `spread` of the value.
fn curve(name: &str, side: Side, spread: f64, values: &[(u32, f64)]) -> Curve {
    let estimate = |&(concurrency, value): &(u32, f64)| Estimate {
        concurrency,
        value,
        interval: (spread > 0.0).then_some((value * (1.0 - spread), value * (1.0 + spread))),
    };
    Curve {
        name: name.into(),
        side,
        estimates: values.iter().map(estimate).collect(),
    }
}

/// A service that saturates: throughput with concurrency, and latency that then grows.
fn saturating(names: &[&str], concurrencies: &[u32], spread: f64, sides: &[Side]) -> Vec<Curve> {
    let mut curves = Vec::new();
    for (nth, name) in names.iter().enumerate() {
        for &side in sides {
            let slower = if side == Side::Head { 0.93 } else { 1.0 };
            let most = 9000.0 * slower / (1.0 + nth as f64 * 0.3);
            let rate = |&n: &u32| (n, most * f64::from(n) / (f64::from(n) + 8.0));
            let values: Vec<_> = concurrencies.iter().map(rate).collect();
            curves.push(curve(name, side, spread, &values));
        }
    }
    curves
}

fn percentiles(concurrencies: &[u32], base_ns: f64, spread: f64, sides: &[Side]) -> Vec<Curve> {
    let mut curves = Vec::new();
    for (name, factor) in [("p50", 1.0), ("p90", 1.4), ("p99", 2.6)] {
        for &side in sides {
            let slower = if side == Side::Head { 1.06 } else { 1.0 };
            let latency = |&n: &u32| (n, base_ns * factor * slower * (1.0 + f64::from(n) / 9.0));
            let values: Vec<_> = concurrencies.iter().map(latency).collect();
            curves.push(curve(name, side, spread * factor, &values));
        }
    }
    curves
}

fn throughput(title: &str, concurrencies: &[u32], curves: Vec<Curve>) -> LineChart {
    Throughput {
        title: title.into(),
        subtitle: SUBTITLE.into(),
        concurrencies: concurrencies.to_vec(),
        curves,
    }
    .chart()
}

fn latency(title: &str, concurrencies: &[u32], curves: Vec<Curve>) -> LineChart {
    Latency {
        title: title.into(),
        subtitle: "p99 rose by 6 % at every concurrency.".into(),
        concurrencies: concurrencies.to_vec(),
        curves,
    }
    .chart()
}

const BOTH: [Side; 2] = [Side::Base, Side::Head];
const FEW: [u32; 4] = [5, 10, 15, 20];
const MANY: [u32; 14] = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50, 100, 200, 1000];

fn throughput_cases() -> Vec<(&'static str, LineChart)> {
    let fourteen: Vec<String> = (0..14).map(|n| format!("endpoint_{n}")).collect();
    let fourteen: Vec<&str> = fourteen.iter().map(String::as_str).collect();
    let hundred: Vec<String> = (0..100).map(|n| format!("route {n}")).collect();
    let hundred: Vec<&str> = hundred.iter().map(String::as_str).collect();
    let other_long = LONG_ID.replace("somebody", "everybody");
    let wild = curve(
        "wild",
        Side::Head,
        0.0,
        &[(5, f64::NAN), (10, 1e300), (20, 5.0)],
    );
    let mut wide = curve("wide", Side::Head, 0.1, &[(5, 900.0), (10, 1000.0)]);
    wide.estimates[1].interval = Some((-4000.0, 1e7));
    let script = [
        "トークン化/エンドポイント",
        "токенизатор/длинное_имя",
        "مُرمِّز",
        "emoji 🚀 <&>",
    ];
    vec![
        (
            "throughput-one",
            throughput(
                "tokenizer",
                &FEW,
                saturating(&["3k_tokens"], &FEW, 0.04, &BOTH),
            ),
        ),
        (
            "throughput-several",
            throughput(
                "tokenizer",
                &FEW,
                saturating(
                    &["30_tokens", "3k_tokens", "300k_tokens"],
                    &FEW,
                    0.03,
                    &BOTH,
                ),
            ),
        ),
        (
            "throughput-single-concurrency",
            throughput(
                "tokenizer",
                &[10],
                saturating(&["3k_tokens"], &[10], 0.04, &BOTH),
            ),
        ),
        (
            "throughput-single-concurrency-several",
            throughput(
                "tokenizer",
                &[10],
                saturating(&["30_tokens", LONG_ID, "300k_tokens"], &[10], 0.04, &BOTH),
            ),
        ),
        (
            "throughput-one-round",
            throughput(
                "tokenizer",
                &FEW,
                saturating(&["3k_tokens"], &FEW, 0.0, &BOTH),
            ),
        ),
        (
            "throughput-base-missing",
            throughput(
                "tokenizer",
                &FEW,
                saturating(&["30_tokens", "3k_tokens"], &FEW, 0.04, &[Side::Head]),
            ),
        ),
        (
            "throughput-all-failed",
            throughput("tokenizer", &FEW, vec![]),
        ),
        ("throughput-nothing-at-all", throughput("", &[], vec![])),
        (
            "throughput-zero",
            throughput(
                "tokenizer",
                &FEW,
                vec![curve("a", Side::Head, 0.0, &FEW.map(|n| (n, 0.0)))],
            ),
        ),
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
            throughput(
                "サービス · служба · λ",
                &FEW,
                saturating(&script, &FEW, 0.04, &BOTH),
            ),
        ),
        (
            "throughput-many",
            throughput("gateway", &MANY, saturating(&fourteen, &MANY, 0.04, &BOTH)),
        ),
        (
            "throughput-hundred",
            throughput("gateway", &FEW, saturating(&hundred, &FEW, 0.04, &BOTH)),
        ),
        (
            "throughput-wild",
            throughput("wild", &[5, 10, 20], vec![wild]),
        ),
        (
            "throughput-wide-interval",
            throughput("wide", &[5, 10], vec![wide]),
        ),
        (
            "throughput-ended-early",
            throughput(
                "early",
                &MANY,
                saturating(&["a", "b"], &MANY[..9], 0.05, &BOTH),
            ),
        ),
    ]
}

fn latency_cases() -> Vec<(&'static str, LineChart)> {
    let hundred: Vec<u32> = (1..=100).collect();
    let mut early = percentiles(&FEW, 2e6, 0.02, &BOTH);
    early[4].estimates.truncate(2);
    early[5].estimates.truncate(2);
    vec![
        (
            "latency",
            latency(
                "tokenizer/3k_tokens",
                &FEW,
                percentiles(&FEW, 2e6, 0.02, &BOTH),
            ),
        ),
        (
            "latency-microseconds",
            latency(
                "cache/get",
                &[1, 2, 4, 8],
                percentiles(&[1, 2, 4, 8], 31e3, 0.03, &BOTH),
            ),
        ),
        (
            "latency-single-concurrency",
            latency(
                "tokenizer/3k_tokens",
                &[10],
                percentiles(&[10], 2e6, 0.02, &BOTH),
            ),
        ),
        (
            "latency-one-round",
            latency(
                "tokenizer/3k_tokens",
                &FEW,
                percentiles(&FEW, 2e6, 0.0, &BOTH),
            ),
        ),
        (
            "latency-base-missing",
            latency(
                "tokenizer/3k_tokens",
                &FEW,
                percentiles(&FEW, 2e6, 0.02, &[Side::Head]),
            ),
        ),
        (
            "latency-all-failed",
            latency("tokenizer/3k_tokens", &FEW, vec![]),
        ),
        (
            "latency-long-id",
            latency(LONG_ID, &FEW, percentiles(&FEW, 7e8, 0.02, &BOTH)),
        ),
        (
            "latency-scripts",
            latency(
                "токенизатор/三千",
                &FEW,
                percentiles(&FEW, 2e6, 0.02, &BOTH),
            ),
        ),
        (
            "latency-log",
            latency("gateway", &MANY, percentiles(&MANY, 2e6, 0.05, &BOTH)),
        ),
        (
            "latency-hundred",
            latency("gateway", &hundred, percentiles(&hundred, 2e6, 0.05, &BOTH)),
        ),
        (
            "latency-p99-missing-above-10",
            latency("tokenizer", &FEW, early),
        ),
        (
            "latency-zero",
            latency(
                "zero",
                &[1],
                vec![curve("p50", Side::Head, 0.0, &[(1, 0.0)])],
            ),
        ),
    ]
}

fn cases() -> Vec<(&'static str, LineChart)> {
    let mut cases = throughput_cases();
    cases.extend(latency_cases());
    cases
}

fn texts(chart: &LineChart) -> Vec<TextBox> {
    let (width, height) = chart.size_px();
    let mut svg = String::new();
    let size = (width * DOTS_PER_PX, height * DOTS_PER_PX);
    draw_on(chart, SVGBackend::with_string(&mut svg, size)).unwrap()
}

#[test]
fn every_case_yields_an_svg_and_a_png_of_twice_its_size() {
    for (name, chart) in cases() {
        let picture = render(&chart).unwrap();
        let (width, height) = chart.size_px();
        assert!(
            picture.svg.starts_with("<svg ") && picture.svg.ends_with("</svg>\n"),
            "{name}"
        );
        assert!(
            picture
                .svg
                .contains(&format!("width=\"{width}\" height=\"{height}\"")),
            "{name}"
        );
        assert_eq!(
            picture.svg.matches("<text ").count(),
            picture.svg.matches("</text>").count()
        );

        let mut reader = png::Decoder::new(std::io::Cursor::new(&picture.png))
            .read_info()
            .unwrap();
        assert_eq!(reader.info().size(), (2 * width, 2 * height), "{name}");
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let inked = pixels.iter().filter(|&&value| value < 0x80).count();
        assert!(inked > 500, "{name}: only {inked} dark values");
    }
}

#[test]
fn no_text_lies_outside_the_picture() {
    for (name, chart) in cases() {
        let (width, height) = chart.size_px();
        let right = f64::from(width * DOTS_PER_PX);
        let bottom = f64::from(height * DOTS_PER_PX);
        let texts = texts(&chart);
        assert!(texts.len() >= 2, "{name}");
        for text in texts {
            let inside =
                text.left >= 0.0 && text.top >= 0.0 && text.right <= right && text.bottom <= bottom;
            assert!(inside, "{name}: {text:?}");
        }
    }
}

#[test]
fn no_text_lies_on_another() {
    for (name, chart) in cases() {
        let texts = texts(&chart);
        for (index, a) in texts.iter().enumerate() {
            for b in &texts[index + 1..] {
                let apart = a.right <= b.left
                    || b.right <= a.left
                    || a.bottom <= b.top
                    || b.bottom <= a.top;
                assert!(apart, "{name}: {a:?} lies on {b:?}");
            }
        }
    }
}

#[test]
fn lines_are_named_at_their_ends_as_shortly_as_is_clear() {
    let names = |name: &str| -> Vec<String> {
        let (_, chart) = cases().into_iter().find(|case| case.0 == name).unwrap();
        texts(&chart).into_iter().map(|text| text.text).collect()
    };
    let has = |name: &str, label: &str| names(name).iter().any(|text| text == label);
    assert!(has("throughput-one", "base") && has("throughput-one", "head"));
    assert!(has("throughput-several", "30_tokens base"));
    assert!(has("throughput-base-missing", "30_tokens"));
    assert!(has("latency", "p99 head") && has("latency-base-missing", "p99"));
    assert!(has("latency", "latency (ms)") && has("latency-microseconds", "latency (µs)"));
    assert!(has("latency-log", "latency (ms, log scale)"));
    assert!(has("throughput-all-failed", "no successful response"));
    assert!(has("throughput-hundred", "the first 20 of 100 are shown"));
    let long = names("throughput-long-ids");
    assert!(
        long.iter()
            .any(|text| text.starts_with("1. tokenizer") && text.contains('…')),
        "{long:?}"
    );
    assert!(
        long.iter().any(|text| text.starts_with("2. tokenizer")),
        "{long:?}"
    );
}

#[test]
fn the_measured_concurrencies_are_the_ticks() {
    let shown: Vec<String> = texts(&latency_cases().swap_remove(0).1)
        .into_iter()
        .map(|t| t.text)
        .collect();
    for tick in FEW {
        assert!(shown.contains(&tick.to_string()), "{tick} in {shown:?}");
    }
}

#[test]
fn the_svg_names_in_full_what_is_shortened_and_fixes_the_length_of_text() {
    let chart = latency(LONG_ID, &FEW, percentiles(&FEW, 2e6, 0.02, &BOTH));
    let svg = render(&chart).unwrap().svg;
    assert!(svg.contains(&format!("<title>{LONG_ID}</title>")));
    assert!(svg.contains("font-size=\"48\""), "12 px at 4 dots a px");
    let texts = svg.matches("<text ").count();
    assert_eq!(svg.matches("textLength=").count(), texts);

    let foreign = latency("三千 <&>", &FEW, vec![]);
    let svg = render(&foreign).unwrap().svg;
    assert!(svg.contains(">三千 &lt;&amp;&gt;</text>"), "{svg}");
    assert!(svg.matches("textLength=").count() < svg.matches("<text ").count());
}

#[test]
#[ignore = "writes all cases to target/charts, to be looked at"]
fn gallery() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/charts");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, chart) in cases() {
        let picture = render(&chart).unwrap();
        std::fs::write(folder.join(format!("{name}.svg")), picture.svg).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), picture.png).unwrap();
    }
}
