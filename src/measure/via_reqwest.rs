//! The client for what plimsoll's own does not do: https, HTTP/2, proxies and redirects. It reads the clock after each read.
//!
//! It reports the same outcomes, except for what reqwest hides:
//! - The latency includes opening a connection. Retries are not seen.
//! - It is not known what is wrong with a malformed response. Some header lines are refused that plimsoll's own client accepts.
//! - A request on a connection that the server then closes is a fault. An early answer to a long request may be lost if a reset follows.
//! - A reset stream of HTTP/2 counts as malformed. Paths with `..` are shortened.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Proxy};

use crate::encoding::Encoding;
use crate::measure::body::BodyScan;
use crate::measure::clock::Wall;
use crate::measure::exchange::{
    Exchange, MAX_IDLE, Request, Resolver, connect_fault, exchange_fault, headers, needs_length,
};
use crate::plan::{ConnectTo, IpVersion, Transport};
use crate::record::Fault;

const MAX_REDIRECTS: usize = 10;
/// Reqwest resolves names without a port.
const ANY_PORT: u16 = 0;

/// The reqwest clients of one worker, each built on first use.
#[derive(Debug)]
pub(crate) struct ViaReqwest {
    transport: Transport,
    connect_timeout: Duration,
    resolver: Arc<Resolver>,
    /// Chooses the address of the first connection to a name with several.
    pub(crate) turn: usize,
    /// For http and for https, since HTTP/2 begins differently, and for each place that connections are redirected to.
    clients: HashMap<(bool, Option<ConnectTo>), Client>,
    body: BodyScan,
}

impl ViaReqwest {
    pub(crate) fn new(transport: &Transport, connect_timeout: Duration, resolver: &Arc<Resolver>) -> Self {
        Self {
            transport: transport.clone(),
            connect_timeout,
            resolver: Arc::clone(resolver),
            turn: 0,
            clients: HashMap::new(),
            body: BodyScan::default(),
        }
    }

    pub(crate) async fn exchange(&mut self, request: &Request) -> Exchange {
        let mut exchange = Exchange::begin();
        match self.try_exchange(request, &mut exchange).await {
            Ok(()) => exchange,
            Err(fault) => exchange.failed(fault),
        }
    }

    /// The client that `request` needs, which is built if this is its first request.
    pub(crate) fn client_for(&mut self, request: &Request) -> reqwest::Result<Client> {
        let detour = self.transport.detour(&request.host, request.port).cloned();
        let key = (request.is_https, detour);
        if let Some(client) = self.clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self.build(request.is_https, key.1.clone())?;
        self.clients.insert(key, client.clone());
        Ok(client)
    }

    async fn try_exchange(&mut self, request: &Request, exchange: &mut Exchange) -> Result<(), Fault> {
        let endpoint = &request.endpoint;
        let client = self.client_for(request).map_err(|error| fault_of(&error))?;
        let method = Method::from_bytes(endpoint.method.as_bytes()).unwrap_or(Method::GET);
        let mut sending = client.request(method, request.uri.to_string()).timeout(request.timeout);
        for (name, value) in headers(endpoint) {
            sending = sending.header(name, value);
        }
        if !endpoint.body.is_empty() {
            sending = sending.body(endpoint.body.clone());
        } else if needs_length(endpoint) {
            sending = sending.header("Content-Length", "0");
        }
        self.body.reset();
        exchange.sent = Wall::now();
        let mut response = sending.send().await.map_err(|error| fault_of(&error))?;
        // The address of a proxy says nothing about the service.
        if let Some(address) = response.remote_addr().filter(|_| self.transport.proxy.is_none()) {
            let (host, port) = match self.transport.detour(&request.host, request.port) {
                Some(detour) => detour.apply(&request.host, ANY_PORT),
                None => (request.host.as_str(), ANY_PORT),
            };
            self.resolver.opened(host, port, self.transport.ip_version, address.ip(), &[]);
        }
        let status = response.status().as_u16();
        if !(200..600).contains(&status) {
            return Err(Fault::Malformed);
        }
        let encodings = response.headers().get_all("content-encoding").into_iter();
        let encodings = encodings.map(|value| Encoding::from_header(value.as_bytes()));
        let encoding = encodings.fold(Encoding::Identity, Encoding::and);
        exchange.ended = Wall::now();
        while let Some(piece) = response.chunk().await.map_err(|error| fault_of(&error))? {
            exchange.ended = Wall::now();
            self.body.feed(&request.checks, encoding, &piece);
        }
        exchange.complete(request, Some(status), &mut self.body);
        Ok(())
    }

    fn build(&self, is_https: bool, detour: Option<ConnectTo>) -> reqwest::Result<Client> {
        let transport = &self.transport;
        let names = Names {
            resolver: Arc::clone(&self.resolver),
            ip_version: transport.ip_version,
            detour,
            turn: self.turn.into(),
        };
        let follow = if transport.follow { Policy::limited(MAX_REDIRECTS) } else { Policy::none() };
        let mut builder = Client::builder()
            .connect_timeout(self.connect_timeout)
            .tcp_nodelay(true)
            // A service in the same build may turn them on.
            .no_gzip()
            .no_deflate()
            .no_brotli()
            .no_zstd()
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .pool_max_idle_per_host(usize::from(!transport.no_keepalive))
            .pool_idle_timeout(MAX_IDLE)
            .redirect(follow)
            .dns_resolver(Arc::new(names));
        if let Some(path) = &transport.unix_socket {
            builder = builder.unix_socket(path.as_str());
        }
        #[cfg(feature = "https")]
        {
            builder = builder.tls_backend_preconfigured(tls(transport.http2));
        }
        builder = match &transport.proxy {
            Some(proxy) => builder.proxy(Proxy::all(proxy)?),
            None => builder.no_proxy(),
        };
        builder = match (transport.http2, is_https) {
            (true, false) => builder.http2_prior_knowledge(),
            (true, true) => builder,
            (false, _) => builder.http1_only(),
        };
        builder.build()
    }
}

/// TLS with the certificates that the system trusts, or none if they cannot be read. The crypto provider is passed by value: a
/// service in this process may install another one as its default.
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

/// A name that could not be resolved, in its own type so that it is found among the causes of reqwest's errors.
#[derive(Debug, thiserror::Error)]
#[error("the name could not be resolved: {0}")]
struct Unresolved(#[source] io::Error);

/// Finds addresses as plimsoll's own client does.
struct Names {
    resolver: Arc<Resolver>,
    ip_version: Option<IpVersion>,
    detour: Option<ConnectTo>,
    turn: AtomicUsize,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = Arc::clone(&self.resolver);
        let (version, detour) = (self.ip_version, self.detour.clone());
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let name = name.as_str();
            let (host, port) =
                detour.as_ref().map_or((name, ANY_PORT), |detour| detour.apply(name, ANY_PORT));
            match resolver.resolve(host, port, version, turn).await {
                Ok(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                Err(error) => Err(Unresolved(error).into()),
            }
        })
    }
}

/// The fault behind an error of reqwest, from the most specific of its causes.
fn fault_of(error: &reqwest::Error) -> Fault {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    let mut is_http = false;
    while let Some(this) = cause {
        if let Some(fault) = fault_of_cause(this, error.is_connect()) {
            return fault;
        }
        is_http |= this.downcast_ref::<hyper::Error>().is_some_and(|error| !error.is_user());
        cause = this.source();
    }
    match error {
        error if error.is_timeout() && error.is_connect() => Fault::ConnectTimeout,
        error if error.is_timeout() => Fault::Timeout,
        error if error.is_redirect() || error.is_decode() || is_http => Fault::Malformed,
        _ => Fault::Client,
    }
}

fn fault_of_cause(cause: &(dyn StdError + 'static), is_connect: bool) -> Option<Fault> {
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
    // Errors of TLS are wrapped in one or two of these, which `source` skips.
    if let Some(fault) = error.get_ref().and_then(|inner| fault_of_cause(inner, is_connect)) {
        return Some(fault);
    }
    if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) {
        // How hyper reports a malformed chunk.
        return error.raw_os_error().is_none().then_some(Fault::Malformed);
    }
    let fault = if is_connect { connect_fault(error) } else { exchange_fault(error) };
    (fault != Fault::Client).then_some(fault)
}
