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
    /// A whole response with the expected status, whose body lacks the expected text.
    Body,
    /// A whole response with the expected status, whose body contains a text that it must not contain.
    RejectedBody,
    /// A whole response with the expected status, whose body has a text to look for but could not be decoded.
    Encoding,
    /// This machine had no free port to connect from: the client's error, not the service's.
    NoFreePort,
    /// Any other error of the client, for example too many open files.
    Client,
}

impl Fault {
    /// Each kind but statuses.
    const KINDS: [Fault; 14] = [
        Fault::Refused,
        Fault::ConnectTimeout,
        Fault::Unreachable,
        Fault::Dns,
        Fault::Tls,
        Fault::Reset,
        Fault::Closed,
        Fault::Timeout,
        Fault::Malformed,
        Fault::Body,
        Fault::RejectedBody,
        Fault::Encoding,
        Fault::NoFreePort,
        Fault::Client,
    ];
    /// Before the code in the name of a status: `status_429`.
    const STATUS: &'static str = "status_";

    /// Whether a whole response came, though not the one that was wanted.
    pub fn is_response(self) -> bool {
        matches!(self, Fault::Status(_) | Fault::Body | Fault::RejectedBody | Fault::Encoding)
    }

    /// Whether it was this side's error, so that the service was not measured.
    pub fn is_ours(self) -> bool {
        matches!(self, Fault::NoFreePort | Fault::Client)
    }

    /// The kind in words, for people.
    pub fn in_words(self) -> String {
        match self {
            Fault::Status(code) => format!("unexpected status {code}"),
            other => other.names().1.to_owned(),
        }
    }

    /// The name in files and the name for people.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Fault::Refused => ("refused", "connection refused"),
            Fault::ConnectTimeout => ("connect_timeout", "connecting timed out"),
            Fault::Unreachable => ("unreachable", "host unreachable"),
            Fault::Dns => ("dns", "name not resolved"),
            Fault::Tls => ("tls", "TLS failed"),
            Fault::Reset => ("reset", "connection reset"),
            Fault::Closed => ("closed", "connection closed before the response was complete"),
            Fault::Timeout => ("timeout", "timed out"),
            Fault::Malformed => ("malformed", "malformed response"),
            Fault::Body => ("body", "body without the expected text"),
            Fault::RejectedBody => ("rejected_body", "body with a rejected text"),
            Fault::Encoding => ("encoding", "body that cannot be decoded (only gzip and deflate can)"),
            Fault::NoFreePort => ("no_free_port", "no free local port"),
            Fault::Client => ("client", "error on the client machine"),
            Fault::Status(_) => ("status", "unexpected status"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Status(code) => write!(f, "{}{code}", Self::STATUS),
            other => f.write_str(other.names().0),
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
            None => Self::KINDS.iter().copied().find(|fault| fault.names().0 == text),
        };
        fault.ok_or_else(|| format!("`{text}` is not a kind of fault"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read_back_from_its_name() {
        let kinds = Fault::KINDS.into_iter().chain([Fault::Status(429)]);
        for fault in kinds {
            assert_eq!(Fault::try_from(fault.to_string()), Ok(fault));
            assert!(!fault.in_words().is_empty());
        }
        assert!(Fault::try_from("gremlins".to_owned()).is_err());
    }
}
