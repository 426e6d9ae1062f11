//! `--base-ref`: base and head as two trees that are built by one procedure.
//!
//! Both lie in a cache folder of the repository's own, under paths of equal length: base is a commit, head the working tree as
//! `git add -A` would take it. Both are built by the same command, in the environment that cargo was started with, into folders of their
//! own, and each service runs in its own tree. The two sides therefore differ in what the trees differ in, and in nothing else. The
//! user's index, branches, configuration and build folders are never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use memchr::memmem;
use sha2::{Digest, Sha256};

use crate::measure::Interrupt;
use crate::plan::{Group, Plan, ServiceCommand, ServiceKind, Side};
use crate::record::BaseRef;
use crate::session::base_cache;
use crate::session::base_error::BaseError;
use crate::session::cargo::{self, CargoCall, Package, Site};
use crate::session::error::SessionError;
use crate::session::git::{Repository, Tree, top_of};
use crate::session::options::{Options, Paths};

/// Names the folder for all that `--base-ref` keeps.
const CACHE_VARIABLE: &str = "PLIMSOLL_CACHE_DIR";
/// Files that tell cargo and rustup how to build, in the folder of the call and in each folder above it.
const CONFIGURATION: [&str; 4] =
    [".cargo/config.toml", ".cargo/config", "rust-toolchain.toml", "rust-toolchain"];
/// Larger files that are taken along are not searched for paths, in bytes.
const LARGEST_SEARCHED: u64 = 1 << 20;
/// Differing files that a report names.
const MOST_NAMED: usize = 5;
/// What ends a path within an argument or a variable.
const PATH_ENDS: [char; 8] = [':', ';', ',', '=', ' ', '"', '\'', '\n'];

/// What became of `--base-ref`.
#[derive(Debug)]
pub(crate) enum Resolved {
    /// Both trees are the same, and both sides would be started in the same way.
    Same(BaseRef),
    /// Both sides are built, and the plan names their programs. Nobody else changes the trees while the lock is held.
    Built { base: BaseRef, _lock: File },
}

/// Builds both sides and puts them into the plan.
pub(crate) fn resolve(
    plan: &mut Plan,
    name: &str,
    options: &Options,
    signals: &Interrupt,
) -> Result<Resolved, SessionError> {
    let Options { duet, paths, quiet, .. } = options;
    let programs = programs(plan)?;
    if !duet.base_args.is_empty() {
        check_arguments(plan)?;
    }
    let root = paths.root.canonicalize().unwrap_or_else(|_| paths.root.clone());
    let layout = Layout::new(top_of(&root)?)?;
    let call = CargoCall::of_ancestor();
    if call.is_none() && duet.base_build.is_none() {
        return Err(BaseError::NoCall.into());
    }
    let lock = base_cache::locked(&layout.folder, signals).map_err(BaseError::file(&layout.folder))?;
    let repository = Repository::open(&layout.top, &layout.folder.join("git"))?;
    let mut facts = repository.base_commit(name)?;
    let called_in = call.as_ref().map_or(root.as_path(), |call| &call.folder);
    let taken_along = taken_along(&repository, &layout.top, &root, called_in, &duet.base_copy)?;
    let base = repository.tree_of(&facts.commit)?;
    let head = repository.snapshot(&taken_along, signals)?;
    // What plimsoll writes itself does not change the service.
    let package = root.strip_prefix(&layout.top).unwrap_or(Path::new(""));
    let own = own_files(&root).into_iter().map(|path| package.join(path));
    let left_out: Vec<PathBuf> = own.chain(taken_along.iter().cloned()).collect();
    let differing = base.differing(&head, &left_out)?;
    facts.differing_count = differing.len();
    facts.differing = differing.iter().take(MOST_NAMED).map(|path| path.display().to_string()).collect();
    facts.leading_back = layout.leading_back(&taken_along).into_iter().take(MOST_NAMED).collect();
    if !quiet {
        crate::report::base_warnings(&facts).iter().for_each(|warning| eprintln!("warning: {warning}"));
    }
    if differing.is_empty() && duet.base_args.is_empty() && options.service_args.is_empty() {
        return Ok(Resolved::Same(facts));
    }
    let build = |side: Side, tree: &Tree, what: &str| {
        if !quiet {
            eprintln!("Building {side}: {what}");
        }
        layout.lay_out(side, tree, &taken_along, signals)?;
        let builder = Builder { side, layout: &layout, root: &root, paths, quiet: *quiet, signals };
        let built = match (&duet.base_build, &call) {
            (Some(command), call) => builder.by_command(command, call.as_ref(), &programs),
            (None, Some(call)) => builder.by_cargo(call, &programs),
            (None, None) => Err(BaseError::NoCall),
        }?;
        let note = layout.built(side);
        fs::write(&note, tree.identity()).map_err(BaseError::file(&note))?;
        Ok::<_, BaseError>(built)
    };
    let head = build(Side::Head, &head, "the working tree")?;
    layout.seed_base(&head.by_path, signals)?;
    let base = build(Side::Base, &base, &facts.described())?;
    base_cache::prune(&layout.folder);
    facts.programs.clone_from(&head.described);
    facts.outside = base.outside.union(&head.outside).cloned().collect();
    facts.toolchains =
        (base.toolchain != head.toolchain).then(|| (base.toolchain.clone(), head.toolchain.clone()));
    facts.same_programs = programs.iter().all(|program| {
        // A script or an interpreter is the same file and yet runs what differs.
        let content = |side, built: &Built| {
            let path = built.paths.get(program).filter(|path| path.starts_with(layout.target(side)))?;
            fs::read(path).ok()
        };
        content(Side::Base, &base).is_some_and(|base| Some(base) == content(Side::Head, &head))
    });
    for group in &mut plan.groups {
        let ServiceKind::Command(command) = &group.service.0 else { continue };
        let mut of_base = layout.command(Side::Base, command, &base, &root, paths);
        if !duet.base_args.is_empty() {
            of_base.args.clone_from(&duet.base_args);
        }
        let of_head = layout.command(Side::Head, command, &head, &root, paths);
        (group.base, group.service) = (Some(of_base.into()), of_head.into());
    }
    Ok(Resolved::Built { base: facts, _lock: lock })
}

/// The distinct programs of all groups.
fn programs(plan: &Plan) -> Result<BTreeSet<String>, SessionError> {
    let program = |group: &Group| match &group.service.0 {
        ServiceKind::Command(command) => Ok(command.program().to_owned()),
        _ => Err(SessionError::NoProgram { group: group.name.clone() }),
    };
    plan.groups.iter().map(program).collect()
}

/// That all groups start their services with the same arguments, so that others can replace them.
fn check_arguments(plan: &Plan) -> Result<(), BaseError> {
    let args = |group: &Group| match &group.service.0 {
        ServiceKind::Command(command) => command.args.clone(),
        _ => Vec::new(),
    };
    match plan.groups.windows(2).find(|pair| args(&pair[0]) != args(&pair[1])) {
        Some(pair) => Err(BaseError::Arguments { one: pair[0].name.clone(), other: pair[1].name.clone() }),
        None => Ok(()),
    }
}

/// What plimsoll itself writes below a package's folder.
fn own_files(root: &Path) -> Vec<PathBuf> {
    let reports = fs::read_dir(root.join("reports")).into_iter().flatten().flatten();
    let reports = reports.filter(|report| report.path().join("run.json").is_file());
    let reports = reports.map(|report| Path::new("reports").join(report.file_name()));
    reports.chain(["baselines", "reports/index.html"].map(PathBuf::from)).collect()
}

/// What both trees get though git does not have it, below the top folder: what the user names, and cargo's configuration if it is
/// not tracked. It tells how to build and not what.
fn taken_along(
    repository: &Repository,
    top: &Path,
    root: &Path,
    called_in: &Path,
    copies: &[PathBuf],
) -> Result<Vec<PathBuf>, BaseError> {
    let mut paths = Vec::new();
    for copy in copies {
        let wrong = || BaseError::Copy { path: copy.clone(), root: root.to_owned(), top: top.to_owned() };
        // As seen from the package, from where cargo was called, or from the top.
        let found =
            [root, called_in, top].into_iter().find_map(|folder| folder.join(copy).canonicalize().ok());
        let found = found.ok_or_else(wrong)?;
        let below = found.strip_prefix(top).ok().filter(|below| !below.as_os_str().is_empty());
        paths.push(below.ok_or_else(wrong)?.to_owned());
    }
    let within = called_in.ancestors().filter_map(|folder| folder.strip_prefix(top).ok());
    let files = within.flat_map(|folder| CONFIGURATION.map(|file| folder.join(file)));
    paths.extend(repository.untracked(files.filter(|file| top.join(file).is_file()).collect()));
    Ok(paths)
}

/// Where the two sides lie.
struct Layout {
    /// The folder of this repository in the cache.
    folder: PathBuf,
    /// The top of the user's working tree.
    top: PathBuf,
}

impl Layout {
    fn new(top: PathBuf) -> Result<Self, BaseError> {
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let own = absolute(CACHE_VARIABLE);
        let usual = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        let usual = usual.filter(|folder| !folder.starts_with(&top)).unwrap_or_else(std::env::temp_dir);
        let cache = own.unwrap_or_else(|| usual.join("plimsoll"));
        let made = fs::create_dir_all(&cache).and_then(|()| cache.canonicalize());
        let cache = made.map_err(BaseError::file(&cache))?;
        if cache.starts_with(&top) {
            return Err(BaseError::CacheInside { folder: cache });
        }
        let name = base_cache::name(&Sha256::digest(top.as_os_str().as_encoded_bytes()));
        Ok(Self { folder: cache.join(name), top })
    }

    /// Where what lies at a path of the user's lies for one side.
    fn on(&self, side: Side, path: &Path) -> PathBuf {
        self.folder.join(side.to_string()).join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The folder for all that is built of one side.
    fn target(&self, side: Side) -> PathBuf {
        self.folder.join(format!("{side}-target"))
    }

    /// Holds the identity of the tree that was built last.
    fn built(&self, side: Side) -> PathBuf {
        self.folder.join(format!("{side}-built"))
    }

    /// Checks one side out, and puts next to it what lies next to the repository.
    fn lay_out(
        &self,
        side: Side,
        tree: &Tree,
        taken_along: &[PathBuf],
        signals: &Interrupt,
    ) -> Result<(), BaseError> {
        self.link_surroundings(side).map_err(BaseError::file(&self.on(side, &self.top)))?;
        let folder = self.on(side, &self.top);
        tree.check_out(side, &folder, signals)?;
        tree.renew_changed(&folder, fs::read_to_string(self.built(side)).ok().as_deref())?;
        // A build that does not come to its end leaves parts of two trees: the next call then builds all packages again.
        _ = fs::remove_file(self.built(side));
        for path in taken_along {
            let to = folder.join(path);
            // An untracked configuration must not hide one that base has in git.
            if to.exists() && CONFIGURATION.iter().any(|file| path.ends_with(file)) {
                continue;
            }
            let parent = to.parent().unwrap_or(&folder);
            // A link in the tree must not lead to the user's own files.
            let there = parent.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(&folder);
            let is_inside = || Ok(there.canonicalize()?.starts_with(folder.canonicalize()?));
            if !is_inside().map_err(BaseError::file(there))? {
                return Err(BaseError::CopyLeadsOut { path: path.clone() });
            }
            let cleared = fs::create_dir_all(parent)
                .map(|()| _ = fs::remove_dir_all(&to).or_else(|_| fs::remove_file(&to)));
            cleared.map_err(BaseError::file(parent))?;
            let mut copy = Process::new("cp");
            copy.arg("-pR").arg(self.top.join(path)).arg(parent);
            cargo::run(&mut copy, side, true, signals)?;
        }
        Ok(())
    }

    /// Files among those that were taken along that name others of the user's working tree: both sides would run those. An editable
    /// install of Python is one.
    fn leading_back(&self, taken_along: &[PathBuf]) -> Vec<String> {
        let needle = format!("{}/", self.top.display());
        let mut found = Vec::new();
        for taken in taken_along {
            let own = self.top.join(taken);
            let mut left = vec![own.clone()];
            while let Some(path) = left.pop() {
                let Ok(meta) = fs::symlink_metadata(&path) else { continue };
                if meta.is_dir() {
                    left.extend(
                        fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()),
                    );
                } else if meta.is_file() && meta.len() <= LARGEST_SEARCHED {
                    let text = fs::read(&path).unwrap_or_default();
                    let own = own.as_os_str().as_encoded_bytes();
                    let mut places = memmem::find_iter(&text, &needle);
                    if places.any(|at| !text[at..].starts_with(own)) {
                        found.push(path.strip_prefix(&self.top).unwrap_or(&path).display().to_string());
                    }
                }
            }
        }
        found.sort();
        found
    }

    /// Gives the first build of base what head has built of other people's packages. What head has built of packages by path is
    /// forgotten: those are base's own to build.
    fn seed_base(&self, by_path: &BTreeSet<String>, signals: &Interrupt) -> Result<(), BaseError> {
        let [from, to] = [Side::Head, Side::Base].map(|side| self.target(side));
        if to.exists() || by_path.is_empty() {
            return Ok(());
        }
        // Whole or not at all.
        let partial = to.with_extension("partial");
        let cleared = if partial.exists() { fs::remove_dir_all(&partial) } else { Ok(()) };
        cleared.map_err(BaseError::file(&partial))?;
        cargo::run(Process::new("cp").arg("-pR").arg(&from).arg(&partial), Side::Base, true, signals)?;
        let forgotten = forget(&partial, by_path).map_err(BaseError::file(&partial))?;
        // A cargo that keeps its notes elsewhere: base is built from nothing.
        if forgotten == 0 {
            return fs::remove_dir_all(&partial).map_err(BaseError::file(&partial));
        }
        fs::rename(&partial, &to).map_err(BaseError::file(&to))
    }

    /// Links, in each folder above the tree, what lies in that folder above the repository: configuration of cargo and rustup, and
    /// packages that are named by a relative path.
    fn link_surroundings(&self, side: Side) -> io::Result<()> {
        for (inner, outer) in self.top.ancestors().zip(self.top.ancestors().skip(1)) {
            let folder = self.on(side, outer);
            fs::create_dir_all(&folder)?;
            let own = self.on(side, inner);
            for old in fs::read_dir(&folder)?.flatten().filter(|old| old.path() != own) {
                let is_folder = old.file_type()?.is_dir();
                if is_folder { fs::remove_dir_all(old.path())? } else { fs::remove_file(old.path())? }
            }
            // A folder that may not be listed has nothing that a build could find.
            for there in fs::read_dir(outer).into_iter().flatten().flatten() {
                let (path, link) = (there.path(), folder.join(there.file_name()));
                let is_cargo = there.file_name() == ".cargo";
                // Cargo finds configuration above the cache by itself, and would count it twice.
                let is_found_anyway = is_cargo && self.folder.starts_with(outer);
                if path == inner
                    || there.file_name() == ".git"
                    || is_found_anyway
                    || self.folder.starts_with(&path)
                {
                    continue;
                }
                // Cargo writes lock files; the user's is not its to write.
                if there.file_name() == "Cargo.lock" {
                    fs::copy(&path, &link)?;
                } else {
                    symlink(&path, &link)?;
                }
            }
        }
        Ok(())
    }

    /// How one side is started: by its own program, in its own tree.
    fn command(
        &self,
        side: Side,
        command: &ServiceCommand,
        built: &Built,
        root: &Path,
        paths: &Paths,
    ) -> ServiceCommand {
        let text = |text: &str| self.text_on(side, text);
        let program = built.paths.get(command.program()).map(|path| path.to_string_lossy().into_owned());
        let folder = command.directory.as_ref().map_or_else(|| root.to_owned(), |folder| root.join(folder));
        let is_inside = folder.starts_with(&self.top);
        let inherited = std::env::vars_os();
        let inherited =
            inherited.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        // Libraries that cargo has built are in another folder than the user's.
        let in_target = |value: &str| replaced(value, &paths.target, &self.target(side), |_| true);
        let changed = |(name, value): (String, String)| {
            Some((name, in_target(&value))).filter(|(_, new)| *new != value)
        };
        let inherited: Vec<(String, String)> = inherited.collect();
        let libraries = inherited.iter().cloned().filter_map(changed);
        let others = inherited.iter().filter(|(_, value)| *value != text(value)).cloned();
        let variables: BTreeMap<String, String> =
            others.chain(libraries).chain(command.env.clone()).collect();
        let folder = if is_inside { self.on(side, &folder) } else { folder };
        ServiceCommand {
            program: program.unwrap_or_else(|| command.program.clone()),
            args: command.args.iter().map(|arg| text(arg)).collect(),
            env: variables.into_iter().map(|(name, value)| (name, text(&value))).collect(),
            // A package that only head has is benched from the top of base's tree.
            directory: Some(if folder.is_dir() { folder } else { self.on(side, &self.top) }),
            ..command.clone()
        }
    }

    /// A text in which each path of the repository is that of the same file in the side's tree. Paths of files that git does not have
    /// stay the user's.
    fn text_on(&self, side: Side, text: &str) -> String {
        let is_tracked =
            |path: &Path| [Side::Base, Side::Head].iter().any(|side| self.on(*side, path).exists());
        replaced(text, &self.top, &self.on(side, &self.top), is_tracked)
    }
}

/// A text in which one folder stands for another, in the paths for which `holds`.
fn replaced(text: &str, from: &Path, to: &Path, holds: impl Fn(&Path) -> bool) -> String {
    let needle = from.to_string_lossy();
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(&*needle) {
        let (before, found) = rest.split_at(at);
        // At the start of a path: `/x`, `--config=/x`, `file:///x`, but not `db/x`.
        let begins =
            (out.is_empty() && before.is_empty()) || before.ends_with(PATH_ENDS) || before.ends_with("//");
        // A path may hold a space or a comma; the longest that there is counts.
        let below = &found[needle.len()..];
        let ends = below.match_indices(PATH_ENDS).map(|(at, _)| at).chain([below.len()]);
        let mut paths = ends.map(|end| Path::new(&found[..needle.len() + end]));
        let is_path = begins && paths.any(|path| path.starts_with(from) && holds(path));
        out.push_str(before);
        out.push_str(&if is_path { to.to_string_lossy() } else { needle.clone() });
        rest = below;
    }
    out + rest
}

/// Removes cargo's notes on what it has built of some packages; says of how many it found any.
fn forget(target: &Path, packages: &BTreeSet<String>) -> io::Result<usize> {
    let folders = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    // `release/.fingerprint`, or `x86_64-unknown-linux-gnu/release/.fingerprint`.
    let profiles = folders(target).into_iter().flat_map(|one| folders(&one).into_iter().chain([one]));
    let mut forgotten = 0;
    for note in profiles.flat_map(|profile| folders(&profile.join(".fingerprint"))) {
        let name = note.file_name().unwrap_or_default().to_string_lossy();
        if name.rsplit_once('-').is_some_and(|(package, _)| packages.contains(package)) {
            fs::remove_dir_all(&note)?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

/// What came of building one side.
#[derive(Debug, Default)]
struct Built {
    /// The programs, by what the bench file calls them.
    paths: BTreeMap<String, PathBuf>,
    /// What was built, in words.
    described: Vec<String>,
    /// Packages that lie outside the tree.
    outside: BTreeSet<String>,
    /// The names of all packages by path.
    by_path: BTreeSet<String>,
    toolchain: String,
}

/// Builds one side.
struct Builder<'a> {
    side: Side,
    layout: &'a Layout,
    root: &'a Path,
    paths: &'a Paths,
    quiet: bool,
    signals: &'a Interrupt,
}

impl Builder<'_> {
    /// By the `cargo build` that fits the user's `cargo bench`.
    fn by_cargo(&self, call: &CargoCall, programs: &BTreeSet<String>) -> Result<Built, BaseError> {
        let tree = self.layout.on(self.side, &self.layout.top);
        let is_inside = call.folder.starts_with(&self.layout.top);
        let folder = if is_inside { self.layout.on(self.side, &call.folder) } else { call.folder.clone() };
        // A folder that only head has.
        let folder = if folder.is_dir() { folder } else { tree.clone() };
        let manifest = self.manifest(call)?;
        let target = self.layout.target(self.side);
        let site =
            Site { side: self.side, tree: &tree, manifest: &manifest, folder: &folder, target: &target };
        let packages = call.packages(&site, self.signals)?;
        let own = self.layout.on(self.side, &self.root.join("Cargo.toml"));
        let mut by_package: BTreeMap<&str, (&Package, BTreeSet<String>)> = BTreeMap::new();
        for program in programs {
            let name = Path::new(program).file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.filter(|_| program.contains('/'));
            let name = name.ok_or_else(|| BaseError::NotCargo { program: program.clone() })?;
            let package = Package::of_program(&packages, &name, &own)?;
            let package = package.ok_or_else(|| match self.side {
                Side::Head => BaseError::NotCargo { program: program.clone() },
                Side::Base => {
                    BaseError::NoProgram { side: self.side, program: name.clone(), place: String::new() }
                }
            })?;
            by_package.entry(package.name()).or_insert_with(|| (package, BTreeSet::new())).1.insert(name);
        }
        let mut built = Built { toolchain: call.toolchain(&folder), ..Built::default() };
        for (package, names) in by_package.into_values() {
            let made = call.build(&site, package, &names, self.quiet, self.signals)?;
            built.outside.extend(made.outside);
            built.by_path.extend(made.by_path);
            built.described.extend(names.iter().map(|name| format!("{name} of package {}", package.name())));
            for program in programs {
                let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
                if let Some(path) = made.paths.get(&*name) {
                    built.paths.insert(program.clone(), path.clone());
                }
            }
        }
        Ok(built)
    }

    /// The manifest of the workspace in this side's tree, with the lock file that the user has if git does not have it.
    fn manifest(&self, call: &CargoCall) -> Result<PathBuf, BaseError> {
        // Where it lies is asked of the user's own tree: base may not have the bench's package.
        let own = self.root.join("Cargo.toml");
        let users = call.workspace_manifest(&call.folder, &own).unwrap_or(own);
        let users = users.canonicalize().unwrap_or(users);
        let manifest = self.layout.on(self.side, &users);
        let (from, to) = (users.with_file_name("Cargo.lock"), manifest.with_file_name("Cargo.lock"));
        if from.is_file() && !to.exists() && manifest.exists() {
            fs::copy(&from, &to).map_err(BaseError::file(&to))?;
        }
        Ok(manifest)
    }

    /// By the user's own command, run in the package's folder of the side's tree.
    fn by_command(
        &self,
        line: &str,
        call: Option<&CargoCall>,
        programs: &BTreeSet<String>,
    ) -> Result<Built, BaseError> {
        let target = self.layout.target(self.side);
        let folder = self.layout.on(self.side, self.root);
        let folder = if folder.is_dir() { folder } else { self.layout.on(self.side, &self.layout.top) };
        let mut shell = Process::new("sh");
        call.into_iter().for_each(|call| call.set_environment(&mut shell));
        shell.arg("-c").arg(format!("{}{line}", cargo::TO_STDERR)).current_dir(&folder);
        shell.env("CARGO_TARGET_DIR", &target).env("CARGO_BUILD_BUILD_DIR", &target);
        let places = |program: &String| {
            let path = self.root.join(program);
            let in_target = path.strip_prefix(&self.paths.target).ok().map(|below| target.join(below));
            let in_tree = path.starts_with(&self.layout.top).then(|| self.layout.on(self.side, &path));
            [in_target, in_tree]
        };
        // A program of an earlier call must not be taken for what this command builds. The trees are clean already.
        programs
            .iter()
            .filter_map(|program| places(program)[0].clone())
            .for_each(|old| _ = fs::remove_file(old));
        cargo::run(&mut shell, self.side, self.quiet, self.signals)?;
        let names = programs.iter().cloned().collect::<Vec<_>>().join(", ");
        let mut built =
            Built { described: vec![format!("{names}, prepared by `{line}`")], ..Built::default() };
        for program in programs.iter().filter(|program| program.contains('/')) {
            let places: Vec<PathBuf> = places(program).into_iter().flatten().collect();
            // A program of the system is the same on both sides.
            if places.is_empty() {
                continue;
            }
            let found = places.iter().find(|place| place.is_file()).ok_or_else(|| {
                let looked: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
                BaseError::NoProgram {
                    side: self.side,
                    program: program.clone(),
                    place: format!(
                        " ({}). Files that git ignores are not in the trees: --base-copy takes them along",
                        looked.join(", ")
                    ),
                }
            })?;
            built.paths.insert(program.clone(), found.clone());
        }
        Ok(built)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_tracked_files_become_those_of_the_tree() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout { folder: folder.path().to_owned(), top: "/home/user/shop".into() };
        let tree = layout.on(Side::Head, &layout.top);
        fs::create_dir_all(tree.join("config")).unwrap();
        let base = layout.on(Side::Base, &layout.top).to_string_lossy().into_owned();
        let text = |text: &str| layout.text_on(Side::Base, text);
        assert_eq!(text("--config=/home/user/shop/config"), format!("--config={base}/config"));
        assert_eq!(
            text("/home/user/shop:/home/user/shop/.venv/bin"),
            format!("{base}:/home/user/shop/.venv/bin")
        );
        for other in [
            "/home/user/shopping",
            "/home/user",
            "",
            "/home/user/shop/ignored.db",
            "postgres://db/home/user/shop",
        ] {
            assert_eq!(text(other), other);
        }
        let [user, own] = ["/home/user/shop/target", "/cache/base-target"].map(Path::new);
        let libraries = "/home/user/shop/target/release/deps:/usr/lib:/home/user/shop/targets";
        let expected = "/cache/base-target/release/deps:/usr/lib:/home/user/shop/targets";
        assert_eq!(replaced(libraries, user, own, |_| true), expected);
        let spaced = Layout { top: "/home/user/my shop".into(), ..layout };
        fs::create_dir_all(spaced.on(Side::Head, Path::new("/home/user/my shop/a b"))).unwrap();
        let base = spaced.on(Side::Base, &spaced.top).to_string_lossy().into_owned();
        let text =
            spaced.text_on(Side::Base, "--config=/home/user/my shop/a b,/home/user/my shop/ignored.db");
        assert_eq!(text, format!("--config={base}/a b,/home/user/my shop/ignored.db"));
    }
}
