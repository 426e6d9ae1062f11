//! The rounds of a cell with every odd input that a run can hold.

use super::super::rounds::{Rounds, Timeline};
use super::cases::LONG_ID;
use super::{assert_sound, texts};

fn rounds(
    title: &str,
    launches: usize,
    each: usize,
    base: bool,
    values: impl Fn(usize) -> Option<f64>,
) -> Rounds {
    let all = launches * each;
    let percentile = |name: &str, factor: f64| Timeline {
        name: name.into(),
        values: (0..all).map(|round| values(round).map(|ns| ns * factor)).collect(),
        base: base.then_some((2.1e6 * factor, Some((2.0e6 * factor, 2.2e6 * factor)))),
    };
    let launches = (0..all).map(|round| round / each).collect();
    let subtitle = "3k_tokens/5: p50 +23.1 % regressed.";
    Rounds::new(title, subtitle, launches, &[percentile("p50", 1.0), percentile("p99", 1.9)])
}

/// Each with its name.
fn cases() -> Vec<(&'static str, Rounds)> {
    let wavy = |round: usize| Some(2e6 * (1.0 + 0.05 * ((round * 7 % 11) as f64 / 11.0)));
    let spiky = |round: usize| Some(if round == 4 { 3e9 } else { 2e6 });
    vec![
        ("rounds-30x1", rounds("tokenizer/3k_tokens/10", 30, 1, true, wavy)),
        ("rounds-5x6", rounds("tokenizer/3k_tokens/10", 5, 6, true, wavy)),
        ("rounds-1x30", rounds("tokenizer/3k_tokens/10", 1, 30, false, wavy)),
        ("rounds-one", rounds("tokenizer/3k_tokens/10", 1, 1, true, wavy)),
        ("rounds-1000", rounds("tokenizer/3k_tokens/10", 100, 10, false, wavy)),
        ("rounds-spike", rounds(LONG_ID, 5, 2, false, spiky)),
        ("rounds-scripts", rounds("поиск/三千トークン/ä", 5, 2, true, wavy)),
        ("rounds-none", rounds("tokenizer/3k_tokens/10", 5, 2, false, |_| None)),
    ]
}

#[test]
fn every_case_is_a_legible_picture() {
    for (name, rounds) in cases() {
        assert_sound(name, &rounds);
    }
}

#[test]
fn percentiles_are_named_at_their_ends_and_one_outlier_does_not_flatten_the_others() {
    let named = |name: &str| cases().into_iter().find(|case| case.0 == name).unwrap().1;
    let shown: Vec<String> = texts(&named("rounds-5x6")).into_iter().map(|text| text.text).collect();
    for label in ["p50", "p99", "p50 base", "p99 base", "latency (ms)", "30"] {
        assert!(shown.iter().any(|text| text == label), "{label} in {shown:?}");
    }
    let shown: Vec<String> = texts(&named("rounds-spike")).into_iter().map(|text| text.text).collect();
    assert!(shown.iter().any(|text| text == "latency (ms)"), "{shown:?}");
}
