//! A duet's two stages: what base is, and which cells are measured again.
//!
//! A second look is a second walk: `judge` names the suspects, this makes a plan of them, and it goes the same way as the first.

use std::path::PathBuf;
use std::time::Duration;

use crate::judge::{Judgement, Policy, judge};
use crate::plan::{Group, Plan, Service, ServiceCommand, ServiceKind};
use crate::record::{Baseline, Run};
use crate::session::error::SessionError;

/// What a call says of its duet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Duet {
    /// What base is, unless each group says so itself.
    pub(crate) base: Option<BaseSource>,
    /// The command that builds one side of `--base-ref`, instead of cargo.
    pub(crate) base_build: Option<String>,
    /// What git does not have and both sides of `--base-ref` need.
    pub(crate) base_copy: Vec<PathBuf>,
    /// Base's arguments in place of head's, if there are any.
    pub(crate) base_args: Vec<String>,
    /// Whether what looks faster is measured again, too.
    pub(crate) confirms_faster: bool,
    /// How long measuring may take.
    pub(crate) max_time: Option<Duration>,
}

/// What base is.
#[derive(Debug, Clone)]
pub(crate) enum BaseSource {
    /// What is built from a commit, by its name.
    Commit(String),
    /// What a command line starts.
    Command(String),
    /// What already runs.
    Url(String),
}

/// Gives each group the base that the call names by a command line or an address.
pub(crate) fn set_base(plan: &mut Plan, duet: &Duet) -> Result<(), SessionError> {
    match &duet.base {
        None | Some(BaseSource::Commit(_)) => {}
        Some(BaseSource::Url(url)) => {
            plan.groups.iter_mut().for_each(|group| group.base = Some(Service::url(url)))
        }
        Some(BaseSource::Command(line)) => {
            let words = shlex::split(line).filter(|words| !words.is_empty());
            let words = words.ok_or_else(|| SessionError::BaseCommand(line.clone()))?;
            plan.groups.iter_mut().for_each(|group| group.base = Some(started_by(group, &words).into()));
        }
    }
    Ok(())
}

/// A command line that is told its port and asked whether it is ready as head is.
fn started_by(group: &Group, words: &[String]) -> ServiceCommand {
    let (program, args) = words.split_first().expect("a command line has at least one word");
    let command = match &group.service.0 {
        ServiceKind::Command(head) => {
            ServiceCommand { program: program.clone(), args: Vec::new(), ..head.clone() }
        }
        _ => Service::command(program),
    };
    command.args(args)
}

/// The plan of the next look at suspects; nothing when all is decided, or measuring ended early.
pub(crate) fn next_look(
    plan: &Plan,
    baseline: &Baseline,
    runs: &[Run],
    duet: &Duet,
) -> Option<(Plan, Judgement)> {
    let confirmation = plan.confirmation.as_ref()?;
    if runs.iter().any(|run| run.stop.is_some()) {
        return None;
    }
    let judgement = judge(baseline, runs, &Policy { verdicts_only: true, ..Policy::usual() });
    let look = runs.iter().map(|run| run.confirmations.len()).sum::<usize>() + 1;
    let open = judgement.open_candidates(duet.confirms_faster);
    let pairs = confirmation.pairs_of(look);
    let first = runs.first()?;
    let groups: Vec<Group> = plan
        .groups
        .iter()
        .map(|group| {
            let mut again = group.clone();
            again.cells.retain(|cell| open.contains(&cell.id));
            for cell in &mut again.cells {
                let measured = first.cell(&cell.id);
                cell.metrics =
                    measured.map(|one| one.metrics.iter().map(|metric| metric.id.to_owned()).collect());
            }
            // One pair a launch: the launch is the sample.
            let window = group.settings.window();
            again.settings.sample_size = pairs;
            again.settings.measurement_time = window * u32::try_from(pairs).unwrap_or(u32::MAX);
            again.settings.launches = Some(pairs);
            again
        })
        .filter(|group| !group.cells.is_empty())
        .collect();
    let next = Plan {
        bench: plan.bench.clone(),
        groups,
        runs: 1,
        seed: plan.seed.wrapping_add(look as u64),
        alone: plan.alone,
        ..Plan::default()
    };
    (pairs > 0 && next.cells() > 0).then_some((next, judgement))
}

/// What a person reads while suspects are measured again.
pub(crate) fn told(next: &Plan, plan: &Plan, look: usize, judgement: &Judgement) -> String {
    let slower = judgement.open_candidates(false);
    let cells = plan.cells();
    let looks = plan.confirmation.as_ref().map_or(0, crate::plan::Confirmation::looks);
    let what = match slower.len() {
        0 => format!("{} of {cells} cells look faster", next.cells()),
        1 => format!("1 of {cells} cells looks slower"),
        count => format!("{count} of {cells} cells look slower"),
    };
    format!("{what}; measuring again (look {} of {looks})", look)
}
