//! One cell while it is measured: its requests, its workers' clients, its rounds.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::measure::client::{Client, ClientOptions};
use crate::measure::clock::StepWatch;
use crate::measure::deck::Deck;
use crate::measure::request::Request;
use crate::measure::resolve::Resolver;
use crate::measure::window::Timing;
use crate::measure::worker::RunningRound;
use crate::plan::{Cell, Endpoint, EndpointError, Group};
use crate::record::{Fault, LatencyHistogram, Tally};

/// A round in which the clock was set is measured again, so often.
const MOST_REPEATS: usize = 3;

/// A cell during one launch of its service: its requests know the port, its clients keep their connections.
pub(crate) struct LiveCell<'a> {
    group: &'a Group,
    cell: &'a Cell,
    requests: Rc<Vec<Request>>,
    clients: Vec<Client>,
    /// What the last round counted; made once and used for round after round.
    tally: Option<Tally>,
    /// What opening the connections of this launch took.
    connects: LatencyHistogram,
}

impl<'a> LiveCell<'a> {
    /// Makes a cell's requests ready for the service at `service_url`.
    ///
    /// # Errors
    /// When an endpoint cannot be requested there.
    pub(crate) fn new(
        group: &'a Group,
        cell: &'a Cell,
        service_url: Option<&str>,
        resolver: &Rc<Resolver>,
    ) -> Result<Self, EndpointError> {
        let time_out = group.settings.exchange_time_out;
        let ready = |endpoint| Request::new(endpoint, service_url, time_out);
        let requests: Vec<Request> = cell.targets.endpoints().iter().map(ready).collect::<Result<_, _>>()?;
        let options = ClientOptions {
            transport: group.transport.clone(),
            connect_time_out: group.settings.connect_time_out,
            lookup: resolver.lookup(),
        };
        let mut clients: Vec<Client> =
            (0..cell.load.concurrency()).map(|_| Client::new(&options, resolver)).collect();
        // What takes time to be made is made before anything is timed.
        clients.iter_mut().for_each(|client| client.prepare(&requests[0]));
        Ok(Self {
            group,
            cell,
            requests: Rc::new(requests),
            clients,
            tally: None,
            connects: LatencyHistogram::new(),
        })
    }

    /// Makes each of the first `most` requests, up to `tries` times until it succeeds; ends with the first that never does. The
    /// slowest exchange, or what was wrong.
    pub(crate) async fn try_each(&mut self, most: usize, tries: usize) -> Result<Duration, WrongAnswer> {
        let mut slowest = Duration::ZERO;
        let client = self.clients.first_mut().expect("a load has at least one worker");
        for request in self.requests.iter().take(most) {
            let mut exchange = client.exchange(request).await;
            for _ in 1..tries {
                if exchange.fault.is_none() {
                    break;
                }
                exchange = client.exchange(request).await;
            }
            if let Some(fault) = exchange.fault {
                return Err(WrongAnswer {
                    fault,
                    url: request.uri.to_string(),
                    what: wrong(fault, &request.endpoint),
                });
            }
            slowest = slowest.max(exchange.latency());
        }
        Ok(slowest)
    }

    /// Loads it for a while, uncounted: the service and the connections get warm.
    pub(crate) async fn warm_up(&mut self, time: Duration, seed: u64) {
        let begun = std::time::Instant::now();
        while begun.elapsed() < time {
            if self.cell.load.is_timed() {
                let left = time.saturating_sub(begun.elapsed());
                self.run(Timing::AtOnce { length: left }, seed).await;
            } else {
                self.round(seed).await;
            }
        }
    }

    /// One round; what was counted can be read until the next one begins. Nothing when the clock was set in each of several tries.
    pub(crate) async fn round(&mut self, seed: u64) -> Option<&Tally> {
        for _ in 0..MOST_REPEATS {
            let watch = StepWatch::start();
            if self.cell.load.is_timed() {
                let workers = self.cell.load.concurrency();
                self.run(Timing::Settled { workers, length: self.group.settings.window() }, seed).await;
            } else {
                self.open_connections().await;
                self.run(Timing::Whole, seed).await;
            }
            if !watch.stepped() {
                return self.tally.as_ref();
            }
        }
        None
    }

    /// One measurement that `stop` ends early: what was counted until then, and what `stop` gave if it was first.
    #[cfg(feature = "cli")]
    pub(crate) async fn once<T>(
        &mut self,
        timing: Timing,
        seed: u64,
        stop: impl Future<Output = T>,
    ) -> (Tally, Option<T>) {
        let mut running = self.start(timing, seed);
        let stopped = tokio::select! {
            () = running.finished(&mut self.clients) => None,
            stopped = stop => Some(stopped),
        };
        (running.into_tally().await, stopped)
    }

    async fn run(&mut self, timing: Timing, seed: u64) {
        let mut running = self.start(timing, seed);
        running.finished(&mut self.clients).await;
        let mut tally = running.into_tally().await;
        // Most connections are opened in the warm-up: each round of the launch tells what they took.
        self.connects.add(&tally.connect);
        tally.connect.clone_from(&self.connects);
        self.tally = Some(tally);
    }

    fn start(&mut self, timing: Timing, seed: u64) -> RunningRound {
        let mut tally = self.tally.take().unwrap_or_default();
        tally.clear();
        let deck = Deck::new(self.requests.len(), self.cell.targets.order, seed);
        let clients = std::mem::take(&mut self.clients);
        RunningRound::start(self.cell.load, timing, &self.requests, deck, clients, tally)
    }

    /// Opens each worker's connection, so that a burst is one of requests and not of handshakes.
    async fn open_connections(&mut self) {
        let mut opening = JoinSet::new();
        for mut client in self.clients.drain(..) {
            let requests = Rc::clone(&self.requests);
            opening.spawn_local(async move {
                let took = client.open(&requests[0]).await;
                (client, took)
            });
        }
        while let Some(opened) = opening.join_next().await {
            let (client, took) =
                opened.expect("opening neither panics nor is called off while it is waited for");
            took.into_iter().for_each(|took| self.connects.record(took));
            self.clients.push(client);
        }
    }
}

/// A first request that was no success.
#[derive(Debug)]
pub(crate) struct WrongAnswer {
    /// The kind of fault.
    pub(crate) fault: Fault,
    /// What was requested.
    pub(crate) url: String,
    /// What came, and what should have.
    pub(crate) what: String,
}

fn wrong(fault: Fault, endpoint: &Endpoint) -> String {
    let came = fault.in_words();
    match (fault, endpoint.status, &endpoint.body_contains) {
        (Fault::Status(_), Some(status), _) => format!("{came} instead of {status}"),
        (Fault::Status(_), None, _) => format!("{came} instead of a 2xx"),
        (Fault::Body, _, Some(text)) => format!("its body does not contain {text:?}"),
        _ => came,
    }
}
