//! The charts that the tests draw: plain ones, and every odd input that a run can hold.

use super::super::data::{Curve, Estimate, Side};
use super::super::latency::Latency;
use super::super::line_chart::LineChart;
use super::super::throughput::Throughput;

pub(super) const LONG_ID: &str =
    "tokenizer/encode_with_a_name_that_somebody_generated_from_a_route_and_a_tenant/3k";
pub(super) const SUBTITLE: &str =
    "Throughput levels off at 15 requests in flight; head is 4 % slower there (interval 1 % to 7 %).";

/// Estimates with intervals of ± `spread` of the value.
pub(super) fn curve(name: &str, side: Side, spread: f64, values: &[(u32, f64)]) -> Curve {
    let estimate = |&(concurrency, value): &(u32, f64)| Estimate {
        concurrency,
        value,
        interval: (spread > 0.0).then_some((value * (1.0 - spread), value * (1.0 + spread))),
    };
    Curve { name: name.into(), side, estimates: values.iter().map(estimate).collect() }
}

/// A service that saturates: throughput with concurrency, and latency that then grows.
pub(super) fn saturating(names: &[&str], concurrencies: &[u32], spread: f64, sides: &[Side]) -> Vec<Curve> {
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

pub(super) fn percentiles(concurrencies: &[u32], base_ns: f64, spread: f64, sides: &[Side]) -> Vec<Curve> {
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

pub(super) fn throughput(title: &str, concurrencies: &[u32], curves: Vec<Curve>) -> LineChart {
    Throughput {
        title: title.into(),
        subtitle: SUBTITLE.into(),
        concurrencies: concurrencies.to_vec(),
        curves,
    }
    .chart()
}

pub(super) fn latency(title: &str, concurrencies: &[u32], curves: Vec<Curve>) -> LineChart {
    Latency {
        title: title.into(),
        subtitle: "p99 rose by 6 % at every concurrency.".into(),
        concurrencies: concurrencies.to_vec(),
        curves,
    }
    .chart()
}

pub(super) const BOTH: [Side; 2] = [Side::Base, Side::Head];
pub(super) const FEW: [u32; 4] = [5, 10, 15, 20];
pub(super) const MANY: [u32; 14] = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50, 100, 200, 1000];

pub(super) fn throughput_cases() -> Vec<(&'static str, LineChart)> {
    let fourteen: Vec<String> = (0..14).map(|n| format!("endpoint_{n}")).collect();
    let fourteen: Vec<&str> = fourteen.iter().map(String::as_str).collect();
    let hundred: Vec<String> = (0..100).map(|n| format!("route {n}")).collect();
    let hundred: Vec<&str> = hundred.iter().map(String::as_str).collect();
    let other_long = LONG_ID.replace("somebody", "everybody");
    let wild = curve("wild", Side::Head, 0.0, &[(5, f64::NAN), (10, 1e300), (20, 5.0)]);
    let mut wide = curve("wide", Side::Head, 0.1, &[(5, 900.0), (10, 1000.0)]);
    wide.estimates[1].interval = Some((-4000.0, 1e7));
    let script = ["トークン化/エンドポイント", "токенизатор/длинное_имя", "مُرمِّز", "emoji 🚀 <&>"];
    vec![
        ("throughput-one", throughput("tokenizer", &FEW, saturating(&["3k_tokens"], &FEW, 0.04, &BOTH))),
        (
            "throughput-several",
            throughput(
                "tokenizer",
                &FEW,
                saturating(&["30_tokens", "3k_tokens", "300k_tokens"], &FEW, 0.03, &BOTH),
            ),
        ),
        ("throughput-one-round", throughput("tokenizer", &FEW, saturating(&["3k_tokens"], &FEW, 0.0, &BOTH))),
        (
            "throughput-base-missing",
            throughput("tokenizer", &FEW, saturating(&["30_tokens", "3k_tokens"], &FEW, 0.04, &[Side::Head])),
        ),
        ("throughput-all-failed", throughput("tokenizer", &FEW, vec![])),
        (
            "throughput-zero",
            throughput("tokenizer", &FEW, vec![curve("a", Side::Head, 0.0, &FEW.map(|n| (n, 0.0)))]),
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
            throughput("サービス · служба · λ", &FEW, saturating(&script, &FEW, 0.04, &BOTH)),
        ),
        ("throughput-many", throughput("gateway", &MANY, saturating(&fourteen, &MANY, 0.04, &BOTH))),
        ("throughput-hundred", throughput("gateway", &FEW, saturating(&hundred, &FEW, 0.04, &BOTH))),
        ("throughput-wild", throughput("wild", &[5, 10, 20], vec![wild])),
        ("throughput-wide-interval", throughput("wide", &[5, 10], vec![wide])),
        (
            "throughput-ended-early",
            throughput("early", &MANY, saturating(&["a", "b"], &MANY[..9], 0.05, &BOTH)),
        ),
    ]
}

pub(super) fn latency_cases() -> Vec<(&'static str, LineChart)> {
    let hundred: Vec<u32> = (1..=100).collect();
    let mut early = percentiles(&FEW, 2e6, 0.02, &BOTH);
    early[4].estimates.truncate(2);
    early[5].estimates.truncate(2);
    vec![
        ("latency", latency("tokenizer/3k_tokens", &FEW, percentiles(&FEW, 2e6, 0.02, &BOTH))),
        (
            "latency-microseconds",
            latency("cache/get", &[1, 2, 4, 8], percentiles(&[1, 2, 4, 8], 31e3, 0.03, &BOTH)),
        ),
        ("latency-one-round", latency("tokenizer/3k_tokens", &FEW, percentiles(&FEW, 2e6, 0.0, &BOTH))),
        (
            "latency-base-missing",
            latency("tokenizer/3k_tokens", &FEW, percentiles(&FEW, 2e6, 0.02, &[Side::Head])),
        ),
        ("latency-all-failed", latency("tokenizer/3k_tokens", &FEW, vec![])),
        ("latency-long-id", latency(LONG_ID, &FEW, percentiles(&FEW, 7e8, 0.02, &BOTH))),
        ("latency-scripts", latency("токенизатор/三千", &FEW, percentiles(&FEW, 2e6, 0.02, &BOTH))),
        ("latency-log", latency("gateway", &MANY, percentiles(&MANY, 2e6, 0.05, &BOTH))),
        ("latency-hundred", latency("gateway", &hundred, percentiles(&hundred, 2e6, 0.05, &BOTH))),
        ("latency-p99-missing-above-10", latency("tokenizer", &FEW, early)),
        (
            "latency-zero",
            latency("zero", &[1, 2], vec![curve("p50", Side::Head, 0.0, &[(1, 0.0), (2, 0.0)])]),
        ),
    ]
}

pub(super) fn cases() -> Vec<(&'static str, LineChart)> {
    let mut cases = throughput_cases();
    cases.extend(latency_cases());
    cases
}
