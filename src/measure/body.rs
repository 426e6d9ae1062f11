//! Finds two numbers of tokens and two texts in a response body while it streams by. Everything else is skipped.

use memchr::{memchr2, memmem};

use crate::plan::Endpoint;
use crate::record::Fault;

/// Values nested deeper than this are not found.
const MAX_DEPTH: usize = 64;
/// Keys and numbers longer than this never match.
const MAX_TEXT_BYTES: usize = 256;

/// The numbers and the texts to find in a response body.
#[derive(Debug)]
pub(crate) struct BodyChecks {
    /// The steps of the JSON pointers (RFC 6901) to the numbers of input and output tokens.
    token_paths: [Vec<String>; 2],
    /// The text that the body must contain, and the one that it must not contain.
    texts: [Option<String>; 2],
}

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
        let steps = |pointer: &String| {
            pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
        };
        Self {
            token_paths: [&endpoint.input_tokens, &endpoint.output_tokens].map(steps),
            texts: [endpoint.body_contains.clone(), endpoint.body_lacks.clone()],
        }
    }
}

impl BodyScan {
    pub(crate) fn reset(&mut self) {
        self.json.reset();
        self.texts.iter_mut().for_each(TextScan::reset);
    }

    pub(crate) fn feed(&mut self, checks: &BodyChecks, piece: &[u8]) {
        self.json.feed(&checks.token_paths, piece);
        for (scan, text) in self.texts.iter_mut().zip(&checks.texts) {
            if let Some(text) = text {
                scan.feed(text.as_bytes(), piece);
            }
        }
    }

    pub(crate) fn tokens(&self) -> Tokens {
        Tokens { input: self.json.found[0], output: self.json.found[1] }
    }

    /// What is wrong with the body; `None` if it passes its checks.
    pub(crate) fn fault(&self, checks: &BodyChecks) -> Option<Fault> {
        match &self.texts {
            [_, lacked] if lacked.is_found => Some(Fault::RejectedBody),
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

/// A scan for the numbers at two paths of a JSON document.
#[derive(Debug, Default)]
struct JsonScan {
    state: State,
    levels: Vec<Level>,
    /// The key or scalar that is being read.
    text: Vec<u8>,
    /// For each path, whether it leads to or through the next value.
    next: [bool; 2],
    found: [Option<f64>; 2],
}

/// An object or array around the current position.
#[derive(Debug, Clone, Copy)]
struct Level {
    is_object: bool,
    /// The index of the current element of an array.
    index: usize,
    /// For each path, whether it leads through this object or array.
    on_path: [bool; 2],
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
        self.next = [true; 2];
        self.found = [None; 2];
    }

    fn feed(&mut self, paths: &[Vec<String>; 2], piece: &[u8]) {
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
                    self.end_scalar(paths);
                    continue;
                }
                _ if byte.is_ascii_whitespace() => {}
                _ => self.take_structure(paths, byte),
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

    fn take_structure(&mut self, paths: &[Vec<String>; 2], byte: u8) {
        self.state = match (self.state, byte) {
            (State::Value, b'{' | b'[') => self.enter(paths, byte == b'{'),
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
                self.descend_by_key(paths);
                State::Value
            }
            (State::Comma, b',') => match self.levels.last_mut() {
                Some(level) if level.is_object => State::Key,
                Some(level) => {
                    level.index += 1;
                    self.descend_by_index(paths);
                    State::Value
                }
                None => State::Done,
            },
            _ => State::Done,
        };
    }

    fn enter(&mut self, paths: &[Vec<String>; 2], is_object: bool) -> State {
        if self.levels.len() >= MAX_DEPTH {
            return State::Done;
        }
        self.levels.push(Level { is_object, index: 0, on_path: self.next });
        if is_object {
            return State::Key;
        }
        self.descend_by_index(paths);
        State::Value
    }

    fn leave(&mut self) -> State {
        self.levels.pop();
        if self.levels.is_empty() { State::Done } else { State::Comma }
    }

    fn descend_by_key(&mut self, paths: &[Vec<String>; 2]) {
        let unescaped = self.text.contains(&b'\\').then(|| {
            let quoted = [b"\"".as_slice(), &self.text, b"\""].concat();
            serde_json::from_slice::<String>(&quoted).unwrap_or_default().into_bytes()
        });
        let key = unescaped.as_deref().unwrap_or(&self.text);
        self.next = self.paths_through(paths, |step| step.as_bytes() == key);
    }

    fn descend_by_index(&mut self, paths: &[Vec<String>; 2]) {
        let index = self.levels.last().map_or(0, |level| level.index);
        self.next = self.paths_through(paths, |step| step.parse() == Ok(index));
    }

    /// For each path, whether it leads to this level and continues with a step that `fits`.
    fn paths_through(&self, paths: &[Vec<String>; 2], fits: impl Fn(&str) -> bool) -> [bool; 2] {
        let depth = self.levels.len().saturating_sub(1);
        let on_path = self.levels.last().map_or([true; 2], |level| level.on_path);
        [0, 1].map(|which| on_path[which] && paths[which].get(depth).is_some_and(|step| fits(step)))
    }

    fn end_scalar(&mut self, paths: &[Vec<String>; 2]) {
        for which in [0, 1] {
            if self.next[which] && paths[which].len() == self.levels.len() {
                let number = std::str::from_utf8(&self.text).ok().and_then(|text| text.parse::<f64>().ok());
                self.found[which] = number.filter(|number| number.is_finite() && *number >= 0.0);
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
        pieces.iter().for_each(|piece| scan.feed(checks, piece));
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
