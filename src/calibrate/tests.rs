//! Simulations that are what they say, and promises that can be broken.

use std::collections::BTreeMap;

use crate::calibrate::bank::Bank;
use crate::calibrate::luck::Luck;
use crate::calibrate::rate::Rate;
use crate::calibrate::scenario::{ALL_DISTURBANCES, SCENARIOS, Scenario};
use crate::calibrate::simulate::{Banks, CellDraws, Layout};
use crate::calibrate::study::{Calibration, Effort, Found, Row, study};
use crate::calibrate::world::{Change, QUIET, World};
use crate::stats::diagnose::lag1_autocorrelation;
use crate::stats::location::{mean, sample_variance};

const TINY: Effort = Effort { unchanged: 2, changed: 1, rivals: 1, bank: 40 };

/// All scenarios, with two cells at the most.
fn small() -> Vec<Scenario> {
    let of_two = |scenario: &Scenario| {
        let world = World { cells: scenario.world.cells.min(2), ..scenario.world };
        Scenario { world, ..*scenario }
    };
    SCENARIOS.iter().map(of_two).collect()
}

fn banks() -> Banks {
    [Change::None, Change::Tail(15)]
        .map(|change| change.shape_of(0, QUIET.shape))
        .map(|shape| (shape, Bank::new(shape, 20, 1)))
        .into_iter()
        .collect()
}

fn measured(world: &World, change: Change, layout: &Layout) -> Vec<CellDraws> {
    world.measure(change, layout, &banks(), &mut Luck::new(5))
}

fn logs(draws: &[crate::calibrate::simulate::Draw]) -> Vec<f64> {
    draws.iter().map(|draw| draw.stretch.ln()).collect()
}

const ONE_CELL: World = World { cells: 1, ..QUIET };

#[test]
fn weather_follows_itself_and_hits_both_sides_of_a_pair() {
    let world = World { weather: 0.05, lag1: 0.5, ..ONE_CELL };
    let stored = Layout { launches: 4_000, rounds_of_launch: 1, is_duet: false, cells: vec![0] };
    let head = logs(&measured(&world, Change::None, &stored)[0].head);
    assert!((lag1_autocorrelation(&head).unwrap().value - 0.5).abs() < 0.05);
    assert!((sample_variance(&head).unwrap().sqrt() - 0.05).abs() < 0.005);
    let duet = Layout { is_duet: true, ..stored };
    let cell = &measured(&world, Change::None, &duet)[0];
    let differences: Vec<f64> =
        logs(&cell.head).iter().zip(logs(&cell.base)).map(|(head, base)| head - base).collect();
    // Neighbours differ by 2 · 0.05² · (1 - 0.5), and the random order within pairs leaves them uncorrelated.
    assert!((sample_variance(&differences).unwrap().sqrt() - 0.05).abs() < 0.005);
    assert!(lag1_autocorrelation(&differences).unwrap().value.abs() < 0.1);
}

#[test]
fn a_launch_has_its_luck_for_all_its_rounds_and_a_change_is_head_s_alone() {
    let world = World { launch: 0.02, ..ONE_CELL };
    let layout = Layout { launches: 2_000, rounds_of_launch: 2, is_duet: true, cells: vec![0] };
    let cell = &measured(&world, Change::Cell(10), &layout)[0];
    for launch in logs(&cell.base).chunks(2) {
        assert_eq!(launch[0], launch[1]);
    }
    let (base, head) = (logs(&cell.base), logs(&cell.head));
    assert!((mean(&head).unwrap() - mean(&base).unwrap() - 1.1_f64.ln()).abs() < 0.002);
    assert!((sample_variance(&base).unwrap().sqrt() - 0.02).abs() < 0.001);
}

#[test]
fn the_same_seed_gives_the_same_answer_and_another_one_another() {
    let answer = |seed| serde_json::to_string(&study(&small()[14..16], TINY, seed)).unwrap();
    let first = answer(1);
    assert_eq!(first, answer(1));
    assert_ne!(first, answer(2));
}

#[test]
fn each_scenario_has_its_rows_and_each_row_its_counts() {
    let found = study(&small(), TINY, 3);
    for scenario in small() {
        let rows: Vec<&Row> = found.rows.iter().filter(|row| row.scenario == scenario.name).collect();
        assert_eq!(rows.len(), if scenario.world.run > 0.0 { 3 } else { 2 }, "{}", scenario.name);
        for row in rows {
            let cells = 2 * scenario.world.cells as u64;
            assert_eq!((row.red_calls.trials, row.red_cells.trials), (2, cells), "{}", row.scenario);
            assert!(row.covered.values().all(|rate| rate.trials > 0), "{} {:?}", row.scenario, row.covered);
            assert_eq!(row.covered.len(), 3, "{} {:?}", row.scenario, row.covered);
            assert!(row.found.iter().all(|found| found.named.trials == 1 && found.cost >= 1.0));
            assert!(row.rivals.iter().all(|rival| rival.red_calls.trials == 1 && rival.found.trials == 1));
        }
    }
    assert!(found.table().contains(ALL_DISTURBANCES));
}

#[test]
fn a_promise_is_broken_when_the_counts_show_it_and_not_before() {
    let rate = |hits, trials| Rate { hits, trials };
    let found = |change: &str, hits| Found {
        change: change.to_owned(),
        named: rate(hits, 200),
        wrongly_named: rate(0, 1),
        cost: 1.2,
    };
    let kept = Row {
        scenario: ALL_DISTURBANCES,
        against: "duet".to_owned(),
        cells: 30,
        red_calls: rate(9, 1_000),
        red_cells: rate(9, 30_000),
        covered: BTreeMap::from([("latency_p50", rate(9_500, 10_000))]),
        cost: 1.1,
        found: vec![found("+5 %", 198), found("tail +15 %", 170)],
        rivals: Vec::new(),
    };
    let broken = |row: Row| Calibration { seed: 1, effort: TINY, rows: vec![row] }.broken().len();
    assert_eq!(broken(kept.clone()), 0);
    assert_eq!(broken(Row { red_calls: rate(15, 1_000), ..kept.clone() }), 0, "may be chance");
    assert_eq!(broken(Row { red_calls: rate(40, 1_000), ..kept.clone() }), 1);
    assert_eq!(broken(Row { covered: [("latency_p50", rate(880, 1_000))].into(), ..kept.clone() }), 1);
    assert_eq!(broken(Row { found: vec![found("+5 %", 150), found("tail +15 %", 100)], ..kept.clone() }), 2);
    let dear = Found { cost: 1.5, ..found("+5 %", 200) };
    assert_eq!(broken(Row { found: vec![dear], ..kept }), 1);
}
