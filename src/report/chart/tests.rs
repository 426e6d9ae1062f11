//! Every chart with every odd input: that its files are whole, and that all text lies in the picture and clear of other text.
//! The pictures stay in `target/charts`, to be looked at.

mod cases;
mod distributions;
mod forests;
mod timelines;

use std::fs;
use std::path::Path;

use plotters::prelude::SVGBackend;

use self::cases::{BOTH, FEW, LONG_ID, cases, latency, latency_cases, percentiles};
use super::canvas::TextBox;
use super::pen::DOTS_PER_PX;
use super::render::{Chart, Picture, draw_on, render};

fn texts<C: Chart>(chart: &C) -> Vec<TextBox> {
    let (width, height) = chart.size_px();
    let mut svg = String::new();
    let size = (width * DOTS_PER_PX, height * DOTS_PER_PX);
    draw_on(chart, SVGBackend::with_string(&mut svg, size)).unwrap()
}

#[test]
fn every_case_is_a_legible_picture() {
    for (name, chart) in cases() {
        assert_sound(name, &chart);
    }
}

/// The chart is a whole SVG and a PNG of twice its size, all text lies in the picture, and none of it on other text.
fn assert_sound<C: Chart>(name: &str, chart: &C) {
    assert_legible(name, chart);
    let picture = render(chart).unwrap();
    keep(name, &picture);
    let (width, height) = chart.size_px();
    assert!(picture.svg.starts_with("<svg ") && picture.svg.ends_with("</svg>\n"), "{name}");
    assert!(picture.svg.contains(&format!("width=\"{width}\" height=\"{height}\"")), "{name}");
    assert_eq!(picture.svg.matches("<text ").count(), picture.svg.matches("</text>").count(), "{name}");
    assert!(!picture.svg.contains("NaN") && !picture.svg.contains("inf"), "{name}");

    let mut decoder = png::Decoder::new(std::io::Cursor::new(&picture.png));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    assert_eq!(reader.info().size(), (2 * width, 2 * height), "{name}");
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    let inked = pixels.iter().filter(|&&value| value < 0x80).count();
    assert!(inked > 500, "{name}: only {inked} dark values");
}

/// Leaves the picture where it can be looked at. Not being able to is no fault of the chart.
fn keep(name: &str, picture: &Picture) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/charts");
    _ = fs::create_dir_all(&folder);
    _ = fs::write(folder.join(format!("{name}.png")), &picture.png);
}

fn assert_legible<C: Chart>(name: &str, chart: &C) {
    let (width, height) = chart.size_px();
    let right = f64::from(width * DOTS_PER_PX);
    let bottom = f64::from(height * DOTS_PER_PX);
    let texts = texts(chart);
    assert!(texts.len() >= 2, "{name}");
    for (index, a) in texts.iter().enumerate() {
        let inside = a.left >= 0.0 && a.top >= 0.0 && a.right <= right && a.bottom <= bottom;
        assert!(inside, "{name}: {a:?}");
        for b in &texts[index + 1..] {
            let apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
            assert!(apart, "{name}: {a:?} lies on {b:?}");
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
    assert!(has("throughput-all-failed", "too few successful responses"));
    assert!(has("throughput-hundred", "the first 20 of 100 are shown"));
    let long = names("throughput-long-ids");
    for differing in ["…somebody_", "…everybody_"] {
        assert!(long.iter().any(|text| text.starts_with(differing)), "{differing} in {long:?}");
    }
}

#[test]
fn the_measured_concurrencies_are_the_ticks() {
    let shown: Vec<String> = texts(&latency_cases().swap_remove(0).1).into_iter().map(|t| t.text).collect();
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
