//! The reference API: a small tokenizer service with knobs, for benches and tests to load.
//!
//! Whoever measures services needs one whose speed is known. This one answers in microseconds, can be made slower by an
//! exact amount, and counts its own answers, so that a measurement can be held against the truth.
//! [`ServeOptions`] flow in (from the command line through [`ServeArgs`]), HTTP flows out; nothing else of this crate is used.
//!
//! | request | answer |
//! |---|---|
//! | `GET /tokenizer?output_tokens=N&input_text=T` | 200, JSON `{"input_text", "output_text", "input_tokens", "output_tokens"}`: N random words joined by spaces; the characters of T divided by 4, rounded up |
//! | the same without one of the two, with an empty T, or with an N that is no integer from 1 to 10,000,000 | 400, `Invalid input` |
//! | `GET /hello` | 200, `Hello World` |
//! | `GET /sleeper?sleep_length=S` | waits S seconds (1 if missing or 0), 200; 400, `Invalid input` if S is negative or no number |
//! | `POST /update_config` with JSON `{"max_concurrent_requests": M}` | 200, JSON `{"message"}`, and the limit is M from now on; 400, JSON `{"error"}` without a whole number M |
//! | any of these GETs while M of them are in flight | 429, JSON `{"error": "Too many concurrent requests"}`, at once |
//! | `GET /stats` | 200, JSON `{"200": 45, "429": 55}`: the answers given so far by status, this path's own left out. It knows neither limit nor knobs |
//! | any other path, any other method | 404, 405 |
//!
//! # The knobs
//!
//! They hold for every answer but the 429s and `/stats`.
//! - **service time**: the answer does not leave the handler before that much time has passed since the request reached it.
//!   A floor, not an addition: work that takes longer is not prolonged.
//! - **CPU work**: that much CPU time of the serving thread is burnt per request (inside the floor, if there is one). Being preempted does not count.
//! - **slowdown** `s`: the floor, the CPU work and the CPU time of the handler itself are all multiplied by `1 + s`. The handler is what
//!   happens between the parsed request and the finished response; the HTTP library and the kernel keep their speed,
//!   and so does a `/sleeper`'s sleep.
//! - **tail** `share:factor`: that share of the requests, picked at random, gets `factor` times the floor (slowdown included). It multiplies
//!   the floor only, so it needs a service time.

mod answer;
mod args;
mod clock;
mod handlers;
mod limit;
mod options;
mod pace;
mod parse;
mod server;
mod timer;
mod tokenizer;
mod totals;
mod words;

pub use args::ServeArgs;
pub use options::{ServeOptions, Tail};
pub use server::{ServeError, run, serve};
pub use totals::Totals;
