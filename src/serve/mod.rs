//! The reference API.
