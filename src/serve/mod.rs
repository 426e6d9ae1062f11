//! The reference API: a small tokenizer service whose speed is known, for benches and tests to load.
//!
//! It answers in microseconds, can be made slower by an exact amount, and counts its responses, so that a measurement can be
//! compared with the truth. Of this crate it uses only the parser of durations and the writer of text.
//!
//! | request | response |
//! |---|---|
//! | `GET /tokenizer?output_tokens=N&input_text=T` | 200, JSON `{"input_text", "output_text", "input_tokens", "output_tokens"}`: N random words joined by spaces; the number of characters of T divided by 4, rounded up |
//! | the same with one of the two missing, an empty T, or an N that is not an integer from 1 to 10,000,000 | 400, `Invalid input` |
//! | `GET /hello` | 200, `Hello World` |
//! | `GET /sleeper?sleep_length=S` | waits S seconds (1 if missing or 0), 200; 400, `Invalid input` if S is negative or not a number |
//! | `POST /update_config` with JSON `{"max_concurrent_requests": M}` | 200, JSON `{"message"}`, and M is the new limit; 400, JSON `{"error"}` if M is not an integer of 0 or more |
//! | any of these GETs while M of them are in flight | 429, JSON `{"error": "Too many concurrent requests"}`, immediately |
//! | `GET /stats` | 200, JSON `{"200": 45, "429": 55}`: the number of responses by status, without those to `/stats`. Neither limited nor slowed down |
//! | any other path, any other method | 404, 405 |
//!
//! # Slowing it down
//!
//! These options apply to every response except the 429s and `/stats`.
//! - **Service time**: the minimum time between the request's arrival in the handler and its response. Work that takes longer
//!   is not prolonged.
//! - **CPU work**: the CPU time that the serving thread uses up for each request. It is part of the service time. Preemption does
//!   not count.
//! - **Slowdown** `s`: service time, CPU work and the handler's own CPU time are multiplied by `1 + s`. The handler is
//!   everything between the parsed request and the finished response. The HTTP library, the kernel and the sleep of `/sleeper`
//!   keep their speed.
//! - **Tail** `share:factor`: the service time (with slowdown) of a random share of the requests is multiplied by `factor`.

mod options;
mod pace;
mod tokenizer;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::output;
pub use crate::serve::options::{ServeOptions, Tail};
use crate::serve::pace::Pace;
use crate::serve::tokenizer::Question;

/// Time that requests in flight have to finish after a shutdown signal.
const GRACE: Duration = Duration::from_secs(1);
const DEFAULT_SLEEP: Duration = Duration::from_secs(1);
/// HTTP status codes lie below it.
const STATUS_CODES: usize = 1000;

/// Why the reference API could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is in use, not of this machine, or not permitted.
    #[error(
        "could not listen on port {port} of {host}: {reason}; choose another address with --host or --port (--port 0 picks a free port)"
    )]
    Listen {
        /// Name or address.
        host: String,
        /// The port.
        port: u16,
        /// The answer of the system.
        reason: io::Error,
    },
    /// The system refused threads, signals, timers or sockets.
    #[error("could not run the server: {0}")]
    System(#[from] io::Error),
}

/// The number of responses by status code. Displays as `45 x 200, 55 x 429`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals(pub BTreeMap<u16, u64>);

impl fmt::Display for Totals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<_> = self.0.iter().map(|(status, count)| format!("{count} x {status}")).collect();
        if counts.is_empty() {
            return out.write_str("no requests");
        }
        out.write_str(&counts.join(", "))
    }
}

/// Serves the reference API until SIGINT or SIGTERM, on one thread per core.
///
/// Prints `listening on http://ADDRESS:PORT` to stdout when requests are accepted, and the [`Totals`] to stderr at the end.
/// Requests in flight then have a second to finish.
///
/// # Errors
/// If the address cannot be listened on, or the system refuses threads, signals or timers.
pub fn run(options: &ServeOptions) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let totals = runtime.block_on(async {
        // Caught before the address is printed: its reader may send the signal immediately.
        let stop = stop_signal()?;
        let (host, port) = (options.host.as_str(), options.port);
        let listener = TcpListener::bind((host, port)).await.map_err(|reason| ServeError::Listen {
            host: host.to_owned(),
            port,
            reason,
        })?;
        let address = listener.local_addr()?;
        // The server works without a reader of its output, too.
        if let Err(error) = output::print(format_args!("listening on http://{address}\n")) {
            output::log(error);
        }
        serve(listener, options, stop).await
    })?;
    output::log(format_args!("answered {totals}"));
    // Ends the connections that are still open.
    runtime.shutdown_background();
    Ok(())
}

/// Completes at the first SIGINT or SIGTERM after this call.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Serves the reference API on `listener` until `shutdown` completes, and returns the number of responses.
///
/// Runs inside the caller's runtime, which needs its I/O and time drivers. `host` and `port` of `options` are ignored.
///
/// # Errors
/// If the system refuses a timer.
///
/// ```
/// use plimsoll::serve::{ServeOptions, serve};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
/// let totals = runtime.block_on(async {
///     let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
///     let shutdown = std::future::ready(()); // immediately
///     serve(listener, &ServeOptions::default(), shutdown).await
/// })?;
/// assert!(totals.0.is_empty());
/// # Ok(())
/// # }
/// ```
pub async fn serve(
    listener: TcpListener,
    options: &ServeOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Totals, ServeError> {
    let server = Arc::new(Server {
        limit: Limit::new(options.max_concurrent_requests),
        counts: (0..STATUS_CODES).map(|_| AtomicU64::new(0)).collect(),
        pace: Pace::new(options)?,
    });
    let (stopping, stopped) = oneshot::channel();
    let shutdown = async {
        shutdown.await;
        // Fails only if the server has already ended.
        let _ = stopping.send(());
    };
    let grace = async {
        let _ = stopped.await;
        tokio::time::sleep(GRACE).await;
    };
    let listener = listener.tap_io(|stream| {
        // Otherwise the end of a response can wait for the client's acknowledgement. A connection that refuses is about to fail.
        let _ = stream.set_nodelay(true);
    });
    let serving = axum::serve(listener, router(server.clone())).with_graceful_shutdown(shutdown);
    tokio::select! {
        outcome = serving => outcome?,
        () = grace => {}
    }
    Ok(server.totals())
}

fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/tokenizer", get(tokenizer))
        .route("/hello", get(hello))
        .route("/sleeper", get(sleeper))
        .route("/update_config", post(update_config))
        .route("/stats", get(stats))
        .fallback(|server| refuse(server, StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(|server| refuse(server, StatusCode::METHOD_NOT_ALLOWED))
        .with_state(server)
}

type Shared = State<Arc<Server>>;

async fn tokenizer(State(server): Shared, uri: Uri) -> Response {
    let handler = async {
        match Question::parse(&uri) {
            Some(question) => json(StatusCode::OK, question.answer().await),
            None => invalid_input(),
        }
    };
    server.limited(Duration::ZERO, handler).await
}

async fn hello(State(server): Shared) -> Response {
    server.limited(Duration::ZERO, async { "Hello World".into_response() }).await
}

async fn sleeper(State(server): Shared, uri: Uri) -> Response {
    let length = sleep_length(&uri);
    let handler = async { if length.is_some() { "Slept well".into_response() } else { invalid_input() } };
    server.limited(length.unwrap_or_default(), handler).await
}

async fn update_config(State(server): Shared, body: Result<Bytes, BytesRejection>) -> Response {
    let handler = async {
        match body.map(|body| parse_limit(&body)) {
            Ok(Some(limit)) => {
                server.limit.set(limit);
                let message = format!(r#"{{"message":"max_concurrent_requests is {limit} from now on"}}"#);
                json(StatusCode::OK, message)
            }
            Ok(None) => json(
                StatusCode::BAD_REQUEST,
                r#"{"error":"max_concurrent_requests is missing or not an integer of 0 or more"}"#,
            ),
            Err(rejection) => {
                json(rejection.status(), r#"{"error":"The body could not be read or is too long"}"#)
            }
        }
    };
    server.unlimited(Duration::ZERO, handler).await
}

/// Neither limited, slowed down nor counted, so that reading the counts does not change them.
async fn stats(State(server): Shared) -> Json<BTreeMap<u16, u64>> {
    Json(server.totals().0)
}

/// Responds to a request without a route. The body is the status in words.
async fn refuse(State(server): Shared, status: StatusCode) -> Response {
    let handler = async { (status, status.canonical_reason().unwrap_or_default()).into_response() };
    server.unlimited(Duration::ZERO, handler).await
}

fn invalid_input() -> Response {
    (StatusCode::BAD_REQUEST, "Invalid input").into_response()
}

/// A response whose body is already JSON.
fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.into()).into_response()
}

/// `None` if it is negative, not a number, or too long for a `Duration`.
fn sleep_length(uri: &Uri) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Fields {
        sleep_length: Option<f64>,
    }
    let Query(fields) = Query::<Fields>::try_from_uri(uri).ok()?;
    let length = Duration::try_from_secs_f64(fields.sleep_length.unwrap_or_default()).ok()?;
    Some(if length.is_zero() { DEFAULT_SLEEP } else { length })
}

/// `None` if it is not JSON with the one field, an integer of 0 or more.
fn parse_limit(body: &[u8]) -> Option<usize> {
    #[derive(Deserialize)]
    struct Config {
        max_concurrent_requests: usize,
    }
    serde_json::from_slice::<Config>(body).ok().map(|config| config.max_concurrent_requests)
}

/// What all requests share.
#[derive(Debug)]
struct Server {
    limit: Limit,
    /// Responses by status code.
    counts: Vec<AtomicU64>,
    pace: Pace,
}

impl Server {
    /// Responds to a request to which the limit applies. Its place is free before the response is sent: a client that waits for
    /// its responses never competes with its own earlier request.
    async fn limited(&self, min_time: Duration, handler: impl Future<Output = Response>) -> Response {
        let Some(_place) = self.limit.admit() else {
            self.count(StatusCode::TOO_MANY_REQUESTS);
            return json(StatusCode::TOO_MANY_REQUESTS, r#"{"error":"Too many concurrent requests"}"#);
        };
        self.unlimited(min_time, handler).await
    }

    async fn unlimited(&self, min_time: Duration, handler: impl Future<Output = Response>) -> Response {
        let response = self.pace.run(min_time, handler).await;
        self.count(response.status());
        response
    }

    fn count(&self, status: StatusCode) {
        self.counts[usize::from(status.as_u16())].fetch_add(1, Relaxed);
    }

    fn totals(&self) -> Totals {
        let counts = (0..).zip(&self.counts).map(|(status, count)| (status, count.load(Relaxed)));
        Totals(counts.filter(|(_, count)| *count > 0).collect())
    }
}

/// How many requests may be in flight. It can change while requests are in flight; they stay.
#[derive(Debug)]
struct Limit {
    max: AtomicUsize,
    in_flight: AtomicUsize,
}

/// The place of a request in flight. It becomes free when dropped, also if the client disconnected.
struct Place<'a>(&'a Limit);

impl Limit {
    fn new(max: Option<usize>) -> Self {
        Self { max: AtomicUsize::new(max.unwrap_or(usize::MAX)), in_flight: AtomicUsize::new(0) }
    }

    fn set(&self, max: usize) {
        self.max.store(max, Relaxed);
    }

    /// `None` at the limit. A refused request is never counted, not even briefly: otherwise another one could be refused because
    /// of it.
    fn admit(&self) -> Option<Place<'_>> {
        let max = self.max.load(Relaxed);
        let enter = |count: usize| (count < max).then_some(count + 1);
        self.in_flight.fetch_update(Relaxed, Relaxed, enter).ok().map(|_| Place(self))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_advice() {
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = holder.local_addr().unwrap().port();
        let error = run(&ServeOptions { port, ..ServeOptions::default() }).unwrap_err().to_string();
        assert!(error.starts_with(&format!("could not listen on port {port} of 127.0.0.1: ")), "{error}");
        assert!(error.contains("in use") && error.contains("--port 0"), "{error}");
    }

    #[test]
    fn a_foreign_address_is_an_error() {
        let options = ServeOptions { host: "192.0.2.1".to_owned(), port: 0, ..ServeOptions::default() };
        assert!(matches!(run(&options), Err(ServeError::Listen { .. })));
    }

    #[test]
    fn a_sleep_is_in_seconds_and_one_second_if_missing_or_zero() {
        let length = |query: &str| sleep_length(&format!("/sleeper{query}").parse().unwrap());
        for query in ["", "?", "?sleep_length=0", "?sleep_length=0.0", "?other=3"] {
            assert_eq!(length(query), Some(DEFAULT_SLEEP), "{query}");
        }
        assert_eq!(length("?sleep_length=0.05"), Some(Duration::from_millis(50)));
        assert_eq!(length("?sleep_length=2"), Some(Duration::from_secs(2)));
        for query in ["-1", "nan", "inf", "long", "", "1e300"] {
            assert_eq!(length(&format!("?sleep_length={query}")), None, "{query}");
        }
    }

    #[test]
    fn a_new_limit_is_an_integer_in_its_field() {
        assert_eq!(parse_limit(br#"{"max_concurrent_requests": 7}"#), Some(7));
        assert_eq!(parse_limit(br#"{"other": "x", "max_concurrent_requests": 0}"#), Some(0));
        for body in [
            "",
            "7",
            "{}",
            r#"{"max_concurrent_requests": null}"#,
            r#"{"max_concurrent_requests": -1}"#,
            r#"{"max_concurrent_requests": 1.5}"#,
            "\u{0}",
        ] {
            assert_eq!(parse_limit(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn totals_display_as_counts_by_status() {
        assert_eq!(Totals::default().to_string(), "no requests");
        assert_eq!(Totals([(200, 2), (429, 1)].into()).to_string(), "2 x 200, 1 x 429");
    }

    #[test]
    fn a_place_is_free_again_after_its_request() {
        let limit = Limit::new(Some(2));
        let first = limit.admit().unwrap();
        let _second = limit.admit().unwrap();
        assert!(limit.admit().is_none());
        drop(first);
        assert!(limit.admit().is_some());
    }

    #[test]
    fn a_changed_limit_applies_to_the_next_request() {
        let limit = Limit::new(None);
        let _first = limit.admit().unwrap();
        limit.set(1);
        assert!(limit.admit().is_none());
        limit.set(2);
        assert!(limit.admit().is_some());
        limit.set(0);
        assert!(limit.admit().is_none());
    }

    #[test]
    fn two_threads_never_exceed_the_limit_nor_lose_a_place() {
        let limit = Limit::new(Some(1));
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if let Some(_place) = limit.admit() {
                            assert_eq!(inside.fetch_add(1, Relaxed), 0);
                            inside.fetch_sub(1, Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(limit.in_flight.load(Relaxed), 0);
    }
}
