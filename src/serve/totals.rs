//! How many answers of each status were given: the server's own count, to hold a client's against.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::http::StatusCode;

/// Every status that a handler can answer with.
const STATUSES: [StatusCode; 6] = [
    StatusCode::OK,
    StatusCode::BAD_REQUEST,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::TOO_MANY_REQUESTS,
];

/// Answers given, by status code; codes that never occurred are left out. Displays as `45 x 200, 55 x 429`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals(pub BTreeMap<u16, u64>);

impl fmt::Display for Totals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return out.write_str("no requests");
        }
        for (index, (status, count)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(out, "{separator}{count} x {status}")?;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; STATUSES.len()]);

impl Counters {
    pub(super) fn count(&self, status: StatusCode) {
        if let Some(index) = STATUSES.iter().position(|known| *known == status) {
            self.0[index].fetch_add(1, Relaxed);
        }
    }

    pub(super) fn totals(&self) -> Totals {
        let counts =
            STATUSES.iter().zip(&self.0).map(|(status, count)| (status.as_u16(), count.load(Relaxed)));
        Totals(counts.filter(|(_, count)| *count > 0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_up_by_status() {
        let counters = Counters::default();
        assert_eq!(counters.totals().to_string(), "no requests");
        for status in [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS, StatusCode::OK] {
            counters.count(status);
        }
        assert_eq!(counters.totals().to_string(), "2 x 200, 1 x 429");
    }
}
