//! Notes that differ in nothing but their numbers are said once: with the cells that they concern, or with the groups.
//!
//! Cells flow in and lose what they share; what they share flows out, for the notes on the whole.

use super::view::GroupView;
use super::words;

/// Stands for the name of a group.
const ANY_GROUP: &str = "`*`";

/// Notes of one wording, and whom they concern.
#[derive(Debug)]
struct Kind {
    wording: String,
    notes: Vec<String>,
    concerned: Vec<String>,
}

/// Adds a note to its kind.
fn add(kinds: &mut Vec<Kind>, note: String, concerned: Option<String>) {
    let wording = wording(&note);
    let place = kinds.iter().position(|kind| kind.wording == wording).unwrap_or_else(|| {
        kinds.push(Kind { wording, notes: Vec::new(), concerned: Vec::new() });
        kinds.len() - 1
    });
    kinds[place].notes.push(note);
    kinds[place].concerned.extend(concerned);
    kinds[place].concerned.dedup();
}

/// Takes each note that more than one cell has from its cells, and gives it with their ids, in the order of its first one.
pub(crate) fn shared(groups: &mut [GroupView]) -> Vec<String> {
    let cells = || groups.iter().flat_map(|group| &group.cells);
    let number = cells().count();
    let mut kinds = Vec::new();
    for cell in cells() {
        cell.notes.iter().for_each(|note| add(&mut kinds, note.clone(), Some(cell.full_id())));
    }
    kinds.retain(|kind| kind.concerned.len() > 1);
    for cell in groups.iter_mut().flat_map(|group| &mut group.cells) {
        cell.notes.retain(|note| !kinds.iter().any(|kind| kind.wording == wording(note)));
    }
    kinds
        .iter()
        .map(|kind| format!("{}: {}", cells_in_words(&kind.concerned, number), joined(&kind.notes)))
        .collect()
}

/// Notes on groups, each wording once, with the names of all groups that it is said of.
pub(crate) fn over_groups(notes: &[String], groups: &[GroupView]) -> Vec<String> {
    let mut kinds = Vec::new();
    for note in notes {
        let quoted = groups.iter().map(|group| format!("`{}`", group.name));
        match quoted.into_iter().find(|name| note.contains(name)) {
            Some(name) => add(&mut kinds, note.replacen(&name, ANY_GROUP, 1), Some(name)),
            None => add(&mut kinds, note.clone(), None),
        }
    }
    let told = |kind: &Kind| joined(&kind.notes).replacen(ANY_GROUP, &words::list(&kind.concerned), 1);
    kinds.iter().map(told).collect()
}

/// The cells that a note concerns, out of so many.
fn cells_in_words(ids: &[String], of: usize) -> String {
    match ids.len() {
        all if all == of => format!("All {of} cells"),
        some => format!("{some} cells ({})", words::named(ids)),
    }
}

/// A word as what stands before its number, the number, and what stands behind; a word without a number stands before.
fn parted(word: &str) -> (&str, &str, &str) {
    let (open, rest) = word.split_at(word.len() - word.trim_start_matches('(').len());
    let (number, behind) = rest.split_at(rest.trim_end_matches(|c: char| !c.is_ascii_digit()).len());
    if value(number).is_some() { (open, number, behind) } else { (word, "", "") }
}

fn value(number: &str) -> Option<f64> {
    number.replace(',', "").parse().ok()
}

/// A note without its numbers: what notes of one kind have in common.
fn wording(note: &str) -> String {
    let without = |word: &str| match parted(word) {
        (word, "", _) => word.to_owned(),
        (open, _, behind) => format!("{open}#{behind}"),
    };
    note.split(' ').map(without).collect::<Vec<_>>().join(" ")
}

/// Notes of one wording as one, with the range of each number in which they differ.
fn joined(notes: &[String]) -> String {
    let Some(first) = notes.first() else { return String::new() };
    let word = |(index, word): (usize, &str)| {
        let (open, number, behind) = parted(word);
        let mut numbers: Vec<&str> =
            notes.iter().filter_map(|note| note.split(' ').nth(index)).map(|word| parted(word).1).collect();
        numbers.sort_by(|a, b| value(a).unwrap_or(0.0).total_cmp(&value(b).unwrap_or(0.0)));
        match (numbers.first(), numbers.last()) {
            (Some(least), Some(most)) if least != most => format!("{open}{least} to {most}{behind}"),
            _ => format!("{open}{number}{behind}"),
        }
    };
    first.split(' ').enumerate().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::report::samples::report_of;

    fn groups(notes: &[&[&str]]) -> Vec<GroupView> {
        let mut groups = report_of(&vec![Verdict::Unchanged; notes.len()]).groups;
        for (cell, notes) in groups[0].cells.iter_mut().zip(notes) {
            cell.notes = notes.iter().map(|&note| note.to_owned()).collect();
        }
        groups
    }

    #[test]
    fn a_note_of_several_cells_is_said_once_and_one_of_a_single_cell_stays_there() {
        let mut groups = groups(&[&["too few", "it drifted"], &[], &["too few"]]);
        let said = shared(&mut groups);
        assert_eq!(said, ["2 cells (tokenizer/3k_tokens/5, tokenizer/3k_tokens/15): too few"]);
        assert_eq!(groups[0].cells[0].notes, ["it drifted"]);
        assert!(groups[0].cells[2].notes.is_empty());
        assert!(shared(&mut groups).is_empty());
    }

    #[test]
    fn many_cells_are_counted_and_all_of_them_need_no_names() {
        assert_eq!(shared(&mut groups(&[&["n"], &["n"]])), ["All 2 cells: n"]);
        let said = shared(&mut groups(&[&["n"], &["n"], &["n"], &["n"], &["n"], &["m"]]));
        let names = "tokenizer/3k_tokens/5, tokenizer/3k_tokens/10, tokenizer/3k_tokens/15 and 2 more";
        assert_eq!(said, [format!("5 cells ({names}): n")]);
    }

    #[test]
    fn notes_that_differ_in_numbers_alone_are_one_with_their_ranges() {
        let drift =
            |by: &str| format!("latency p50 drifted over its 30 launches by {by} %: it is (0.{}).", by.len());
        let (a, b, c) = (drift("+11.0"), drift("-3.1"), drift("+2.0"));
        let mut groups = groups(&[&[&a], &[&b], &[&c, "latency p99 drifted"], &["latency p95 drifted"]]);
        let said = shared(&mut groups);
        let names = "tokenizer/3k_tokens/5, tokenizer/3k_tokens/10, tokenizer/3k_tokens/15";
        let range = "latency p50 drifted over its 30 launches by -3.1 to +11.0 %: it is (0.4 to 0.5).";
        assert_eq!(said, [format!("3 cells ({names}): {range}")]);
        assert_eq!(groups[0].cells[2].notes, ["latency p99 drifted"], "a percentile's name is no number");
        assert_eq!(joined(&["1,200 of 9".into(), "900 of 9".into()]), "900 to 1,200 of 9");
    }

    #[test]
    fn what_is_said_of_several_groups_is_said_once() {
        let mut groups = groups(&[&[]]);
        groups.push(GroupView { name: "mixed answers".into(), ..groups[0].clone() });
        let of = |group: &str, minutes: u32| {
            format!("The 5 stored runs of `{group}` were taken within {minutes} minutes.")
        };
        let notes = [of("tokenizer", 11), "Else.".into(), of("mixed answers", 9), of("gone", 9)];
        let expected = [
            "The 5 stored runs of `tokenizer` and `mixed answers` were taken within 9 to 11 minutes."
                .to_owned(),
            "Else.".to_owned(),
            of("gone", 9),
        ];
        assert_eq!(over_groups(&notes, &groups), expected);
    }
}
