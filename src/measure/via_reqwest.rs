//! The client for what our own does not do: https, HTTP/2, proxies, redirects. It reads its clock after each read.
//!
//! Its outcomes are those of our own client, but for what reqwest does not tell or does by itself: what a connection took to
//! open is part of the latency; a request that it sent anew is not seen, and one that was sent on a connection which the server
//! then closed is a fault; a path with `..` is shortened; an answer that overtakes a long request and is followed by a reset may
//! be lost; of HTTP/2 a stream that was reset counts as malformed.

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
use crate::measure::exchange::{Lookup, look_up};
use crate::measure::exchange::{Request, wants_length};
use crate::measure::http1::{LONGEST_IDLE, fault_of, fault_of_open};
use crate::record::Fault;

/// Redirects that are followed when asked.
const MOST_REDIRECTS: usize = 10;

/// One worker's clients by reqwest, each made when it is first needed.
#[derive(Debug)]
pub(crate) struct ViaReqwest {
    options: ClientOptions,
    /// For http and for https: HTTP/2 begins differently.
    clients: [Option<Client>; 2],
    body: BodyWatch,
}

impl ViaReqwest {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        Self { options: options.clone(), clients: [None, None], body: BodyWatch::new() }
    }

    /// Makes the client that such a request needs. What goes wrong will show at the exchange.
    pub(crate) fn prepare(&mut self, request: &Request) {
        _ = self.client_for(request);
    }

    /// Makes one exchange; whatever goes wrong is a fault in it.
    pub(crate) async fn exchange(&mut self, request: &Request) -> Exchange {
        let exchange = Exchange::begun();
        match self.client_for(request) {
            Ok(client) => self.exchange_by(&client, request, exchange).await,
            Err(error) => exchange.failed(kind_of(&error)),
        }
    }

    fn client_for(&mut self, request: &Request) -> reqwest::Result<Client> {
        let made = &mut self.clients[usize::from(request.is_https())];
        if let Some(client) = made {
            return Ok(client.clone());
        }
        Ok(made.insert(build(&self.options, request)?).clone())
    }

    async fn exchange_by(&mut self, client: &Client, request: &Request, mut exchange: Exchange) -> Exchange {
        let method = Method::from_bytes(request.endpoint.method.as_bytes()).unwrap_or(Method::GET);
        let mut sending = client.request(method, request.uri.to_string()).timeout(request.time_out);
        for (name, value) in Request::headers(&request.endpoint) {
            sending = sending.header(name, value);
        }
        if !request.endpoint.body.is_empty() {
            sending = sending.body(request.endpoint.body.clone());
        } else if wants_length(&request.endpoint) {
            sending = sending.header("Content-Length", "0");
        }
        self.body.restart();
        exchange.sent = Wall::now();
        let mut response = match sending.send().await {
            Ok(response) => response,
            Err(error) => return exchange.failed(kind_of(&error)),
        };
        let status = response.status().as_u16();
        if !(200..600).contains(&status) {
            return exchange.failed(Fault::Malformed);
        }
        exchange.ended = Wall::now();
        loop {
            match response.chunk().await {
                Ok(Some(piece)) => {
                    exchange.ended = Wall::now();
                    self.body.feed(&request.pointers, request.needle(), &piece);
                }
                Ok(None) => break,
                Err(error) => return exchange.failed(kind_of(&error)),
            }
        }
        exchange.conclude(request, Some(status), &self.body);
        exchange
    }
}

fn build(options: &ClientOptions, request: &Request) -> reqwest::Result<Client> {
    let transport = &options.transport;
    let mut builder = Client::builder()
        .connect_timeout(options.connect_time_out)
        .tcp_nodelay(true)
        .pool_max_idle_per_host(1)
        .pool_idle_timeout(LONGEST_IDLE)
        .redirect(if transport.follow { Policy::limited(MOST_REDIRECTS) } else { Policy::none() })
        .dns_resolver(Arc::new(Names(options.lookup)));
    #[cfg(feature = "https")]
    {
        builder = builder.tls_backend_preconfigured(tls(transport.http2));
    }
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

/// TLS with the certificates that the system trusts; if they cannot be read, none is trusted. The crypto provider is passed by value:
/// what a service in this process installs as its default stays its own choice.
#[cfg(feature = "https")]
fn tls(http2: bool) -> rustls::ClientConfig {
    use rustls_platform_verifier::BuilderVerifierExt;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = || {
        let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider));
        config
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for both versions of TLS")
    };
    let mut config = match config().with_platform_verifier() {
        Ok(config) => config.with_no_client_auth(),
        Err(_) => config().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
    };
    let protocols: &[&[u8]] = if http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config
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
    let mut of_http = false;
    while let Some(this) = cause {
        if let Some(fault) = kind_of_cause(this, error.is_connect()) {
            return fault;
        }
        of_http |= this.downcast_ref::<hyper::Error>().is_some_and(|error| !error.is_user());
        cause = this.source();
    }
    match error {
        error if error.is_timeout() && error.is_connect() => Fault::ConnectTimeOut,
        error if error.is_timeout() => Fault::TimeOut,
        error if error.is_redirect() || error.is_decode() || of_http => Fault::Malformed,
        _ => Fault::Client,
    }
}

fn kind_of_cause(cause: &(dyn StdError + 'static), is_connect: bool) -> Option<Fault> {
    if cause.is::<Unresolved>() {
        return Some(Fault::Dns);
    }
    #[cfg(feature = "https")]
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
    // An error of TLS lies inside one or two of these, and `source` steps over it.
    if let Some(fault) = error.get_ref().and_then(|inner| kind_of_cause(inner, is_connect)) {
        return Some(fault);
    }
    if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) {
        // So hyper tells of a bad chunk.
        return error.raw_os_error().is_none().then_some(Fault::Malformed);
    }
    let fault = if is_connect { fault_of(error) } else { fault_of_open(error) };
    (fault != Fault::Client).then_some(fault)
}
