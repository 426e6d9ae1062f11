//! The rounds of one cell during one launch: its requests, its workers and the one request loop.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::task::JoinSet;

use crate::measure::MeasureError;
use crate::measure::client::Client;
use crate::measure::clock::{ClockOffset, Now, Wall};
use crate::measure::exchange::{Exchange, Request, Resolver};
use crate::measure::window::{Timing, Window};
use crate::plan::{Cell, Departure, Endpoint, Group, Load, Order, Transport};
use crate::record::{Fault, LatencyHistogram, Tally};

/// A round during which somebody set the clock is repeated.
const MAX_ATTEMPTS: usize = 3;
/// Attempts at each test request: an endpoint that succeeds as often as it must fails all of them in one of a thousand cases.
const TEST_ATTEMPTS: std::ops::RangeInclusive<usize> = 5..=50;
const ALL_FAIL: f64 = 0.001;
/// How often the timeout of a request may pass while its test requests fail.
const MAX_TIMEOUTS: u32 = 2;

/// A cell during one launch: its requests know the port, and its clients keep their connections.
pub(crate) struct LiveCell<'a> {
    group: &'a Group,
    cell: &'a Cell,
    requests: Rc<Vec<Request>>,
    /// One for each worker.
    clients: Vec<Client>,
    /// The counts of the last round. Its memory is used again for the next one.
    tally: Option<Tally>,
    /// How long it took to open each connection of this launch.
    connects: LatencyHistogram,
}

/// What the first requests of a cell came to.
#[derive(Debug, Default)]
pub(crate) struct Tested {
    pub(crate) requests: usize,
    /// Those of them that never succeeded.
    pub(crate) failed: usize,
    /// The first of those: [`MeasureError::TestRequest`].
    pub(crate) failure: Option<MeasureError>,
    /// The latency of the slowest success.
    pub(crate) slowest: Duration,
    /// Whether failures take so long that further requests would take minutes.
    pub(crate) hangs: bool,
}

impl Tested {
    pub(crate) fn has_success(&self) -> bool {
        self.failed < self.requests
    }
}

/// What the workers of one round share. All of them run on one thread.
struct Shared {
    load: Load,
    requests: Rc<Vec<Request>>,
    window: RefCell<Window>,
    order: RefCell<EndpointOrder>,
}

impl<'a> LiveCell<'a> {
    /// # Errors
    /// [`MeasureError::Endpoint`] if an endpoint cannot be requested of the service at `service_url` by `transport`.
    pub(crate) fn new(
        group: &'a Group,
        cell: &'a Cell,
        service_url: Option<&str>,
        transport: &Transport,
        resolver: &Arc<Resolver>,
    ) -> Result<Self, MeasureError> {
        let settings = &group.settings;
        let request = |endpoint: &Endpoint| {
            let endpoint =
                if transport.sends_close() { &endpoint.clone().asking_to_close() } else { endpoint };
            Request::new(endpoint, service_url, settings.timeout)
                .map_err(|source| MeasureError::Endpoint { cell: cell.id.to_string(), source })
        };
        let requests: Vec<Request> =
            cell.targets.endpoints().iter().map(request).collect::<Result<_, _>>()?;
        let client = |worker| Client::new(transport, settings.connect_timeout, resolver, worker);
        let mut clients: Vec<Client> = (0..cell.load.concurrency()).map(client).collect();
        clients.iter_mut().for_each(|client| client.prepare(&requests[0]));
        let (requests, connects) = (Rc::new(requests), LatencyHistogram::new());
        Ok(Self { group, cell, requests, clients, tally: None, connects })
    }

    /// Makes each of the first `max_requests` requests until it succeeds, at most as often as an endpoint may fail that succeeds
    /// as often as the cell requires.
    pub(crate) async fn test(&mut self, max_requests: usize) -> Tested {
        let attempts = attempts(self.group.settings.min_success_ratio);
        let mut tested = Tested::default();
        let client = self.clients.first_mut().expect("a load has at least one worker");
        let mut failing = Duration::ZERO;
        for request in self.requests.iter().take(max_requests) {
            let mut left = attempts;
            let exchange = loop {
                let started = Instant::now();
                let exchange = client.exchange(request).await;
                left -= 1;
                if exchange.fault.is_some() {
                    failing += started.elapsed();
                    tested.hangs = failing >= MAX_TIMEOUTS * request.timeout;
                }
                if exchange.fault.is_none() || tested.hangs || left == 0 {
                    break exchange;
                }
            };
            tested.requests += 1;
            match exchange.fault {
                None => tested.slowest = tested.slowest.max(exchange.latency()),
                Some(fault) => {
                    tested.failed += 1;
                    tested.failure.get_or_insert_with(|| MeasureError::TestRequest {
                        cell: self.cell.id.to_string(),
                        url: request.uri.to_string(),
                        fault,
                        what: describe_failure(fault, &exchange, &request.endpoint)
                            + content_type_advice(fault, &request.endpoint),
                    });
                }
            }
            if tested.hangs {
                break;
            }
        }
        tested
    }

    /// Loads the service without counting, until `time` has passed.
    pub(crate) async fn warm_up(&mut self, time: Duration, seed: u64) {
        let started = Instant::now();
        while started.elapsed() < time {
            if self.cell.load.is_timed() {
                let length = time.saturating_sub(started.elapsed());
                self.run(Timing::AtOnce { length }, seed).await;
            } else {
                self.round(seed).await;
            }
        }
    }

    /// Measures one round. `None` if somebody set the clock during each of several attempts.
    pub(crate) async fn round(&mut self, seed: u64) -> Option<&Tally> {
        for _ in 0..MAX_ATTEMPTS {
            let offset = ClockOffset::read();
            if self.cell.load.is_timed() {
                let workers = self.cell.load.concurrency();
                self.run(Timing::Settled { workers, length: self.group.settings.window() }, seed).await;
            } else {
                self.open_connections().await;
                self.run(Timing::Whole, seed).await;
            }
            if !offset.was_set() {
                return self.tally.as_ref();
            }
        }
        None
    }

    async fn run(&mut self, timing: Timing, seed: u64) {
        self.run_until(timing, seed, async |_| std::future::pending::<()>().await).await;
    }

    /// Runs the request loop until the window is over or `stop` resolves, whose output is then returned. `stop` may look at the
    /// window while it waits.
    pub(crate) async fn run_until<T>(
        &mut self,
        timing: Timing,
        seed: u64,
        stop: impl AsyncFnOnce(&RefCell<Window>) -> T,
    ) -> Option<T> {
        let mut tally = self.tally.take().unwrap_or_default();
        tally.clear();
        let shared = Rc::new(Shared {
            load: self.cell.load,
            requests: Rc::clone(&self.requests),
            window: RefCell::new(Window::new(timing, tally)),
            order: RefCell::new(EndpointOrder::new(self.requests.len(), self.cell.targets.order, seed)),
        });
        let mut workers = JoinSet::new();
        for client in self.clients.drain(..) {
            workers.spawn_local(work(client, Rc::clone(&shared)));
        }
        let finished = async {
            while let Some(client) = workers.join_next().await {
                self.clients.push(client.expect("a worker neither panics nor is aborted here"));
            }
        };
        let stopped = tokio::select! {
            () = finished => None,
            stopped = stop(&shared.window) => Some(stopped),
        };
        workers.shutdown().await;
        let shared = Rc::into_inner(shared).expect("all workers have ended");
        let mut tally = shared.window.into_inner().close();
        // Most connections are opened during the warm-up, so each round reports those of the whole launch.
        self.connects.add(&tally.connect);
        tally.connect.clone_from(&self.connects);
        self.tally = Some(tally);
        stopped
    }

    /// What the last round counted.
    pub(crate) fn last_round(&self) -> Option<&Tally> {
        self.tally.as_ref()
    }

    /// The counts of the last round, empty if there was none.
    pub(crate) fn into_tally(self) -> Tally {
        self.tally.unwrap_or_default()
    }

    /// Opens the connection of each worker, so that a burst measures requests and not handshakes.
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
            let (client, took) = opened.expect("opening neither panics nor is aborted here");
            took.into_iter().for_each(|took| self.connects.record(took));
            self.clients.push(client);
        }
    }
}

/// The request loop of one worker: sends request after request until the round is over, and returns its client.
async fn work(mut client: Client, shared: Rc<Shared>) -> Client {
    let mut last_ended: Option<Wall> = None;
    loop {
        let now = Now::read();
        let ticket = {
            let mut window = shared.window.borrow_mut();
            match shared.load.departure(window.sent()) {
                Departure::WhenFree if !window.is_over(now.monotonic) => window.depart(now),
                _ => return client,
            }
        };
        let request = shared.order.borrow_mut().next_index();
        let exchange = client.exchange(&shared.requests[request]).await;
        // Opening a connection is not the client's own time.
        let connect = exchange.connect.unwrap_or_default();
        let lag = last_ended.map(|ended| exchange.sent.since(ended).saturating_sub(connect));
        shared.window.borrow_mut().arrive(ticket, &exchange, lag);
        if last_ended.replace(exchange.ended).is_none() {
            shared.window.borrow_mut().settle(Now::read());
        }
        if exchange.fault.is_some() {
            // A fault may not have waited for anything, and would then keep the thread from other workers and signals.
            tokio::task::yield_now().await;
        }
    }
}

/// Attempts at the test request of an endpoint that must succeed this often.
fn attempts(min_success_ratio: f64) -> usize {
    let attempts = (ALL_FAIL.ln() / (1.0 - min_success_ratio).ln()).abs().ceil() as usize;
    attempts.clamp(*TEST_ATTEMPTS.start(), *TEST_ATTEMPTS.end())
}

fn describe_failure(fault: Fault, exchange: &Exchange, endpoint: &Endpoint) -> String {
    let fault_in_words = fault.in_words();
    match (fault, endpoint.status, &endpoint.body_contains, &exchange.malformed) {
        (Fault::Status(_), Some(status), ..) => format!("{fault_in_words} instead of {status}"),
        (Fault::Status(_), None, ..) => format!("{fault_in_words} instead of a 2xx"),
        (Fault::Body, _, Some(text), _) => format!("its body does not contain {text:?}"),
        (Fault::RejectedBody, ..) => {
            format!("its body contains {:?}", endpoint.body_lacks.as_deref().unwrap_or_default())
        }
        (Fault::Malformed, .., Some(malformed)) => format!("{fault_in_words}: {malformed}"),
        _ => fault_in_words,
    }
}

/// What to do if the service may have refused a body because it did not know what it is.
fn content_type_advice(fault: Fault, endpoint: &Endpoint) -> &'static str {
    match fault {
        Fault::Status(400..500) if endpoint.lacks_content_type() => {
            "; its body was sent without a Content-Type header: set it with .header(\"Content-Type\", …)"
        }
        _ => "",
    }
}

/// The order in which the endpoints of a cell are requested. Equal seeds give equal orders.
#[derive(Debug)]
struct EndpointOrder {
    order: Order,
    rng: Rng,
    shuffled: Vec<usize>,
    position: usize,
}

impl EndpointOrder {
    fn new(endpoints: usize, order: Order, seed: u64) -> Self {
        let (rng, shuffled) = (Rng::with_seed(seed), (0..endpoints).collect());
        Self { order, rng, shuffled, position: endpoints }
    }

    fn next_index(&mut self) -> usize {
        match (self.order, self.shuffled.len()) {
            (_, 1) => 0,
            (Order::Random, endpoints) => self.rng.usize(..endpoints),
            (Order::Deck, endpoints) => {
                if self.position == endpoints {
                    self.rng.shuffle(&mut self.shuffled);
                    self.position = 0;
                }
                self.position += 1;
                self.shuffled[self.position - 1]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_body_without_a_content_type_is_told_so() {
        let (refused, bare) = (Fault::Status(415), Endpoint::post("/").body("{}"));
        assert!(content_type_advice(refused, &bare).contains("without a Content-Type header"));
        assert_eq!(content_type_advice(Fault::Status(500), &bare), "");
        assert_eq!(content_type_advice(refused, &bare.header("content-type", "text/plain")), "");
        assert_eq!(content_type_advice(refused, &Endpoint::get("/")), "");
    }

    #[test]
    fn each_endpoint_is_requested_once_before_any_is_repeated() {
        let mut order = EndpointOrder::new(5, Order::Deck, 1);
        let mut passes: Vec<Vec<usize>> =
            (0..20).map(|_| (0..5).map(|_| order.next_index()).collect()).collect();
        assert!(passes.iter().any(|pass| pass != &passes[0]));
        for pass in &mut passes {
            pass.sort_unstable();
            assert_eq!(pass, &[0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn tests_that_fail_slowly_end_soon() {
        // Connections wait in its queue, and nobody answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut group = Group::new("g", crate::plan::Location::unknown());
        group.settings.timeout = Duration::from_millis(50);
        group.settings.min_success_ratio = 0.0;
        let address = listener.local_addr().unwrap();
        let endpoints = (0..100).map(|n| Endpoint::get(format!("http://{address}/{n}"))).collect();
        group.cells.push(Cell {
            id: crate::plan::CellId::new("g", "1"),
            targets: crate::plan::Targets { endpoints, ..Endpoint::get("/").into() },
            load: Load::closed(1),
            throughput: None,
            location: crate::plan::Location::unknown(),
            metrics: None,
        });
        let cell = &group.cells[0];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tested = runtime.block_on(async {
            let mut live = LiveCell::new(&group, cell, None, &group.transport, &Arc::default()).unwrap();
            live.test(usize::MAX).await
        });
        assert!(tested.hangs && tested.requests <= 2 && tested.failure.is_some(), "{tested:?}");
    }

    #[test]
    fn an_endpoint_that_may_fail_more_often_gets_more_attempts() {
        assert_eq!([1.0, 0.95, 0.8, 0.5, 0.1, 0.0].map(attempts), [5, 5, 5, 10, 50, 50]);
    }

    #[test]
    fn equal_seeds_give_equal_orders() {
        for order in [Order::Deck, Order::Random] {
            let (mut one, mut other) = (EndpointOrder::new(7, order, 3), EndpointOrder::new(7, order, 3));
            assert!((0..50).all(|_| one.next_index() == other.next_index()));
        }
    }
}
