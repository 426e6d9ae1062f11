//! One client for all requests: plimsoll's own for plain HTTP/1.1, reqwest for everything else.

use std::sync::Arc;
use std::time::Duration;

use crate::measure::exchange::{Exchange, Request, Resolver};
use crate::measure::http1::Http1;
#[cfg(feature = "reqwest")]
use crate::measure::via_reqwest::ViaReqwest;
use crate::plan::Transport;

/// The client of one worker, with the connections that it keeps. It is both clients, since a targets file may mix http and https.
#[derive(Debug)]
pub(crate) struct Client {
    // Boxed, because a task copies what it will return each time that it is polled.
    http1: Box<Http1>,
    #[cfg(feature = "reqwest")]
    reqwest: Box<ViaReqwest>,
    is_plain: bool,
}

impl Client {
    /// Workers with different numbers begin with different addresses of a name.
    pub(crate) fn new(
        transport: &Transport,
        connect_timeout: Duration,
        resolver: &Arc<Resolver>,
        worker: usize,
    ) -> Self {
        let mut client = Self {
            http1: Box::new(Http1::new(transport, connect_timeout, resolver)),
            #[cfg(feature = "reqwest")]
            reqwest: Box::new(ViaReqwest::new(transport, connect_timeout, resolver)),
            is_plain: transport.is_plain(),
        };
        client.http1.turn = worker;
        #[cfg(feature = "reqwest")]
        {
            client.reqwest.turn = worker;
        }
        client
    }

    /// Builds what takes long to build: reqwest's client with its certificates.
    pub(crate) fn prepare(&mut self, request: &Request) {
        #[cfg(feature = "reqwest")]
        if !self.is_own(request) {
            // Errors are left to the exchange.
            _ = self.reqwest.client_for(request);
        }
        #[cfg(not(feature = "reqwest"))]
        let _ = request;
    }

    /// Opens the connection that `request` needs and returns how long that took. `None` if it was open, or if reqwest opens it.
    pub(crate) async fn open(&mut self, request: &Request) -> Option<Duration> {
        if self.is_own(request) { self.http1.open(request).await } else { None }
    }

    /// Every error is a fault of the exchange.
    pub(crate) async fn exchange(&mut self, request: &Request) -> Exchange {
        if self.is_own(request) {
            return self.http1.exchange(request).await;
        }
        #[cfg(feature = "reqwest")]
        return self.reqwest.exchange(request).await;
        // Never send in plain text what was meant for TLS.
        #[cfg(not(feature = "reqwest"))]
        return Exchange::begin().failed(crate::record::Fault::Client);
    }

    fn is_own(&self, request: &Request) -> bool {
        self.is_plain && !request.is_https
    }
}
