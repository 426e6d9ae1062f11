//! How cargo was told to build, and the same build for each of the two trees.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::measure::{Interrupt, output_unless_interrupted};
use crate::plan::Side;
use crate::session::base_error::BaseError;
use crate::session::git::foreign_variables;

/// Processes between cargo and a bench that some runner started: no chain is longer.
const MOST_ANCESTORS: usize = 64;
/// Aliases that lead to aliases.
const MOST_ALIASES: usize = 8;
/// What `cargo bench` builds with unless told otherwise.
const BENCH_PROFILE: &str = "bench";
/// Flags with a value that `cargo build` gets as they are.
const PASSED_WITH_VALUE: [&str; 6] = ["--target", "--config", "-Z", "-j", "--jobs", "--lockfile-path"];
/// Flags without a value that `cargo build` gets as they are.
const PASSED: [&str; 6] =
    ["--all-features", "--no-default-features", "--locked", "--offline", "--frozen", "--ignore-rust-version"];
/// Other flags with a value, which must not be taken for the subcommand.
const DROPPED_WITH_VALUE: [&str; 13] = [
    "--bench",
    "--bin",
    "--example",
    "--test",
    "-p",
    "--package",
    "--exclude",
    "--target-dir",
    "--manifest-path",
    "--message-format",
    "--color",
    "--artifact-dir",
    "-C",
];

/// Begins a shell's command line whose output is for people.
pub(crate) const TO_STDERR: &str = "exec >&2; ";

/// The `cargo bench` that started this bench.
#[derive(Debug, Clone)]
pub(crate) struct CargoCall {
    program: PathBuf,
    /// The folder in which it was called.
    pub(crate) folder: PathBuf,
    /// The environment that it was started with.
    env: BTreeMap<OsString, OsString>,
    /// Its arguments before `--`, aliases replaced.
    words: Vec<String>,
    flags: Flags,
}

/// What a command line says about the build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Flags {
    profile: Option<String>,
    features: Vec<String>,
    /// For every call of cargo.
    passed: Vec<String>,
}

/// The programs of one side.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    /// By name.
    pub(crate) paths: BTreeMap<String, PathBuf>,
    /// Packages by path that lie outside the tree, and so are the same on both sides.
    pub(crate) outside: BTreeSet<String>,
    /// The names of all packages by path.
    pub(crate) by_path: BTreeSet<String>,
}

/// The package of a program, as `cargo metadata` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    id: String,
    name: String,
    features: BTreeSet<String>,
    programs: BTreeSet<String>,
    manifest: PathBuf,
}

/// Where one side is built.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) side: Side,
    /// The top of its tree.
    pub(crate) tree: &'a Path,
    /// The manifest of the workspace in it.
    pub(crate) manifest: &'a Path,
    /// The folder in which cargo is called.
    pub(crate) folder: &'a Path,
    /// The folder for all that is built.
    pub(crate) target: &'a Path,
}

impl CargoCall {
    /// The call of the nearest ancestor that is `$CARGO`; `None` if there is none, or it is not a `cargo bench`.
    pub(crate) fn of_ancestor() -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("CARGO")?);
        let cargo = program.canonicalize().ok()?;
        let ancestors =
            std::iter::successors(Some(std::os::unix::process::parent_id()), |pid| parent_of(*pid));
        let found = ancestors
            .take(MOST_ANCESTORS)
            .map(|pid| PathBuf::from(format!("/proc/{pid}")))
            .find(|process| fs::read_link(process.join("exe")).is_ok_and(|exe| exe == cargo))?;
        let list = |name: &str| -> Option<Vec<Vec<u8>>> {
            let content = fs::read(found.join(name)).ok()?;
            Some(
                content
                    .split(|&byte| byte == 0)
                    .filter(|part| !part.is_empty())
                    .map(<[u8]>::to_vec)
                    .collect(),
            )
        };
        let words =
            list("cmdline")?.iter().skip(1).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        let variable = |entry: &Vec<u8>| {
            let equals = entry.iter().skip(1).position(|&byte| byte == b'=')? + 1;
            Some((
                OsStr::from_bytes(&entry[..equals]).to_owned(),
                OsStr::from_bytes(&entry[equals + 1..]).to_owned(),
            ))
        };
        let env = list("environ")?.iter().filter_map(variable).collect();
        let folder = fs::read_link(found.join("cwd")).ok()?;
        let mut call = Self { program, folder, env, words: Vec::new(), flags: Flags::default() };
        call.let_trees_choose_toolchain();
        call.words = without_alias(words, || call.aliases())?;
        call.flags = Flags::read(&call.words)?;
        Some(call)
    }

    /// rustup names the toolchain that it chose in the environment. One that came from a file is for each tree to choose again.
    fn let_trees_choose_toolchain(&mut self) {
        const NAMES: [&str; 2] = ["RUSTUP_TOOLCHAIN", "RUSTUP_TOOLCHAIN_SOURCE"];
        if !self.env.contains_key(OsStr::new(NAMES[0])) {
            return;
        }
        let mut chosen = self.clone();
        chosen.env.retain(|name, _| NAMES.iter().all(|chosen| name != chosen));
        // What `$CARGO` names is the chosen toolchain's own; `cargo` on the path is rustup.
        chosen.program = "cargo".into();
        let said_by_user = match self.env.get(OsStr::new(NAMES[1])) {
            Some(source) => source == "cli" || source == "env",
            // An older rustup does not say. A toolchain that rustup would not choose by itself came from the user.
            None => self.toolchain(&self.folder) != chosen.toolchain(&self.folder),
        };
        if !said_by_user {
            *self = chosen;
        }
    }

    /// Aliases by name, as the configuration defines them.
    fn aliases(&self) -> BTreeMap<String, Vec<String>> {
        let listed = self.command(&self.folder).arg("--list").output();
        let listed =
            listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let alias = |line: &str| {
            let (name, words) = line.split_once("alias: ")?;
            Some((name.trim().to_owned(), words.split_whitespace().map(str::to_owned).collect()))
        };
        listed.lines().filter_map(alias).collect()
    }

    /// `cargo` in a folder, in the environment that the user's was started with.
    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        self.set_environment(&mut command);
        command.current_dir(folder).stdin(Stdio::null());
        command
    }

    /// Gives a command the environment that cargo was started with.
    pub(crate) fn set_environment(&self, command: &mut Command) {
        command.env_clear().envs(&self.env);
        foreign_variables().for_each(|name| _ = command.env_remove(name));
    }

    /// Where the manifest of the workspace around a package lies.
    pub(crate) fn workspace_manifest(&self, folder: &Path, manifest: &Path) -> Option<PathBuf> {
        let mut locate = self.command(folder);
        locate
            .args(["locate-project", "--workspace", "--message-format", "plain", "--manifest-path"])
            .arg(manifest);
        let output = locate.output().ok().filter(|output| output.status.success())?;
        Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    }

    /// The compiler of a tree: what `rustc` or its stand-in says of itself.
    pub(crate) fn toolchain(&self, folder: &Path) -> String {
        let rustc = self.env.get(OsStr::new("RUSTC")).cloned().unwrap_or_else(|| "rustc".into());
        let mut version = Command::new(rustc);
        self.set_environment(&mut version);
        let output = version.arg("--version").current_dir(folder).stdin(Stdio::null()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    }

    /// The packages of a workspace.
    pub(crate) fn packages(&self, site: &Site, signals: &Interrupt) -> Result<Vec<Package>, BaseError> {
        let mut metadata = self.command(site.folder);
        metadata
            .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(site.manifest);
        metadata.args(self.flags.passed_to("metadata"));
        let output = run(&mut metadata, site.side, true, signals)?;
        let metadata: Value = serde_json::from_slice(&output).unwrap_or_default();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let package = |package: &Value| Package {
            id: text(&package["id"]),
            name: text(&package["name"]),
            features: package["features"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone())
                .collect(),
            programs: list(&package["targets"])
                .iter()
                .filter(|target| list(&target["kind"]).iter().any(|kind| kind == "bin"))
                .map(|target| text(&target["name"]))
                .collect(),
            manifest: text(&package["manifest_path"]).into(),
        };
        Ok(list(&metadata["packages"]).iter().map(package).collect())
    }

    /// Builds programs of one package.
    pub(crate) fn build(
        &self,
        site: &Site,
        package: &Package,
        names: &BTreeSet<String>,
        quiet: bool,
        signals: &Interrupt,
    ) -> Result<Programs, BaseError> {
        let mut build = self.command(site.folder);
        build.arg("build").arg("--manifest-path").arg(site.manifest).args(["--package", &package.id]);
        names.iter().for_each(|name| _ = build.args(["--bin", name]));
        build.args(["--profile", self.flags.profile.as_deref().unwrap_or(BENCH_PROFILE)]);
        build.args(self.flags.features_of(package)).args(self.flags.passed_to("build"));
        // The last `--config` counts, and both count more than variables.
        build.arg("--config").arg(format!("build.build-dir={}", Value::from(site.target.to_string_lossy())));
        build.arg("--target-dir").arg(site.target).args(["--message-format", "json-render-diagnostics"]);
        let output = run(&mut build, site.side, quiet, signals)?;
        let mut programs = Programs::default();
        let messages =
            output.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        for artifact in messages.filter(|message| message["reason"] == "compiler-artifact") {
            let manifest = PathBuf::from(artifact["manifest_path"].as_str().unwrap_or_default());
            let is_inside = manifest.starts_with(site.tree);
            let by_path = artifact["package_id"].as_str().and_then(name_by_path);
            programs.by_path.extend(by_path.map(str::to_owned));
            let name = artifact["target"]["name"].as_str().unwrap_or_default();
            let is_bin = artifact["target"]["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"));
            match artifact["executable"].as_str() {
                Some(path) if is_bin && artifact["profile"]["test"] == false && names.contains(name) => {
                    if !is_inside {
                        return Err(BaseError::Outside { side: site.side, manifest });
                    }
                    programs.paths.insert(name.to_owned(), path.into());
                }
                _ if by_path.is_some() && !is_inside => _ = programs.outside.insert(name.to_owned()),
                _ => {}
            }
        }
        match names.iter().find(|name| !programs.paths.contains_key(*name)) {
            Some(name) => {
                Err(BaseError::NoProgram { side: site.side, program: name.clone(), place: String::new() })
            }
            None => Ok(programs),
        }
    }
}

impl Package {
    /// The package that builds a program: the bench's own, if it has one of that name.
    ///
    /// # Errors
    /// When several others have.
    pub(crate) fn of_program<'a>(
        packages: &'a [Self],
        program: &str,
        own: &Path,
    ) -> Result<Option<&'a Self>, BaseError> {
        let having: Vec<&Self> =
            packages.iter().filter(|package| package.programs.contains(program)).collect();
        if let Some(package) = having.iter().find(|package| package.manifest == own) {
            return Ok(Some(package));
        }
        if having.len() > 1 {
            let names: Vec<&str> = having.iter().map(|package| package.name.as_str()).collect();
            return Err(BaseError::Ambiguous { program: program.to_owned(), packages: names.join(", ") });
        }
        Ok(having.first().copied())
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Flags {
    /// Reads a command line of `cargo bench`, without the program; `None` if it is another subcommand.
    fn read(words: &[String]) -> Option<Self> {
        let mut flags = Self::default();
        let mut subcommand = None;
        let mut words = words.iter().take_while(|word| *word != "--");
        while let Some(word) = words.next() {
            let (flag, attached) = split(word);
            let is = |list: &[&str]| list.contains(&flag);
            if matches!(flag, "--profile" | "--features" | "-F")
                || is(&PASSED_WITH_VALUE)
                || is(&DROPPED_WITH_VALUE)
            {
                let value = match attached {
                    Some(value) => value.to_owned(),
                    None => words.next()?.clone(),
                };
                match flag {
                    "--profile" => flags.profile = Some(value),
                    "--features" | "-F" => {
                        let names = value.split([',', ' ']).filter(|name| !name.is_empty());
                        flags.features.extend(names.map(str::to_owned));
                    }
                    _ if is(&PASSED_WITH_VALUE) => flags.passed.extend([flag.to_owned(), value]),
                    _ => {}
                }
            } else if is(&PASSED) {
                flags.passed.push(flag.to_owned());
            } else if !flag.starts_with(['-', '+']) && subcommand.is_none() {
                subcommand = Some(flag);
            }
        }
        (subcommand == Some("bench")).then_some(flags)
    }

    /// The features that a package has: a workspace's other members may have the others.
    fn features_of(&self, package: &Package) -> Vec<String> {
        let is_own = |name: &&String| name.contains('/') || package.features.contains(*name);
        let features: Vec<&str> = self.features.iter().filter(is_own).map(String::as_str).collect();
        if features.is_empty() { Vec::new() } else { vec!["--features".to_owned(), features.join(",")] }
    }

    /// What a subcommand gets as it is: `metadata` builds nothing.
    fn passed_to(&self, subcommand: &str) -> Vec<String> {
        const OF_BUILDS: [&str; 4] = ["--target", "-j", "--jobs", "--ignore-rust-version"];
        let mut passed = Vec::new();
        let mut words = self.passed.iter();
        while let Some(word) = words.next() {
            let value =
                words.as_slice().first().filter(|_| PASSED_WITH_VALUE.contains(&word.as_str())).cloned();
            if value.is_some() {
                words.next();
            }
            if subcommand == "build" || !OF_BUILDS.contains(&word.as_str()) {
                passed.push(word.clone());
                passed.extend(value);
            }
        }
        passed
    }
}

/// The command line of a bench target with other flags for its baseline or base, as the user would type it.
pub(crate) fn command_line(bench: &str, own: impl Iterator<Item = String>, flags: &[&str]) -> String {
    // What compares or stores is what the new flags say.
    const REPLACED: [&str; 5] = ["--baseline", "-b", "--baseline-lenient", "--save-baseline", "-s"];
    let call = CargoCall::of_ancestor();
    let words = call.map_or_else(|| vec!["bench".to_owned()], |call| call.words);
    let mut words: Vec<String> = words.into_iter().take_while(|word| word != "--").collect();
    if !words.iter().any(|word| split(word).0 == "--bench") {
        words.extend(["--bench".to_owned(), bench.to_owned()]);
    }
    words.push("--".to_owned());
    let mut own = own;
    while let Some(word) = own.next() {
        let (flag, attached) = split(&word);
        if REPLACED.contains(&flag) {
            if attached.is_none() {
                own.next();
            }
        } else if flag != "--bench" && flag != "--append" {
            words.push(word);
        }
    }
    words.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let quoted =
        |word: &String| shlex::try_quote(word).map_or_else(|_| word.clone(), std::borrow::Cow::into_owned);
    format!("cargo {}", words.iter().map(quoted).collect::<Vec<_>>().join(" "))
}

/// The name of a package by path, from its id: `path+file:///shop#0.1.0`, `path+file:///my%20shop#shop@0.1.0`, or of an older cargo
/// `shop 0.1.0 (path+file:///shop)`.
fn name_by_path(id: &str) -> Option<&str> {
    let Some(url) = id.strip_prefix("path+file:") else {
        return id.split_once(' ').filter(|(_, rest)| rest.contains("(path+file:")).map(|(name, _)| name);
    };
    let (path, fragment) = url.split_once('#')?;
    fragment.split_once('@').map(|(name, _)| name).or_else(|| path.rsplit('/').next())
}

/// A word's flag, and the value that is attached to it: `--flag=value`, `-Fvalue`.
fn split(word: &str) -> (&str, Option<&str>) {
    const SHORT_WITH_VALUE: [&str; 5] = ["-F", "-Z", "-p", "-j", "-C"];
    if word.starts_with("--") {
        return word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
    }
    match word.split_at_checked(2) {
        Some((flag, value)) if !value.is_empty() && SHORT_WITH_VALUE.contains(&flag) => {
            (flag, Some(value.strip_prefix('=').unwrap_or(value)))
        }
        _ => (word, None),
    }
}

/// A command line with its alias replaced; `None` if aliases lead in a circle.
fn without_alias(
    mut words: Vec<String>,
    aliases: impl FnOnce() -> BTreeMap<String, Vec<String>>,
) -> Option<Vec<String>> {
    let mut known = None;
    let mut aliases = Some(aliases);
    for _ in 0..MOST_ALIASES {
        let at = subcommand(&words)?;
        if words[at] == "bench" {
            return Some(words);
        }
        let known = known.get_or_insert_with(|| aliases.take().map(|read| read()).unwrap_or_default());
        let alias = known.get(&words[at])?.clone();
        words.splice(at..=at, alias);
    }
    None
}

/// The place of the subcommand: the first word that is neither a flag nor a flag's value.
fn subcommand(words: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| *word != "--") {
        let (flag, attached) = split(word);
        if !flag.starts_with(['-', '+']) {
            return Some(at);
        }
        let has_value = PASSED_WITH_VALUE.contains(&flag) || DROPPED_WITH_VALUE.contains(&flag);
        at += if has_value && attached.is_none() { 2 } else { 1 };
    }
    None
}

/// The parent of a process, from `/proc/PID/stat`: `1234 (name) S 1 …`.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let parent: u32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
    (parent > 0).then_some(parent)
}

/// Runs a command that builds; gives what it prints to standard output. It ends with this process, and by a signal.
pub(crate) fn run(
    command: &mut Command,
    side: Side,
    quiet: bool,
    signals: &Interrupt,
) -> Result<Vec<u8>, BaseError> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    // What a shell of ours runs is what the user knows.
    let words = words.split_once(TO_STDERR).map_or(words.clone(), |(_, line)| line.to_owned());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(if quiet {
        Stdio::piped()
    } else {
        Stdio::inherit()
    });
    let ran = output_unless_interrupted(command, signals);
    let Output { status, stdout, stderr } = ran.map_err(BaseError::file(Path::new(&words)))?;
    if status.success() {
        return Ok(stdout);
    }
    let output = String::from_utf8_lossy(&stderr);
    let output = if output.is_empty() { String::new() } else { format!(":\n{output}") };
    Err(BaseError::Build { side, command: words, status, output })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn flags_that_change_a_build_are_read() {
        let flags = Flags::read(&words(
            "bench --locked --bench endpoints -F fast --features=a,b --target x86_64-unknown-linux-musl -p shop \
             --profile tuned -- --base-ref main --profile x",
        ));
        let expected = Flags {
            profile: Some("tuned".to_owned()),
            features: words("fast a b"),
            passed: words("--locked --target x86_64-unknown-linux-musl"),
        };
        assert_eq!(flags, Some(expected));
        let global = Flags::read(&words("--config net.offline=true bench -Fx -Zunstable-options")).unwrap();
        assert_eq!(global.passed, ["--config", "net.offline=true", "-Z", "unstable-options"]);
        assert_eq!(global.features, ["x"]);
        assert_eq!(global.passed_to("metadata"), global.passed);
        let target = Flags::read(&words("bench --target t --offline -j4")).unwrap();
        assert_eq!(target.passed_to("metadata"), ["--offline"]);
    }

    #[test]
    fn other_subcommands_are_not_a_bench() {
        for line in ["test --benches", "run --bin bench", "", "--bench bench"] {
            assert_eq!(Flags::read(&words(line)), None, "{line}");
        }
    }

    #[test]
    fn aliases_are_replaced_by_what_they_stand_for() {
        let aliases = || {
            let alias = |(name, line): (&str, &str)| (name.to_owned(), words(line));
            [("perf", "bench --bench b -- --quick"), ("pp", "-q perf"), ("loop", "loop")].map(alias).into()
        };
        let replaced = |line: &str| without_alias(words(line), aliases).map(|words| words.join(" "));
        assert_eq!(
            replaced("--config x perf -- --base-ref main").unwrap(),
            "--config x bench --bench b -- --quick -- --base-ref main"
        );
        assert_eq!(replaced("pp --offline").unwrap(), "-q bench --bench b -- --quick --offline");
        assert_eq!(replaced("bench").unwrap(), "bench");
        assert_eq!(replaced("loop"), None);
        assert_eq!(replaced("test"), None);
    }

    #[test]
    fn a_command_keeps_what_the_user_typed_but_for_what_it_compares_with() {
        let own = ["search", "--quick", "--baseline", "old", "--append", "--service-arg=a b", "--bench"];
        let own = own.into_iter().map(str::to_owned);
        let line = command_line("api", own, &["--base-ref", "abc"]);
        assert_eq!(line, "cargo bench --bench api -- search --quick '--service-arg=a b' --base-ref abc");
    }

    #[test]
    fn packages_by_path_have_the_name_of_their_id() {
        for (id, name) in [
            ("path+file:///home/u/shop#0.1.0", Some("shop")),
            ("path+file:///home/u/my%20shop#shop@0.1.0", Some("shop")),
            ("shop 0.1.0 (path+file:///home/u/shop)", Some("shop")),
            ("registry+https://github.com/rust-lang/crates.io-index#axum@0.8.9", None),
            ("axum 0.8.9 (registry+https://github.com/rust-lang/crates.io-index)", None),
        ] {
            assert_eq!(name_by_path(id), name, "{id}");
        }
    }

    #[test]
    fn features_of_other_packages_are_left_to_them() {
        let package = Package {
            id: String::new(),
            name: "api".to_owned(),
            features: ["fast".to_owned()].into(),
            programs: ["api".to_owned()].into(),
            manifest: "/w/api/Cargo.toml".into(),
        };
        let flags = Flags::read(&words("bench -F fast,slow,other/x")).unwrap();
        assert_eq!(flags.features_of(&package), ["--features", "fast,other/x"]);
        let twin =
            Package { name: "twin".to_owned(), manifest: "/w/twin/Cargo.toml".into(), ..package.clone() };
        let packages = [package, twin];
        let found = |own: &str| Package::of_program(&packages, "api", Path::new(own));
        assert_eq!(found("/w/twin/Cargo.toml").unwrap().unwrap().name(), "twin");
        assert!(matches!(found("/w/bench/Cargo.toml"), Err(BaseError::Ambiguous { .. })));
        assert_eq!(Package::of_program(&packages, "x", Path::new("")).unwrap(), None);
    }
}
