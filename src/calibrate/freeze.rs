//! Prints one line per comparison of many simulated calls, so that a change of the code can be shown to decide as before.

use std::fmt::Write as _;

use crate::calibrate::simulate::{call, pools};
use crate::calibrate::world::{Rng, SCENARIOS, cases};
use crate::judge::{Comparison, Judgement};
use crate::parallel;

/// Simulated calls per scenario, setup and change.
const CALLS: usize = 40;
const ROUNDS_OF_A_POOL: usize = 2_000;

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
    let pools = pools(SCENARIOS, ROUNDS_OF_A_POOL, 1);
    let cases = cases(SCENARIOS).into_iter().enumerate().collect();
    let text = parallel::map(cases, parallel::cores(), |(place, case)| {
        (0..CALLS)
            .map(|number| {
                let call = call(&case, &pools, &mut Rng::of_call(1, place, number));
                let (scenario, setup, change) = (case.scenario.name, case.setup.name(), case.change.name());
                lines(&format!("{scenario}|{setup}|{change}|{number}"), &call.judgement)
            })
            .collect::<String>()
    });
    std::fs::write(path, text.concat()).unwrap();
}
