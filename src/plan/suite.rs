//! The whole of what is to be measured, and the check that nothing a user can get wrong is left in it.

use std::collections::HashSet;

use crate::plan::confirmation::Confirmation;
use crate::plan::endpoint::{Endpoint, EndpointError};
use crate::plan::group::{Group, Location};
use crate::plan::service::Service;
use crate::plan::targets::TargetsError;

/// Most workers of one cell: each has a socket, and a process may have so many files open.
const MOST_CONCURRENCY: usize = 10_000;
/// How the address of a proxy begins.
const PROXIES: [&str; 4] = ["http://", "https://", "socks5://", "socks5h://"];

/// Everything that one call measures.
#[derive(Debug, Default)]
pub struct Plan {
    /// The bench target or command that it comes from; names the report's folder.
    pub bench: String,
    /// Its groups in the order of their definition.
    pub groups: Vec<Group>,
    /// What went wrong while it was defined.
    pub errors: Vec<PlanError>,
    /// Whole runs to measure.
    pub runs: usize,
    /// Seed of every random order.
    pub seed: u64,
    /// Whether in a duet only the side being measured is alive.
    pub alone: bool,
    /// How a duet's suspects are measured again; nothing for one stage.
    pub confirmation: Option<Confirmation>,
}

/// What a user got wrong in a bench file or a command line.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A setting has no sensible value.
    #[error("{location}group `{group}`: {problem}")]
    Setting {
        /// Where.
        location: Location,
        /// The group.
        group: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A cell has no sensible load.
    #[error("{location}cell `{cell}`: {problem}")]
    Cell {
        /// Where.
        location: Location,
        /// The cell's whole id.
        cell: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A cell's request cannot be made.
    #[error("{location}cell `{cell}`: {source}")]
    Endpoint {
        /// Where.
        location: Location,
        /// The cell's whole id.
        cell: String,
        /// What is wrong with it.
        source: Box<EndpointError>,
    },
    /// A cell's targets file cannot be used.
    #[error("{location}cell `{cell}`: {source}")]
    Targets {
        /// Where.
        location: Location,
        /// The cell's whole id.
        cell: String,
        /// What is wrong with it.
        source: Box<TargetsError>,
    },
    /// Two cells have one name.
    #[error("{location}the cell `{cell}` is defined twice: their results could not be told apart")]
    Twice {
        /// Where the second is.
        location: Location,
        /// The whole id.
        cell: String,
    },
    /// Suspects cannot be confirmed so.
    #[error("{0}")]
    Confirmation(&'static str),
    /// No whole run is asked for.
    #[error("--runs is 0: at least one run is needed")]
    NoRun,
}

impl Plan {
    /// The plan itself when everything in it can be measured.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place, group and cell.
    pub fn validated(mut self) -> Result<Self, PlanError> {
        if let Some(error) = self.errors.drain(..).next() {
            return Err(error);
        }
        if self.runs == 0 {
            return Err(PlanError::NoRun);
        }
        if let Some(problem) = self.confirmation.as_ref().and_then(Confirmation::problem) {
            return Err(PlanError::Confirmation(problem));
        }
        let mut names = HashSet::new();
        for group in &self.groups {
            check_group(group)?;
            for cell in &group.cells {
                if !names.insert(&cell.id) {
                    return Err(PlanError::Twice {
                        location: cell.location.clone(),
                        cell: cell.id.to_string(),
                    });
                }
            }
        }
        Ok(self)
    }

    /// The number of cells of all groups.
    pub fn cells(&self) -> usize {
        self.groups.iter().map(|group| group.cells.len()).sum()
    }
}

fn check_group(group: &Group) -> Result<(), PlanError> {
    let wrong = |problem: String| PlanError::Setting {
        location: group.location.clone(),
        group: group.name.clone(),
        problem,
    };
    if group.name.trim().is_empty() {
        return Err(wrong("its name is empty".to_owned()));
    }
    if let Some(problem) = group.settings.problem() {
        return Err(wrong(problem));
    }
    for service in std::iter::once(&group.service).chain(&group.base) {
        match service {
            Service::Url(url) => {
                Endpoint::get(url.as_str()).resolve(None).map_err(|error| wrong(error.to_string()))?;
            }
            Service::Command(command) if command.program.is_empty() => {
                return Err(wrong("its service has no program".to_owned()));
            }
            _ => {}
        }
    }
    if matches!((&group.service, &group.base), (Service::Absent, Some(_)) | (_, Some(Service::Absent))) {
        return Err(wrong(
            "it has a base to compare with, and one of the two sides has no service".to_owned(),
        ));
    }
    if let Some(proxy) = &group.transport.proxy
        && !PROXIES.iter().any(|scheme| proxy.starts_with(scheme))
    {
        return Err(wrong(format!("the proxy `{proxy}` is no http://, https:// or socks5:// address")));
    }
    group.cells.iter().try_for_each(|cell| check_cell(group, cell))
}

fn check_cell(group: &Group, cell: &crate::plan::cell::Cell) -> Result<(), PlanError> {
    let id = &cell.id;
    let wrong = |problem: &str| PlanError::Cell {
        location: cell.location.clone(),
        cell: id.to_string(),
        problem: problem.to_owned(),
    };
    if cell.id.benchmark.to_string().trim().is_empty() {
        return Err(wrong("its id is empty"));
    }
    match cell.load.concurrency() {
        0 => {
            return Err(wrong("its load sends nothing: concurrency and requests are at least 1"));
        }
        1..=MOST_CONCURRENCY => {}
        _ => return Err(wrong("its load has more than 10,000 requests in flight")),
    }
    for endpoint in &cell.targets.endpoints {
        let checked = endpoint.check().and_then(|()| match &group.service {
            Service::Absent => endpoint.resolve(None).map(drop),
            _ => Ok(()),
        });
        checked.map_err(|source| PlanError::Endpoint {
            source: Box::new(source),
            location: cell.location.clone(),
            cell: id.to_string(),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::cell::Cell;
    use crate::plan::id::CellId;
    use crate::plan::load::Load;

    fn plan(endpoint: Endpoint, load: Load) -> Plan {
        let mut group = Group::new("g", Location::caller());
        group.service = Service::url("http://127.0.0.1:1");
        group.cells.push(Cell {
            id: CellId::new("g", "c"),
            targets: endpoint.into(),
            load,
            throughput: None,
            location: Location::caller(),
            metrics: None,
        });
        Plan {
            bench: "b".into(),
            groups: vec![group],
            errors: Vec::new(),
            runs: 1,
            seed: 1,
            ..Plan::default()
        }
    }

    #[test]
    fn a_sound_plan_passes() {
        assert!(plan(Endpoint::get("/"), Load::closed(1)).validated().is_ok());
    }

    #[test]
    fn errors_name_file_line_group_and_cell() {
        let error = plan(Endpoint::get("/"), Load::closed(0)).validated().unwrap_err().to_string();
        assert!(
            error.contains("suite.rs:") && error.contains("cell `g/c`: its load sends nothing"),
            "{error}"
        );
        let error = plan(Endpoint::get("hello"), Load::closed(1)).validated().unwrap_err().to_string();
        assert!(error.contains("no scheme"), "{error}");
    }

    #[test]
    fn one_name_for_two_cells_is_refused() {
        let mut twice = plan(Endpoint::get("/"), Load::closed(1));
        let cell = twice.groups[0].cells[0].clone();
        twice.groups[0].cells.push(cell);
        assert!(matches!(twice.validated(), Err(PlanError::Twice { .. })));
    }

    #[test]
    fn without_a_service_a_path_has_no_host() {
        let mut orphan = plan(Endpoint::get("/"), Load::closed(1));
        orphan.groups[0].service = Service::Absent;
        assert!(matches!(orphan.validated(), Err(PlanError::Endpoint { .. })));
    }
}
