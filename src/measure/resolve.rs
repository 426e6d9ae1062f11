//! From a host's name to addresses, asked once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// How names are looked up, where it is not by the system.
pub(crate) type Lookup = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Asks the system, or what is put in its place, for a host's addresses; an error when it has none.
pub(crate) async fn look_up(lookup: Option<Lookup>, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = match lookup {
        Some(lookup) => lookup(host, port)?,
        None => tokio::net::lookup_host((host, port)).await?.collect(),
    };
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("`{host}` has no address")));
    }
    Ok(addresses)
}

/// Resolves names, and remembers what they resolved to.
#[derive(Debug)]
pub(crate) struct Resolver {
    lookup: Option<Lookup>,
    known: RefCell<HashMap<(String, u16), Vec<SocketAddr>>>,
}

impl Resolver {
    /// One that asks `lookup` instead of the system, if there is one.
    pub(crate) fn new(lookup: Option<Lookup>) -> Self {
        Self { lookup, known: RefCell::default() }
    }

    /// What is asked instead of the system.
    pub(crate) fn lookup(&self) -> Option<Lookup> {
        self.lookup
    }

    /// The addresses of a host; an error when it has none.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let key = (host.to_owned(), port);
        if let Some(known) = self.known.borrow().get(&key) {
            return Ok(known.clone());
        }
        let addresses = look_up(self.lookup, host, port).await?;
        self.known.borrow_mut().insert(key, addresses.clone());
        Ok(addresses)
    }
}
