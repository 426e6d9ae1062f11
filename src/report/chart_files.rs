//! Names of the files of charts: groups and cells flow in, names that fit a file system and never meet flow out.

use crate::record::file_name;

/// The chart of the whole call; the others begin with their kind and name a group or more.
pub(crate) const CHANGE: &str = "change";
/// Kinds of charts of a group, of a function or of a cell.
pub(crate) const THROUGHPUT: &str = "throughput";
pub(crate) const LATENCY: &str = "latency";
pub(crate) const ROUNDS: &str = "rounds";
pub(crate) const PERCENTILES: &str = "percentiles";
/// The endings that a chart's name gets.
pub(crate) const ENDINGS: [&str; 2] = [".svg", ".png"];
/// Between group and function in the name of a file: no encoded name holds it.
const BETWEEN: &str = "~";
/// Longer names do not fit into a file system with what stands before and after them.
const LONGEST_NAME: usize = 200;

/// The name of the chart of a whole group.
pub(crate) fn of_group(kind: &str, group: &str) -> String {
    format!("{kind}-{}", file_name(group))
}

/// The name of a chart of a group's function or cell: both names as they are encoded, or cut together where that is too long.
pub(crate) fn of_pair(kind: &str, group: &str, function: &str) -> String {
    let both = format!("{}{BETWEEN}{}", file_name(group), file_name(function));
    let both =
        if both.len() <= LONGEST_NAME { both } else { file_name(&format!("{group}{BETWEEN}{function}")) };
    format!("{kind}-{both}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_fit_into_a_file_system_and_differ() {
        let (long, other) = ("ä".repeat(300), format!("{}b", "ä".repeat(299)));
        let of = |group: &str, function: &str| of_pair(PERCENTILES, group, function);
        let names = [of(&long, &long), of(&long, &other), of("a", &long)];
        assert!(names.iter().all(|name| name.len() <= PERCENTILES.len() + 1 + LONGEST_NAME), "{names:?}");
        assert!(names[0] != names[1] && names[1] != names[2]);
        assert_eq!(of("g", "a/b"), "percentiles-g~a=2fb");
    }
}
