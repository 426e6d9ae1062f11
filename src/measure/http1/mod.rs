//! Our own client for HTTP/1.1: one request in flight a connection, read with the kernel's receive time.

mod connection;
mod decoder;

pub(crate) use connection::{Http1, fault_of};
