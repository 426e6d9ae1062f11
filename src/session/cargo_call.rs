//! How cargo was told to build head, read from its own command line, so that base is built alike.

use std::fs;
use std::path::Path;

/// What of cargo's call has to be said again to build the same binary of another commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CargoCall {
    /// Arguments of `cargo build`: profile, features, target, configuration.
    pub(crate) args: Vec<String>,
}

/// Flags with a value that change what is built.
const WITH_VALUE: [&str; 6] = ["--profile", "--features", "-F", "--target", "--config", "-Z"];
/// Flags without one.
const ALONE: [&str; 5] = ["--all-features", "--no-default-features", "--locked", "--offline", "--frozen"];
/// Flags whose value must not be taken for the subcommand.
const OTHERS_WITH_VALUE: [&str; 14] = [
    "--bench",
    "--bin",
    "--example",
    "--test",
    "-p",
    "--package",
    "--exclude",
    "-j",
    "--jobs",
    "--target-dir",
    "--manifest-path",
    "--message-format",
    "--color",
    "-C",
];
/// What `cargo bench` builds with unless told otherwise.
const USUAL_PROFILE: &str = "bench";

impl CargoCall {
    /// The call of the cargo that runs this process; nothing when its parent is none, or cannot be looked at.
    pub(crate) fn of_parent() -> Option<Self> {
        let parent = std::os::unix::process::parent_id();
        let line = fs::read(format!("/proc/{parent}/cmdline")).ok()?;
        let words: Vec<String> = line
            .split(|&byte| byte == 0)
            .filter(|word| !word.is_empty())
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        Self::read(&words)
    }

    /// Reads a command line that begins with the program.
    fn read(words: &[String]) -> Option<Self> {
        let (program, words) = words.split_first()?;
        let name = Path::new(program).file_name()?.to_str()?;
        if name != "cargo" {
            return None;
        }
        let mut args = Vec::new();
        let (mut profile, mut subcommand) = (None, None);
        let mut words = words.iter().take_while(|word| *word != "--");
        while let Some(word) = words.next() {
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            if WITH_VALUE.contains(&flag) {
                let value = value.or_else(|| words.next().cloned())?;
                if flag == "--profile" {
                    profile = Some(value);
                } else {
                    args.extend([flag.to_owned(), value]);
                }
            } else if ALONE.contains(&flag) {
                args.push(flag.to_owned());
            } else if OTHERS_WITH_VALUE.contains(&flag) {
                if value.is_none() {
                    words.next();
                }
            } else if !flag.starts_with('-') && subcommand.is_none() {
                subcommand = Some(flag.to_owned());
            }
        }
        if subcommand.as_deref() != Some("bench") {
            return None;
        }
        args.extend(["--profile".to_owned(), profile.unwrap_or_else(|| USUAL_PROFILE.to_owned())]);
        Some(Self { args })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Vec<String>> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Some(CargoCall::read(&words)?.args)
    }

    #[test]
    fn what_changes_the_binary_is_said_again() {
        let args = read(
            "/usr/bin/cargo bench --locked --bench endpoints -F fast --features=a,b --target x86_64-unknown-linux-musl \
             -p shop -- --base-ref main --profile x",
        );
        let expected = "--locked -F fast --features a,b --target x86_64-unknown-linux-musl --profile bench";
        assert_eq!(args.unwrap().join(" "), expected);
        assert_eq!(read("cargo bench --profile tuned").unwrap(), ["--profile", "tuned"]);
        assert_eq!(
            read("cargo --config net.offline=true bench").unwrap()[..2],
            ["--config", "net.offline=true"]
        );
    }

    #[test]
    fn other_callers_are_not_taken_for_cargo_bench() {
        assert_eq!(read("cargo test --benches"), None);
        assert_eq!(read("bash bench"), None);
        assert_eq!(read("cargo"), None);
        assert_eq!(read("cargo --bench bench"), None);
    }
}
