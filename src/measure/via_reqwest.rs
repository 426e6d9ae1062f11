//! The client for what our own does not do: https, HTTP/2, proxies, redirects. It reads its clock after each read.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Proxy};

use crate::measure::body::BodyWatch;
use crate::measure::client::ClientOptions;
use crate::measure::clock::Wall;
use crate::measure::exchange::Exchange;
use crate::measure::http1::fault_of;
use crate::measure::request::Request;
use crate::measure::resolve::{Lookup, look_up};
use crate::record::Fault;

/// Redirects that are followed when asked.
const MOST_REDIRECTS: usize = 10;

/// One worker's client by reqwest, made when it is first needed.
#[derive(Debug)]
pub(crate) struct ViaReqwest {
    options: ClientOptions,
    client: Option<Client>,
    body: BodyWatch,
}

impl ViaReqwest {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        Self { options: options.clone(), client: None, body: BodyWatch::new() }
    }

    /// Makes one exchange; whatever goes wrong is a fault in it.
    pub(crate) async fn exchange(&mut self, request: &Request) -> Exchange {
        let exchange = Exchange::begun();
        let client = match self.client.take().map_or_else(|| build(&self.options, request), Ok) {
            Ok(client) => client,
            Err(error) => return exchange.failed(kind_of(&error)),
        };
        let exchange = self.exchange_by(&client, request, exchange).await;
        self.client = Some(client);
        exchange
    }

    async fn exchange_by(&mut self, client: &Client, request: &Request, mut exchange: Exchange) -> Exchange {
        let method = Method::from_bytes(request.endpoint.method.as_bytes()).unwrap_or(Method::GET);
        let mut sending = client.request(method, request.uri.to_string()).timeout(request.time_out);
        for (name, value) in Request::headers(&request.endpoint) {
            sending = sending.header(name, value);
        }
        if !request.endpoint.body.is_empty() {
            sending = sending.body(request.endpoint.body.clone());
        }
        self.body.restart();
        exchange.sent = Wall::now();
        let mut response = match sending.send().await {
            Ok(response) => response,
            Err(error) => return exchange.failed(kind_of(&error)),
        };
        let status = response.status().as_u16();
        exchange.ended = Wall::now();
        loop {
            match response.chunk().await {
                Ok(Some(piece)) => {
                    exchange.ended = Wall::now();
                    self.body.feed(request, &piece);
                }
                Ok(None) => break,
                Err(error) => return exchange.failed(kind_of(&error)),
            }
        }
        exchange.status = Some(status);
        exchange.tokens = self.body.tokens();
        exchange.fault = match status {
            status if !request.endpoint.accepts(status) => Some(Fault::Status(status)),
            _ if !self.body.passes(request) => Some(Fault::Body),
            _ => None,
        };
        exchange
    }
}

fn build(options: &ClientOptions, request: &Request) -> reqwest::Result<Client> {
    // Whoever comes first installs it; the same one, so it does not matter who.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let transport = &options.transport;
    let mut builder = Client::builder()
        .connect_timeout(options.connect_time_out)
        .tcp_nodelay(true)
        .pool_max_idle_per_host(1)
        .redirect(if transport.follow { Policy::limited(MOST_REDIRECTS) } else { Policy::none() })
        .dns_resolver(Arc::new(Names(options.lookup)));
    builder = match &transport.proxy {
        Some(proxy) => builder.proxy(Proxy::all(proxy)?),
        None => builder.no_proxy(),
    };
    builder = match (transport.http2, request.is_https()) {
        (true, false) => builder.http2_prior_knowledge(),
        (true, true) => builder,
        (false, _) => builder.http1_only(),
    };
    builder.build()
}

/// A name that has no address, marked so that it is known again among reqwest's causes.
#[derive(Debug, thiserror::Error)]
#[error("the name could not be resolved: {0}")]
struct Unresolved(#[source] io::Error);

/// Looks names up as our own client does.
struct Names(Option<Lookup>);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.0;
        Box::pin(async move {
            match look_up(lookup, name.as_str(), 0).await {
                Ok(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                Err(error) => Err(Unresolved(error).into()),
            }
        })
    }
}

/// The kind of fault that an error of reqwest is: told by the cause that says most.
fn kind_of(error: &reqwest::Error) -> Fault {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(this) = cause {
        if let Some(fault) = kind_of_cause(this) {
            return fault;
        }
        cause = this.source();
    }
    match error {
        error if error.is_timeout() && error.is_connect() => Fault::ConnectTimeOut,
        error if error.is_timeout() => Fault::TimeOut,
        error if error.is_redirect() || error.is_decode() => Fault::Malformed,
        _ => Fault::Client,
    }
}

fn kind_of_cause(cause: &(dyn StdError + 'static)) -> Option<Fault> {
    if cause.is::<Unresolved>() {
        return Some(Fault::Dns);
    }
    if cause.is::<rustls::Error>() {
        return Some(Fault::Tls);
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return match error {
            error if error.is_incomplete_message() => Some(Fault::Closed),
            error if error.is_parse() => Some(Fault::Malformed),
            _ => None,
        };
    }
    let error = cause.downcast_ref::<io::Error>()?;
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Some(Fault::Tls);
    }
    match fault_of(error) {
        Fault::Client => None,
        fault => Some(fault),
    }
}
