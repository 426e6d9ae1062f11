//! The one request loop, and the round that it makes.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::task::JoinSet;

use crate::measure::client::Client;
use crate::measure::clock::Wall;
use crate::measure::deck::Deck;
use crate::measure::request::Request;
use crate::measure::window::{Timing, Window};
use crate::plan::{Departure, Load};
use crate::record::Tally;

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
