//! From a request's arrival to its answer: the limit, the handler, the knobs, the count. Every handler goes through here.

use std::future::Future;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response as HttpResponse, StatusCode};
use axum::response::Response;

use super::clock;
use super::limit::Limit;
use super::options::ServeOptions;
use super::pace::Pace;
use super::timer::Timers;
use super::totals::Counters;

/// What all requests of one server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) limit: Limit,
    pub(super) counters: Counters,
    pace: Pace,
    timers: Timers,
}

/// What a handler made, and the least time after the request's arrival that it wants to be sent.
pub(super) struct Answer {
    pub(super) response: Response,
    pub(super) not_before: Duration,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self { response, not_before: Duration::ZERO }
    }
}

impl Shared {
    /// To be called inside the runtime that will serve.
    pub(super) fn new(options: &ServeOptions) -> Self {
        Self {
            limit: Limit::new(options.max_concurrent_requests),
            counters: Counters::default(),
            pace: Pace::new(options),
            timers: Timers::new(),
        }
    }

    /// Answers a request that the limit holds for. Its place is free before the answer is sent: a client that waits for its answers
    /// never meets its own earlier request.
    pub(super) async fn limited(&self, handler: impl Future<Output = Answer>) -> Response {
        let Some(_slot) = self.limit.admit() else {
            self.counters.count(StatusCode::TOO_MANY_REQUESTS);
            return json(StatusCode::TOO_MANY_REQUESTS, r#"{"error":"Too many concurrent requests"}"#);
        };
        self.unlimited(handler).await
    }

    /// Answers a request that the limit does not hold for.
    pub(super) async fn unlimited(&self, handler: impl Future<Output = Answer>) -> Response {
        let arrived = clock::monotonic();
        let Answer { response, not_before } = self.pace.work(handler).await;
        let least = self.pace.floor().max(not_before);
        if !least.is_zero() {
            self.timers.wait_until(arrived.saturating_add(least)).await;
        }
        self.counters.count(response.status());
        response
    }
}

/// A response of plain text.
pub(super) fn text(status: StatusCode, body: &'static str) -> Response {
    response(status, HeaderValue::from_static("text/plain; charset=utf-8"), body)
}

/// A response of JSON that is already written.
pub(super) fn json(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    response(status, HeaderValue::from_static("application/json"), body)
}

fn response(status: StatusCode, content_type: HeaderValue, body: impl Into<axum::body::Body>) -> Response {
    let mut response = HttpResponse::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
