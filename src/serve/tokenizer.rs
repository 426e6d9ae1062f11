//! The tokenizer's answer: its input read and checked, its JSON written.
//!
//! The JSON goes straight into the buffer that is sent: 300,000 words are 1.7 MB, which nobody wants to copy twice.

use axum::extract::Query;
use axum::http::Uri;
use fastrand::Rng;
use serde::Deserialize;

use super::words;

/// Characters that one token stands for.
const CHARACTERS_PER_TOKEN: usize = 4;
/// Most tokens a request may ask for: the answer is held in memory.
const MOST_OUTPUT_TOKENS: usize = 10_000_000;
/// Words written before others get their turn: some 20 µs.
const SLICE_WORDS: usize = 8_192;
/// Room for the names of the four fields and the two numbers.
const FRAME_BYTES: usize = 128;

#[derive(Deserialize)]
struct Fields {
    input_text: String,
    output_tokens: usize,
}

/// What was asked for, known to be answerable.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    input_text: String,
    output_tokens: usize,
}

impl Question {
    /// `None` is `Invalid input`.
    pub(super) fn read(uri: &Uri) -> Option<Self> {
        let Query(Fields { input_text, output_tokens }) = Query::try_from_uri(uri).ok()?;
        let valid = !input_text.is_empty() && (1..=MOST_OUTPUT_TOKENS).contains(&output_tokens);
        valid.then_some(Self { input_text, output_tokens })
    }

    /// The JSON of the answer.
    pub(super) async fn answer(&self) -> Vec<u8> {
        let text_bytes = self.input_text.len() + words::most_bytes(self.output_tokens);
        let mut json = Vec::with_capacity(text_bytes + FRAME_BYTES);
        json.extend_from_slice(br#"{"input_text":"#);
        serde_json::to_writer(&mut json, &self.input_text).expect("a string is JSON, a Vec takes every byte");
        json.extend_from_slice(br#","output_text":""#);
        self.append_output(&mut json).await;
        json.extend_from_slice(br#"","input_tokens":"#);
        json.extend_from_slice(tokens_of(&self.input_text).to_string().as_bytes());
        json.extend_from_slice(br#","output_tokens":"#);
        json.extend_from_slice(self.output_tokens.to_string().as_bytes());
        json.push(b'}');
        json
    }

    async fn append_output(&self, json: &mut Vec<u8>) {
        let mut rng = Rng::new();
        let mut left = self.output_tokens;
        while left > SLICE_WORDS {
            words::append(json, SLICE_WORDS, &mut rng);
            left -= SLICE_WORDS;
            tokio::task::yield_now().await;
        }
        words::append(json, left, &mut rng);
        json.pop(); // the space behind the last word
    }
}

/// Tokens of an input text: its characters divided by four, rounded up.
fn tokens_of(text: &str) -> usize {
    text.chars().count().div_ceil(CHARACTERS_PER_TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<Question> {
        Question::read(&format!("/tokenizer?{query}").parse().unwrap())
    }

    #[test]
    fn tokens_are_characters_by_four_rounded_up() {
        let known =
            [("a", 1), ("abcd", 1), ("abcde", 2), ("abcdefgh", 2), ("äöüß", 1), ("日本語日本", 2), ("", 0)];
        for (text, tokens) in known {
            assert_eq!(tokens_of(text), tokens, "{text}");
        }
    }

    #[test]
    fn a_question_is_decoded() {
        let question = read("output_tokens=3&input_text=a+b%20%22%C3%A4").unwrap();
        assert_eq!(question, Question { input_text: "a b \"ä".to_owned(), output_tokens: 3 });
        assert!(read("x=1&input_text=a&output_tokens=10000000").is_some());
    }

    #[test]
    fn what_cannot_be_answered_is_invalid() {
        let invalid = [
            "",
            "input_text=a",
            "output_tokens=3",
            "input_text=&output_tokens=3",
            "input_text=a&output_tokens=",
            "input_text=a&output_tokens=0",
            "input_text=a&output_tokens=-1",
            "input_text=a&output_tokens=2.5",
            "input_text=a&output_tokens=many",
            "input_text=a&output_tokens=10000001",
            "input_text=a&output_tokens=99999999999999999999999",
            "input_text=a&output_tokens=3&output_tokens=4",
        ];
        for query in invalid {
            assert_eq!(read(query), None, "{query}");
        }
    }

    #[test]
    fn a_long_answer_gives_others_their_turns() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let turns = std::cell::Cell::new(0);
        let others = async {
            loop {
                turns.set(turns.get() + 1);
                tokio::task::yield_now().await;
            }
        };
        let question = Question { input_text: "abcd".to_owned(), output_tokens: 300_000 };
        runtime.block_on(async {
            tokio::select! {
                _ = question.answer() => {}
                () = others => {}
            }
        });
        assert!(turns.get() >= 300_000 / SLICE_WORDS, "{}", turns.get());
    }

    #[test]
    fn the_answer_is_json_with_the_four_fields_for_any_input() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (input_text, output_tokens) in
            [("abcdefgh", 1), ("\"\\\n\u{0}ä日", 8192), ("x", 8193), ("y", 30_000)]
        {
            let question = Question { input_text: input_text.to_owned(), output_tokens };
            let json: serde_json::Value =
                serde_json::from_slice(&runtime.block_on(question.answer())).unwrap();
            assert_eq!(json["input_text"], input_text);
            assert_eq!(json["input_tokens"], tokens_of(input_text));
            assert_eq!(json["output_tokens"], output_tokens);
            assert_eq!(json["output_text"].as_str().unwrap().split(' ').count(), output_tokens);
            assert_eq!(json.as_object().unwrap().len(), 4);
        }
    }
}
