//! What becomes of a run in a baseline.

use crate::judge::{Judgement, LimitCheck, Verdict};
use crate::record::{Baseline, BaselineError, BaselineStore, CellRun, Run, StoredRun};
use crate::session::error::SessionError;
use crate::session::options::Options;
use crate::session::outcome::Outcome;

/// Saves runs in a baseline if that was asked for, and says so; gives what the call came to after that.
///
/// Replacing a baseline is accepting the speed that it holds, so a regression then fails nothing. Adding to one is not: a slower
/// run would pull its centre along. What was not measured whole is never saved.
pub(crate) fn save(
    runs: &[Run],
    judgement: &Judgement,
    outcome: Outcome,
    options: &Options,
) -> Result<Outcome, SessionError> {
    let Some(save) = &options.save else { return Ok(outcome) };
    let cells = || judgement.cells.iter();
    let regressed = cells().any(|cell| cell.verdict == Verdict::Regressed);
    let why_not = if matches!(outcome, Outcome::Interrupted(_)) {
        Some("the run was interrupted")
    } else if runs.iter().any(|run| run.stop.is_some()) {
        Some("the run ended before its time")
    } else if !runs.iter().all(is_fair) {
        Some("not every cell could be measured fairly")
    } else if save.append && regressed {
        Some("it regressed; `plimsoll accept --reason …` begins a new epoch with it")
    } else {
        None
    };
    if let Some(why) = why_not {
        eprintln!("The baseline `{}` was left as it is: {why}.", save.name);
        return Ok(outcome);
    }
    let store = BaselineStore::new(options.paths.baselines());
    let not_kept = |error: BaselineError| SessionError::NotKept(Box::new(error.into()));
    let mut changed = Vec::new();
    for group in groups(runs) {
        let kept = if save.append { store.read(&save.name, group).map_err(not_kept)? } else { None };
        let baseline = match kept {
            Some(mut baseline) => {
                for run in runs.iter().filter_map(|run| StoredRun::new(group, run)) {
                    baseline.append(run);
                }
                Some(baseline)
            }
            None => Baseline::of_runs(group, runs),
        };
        changed.extend(baseline.map(|baseline| (store.path(&save.name, group), baseline)));
    }
    let replaces_a_faster_one = save.replaces() && regressed && options.baseline.name() == save.name;
    // All are made before the first is written.
    let mut paths = Vec::new();
    for (path, baseline) in changed {
        baseline.write(&path).map_err(not_kept)?;
        paths.push(path.display().to_string());
    }
    if replaces_a_faster_one {
        eprintln!(
            "warning: what was saved is slower than the baseline `{}` that it replaces; git has the old one",
            save.name
        );
    }
    if !options.quiet && !paths.is_empty() {
        eprintln!("Saved as baseline `{}`: {}", save.name, paths.join(", "));
    }
    let broke_a_limit = cells().any(|cell| cell.limits.iter().any(LimitCheck::is_broken));
    Ok(if outcome == Outcome::Regressed && !broke_a_limit { Outcome::Passed } else { outcome })
}

/// Whether each cell of a run can stand in a baseline: none was slower than its time, failed too often, or lacked a port.
pub(crate) fn is_fair(run: &Run) -> bool {
    run.cells.iter().all(CellRun::is_fair)
}

/// The groups of some runs, each once, in their order.
pub(crate) fn groups(runs: &[Run]) -> Vec<&str> {
    let mut groups: Vec<&str> = Vec::new();
    for cell in runs.iter().flat_map(|run| &run.cells) {
        if !groups.contains(&cell.group.as_str()) {
            groups.push(&cell.group);
        }
    }
    groups
}
