//! One measurement without baseline: `plimsoll load`.

use std::time::Duration;

use crate::measure;
use crate::plan::{Group, Plan};
use crate::report::LoadReport;
use crate::session::error::SessionError;
use crate::session::outcome::Outcome;

/// How the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LoadFormat {
    /// For people
    Text,
    /// For machines
    Json,
}

/// Loads the one cell of `group` once and prints what came of it: for `length`, or until all its requests are back.
///
/// A service that refuses some of its requests was measured; one that not a single exchange succeeded with was not.
pub(crate) fn load(
    group: Group,
    length: Option<Duration>,
    seed: u64,
    format: LoadFormat,
) -> Result<Outcome, SessionError> {
    const ONE_RUN: usize = 1;
    let plan = Plan {
        bench: "load".to_owned(),
        groups: vec![group],
        errors: Vec::new(),
        runs: ONE_RUN,
        seed,
        ..Plan::default()
    };
    let plan = plan.validated()?;
    let group = &plan.groups[0];
    let cell = &group.cells[0];
    let loaded = measure::load(group, cell, length, seed)?;
    let shown =
        LoadReport { tally: &loaded.tally, elapsed: loaded.elapsed, concurrency: cell.load.concurrency() };
    match format {
        LoadFormat::Text => print!("{}", shown.text()),
        LoadFormat::Json => println!("{:#}", shown.json()),
    }
    if let Some(note) = &loaded.note {
        eprintln!("error: {note}");
    }
    let failure = shown.failure();
    if let Some(failure) = failure.as_ref().filter(|_| loaded.signal.is_none()) {
        eprintln!("error: {failure}");
    }
    Ok(match loaded.signal {
        Some(signal) => Outcome::Interrupted(signal),
        None if failure.is_some() || loaded.tally.counts.faults.keys().any(|fault| fault.is_ours()) => {
            Outcome::NotMeasured
        }
        None => Outcome::Passed,
    })
}
