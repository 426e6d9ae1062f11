//! Flags and variables that contradict each other, told from where each value came.
//!
//! A flag is said for one call, a variable for all of them: so the flag counts, and the variable does not. Two flags, or two variables,
//! that contradict each other are a wrong call. clap's own `conflicts_with` takes a variable for a flag, and would refuse both.

use std::collections::BTreeSet;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// What cannot be meant at once.
const PAIRS: [(&str, &str); 15] = [
    ("save_baseline", "baseline"),
    ("baseline", "baseline_lenient"),
    ("load_baseline", "save_baseline"),
    ("load_baseline", "append"),
    ("load_baseline", "base_ref"),
    ("load_baseline", "base_command"),
    ("load_baseline", "base_url"),
    ("load_baseline", "base_arg"),
    // A duet compares with no stored baseline.
    ("baseline", "base_ref"),
    ("baseline", "base_command"),
    ("baseline", "base_url"),
    ("quiet", "verbose"),
    ("base_ref", "base_command"),
    ("base_ref", "base_url"),
    ("base_command", "base_url"),
];
/// Flags that mean nothing without another.
const NEEDS: [(&str, &str); 3] =
    [("base_build", "base_ref"), ("base_copy", "base_ref"), ("base_arg", "base_ref")];

/// The arguments whose variables do not count, since a flag contradicts them.
///
/// # Errors
/// When two flags, or two variables that no flag overrules, contradict each other.
pub(crate) fn overruled(
    matches: &ArgMatches,
    command: &mut Command,
) -> Result<BTreeSet<&'static str>, clap::Error> {
    let source = |id: &str| matches.value_source(id);
    let is = |id: &str, wanted: ValueSource| source(id) == Some(wanted);
    let (flag, variable) = (ValueSource::CommandLine, ValueSource::EnvVariable);
    let overruled: BTreeSet<&str> = PAIRS
        .into_iter()
        .flat_map(|(one, other)| [(one, other), (other, one)])
        .filter(|(said, overruled)| is(said, flag) && is(overruled, variable))
        .map(|(_, overruled)| overruled)
        .collect();
    // A switch that is set to `0` or `false` asks for nothing.
    let is_off = |id: &str| matches!(matches.try_get_one::<bool>(id), Ok(Some(false)));
    let counts = |id: &str| {
        let is_told = source(id).is_some_and(|from| from != ValueSource::DefaultValue);
        is_told && !is_off(id) && !overruled.contains(id)
    };
    if let Some((one, other)) = PAIRS.into_iter().find(|(one, other)| counts(one) && counts(other)) {
        let message = format!("{} cannot be used with {}", name(matches, one), name(matches, other));
        return Err(command.error(ErrorKind::ArgumentConflict, message));
    }
    if let Some((one, other)) = NEEDS.into_iter().find(|(one, other)| is(one, flag) && !counts(other)) {
        let message = format!("{} needs {}", name(matches, one), long(other));
        return Err(command.error(ErrorKind::MissingRequiredArgument, message));
    }
    Ok(overruled)
}

/// What the user wrote: the flag, or the variable.
fn name(matches: &ArgMatches, id: &str) -> String {
    match matches.value_source(id) {
        Some(ValueSource::EnvVariable) => format!("PLIMSOLL_{}", id.to_uppercase()),
        _ => long(id),
    }
}

fn long(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    /// Arguments of those ids; each of `variables` has one, which a test cannot set: `PATH` is always there.
    fn told(variables: &[&'static str], args: &[&str]) -> Result<Vec<&'static str>, ErrorKind> {
        let ids: BTreeSet<&str> =
            PAIRS.into_iter().chain(NEEDS).flat_map(|(one, other)| [one, other]).collect();
        let arg = |id: &'static str| {
            let arg = Arg::new(id).long(&*id.replace('_', "-").leak()).action(ArgAction::Set);
            if variables.contains(&id) { arg.env("PATH") } else { arg }
        };
        let mut command = Command::new("bench").args(ids.into_iter().map(arg));
        let args = std::iter::once("bench").chain(args.iter().copied());
        let matches = command.try_get_matches_from_mut(args).unwrap();
        let overruled = overruled(&matches, &mut command).map_err(|error| error.kind())?;
        Ok(overruled.into_iter().collect())
    }

    #[test]
    fn a_flag_overrules_every_variable_that_contradicts_it() {
        assert_eq!(told(&["base_url"], &["--base-ref=a"]), Ok(vec!["base_url"]));
        // The two variables contradict each other as well, which is of no account then.
        let both = told(&["base_url", "base_command"], &["--base-ref=a"]);
        assert_eq!(both, Ok(vec!["base_command", "base_url"]));
        assert_eq!(told(&["baseline"], &["--save-baseline=a"]), Ok(vec!["baseline"]));
        assert_eq!(told(&["baseline"], &["--base-ref=a"]), Ok(vec!["baseline"]));
        assert_eq!(told(&["base_ref"], &["--quiet=1"]), Ok(vec![]));
    }

    #[test]
    fn two_flags_or_two_variables_are_refused() {
        let conflict = Err(ErrorKind::ArgumentConflict);
        assert_eq!(told(&[], &["--base-ref=a", "--base-url=b"]), conflict);
        for base in ["--base-ref=a", "--base-command=a", "--base-url=a"] {
            assert_eq!(told(&[], &["--baseline=main", base]), conflict, "{base}");
        }
        assert_eq!(told(&["base_ref", "base_command"], &[]), conflict);
        assert_eq!(told(&["base_ref"], &["--base-url=a", "--base-command=b"]), conflict);
    }

    #[test]
    fn how_to_build_base_needs_a_commit_and_a_variable_that_nobody_asks_for_needs_nothing() {
        assert_eq!(told(&[], &["--base-build=a"]), Err(ErrorKind::MissingRequiredArgument));
        assert_eq!(told(&[], &["--base-build=a", "--base-ref=b"]), Ok(vec![]));
        assert_eq!(told(&["base_ref"], &["--base-build=a"]), Ok(vec![]));
        assert_eq!(told(&["base_build"], &[]), Ok(vec![]));
        let overruled = told(&["base_ref"], &["--base-build=a", "--base-url=b"]);
        assert_eq!(overruled, Err(ErrorKind::MissingRequiredArgument));
    }
}
