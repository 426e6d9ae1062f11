//! The latency percentiles of a cell with every odd input that a run can hold.

use super::super::percentiles::Percentiles;
use super::cases::LONG_ID;
use super::{assert_sound, texts};
use crate::report::distribution::{Band, Distribution, Percentile, PercentileCurve};

const SUBTITLE: &str = "p50 1.253 ms, p99 3.391 ms; base 1.101 ms and 3.302 ms. Bands: all rounds but the lowest and the highest tenth.";

/// The points at these nines of latencies that rise with each by `growth` times.
fn curve(nines: &[f64], ns: f64, growth: f64, spread: f64) -> PercentileCurve {
    let percentile = |&nines: &f64| {
        let value = ns * growth.powf(nines);
        let off = spread * (1.0 + nines);
        Percentile { nines, value, low: value * (1.0 - off), high: value * (1.0 + off) }
    };
    PercentileCurve { percentiles: nines.iter().map(percentile).collect(), is_of_points: false }
}

fn head(last: f64, ns: f64, growth: f64, spread: f64) -> PercentileCurve {
    let steps = (last * 16.0).ceil() as usize;
    let nines: Vec<f64> = (0..=steps).map(|step| last * step as f64 / steps as f64).collect();
    curve(&nines, ns, growth, spread)
}

fn base(ns: f64, growth: f64, spread: f64) -> PercentileCurve {
    PercentileCurve { is_of_points: true, ..curve(&[0.301, 1.0, 1.301, 2.0], ns, growth, spread) }
}

fn chart(title: &str, base: PercentileCurve, head: PercentileCurve) -> Percentiles {
    let distribution = Distribution { base, head, band: Band::Trimmed };
    Percentiles::new(title, SUBTITLE, &distribution).unwrap()
}

/// Each with its name.
fn cases() -> Vec<(&'static str, Percentiles)> {
    let none = PercentileCurve::default;
    let id = "tokenizer/3k_tokens/10";
    let mut wild = head(2.3, 2e6, 1.5, 0.02);
    wild.percentiles[20].high = 9e12;
    wild.percentiles[5].low = 0.0;
    vec![
        ("percentiles", chart(id, base(2e6, 1.6, 0.03), head(2.4, 2.4e6, 1.6, 0.04))),
        ("percentiles-unchanged", chart(id, base(2e6, 1.6, 0.03), head(2.0, 2.01e6, 1.6, 0.03))),
        ("percentiles-no-base", chart(id, none(), head(2.4, 2.4e6, 1.6, 0.04))),
        ("percentiles-short", chart(id, none(), head(0.301, 2.4e6, 1.6, 0.04))),
        ("percentiles-base-reaches-further", chart(id, base(2e6, 1.6, 0.03), head(1.7, 2.4e6, 1.6, 0.04))),
        ("percentiles-one-round", chart(id, base(2e6, 1.6, 0.0), head(2.4, 2.4e6, 1.6, 0.0))),
        ("percentiles-log", chart(id, base(2e6, 4.0, 0.1), head(3.4, 2.4e6, 5.0, 0.1))),
        ("percentiles-six-nines", chart(id, none(), head(6.2, 31e3, 2.0, 0.02))),
        ("percentiles-of-points", chart(id, base(2e6, 1.6, 0.03), base(2.2e6, 1.6, 0.03))),
        ("percentiles-long-id", chart(LONG_ID, base(2e8, 1.6, 0.03), head(2.4, 2.4e8, 1.6, 0.04))),
        ("percentiles-scripts", chart("поиск/三千トークン/ä", none(), head(2.4, 2.4e6, 1.6, 0.04))),
        ("percentiles-flat", chart(id, base(2e6, 1.0, 0.0), head(2.4, 2e6, 1.0, 0.0))),
        ("percentiles-wild", chart(id, base(2e6, 1.6, 0.03), wild)),
    ]
}

#[test]
fn every_case_is_a_legible_picture() {
    for (name, percentiles) in cases() {
        assert_sound(name, &percentiles);
    }
}

#[test]
fn shares_are_labelled_and_sides_are_named_at_their_ends() {
    let (_, chart) = cases().swap_remove(0);
    let shown: Vec<String> = texts(&chart).into_iter().map(|text| text.text).collect();
    for label in ["0 %", "50 %", "90 %", "99 %", "base", "head", "latency (ms)"] {
        assert!(shown.iter().any(|text| text == label), "{label} in {shown:?}");
    }
}

#[test]
fn what_is_no_curve_is_no_chart() {
    let of = |head: PercentileCurve| {
        let distribution = Distribution { base: base(2e6, 1.6, 0.0), head, band: Band::None };
        Percentiles::new("cell", "", &distribution)
    };
    assert!(of(PercentileCurve::default()).is_none());
    assert!(of(curve(&[0.301], 2e6, 1.6, 0.0)).is_none());
    assert!(of(curve(&[0.301, 1.0], 2e6, 1.6, 0.0)).is_some());
}
