//! Base from a commit: checked out outside the working tree, built as head was, kept for the next time.
//!
//! Everything lies in a cache folder of the repository's own: a worktree that lives while it is built, a build folder that stays
//! warm, and the binaries by a key of all that they depend on. The user's working tree, index, stash and branches are never touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use memchr::memmem;
use sha2::{Digest, Sha256};

use crate::measure::{Interrupt, output_unless_interrupted};
use crate::session::base_cache;
use crate::session::cargo_call::CargoCall;
use crate::session::options::Paths;

/// Variables by which a hook's git would make ours work on the user's index or tree.
const GIT_VARIABLES: [&str; 5] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"];

/// One program of both commits.
#[derive(Debug)]
pub(crate) struct Built {
    /// Head's, as cargo built it.
    pub(crate) head: PathBuf,
    /// Base's.
    pub(crate) base: PathBuf,
    is_head: bool,
}

impl Built {
    /// Whether base is the same file to the byte.
    pub(crate) fn is_head(&self) -> bool {
        self.is_head
    }
}

/// Why there is no base.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaseError {
    #[error("--base-ref needs git, and {}", .0)]
    Git(String),
    #[error("--base-ref {name}: there is no such commit here{hint}")]
    NoCommit { name: String, hint: &'static str },
    #[error(
        "--base-ref: how cargo was told to build cannot be read (the bench was not started by `cargo bench`): say it with \
         --base-build 'cargo build --profile bench --bin NAME'"
    )]
    NoCall,
    #[error("--base-ref: the program {} lies outside the build folder {}, so plimsoll cannot tell what to build", program.display(), target.display())]
    Outside { program: PathBuf, target: PathBuf },
    #[error("--base-ref: {} cannot be written or read: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("base ({name}) could not be built: {command} ended with {status}{output}")]
    Build { name: String, command: String, status: std::process::ExitStatus, output: String },
    #[error("base ({name}) was built, but there is no {} of it: does that commit have this binary?", missing.display())]
    NoBinary { name: String, missing: PathBuf },
}

impl BaseError {
    /// Whether it is the commit's fault and not the call's.
    pub(crate) fn is_build(&self) -> bool {
        matches!(self, Self::Build { .. } | Self::NoBinary { .. })
    }
}

/// The program's path as the package sees it.
pub(crate) fn absolute(program: &str, root: &Path) -> PathBuf {
    root.join(program)
}

/// Builds the programs of a commit, or finds them built.
pub(crate) fn build(
    name: &str,
    build: Option<&str>,
    programs: &[PathBuf],
    paths: &Paths,
    quiet: bool,
    ears: &Interrupt,
) -> Result<Vec<Built>, BaseError> {
    let repository = Repository::of(&paths.root)?;
    let commit = repository.commit(name)?;
    let recipe = match build {
        Some(command) => Recipe::Shell(command.to_owned()),
        None => Recipe::Cargo(CargoCall::of_parent().ok_or(BaseError::NoCall)?),
    };
    let heads: Vec<PathBuf> = programs.iter().map(|program| paths.root.join(program)).collect();
    let within: Vec<PathBuf> =
        heads.iter().map(|head| within(head, &paths.target)).collect::<Result<_, _>>()?;
    let folder = repository.cache();
    let lock = base_cache::locked(&folder, ears);
    let _lock = lock.map_err(|source| BaseError::File { path: folder.clone(), source })?;
    let kept = folder.join(repository.key(&commit, &recipe, &within));
    if !within.iter().all(|file| kept.join(file).is_file()) {
        if !quiet {
            eprintln!("Building base: {name} ({})", &commit[..commit.len().min(10)]);
        }
        let site = Site { tree: folder.join("tree"), target: folder.join("target") };
        let checked_out = repository.check_out(&commit, &site.tree);
        let made = checked_out.and_then(|()| repository.make(name, &recipe, &within, &site, quiet, ears));
        repository.remove(&site.tree);
        made?;
        for file in &within {
            keep(&site.target.join(file), &kept.join(file), name)?;
        }
        base_cache::prune(&folder, SystemTime::now());
    }
    base_cache::used(&kept);
    let tree = folder.join("tree");
    let built = heads.into_iter().zip(&within).map(|(head, file)| {
        let base = kept.join(file);
        let bytes = fs::read(&base).unwrap_or_default();
        let is_head = fs::read(&head).is_ok_and(|head| head == bytes);
        if !is_head && !quiet && memmem::find(&bytes, tree.as_os_str().as_encoded_bytes()).is_some() {
            eprintln!("warning: {}", of_its_folder(file));
        }
        Built { head, base, is_head }
    });
    Ok(built.collect())
}

/// Paths that the compiler writes are made those of head; what a program asks for by itself is not.
fn of_its_folder(program: &Path) -> String {
    format!(
        "base's {} holds the path of the folder in which it was built (as by env!(\"CARGO_MANIFEST_DIR\")): it will find nothing there, \
         and the path's length moves what lies behind it, by which alone a program can be a little faster or slower",
        program.display()
    )
}

/// How base is built.
enum Recipe {
    Cargo(CargoCall),
    Shell(String),
}

/// Where base is built.
struct Site {
    tree: PathBuf,
    target: PathBuf,
}

/// The user's repository, and the package's place in it.
struct Repository {
    top: PathBuf,
    package: PathBuf,
    root: PathBuf,
}

impl Repository {
    fn of(root: &Path) -> Result<Self, BaseError> {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let top = text(git(&root).args(["rev-parse", "--show-toplevel"]))
            .map_err(|why| BaseError::Git(format!("{} is in no repository: {why}", root.display())))?;
        let top = PathBuf::from(top);
        let top = top.canonicalize().unwrap_or(top);
        let package = root.strip_prefix(&top).unwrap_or(Path::new("")).to_owned();
        Ok(Self { top, package, root })
    }

    fn commit(&self, name: &str) -> Result<String, BaseError> {
        let wanted = format!("{name}^{{commit}}");
        text(git(&self.top).args(["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])).map_err(|_| {
            let shallow = text(git(&self.top).args(["rev-parse", "--is-shallow-repository"]));
            let hint = if shallow.is_ok_and(|answer| answer == "true") {
                ": this clone is shallow; fetch all of it (`fetch-depth: 0` in actions/checkout, or `git fetch --unshallow`)"
            } else {
                ": `git fetch` may bring it"
            };
            BaseError::NoCommit { name: name.to_owned(), hint }
        })
    }

    /// A folder for this repository, outside of it: a base within a workspace would be taken for a member of that.
    fn cache(&self) -> PathBuf {
        let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = cache.or_else(home).filter(|cache| !cache.starts_with(&self.top));
        let cache = cache.unwrap_or_else(std::env::temp_dir);
        let name = base_cache::name(&Sha256::digest(self.top.as_os_str().as_encoded_bytes()));
        cache.join("plimsoll").join(name)
    }

    /// Everything that a binary depends on.
    fn key(&self, commit: &str, recipe: &Recipe, files: &[PathBuf]) -> String {
        let mut digest = Sha256::new();
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        add(commit.as_bytes());
        match recipe {
            Recipe::Cargo(call) => call.args.iter().for_each(|arg| add(arg.as_bytes())),
            Recipe::Shell(command) => add(command.as_bytes()),
        }
        let lock = self.lock_file().and_then(|lock| fs::read(self.top.join(lock)).ok());
        add(&lock.unwrap_or_default());
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        add(text(Command::new(rustc).arg("-vV").current_dir(&self.root)).unwrap_or_default().as_bytes());
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            add(std::env::var_os(variable).unwrap_or_default().as_encoded_bytes());
        }
        files.iter().for_each(|file| add(file.as_os_str().as_encoded_bytes()));
        base_cache::name(&digest.finalize())
    }

    /// The lock file that counts for the package, from the top.
    fn lock_file(&self) -> Option<PathBuf> {
        let within = |folder: &Path| folder.join("Cargo.lock").is_file();
        let folder =
            self.root.ancestors().take_while(|folder| folder.starts_with(&self.top)).find(|at| within(at))?;
        folder.join("Cargo.lock").strip_prefix(&self.top).ok().map(Path::to_owned)
    }

    /// A worktree of that commit; what a killed process left is cleared away first.
    fn check_out(&self, commit: &str, tree: &Path) -> Result<(), BaseError> {
        self.remove(tree);
        let mut add = git(&self.top);
        add.args(["-c", "core.hooksPath=/dev/null", "worktree", "add", "--detach", "--force", "--force"])
            .arg(tree)
            .arg(commit);
        text(&mut add).map_err(|why| BaseError::Git(format!("`git worktree add` failed: {why}")))?;
        // A base without a lock file would be built from other versions than head.
        if let Some(lock) = self.lock_file().filter(|lock| !tree.join(lock).exists()) {
            let to = tree.join(&lock);
            fs::copy(self.top.join(&lock), &to).map_err(|source| BaseError::File { path: to, source })?;
        }
        Ok(())
    }

    fn remove(&self, tree: &Path) {
        // Either may have nothing to do. The folder goes first, since git keeps a worktree of which it finds only a part; a git that was
        // killed while it checked out leaves it locked, hence twice. `git worktree prune` would also forget the user's own worktrees
        // whose disk is away at the moment, with their index.
        _ = fs::remove_dir_all(tree);
        _ = text(git(&self.top).args(["worktree", "remove", "--force", "--force"]).arg(tree));
    }

    fn make(
        &self,
        name: &str,
        recipe: &Recipe,
        files: &[PathBuf],
        site: &Site,
        quiet: bool,
        ears: &Interrupt,
    ) -> Result<(), BaseError> {
        let package = site.tree.join(&self.package);
        let mut command = match recipe {
            Recipe::Shell(line) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", line]);
                shell
            }
            Recipe::Cargo(call) => self.cargo(call, files, site),
        };
        command.current_dir(&package).env("CARGO_TARGET_DIR", &site.target).stdin(Stdio::null());
        let told = words(&command);
        command.stdout(Stdio::null()).stderr(if quiet { Stdio::piped() } else { Stdio::inherit() });
        let failed = |source| BaseError::File { path: PathBuf::from(command_name(recipe)), source };
        let Output { status, stderr, .. } = output_unless_interrupted(&mut command, ears).map_err(failed)?;
        if status.success() {
            return Ok(());
        }
        let output = String::from_utf8_lossy(&stderr);
        let output = if output.is_empty() { String::new() } else { format!(":\n{output}") };
        Err(BaseError::Build { name: name.to_owned(), command: told, status, output })
    }

    /// The same build as head's, with paths as head has them: where they are part of a binary they would change its layout.
    fn cargo(&self, call: &CargoCall, files: &[PathBuf], site: &Site) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.arg("build").args(&call.args);
        for bin in files.iter().filter_map(|file| file.file_name()) {
            cargo.arg("--bin").arg(bin);
        }
        let remap = format!("--remap-path-prefix={}={}", site.tree.display(), self.top.display());
        match std::env::var("CARGO_ENCODED_RUSTFLAGS").or_else(|_| std::env::var("RUSTFLAGS")) {
            Ok(_) if std::env::var_os("CARGO_ENCODED_RUSTFLAGS").is_some() => {
                let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
                cargo.env("CARGO_ENCODED_RUSTFLAGS", format!("{flags}\u{1f}{remap}"));
            }
            Ok(flags) => {
                cargo.env("RUSTFLAGS", format!("{flags} {remap}"));
            }
            Err(_) => {
                cargo.args(["--config", &format!("build.rustflags=[{remap:?}]")]);
            }
        }
        cargo
    }
}

fn command_name(recipe: &Recipe) -> &'static str {
    match recipe {
        Recipe::Cargo(_) => "cargo",
        Recipe::Shell(_) => "sh",
    }
}

/// The file's place in the build folder, which is the same for base.
fn within(head: &Path, target: &Path) -> Result<PathBuf, BaseError> {
    let outside = || BaseError::Outside { program: head.to_owned(), target: target.to_owned() };
    head.strip_prefix(target).map(Path::to_owned).map_err(|_| outside())
}

/// Copies a binary into the cache, whole or not at all.
fn keep(from: &Path, to: &Path, name: &str) -> Result<(), BaseError> {
    if !from.is_file() {
        return Err(BaseError::NoBinary { name: name.to_owned(), missing: from.to_owned() });
    }
    make_folder(to.parent().unwrap_or(to))?;
    let partial = to.with_extension("partial");
    let copied = fs::copy(from, &partial).and_then(|_| fs::rename(&partial, to));
    copied.map_err(|source| BaseError::File { path: to.to_owned(), source })
}

fn make_folder(path: &Path) -> Result<(), BaseError> {
    fs::create_dir_all(path).map_err(|source| BaseError::File { path: path.to_owned(), source })
}

fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder);
    GIT_VARIABLES.iter().for_each(|variable| _ = git.env_remove(variable));
    git
}

/// What a command prints, trimmed; else what it complains of.
fn text(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests;
