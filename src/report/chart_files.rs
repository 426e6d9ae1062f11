//! The names of chart files: distinct, valid in a file system, and recognisable, so that charts of an earlier run can be removed.

use crate::record::file_name;

/// The chart of the whole call. The names of the others are their kind and a group, function or cell.
pub(crate) const CHANGE: &str = "change";
/// Kinds of charts of a group, of a function or of a cell.
pub(crate) const KINDS: [&str; 4] = [THROUGHPUT, LATENCY, ROUNDS, PERCENTILES];
pub(crate) const THROUGHPUT: &str = "throughput";
pub(crate) const LATENCY: &str = "latency";
pub(crate) const ROUNDS: &str = "rounds";
pub(crate) const PERCENTILES: &str = "percentiles";
pub(crate) const ENDINGS: [&str; 2] = [".svg", ".png"];
/// Between group and function. No encoded name contains it.
const BETWEEN: &str = "~";
/// With kind and ending, longer names would not fit into a file system.
const MAX_LEN: usize = 200;

/// The name of a chart of a group.
pub(crate) fn of_group(kind: &str, group: &str) -> String {
    format!("{kind}-{}", file_name(group))
}

/// The name of a chart of a function or cell: both names encoded, and cut if that is too long.
pub(crate) fn of_pair(kind: &str, group: &str, function: &str) -> String {
    let both = format!("{}{BETWEEN}{}", file_name(group), file_name(function));
    let both = if both.len() <= MAX_LEN { both } else { file_name(&format!("{group}{BETWEEN}{function}")) };
    format!("{kind}-{both}")
}

/// Whether a chart of ours can have this file name.
pub(crate) fn is_ours(file: &str) -> bool {
    let Some(name) = ENDINGS.iter().find_map(|ending| file.strip_suffix(ending)) else { return false };
    let is_encoded = |rest: &str| {
        let of_one = |part: &str| !part.is_empty() && !part.starts_with('.');
        let letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'=' | b'~');
        rest.len() <= MAX_LEN && rest.bytes().all(letter) && rest.splitn(2, BETWEEN).all(of_one)
    };
    let of_kind = |kind: &&str| name.strip_prefix(*kind)?.strip_prefix('-').filter(|rest| is_encoded(rest));
    name == CHANGE || KINDS.iter().any(|kind| of_kind(kind).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_fit_into_a_file_system_and_differ() {
        let (long, other) = ("ä".repeat(300), format!("{}b", "ä".repeat(299)));
        let of = |group: &str, function: &str| of_pair(PERCENTILES, group, function);
        let names = [of(&long, &long), of(&long, &other), of("a", &long)];
        assert!(names.iter().all(|name| name.len() <= PERCENTILES.len() + 1 + MAX_LEN), "{names:?}");
        assert!(names[0] != names[1] && names[1] != names[2]);
        assert_eq!(of("g", "a/b"), "percentiles-g~a=2fb");
    }

    #[test]
    fn its_own_names_are_recognised() {
        for group in ["tokenizer", "", "..", "東京 <\"&>", &"ä".repeat(300)] {
            for kind in KINDS {
                for name in [of_group(kind, group), of_pair(kind, group, ""), of_pair(kind, group, "A/5")] {
                    assert!(ENDINGS.iter().all(|ending| is_ours(&format!("{name}{ending}"))), "{name}");
                }
            }
        }
        assert!(is_ours("change.svg") && is_ours("change.png"));
    }

    #[test]
    fn other_names_are_not_ours() {
        let others = [
            "index.html",
            "run.json",
            "change.pdf",
            "change",
            "changes.svg",
            "my-change.svg",
            "rounds.png",
            "rounds-.png",
            "latency-My group.svg",
            "latency-Mine.svg",
            "throughput-a.svg.bak",
            "notes-a.png",
            "latency-../x.svg",
            "percentiles-a~.svg",
        ];
        for other in others {
            assert!(!is_ours(other), "{other}");
        }
    }
}
