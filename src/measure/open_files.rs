//! Whether this process may open a file for each connection of a plan, and that it may.
//!
//! A process begins with a soft limit of open files, 1,024 on most systems, and may raise it up to the hard one by itself. A load of more
//! connections would else count "too many open files" as failures of a service that was never asked.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::measure::error::MeasureError;
use crate::measure::measurement::{Measurement, Stand};
use crate::plan::Service;

/// Open files beside the connections: pipes to services, the runtime's own, reports.
const OTHERS: u64 = 64;

/// How many times what this process needs the limit is raised to. What is started later inherits it, and a service needs a file for
/// each connection as well, a proxy two.
const FOR_SERVICES: u64 = 2;

/// Sees to it that so many connections can be open at once, raising the soft limit where it is in the way, but not all the way to the
/// hard one: that may be a thousand million, and there are services that keep a table of so many files, or close them one by one.
///
/// # Errors
/// When the hard limit is too low.
pub(crate) fn allow(connections: usize) -> Result<(), MeasureError> {
    // A system that does not tell its limits may have none.
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(()) };
    let needed = needed(connections);
    if needed <= soft {
        return Ok(());
    }
    let enough = needed.saturating_mul(FOR_SERVICES).min(hard);
    let raised = needed <= hard && setrlimit(Resource::RLIMIT_NOFILE, enough, hard).is_ok();
    let limit = if needed <= hard { soft } else { hard };
    if raised { Ok(()) } else { Err(MeasureError::OpenFiles { connections, needed, limit }) }
}

impl Measurement<'_, '_> {
    /// Sees to it that all connections of any launch can be open at once: each cell keeps its own, in a duet those of both sides.
    pub(crate) fn allow_connections(&self) -> Result<(), MeasureError> {
        let of_stand = |(index, stand): (usize, &Stand)| {
            let cells = stand.cells.iter().map(|&cell| self.cells[cell].1.load.concurrency());
            let sides = if self.is_alone() { 1 } else { self.sides(index).len() };
            // The other end of each is this process's own, too.
            let ends = if matches!(stand.group.service, Service::InProcess(_)) { 2 } else { 1 };
            ends * sides * cells.sum::<usize>()
        };
        allow(self.stands.iter().enumerate().map(of_stand).max().unwrap_or(0))
    }
}

fn needed(connections: usize) -> u64 {
    u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_connections_change_nothing_more_raise_it_by_what_they_need_and_too_many_are_an_error() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        allow(1).unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (soft, hard));
        // Low enough to be in the way, and enough for the tests beside this one.
        let low = soft.min(4_096);
        if low + OTHERS <= hard {
            setrlimit(Resource::RLIMIT_NOFILE, low, hard).unwrap();
            allow(usize::try_from(low).unwrap()).unwrap();
            let raised = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
            assert_eq!(raised, ((2 * (low + OTHERS)).min(hard), hard));
        }
        // Where there is no hard limit, all is allowed.
        if let Ok(most) = usize::try_from(hard)
            && most < usize::MAX
        {
            let told = allow(most).unwrap_err().to_string();
            assert!(told.contains(&hard.to_string()) && told.contains("ulimit -n"), "{told}");
        }
    }
}
