//! What to measure: plain data, its parsing and its checking.
//!
//! A bench file or a command line comes in; a [`Plan`] in which nothing can be wrong any more goes out ([`Plan::validated`]).
//! Nothing here opens a socket, starts a process or knows more of a metric than its id.

mod cell;
mod confirmation;
mod duration;
mod endpoint;
mod group;
mod id;
mod limit;
mod load;
mod schedule;
mod service;
mod settings;
mod suite;
mod targets;

pub use cell::{Cell, Throughput};
pub use confirmation::Confirmation;
pub use duration::parse_duration;
pub(crate) use duration::{seconds, whole_seconds};
pub use endpoint::{Endpoint, EndpointError};
pub use group::{Group, Location, Transport};
pub use id::{BenchmarkId, CellId, Side};
pub use limit::Limit;
pub(crate) use load::Departure;
pub use load::Load;
pub(crate) use schedule::affordable_launches;
pub use schedule::{Schedule, ServiceSchedule, Visit};
pub(crate) use service::with_port;
pub use service::{Command, InProcess, Service};
pub use settings::Settings;
pub use suite::{Plan, PlanError};
pub use targets::{Order, Targets, TargetsError};
