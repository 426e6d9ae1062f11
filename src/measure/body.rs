//! Finds two numbers of tokens and two texts in a response body while it streams by. Everything else is skipped. A compressed body
//! is kept until it is complete and then decoded, if the user asked for something in it.

use std::mem;

use memchr::{memchr2, memmem};

use crate::encoding::Encoding;
use crate::plan::Endpoint;
use crate::record::Fault;

/// Values nested deeper than this are not found.
const MAX_DEPTH: usize = 64;
/// A longer compressed body is not decoded.
const MAX_ENCODED_BYTES: usize = 16 * 1024 * 1024;
/// Keys and numbers longer than this never match.
const MAX_TEXT_BYTES: usize = 256;

/// The numbers and the texts to find in a response body.
#[derive(Debug)]
pub(crate) struct BodyChecks {
    /// Where the numbers of tokens may stand: at most eight places, because a [`Paths`] has eight bits.
    places: Vec<Place>,
    /// The text that the body must contain, and the one that it must not contain.
    texts: [Option<String>; 2],
    /// Whether the user asked for any of it. If not, compressed bodies are not decoded: that would slow down the client.
    is_asked: bool,
}

/// A place in a JSON document where the number of input or output tokens may stand.
#[derive(Debug)]
struct Place {
    /// 0 for input tokens, 1 for output tokens.
    number: usize,
    /// The steps of a JSON pointer (RFC 6901).
    steps: Vec<String>,
}

/// A bit for each place: whether its path leads to some value.
type Paths = u8;

/// The numbers of tokens in a response body.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tokens {
    pub(crate) input: Option<f64>,
    pub(crate) output: Option<f64>,
}

/// Reads a body piece by piece. Allocated once per worker and reset for each response.
#[derive(Debug, Default)]
pub(crate) struct BodyScan {
    json: JsonScan,
    texts: [TextScan; 2],
    bytes: u64,
    encoding: Encoding,
    /// The body as it was received, if it has to be decoded.
    encoded: Vec<u8>,
    is_unreadable: bool,
}

/// A search for a text.
#[derive(Debug, Default)]
struct TextScan {
    /// The end of the last piece, in which the text may have begun.
    tail: Vec<u8>,
    is_found: bool,
}

impl BodyChecks {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let steps = |pointer: &str| {
            pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
        };
        let of_number = |(number, pointers): (usize, Vec<&str>)| {
            let place = |pointer: &str| Place { number, steps: steps(pointer) };
            pointers.into_iter().map(place).collect::<Vec<_>>()
        };
        Self {
            places: endpoint.token_pointers().into_iter().enumerate().flat_map(of_number).collect(),
            texts: [endpoint.body_contains.clone(), endpoint.body_lacks.clone()],
            is_asked: [&endpoint.body_contains, &endpoint.body_lacks]
                .into_iter()
                .chain([&endpoint.input_tokens, &endpoint.output_tokens])
                .any(Option::is_some),
        }
    }
}

impl BodyScan {
    pub(crate) fn reset(&mut self) {
        self.json.reset();
        self.texts.iter_mut().for_each(TextScan::reset);
        self.encoded.clear();
        (self.bytes, self.is_unreadable) = (0, false);
    }

    pub(crate) fn feed(&mut self, checks: &BodyChecks, encoding: Encoding, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        if encoding == Encoding::Identity {
            self.scan(checks, piece);
        } else if checks.is_asked && self.encoded.len() < MAX_ENCODED_BYTES {
            self.encoding = encoding;
            self.encoded.extend_from_slice(piece);
        }
    }

    /// Decodes a compressed body, if anything in it was asked for. To be called after the clock has stopped.
    pub(crate) fn finish(&mut self, checks: &BodyChecks) {
        if self.encoded.is_empty() {
            return;
        }
        let encoded = mem::take(&mut self.encoded);
        let decoded = self.encoding.decode(&encoded, |piece| {
            self.scan(checks, piece);
            !self.is_complete(checks)
        });
        self.is_unreadable = decoded.is_err();
        self.encoded = encoded;
    }

    /// Whether the rest of the body changes nothing.
    fn is_complete(&self, checks: &BodyChecks) -> bool {
        let mut texts = self.texts.iter().zip(&checks.texts);
        self.json.state == State::Done && texts.all(|(scan, text)| scan.is_found || text.is_none())
    }

    fn scan(&mut self, checks: &BodyChecks, piece: &[u8]) {
        self.json.feed(&checks.places, piece);
        for (scan, text) in self.texts.iter_mut().zip(&checks.texts) {
            if let Some(text) = text {
                scan.feed(text.as_bytes(), piece);
            }
        }
    }

    /// The size of the body as it was received.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn tokens(&self) -> Tokens {
        Tokens { input: self.json.found[0], output: self.json.found[1] }
    }

    /// What is wrong with the body; `None` if it passes its checks.
    pub(crate) fn fault(&self, checks: &BodyChecks) -> Option<Fault> {
        match &self.texts {
            [_, lacked] if lacked.is_found => Some(Fault::RejectedBody),
            _ if self.is_unreadable && checks.texts.iter().any(Option::is_some) => Some(Fault::Encoding),
            [contained, _] if checks.texts[0].is_some() && !contained.is_found => Some(Fault::Body),
            _ => None,
        }
    }
}

impl TextScan {
    fn reset(&mut self) {
        self.tail.clear();
        self.is_found = false;
    }

    fn feed(&mut self, text: &[u8], piece: &[u8]) {
        if self.is_found {
            return;
        }
        let kept = text.len() - 1;
        self.tail.extend_from_slice(&piece[..piece.len().min(kept)]);
        self.is_found = memmem::find(&self.tail, text).is_some() || memmem::find(piece, text).is_some();
        if piece.len() >= kept {
            self.tail.clear();
            self.tail.extend_from_slice(&piece[piece.len() - kept..]);
        } else {
            let excess = self.tail.len().saturating_sub(kept);
            self.tail.drain(..excess);
        }
    }
}

/// A scan for the numbers in some places of a JSON document. Of several places for the same number the first in the document counts.
#[derive(Debug, Default)]
struct JsonScan {
    state: State,
    levels: Vec<Level>,
    /// The key or scalar that is being read.
    text: Vec<u8>,
    /// The paths that lead to or through the next value.
    next: Paths,
    found: [Option<f64>; 2],
}

/// An object or array around the current position.
#[derive(Debug, Clone, Copy)]
struct Level {
    is_object: bool,
    /// The index of the current element of an array.
    index: usize,
    /// The paths that lead through this object or array.
    paths: Paths,
}

/// What the scan expects next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// A value, or the end of an empty array.
    Value,
    /// A key, or the end of an object.
    Key,
    /// The rest of a key or of a string value.
    String {
        is_key: bool,
    },
    /// The character after a backslash.
    Escape {
        is_key: bool,
    },
    Colon,
    /// The rest of a number, `true`, `false` or `null`.
    Scalar,
    Comma,
    /// Nothing: both numbers were found, or the document ended or is malformed.
    #[default]
    Done,
}

impl JsonScan {
    fn reset(&mut self) {
        self.state = State::Value;
        self.levels.clear();
        self.text.clear();
        self.next = Paths::MAX;
        self.found = [None; 2];
    }

    fn feed(&mut self, places: &[Place], piece: &[u8]) {
        let mut rest = piece;
        while let Some(&byte) = rest.first() {
            match self.state {
                State::Done => return,
                State::String { is_key } => {
                    let end = memchr2(b'"', b'\\', rest);
                    self.keep(is_key, &rest[..end.unwrap_or(rest.len())]);
                    let Some(end) = end else { return };
                    rest = &rest[end..];
                    self.state = match (rest[0], is_key) {
                        (b'\\', _) => {
                            self.keep(is_key, b"\\");
                            State::Escape { is_key }
                        }
                        (_, true) => State::Colon,
                        (_, false) => State::Comma,
                    };
                }
                State::Escape { is_key } => {
                    self.keep(is_key, &[byte]);
                    self.state = State::String { is_key };
                }
                State::Scalar if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.') => {
                    self.keep(true, &[byte]);
                }
                State::Scalar => {
                    self.end_scalar(places);
                    continue;
                }
                _ if byte.is_ascii_whitespace() => {}
                _ => self.take_structure(places, byte),
            }
            rest = &rest[1..];
        }
    }

    /// Keeps the text of keys and scalars, but not of string values.
    fn keep(&mut self, is_needed: bool, text: &[u8]) {
        if is_needed && self.text.len() + text.len() <= MAX_TEXT_BYTES {
            self.text.extend_from_slice(text);
        } else if is_needed {
            // A NUL makes it different from every key and number.
            self.text.clear();
            self.text.push(0);
        }
    }

    fn take_structure(&mut self, places: &[Place], byte: u8) {
        self.state = match (self.state, byte) {
            (State::Value, b'{' | b'[') => self.enter(places, byte == b'{'),
            (State::Value, b'"') => State::String { is_key: false },
            (State::Value, b']') => self.leave(),
            (State::Value, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.text.clear();
                self.text.push(byte);
                State::Scalar
            }
            (State::Key, b'"') => {
                self.text.clear();
                State::String { is_key: true }
            }
            (State::Key | State::Comma, b'}') | (State::Comma, b']') => self.leave(),
            (State::Colon, b':') => {
                self.descend_by_key(places);
                State::Value
            }
            (State::Comma, b',') => match self.levels.last_mut() {
                Some(level) if level.is_object => State::Key,
                Some(level) => {
                    level.index += 1;
                    self.descend_by_index(places);
                    State::Value
                }
                None => State::Done,
            },
            _ => State::Done,
        };
    }

    fn enter(&mut self, places: &[Place], is_object: bool) -> State {
        if self.levels.len() >= MAX_DEPTH {
            return State::Done;
        }
        self.levels.push(Level { is_object, index: 0, paths: self.next });
        if is_object {
            return State::Key;
        }
        self.descend_by_index(places);
        State::Value
    }

    fn leave(&mut self) -> State {
        self.levels.pop();
        if self.levels.is_empty() { State::Done } else { State::Comma }
    }

    fn descend_by_key(&mut self, places: &[Place]) {
        let unescaped = self.text.contains(&b'\\').then(|| {
            let quoted = [b"\"".as_slice(), &self.text, b"\""].concat();
            serde_json::from_slice::<String>(&quoted).unwrap_or_default().into_bytes()
        });
        let key = unescaped.as_deref().unwrap_or(&self.text);
        self.next = self.paths_through(places, |step| step.as_bytes() == key);
    }

    fn descend_by_index(&mut self, places: &[Place]) {
        let index = self.levels.last().map_or(0, |level| level.index);
        self.next = self.paths_through(places, |step| step.parse() == Ok(index));
    }

    /// The paths that lead to this level and continue with a step that `fits`.
    fn paths_through(&self, places: &[Place], fits: impl Fn(&str) -> bool) -> Paths {
        let depth = self.levels.len().saturating_sub(1);
        let here = self.levels.last().map_or(Paths::MAX, |level| level.paths);
        let mut through = 0;
        if here != 0 {
            for (bit, place) in places.iter().enumerate() {
                let continues = place.steps.get(depth).is_some_and(|step| fits(step));
                through |= Paths::from(continues) << bit;
            }
        }
        through & here
    }

    fn end_scalar(&mut self, places: &[Place]) {
        for (bit, place) in places.iter().enumerate() {
            if self.next & (1 << bit) != 0 && place.steps.len() == self.levels.len() {
                let number = std::str::from_utf8(&self.text).ok().and_then(|text| text.parse::<f64>().ok());
                let number = number.filter(|number| number.is_finite() && *number >= 0.0);
                self.found[place.number] = self.found[place.number].or(number);
            }
        }
        let is_complete = self.found.iter().all(Option::is_some);
        self.state = if is_complete || self.levels.is_empty() { State::Done } else { State::Comma };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(checks: &BodyChecks, pieces: &[&[u8]]) -> BodyScan {
        let mut scan = BodyScan::default();
        scan.reset();
        pieces.iter().for_each(|piece| scan.feed(checks, Encoding::Identity, piece));
        scan
    }

    fn tokens(body: &str, input: &str, output: &str) -> (Option<f64>, Option<f64>) {
        let checks = BodyChecks::new(&Endpoint::get("/").tokens(input, output));
        let whole = scan(&checks, &[body.as_bytes()]).tokens();
        for cut in 0..=body.len() {
            let (head, tail) = body.as_bytes().split_at(cut);
            assert_eq!(scan(&checks, &[head, tail]).tokens(), whole, "cut at {cut}");
        }
        (whole.input, whole.output)
    }

    #[test]
    fn numbers_are_found_wherever_the_body_is_cut() {
        let body = r#"{"input_text": "a\"}b", "x": [1, {"input_tokens": 9}], "input_tokens": 2, "output_tokens": 3e2}"#;
        assert_eq!(tokens(body, "/input_tokens", "/output_tokens"), (Some(2.0), Some(300.0)));
    }

    #[test]
    fn pointers_go_through_objects_arrays_and_escapes() {
        let body = r#"{"us/age": {"p~": 5}, "choices": [{"n": 1}, {"n": 7}], "k\u0065y": 4}"#;
        assert_eq!(tokens(body, "/us~1age/p~0", "/choices/1/n"), (Some(5.0), Some(7.0)));
        assert_eq!(tokens(body, "/key", "/choices/2/n"), (Some(4.0), None));
    }

    #[test]
    fn values_that_are_not_numbers_and_bodies_that_are_not_json_have_no_tokens() {
        assert_eq!(tokens("Hello World", "/a", "/b"), (None, None));
        assert_eq!(tokens("", "/a", "/b"), (None, None));
        assert_eq!(tokens(r#"{"a": "7", "b": -1}"#, "/a", "/b"), (None, None));
        assert_eq!(tokens(r#"{"a": null, "b": [1]}"#, "/a", "/b"), (None, None));
        assert_eq!(tokens(r#"{"a": 1e999, "b": {}}"#, "/a", "/b"), (None, None));
        assert_eq!(tokens("[[]]}]{,", "/0/0", "/b"), (None, None));
        assert_eq!(tokens(&"[".repeat(1_000), "/0/0", "/b"), (None, None));
    }

    #[test]
    fn a_long_key_does_not_match_by_its_beginning() {
        let body = format!(r#"{{"{}a": 1, "a": 2}}"#, "x".repeat(300));
        assert_eq!(tokens(&body, "/a", "/b"), (Some(2.0), None));
    }

    fn fault(endpoint: &Endpoint, pieces: &[&str]) -> Option<Fault> {
        let checks = BodyChecks::new(endpoint);
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        scan(&checks, &pieces).fault(&checks)
    }

    fn usual_tokens(body: &str) -> (Option<f64>, Option<f64>) {
        let found = scan(&BodyChecks::new(&Endpoint::get("/")), &[body.as_bytes()]).tokens();
        (found.input, found.output)
    }

    #[test]
    fn both_usual_forms_are_found_without_a_pointer() {
        assert_eq!(usual_tokens(r#"{"output_tokens": 3, "input_tokens": 2}"#), (Some(2.0), Some(3.0)));
        let chat = r#"{"choices": [{"usage": {"prompt_tokens": 8}}], "usage": {"prompt_tokens": 9, "completion_tokens": 12,
            "total_tokens": 21}, "model": "m"}"#;
        assert_eq!(usual_tokens(chat), (Some(9.0), Some(12.0)));
        let messages = r#"{"usage": {"input_tokens": 9, "output_tokens": null}}"#;
        assert_eq!(usual_tokens(messages), (Some(9.0), None));
        assert_eq!(usual_tokens(r#"{"usage": 1, "prompt_tokens": 2}"#), (None, None));
    }

    fn contains(text: &str, pieces: &[&str]) -> bool {
        fault(&Endpoint::get("/").expect_body_contains(text), pieces).is_none()
    }

    #[test]
    fn a_text_is_found_across_pieces() {
        assert!(contains("needle", &["hay needle hay"]));
        assert!(contains("needle", &["hay nee", "dle hay"]));
        assert!(contains("needle", &["n", "e", "e", "d", "l", "e"]));
        assert!(contains("aab", &["aa", "ab"]));
        assert!(!contains("needle", &["need", "", "els"]));
        assert!(!contains("needle", &[]));
    }

    #[test]
    fn a_text_that_must_be_lacking_is_found_across_pieces() {
        let endpoint = Endpoint::get("/").expect_body_contains("choices").expect_body_lacks("\"error\"");
        assert_eq!(fault(&endpoint, &["{\"choi", "ces\": []}"]), None);
        assert_eq!(fault(&endpoint, &["{\"choices\": [], \"err", "or\": 1}"]), Some(Fault::RejectedBody));
        assert_eq!(fault(&endpoint, &["{\"error\": 1}"]), Some(Fault::RejectedBody), "it says more");
        assert_eq!(fault(&endpoint, &["{}"]), Some(Fault::Body));
        assert_eq!(fault(&Endpoint::get("/").expect_body_lacks("error"), &[]), None);
    }
}
