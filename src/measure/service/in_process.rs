//! The server in a thread of this process, on a runtime of its own, so that it shares no scheduler with the client.

use std::any::Any;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::error::ServiceError;
use crate::plan::InProcess;

/// How long the server's thread may take to end. A thread that blocks cannot be ended from outside and is left alone.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(1);

/// A server that runs in a thread. Dropping it asks the thread to end.
#[derive(Debug)]
pub(crate) struct ServerThread {
    port: u16,
    thread: Option<JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
    ending: Option<String>,
}

impl ServerThread {
    /// Binds a port of 127.0.0.1 and serves it in a thread. Connections are accepted from then on.
    pub(crate) fn start(service: &InProcess) -> Result<Self, ServiceError> {
        Self::try_start(service).map_err(|source| ServiceError::InProcess { source })
    }

    fn try_start(service: &InProcess) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let service = service.clone();
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("in-process service".to_owned()).spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let failed = runtime.as_ref().err().map(|error| io::Error::new(error.kind(), error.to_string()));
            _ = tell.send(failed);
            if let Ok(runtime) = runtime {
                serve(runtime, &service, listener, stopped);
            }
        })?;
        match told.recv() {
            Ok(Some(error)) => Err(error),
            Ok(None) | Err(_) => Ok(Self { port, thread: Some(thread), stop: Some(stop), ending: None }),
        }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How it ended, if it has: it returned or panicked.
    pub(crate) fn ending(&mut self) -> Option<String> {
        if let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) {
            self.ending = Some(match thread.join() {
                Ok(()) => "it returned".to_owned(),
                Err(payload) => format!("it panicked: {}", message_of(&*payload)),
            });
        }
        self.ending.clone()
    }

    /// Ends the thread and joins it.
    pub(crate) async fn stop(mut self) {
        self.stop = None;
        let began = Instant::now();
        while self.ending().is_none() && began.elapsed() < GRACE {
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        self.stop = None;
        let began = Instant::now();
        while self.ending().is_none() && began.elapsed() < GRACE {
            std::thread::sleep(POLL);
        }
    }
}

fn serve(runtime: Runtime, service: &InProcess, listener: TcpListener, stopped: oneshot::Receiver<()>) {
    // With a local set the server may use `spawn_local`, as its future need not be `Send`.
    LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("the runtime has its I/O enabled");
        tokio::select! {
            () = (service.serve)(listener) => {}
            _ = stopped => {}
        }
    });
    // What it runs on blocking threads is not waited for.
    runtime.shutdown_background();
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
