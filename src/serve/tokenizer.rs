//! The response of `/tokenizer`: random words in JSON.
//!
//! The JSON is written directly into the buffer that is sent, because 300,000 words are 1.7 MB.

use std::sync::LazyLock;

use axum::extract::Query;
use axum::http::Uri;
use fastrand::Rng;
use serde::Deserialize;

const CHARACTERS_PER_TOKEN: usize = 4;
/// The largest number of tokens a request may ask for, because the response is held in memory.
const MAX_OUTPUT_TOKENS: usize = 10_000_000;
/// Words written before other tasks get their turn: about 20 µs of work.
const SLICE_WORDS: usize = 8_192;
/// Space for the names of the four fields and the two numbers.
const FRAME_BYTES: usize = 128;
/// Bytes of the longest word and the space after it: one machine word, so that copying is a single store.
const WIDTH: usize = 8;

const WORDS: [&str; 128] = [
    "anchor", "arch", "apple", "amber", "beacon", "berth", "bridge", "brine", "buoy", "cabin", "cable",
    "canal", "cargo", "chain", "chart", "clear", "cloud", "coast", "compass", "copper", "coral", "crane",
    "crew", "current", "dawn", "deck", "deep", "delta", "depth", "dock", "draft", "drift", "dune", "east",
    "ebb", "eddy", "engine", "evening", "fair", "ferry", "flag", "fleet", "float", "flood", "foam", "fog",
    "foot", "frame", "freight", "gale", "gauge", "glass", "gold", "grain", "granite", "green", "gulf",
    "gull", "harbour", "hatch", "haul", "heavy", "helm", "high", "hold", "horizon", "hull", "ice", "inlet",
    "iron", "island", "jetty", "keel", "kelp", "knot", "ladder", "lagoon", "lamp", "land", "lantern",
    "level", "light", "line", "load", "lock", "log", "mark", "mast", "mate", "mist", "moon", "moor",
    "morning", "north", "oar", "ocean", "paint", "pier", "pilot", "plank", "port", "quay", "rain", "reef",
    "ridge", "rope", "rudder", "sail", "salt", "sand", "shore", "signal", "silver", "south", "spar", "star",
    "steam", "stern", "stone", "storm", "strait", "summer", "surf", "tide", "timber", "tow", "wave", "wind",
];

struct Word {
    /// The letters, filled up with spaces.
    padded: [u8; WIDTH],
    /// Letters and one space.
    length: usize,
}

static TABLE: LazyLock<[Word; WORDS.len()]> = LazyLock::new(|| {
    WORDS.map(|word| {
        let mut padded = [b' '; WIDTH];
        padded[..word.len()].copy_from_slice(word.as_bytes());
        Word { padded, length: word.len() + 1 }
    })
});

/// A valid query of `/tokenizer`.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Question {
    input_text: String,
    output_tokens: usize,
}

impl Question {
    /// `None` if a field is missing, empty or out of range.
    pub(super) fn parse(uri: &Uri) -> Option<Self> {
        let Query(question) = Query::<Self>::try_from_uri(uri).ok()?;
        let is_valid =
            !question.input_text.is_empty() && (1..=MAX_OUTPUT_TOKENS).contains(&question.output_tokens);
        is_valid.then_some(question)
    }

    /// The JSON of the response.
    pub(super) async fn answer(&self) -> Vec<u8> {
        let text_bytes = self.input_text.len() + self.output_tokens * WIDTH;
        let mut json = Vec::with_capacity(text_bytes + FRAME_BYTES);
        json.extend_from_slice(br#"{"input_text":"#);
        serde_json::to_writer(&mut json, &self.input_text)
            .expect("a string is JSON and a Vec takes every byte");
        json.extend_from_slice(br#","output_text":""#);
        self.append_output(&mut json).await;
        let (input, output) = (count_tokens(&self.input_text), self.output_tokens);
        json.extend(format!(r#"","input_tokens":{input},"output_tokens":{output}}}"#).into_bytes());
        json
    }

    async fn append_output(&self, json: &mut Vec<u8>) {
        let mut rng = Rng::new();
        let mut left = self.output_tokens;
        while left > SLICE_WORDS {
            append_words(json, SLICE_WORDS, &mut rng);
            left -= SLICE_WORDS;
            tokio::task::yield_now().await;
        }
        append_words(json, left, &mut rng);
        json.pop(); // the space after the last word
    }
}

/// The number of characters divided by four, rounded up.
fn count_tokens(text: &str) -> usize {
    text.chars().count().div_ceil(CHARACTERS_PER_TOKEN)
}

/// Appends `count` random words, each followed by a space.
fn append_words(text: &mut Vec<u8>, count: usize, rng: &mut Rng) {
    text.reserve(count * WIDTH);
    let table = &*TABLE;
    let mut left = count;
    while left > 0 {
        let random = rng.u64(..).to_le_bytes();
        for byte in &random[..left.min(random.len())] {
            let word = &table[usize::from(*byte) % WORDS.len()];
            let end = text.len() + word.length;
            text.extend_from_slice(&word.padded);
            text.truncate(end);
        }
        left = left.saturating_sub(random.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Option<Question> {
        Question::parse(&format!("/tokenizer?{query}").parse().unwrap())
    }

    fn words(count: usize, seed: u64) -> String {
        let mut text = Vec::new();
        append_words(&mut text, count, &mut Rng::with_seed(seed));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn tokens_are_characters_divided_by_four_rounded_up() {
        let known =
            [("a", 1), ("abcd", 1), ("abcde", 2), ("abcdefgh", 2), ("äöüß", 1), ("日本語日本", 2), ("", 0)];
        for (text, tokens) in known {
            assert_eq!(count_tokens(text), tokens, "{text}");
        }
    }

    #[test]
    fn a_query_is_decoded() {
        let question = parse("output_tokens=3&input_text=a+b%20%22%C3%A4").unwrap();
        assert_eq!(question, Question { input_text: "a b \"ä".to_owned(), output_tokens: 3 });
        assert!(parse("x=1&input_text=a&output_tokens=10000000").is_some());
    }

    #[test]
    fn a_query_with_a_missing_or_bad_field_is_invalid() {
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
            assert_eq!(parse(query), None, "{query}");
        }
    }

    #[test]
    fn a_long_response_gives_other_tasks_their_turn() {
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
    fn the_response_is_json_with_the_four_fields_for_any_input() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (input_text, output_tokens) in
            [("abcdefgh", 1), ("\"\\\n\u{0}ä日", 8192), ("x", 8193), ("y", 30_000)]
        {
            let question = Question { input_text: input_text.to_owned(), output_tokens };
            let json: serde_json::Value =
                serde_json::from_slice(&runtime.block_on(question.answer())).unwrap();
            assert_eq!(json["input_text"], input_text);
            assert_eq!(json["input_tokens"], count_tokens(input_text));
            assert_eq!(json["output_tokens"], output_tokens);
            assert_eq!(json["output_text"].as_str().unwrap().split(' ').count(), output_tokens);
            assert_eq!(json.as_object().unwrap().len(), 4);
        }
    }

    #[test]
    fn the_requested_number_of_words_is_written() {
        for count in [0, 1, 7, 8, 9, 1000] {
            let text = words(count, 1);
            let found: Vec<_> = text.split_terminator(' ').collect();
            assert_eq!(found.len(), count);
            assert!(found.iter().all(|word| WORDS.contains(word)), "{text}");
            assert!(text.len() <= count * WIDTH);
        }
    }

    #[test]
    fn words_are_random_and_all_are_used() {
        assert_ne!(words(50, 1), words(50, 2));
        let text = words(10_000, 1);
        assert!(WORDS.iter().all(|word| text.split(' ').any(|found| found == *word)));
    }

    #[test]
    fn no_word_is_listed_twice() {
        let mut sorted = WORDS.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), WORDS.len());
    }
}
