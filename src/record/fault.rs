//! The ways in which an exchange fails. All are counted; none ends a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Fault {
    /// Nothing listens at the address.
    Refused,
    /// The connection was not open in time.
    ConnectTimeout,
    /// The network or host cannot be reached.
    Unreachable,
    /// The host's name could not be resolved.
    Dns,
    /// The handshake or a record of TLS failed.
    Tls,
    /// The connection was reset before or inside the response.
    Reset,
    /// The connection was closed before the response was complete.
    Closed,
    /// The whole exchange did not end in time.
    Timeout,
    /// The response is not HTTP, or is framed wrongly.
    Malformed,
    /// A whole response with another status than the expected one.
    Status(u16),
    /// A whole response with the expected status, the body of which fails the check.
    Body,
    /// This machine had no free port to connect from: the client's error, not the service's.
    NoFreePort,
    /// Any other error of the client, for example too many open files.
    Client,
}

impl Fault {
    /// Each kind by its name in files, except for statuses, which are `status_429` and so on.
    const NAMES: [(Fault, &'static str); 12] = [
        (Fault::Refused, "refused"),
        (Fault::ConnectTimeout, "connect_timeout"),
        (Fault::Unreachable, "unreachable"),
        (Fault::Dns, "dns"),
        (Fault::Tls, "tls"),
        (Fault::Reset, "reset"),
        (Fault::Closed, "closed"),
        (Fault::Timeout, "timeout"),
        (Fault::Malformed, "malformed"),
        (Fault::Body, "body"),
        (Fault::NoFreePort, "no_free_port"),
        (Fault::Client, "client"),
    ];
    const STATUS: &'static str = "status_";

    /// Whether a whole response came, though not the one that was wanted.
    pub fn is_response(self) -> bool {
        matches!(self, Fault::Status(_) | Fault::Body)
    }

    /// Whether it was this side's error, so that the service was not measured.
    pub fn is_ours(self) -> bool {
        matches!(self, Fault::NoFreePort | Fault::Client)
    }

    /// The kind in words, for people.
    pub fn in_words(self) -> String {
        match self {
            Fault::Refused => "connection refused".into(),
            Fault::ConnectTimeout => "connecting timed out".into(),
            Fault::Unreachable => "host unreachable".into(),
            Fault::Dns => "name not resolved".into(),
            Fault::Tls => "TLS failed".into(),
            Fault::Reset => "connection reset".into(),
            Fault::Closed => "connection closed before the response was complete".into(),
            Fault::Timeout => "timed out".into(),
            Fault::Malformed => "malformed response".into(),
            Fault::Status(code) => format!("unexpected status {code}"),
            Fault::Body => "body check failed".into(),
            Fault::NoFreePort => "no free local port".into(),
            Fault::Client => "error on the client machine".into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Status(code) => write!(f, "{}{code}", Self::STATUS),
            other => {
                let name = Self::NAMES.iter().find(|(fault, _)| fault == other).map(|(_, name)| *name);
                f.write_str(name.expect("NAMES lists each kind but Status"))
            }
        }
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

impl TryFrom<String> for Fault {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fault = match text.strip_prefix(Self::STATUS) {
            Some(code) => code.parse().ok().map(Fault::Status),
            None => Self::NAMES.iter().find(|(_, name)| *name == text).map(|(fault, _)| *fault),
        };
        fault.ok_or_else(|| format!("`{text}` is not a kind of fault"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read_back_from_its_name() {
        let kinds = Fault::NAMES.iter().map(|(fault, _)| *fault).chain([Fault::Status(429)]);
        for fault in kinds {
            assert_eq!(Fault::try_from(fault.to_string()), Ok(fault));
            assert!(!fault.in_words().is_empty());
        }
        assert!(Fault::try_from("gremlins".to_owned()).is_err());
    }
}
