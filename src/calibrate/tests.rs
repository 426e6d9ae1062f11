//! Simulations that are what they say, and promises that can be broken.

use std::collections::BTreeMap;

use crate::calibrate::bank::Bank;
use crate::calibrate::bounds::Standing;
use crate::calibrate::design::{DUET, designs};
use crate::calibrate::luck::Luck;
use crate::calibrate::rate::Rate;
use crate::calibrate::row::{Calibration, Effort, Found, Row};
use crate::calibrate::scenario::{ALL_DISTURBANCES, SCENARIOS, Scenario};
use crate::calibrate::simulate::{Banks, CellDraws, Layout};
use crate::calibrate::study::study;
use crate::calibrate::world::{Change, QUIET, World};
use crate::stats::describe::{mean, sample_variance};
use crate::stats::series::lag1_autocorrelation;

const TINY: Effort = Effort { unchanged: 2, changed: 1, promised: 1, rivals: 1, bank: 40 };

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
        let rows: Vec<&Row> = found.rows.iter().filter(|row| row.scenario.name == scenario.name).collect();
        assert_eq!(rows.len(), designs(&scenario).len(), "{}", scenario.name);
        for row in rows {
            let of = format!("{} {}", scenario.name, row.design.name());
            let cells = 2 * scenario.world.cells as u64;
            assert_eq!((row.red_calls.trials, row.red_cells.trials), (2, cells), "{of}");
            assert_eq!(row.covered.len(), 3, "{of} {:?}", row.covered);
            assert!(row.covered.values().all(|rate| rate.trials == cells), "{of} {:?}", row.covered);
            assert!(row.found.iter().all(|found| found.named.trials == 1 && found.cost >= 1.0), "{of}");
            assert_eq!(row.rivals.is_empty(), !row.design.asks_rivals(), "{of}");
            assert!(row.rivals.iter().all(|rival| rival.red_calls.trials == 1 && rival.found.trials == 1));
        }
    }
    assert!(found.text().contains(ALL_DISTURBANCES));
}

#[test]
fn what_the_documents_show_is_what_is_simulated() {
    let document = include_str!("../../CALIBRATION.md");
    for scenario in SCENARIOS {
        for design in designs(scenario) {
            let row = document.lines().any(|line| {
                let mut cells = line.split('|').skip(1).map(str::trim);
                cells.next() == Some(scenario.name) && cells.next() == Some(design.name().as_str())
            });
            assert!(
                row,
                "{}, {}: run plimsoll calibrate --thorough > CALIBRATION.md",
                scenario.name,
                design.name()
            );
        }
    }
}

fn rate(hits: u64, trials: u64) -> Rate {
    Rate { hits, trials }
}

fn found(change: Change, hits: u64) -> Found {
    let named = rate(hits, 200);
    Found { change, named, by_metric: named, wrongly_red: Rate::default(), cost: 1.2 }
}

/// A row that keeps every promise.
fn kept() -> Row {
    Row {
        scenario: *SCENARIOS.iter().find(|scenario| scenario.name == ALL_DISTURBANCES).unwrap(),
        design: DUET,
        red_calls: rate(9, 1_000),
        red_cells: rate(9, 30_000),
        covered: BTreeMap::from([("latency_p50", rate(9_500, 10_000))]),
        covered_fresh: rate(90, 100),
        cost: 1.1,
        found: vec![found(Change::Cell(5), 198), found(Change::Tail(15), 170)],
        rivals: Vec::new(),
    }
}

/// How many promises of these rows are broken, and how many doubtful.
fn doubts(rows: Vec<Row>) -> (usize, usize) {
    let doubts = Calibration { version: "0", seed: 1, effort: TINY, rows }.doubts();
    let of = |standing| doubts.iter().filter(|doubt| doubt.standing == standing).count();
    (of(Standing::Broken), of(Standing::Doubtful))
}

#[test]
fn a_promise_is_broken_when_the_counts_show_it_and_doubtful_before() {
    let with = |change: fn(&mut Row)| {
        let mut row = kept();
        change(&mut row);
        doubts(vec![row])
    };
    assert_eq!(with(|_| {}), (0, 0));
    // Each rate is that of its row and, here, also that of all rows together.
    assert_eq!(with(|row| row.red_calls = rate(15, 1_000)), (0, 2), "may be chance");
    assert_eq!(with(|row| row.red_calls = rate(60, 1_000)), (2, 0));
    assert_eq!(with(|row| row.covered = [("latency_p50", rate(880, 1_000))].into()), (2, 0));
    assert_eq!(with(|row| row.found[0].named = rate(187, 200)), (0, 1));
    assert_eq!(with(|row| row.found[1].named = rate(100, 200)), (1, 0));
    assert_eq!(with(|row| row.found[0].cost = 1.5), (1, 0));
    assert_eq!(with(|row| row.found[0].wrongly_red = rate(40, 200)).0, 2);
}

#[test]
fn what_is_not_simulated_is_a_broken_promise() {
    assert_eq!(doubts(Vec::new()), (1, 0));
    assert_eq!(doubts(vec![Row { found: vec![found(Change::Cell(5), 198)], ..kept() }]), (1, 0));
}

#[test]
fn what_no_row_shows_by_itself_adds_up() {
    let wrong = || Row { red_calls: rate(3, 100), ..kept() };
    assert_eq!(doubts(vec![wrong()]).0, 0);
    let rows: Vec<Row> = (0..20).map(|_| wrong()).collect();
    assert_eq!(doubts(rows), (1, 20), "sixty of two thousand");
}
