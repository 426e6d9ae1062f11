//! The service's life: from what the plan says about it to an address that answers, and to nothing left behind.
//!
//! A [`plan::Service`](crate::plan::Service) comes in; a [`Launcher`] starts it as often as there are launches, and each
//! [`Running`] has a URL, tells when it has died, and is gone with all its processes when it is stopped or dropped.
//!
//! | file | about |
//! |---|---|
//! | `program` | which file is run, and that a rebuild in mid-run does not change it |
//! | `port` | a port that nobody else takes |
//! | `process` | the process group and its end |
//! | `guardian` | what ends that group when we are gone |
//! | `layout` | that both sides of a duet find their stack at the same place |
//! | `output` | the last lines that it wrote |
//! | `ready` | whether it answers yet |
//! | `in_process` | the server in a thread of this process |
//! | `launcher` | all of them together |
//!
//! What cannot be helped: a *child* of the service that leaves its process group (`setsid`, a daemon) is not found again, and
//! outlives the run.

mod error;
mod guardian;
mod in_process;
mod launcher;
mod layout;
mod output;
mod port;
mod process;
mod program;
mod ready;
#[cfg(test)]
mod tests;

pub(crate) use error::ServiceError;
pub(crate) use guardian::output_unless_interrupted;
pub(crate) use launcher::{Launcher, Running};
