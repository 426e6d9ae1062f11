//! One cell while it is measured: its requests, its workers' clients, its rounds.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;

use crate::measure::client::{Client, ClientOptions};
use crate::measure::clock::{StepWatch, Wall};
use crate::measure::exchange::{Request, Resolver};
use crate::measure::window::{Timing, Window};
use crate::plan::{Cell, Departure, Endpoint, EndpointError, Group, Load, Order};
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

/// What the workers of one round share; all of them run on one thread.
#[derive(Debug)]
struct Shared {
    load: Load,
    requests: Rc<Vec<Request>>,
    window: RefCell<Window>,
    deck: RefCell<Deck>,
}

/// A round, from the departure of its workers to the return of the last.
///
/// Dropping it stops the workers at once; what was counted until then stays in [`Shared`].
pub(crate) struct RunningRound {
    shared: Rc<Shared>,
    workers: JoinSet<Client>,
}

impl RunningRound {
    /// Sends the workers off, one for each client.
    pub(crate) fn start(
        load: Load,
        timing: Timing,
        requests: &Rc<Vec<Request>>,
        deck: Deck,
        clients: Vec<Client>,
        tally: Tally,
    ) -> Self {
        let shared = Rc::new(Shared {
            load,
            requests: Rc::clone(requests),
            window: RefCell::new(Window::new(timing, tally)),
            deck: RefCell::new(deck),
        });
        let mut workers = JoinSet::new();
        for client in clients {
            workers.spawn_local(work(client, Rc::clone(&shared)));
        }
        Self { shared, workers }
    }

    /// Waits for the round's end. Cancelling the wait loses nothing.
    pub(crate) async fn finished(&mut self, clients: &mut Vec<Client>) {
        while let Some(client) = self.workers.join_next().await {
            clients.push(client.expect("a worker neither panics nor is aborted while it is waited for"));
        }
    }

    /// What was counted; workers that are still out are called off.
    pub(crate) async fn into_tally(mut self) -> Tally {
        self.workers.shutdown().await;
        let shared = Rc::into_inner(self.shared).expect("no worker is left to hold it");
        shared.window.into_inner().close()
    }
}

/// Sends request after request until the round is over; gives its client back.
async fn work(mut client: Client, shared: Rc<Shared>) -> Client {
    let mut last_ended: Option<Wall> = None;
    loop {
        let now = Wall::now();
        let ticket = {
            let mut window = shared.window.borrow_mut();
            match shared.load.departure(window.sent()) {
                Departure::WhenFree if !window.is_over(now) => window.depart(now),
                _ => return client,
            }
        };
        let request = shared.deck.borrow_mut().deal();
        let exchange = client.exchange(&shared.requests[request]).await;
        let lag = last_ended.map(|ended| exchange.sent.since(ended));
        shared.window.borrow_mut().arrive(ticket, &exchange, lag);
        if last_ended.replace(exchange.ended).is_none() {
            shared.window.borrow_mut().settle(Wall::now());
        }
        if exchange.fault.is_some() {
            // One that failed without waiting would keep the thread from the others, and from a signal.
            tokio::task::yield_now().await;
        }
    }
}

/// Deals indices of endpoints.
#[derive(Debug)]
pub(crate) struct Deck {
    order: Order,
    rng: Rng,
    cards: Vec<usize>,
    next: usize,
}

impl Deck {
    /// For so many endpoints. The same seed deals the same.
    pub(crate) fn new(endpoints: usize, order: Order, seed: u64) -> Self {
        Self { order, rng: Rng::with_seed(seed), cards: (0..endpoints).collect(), next: endpoints }
    }

    /// The next endpoint.
    pub(crate) fn deal(&mut self) -> usize {
        match (self.order, self.cards.len()) {
            (_, 1) => 0,
            (Order::Random, endpoints) => self.rng.usize(..endpoints),
            (Order::Deck, endpoints) => {
                if self.next == endpoints {
                    self.rng.shuffle(&mut self.cards);
                    self.next = 0;
                }
                self.next += 1;
                self.cards[self.next - 1]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_card_comes_once_before_any_comes_again() {
        let mut deck = Deck::new(5, Order::Deck, 1);
        let mut decks: Vec<Vec<usize>> = (0..20).map(|_| (0..5).map(|_| deck.deal()).collect()).collect();
        assert!(decks.iter().any(|cards| cards != &decks[0]));
        for cards in &mut decks {
            cards.sort_unstable();
            assert_eq!(cards, &[0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn the_same_seed_deals_the_same() {
        for order in [Order::Deck, Order::Random] {
            let (mut one, mut other) = (Deck::new(7, order, 3), Deck::new(7, order, 3));
            assert!((0..50).all(|_| one.deal() == other.deal()));
        }
    }
}
