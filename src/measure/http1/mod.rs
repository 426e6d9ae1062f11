//! Our own client for HTTP/1.1: one request in flight a connection, read with the kernel's receive time.

mod connect;
mod connection;
mod decoder;

#[cfg(feature = "reqwest")]
pub(crate) use connect::{fault_of, fault_of_open};
pub(crate) use connection::Http1;
#[cfg(feature = "reqwest")]
pub(crate) use connection::LONGEST_IDLE;
