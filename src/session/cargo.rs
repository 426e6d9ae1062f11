//! The `cargo bench` that started this bench, and the `cargo build` that builds the same way in each tree of `--base-ref`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::str::FromStr;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::measure::{Interrupt, output_unless_interrupted};
use crate::plan::Side;
use crate::session::git::foreign_variables;
use crate::session::outcome::{Result, SessionError};

/// Processes to search between cargo and the bench, if a runner started the bench.
const MAX_ANCESTORS: usize = 64;
/// Aliases of aliases to resolve.
const MAX_ALIASES: usize = 8;
/// Flags of cargo with a value.
const WITH_VALUE: &str = "-p -F -j -C -Z --package --exclude --bench --bin --example --test --features --profile --jobs --target \
     --target-dir --manifest-path --lockfile-path --config --color --message-format --artifact-dir";
/// Flags that `cargo build` and `cargo metadata` get too.
const PASSED: &str =
    "--config -Z --lockfile-path --all-features --no-default-features --locked --offline --frozen";
/// Flags that only `cargo build` gets.
const PASSED_TO_BUILD: &str = "--target -j --jobs --ignore-rust-version";

/// The beginning of a shell's command line that sends all output to standard error.
pub(crate) const TO_STDERR: &str = "exec >&2; ";

/// The `cargo bench` that started this bench.
#[derive(Debug, Clone)]
pub(crate) struct CargoCall {
    program: PathBuf,
    /// The folder in which it was called.
    pub(crate) folder: PathBuf,
    /// The environment that it was started with.
    env: BTreeMap<OsString, OsString>,
    /// Its arguments, with aliases replaced.
    words: Vec<String>,
}

/// Where and how one side is built.
#[derive(Debug)]
pub(crate) struct BuildDirs<'a> {
    pub(crate) side: Side,
    /// The top of its tree.
    pub(crate) tree: PathBuf,
    /// The manifest of the workspace in the tree.
    pub(crate) manifest: PathBuf,
    /// The manifest of the bench's package in the tree.
    pub(crate) own_manifest: PathBuf,
    /// The folder in which cargo is called.
    pub(crate) folder: PathBuf,
    /// The folder of what is built.
    pub(crate) target: PathBuf,
    pub(crate) quiet: bool,
    pub(crate) signals: &'a Interrupt,
}

/// One side after its build.
#[derive(Debug, Default)]
pub(crate) struct Built {
    /// The programs, by their path in the bench file.
    pub(crate) paths: BTreeMap<String, PathBuf>,
    /// What was built, for the report.
    pub(crate) described: BTreeSet<String>,
    /// Packages by path that lie outside the tree, and are the same on both sides.
    pub(crate) outside: BTreeSet<String>,
    /// The names of all packages by path.
    pub(crate) by_path: BTreeSet<String>,
    pub(crate) toolchain: String,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Default, Clone, Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    features: BTreeMap<String, IgnoredAny>,
}

#[derive(Debug, Default, Clone, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// A message of `cargo build`.
#[derive(Debug, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact(Artifact),
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Artifact {
    package_id: String,
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Profile {
    test: bool,
}

impl CargoCall {
    /// The call of the nearest ancestor that is `$CARGO`; `None` if there is none, or it is not a `cargo bench`.
    pub(crate) fn find() -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("CARGO")?);
        let found = PathBuf::from(format!("/proc/{}", cargo_process()?));
        let list = |name: &str| -> Option<Vec<OsString>> {
            let content = fs::read(found.join(name)).ok()?;
            let parts = content.split(|&byte| byte == 0).filter(|part| !part.is_empty());
            Some(parts.map(|part| OsStr::from_bytes(part).to_owned()).collect())
        };
        let words = list("cmdline")?.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        let variable = |entry: OsString| {
            let equals = entry.as_bytes().iter().skip(1).position(|&byte| byte == b'=')? + 1;
            let (name, value) = entry.as_bytes().split_at(equals);
            Some((OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(&value[1..]).to_owned()))
        };
        let env = list("environ")?.into_iter().filter_map(variable).collect();
        let folder = fs::read_link(found.join("cwd")).ok()?;
        let mut call = Self { program, folder, env, words: Vec::new() };
        call.let_trees_choose_toolchain();
        call.words = without_alias(words, || call.aliases())?;
        Some(call)
    }

    /// rustup puts the toolchain that it chose into the environment. If it came from a file, each tree chooses again.
    fn let_trees_choose_toolchain(&mut self) {
        const NAMES: [&str; 2] = ["RUSTUP_TOOLCHAIN", "RUSTUP_TOOLCHAIN_SOURCE"];
        let [toolchain, source] = NAMES.map(|name| self.env.get(OsStr::new(name)));
        if toolchain.is_none() {
            return;
        }
        let mut chosen = self.clone();
        NAMES.iter().for_each(|name| _ = chosen.env.remove(OsStr::new(name)));
        // `$CARGO` is the cargo of the chosen toolchain; `cargo` in PATH is rustup.
        chosen.program = "cargo".into();
        let is_of_user = match source {
            Some(source) => source == "cli" || source == "env",
            // An older rustup does not say. A toolchain that rustup would not choose without the variable came from the user.
            None => self.toolchain(&self.folder) != chosen.toolchain(&self.folder),
        };
        if !is_of_user {
            *self = chosen;
        }
    }

    /// The words of each alias that the user's configuration defines.
    fn aliases(&self) -> BTreeMap<String, Vec<String>> {
        let alias = |line: &str| {
            let (name, words) = line.split_once("alias: ")?;
            Some((name.trim().to_owned(), words.split_whitespace().map(str::to_owned).collect()))
        };
        printed(self.command(&self.folder).arg("--list"))
            .unwrap_or_default()
            .lines()
            .filter_map(alias)
            .collect()
    }

    /// `cargo` in a folder, in the environment that the user's was started with.
    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        self.set_environment(&mut command);
        command.current_dir(folder);
        command
    }

    /// Gives a command the environment that cargo was started with.
    pub(crate) fn set_environment(&self, command: &mut Command) {
        command.env_clear().envs(&self.env);
        foreign_variables().for_each(|name| _ = command.env_remove(name));
    }

    /// The manifest of the workspace around a package.
    pub(crate) fn workspace_manifest(&self, manifest: &Path) -> Option<PathBuf> {
        let mut locate = self.command(&self.folder);
        locate.args(["locate-project", "--workspace", "--message-format", "plain", "--manifest-path"]);
        printed(locate.arg(manifest)).map(PathBuf::from)
    }

    /// The version that the compiler of a folder, or its replacement, prints.
    fn toolchain(&self, folder: &Path) -> String {
        let mut version =
            Command::new(self.env.get(OsStr::new("RUSTC")).map_or(OsStr::new("rustc"), |rustc| rustc));
        self.set_environment(&mut version);
        printed(version.arg("--version").current_dir(folder)).unwrap_or_default()
    }

    /// Builds the programs of one side, with the flags of the user's call.
    pub(crate) fn build(&self, dirs: &BuildDirs, programs: &BTreeSet<String>) -> Result<Built> {
        let packages = self.packages(dirs)?;
        let mut built = Built { toolchain: self.toolchain(&dirs.folder), ..Built::default() };
        for program in programs {
            let not_cargo = || SessionError::NotCargo { program: program.clone() };
            let name = Path::new(program).file_name().and_then(OsStr::to_str);
            let name = name.filter(|_| program.contains('/')).ok_or_else(not_cargo)?;
            let package = package_of(&packages, name, &dirs.own_manifest)?;
            let package = package.ok_or_else(|| match dirs.side {
                Side::Head => not_cargo(),
                Side::Base => dirs.not_built(name),
            })?;
            let path = self.build_program(dirs, package, name, &mut built)?;
            built.paths.insert(program.clone(), path);
            built.described.insert(format!("{name} of package {}", package.name));
        }
        Ok(built)
    }

    fn packages(&self, dirs: &BuildDirs) -> Result<Vec<Package>> {
        let mut metadata = self.command(&dirs.folder);
        metadata.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
        metadata.arg(&dirs.manifest).args(self.passed(PASSED));
        let output = run(&mut metadata, dirs.side, true, dirs.signals)?;
        Ok(serde_json::from_slice(&output).map(|metadata: Metadata| metadata.packages).unwrap_or_default())
    }

    fn build_program(
        &self,
        dirs: &BuildDirs,
        package: &Package,
        name: &str,
        built: &mut Built,
    ) -> Result<PathBuf> {
        let mut build = self.command(&dirs.folder);
        build.arg("build").arg("--manifest-path").arg(&dirs.manifest);
        build.args(["--package", &package.id, "--bin", name]);
        build.args(["--profile", self.values("--profile").last().copied().unwrap_or("bench")]);
        build.args(self.features_of(package)).args(self.passed(PASSED)).args(self.passed(PASSED_TO_BUILD));
        // The last `--config` counts, and both options override variables.
        build.arg("--config").arg(format!("build.build-dir={}", Value::from(dirs.target.to_string_lossy())));
        build.arg("--target-dir").arg(&dirs.target).args(["--message-format", "json-render-diagnostics"]);
        let output = run(&mut build, dirs.side, dirs.quiet, dirs.signals)?;
        let mut path = None;
        for line in output.split(|&byte| byte == b'\n') {
            let Ok(Message::CompilerArtifact(artifact)) = serde_json::from_slice(line) else { continue };
            let Artifact { package_id, manifest_path: manifest, target, profile, executable } = artifact;
            let is_inside = manifest.starts_with(&dirs.tree);
            let by_path = name_by_path(&package_id);
            built.by_path.extend(by_path.map(str::to_owned));
            if executable.is_some() && target.is_bin(name) && !profile.test {
                if !is_inside {
                    return Err(SessionError::OutsideTree { side: dirs.side, manifest });
                }
                path = executable;
            } else if by_path.is_some() && !is_inside {
                built.outside.insert(target.name);
            }
        }
        path.ok_or_else(|| dirs.not_built(name))
    }

    /// Those of the flags that the user's call has, with their values.
    fn flags(&self, flags: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
        let parts = parts(&self.words).into_iter().map(|(_, flag, value)| (flag, value));
        parts.filter(move |(flag, _)| is_in(flags, flag))
    }

    /// Whether the call is for one bench target of one package.
    fn names_one_bench(&self) -> bool {
        let names_one = |flags: &str| {
            let values = self.values(flags);
            values.len() <= 1 && !values.iter().any(|name| name.contains(['*', '?', '[']))
        };
        let names_several = self.flags("--benches --all-targets --workspace --all").next().is_some();
        !names_several
            && !self.values("--bench").is_empty()
            && names_one("--bench")
            && names_one("-p --package")
    }

    fn values(&self, flags: &str) -> Vec<&str> {
        self.flags(flags).filter_map(|(_, value)| value).collect()
    }

    fn passed(&self, flags: &str) -> Vec<&str> {
        self.flags(flags).flat_map(|(flag, value)| [Some(flag), value]).flatten().collect()
    }

    /// The features that a package has. The others belong to other members of the workspace.
    fn features_of(&self, package: &Package) -> Vec<String> {
        let names = self.values("--features -F").into_iter().flat_map(|value| value.split([',', ' ']));
        let is_own = |name: &&str| name.contains('/') || package.features.contains_key(*name);
        let features: Vec<&str> = names.filter(is_own).collect();
        if features.is_empty() { Vec::new() } else { vec!["--features".to_owned(), features.join(",")] }
    }
}

impl BuildDirs<'_> {
    fn not_built(&self, program: &str) -> SessionError {
        SessionError::NotBuilt { side: self.side, program: program.to_owned(), place: String::new() }
    }
}

impl Target {
    fn is_bin(&self, name: &str) -> bool {
        self.name == name && self.kind.iter().any(|kind| kind == "bin")
    }
}

/// The package that builds a program: the bench's own, if it has a program of that name. An error if several others have one.
fn package_of<'a>(packages: &'a [Package], program: &str, own: &Path) -> Result<Option<&'a Package>> {
    let has_program = |package: &&Package| package.targets.iter().any(|target| target.is_bin(program));
    let found: Vec<&Package> = packages.iter().filter(has_program).collect();
    if let Some(package) = found.iter().find(|package| package.manifest_path == own) {
        return Ok(Some(package));
    }
    if found.len() > 1 {
        let names: Vec<&str> = found.iter().map(|package| package.name.as_str()).collect();
        return Err(SessionError::Ambiguous { program: program.to_owned(), packages: names.join(", ") });
    }
    Ok(found.first().copied())
}

/// The `cargo bench` of bench targets as the user called it, but with other flags that choose base or a baseline.
pub(crate) fn command_line<'a>(
    benches: impl IntoIterator<Item = &'a str>,
    bench_args: &[String],
    flags: &[&str],
) -> String {
    const REPLACED: [&str; 5] = ["--baseline", "-b", "--baseline-lenient", "--save-baseline", "-s"];
    let words = CargoCall::find().map_or_else(|| vec!["bench".to_owned()], |call| call.words);
    let mut words: Vec<&str> = words.iter().map(String::as_str).take_while(|word| *word != "--").collect();
    if !words.iter().any(|word| split(word).0 == "--bench") {
        words.extend(benches.into_iter().flat_map(|bench| ["--bench", bench]));
    }
    words.push("--");
    let mut bench_args = bench_args.iter();
    while let Some(word) = bench_args.next() {
        let (flag, value) = split(word);
        if REPLACED.contains(&flag) {
            if value.is_none() {
                bench_args.next();
            }
        } else if flag != "--bench" && flag != "--append" {
            words.push(word);
        }
    }
    words.extend(flags);
    let quoted = words.iter().map(|word| shlex::try_quote(word).unwrap_or_else(|_| (*word).into()));
    format!("cargo {}", quoted.collect::<Vec<_>>().join(" "))
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

/// The words of a command line before `--`: the place of each, its flag or itself, and the flag's value.
fn parts(words: &[String]) -> Vec<(usize, &str, Option<&str>)> {
    let mut parts = Vec::new();
    let mut words = words.iter().enumerate().take_while(|(_, word)| *word != "--");
    while let Some((at, word)) = words.next() {
        let (flag, attached) = split(word);
        let next = attached.is_none() && is_in(WITH_VALUE, flag);
        let value = if next { words.next().map(|(_, word)| word.as_str()) } else { attached };
        parts.push((at, flag, value));
    }
    parts
}

fn is_in(flags: &str, flag: &str) -> bool {
    flags.split(' ').any(|listed| listed == flag)
}

/// A word's flag, and the value that is attached to it: `--flag=value`, `-Fvalue`.
fn split(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
    }
    match word.split_at_checked(2) {
        Some((flag, value)) if !value.is_empty() && is_in(WITH_VALUE, flag) => {
            (flag, Some(value.strip_prefix('=').unwrap_or(value)))
        }
        _ => (word, None),
    }
}

/// A `cargo bench` with its alias replaced; `None` if it is another subcommand, or aliases lead in a circle.
fn without_alias(
    mut words: Vec<String>,
    aliases: impl FnOnce() -> BTreeMap<String, Vec<String>>,
) -> Option<Vec<String>> {
    let subcommand = |words: &[String]| {
        parts(words).into_iter().find(|(_, word, _)| !word.starts_with(['-', '+'])).map(|(at, ..)| at)
    };
    let mut at = subcommand(&words)?;
    if words[at] == "bench" {
        return Some(words);
    }
    let aliases = aliases();
    for _ in 0..MAX_ALIASES {
        words.splice(at..=at, aliases.get(&words[at])?.clone());
        at = subcommand(&words)?;
        if words[at] == "bench" {
            return Some(words);
        }
    }
    None
}

/// The nearest ancestor that is `$CARGO`.
fn cargo_process() -> Option<u32> {
    let cargo = PathBuf::from(std::env::var_os("CARGO")?).canonicalize().ok()?;
    let parent = std::os::unix::process::parent_id();
    let is_cargo = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == cargo);
    std::iter::successors(Some(parent), |pid| parent_of(*pid)).take(MAX_ANCESTORS).find(is_cargo)
}

/// Whether this is the only bench target of the call: it was started by hand, or cargo was asked for one target by its name. `false` if
/// the call of cargo cannot be found.
pub(crate) fn is_only_bench() -> bool {
    std::env::var_os("CARGO").is_none() || CargoCall::find().is_some_and(|call| call.names_one_bench())
}

/// A name for the call of cargo that started this bench. All its bench targets get the same name, and no other call gets it.
pub(crate) fn call_id() -> Option<String> {
    let pid = cargo_process()?;
    // The time of its start, in ticks since boot: ids of processes are used again.
    let started: u64 = stat_field(pid, 19)?;
    Some(format!("{pid}-{started}"))
}

/// The parent of a process.
fn parent_of(pid: u32) -> Option<u32> {
    stat_field(pid, 1).filter(|parent| *parent > 0)
}

/// A field of `/proc/PID/stat`, counted from the one behind the name: `1234 (name) S 1 …`.
fn stat_field<T: FromStr>(pid: u32, field: usize) -> Option<T> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(field)?.parse().ok()
}

/// The trimmed standard output of a command; `None` if it fails.
fn printed(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a command that builds and returns its standard output. It ends with this process, and by a signal.
pub(crate) fn run(command: &mut Command, side: Side, quiet: bool, signals: &Interrupt) -> Result<Vec<u8>> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    // The user knows only what our shell runs.
    let words = words.split_once(TO_STDERR).map_or(words.as_str(), |(_, line)| line).to_owned();
    let stderr = if quiet { Stdio::piped() } else { Stdio::inherit() };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    let output = output_unless_interrupted(command, signals);
    let Output { status, stdout, stderr } = output.map_err(SessionError::io(Path::new(&words)))?;
    if status.success() {
        return Ok(stdout);
    }
    let output = String::from_utf8_lossy(&stderr);
    let output = if output.is_empty() { String::new() } else { format!(":\n{output}") };
    Err(SessionError::Build { side, command: words, status, output })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn call(line: &str) -> CargoCall {
        CargoCall {
            program: "cargo".into(),
            folder: PathBuf::new(),
            env: BTreeMap::new(),
            words: words(line),
        }
    }

    fn package(name: &str, features: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            manifest_path: format!("/w/{name}/Cargo.toml").into(),
            targets: vec![Target { name: "api".to_owned(), kind: vec!["bin".to_owned()] }],
            features: features.iter().map(|name| ((*name).to_owned(), IgnoredAny)).collect(),
            ..Package::default()
        }
    }

    #[test]
    fn a_call_for_one_bench_target_of_one_package_is_recognised() {
        for line in
            ["bench --bench endpoints", "bench -p shop --bench=endpoints -- x", "bench --bench e --lib"]
        {
            assert!(call(line).names_one_bench(), "{line}");
        }
        for line in [
            "bench",
            "bench -- --bench endpoints",
            "bench --benches",
            "bench --bench a --bench b",
            "bench --bench end*",
            "bench --workspace --bench endpoints",
            "bench -p shop -p other --bench endpoints",
            "bench -p shop* --bench endpoints",
        ] {
            assert!(!call(line).names_one_bench(), "{line}");
        }
    }

    #[test]
    fn flags_that_change_a_build_are_passed_on() {
        let bench = call(
            "bench --locked --bench endpoints -F fast --features=a,b --target x86_64-unknown-linux-musl -p shop \
             --profile tuned -- --base-ref main --profile x",
        );
        assert_eq!(bench.values("--profile"), ["tuned"]);
        assert_eq!(bench.values("--features -F"), ["fast", "a,b"]);
        assert_eq!(bench.passed(PASSED), ["--locked"]);
        assert_eq!(bench.passed(PASSED_TO_BUILD), ["--target", "x86_64-unknown-linux-musl"]);
        let global = call("--config net.offline=true bench -Fx -Zunstable-options -j4 --offline");
        assert_eq!(
            global.passed(PASSED),
            ["--config", "net.offline=true", "-Z", "unstable-options", "--offline"]
        );
        assert_eq!(global.passed(PASSED_TO_BUILD), ["-j", "4"]);
        assert_eq!(global.values("--features -F"), ["x"]);
    }

    #[test]
    fn aliases_of_cargo_bench_are_replaced_and_other_subcommands_refused() {
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
        for line in ["loop", "test", "test --benches", "run --bin bench", "", "--bench bench"] {
            assert_eq!(replaced(line), None, "{line}");
        }
    }

    #[test]
    fn a_command_keeps_the_words_of_the_user_except_for_what_it_compares_with() {
        let own = ["search", "--quick", "--baseline", "old", "--append", "--service-arg=a b", "--bench"];
        let line = command_line(["api"], &own.map(str::to_owned), &["--base-ref", "abc"]);
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
    fn a_package_is_built_without_the_features_of_other_packages() {
        let features = call("bench -F fast,slow,other/x").features_of(&package("api", &["fast"]));
        assert_eq!(features, ["--features", "fast,other/x"]);
    }

    #[test]
    fn the_package_of_the_bench_comes_first_if_several_have_the_program() {
        let packages = [package("api", &[]), package("twin", &[])];
        let found = |own: &str| package_of(&packages, "api", Path::new(own));
        assert_eq!(found("/w/twin/Cargo.toml").unwrap().unwrap().name, "twin");
        assert!(matches!(found("/w/bench/Cargo.toml"), Err(SessionError::Ambiguous { .. })));
        assert!(package_of(&packages, "x", Path::new("")).unwrap().is_none());
    }
}
