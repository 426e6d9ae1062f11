//! `plimsoll load`: one measurement without a baseline.

use std::time::Duration;

use crate::measure;
use crate::output;
use crate::plan::{Endpoint, Group, Plan};
use crate::record::Counts;
use crate::report::{self, LoadProgress, LoadReport};
use crate::session::outcome::{Outcome, Result};

/// The output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LoadFormat {
    /// A summary in readable units
    Text,
    /// The block that async_benchmarking.py prints; all its figures include failed responses
    Script,
    /// JSON, with the latency histogram in HdrHistogram's compressed V2 encoding (base64)
    Json,
}

/// Loads the only cell of `group` for `length`, or until all its requests are done, and prints the result. First waits up to `wait` until
/// the service responds.
///
/// A service that refuses some of the requests was measured. A service that answers none of them was not.
pub(crate) fn load(
    group: Group,
    length: Option<Duration>,
    wait: Option<Duration>,
    seed: u64,
    format: LoadFormat,
) -> Result<Outcome> {
    let plan = Plan { bench: "load".to_owned(), groups: vec![group], runs: 1, seed, ..Plan::default() };
    let plan = plan.validated()?;
    let group = &plan.groups[0];
    let cell = &group.cells[0];
    if cell.targets.endpoints().iter().any(Endpoint::lacks_content_type) {
        output::log(report::NO_CONTENT_TYPE);
    }
    if let Some(limit) = wait {
        output::log(report::waiting(limit, &cell.targets.first_of_each_host()));
    }
    let progress = LoadProgress::new(cell.load, length);
    let mut show = progress.as_ref().map(|progress| |counts: &Counts| progress.show(counts));
    let on_progress = show.as_mut().map(|show| show as &mut dyn FnMut(&Counts));
    let loaded = measure::load(group, cell, length, wait, seed, on_progress);
    drop(progress);
    let loaded = loaded?;
    let (tally, concurrency) = (&loaded.tally, cell.load.concurrency());
    let pointers = cell.targets.endpoints().first().map_or([None; 2], |endpoint| {
        [&endpoint.input_tokens, &endpoint.output_tokens].map(|pointer| pointer.as_deref())
    });
    let report = LoadReport { tally, elapsed: loaded.elapsed, concurrency, pointers };
    let printed = output::print(match format {
        LoadFormat::Text => report.summary(),
        LoadFormat::Script => report.script(),
        LoadFormat::Json => format!("{:#}\n", report.json()),
    });
    let failure = report.failure().filter(|_| loaded.signal.is_none());
    let has_own_faults = tally.counts.faults.keys().any(|fault| fault.is_ours());
    loaded.notes.iter().for_each(|note| output::log(format_args!("note: {note}")));
    let problem = loaded.problem.map(|note| note.to_string());
    let is_measured = problem.is_none() && failure.is_none() && printed.is_ok() && !has_own_faults;
    let errors = [problem, failure, printed.err().map(|error| error.to_string())];
    errors.iter().flatten().for_each(|error| output::log(format_args!("error: {error}")));
    Ok(match loaded.signal {
        Some(signal) => Outcome::Interrupted(signal),
        None if is_measured => Outcome::Passed,
        None => Outcome::NotMeasured,
    })
}
