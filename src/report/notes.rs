//! Notes of one kind that differ in nothing but their numbers are printed once, with the cells that they concern.

use crate::judge::Note;
use crate::report::text;
use crate::report::view::GroupView;

/// Notes of one kind, and what they concern.
struct Merged {
    /// With the smallest of their numbers.
    low: Note,
    /// With the largest.
    high: Note,
    concerned: Vec<String>,
}

/// Adds a note to those of its kind.
fn add(all: &mut Vec<Merged>, note: &Note, concerned: String) {
    match all.iter_mut().find_map(|merged| Some((span(merged, note)?, merged))) {
        Some(((low, high), merged)) => {
            (merged.low, merged.high) = (low, high);
            if !merged.concerned.contains(&concerned) {
                merged.concerned.push(concerned);
            }
        }
        None => all.push(Merged { low: note.clone(), high: note.clone(), concerned: vec![concerned] }),
    }
}

/// The smallest and the largest numbers of merged notes and another one; `None` if it is of another kind.
fn span(merged: &Merged, note: &Note) -> Option<(Note, Note)> {
    let pick = |one: &Note, choose: fn(usize, usize) -> usize| match (one, note) {
        (
            Note::StoredRunsLeftOut { count, reason },
            Note::StoredRunsLeftOut { count: other, reason: why },
        ) if reason == why => {
            Some(Note::StoredRunsLeftOut { count: choose(*count, *other), reason: reason.clone() })
        }
        (Note::OtherTestBed(count), Note::OtherTestBed(other)) => {
            Some(Note::OtherTestBed(choose(*count, *other)))
        }
        _ => (one == note).then(|| note.clone()),
    };
    Some((pick(&merged.low, usize::min)?, pick(&merged.high, usize::max)?))
}

/// Takes each note that more than one cell has from its cells, and returns its sentence with their ids, in the order of the first.
pub(crate) fn shared(groups: &mut [GroupView]) -> Vec<String> {
    let cells = || groups.iter().flat_map(|group| &group.cells);
    let number = cells().count();
    let mut all = Vec::new();
    for cell in cells() {
        cell.notes.iter().for_each(|note| add(&mut all, note, cell.full_id()));
    }
    all.retain(|merged| merged.concerned.len() > 1);
    for cell in groups.iter_mut().flat_map(|group| &mut group.cells) {
        cell.notes.retain(|note| !all.iter().any(|merged| span(merged, note).is_some()));
    }
    let sentence = |merged: &Merged| {
        let cells = cells_in_words(&merged.concerned, number);
        format!("{cells}: {}", text::note(&merged.low, &merged.high))
    };
    all.iter().map(sentence).collect()
}

/// The cells that a note concerns, of `all` cells.
fn cells_in_words(ids: &[String], all: usize) -> String {
    if ids.len() == all {
        format!("All {all} cells")
    } else {
        format!("{} cells ({})", ids.len(), text::named(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Reason, Verdict};
    use crate::report::samples::report_of;

    fn recorded(note: &str) -> Note {
        Note::Recorded(note.to_owned())
    }

    fn groups(notes: &[&[Note]]) -> Vec<GroupView> {
        let mut groups = report_of(&vec![Verdict::Unchanged; notes.len()]).groups;
        for (cell, notes) in groups[0].cells.iter_mut().zip(notes) {
            cell.notes = notes.to_vec();
        }
        groups
    }

    #[test]
    fn a_note_of_several_cells_is_printed_once_and_one_of_a_single_cell_stays_there() {
        let mut groups =
            groups(&[&[recorded("too few"), recorded("it drifted")], &[], &[recorded("too few")]]);
        let printed = shared(&mut groups);
        assert_eq!(printed, ["2 cells (tokenizer/3k_tokens/5, tokenizer/3k_tokens/15): too few"]);
        assert_eq!(groups[0].cells[0].notes, [recorded("it drifted")]);
        assert!(groups[0].cells[2].notes.is_empty());
        assert!(shared(&mut groups).is_empty());
    }

    #[test]
    fn many_cells_are_counted_and_all_of_them_need_no_names() {
        let [n, m] = [[recorded("n")], [recorded("m")]];
        assert_eq!(shared(&mut groups(&[&n, &n])), ["All 2 cells: n"]);
        let printed = shared(&mut groups(&[&n, &n, &n, &n, &n, &m]));
        let names = "tokenizer/3k_tokens/5, tokenizer/3k_tokens/10, tokenizer/3k_tokens/15 and 2 more";
        assert_eq!(printed, [format!("5 cells ({names}): n")]);
    }

    #[test]
    fn notes_that_differ_in_numbers_alone_are_one_with_their_ranges() {
        let left_out = |count, reason: Reason| [Note::StoredRunsLeftOut { count, reason }];
        let [a, b] = [1, 3].map(|count| left_out(count, Reason::Redefined));
        let other = left_out(2, Reason::StoredFailures(0.95));
        let printed = shared(&mut groups(&[&a, &b, &other]));
        let cells = "2 cells (tokenizer/3k_tokens/5, tokenizer/3k_tokens/10)";
        let note = "1 to 3 stored runs are left out. The cell was redefined since. Record a new baseline.";
        assert_eq!(printed, [format!("{cells}: {note}")]);
    }
}
