//! What to measure: plain data, its parsing and its checking.
//!
//! A bench file or a command line comes in. A [`Plan`] that can be measured goes out ([`Plan::validated`]).
//! Nothing here opens a socket or starts a process.

mod duration;
mod endpoint;
mod group;
mod id;
mod load;
pub mod metric;
mod schedule;
mod service;
mod settings;
mod targets;
mod transport;

pub use duration::parse_duration;
pub(crate) use duration::{seconds, whole_seconds};
pub use endpoint::{Endpoint, EndpointError};
pub(crate) use group::is_https;
pub use group::{Cell, Group, Location, Plan, PlanError, Throughput};
pub use id::{BenchmarkId, CellId, Side};
pub(crate) use load::Departure;
pub use load::Load;
pub(crate) use schedule::affordable_launches;
pub use schedule::{Schedule, ServiceSchedule, Visit};
pub use service::{InProcess, Service, ServiceCommand};
pub(crate) use service::{LaunchValues, ServiceKind, ServiceUrl, escape_placeholders, parse_service_text};
pub(crate) use settings::heading;
pub use settings::{Against, Confirmation, Limit, Settings};
pub use targets::{IntoTargets, Order, Targets, TargetsError};
#[cfg(feature = "cli")]
pub use transport::ConnectTo;
pub use transport::{IpVersion, Transport};
