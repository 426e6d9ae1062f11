//! `plimsoll load`: one measurement without a baseline.

use std::time::Duration;

use crate::measure;
use crate::plan::{Group, Plan};
use crate::report::LoadReport;
use crate::session::outcome::{Outcome, Result};

/// How to print the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LoadFormat {
    /// For people
    Text,
    /// For machines
    Json,
}

/// Loads the only cell of `group` for `length`, or until all its requests are done, and prints the result.
///
/// A service that refuses some of the requests was measured. A service that answers none of them was not.
pub(crate) fn load(group: Group, length: Option<Duration>, seed: u64, format: LoadFormat) -> Result<Outcome> {
    let plan = Plan { bench: "load".to_owned(), groups: vec![group], runs: 1, seed, ..Plan::default() };
    let plan = plan.validated()?;
    let group = &plan.groups[0];
    let cell = &group.cells[0];
    let loaded = measure::load(group, cell, length, seed)?;
    let (tally, concurrency) = (&loaded.tally, cell.load.concurrency());
    let report = LoadReport { tally, elapsed: loaded.elapsed, concurrency };
    match format {
        LoadFormat::Text => print!("{}", report.text()),
        LoadFormat::Json => println!("{:#}", report.json()),
    }
    if let Some(note) = &loaded.note {
        eprintln!("error: {note}");
    }
    if let Some(signal) = loaded.signal {
        return Ok(Outcome::Interrupted(signal));
    }
    let failure = report.failure();
    if let Some(failure) = &failure {
        eprintln!("error: {failure}");
    }
    let is_measured = failure.is_none() && !tally.counts.faults.keys().any(|fault| fault.is_ours());
    Ok(if is_measured { Outcome::Passed } else { Outcome::NotMeasured })
}
