//! The server's life: listen, say where, serve, stop.

use std::future::Future;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::answer::Shared;
use super::handlers;
use super::options::ServeOptions;
use super::totals::Totals;

/// How long requests in flight may take to finish once the server was told to stop.
const GRACE: Duration = Duration::from_secs(1);

/// Why the reference API could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An option lies outside its bounds.
    #[error("{name} {reason}.")]
    Option {
        /// Which one.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another program listens there.
    #[error(
        "Port {port} of {host} is taken by another program. Give another one with --port, or --port 0 to have a free one picked."
    )]
    PortTaken {
        /// Name or address that was to be listened on.
        host: String,
        /// The port that is taken.
        port: u16,
    },
    /// The address cannot be listened on for another reason.
    #[error("Cannot listen on port {port} of {host}: {source}.")]
    Bind {
        /// Name or address that was to be listened on.
        host: String,
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused threads, signals or sockets.
    #[error("The server could not run: {0}.")]
    System(#[from] io::Error),
}

/// Serves the reference API until SIGINT or SIGTERM, on a thread for each core this process may use.
///
/// Prints `listening on http://ADDRESS:PORT` to stdout once requests are accepted, and the answers given, by status, to stderr at the end.
/// Requests in flight have a second to finish.
///
/// # Errors
/// An option out of bounds, a taken port, an address that is not ours.
pub fn run(options: ServeOptions) -> Result<(), ServeError> {
    options.check()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let totals = runtime.block_on(async {
        // Before the address is told: whoever reads it may send the signal at once.
        let stop = stop_signal()?;
        let listener = listen(&options).await?;
        let address = listener.local_addr()?;
        // Nobody reading is no reason not to serve.
        let mut stdout = io::stdout();
        let _ = writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());
        serve(listener, options, stop).await
    })?;
    let _ = writeln!(io::stderr(), "answered {totals}");
    // Connections that outlived their grace end here.
    runtime.shutdown_background();
    Ok(())
}

/// Serves the reference API on `listener` until `shutdown` is ready, inside the caller's runtime (which needs its I/O and time drivers).
///
/// `host` and `port` of `options` are not looked at. Returns the answers given, by status.
///
/// # Errors
/// An option out of bounds.
///
/// ```
/// use plimsoll::serve::{ServeOptions, serve};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
/// let totals = runtime.block_on(async {
///     let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
///     let shutdown = std::future::ready(()); // at once
///     serve(listener, ServeOptions::default(), shutdown).await
/// })?;
/// assert!(totals.0.is_empty());
/// # Ok(())
/// # }
/// ```
pub async fn serve(
    listener: TcpListener,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Totals, ServeError> {
    options.check()?;
    let shared = Arc::new(Shared::new(&options));
    let (stopping, stopped) = oneshot::channel();
    let shutdown = async {
        shutdown.await;
        // Fails only if nobody waits any more.
        let _ = stopping.send(());
    };
    let listener = listener.tap_io(|stream| {
        // Without it the end of an answer can wait for the client's acknowledgement; a connection that refuses is about to fail anyway.
        let _ = stream.set_nodelay(true);
    });
    let serving = axum::serve(listener, handlers::router(shared.clone())).with_graceful_shutdown(shutdown);
    let grace = async {
        let _ = stopped.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        outcome = serving => outcome?,
        () = grace => {}
    }
    Ok(shared.counters.totals())
}

async fn listen(options: &ServeOptions) -> Result<TcpListener, ServeError> {
    let (host, port) = (options.host.clone(), options.port);
    TcpListener::bind((options.host.as_str(), port)).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::PortTaken { host, port },
        _ => ServeError::Bind { host, port, source },
    })
}

/// Ready when the first SIGINT or SIGTERM comes; both are caught from this call on.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_a_way_out() {
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = holder.local_addr().unwrap().port();
        let error = run(ServeOptions { port, ..ServeOptions::default() }).unwrap_err();
        assert!(matches!(error, ServeError::PortTaken { .. }), "{error:?}");
        let sentence = error.to_string();
        assert!(sentence.contains(&port.to_string()) && sentence.contains("--port 0"), "{sentence}");
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error() {
        let options = ServeOptions { host: "192.0.2.1".to_owned(), port: 0, ..ServeOptions::default() };
        assert!(matches!(run(options), Err(ServeError::Bind { .. })));
    }

    #[test]
    fn bad_options_are_refused_before_listening() {
        let options = ServeOptions { slowdown: f64::NAN, ..ServeOptions::default() };
        assert_eq!(run(options).unwrap_err().to_string(), "slowdown is not a number from 0 to 100.");
    }
}
