//! A plan becomes a run.

pub(crate) mod interrupt;
pub(crate) mod parent;
pub(crate) mod service;
