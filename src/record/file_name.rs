//! Names of groups, benches and baselines as names of files: anything goes in, and two names never meet in one file.

use sha2::{Digest, Sha256};

use crate::hex::hex;

/// What stands before the two hex digits of an encoded byte. Unlike `%` it needs no escape in a link.
const ESCAPE: char = '=';
/// What stands between the start of a long name and its digest; after the escape it is no hex digit, so that it cannot be
/// confused with an encoded byte.
const CUT: &str = "=-";
/// The longest name that is encoded whole: file systems allow 255 bytes, and an ending and a temporary file's name are added.
const LONGEST: usize = 180;
/// Bytes of the digest that tells long names apart.
const DIGEST_BYTES: usize = 8;

/// A name as the name of a file, without an ending.
///
/// Lower-case letters, digits, `_`, `-` and inner dots stay; every other byte becomes `=` and two hex digits, capital
/// letters too, since some file systems do not tell them from small ones. Very long names are cut and get a digest.
pub fn file_name(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => encoded.push(char::from(byte)),
            b'.' if index > 0 => encoded.push('.'),
            _ => encoded.push_str(&format!("{ESCAPE}{byte:02x}")),
        }
    }
    if encoded.is_empty() {
        return ESCAPE.to_string();
    }
    if encoded.len() > LONGEST {
        let hash = Sha256::digest(name.as_bytes());
        let digest = hex(&hash, DIGEST_BYTES);
        encoded.truncate(LONGEST - CUT.len() - digest.len());
        encoded = format!("{encoded}{CUT}{digest}");
    }
    encoded
}

/// The name that [`file_name`] made this of; nothing when it was cut, or was not made by it.
pub(crate) fn name_of(encoded: &str) -> Option<String> {
    if encoded == ESCAPE.to_string() {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        if character == ESCAPE {
            let digits = rest.get(..2)?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.extend(character.to_string().as_bytes());
        }
    }
    String::from_utf8(bytes).ok().filter(|name| file_name(name) == encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_come_back_and_never_meet() {
        let names = [
            "", "a", "A", "a/b", "a=2fb", "..", "...", ".a", "a.", "ü", "東京", "=", "=-", "a b", "a\0b",
            "a\nb", "con%",
        ];
        let mut seen = BTreeSet::new();
        for name in names {
            let file = file_name(name);
            assert_eq!(name_of(&file).as_deref(), Some(name), "{file}");
            assert!(!file.starts_with('.') && !file.contains('/'), "{file}");
            assert!(seen.insert(file.to_lowercase()), "{file} is there twice");
        }
    }

    #[test]
    fn long_names_fit_and_stay_apart() {
        let (one, other) = ("東".repeat(200), format!("{}x", "東".repeat(199)));
        assert_ne!(file_name(&one), file_name(&other));
        for name in [&one, &other] {
            assert!(file_name(name).len() <= LONGEST);
            assert_eq!(name_of(&file_name(name)), None);
        }
        assert_eq!(name_of(&file_name(&"a".repeat(LONGEST))), Some("a".repeat(LONGEST)));
    }

    #[test]
    fn what_it_did_not_make_is_no_name() {
        for file in ["A", "=2", "=zz", "=+1", "=2F", ".git", "=61"] {
            assert_eq!(name_of(file), None, "{file}");
        }
    }
}
