//! The one interface of both clients: our own for plain HTTP/1.1, reqwest for what that one does not do.

use std::rc::Rc;
use std::time::Duration;

use crate::measure::exchange::Exchange;
use crate::measure::exchange::Request;
use crate::measure::exchange::{Lookup, Resolver};
use crate::measure::http1::Http1;
use crate::plan::Transport;

/// What all workers of a cell share.
#[derive(Debug, Clone)]
pub(crate) struct ClientOptions {
    pub(crate) transport: Transport,
    pub(crate) connect_time_out: Duration,
    /// Asked for names instead of the system.
    #[cfg_attr(not(feature = "reqwest"), expect(dead_code, reason = "our own client asks its resolver"))]
    pub(crate) lookup: Option<Lookup>,
}

/// One worker's client, with the connections that it keeps.
#[derive(Debug)]
pub(crate) struct Client {
    http1: Http1,
    #[cfg(feature = "reqwest")]
    reqwest: crate::measure::via_reqwest::ViaReqwest,
    is_plain: bool,
}

impl Client {
    pub(crate) fn new(options: &ClientOptions, resolver: &Rc<Resolver>) -> Self {
        Self {
            http1: Http1::new(Rc::clone(resolver), options.connect_time_out),
            #[cfg(feature = "reqwest")]
            reqwest: crate::measure::via_reqwest::ViaReqwest::new(options),
            is_plain: options.transport.is_plain(),
        }
    }

    /// Makes what the exchange of such a request needs and takes long to make: reqwest's client with its certificates.
    pub(crate) fn prepare(&mut self, request: &Request) {
        #[cfg(feature = "reqwest")]
        if !self.is_ours(request) {
            self.reqwest.prepare(request);
        }
        #[cfg(not(feature = "reqwest"))]
        let _ = request;
    }

    /// Opens the connection that `request` will need, where this client can; says what that took if it was not open.
    pub(crate) async fn open(&mut self, request: &Request) -> Option<Duration> {
        if self.is_ours(request) { self.http1.open(request).await } else { None }
    }

    /// Makes one exchange; whatever goes wrong is a fault in it.
    pub(crate) async fn exchange(&mut self, request: &Request) -> Exchange {
        if self.is_ours(request) {
            return self.http1.exchange(request).await;
        }
        #[cfg(feature = "reqwest")]
        return self.reqwest.exchange(request).await;
        // Never in plain text what was meant for TLS.
        #[cfg(not(feature = "reqwest"))]
        return Exchange::begun().failed(crate::record::Fault::Client);
    }

    /// Whether our own client makes this exchange.
    fn is_ours(&self, request: &Request) -> bool {
        self.is_plain && !request.is_https()
    }
}
