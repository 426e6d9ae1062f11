//! What a service writes: read at once, so that it never waits for us, and kept only as far as an error will show it.
//!
//! Its stdout and stderr share one pipe, so that their lines keep their order. A thread reads it rather than the client's
//! runtime, whose time is measured.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::error::LastLines;

/// How much is kept.
const KEPT_BYTES: usize = 64 * 1024;
/// How many lines an error shows.
const SHOWN_LINES: usize = 20;
/// How much of a line an error shows.
const SHOWN_CHARS: usize = 400;
/// How long the last output of a dead service may be on its way. A process that left the group may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The end of what a service wrote.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<Kept>,
    closed: Condvar,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: VecDeque<u8>,
    cut: bool,
    closed: bool,
}

impl Output {
    /// Reads the pipe in a thread, which ends with the last process that holds the other end.
    pub(crate) fn collect(pipe: PipeReader) -> io::Result<Self> {
        let output = Self { shared: Arc::default() };
        let shared = Arc::clone(&output.shared);
        std::thread::Builder::new().name("service output".to_owned()).spawn(move || shared.drain(pipe))?;
        Ok(output)
    }

    /// The last lines of a service that has ended, what is still in the pipe included.
    pub(crate) fn last_words(&self) -> LastLines {
        let kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.closed.wait_timeout_while(kept, LAST_WORDS, |kept| !kept.closed);
        let (kept, _) = waited.unwrap_or_else(PoisonError::into_inner);
        kept.last_lines()
    }

    /// The last lines until now.
    pub(crate) fn last_lines(&self) -> LastLines {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner).last_lines()
    }
}

impl Shared {
    fn drain(&self, mut pipe: PipeReader) {
        let mut chunk = [0; 16 * 1024];
        loop {
            let read = match pipe.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(&chunk[..read]);
        }
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.closed.notify_all();
    }
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let excess = self.bytes.len().saturating_sub(KEPT_BYTES);
        self.cut |= excess > 0;
        self.bytes.drain(..excess);
    }

    fn last_lines(&self) -> LastLines {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        // The first line that is kept may have lost its beginning.
        let whole = if self.cut { text.split_once('\n').map_or(&*text, |(_, rest)| rest) } else { &text };
        let lines: Vec<&str> = whole.lines().collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        LastLines(shown.iter().map(|line| printable(line)).collect())
    }
}

/// A line without the control characters that would move the cursor of a terminal, and no longer than one reads.
fn printable(line: &str) -> String {
    let mut out: String = line
        .chars()
        .take(SHOWN_CHARS)
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|c| !c.is_control())
        .collect();
    if line.chars().nth(SHOWN_CHARS).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_service_that_writes_without_end_neither_waits_nor_fills_the_memory() {
        let (reader, mut writer) = io::pipe().unwrap();
        let output = Output::collect(reader).unwrap();
        for line in 0..100_000 {
            writeln!(writer, "line {line}").unwrap();
        }
        drop(writer);
        let lines = output.last_words().0;
        assert_eq!(lines.len(), SHOWN_LINES);
        assert_eq!(lines[SHOWN_LINES - 1], "line 99999");
        let kept = output.shared.kept.lock().unwrap();
        assert!(kept.bytes.len() <= KEPT_BYTES);
    }

    #[test]
    fn a_line_without_end_is_cut_and_control_characters_are_left_out() {
        let mut kept = Kept::default();
        kept.push(&[b'x'; 3 * KEPT_BYTES]);
        kept.push(b"\nred: \x1b[31m\xff\tend");
        let lines = kept.last_lines().0;
        assert_eq!(lines, ["red: [31m\u{fffd} end"]);
        assert!(printable(&"y".repeat(1_000)).chars().count() == SHOWN_CHARS + 1);
    }
}
