//! Prints one line per comparison of many simulated calls, so that a change of the code can be shown to decide as before.

use std::fmt::Write as _;

use crate::calibrate::call::call;
use crate::calibrate::design::designs;
use crate::calibrate::luck::Luck;
use crate::calibrate::scenario::SCENARIOS;
use crate::calibrate::study::{banks, changes, seed_of};
use crate::judge::{Comparison, Judgement};
use crate::parallel;

/// Simulated calls per scenario, design and change.
const CALLS: usize = 40;
const ROUNDS_OF_A_BANK: usize = 2_000;

/// The lines of all judged comparisons of a judgement.
pub(super) fn lines(prefix: &str, judgement: &Judgement) -> String {
    let mut text = String::new();
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.11e}"));
    for cell in &judgement.cells {
        writeln!(text, "{prefix}|{}|cell|{}", cell.id, cell.verdict.name()).unwrap();
        for comparison in cell.comparisons.iter().filter(|comparison| comparison.judged) {
            let Comparison { metric, verdict, change, p_adjusted, detectable, .. } = comparison;
            writeln!(
                text,
                "{prefix}|{}|{}|{}|{}|{}|{}|{}|{}",
                cell.id,
                metric.id,
                verdict.name(),
                number(change.map(|change| change.estimate)),
                number(change.map(|change| change.low)),
                number(change.map(|change| change.high)),
                number(Some(*p_adjusted)),
                number(*detectable),
            )
            .unwrap();
        }
    }
    text
}

#[test]
#[ignore = "writes the file PLIMSOLL_FREEZE, for a comparison by hand"]
fn simulated_calls_decide_as_before() {
    let path = std::env::var_os("PLIMSOLL_FREEZE").expect("PLIMSOLL_FREEZE is the file to write");
    let banks = banks(SCENARIOS, ROUNDS_OF_A_BANK, 1);
    let truths: Vec<_> = SCENARIOS
        .iter()
        .flat_map(|scenario| designs(scenario).into_iter().map(move |design| (scenario, design)))
        .flat_map(|(scenario, design)| changes(design).map(|change| (scenario, design, change)))
        .enumerate()
        .collect();
    let text = parallel::map(truths, parallel::cores(), |(place, (scenario, design, change))| {
        (0..CALLS)
            .map(|number| {
                let mut luck = Luck::new(seed_of(1, place, number));
                let done = call(&scenario.world, design, change, &banks, &mut luck);
                let prefix = format!("{}|{}|{}|{number}", scenario.name, design.name(), change.name());
                lines(&prefix, &done.judgement)
            })
            .collect::<String>()
    });
    std::fs::write(path, text.concat()).unwrap();
}
