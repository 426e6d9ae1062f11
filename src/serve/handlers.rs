//! The paths of the API and what each makes of its request.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::answer::{Answer, Shared, json, text};
use super::tokenizer::Question;

/// What a sleeper sleeps unless told otherwise.
const DEFAULT_SLEEP: Duration = Duration::from_secs(1);

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/tokenizer", get(tokenizer))
        .route("/hello", get(hello))
        .route("/sleeper", get(sleeper))
        .route("/update_config", post(update_config))
        .route("/stats", get(stats))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(shared)
}

async fn tokenizer(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let handler = async {
        match Question::read(&uri) {
            Some(question) => json(StatusCode::OK, question.answer().await).into(),
            None => invalid_input(),
        }
    };
    shared.limited(handler).await
}

async fn hello(State(shared): State<Arc<Shared>>) -> Response {
    shared.limited(async { text(StatusCode::OK, "Hello World").into() }).await
}

async fn sleeper(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let handler = async {
        match sleep_length(&uri) {
            Some(not_before) => Answer { response: text(StatusCode::OK, "Slept well"), not_before },
            None => invalid_input(),
        }
    };
    shared.limited(handler).await
}

async fn update_config(State(shared): State<Arc<Shared>>, body: Result<Bytes, BytesRejection>) -> Response {
    let handler = async {
        let response = match body {
            Ok(body) => match new_limit(&body) {
                Some(most) => {
                    shared.limit.set(most);
                    json(
                        StatusCode::OK,
                        format!(r#"{{"message":"max_concurrent_requests is {most} from now on"}}"#),
                    )
                }
                None => json(
                    StatusCode::BAD_REQUEST,
                    r#"{"error":"max_concurrent_requests is missing or not a whole number of 0 or more"}"#,
                ),
            },
            Err(rejection) => {
                json(rejection.status(), r#"{"error":"The body could not be read, or is too long"}"#)
            }
        };
        response.into()
    };
    shared.unlimited(handler).await
}

/// Outside of limit, knobs and count: looking must not change what is seen.
async fn stats(State(shared): State<Arc<Shared>>) -> Response {
    let counts = shared.counters.totals().0;
    json(StatusCode::OK, serde_json::to_vec(&counts).expect("a map from numbers to numbers is JSON"))
}

async fn not_found(State(shared): State<Arc<Shared>>) -> Response {
    shared.unlimited(async { text(StatusCode::NOT_FOUND, "Not Found").into() }).await
}

async fn method_not_allowed(State(shared): State<Arc<Shared>>) -> Response {
    shared.unlimited(async { text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed").into() }).await
}

fn invalid_input() -> Answer {
    text(StatusCode::BAD_REQUEST, "Invalid input").into()
}

/// `None` is `Invalid input`: negative, no number, or longer than a `Duration` can be.
fn sleep_length(uri: &Uri) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Fields {
        sleep_length: Option<f64>,
    }
    let Query(fields) = Query::<Fields>::try_from_uri(uri).ok()?;
    let length = Duration::try_from_secs_f64(fields.sleep_length.unwrap_or_default()).ok()?;
    Some(if length.is_zero() { DEFAULT_SLEEP } else { length })
}

/// `None` if it is not JSON with a whole number in the one field that counts.
fn new_limit(body: &[u8]) -> Option<usize> {
    #[derive(Deserialize)]
    struct Config {
        max_concurrent_requests: usize,
    }
    serde_json::from_slice::<Config>(body).ok().map(|config| config.max_concurrent_requests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_in_seconds_and_one_if_missing_or_zero() {
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
    fn a_new_limit_is_a_whole_number_in_its_field() {
        assert_eq!(new_limit(br#"{"max_concurrent_requests": 7}"#), Some(7));
        assert_eq!(new_limit(br#"{"other": "x", "max_concurrent_requests": 0}"#), Some(0));
        for body in [
            "",
            "7",
            "{}",
            r#"{"max_concurrent_requests": null}"#,
            r#"{"max_concurrent_requests": -1}"#,
            r#"{"max_concurrent_requests": 1.5}"#,
            "\u{0}",
        ] {
            assert_eq!(new_limit(body.as_bytes()), None, "{body}");
        }
    }
}
