//! Notes that several cells share are said once, with the cells that they concern.
//!
//! Cells flow in and lose what they share; what they share flows out, for the notes on the whole.

use super::view::{CellView, GroupView};
use super::words;

/// Takes each note that more than one cell has from its cells, and gives it with their ids, in the order of its first one.
pub(crate) fn shared(groups: &mut [GroupView]) -> Vec<String> {
    let cells = || groups.iter().flat_map(|group| &group.cells);
    let number = cells().count();
    let mut shared: Vec<(String, Vec<String>)> = Vec::new();
    for note in cells().flat_map(|cell| &cell.notes) {
        let having = || cells().filter(|cell| cell.notes.contains(note));
        let is_told = shared.iter().any(|(told, _)| told == note);
        if !is_told && having().count() > 1 {
            shared.push((note.clone(), having().map(CellView::full_id).collect()));
        }
    }
    for cell in groups.iter_mut().flat_map(|group| &mut group.cells) {
        cell.notes.retain(|note| !shared.iter().any(|(told, _)| told == note));
    }
    shared.iter().map(|(note, ids)| format!("{}: {note}", concerned(ids, number))).collect()
}

/// The cells that a note concerns, out of so many.
fn concerned(ids: &[String], of: usize) -> String {
    match ids.len() {
        all if all == of => format!("All {of} cells"),
        some => format!("{some} cells ({})", words::named(ids)),
    }
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
}
