//! How JSON is laid out in our files: lines that a person can read and git can compare, the same text for the same values.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

const INDENT: &[u8] = b"  ";

/// A value in one line, with spaces as a person would set them: `{ "id": "x", "values": [1, 2.5] }`.
pub(crate) fn one_line(value: &impl Serialize) -> String {
    laid_out(value, 0)
}

/// A value of which the outer `broken` levels stand in lines of their own, and everything within them in one line.
pub(crate) fn laid_out(value: &impl Serialize, broken: usize) -> String {
    let mut text = Vec::new();
    let layout = Layout { broken, depth: 0, empty: true };
    value
        .serialize(&mut Serializer::with_formatter(&mut text, layout))
        .expect("our wire structs have text for keys, and writing to memory cannot fail");
    String::from_utf8(text).expect("serde_json writes UTF-8")
}

/// The same number with four significant digits; nothing when it is not finite, negative or absurdly large.
pub(crate) fn four_digits(value: f64) -> Option<f64> {
    /// Below it a value is zero: shorter than any clock, rarer than anything countable.
    const SMALLEST: f64 = 1e-9;
    if !(0.0..=LARGEST).contains(&value) {
        return None;
    }
    if value < SMALLEST {
        return Some(0.0);
    }
    format!("{value:.3e}").parse().ok()
}

/// The largest value that a baseline holds: as nanoseconds, thirty years.
pub(crate) const LARGEST: f64 = 1e18;

/// Breaks the outer levels into lines and keeps the inner ones in one.
struct Layout {
    broken: usize,
    depth: usize,
    /// Whether the bracket that was opened last has nothing in it yet.
    empty: bool,
}

impl Layout {
    fn open<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.empty = true;
        writer.write_all(bracket)
    }

    fn part<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool, padded: bool) -> io::Result<()> {
        self.empty = false;
        if !first {
            writer.write_all(b",")?;
        }
        if self.depth <= self.broken {
            self.new_line(writer)
        } else if padded || !first {
            writer.write_all(b" ")
        } else {
            Ok(())
        }
    }

    fn close<W: ?Sized + Write>(&mut self, writer: &mut W, padded: bool, bracket: &[u8]) -> io::Result<()> {
        let in_lines = self.depth <= self.broken;
        self.depth -= 1;
        if !self.empty && in_lines {
            self.new_line(writer)?;
        } else if !self.empty && padded {
            writer.write_all(b" ")?;
        }
        self.empty = false;
        writer.write_all(bracket)
    }

    fn new_line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(INDENT))
    }
}

impl Formatter for Layout {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        write!(writer, "{value}")
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.part(writer, first, false)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, false, b"]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.part(writer, first, true)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, true, b"}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_line_is_set_as_a_person_would() {
        let value = json!({ "a": [[1, 2], [3.5]], "b": {}, "c": [], "d": { "e": 1 } });
        assert_eq!(one_line(&value), r#"{ "a": [[1, 2], [3.5]], "b": {}, "c": [], "d": { "e": 1 } }"#);
        assert_eq!(one_line(&41_230_000.0), "41230000");
    }

    #[test]
    fn outer_levels_stand_in_lines_of_their_own() {
        let value = json!({ "a": [[1, 2], [3]], "b": [], "c": 1 });
        assert_eq!(
            laid_out(&value, 2),
            "{\n  \"a\": [\n    [1, 2],\n    [3]\n  ],\n  \"b\": [],\n  \"c\": 1\n}"
        );
    }

    #[test]
    fn four_digits_stay() {
        for (value, rounded) in [
            (41_234_567.0, 41_230_000.0),
            (0.99986, 0.9999),
            (0.0, 0.0),
            (-0.0, 0.0),
            (9999.6, 10_000.0),
            (1e-300, 0.0),
        ] {
            assert_eq!(four_digits(value), Some(rounded));
            assert_eq!(four_digits(rounded), Some(rounded), "rounding again changes nothing");
        }
        for value in [-1.0, f64::NAN, f64::INFINITY, f64::MAX] {
            assert_eq!(four_digits(value), None);
        }
        assert!(four_digits(-0.0).is_some_and(f64::is_sign_positive));
    }
}
