//! What is looked for in a response's body while it streams by.

use memchr::memmem;

use crate::measure::exchange::Exchange;
use crate::measure::request::Request;
use crate::measure::tokens::TokenScan;
use crate::record::Fault;

/// Looks at a body piece by piece; made once a worker, started anew for each response.
#[derive(Debug)]
pub(crate) struct BodyWatch {
    scan: TokenScan,
    /// The end of the last piece, in which the text that is looked for may have begun.
    tail: Vec<u8>,
    contains: bool,
}

impl BodyWatch {
    pub(crate) fn new() -> Self {
        Self { scan: TokenScan::new(), tail: Vec::new(), contains: false }
    }

    /// Forgets the last body.
    pub(crate) fn restart(&mut self) {
        self.scan.restart();
        self.tail.clear();
        self.contains = false;
    }

    /// Takes the next piece.
    pub(crate) fn feed(&mut self, request: &Request, piece: &[u8]) {
        self.scan.feed(&request.pointers, piece);
        if let Some(needle) = request.needle() {
            self.look_for(needle.as_bytes(), piece);
        }
    }

    /// Notes in an exchange what its whole response says, and whether it is the one that was wanted.
    pub(crate) fn conclude(&self, request: &Request, status: Option<u16>, exchange: &mut Exchange) {
        exchange.status = status;
        exchange.tokens = self.scan.tokens();
        exchange.fault = match status {
            Some(status) if !request.endpoint.accepts(status) => Some(Fault::Status(status)),
            _ if !self.passes(request) => Some(Fault::Body),
            _ => None,
        };
    }

    /// Whether the body passed the request's check.
    fn passes(&self, request: &Request) -> bool {
        request.needle().is_none_or(|needle| needle.is_empty() || self.contains)
    }

    fn look_for(&mut self, needle: &[u8], piece: &[u8]) {
        if self.contains || needle.is_empty() {
            return;
        }
        let kept = needle.len() - 1;
        self.tail.extend_from_slice(&piece[..piece.len().min(kept)]);
        self.contains = memmem::find(&self.tail, needle).is_some() || memmem::find(piece, needle).is_some();
        if piece.len() >= kept {
            self.tail.clear();
            self.tail.extend_from_slice(&piece[piece.len() - kept..]);
        } else {
            let excess = self.tail.len().saturating_sub(kept);
            self.tail.drain(..excess);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Endpoint;

    fn contains(needle: &str, pieces: &[&str]) -> bool {
        let endpoint = Endpoint::get("http://h/").expect_body_contains(needle);
        let request = Request::new(&endpoint, None, std::time::Duration::from_secs(1)).unwrap();
        let mut watch = BodyWatch::new();
        pieces.iter().for_each(|piece| watch.feed(&request, piece.as_bytes()));
        watch.passes(&request)
    }

    #[test]
    fn the_text_is_found_across_pieces() {
        assert!(contains("needle", &["hay needle hay"]));
        assert!(contains("needle", &["hay nee", "dle hay"]));
        assert!(contains("needle", &["n", "e", "e", "d", "l", "e"]));
        assert!(contains("aab", &["aa", "ab"]));
        assert!(!contains("needle", &["need", "", "els"]));
        assert!(!contains("needle", &[]));
        assert!(contains("", &[]));
    }
}
