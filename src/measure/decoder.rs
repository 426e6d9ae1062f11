//! The framing of a response (RFC 9112): bytes in, status and pieces of the body out. It knows no socket.

use httparse::{ParserConfig, Status};
use std::mem::MaybeUninit;

use crate::encoding::Encoding;

/// More header lines than this are refused.
const MAX_HEADERS: usize = 128;
/// Characters of a line that are quoted.
const MAX_QUOTED: usize = 80;
/// A longer line of a chunk's size or of a trailer is refused.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// The response is not HTTP/1.1, or its framing is wrong: what is wrong, and the line in which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}: {line:?}")]
pub(crate) struct Malformed {
    pub(crate) problem: Problem,
    line: String,
}

/// What is wrong with a line of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("no status line of HTTP/1.1")]
    StatusLine,
    #[error("a status that is not between 200 and 599")]
    Status,
    #[error("a header line without a colon")]
    Colon,
    #[error("a header line with a NUL byte")]
    Nul,
    #[error("a header line that cannot be read")]
    Header,
    #[error("more than {} header lines in the response that begins with", MAX_HEADERS)]
    TooManyHeaders,
    #[error("a head, or a line of a chunk, that does not end")]
    Endless,
    #[error("a Content-Length that is not one number")]
    Length,
    #[error("a Transfer-Encoding other than chunked")]
    Coding,
    #[error("a line that is not the size of a chunk")]
    ChunkSize,
    #[error("a chunk longer than its declared size; it ends with")]
    ChunkEnd,
    #[error("a trailer line without a colon")]
    Trailer,
}

impl Malformed {
    /// Quotes the first line of `bytes`.
    pub(crate) fn new(problem: Problem, bytes: &[u8]) -> Self {
        let mut line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        // The value of a header may be a secret.
        if matches!(problem, Problem::Nul | Problem::Header)
            && let Some(colon) = line.iter().position(|&byte| byte == b':')
        {
            line = &line[..=colon];
        }
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        let mut line: String = text.chars().take(MAX_QUOTED).collect();
        if line.len() < text.len() {
            line.push('…');
        }
        Self { problem, line }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// The number of bytes of the body that are still to come.
    Length(u64),
    /// The body ends with the connection.
    UntilClose,
    ChunkSize,
    /// The number of bytes of the chunk that are still to come.
    Chunk(u64),
    /// The line end after a chunk.
    ChunkEnd,
    Trailers,
    Done,
}

/// Decodes one response.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    /// `None` until the head is complete.
    pub(crate) status: Option<u16>,
    encoding: Encoding,
    /// Whether the connection may be used again.
    keep: bool,
    /// Whether the request was `HEAD`, the response to which has no body.
    is_head: bool,
}

impl Decoder {
    pub(crate) fn new(is_head: bool) -> Self {
        Self { state: State::Head, status: None, encoding: Encoding::Identity, keep: true, is_head }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the connection may be used for another request.
    pub(crate) fn keeps_alive(&self) -> bool {
        self.is_done() && self.keep
    }

    /// Whether the response is complete if the connection is closed now.
    pub(crate) fn is_whole_at_end(&self) -> bool {
        matches!(self.state, State::UntilClose | State::Done)
    }

    /// Takes as much as it can from the front of `bytes`, passes pieces of the body to `body` with their encoding, and returns the
    /// number of bytes taken. The rest must be offered again, followed by more.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        mut body: impl FnMut(Encoding, &[u8]),
    ) -> Result<usize, Malformed> {
        let mut taken = 0;
        while self.state != State::Done && taken < bytes.len() {
            let rest = &bytes[taken..];
            let step = match self.state {
                State::Head => self.take_head(rest, false)?,
                State::Length(left) | State::Chunk(left) => self.take_body(rest, left, &mut body),
                State::UntilClose => {
                    body(self.encoding, rest);
                    Some(rest.len())
                }
                State::ChunkSize | State::ChunkEnd | State::Trailers => self.take_line(rest)?,
                State::Done => None,
            };
            let Some(step) = step else { break };
            taken += step;
        }
        Ok(taken)
    }

    fn take_body(&mut self, rest: &[u8], left: u64, body: &mut impl FnMut(Encoding, &[u8])) -> Option<usize> {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        body(self.encoding, &rest[..here]);
        let left = left - here as u64;
        self.state = match (self.state, left) {
            (State::Length(_), 0) => State::Done,
            (State::Length(_), _) => State::Length(left),
            (_, 0) => State::ChunkEnd,
            (_, _) => State::Chunk(left),
        };
        Some(here)
    }

    /// Takes a line of the chunked framing. `None` if it is not complete yet.
    fn take_line(&mut self, rest: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some(end) = memchr::memchr(b'\n', &rest[..rest.len().min(MAX_LINE_BYTES + 1)]) else {
            let is_endless = rest.len() > MAX_LINE_BYTES;
            return if is_endless { Err(Malformed::new(Problem::Endless, rest)) } else { Ok(None) };
        };
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        self.state = match self.state {
            State::ChunkSize => match chunk_size(line)? {
                0 => State::Trailers,
                size => State::Chunk(size),
            },
            State::ChunkEnd if line.is_empty() => State::ChunkSize,
            State::Trailers if line.is_empty() => State::Done,
            State::Trailers if line.contains(&b':') || matches!(line[0], b' ' | b'\t') => State::Trailers,
            State::Trailers => return Err(Malformed::new(Problem::Trailer, line)),
            _ => return Err(Malformed::new(Problem::ChunkEnd, line)),
        };
        Ok(Some(end + 1))
    }

    /// Takes the head if it is complete. Header lines that only curl accepts are passed over if `is_odd`.
    fn take_head(&mut self, rest: &[u8], is_odd: bool) -> Result<Option<usize>, Malformed> {
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut []);
        let parsed = parser(is_odd).parse_response_with_uninit_headers(&mut head, rest, &mut headers);
        let length = match parsed {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) => return Ok(None),
            Err(_) if is_odd => {
                let line = unreadable_line(rest);
                let problem = if line.contains(&0) { Problem::Nul } else { Problem::Header };
                return Err(Malformed::new(problem, line));
            }
            Err(error) => {
                refuse_bad_line(rest, error)?;
                return self.take_head(rest, true);
            }
        };
        let status = match head.code {
            // Interim responses come before the real one. No request asks to switch protocols.
            Some(100 | 102..=199) => return Ok(Some(length)),
            Some(status @ 200..=599) => status,
            _ => return Err(Malformed::new(Problem::Status, rest.trim_ascii_start())),
        };
        self.status = Some(status);
        let framing = Framing::of(head.headers)?;
        self.encoding = framing.encoding;
        self.keep = match head.version {
            Some(1) => !framing.close,
            _ => framing.keep_alive && !framing.close,
        };
        self.state = match framing {
            _ if self.is_head || matches!(status, 204 | 304) => State::Done,
            Framing { chunked: true, length, .. } => {
                // Both framings together are a sign of request smuggling, and HTTP/1.0 has no chunks: do not use it again.
                self.keep &= length.is_none() && head.version == Some(1);
                State::ChunkSize
            }
            Framing { length: Some(0), .. } => State::Done,
            Framing { length: Some(length), .. } => State::Length(length),
            _ => {
                self.keep = false;
                State::UntilClose
            }
        };
        Ok(Some(length))
    }
}

/// Accepts what curl accepts: folded lines, a blank before the first name or before a colon, several blanks before the status.
fn parser(is_odd: bool) -> ParserConfig {
    let mut parser = ParserConfig::default();
    parser
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_space_before_first_header_name(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(is_odd);
    parser
}

/// The first complete line of a head that curl does not accept, either, after httparse refused the head.
fn refuse_bad_line(head: &[u8], error: httparse::Error) -> Result<(), Malformed> {
    use httparse::Error::{HeaderName, HeaderValue, NewLine, TooManyHeaders};
    let head = head.trim_ascii_start();
    match error {
        HeaderName | HeaderValue | NewLine => {}
        TooManyHeaders => return Err(Malformed::new(Problem::TooManyHeaders, head)),
        _ => return Err(Malformed::new(Problem::StatusLine, head)),
    }
    let whole = memchr::memrchr(b'\n', head).map_or(&head[..0], |end| &head[..end]);
    for (number, line) in lines(whole).skip(1).take_while(|line| !line.is_empty()).enumerate() {
        let is_folded = number > 0 && matches!(line[0], b' ' | b'\t');
        if line.contains(&0) {
            return Err(Malformed::new(Problem::Nul, line));
        }
        if !is_folded && !line.contains(&b':') {
            return Err(Malformed::new(Problem::Colon, line));
        }
    }
    Ok(())
}

/// The first line of a head with a character that no line may contain.
fn unreadable_line(head: &[u8]) -> &[u8] {
    lines(head).find(|line| line.contains(&0) || line.contains(&b'\r')).unwrap_or_default()
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The headers about the body and the connection.
#[derive(Debug, Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    encoding: Encoding,
}

impl Framing {
    fn of(headers: &[httparse::Header<'_>]) -> Result<Self, Malformed> {
        let mut framing = Self::default();
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                for part in header.value.split(|&byte| byte == b',') {
                    let length = number(part.trim_ascii(), 10)
                        .filter(|length| framing.length.is_none_or(|given| given == *length));
                    framing.length =
                        Some(length.ok_or_else(|| Malformed::new(Problem::Length, header.value))?);
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                // Only `chunked` as the last coding says where a body ends.
                let mut codings = header.value.rsplit(|&byte| byte == b',').map(<[u8]>::trim_ascii);
                let last = codings.next().unwrap_or_default();
                let is_chunked = last.eq_ignore_ascii_case(b"chunked");
                let is_known = is_chunked || last.eq_ignore_ascii_case(b"identity");
                let mut is_chunked_before = false;
                for coding in codings {
                    is_chunked_before |= coding.eq_ignore_ascii_case(b"chunked");
                    framing.encoding = framing.encoding.and(Encoding::from_header(coding));
                }
                if framing.chunked || !is_known || is_chunked_before {
                    return Err(Malformed::new(Problem::Coding, header.value));
                }
                framing.chunked = is_chunked;
            } else if header.name.eq_ignore_ascii_case("content-encoding") {
                framing.encoding = framing.encoding.and(Encoding::from_header(header.value));
            } else if header.name.eq_ignore_ascii_case("connection") {
                framing.close |= has_token(header.value, "close");
                framing.keep_alive |= has_token(header.value, "keep-alive");
            }
        }
        Ok(framing)
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let size = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    number(size, 16).ok_or_else(|| Malformed::new(Problem::ChunkSize, line))
}

/// Only digits: no sign, no space.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_plain = text.chars().all(|digit| digit.is_digit(radix));
    if is_plain { u64::from_str_radix(text, radix).ok() } else { None }
}

fn has_token(value: &[u8], token: &str) -> bool {
    value.split(|&byte| byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, body, whether it is complete, whether the connection is kept, bytes left over.
    type Outcome = Result<(Option<u16>, String, bool, bool, usize), Problem>;

    fn offered(is_head: bool, pieces: &[&[u8]]) -> Outcome {
        let (mut decoder, mut body, mut held) = (Decoder::new(is_head), Vec::new(), Vec::new());
        for piece in pieces {
            held.extend_from_slice(piece);
            let taken = decoder.take(&held, |_, piece| body.extend_from_slice(piece));
            let taken = taken.map_err(|malformed| malformed.problem)?;
            held.drain(..taken);
        }
        let body = String::from_utf8(body).unwrap();
        Ok((decoder.status, body, decoder.is_whole_at_end(), decoder.keeps_alive(), held.len()))
    }

    /// The outcome, the same wherever the response is cut.
    fn decoded(is_head: bool, text: &str) -> Outcome {
        let at_once = offered(is_head, &[text.as_bytes()]);
        for cut in 0..text.len() {
            let (head, tail) = text.as_bytes().split_at(cut);
            assert_eq!(offered(is_head, &[head, tail]), at_once, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(offered(is_head, &bytes), at_once, "byte by byte");
        at_once
    }

    fn whole(text: &str) -> (u16, String, bool) {
        let (status, body, whole, keep, left) = decoded(false, text).unwrap();
        assert!(whole && left == 0, "{text:?}");
        (status.unwrap(), body, keep)
    }

    #[test]
    fn a_body_by_length() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(whole(text), (200, "hello".into(), true));
        assert!(!decoded(false, &text[..text.len() - 1]).unwrap().2, "a byte is missing");
        assert_eq!(whole("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n"), (200, String::new(), true));
    }

    #[test]
    fn a_chunked_body_with_extensions_and_trailers() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n";
        assert_eq!(whole(text), (200, "hello".into(), true));
        assert!(!decoded(false, &text[..text.len() - 2]).unwrap().2, "the last line is missing");
        let folded = text.replace("A: b\r\n", "A: b\r\n c\r\n");
        assert_eq!(whole(&folded), (200, "hello".into(), true));
    }

    #[test]
    fn a_body_that_ends_with_the_connection() {
        assert_eq!(whole("HTTP/1.1 200 OK\r\n\r\nhello"), (200, "hello".into(), false));
        assert_eq!(whole("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nx"), (200, "x".into(), false));
    }

    #[test]
    fn responses_without_a_body() {
        assert_eq!(whole("HTTP/1.1 204 No Content\r\n\r\n"), (204, String::new(), true));
        assert_eq!(
            whole("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
            (304, String::new(), true)
        );
        let head = decoded(true, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").unwrap();
        assert_eq!(head, (Some(200), String::new(), true, true, 0));
    }

    #[test]
    fn interim_responses_are_skipped() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!";
        assert_eq!(whole(text), (200, "!".into(), true));
    }

    #[test]
    fn the_connection_header_is_obeyed() {
        let keeps = |head: &str| whole(&format!("{head}\r\nContent-Length: 1\r\n\r\n!")).2;
        assert!(!keeps("HTTP/1.1 200 OK\r\nConnection: Close"));
        assert!(!keeps("HTTP/1.0 200 OK"));
        assert!(keeps("HTTP/1.0 200 OK\r\nConnection: foo, Keep-Alive"));
        assert!(!keeps("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nConnection: close"));
    }

    #[test]
    fn pieces_of_the_body_come_with_their_encoding() {
        let encoding = |headers: &str| {
            let text = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 1\r\n\r\n!");
            let mut found = Encoding::Unknown;
            Decoder::new(false).take(text.as_bytes(), |encoding, _| found = encoding).unwrap();
            found
        };
        assert_eq!(encoding(""), Encoding::Identity);
        assert_eq!(encoding("content-encoding: GZIP\r\n"), Encoding::Gzip);
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\n!\r\n0\r\n\r\n";
        Decoder::new(false).take(text.as_bytes(), |found, _| assert_eq!(found, Encoding::Gzip)).unwrap();
        assert_eq!(encoding("Content-Encoding: gzip\r\nContent-Encoding: br\r\n"), Encoding::Unknown);
    }

    #[test]
    fn bytes_after_the_response_are_not_taken() {
        let (_, body, _, _, left) =
            decoded(false, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!garbage").unwrap();
        assert_eq!((body.as_str(), left), ("!", 7));
    }

    #[test]
    fn malformed_responses_are_errors() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let with = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n");
        for (text, problem) in [
            ("SSH-2.0-OpenSSH\r\n".to_owned(), Problem::StatusLine),
            ("HTTP/1.1 999 Nope\r\n\r\n".to_owned(), Problem::Status),
            ("HTTP/1.1 101 Switching\r\n\r\n".to_owned(), Problem::Status),
            (with("Content-Length: 1\r\nContent-Length: 2"), Problem::Length),
            (with("Content-Length: 1\r\n 2"), Problem::Length),
            (with("Content-Length: -1"), Problem::Length),
            (with("Content-Length: 99999999999999999999"), Problem::Length),
            (with("Transfer-Encoding: gzip"), Problem::Coding),
            (with("Transfer-Encoding: chunked, gzip"), Problem::Coding),
            (with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), Problem::Coding),
            (with("Content-Length: 1\r\nno colon"), Problem::Colon),
            (with("no colon"), Problem::Colon),
            (with(" no colon\r\nContent-Length: 1"), Problem::Colon),
            (with("A: \0"), Problem::Nul),
            (with("A: b\rc\r\nContent-Length: 1"), Problem::Header),
            (with(&"A: b\r\n".repeat(MAX_HEADERS + 1)), Problem::TooManyHeaders),
            (format!("{chunked}zz\r\n"), Problem::ChunkSize),
            (format!("{chunked}+3\r\n"), Problem::ChunkSize),
            (format!("{chunked}\r\n"), Problem::ChunkSize),
            (format!("{chunked}fffffffffffffffff\r\n"), Problem::ChunkSize),
            (format!("{chunked}1\r\nab\r\n"), Problem::ChunkEnd),
            (format!("{chunked}0\r\nno colon\r\n\r\n"), Problem::Trailer),
        ] {
            assert_eq!(decoded(false, &text), Err(problem), "{text:?}");
        }
        let endless = format!("{chunked}{}", "1".repeat(MAX_LINE_BYTES + 1));
        assert_eq!(offered(false, &[endless.as_bytes()]), Err(Problem::Endless));
    }

    #[test]
    fn header_lines_that_curl_accepts_are_accepted() {
        for lines in [
            "A: b\r\n c\r\n\td\r\nContent-Length: 1",
            "Content-Length:\r\n 1",
            "Content-Length: 1\r\nA: b\r\n without a colon",
            " A: b\r\nContent-Length: 1",
            "\tContent-Length: 1",
            "Content-Length : 1",
            "Content-Length\t: 1\r\nA :b",
            "X Y: z\r\nContent-Length: 1",
            "Content-Length: 1\r\n(x)@: y",
            "Content-Length: 1\r\nÄ: y",
            "A: \x01\r\nContent-Length: 1",
            "Content-Length: 1\r\n: y",
            "A:\nContent-Length: 1",
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n!");
            assert_eq!(whole(&text), (200, "!".into(), true), "{lines:?}");
        }
        assert_eq!(whole("HTTP/1.1  200  OK\r\nContent-Length: 1\r\n\r\n!"), (200, "!".into(), true));
        let folded = "HTTP/1.1 200 OK\r\nConnection: foo,\r\n close\r\nContent-Length: 1\r\n\r\n!";
        assert!(!whole(folded).2, "a folded value is read");
    }

    #[test]
    fn the_line_that_is_malformed_is_quoted() {
        let told = |text: &str| Decoder::new(false).take(text.as_bytes(), |_, _| {}).unwrap_err().to_string();
        let head = "HTTP/1.1 200 OK\r\nServer: x\r\n";
        insta::assert_snapshot!(
            [
                told("SSH-2.0-OpenSSH_9.2\r\n"),
                told("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
                told(&format!("{head}Warning in line 7 of {}\r\n\r\n", "x".repeat(100))),
                told(&format!("{head}A: b\0c\r\n\r\n")),
                told(&format!("{head}Content-Length: 5, 6\r\n\r\n")),
                told(&format!("{head}Transfer-Encoding: br\r\n\r\n")),
                told(&format!("{head}Transfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n")),
                told(&format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n")),
            ]
            .join("\n"),
            @r#"
        no status line of HTTP/1.1: "SSH-2.0-OpenSSH_9.2"
        a status that is not between 200 and 599: "HTTP/1.1 101 Switching Protocols"
        a header line without a colon: "Warning in line 7 of xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"
        a header line with a NUL byte: "A:"
        a Content-Length that is not one number: "5, 6"
        a Transfer-Encoding other than chunked: "br"
        a line that is not the size of a chunk: "five"
        a chunk longer than its declared size; it ends with: "ello"
        "#
        );
    }
}
