//! The clients under test, forced to be the one or the other.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use crate::measure::client::ClientOptions;
use crate::measure::exchange::Exchange;
use crate::measure::http1::Http1;
use crate::measure::request::Request;
use crate::measure::resolve::{Lookup, Resolver};
#[cfg(feature = "reqwest")]
use crate::measure::via_reqwest::ViaReqwest;
use crate::plan::{Endpoint, Transport};
use crate::record::Fault;

use super::server::{Server, fine};

/// A time-out that no exchange of these tests reaches, however busy the machine is.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// A time-out that is meant to be reached.
pub(super) const SOON: Duration = Duration::from_millis(100);

/// One of the two clients.
#[derive(Debug)]
pub(super) enum Subject {
    Ours(Box<Http1>),
    #[cfg(feature = "reqwest")]
    Reqwest(Box<ViaReqwest>),
}

impl Subject {
    pub(super) async fn exchange(&mut self, request: &Request) -> Exchange {
        let exchanged = async {
            match self {
                Self::Ours(client) => client.exchange(request).await,
                #[cfg(feature = "reqwest")]
                Self::Reqwest(client) => client.exchange(request).await,
            }
        };
        tokio::time::timeout(2 * PATIENCE, exchanged).await.expect("an exchange ends in time")
    }

    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_))
    }
}

pub(super) fn options() -> ClientOptions {
    ClientOptions { transport: Transport::default(), connect_time_out: PATIENCE, lookup: None }
}

/// Our own client, which keeps its connections however long a busy machine stands still.
pub(super) fn ours() -> Http1 {
    ours_with(&options())
}

fn ours_with(options: &ClientOptions) -> Http1 {
    Http1::new(Rc::new(Resolver::new(options.lookup)), options.connect_time_out).idling(PATIENCE)
}

/// Each client with these options.
pub(super) fn both_with(options: &ClientOptions) -> Vec<Subject> {
    vec![
        Subject::Ours(Box::new(ours_with(options))),
        #[cfg(feature = "reqwest")]
        Subject::Reqwest(Box::new(ViaReqwest::new(options))),
    ]
}

pub(super) fn both() -> Vec<Subject> {
    both_with(&options())
}

/// Both clients, with a lookup in the place of the system's.
pub(super) fn both_asking(lookup: Lookup) -> Vec<Subject> {
    both_with(&ClientOptions { lookup: Some(lookup), ..options() })
}

pub(super) fn ready(endpoint: &Endpoint, time_out: Duration) -> Request {
    Request::new(endpoint, None, time_out).unwrap()
}

pub(super) fn get(url: &str) -> Request {
    ready(&Endpoint::get(url), PATIENCE)
}

/// The same client still makes exchanges.
pub(super) async fn goes_on(client: &mut Subject) {
    let server = Server::start(vec![fine()]);
    let exchange = client.exchange(&get(&server.url())).await;
    assert_eq!((exchange.status, exchange.fault), (Some(200), None), "{client:?}");
}

/// The client's exchange ends in this fault, without a status but for a whole response; and the client goes on.
pub(super) async fn fails(client: &mut Subject, request: &Request, fault: Fault) {
    let exchange = client.exchange(request).await;
    assert_eq!(exchange.fault, Some(fault), "{client:?}");
    assert_eq!(exchange.status.is_some(), fault.is_response());
    goes_on(client).await;
}

/// Runs a test for each client.
pub(super) fn for_both<F: Future<Output = ()>>(clients: Vec<Subject>, test: impl Fn(Subject) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for client in clients {
        runtime.block_on(test(client));
    }
}
