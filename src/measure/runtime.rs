//! The one thread that everything is measured on.

use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::measure::error::MeasureError;

/// Runs a future, and the tasks that it spawns, on a current-thread runtime of its own.
pub(crate) fn on_one_thread<T>(
    future: impl Future<Output = Result<T, MeasureError>>,
) -> Result<T, MeasureError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, future)
}
