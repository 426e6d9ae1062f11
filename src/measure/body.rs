//! Finds two numbers in a JSON body while it streams by: everything else is skipped and not held.

use memchr::{memchr2, memmem};

/// Deeper nesting than this is not followed; the numbers then count as absent.
const DEEPEST: usize = 64;
/// A longer key or number than this is not one that we look for.
const LONGEST_TEXT: usize = 256;

/// What a response said about tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tokens {
    pub(crate) input: Option<f64>,
    pub(crate) output: Option<f64>,
}

/// The two places of a body that hold numbers of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointers([Vec<String>; 2]);

impl Pointers {
    /// From two JSON pointers (RFC 6901).
    pub(crate) fn new(input: &str, output: &str) -> Self {
        let steps = |pointer: &str| {
            pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
        };
        Self([steps(input), steps(output)])
    }
}

/// An object or array that the scan is inside of.
#[derive(Debug, Clone, Copy)]
struct Level {
    is_object: bool,
    /// Elements of the array that were begun.
    index: usize,
    /// For each pointer, whether the path down to this level is its beginning.
    on_path: [bool; 2],
}

/// What the scan expects next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value, or the end of an empty container.
    Value,
    /// A key, or the end of an object.
    Key,
    /// Inside a string; `key` tells what kind.
    Text { key: bool },
    /// Inside a string, behind a backslash.
    Escape { key: bool },
    /// Behind a key.
    Colon,
    /// Inside a number, `true`, `false` or `null`.
    Scalar,
    /// Behind a value.
    Comma,
    /// Nothing more is looked for.
    Over,
}

/// A scan of one body.
#[derive(Debug)]
pub(crate) struct TokenScan {
    state: State,
    levels: Vec<Level>,
    /// The key or scalar that is being read, as far as it can matter.
    text: Vec<u8>,
    /// For each pointer, whether the path of the value that comes next is its beginning.
    next: [bool; 2],
    found: [Option<f64>; 2],
}

impl TokenScan {
    pub(crate) fn new() -> Self {
        let mut scan = Self {
            state: State::Value,
            levels: Vec::new(),
            text: Vec::new(),
            next: [true; 2],
            found: [None; 2],
        };
        scan.restart();
        scan
    }

    /// Forgets the last body.
    pub(crate) fn restart(&mut self) {
        self.state = State::Value;
        self.levels.clear();
        self.text.clear();
        self.next = [true; 2];
        self.found = [None; 2];
    }

    /// The numbers that were found.
    pub(crate) fn tokens(&self) -> Tokens {
        Tokens { input: self.found[0], output: self.found[1] }
    }

    /// Takes the next piece of the body.
    pub(crate) fn feed(&mut self, pointers: &Pointers, piece: &[u8]) {
        let mut rest = piece;
        while let Some(&byte) = rest.first() {
            match self.state {
                State::Over => return,
                State::Text { key } => {
                    let end = memchr2(b'"', b'\\', rest);
                    self.keep(key, &rest[..end.unwrap_or(rest.len())]);
                    let Some(end) = end else { return };
                    rest = &rest[end..];
                    self.state = match (rest[0], key) {
                        (b'\\', _) => {
                            self.keep(key, b"\\");
                            State::Escape { key }
                        }
                        (_, true) => State::Colon,
                        (_, false) => State::Comma,
                    };
                }
                State::Escape { key } => {
                    self.keep(key, &[byte]);
                    self.state = State::Text { key };
                }
                State::Scalar if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.') => {
                    self.keep(true, &[byte]);
                }
                State::Scalar => {
                    self.end_scalar(pointers);
                    continue;
                }
                _ if byte.is_ascii_whitespace() => {}
                _ => self.step(pointers, byte),
            }
            rest = &rest[1..];
        }
    }

    /// Keeps text that can matter: a key, or a number.
    fn keep(&mut self, matters: bool, text: &[u8]) {
        if matters && self.text.len() + text.len() <= LONGEST_TEXT {
            self.text.extend_from_slice(text);
        } else if matters {
            // Too long to be what is looked for: a NUL makes it unlike every key and number.
            self.text.clear();
            self.text.push(0);
        }
    }

    /// A byte that is structure.
    fn step(&mut self, pointers: &Pointers, byte: u8) {
        let over = State::Over;
        self.state = match (self.state, byte) {
            (State::Value, b'{' | b'[') => self.enter(pointers, byte == b'{'),
            (State::Value, b'"') => State::Text { key: false },
            (State::Value, b']') => self.leave(),
            (State::Value, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.text.clear();
                self.text.push(byte);
                State::Scalar
            }
            (State::Key, b'"') => {
                self.text.clear();
                State::Text { key: true }
            }
            (State::Key | State::Comma, b'}') | (State::Comma, b']') => self.leave(),
            (State::Colon, b':') => {
                self.descend_by_key(pointers);
                State::Value
            }
            (State::Comma, b',') => match self.levels.last_mut() {
                Some(level) if level.is_object => State::Key,
                Some(level) => {
                    level.index += 1;
                    self.descend_by_index(pointers);
                    State::Value
                }
                None => over,
            },
            _ => over,
        };
    }

    fn enter(&mut self, pointers: &Pointers, is_object: bool) -> State {
        if self.levels.len() >= DEEPEST {
            return State::Over;
        }
        self.levels.push(Level { is_object, index: 0, on_path: self.next });
        if is_object {
            return State::Key;
        }
        self.descend_by_index(pointers);
        State::Value
    }

    fn leave(&mut self) -> State {
        self.levels.pop();
        if self.levels.is_empty() { State::Over } else { State::Comma }
    }

    fn descend_by_key(&mut self, pointers: &Pointers) {
        // A key with escapes is compared as JSON reads it.
        let unescaped = self.text.contains(&b'\\').then(|| {
            let quoted = [b"\"".as_slice(), &self.text, b"\""].concat();
            serde_json::from_slice::<String>(&quoted).unwrap_or_default().into_bytes()
        });
        let key = unescaped.as_deref().unwrap_or(&self.text);
        self.next = self.matching(pointers, |step| step.as_bytes() == key);
    }

    fn descend_by_index(&mut self, pointers: &Pointers) {
        let index = self.levels.last().map_or(0, |level| level.index);
        self.next = self.matching(pointers, |step| step.parse() == Ok(index));
    }

    /// Which pointers go on with a step that `fits` at this level.
    fn matching(&self, pointers: &Pointers, fits: impl Fn(&str) -> bool) -> [bool; 2] {
        let depth = self.levels.len().saturating_sub(1);
        let on_path = self.levels.last().map_or([true; 2], |level| level.on_path);
        [0, 1].map(|which| on_path[which] && pointers.0[which].get(depth).is_some_and(|step| fits(step)))
    }

    fn end_scalar(&mut self, pointers: &Pointers) {
        for which in [0, 1] {
            if self.next[which] && pointers.0[which].len() == self.levels.len() {
                let number = std::str::from_utf8(&self.text).ok().and_then(|text| text.parse::<f64>().ok());
                self.found[which] = number.filter(|number| number.is_finite() && *number >= 0.0);
            }
        }
        let complete = self.found.iter().all(Option::is_some);
        self.state = if complete || self.levels.is_empty() { State::Over } else { State::Comma };
    }
}

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
    pub(crate) fn feed(&mut self, pointers: &Pointers, needle: Option<&str>, piece: &[u8]) {
        self.scan.feed(pointers, piece);
        if let Some(needle) = needle {
            self.look_for(needle.as_bytes(), piece);
        }
    }

    pub(crate) fn tokens(&self) -> Tokens {
        self.scan.tokens()
    }

    /// Whether the body passed the request's check.
    pub(crate) fn passes(&self, needle: Option<&str>) -> bool {
        needle.is_none_or(|needle| needle.is_empty() || self.contains)
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

    fn scan(body: &str, input: &str, output: &str) -> (Option<f64>, Option<f64>) {
        let pointers = Pointers::new(input, output);
        let whole = |pieces: &[&[u8]]| {
            let mut scan = TokenScan::new();
            pieces.iter().for_each(|piece| scan.feed(&pointers, piece));
            scan.tokens()
        };
        let at_once = whole(&[body.as_bytes()]);
        for cut in 0..=body.len() {
            let (head, tail) = body.as_bytes().split_at(cut);
            assert_eq!(whole(&[head, tail]), at_once, "cut at {cut}");
        }
        (at_once.input, at_once.output)
    }

    #[test]
    fn numbers_are_found_wherever_the_body_is_cut() {
        let body = r#"{"input_text": "a\"}b", "x": [1, {"input_tokens": 9}], "input_tokens": 2, "output_tokens": 3e2}"#;
        assert_eq!(scan(body, "/input_tokens", "/output_tokens"), (Some(2.0), Some(300.0)));
    }

    #[test]
    fn pointers_go_through_objects_arrays_and_escapes() {
        let body = r#"{"us/age": {"p~": 5}, "choices": [{"n": 1}, {"n": 7}], "k\u0065y": 4}"#;
        assert_eq!(scan(body, "/us~1age/p~0", "/choices/1/n"), (Some(5.0), Some(7.0)));
        assert_eq!(scan(body, "/key", "/choices/2/n"), (Some(4.0), None));
    }

    #[test]
    fn what_is_no_number_or_no_json_is_absent() {
        assert_eq!(scan("Hello World", "/a", "/b"), (None, None));
        assert_eq!(scan("", "/a", "/b"), (None, None));
        assert_eq!(scan(r#"{"a": "7", "b": -1}"#, "/a", "/b"), (None, None));
        assert_eq!(scan(r#"{"a": null, "b": [1]}"#, "/a", "/b"), (None, None));
        assert_eq!(scan(r#"{"a": 1e999, "b": {}}"#, "/a", "/b"), (None, None));
        assert_eq!(scan("[[]]}]{,", "/0/0", "/b"), (None, None));
        assert_eq!(scan(&"[".repeat(1_000), "/0/0", "/b"), (None, None));
    }

    #[test]
    fn long_keys_and_numbers_do_not_match_by_their_beginning() {
        let body = format!(r#"{{"{}a": 1, "a": 2}}"#, "x".repeat(300));
        assert_eq!(scan(&body, "/a", "/b"), (Some(2.0), None));
    }

    fn contains(needle: &str, pieces: &[&str]) -> bool {
        let pointers = Pointers::new("/a", "/b");
        let mut watch = BodyWatch::new();
        pieces.iter().for_each(|piece| watch.feed(&pointers, Some(needle), piece.as_bytes()));
        watch.passes(Some(needle))
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
