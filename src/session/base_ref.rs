//! Base of a duet: a service that the call names, or base and head of `--base-ref` as two trees that are built in the same way.
//!
//! The trees lie in a cache folder of the repository, under paths of equal length: base is a commit, head the working tree as
//! `git add -A` would take it. Both are built by the same command, in the environment that cargo was started with, into folders of their
//! own, and each service runs in its own tree. So the two sides differ only in what the trees differ in. The user's index, branches,
//! configuration and build folders are never touched.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::{Duration, SystemTime};

use memchr::memmem;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::measure::Interrupt;
use crate::output;
use crate::plan::{Plan, Service, ServiceCommand, ServiceKind, Side, escape_placeholders};
use crate::record::BaseRef;
use crate::report::{self, base_warnings, same_trees};
use crate::session::baselines::{first_tree_of_baseline, is_program_of_cargo};
use crate::session::cargo::{self, BuildDirs, Built, CargoCall};
use crate::session::git::{NAME_BYTES, Repository, Tree, digest_name, top_of};
use crate::session::last::Programs;
use crate::session::options::{Options, OwnBase, Paths};
use crate::session::outcome::{Result, SessionError};

/// The variable with the folder for everything that `--base-ref` keeps.
const CACHE_VARIABLE: &str = "PLIMSOLL_CACHE_DIR";
/// The lock of a repository's cache folder, in that folder. Its time of modification is the time of the last use.
const LOCK: &str = "lock";
/// Interval at which a lock that another bench holds is tried again.
const LOCK_POLL: Duration = Duration::from_millis(50);
/// The folders of repositories that were not used for this long are removed.
const KEPT_UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Files that tell cargo and rustup how to build, in the folder of the call and in each folder above it.
const CONFIGURATION: [&str; 4] =
    [".cargo/config.toml", ".cargo/config", "rust-toolchain.toml", "rust-toolchain"];
/// Files of `--base-copy` up to this size, in bytes, are searched for paths of the working tree.
const MAX_SEARCHED: u64 = 1 << 20;
/// Differing files to name in a report.
const MAX_NAMED: usize = 5;
/// Characters that end a path within an argument or a variable.
const PATH_ENDS: [char; 8] = [':', ';', ',', '=', ' ', '"', '\'', '\n'];

/// What a call names as base.
pub(crate) enum Resolved {
    /// Nothing of which more is to be told.
    Plain,
    /// Two trees or two programs, with the lock on trees for the rest of the call.
    Duet(Box<BaseRef>, Option<Flock<File>>),
    /// Nothing is to be measured, because the trees of base and head are the same, as this sentence says.
    Same(String),
    /// There is no base yet, as this sentence says.
    NoBase(&'static str),
}

/// Sets base of each group to what the call names, and builds base and head of trees.
pub(crate) fn resolve(plan: &mut Plan, options: &Options, signals: &Interrupt) -> Result<Resolved> {
    let duet = &options.duet;
    let base = match (&duet.base, &duet.base_ref) {
        (Some(OwnBase::Last), _) => return last(plan, options),
        (Some(OwnBase::Baseline), _) => Some(Base::Found(Box::new(first_tree_of_baseline(plan, options)?))),
        (None, name) => name.as_deref().map(Base::Named),
    };
    if let Some(base) = base {
        let (base, lock) = build_pair(plan, base, options, signals)?;
        return Ok(if lock.is_some() {
            Resolved::Duet(Box::new(base), lock)
        } else {
            Resolved::Same(same_trees(&base))
        });
    }
    if let Some(url) = &duet.base_url {
        for group in &mut plan.groups {
            let mut base = Service::url(url);
            base.set_ready(group.service.ready_endpoint().cloned());
            group.base = Some(base);
        }
    }
    if let Some(line) = &duet.base_command {
        let words = shlex::split(line).unwrap_or_default();
        let (program, args) = words.split_first().ok_or_else(|| SessionError::BaseCommand(line.clone()))?;
        for group in &mut plan.groups {
            // Its environment, folder and ready path are those of head.
            let mut command = match &group.service.0 {
                ServiceKind::Command(head) => head.clone(),
                _ => Service::command(program),
            };
            (command.program, command.args) = (program.clone(), args.to_vec());
            group.base = Some(command.into());
        }
    }
    Ok(Resolved::Plain)
}

/// The last program that differs from head's.
fn last(plan: &mut Plan, options: &Options) -> Result<Resolved> {
    let programs = Programs::of(plan, options).map_err(|group| SessionError::NoLastProgram { group })?;
    programs.copy().map_err(SessionError::io(&options.paths.target))?;
    let Some(base) = programs.against_last(plan, options)? else {
        // So that the next call has something to compare with.
        programs.keep(options).map_err(SessionError::io(&options.paths.target))?;
        return Ok(Resolved::NoBase(report::NO_LAST_PROGRAM));
    };
    if !options.quiet {
        output::log(report::last_program(&base));
    }
    Ok(Resolved::Duet(Box::new(base), None))
}

/// What the trees of a pair are made of, and a lock on them for the rest of the call; no lock if nothing was built because they are
/// the same.
pub(crate) type Pair = (BaseRef, Option<Flock<File>>);

/// The commit of base.
pub(crate) enum Base<'a> {
    /// As the user calls it.
    Named(&'a str),
    Found(Box<BaseRef>),
}

/// Builds base and head of all groups of a plan, and sets both sides.
pub(crate) fn build_pair(
    plan: &mut Plan,
    base: Base<'_>,
    options: &Options,
    signals: &Interrupt,
) -> Result<Pair> {
    let duet = &options.duet;
    // What was stored was measured with the arguments of this call.
    let same_args = matches!(base, Base::Found(_));
    let base_arg: &[String] = if same_args { &[] } else { &duet.base_arg };
    let programs = programs(plan, &options.paths, !base_arg.is_empty())?;
    let trees = Trees::new(options, signals)?;
    let call = CargoCall::find();
    if call.is_none() && duet.base_build.is_none() {
        return Err(SessionError::NoCargoBench);
    }
    let lock = lock(&trees.folder, signals).map_err(SessionError::io(&trees.folder))?;
    let repository = Repository::open(&trees.top, &trees.folder.join("git"))?;
    let mut facts = match base {
        Base::Named(name) => repository.base_commit(name)?,
        Base::Found(facts) => *facts,
    };
    let called_in = call.as_ref().map_or(trees.root.as_path(), |call| &call.folder);
    let copied = trees.copied(&repository, called_in, &duet.base_copy)?;
    let base = repository.tree_of(&facts.commit)?;
    let head = repository.snapshot(&copied, signals)?;
    let ignored: Vec<PathBuf> = trees.files_of_plimsoll().chain(copied.iter().cloned()).collect();
    let differing = base.differing(&head, &ignored)?;
    facts.differing_count = differing.len();
    facts.differing = differing.iter().take(MAX_NAMED).map(|path| path.display().to_string()).collect();
    facts.leading_back = trees.leading_back(&copied).into_iter().take(MAX_NAMED).collect();
    if !options.quiet {
        base_warnings(&facts).iter().for_each(|warning| output::log(format_args!("warning: {warning}")));
    }
    if differing.is_empty() && base_arg.is_empty() && (same_args || options.service_args.is_empty()) {
        return Ok((facts, None));
    }
    let build = |side: Side, tree: &Tree, what: &str| -> Result<Built> {
        if !options.quiet {
            output::log(format_args!("Building {side}: {what}"));
        }
        trees.check_out(side, tree, &copied)?;
        let built = match (&call, &duet.base_build) {
            (Some(call), None) => call.build(&trees.build_dirs(side, call)?, &programs),
            (call, command) => {
                trees.build_by_command(side, command.as_deref().unwrap_or("true"), call.as_ref(), &programs)
            }
        }?;
        let note = trees.build_note(side);
        fs::write(&note, tree.identity()).map_err(SessionError::io(&note))?;
        Ok(built)
    };
    let head = build(Side::Head, &head, "the working tree")?;
    trees.seed_base(&head.by_path)?;
    let base = build(Side::Base, &base, &facts.described())?;
    prune(&trees.folder);
    facts.same_programs = programs.iter().all(|program| trees.is_same_program(program, &base, &head));
    for group in &mut plan.groups {
        let ServiceKind::Command(command) = &group.service.0 else { continue };
        let mut of_base = trees.command(Side::Base, command, &base);
        if !base_arg.is_empty() {
            of_base.args = base_arg.to_vec();
        }
        if same_args {
            of_base.args.extend(options.service_args.iter().cloned());
        }
        let of_head = trees.command(Side::Head, command, &head);
        (group.base, group.service) = (Some(of_base.into()), of_head.into());
    }
    facts.outside = base.outside.union(&head.outside).cloned().collect();
    facts.programs = head.described.into_iter().collect();
    facts.toolchains = (base.toolchain != head.toolchain).then_some((base.toolchain, head.toolchain));
    Ok((facts, Some(lock)))
}

/// The programs of all groups, and those of their hooks that cargo builds. If base gets other arguments, all groups must have the same arguments.
fn programs(plan: &Plan, paths: &Paths, replaces_args: bool) -> Result<BTreeSet<String>> {
    let mut programs = BTreeSet::new();
    let mut first = None;
    for group in &plan.groups {
        let ServiceKind::Command(command) = &group.service.0 else {
            return Err(SessionError::NotACommand { group: group.name.clone() });
        };
        let (one, args) = *first.get_or_insert((&group.name, &command.args));
        if replaces_args && *args != command.args {
            return Err(SessionError::BaseArguments { one: one.clone(), other: group.name.clone() });
        }
        let hooks = command.hooks().map(ServiceCommand::program);
        let built = hooks.filter(|program| is_program_of_cargo(program, paths));
        programs.extend(built.chain([command.program()]).map(str::to_owned));
    }
    Ok(programs)
}

/// The trees of base and head in the cache.
struct Trees<'a> {
    /// The folder of this repository in the cache.
    folder: PathBuf,
    /// The top of the user's working tree.
    top: PathBuf,
    /// The folder of the bench's package in the working tree.
    root: PathBuf,
    options: &'a Options,
    signals: &'a Interrupt,
}

impl<'a> Trees<'a> {
    fn new(options: &'a Options, signals: &'a Interrupt) -> Result<Self> {
        let root = options.paths.root.canonicalize().unwrap_or_else(|_| options.paths.root.clone());
        let top = top_of(&root)?;
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let usual = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        let usual = usual.filter(|folder| !folder.starts_with(&top)).unwrap_or_else(std::env::temp_dir);
        let cache = absolute(CACHE_VARIABLE).unwrap_or_else(|| usual.join("plimsoll"));
        let made = fs::create_dir_all(&cache).and_then(|()| cache.canonicalize());
        let cache = made.map_err(SessionError::io(&cache))?;
        if cache.starts_with(&top) {
            return Err(SessionError::CacheInside(cache));
        }
        Ok(Self { folder: cache.join(digest_name(&top)), top, root, options, signals })
    }

    /// The place in the tree of one side of a path of the user's.
    fn on(&self, side: Side, path: &Path) -> PathBuf {
        self.folder.join(side.to_string()).join(path.strip_prefix("/").unwrap_or(path))
    }

    fn tree(&self, side: Side) -> PathBuf {
        self.on(side, &self.top)
    }

    /// A folder of the user's as one side has it; the top of the side's tree if it does not have it.
    fn folder_on(&self, side: Side, folder: &Path) -> PathBuf {
        let inside = folder.starts_with(&self.top).then(|| self.on(side, folder));
        let folder = inside.unwrap_or_else(|| folder.to_owned());
        if folder.is_dir() { folder } else { self.tree(side) }
    }

    /// The folder of everything that is built for one side.
    fn target(&self, side: Side) -> PathBuf {
        self.folder.join(format!("{side}-target"))
    }

    /// The file with the identity of the tree that was built last.
    fn build_note(&self, side: Side) -> PathBuf {
        self.folder.join(format!("{side}-built"))
    }

    /// The files that plimsoll writes in the package's folder, below the top folder. They do not change the service.
    fn files_of_plimsoll(&self) -> impl Iterator<Item = PathBuf> {
        let reports = fs::read_dir(self.root.join("reports")).into_iter().flatten().flatten();
        let reports = reports.filter(|report| report.path().join("run.json").is_file());
        let reports = reports.map(|report| Path::new("reports").join(report.file_name()));
        let package = self.root.strip_prefix(&self.top).unwrap_or(Path::new(""));
        let own = reports.chain(["baselines", "reports/index.html"].map(PathBuf::from));
        own.map(|path| package.join(path))
    }

    /// Files and folders that git does not have and both trees get, below the top folder: those that the user names, and configuration
    /// of cargo that git does not track. It controls how to build, not what.
    fn copied(&self, repository: &Repository, called_in: &Path, named: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let (root, top) = (self.root.as_path(), self.top.as_path());
        let mut paths = Vec::new();
        for path in named {
            let found =
                [root, called_in, top].iter().find_map(|folder| folder.join(path).canonicalize().ok());
            let below = found.as_ref().and_then(|found| found.strip_prefix(top).ok());
            let below = below.filter(|below| !below.as_os_str().is_empty());
            paths.push(below.map(Path::to_owned).ok_or_else(|| SessionError::BaseCopy {
                path: path.clone(),
                why: format!(
                    "no such file or folder, neither in {} nor at the top of the repository, {}",
                    root.display(),
                    top.display()
                ),
            })?);
        }
        let within = called_in.ancestors().filter_map(|folder| folder.strip_prefix(top).ok());
        let files = within.flat_map(|folder| CONFIGURATION.map(|file| folder.join(file)));
        paths.extend(repository.untracked(files.filter(|file| top.join(file).is_file()).collect()));
        Ok(paths)
    }

    /// Checks out the tree of one side, with what lies next to the repository next to it.
    fn check_out(&self, side: Side, tree: &Tree, copied: &[PathBuf]) -> Result<()> {
        let folder = self.tree(side);
        self.link_surroundings(side).map_err(SessionError::io(&folder))?;
        tree.check_out(side, &folder, self.signals)?;
        tree.renew_changed(&folder, &fs::read_to_string(self.build_note(side)).unwrap_or_default())?;
        // A build that does not end leaves parts of two trees. The next call then builds all packages again.
        _ = fs::remove_file(self.build_note(side));
        for path in copied {
            let to = folder.join(path);
            // An untracked configuration must not hide one that base has in git.
            if to.exists() && CONFIGURATION.iter().any(|file| path.ends_with(file)) {
                continue;
            }
            let parent = to.parent().unwrap_or(&folder);
            // A link in the tree must not lead to the user's own files.
            let existing = parent.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(&folder);
            let is_inside = || Ok(existing.canonicalize()?.starts_with(folder.canonicalize()?));
            if !is_inside().map_err(SessionError::io(existing))? {
                let why = format!("a link in the tree of {side} leads out of the repository");
                return Err(SessionError::BaseCopy { path: path.clone(), why });
            }
            fs::create_dir_all(parent).map_err(SessionError::io(parent))?;
            _ = fs::remove_dir_all(&to).or_else(|_| fs::remove_file(&to));
            self.copy(side, &self.top.join(path), parent)?;
        }
        Ok(())
    }

    fn copy(&self, side: Side, from: &Path, to: &Path) -> Result<()> {
        cargo::run(Process::new("cp").arg("-pR").arg(from).arg(to), side, true, self.signals).map(drop)
    }

    /// Those of the copied files that name other files of the user's working tree: both sides would run those. An editable install of
    /// Python is one.
    fn leading_back(&self, copied: &[PathBuf]) -> Vec<String> {
        let needle = format!("{}/", self.top.display());
        let mut found = Vec::new();
        for own in copied.iter().map(|path| self.top.join(path)) {
            let own_bytes = own.as_os_str().as_encoded_bytes();
            let mut left = vec![own.clone()];
            while let Some(path) = left.pop() {
                let Ok(meta) = fs::symlink_metadata(&path) else { continue };
                if meta.is_dir() {
                    let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                    left.extend(entries.map(|entry| entry.path()));
                } else if meta.is_file() && meta.len() <= MAX_SEARCHED {
                    let text = fs::read(&path).unwrap_or_default();
                    let mut places = memmem::find_iter(&text, &needle);
                    if places.any(|at| !text[at..].starts_with(own_bytes)) {
                        found.push(path.strip_prefix(&self.top).unwrap_or(&path).display().to_string());
                    }
                }
            }
        }
        found.sort();
        found
    }

    /// Gives the first build of base the packages that head has built, except for packages by path: base builds its own.
    fn seed_base(&self, by_path: &BTreeSet<String>) -> Result<()> {
        let [from, to] = [Side::Head, Side::Base].map(|side| self.target(side));
        if to.exists() || by_path.is_empty() {
            return Ok(());
        }
        // Whole or not at all.
        let partial = to.with_extension("partial");
        let cleared = if partial.exists() { fs::remove_dir_all(&partial) } else { Ok(()) };
        cleared.map_err(SessionError::io(&partial))?;
        self.copy(Side::Base, &from, &partial)?;
        let removed = remove_notes(&partial, by_path).map_err(SessionError::io(&partial))?;
        // This cargo keeps its notes elsewhere: base is built from nothing.
        if removed == 0 {
            return fs::remove_dir_all(&partial).map_err(SessionError::io(&partial));
        }
        fs::rename(&partial, &to).map_err(SessionError::io(&to))
    }

    /// Links, in each folder above the tree, what lies in the same folder above the repository: configuration of cargo and rustup, and
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
            // A build finds nothing in a folder that may not be listed.
            for there in fs::read_dir(outer).into_iter().flatten().flatten() {
                let (path, name) = (there.path(), there.file_name());
                let is_own = path == inner || self.folder.starts_with(&path) || name == ".git";
                // Cargo also finds configuration above the cache, and would apply it twice.
                if is_own || name == ".cargo" && self.folder.starts_with(outer) {
                    continue;
                }
                // Cargo writes lock files, and must not write the user's.
                if name == "Cargo.lock" {
                    fs::copy(&path, folder.join(name))?;
                } else {
                    symlink(&path, folder.join(name))?;
                }
            }
        }
        Ok(())
    }

    /// The folders of a `cargo build` that fits the user's `cargo bench`.
    fn build_dirs(&self, side: Side, call: &CargoCall) -> Result<BuildDirs<'_>> {
        // The user's own tree says where the workspace is: base may not have the bench's package.
        let package = self.root.join("Cargo.toml");
        let workspace = call.workspace_manifest(&package).unwrap_or_else(|| package.clone());
        let workspace = workspace.canonicalize().unwrap_or(workspace);
        let manifest = self.on(side, &workspace);
        // If git does not have the lock file, both sides get the user's.
        let (from, to) = (workspace.with_file_name("Cargo.lock"), manifest.with_file_name("Cargo.lock"));
        if from.is_file() && !to.exists() && manifest.exists() {
            fs::copy(&from, &to).map_err(SessionError::io(&to))?;
        }
        let (tree, target) = (self.tree(side), self.target(side));
        let (own_manifest, folder) = (self.on(side, &package), self.folder_on(side, &call.folder));
        let (quiet, signals) = (self.options.quiet, self.signals);
        Ok(BuildDirs { side, tree, manifest, own_manifest, folder, target, quiet, signals })
    }

    /// Builds one side with the user's own command, which runs in the package's folder of the side's tree.
    fn build_by_command(
        &self,
        side: Side,
        line: &str,
        call: Option<&CargoCall>,
        programs: &BTreeSet<String>,
    ) -> Result<Built> {
        let target = self.target(side);
        let places = |program: &String| {
            let path = self.root.join(program);
            let below = path.strip_prefix(&self.options.paths.target).ok();
            let in_tree = path.starts_with(&self.top).then(|| self.on(side, &path));
            [below.map(|below| target.join(below)), in_tree]
        };
        // A program of an earlier call must not be taken for a program of this one. The trees are clean already.
        let old = programs.iter().filter_map(|program| places(program)[0].clone());
        old.for_each(|old| _ = fs::remove_file(old));
        let mut shell = Process::new("sh");
        call.into_iter().for_each(|call| call.set_environment(&mut shell));
        shell.arg("-c").arg(format!("{}{line}", cargo::TO_STDERR));
        shell.current_dir(self.folder_on(side, &self.root));
        shell.env("CARGO_TARGET_DIR", &target).env("CARGO_BUILD_BUILD_DIR", &target);
        cargo::run(&mut shell, side, self.options.quiet, self.signals)?;
        let names = programs.iter().cloned().collect::<Vec<_>>().join(", ");
        let mut built = Built::default();
        built.described.insert(format!("{names}, prepared by `{line}`"));
        for program in programs.iter().filter(|program| program.contains('/')) {
            let places: Vec<PathBuf> = places(program).into_iter().flatten().collect();
            // A program of the system is the same on both sides.
            if places.is_empty() {
                continue;
            }
            let found = places.iter().find(|place| place.is_file()).ok_or_else(|| {
                let searched: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
                SessionError::NotBuilt {
                    side,
                    program: program.clone(),
                    place: format!(
                        " (searched: {}). Files that git ignores are not in the trees: --base-copy copies them into both",
                        searched.join(", ")
                    ),
                }
            })?;
            built.paths.insert(program.clone(), found.clone());
        }
        Ok(built)
    }

    /// Whether both sides have built the same program. A script or an interpreter is the same file on both sides, but runs files that
    /// differ.
    fn is_same_program(&self, program: &str, base: &Built, head: &Built) -> bool {
        let content = |side: Side, built: &Built| {
            let path = built.paths.get(program).filter(|path| path.starts_with(self.target(side)))?;
            fs::read(path).ok()
        };
        content(Side::Base, base).is_some_and(|base| Some(base) == content(Side::Head, head))
    }

    /// The command of one side: its own program, in its own tree.
    fn command(&self, side: Side, command: &ServiceCommand, built: &Built) -> ServiceCommand {
        let text = |text: &str| self.text_on(side, text);
        let program = |command: &ServiceCommand| {
            // A script of the repository, of which nothing is built.
            let script = || {
                let path = self.on(side, &self.root.join(&command.program));
                (command.program.contains('/') && path.starts_with(self.tree(side)) && path.is_file())
                    .then_some(path)
            };
            let path = built.paths.get(command.program()).cloned().or_else(script);
            path.map_or_else(|| command.program.clone(), |path| path.to_string_lossy().into_owned())
        };
        let folder = command.directory.as_ref().map_or(self.root.clone(), |folder| self.root.join(folder));
        let inherited = std::env::vars_os().filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            // Libraries that cargo has built are in another folder than the user's.
            let moved =
                text(&replace_folder(&value, &self.options.paths.target, &self.target(side), |_| true));
            (moved != value).then(|| (name, escape_placeholders(&moved)))
        });
        let own_env = |command: &ServiceCommand| -> Vec<(String, String)> {
            command.env.iter().map(|(name, value)| (name.clone(), text(value))).collect()
        };
        let hooks = |hooks: &[ServiceCommand]| {
            let hook = |hook: &ServiceCommand| ServiceCommand {
                program: program(hook),
                args: hook.args.iter().map(|arg| text(arg)).collect(),
                env: own_env(hook).into_iter().collect(),
                directory: hook
                    .directory
                    .as_ref()
                    .map(|folder| self.folder_on(side, &self.root.join(folder))),
                ..hook.clone()
            };
            hooks.iter().map(hook).collect()
        };
        ServiceCommand {
            program: program(command),
            args: command.args.iter().map(|arg| text(arg)).collect(),
            env: inherited.chain(own_env(command)).collect(),
            before: hooks(&command.before),
            after: hooks(&command.after),
            directory: Some(self.folder_on(side, &folder)),
            ..command.clone()
        }
    }

    /// A text with each path of the repository replaced by the path of the same file in the side's tree. Paths of files that git does not
    /// have stay the user's.
    fn text_on(&self, side: Side, text: &str) -> String {
        let is_tracked =
            |path: &Path| [Side::Base, Side::Head].iter().any(|side| self.on(*side, path).exists());
        replace_folder(text, &self.top, &self.tree(side), is_tracked)
    }
}

/// A text with one folder replaced by another, in the paths for which `holds` is true.
fn replace_folder(text: &str, from: &Path, to: &Path, holds: impl Fn(&Path) -> bool) -> String {
    let needle = from.to_string_lossy();
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(&*needle) {
        let (before, found) = rest.split_at(at);
        // At the start of a path: `/x`, `--config=/x`, `file:///x`, but not `db/x`.
        let begins =
            (out.is_empty() && before.is_empty()) || before.ends_with(PATH_ENDS) || before.ends_with("//");
        // A path may contain a space or a comma; the longest one that exists counts.
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

/// Removes cargo's notes on builds of some packages, and returns how many it found.
fn remove_notes(target: &Path, packages: &BTreeSet<String>) -> io::Result<usize> {
    let folders = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    // `release/.fingerprint`, or `x86_64-unknown-linux-gnu/release/.fingerprint`.
    let profiles = folders(target).into_iter().flat_map(|one| folders(&one).into_iter().chain([one]));
    let mut removed = 0;
    for note in profiles.flat_map(|profile| folders(&profile.join(".fingerprint"))) {
        let name = note.file_name().unwrap_or_default().to_string_lossy();
        if name.rsplit_once('-').is_some_and(|(package, _)| packages.contains(package)) {
            fs::remove_dir_all(&note)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Creates the cache folder of a repository and locks it until the file is dropped, so that no other bench changes the trees. An error
/// if a signal comes while another bench has the lock.
fn lock(folder: &Path, signals: &Interrupt) -> io::Result<Flock<File>> {
    let path = folder.join(LOCK);
    let mut is_waiting = false;
    loop {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&path)?;
        let lock = loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => break lock,
                Err((unlocked, Errno::EWOULDBLOCK)) if signals.signalled().is_none() => file = unlocked,
                Err((_, error)) => return Err(error.into()),
            }
            if !std::mem::replace(&mut is_waiting, true) {
                output::log(format_args!(
                    "Waiting for another bench of this repository (it holds {})",
                    path.display()
                ));
            }
            std::thread::sleep(LOCK_POLL);
        };
        // Another process may have removed the folder in the meantime.
        let own = lock.metadata()?.ino();
        if fs::metadata(&path).is_ok_and(|meta| meta.ino() == own) {
            // If the time cannot be set, the folder may be removed too early, and is then made again.
            _ = lock.set_modified(SystemTime::now());
            return Ok(lock);
        }
    }
}

/// Removes the cache folders of other repositories that were not used for a long time and are not locked.
fn prune(folder: &Path) {
    let is_old = |lock: &Path| {
        let modified = fs::metadata(lock).and_then(|meta| meta.modified());
        modified.is_ok_and(|at| at.elapsed().is_ok_and(|unused| unused > KEPT_UNUSED))
    };
    let is_digest = |name: &str| {
        name.len() == 2 * NAME_BYTES && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let entries = folder.parent().and_then(|cache| fs::read_dir(cache).ok()).into_iter().flatten().flatten();
    for other in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_digest)) {
        let other = other.path();
        let path = other.join(LOCK);
        if other == folder || other.is_symlink() || !is_old(&path) {
            continue;
        }
        let Ok(file) = File::open(&path) else { continue };
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock);
        if lock.is_ok() && is_old(&path) {
            // If it cannot be removed now, a later call tries again.
            _ = fs::remove_dir_all(&other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn paths_of_tracked_files_become_paths_in_the_tree() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(Path::new("/home/user/shop"), None);
        let (options, signals) = (Options { paths, ..Options::default() }, Interrupt::subscribe().unwrap());
        let trees = |top: &str| Trees {
            folder: folder.path().to_owned(),
            top: top.into(),
            root: top.into(),
            options: &options,
            signals: &signals,
        };
        let shop = trees("/home/user/shop");
        let tree = shop.tree(Side::Head);
        fs::create_dir_all(tree.join("config")).unwrap();
        let base = shop.tree(Side::Base).to_string_lossy().into_owned();
        let text = |text: &str| shop.text_on(Side::Base, text);
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
        fs::create_dir_all(format!("{base}/db")).unwrap();
        fs::write(format!("{base}/db/migrate.sh"), "").unwrap();
        let service = Service::command("/bin/shop")
            .before_launch(Service::command("./db/migrate.sh"))
            .after_launch(Service::command("./db/drop.sh"))
            .after_launch(Service::command("dropdb"));
        let command = shop.command(Side::Base, &service, &Built::default());
        let programs: Vec<&str> =
            [&command].into_iter().chain(command.hooks()).map(ServiceCommand::program).collect();
        let script = format!("{base}/./db/migrate.sh");
        assert_eq!(programs, ["/bin/shop", &script, "./db/drop.sh", "dropdb"]);

        let [user, own] = ["/home/user/shop/target", "/cache/base-target"].map(Path::new);
        let libraries = "/home/user/shop/target/release/deps:/usr/lib:/home/user/shop/targets";
        let expected = "/cache/base-target/release/deps:/usr/lib:/home/user/shop/targets";
        assert_eq!(replace_folder(libraries, user, own, |_| true), expected);
        let spaced = trees("/home/user/my shop");
        fs::create_dir_all(spaced.on(Side::Head, Path::new("/home/user/my shop/a b"))).unwrap();
        let base = spaced.tree(Side::Base).to_string_lossy().into_owned();
        let text =
            spaced.text_on(Side::Base, "--config=/home/user/my shop/a b,/home/user/my shop/ignored.db");
        assert_eq!(text, format!("--config={base}/a b,/home/user/my shop/ignored.db"));
    }

    #[test]
    fn the_folder_of_a_repository_that_was_not_used_for_a_month_is_removed_unless_it_is_locked() {
        let cache = tempfile::tempdir().unwrap();
        let name = |byte: u8| digest_name(Path::new(&byte.to_string()));
        let repository = |byte: u8, days: u32| {
            let folder = cache.path().join(name(byte));
            let lock = lock(&folder, &Interrupt::subscribe().unwrap()).unwrap();
            fs::create_dir_all(folder.join("base")).unwrap();
            lock.set_modified(SystemTime::now() - days * DAY).unwrap();
            (folder, lock)
        };
        let (own, _lock) = repository(1, 0);
        let (old, lock) = repository(2, 31);
        drop(lock);
        let (busy, _busy) = repository(3, 31);
        let (young, lock) = repository(4, 29);
        drop(lock);
        let foreign = cache.path().join("somebody");
        let no_lock = cache.path().join(name(5));
        [&foreign, &no_lock].iter().for_each(|folder| fs::create_dir(folder).unwrap());
        prune(&own);
        assert!(!old.exists());
        assert!([own, busy, young, foreign, no_lock].iter().all(|kept| kept.exists()));
    }
}
