//! The forest of change with every odd input that a call can hold.

use super::super::forest::{Forest, ForestRow};
use super::cases::LONG_ID;
use super::{assert_sound, texts};
use crate::judge::Verdict;

const VERDICTS: [Verdict; 4] =
    [Verdict::Unchanged, Verdict::Regressed, Verdict::Inconclusive, Verdict::Improved];

fn row(cell: &str, metric: &str, nth: usize, half: f64) -> ForestRow {
    let estimate = [0.012, 0.23, 0.04, -0.19][nth % 4];
    ForestRow {
        cell: cell.into(),
        metric: metric.into(),
        verdict: VERDICTS[nth % 4],
        low: estimate - half,
        estimate,
        high: estimate + half,
        findable: Some(0.14),
        margin: 0.05,
        text: format!("{:+.1} %", 100.0 * estimate),
    }
}

fn rows(cells: usize, cell: &str, half: f64) -> Vec<ForestRow> {
    let metrics = ["success ratio", "latency p50", "latency p99", "throughput"];
    let of_cell = |nth: usize| metrics.map(|metric| row(&format!("{cell}/{nth}"), metric, nth, half));
    (0..cells).flat_map(of_cell).collect()
}

/// Each with its name.
fn cases() -> Vec<(&'static str, Forest)> {
    let forest = |rows: Vec<ForestRow>| {
        Forest::new("tokenizer", "14 cells: 1 regressed (tokenizer/3k_tokens/10), 13 unchanged.", rows)
    };
    let other_long = LONG_ID.replace("somebody", "everybody");
    let mut wild = rows(2, "tokenizer/3k_tokens", 0.05);
    (wild[0].low, wild[0].high) = (-0.9, 40.0);
    (wild[1].low, wild[1].high) = (f64::NEG_INFINITY, f64::INFINITY);
    wild[2].findable = None;
    wild[3].estimate = f64::NAN;
    vec![
        ("forest-1", forest(rows(1, "tokenizer/3k_tokens", 0.04))),
        ("forest-4", forest(rows(4, "tokenizer/3k_tokens", 0.04))),
        ("forest-14", forest(rows(14, "tokenizer/3k_tokens", 0.04))),
        ("forest-100", forest(rows(100, "tokenizer/3k_tokens", 0.04))),
        ("forest-long-ids", forest(rows(4, LONG_ID, 0.04))),
        ("forest-alike-ids", forest([rows(2, LONG_ID, 0.04), rows(2, &other_long, 0.04)].concat())),
        ("forest-scripts", forest(rows(4, "поиск/三千トークン/ä", 0.04))),
        ("forest-one-round", forest(rows(2, "tokenizer/3k_tokens", f64::NAN))),
        (
            "forest-nothing-moved",
            forest(
                rows(2, "a", 0.0)
                    .into_iter()
                    .map(|r| ForestRow { estimate: 0.0, low: 0.0, high: 0.0, ..r })
                    .collect(),
            ),
        ),
        ("forest-wild", forest(wild)),
        ("forest-empty", forest(Vec::new())),
    ]
}

#[test]
fn every_case_is_a_legible_picture() {
    for (name, forest) in cases() {
        assert_sound(name, &forest);
    }
}

#[test]
fn what_regressed_stands_first_and_the_others_by_how_much_worse_they_are() {
    let rows = [2, 3, 1, 0].map(|nth| row(&format!("cell {nth}"), "latency p50", nth, 0.02)).to_vec();
    let forest = Forest::new("bench", "what happened", rows);
    let shown = texts(&forest);
    let top = |cell: &str| shown.iter().find(|text| text.text == cell).unwrap().top;
    assert!(top("cell 1") < top("cell 2") && top("cell 2") < top("cell 0") && top("cell 0") < top("cell 3"));
    for label in ["+23.0 %", "-19.0 %", "latency p50", "regressed", "would have been found"] {
        assert!(shown.iter().any(|text| text.text == label), "{label}");
    }
}

#[test]
fn too_many_rows_are_counted() {
    let (_, forest) = cases().into_iter().find(|case| case.0 == "forest-100").unwrap();
    assert!(texts(&forest).iter().any(|text| text.text == "the first 60 of 400 are shown"));
}

#[test]
fn cells_whose_ids_are_long_and_alike_are_told_apart() {
    let (_, forest) = cases().into_iter().find(|case| case.0 == "forest-alike-ids").unwrap();
    let shown = texts(&forest);
    for parameter in ["3k/0", "3k/1"] {
        for who in ["…somebody_", "…everybody_"] {
            let rows =
                shown.iter().filter(|text| text.text.starts_with(who) && text.text.ends_with(parameter));
            assert_eq!(rows.count(), 4, "a row a metric of {who}{parameter}");
        }
    }
}
