//! What the machine did while it was measured, in one line.

use super::words;
use crate::record::{Condition, Run};

/// The load before, and the worst of all runs; nothing when nothing is known of what the machine did.
pub(crate) fn in_words(runs: &[Run]) -> String {
    let known = runs.iter().filter_map(|run| run.environment.condition.as_ref());
    let Condition { others_share, stolen_share, throttled_share, heat_throttles, frequency_mhz } =
        Condition::worst(known);
    let throttled = |share: f64| format!("throttled in {} of the periods", words::percent(share));
    let parts: Vec<String> = [
        others_share.map(|share| format!("others used {} of the CPUs", words::percent(share))),
        stolen_share.map(|share| format!("{} stolen", words::percent(share))),
        throttled_share.map(throttled),
        heat_throttles.filter(|count| *count > 0).map(|count| format!("slowed for heat {count} times")),
        frequency_mhz.map(frequency),
    ]
    .into_iter()
    .flatten()
    .collect();
    let Some(first) = runs.first().filter(|_| !parts.is_empty()) else { return String::new() };
    format!("load {:.2} before, {}", first.environment.load, parts.join(", "))
}

fn frequency((low, high): (f64, f64)) -> String {
    let [low, high] = [low, high].map(|mhz| words::count(mhz.round() as u64));
    if low == high { format!("{low} MHz") } else { format!("{low} to {high} MHz") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::report::samples::{run_of, samples};

    fn run(condition: Option<Condition>) -> Run {
        let mut run = run_of(&samples(&[Verdict::Unchanged]));
        run.environment.condition = condition;
        run
    }

    #[test]
    fn what_is_known_is_told_in_one_line_and_of_several_runs_the_worst() {
        let quiet = Condition {
            others_share: Some(0.032),
            stolen_share: Some(0.001),
            heat_throttles: Some(0),
            frequency_mhz: Some((3_400.2, 3_400.4)),
            ..Condition::default()
        };
        assert_eq!(
            in_words(&[run(Some(quiet.clone()))]),
            "load 0.21 before, others used 3.2 % of the CPUs, 0.1 % stolen, 3,400 MHz"
        );
        let limited = Condition {
            throttled_share: Some(0.12),
            heat_throttles: Some(2),
            frequency_mhz: Some((900.0, 3_000.0)),
            ..Condition::default()
        };
        assert_eq!(
            in_words(&[run(Some(quiet)), run(Some(limited))]),
            "load 0.21 before, others used 3.2 % of the CPUs, 0.1 % stolen, \
             throttled in 12.0 % of the periods, slowed for heat 2 times, 900 to 3,400 MHz"
        );
    }

    #[test]
    fn nothing_known_is_nothing_said() {
        assert_eq!(in_words(&[run(None)]), "");
        assert_eq!(in_words(&[run(Some(Condition::default()))]), "");
        assert_eq!(in_words(&[]), "");
    }
}
