//! Both clients against a server that misbehaves on purpose.

mod agreement;
mod faults;
mod framing;
#[cfg(feature = "reqwest")]
mod http2;
mod kept;
#[cfg(target_os = "linux")]
mod ports;
mod server;
mod subject;
#[cfg(all(feature = "https", target_os = "linux"))]
mod tls;
