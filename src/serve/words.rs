//! Random words, quickly: what a model's output looks like from outside.

use fastrand::Rng;

/// Letters of the longest word and the space behind it: one machine word, so that copying is one store.
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

#[derive(Clone, Copy)]
struct Word {
    /// The letters, then spaces.
    padded: [u8; WIDTH],
    /// Letters and one space.
    length: usize,
}

const TABLE: [Word; WORDS.len()] = table();

const fn table() -> [Word; WORDS.len()] {
    let mut table = [Word { padded: [b' '; WIDTH], length: 0 }; WORDS.len()];
    let mut row = 0;
    while row < WORDS.len() {
        let letters = WORDS[row].as_bytes();
        assert!(letters.len() < WIDTH);
        let mut at = 0;
        while at < letters.len() {
            table[row].padded[at] = letters[at];
            at += 1;
        }
        table[row].length = letters.len() + 1;
        row += 1;
    }
    table
}

/// Most bytes that `count` words can take.
pub(super) const fn most_bytes(count: usize) -> usize {
    count * WIDTH
}

/// Appends `count` words, each followed by a space.
pub(super) fn append(text: &mut Vec<u8>, count: usize, rng: &mut Rng) {
    text.reserve(most_bytes(count));
    let mut left = count;
    while left > 0 {
        let draw = rng.u64(..).to_le_bytes();
        for byte in &draw[..left.min(draw.len())] {
            let word = &TABLE[usize::from(*byte) % TABLE.len()];
            let end = text.len() + word.length;
            text.extend_from_slice(&word.padded);
            text.truncate(end);
        }
        left = left.saturating_sub(draw.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(count: usize, seed: u64) -> String {
        let mut text = Vec::new();
        append(&mut text, count, &mut Rng::with_seed(seed));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn there_are_as_many_words_as_asked_for() {
        for count in [0, 1, 7, 8, 9, 1000] {
            let text = words(count, 1);
            let found: Vec<_> = text.split_terminator(' ').collect();
            assert_eq!(found.len(), count);
            assert!(found.iter().all(|word| WORDS.contains(word)), "{text}");
            assert!(text.len() <= most_bytes(count));
        }
    }

    #[test]
    fn the_words_are_random_and_all_are_used() {
        assert_ne!(words(50, 1), words(50, 2));
        let text = words(10_000, 1);
        assert!(WORDS.iter().all(|word| text.split(' ').any(|found| found == *word)));
    }

    #[test]
    fn no_word_stands_twice_in_the_list() {
        let mut sorted = WORDS.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), WORDS.len());
    }
}
