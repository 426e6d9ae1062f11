//! Coloured and wrapped text for a terminal.

use crate::judge::Verdict;

/// The columns that all text is made for.
pub(crate) const WIDTH: usize = 80;

/// ANSI colours, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ink {
    pub(crate) colour: bool,
}

impl Ink {
    fn sgr(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.sgr("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.sgr("2", text)
    }

    /// Text in a verdict's colour.
    pub(crate) fn verdict(self, verdict: Verdict, text: &str) -> String {
        match verdict {
            Verdict::Regressed => self.sgr("1;31", text),
            Verdict::Invalid | Verdict::Incomparable => self.sgr("1;35", text),
            Verdict::Inconclusive | Verdict::New => self.sgr("33", text),
            Verdict::Improved | Verdict::SeemsFaster => self.sgr("1;32", text),
            Verdict::Unchanged => self.sgr("32", text),
        }
    }
}

/// Breaks text at spaces so that each line fits [`WIDTH`] when indented. The first line comes without its indent. A word longer
/// than a line stays whole, so that it can be copied.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    let room = WIDTH.saturating_sub(indent);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always one line");
        let length = line.chars().count();
        if length > 0 && length + 1 + word.chars().count() > room {
            lines.push(word.to_owned());
        } else {
            if length > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

/// Text without control characters, which could move the cursor or change colours.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_within_the_width_and_long_words_stay_whole() {
        let text = wrapped(&"seven letters and more ".repeat(12), 17);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(text.lines().skip(1).all(|line| line.starts_with(&" ".repeat(17))));
        let long = "x".repeat(100);
        assert_eq!(wrapped(&format!("a {long}"), 2), format!("a\n  {long}"));
        assert_eq!(wrapped("", 5), "");
    }

    #[test]
    fn text_is_coloured_only_on_request() {
        assert_eq!(Ink { colour: false }.verdict(Verdict::Regressed, "red"), "red");
        assert_eq!(Ink { colour: true }.bold("b"), "\x1b[1mb\x1b[0m");
    }

    #[test]
    fn escape_sequences_are_disarmed() {
        assert_eq!(plain("a\x1b[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
