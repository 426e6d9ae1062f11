//! A plan becomes runs: the clients, the order of rounds, the service process.
//!
//! [`measure`] walks over all launches and rounds of a plan; [`check`] makes each request once and measures nothing; [`load`]
//! makes one measurement without rounds. All of it happens on one thread, on one current-thread runtime: our own client's
//! exchange costs a few microseconds, so one core loads any service that one core serves.

mod body;
mod client;
mod clock;
mod decoder;
mod error;
mod exchange;
mod http1;
mod port;
mod process;
mod program;
mod ready;
mod round;
mod run;
mod service;
mod signals;
#[cfg(feature = "reqwest")]
mod via_reqwest;
mod window;

pub use error::MeasureError;
pub use run::Site;
#[cfg(feature = "cli")]
pub(crate) use run::{load, no_free_port};
pub(crate) use signals::{Interrupt, SIGNAL_BASE, output_unless_interrupted, watch_parent};

use run::on_one_thread;

use crate::plan::Plan;
use crate::record::{Event, Run};

/// Measures all runs of a plan, telling what happens on the way.
///
/// A signal, or a service that dies, ends it early: the run then says so in `stop`, and holds all rounds that were complete.
///
/// # Errors
/// When nothing could be measured: a service that does not start, a first request that is no success.
pub fn measure(plan: &Plan, site: Site<'_>, tell: &mut dyn FnMut(Event)) -> Result<Vec<Run>, MeasureError> {
    let interrupt = Interrupt::subscribe()?;
    on_one_thread(async {
        let _guard = clock::Guard::open().await;
        run::Measurement::prepare(plan, site, tell)?.measure(&interrupt).await
    })
}

/// Makes each request of a plan once and checks the answer, in a duet of head alone; `tell` hears each cell's id with what was wrong, if anything was.
///
/// # Errors
/// When a service does not start.
pub fn check(
    plan: &Plan,
    site: Site<'_>,
    tell: &mut dyn FnMut(&str, Option<&MeasureError>),
) -> Result<(), MeasureError> {
    on_one_thread(async {
        let mut quiet = |_: Event| {};
        let measurement = run::Measurement::prepare(plan, site, &mut quiet)?;
        for stand in &measurement.stands {
            let running = stand.head.start(stand.group.settings.ready_time_out).await?;
            for &index in &stand.cells {
                let (group, cell) = measurement.cells[index];
                let tried = measurement.live(index, &running)?.try_each(usize::MAX, 1).await;
                let wrong = tried.err().map(|wrong| MeasureError::wrong_answer(group, cell, wrong));
                tell(&group.full_id(cell), wrong.as_ref());
            }
            running.stop().await;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
