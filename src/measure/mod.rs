//! A plan becomes a run: the clients, the order of rounds, the service process.

mod body;
mod cell;
mod client;
mod clock;
mod deck;
mod exchange;
mod http1;
mod request;
mod resolve;
mod stamp;
mod tokens;
#[cfg(feature = "reqwest")]
mod via_reqwest;
mod window;
mod worker;
