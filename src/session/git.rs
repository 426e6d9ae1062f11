//! What `--base-ref` asks of git: commits, a snapshot of the working tree, and checkouts in folders of our own.
//!
//! The user's repository is only read. The snapshot is taken with an index of our own, new objects go to a store of our own, and each
//! checkout has a private `.git` that shares the user's objects and refs without being registered as a worktree.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::measure::{Interrupt, output_unless_interrupted};
use crate::plan::Side;
use crate::record::BaseRef;
use crate::session::base_cache;
use crate::session::base_error::BaseError;

/// Variables of git that say where its configuration and programs are. A git hook sets others, by which our calls would work on the
/// user's index or tree.
const KEPT_VARIABLES: [&str; 2] = ["GIT_CONFIG", "GIT_EXEC_PATH"];
/// User settings that would run programs, or change folders that are not ours.
const SETTINGS: [&str; 4] =
    ["core.fsmonitor=false", "core.hooksPath=/dev/null", "submodule.recurse=false", "core.splitIndex=false"];
/// How a file of Git LFS begins whose content is not there.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1";

/// The user's repository, or one of its submodules, and our folder for it.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    /// The top folder of the working tree; `None` if only the store of a submodule is there.
    top: Option<PathBuf>,
    git_dir: PathBuf,
    /// What all worktrees of the repository share.
    common_dir: PathBuf,
    /// Our indexes, checkouts' `.git` folders and objects for it.
    store: PathBuf,
}

/// The files of one side: a tree of a repository, and those of its submodules.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    repository: Repository,
    /// The tree object.
    id: String,
    /// The commit that a checkout names as `HEAD`.
    commit: String,
    /// By their folder.
    submodules: Vec<(PathBuf, Tree)>,
}

/// The top folder of the working tree around a folder.
pub(crate) fn top_of(folder: &Path) -> Result<PathBuf, BaseError> {
    let top = text(git().arg("-C").arg(folder).args(["rev-parse", "--show-toplevel"]))
        .map_err(|why| BaseError::NoRepository { folder: folder.to_owned(), why })?;
    let top = PathBuf::from(top);
    Ok(top.canonicalize().unwrap_or(top))
}

/// The id that git gives the files of the working tree around `folder`, without the paths in `left_out`; `None` outside of git.
pub(crate) fn tree_id(folder: &Path, left_out: &[PathBuf]) -> Option<String> {
    let scratch = tempfile::tempdir().ok()?;
    let repository = Repository::open(&top_of(folder).ok()?, scratch.path()).ok()?;
    let index = repository.own_index();
    text(repository.on_index(&index).args(["add", "--all", "--", "."])).ok()?;
    let mut remove = repository.on_index(&index);
    remove.args(["rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--"]);
    text(remove.args(left_out.iter().map(|path| literal(path)))).ok()?;
    text(repository.on_index(&index).arg("write-tree")).ok()
}

impl Repository {
    /// Opens the repository whose working tree has this top folder. `store` is our folder for it.
    pub(crate) fn open(top: &Path, store: &Path) -> Result<Self, BaseError> {
        let ask = |what: &str| {
            text(git().arg("-C").arg(top).args(["rev-parse", "--path-format=absolute", what]))
                .map(PathBuf::from)
                .map_err(BaseError::Git)
        };
        Self::with_store(Some(top.to_owned()), ask("--absolute-git-dir")?, ask("--git-common-dir")?, store)
    }

    fn with_store(
        top: Option<PathBuf>,
        git_dir: PathBuf,
        common_dir: PathBuf,
        store: &Path,
    ) -> Result<Self, BaseError> {
        let repository = Self { top, git_dir, common_dir, store: store.to_owned() };
        let info = repository.objects().join("info");
        fs::create_dir_all(&info).map_err(BaseError::file(&info))?;
        let mut alternates = repository.common_dir.join("objects").into_os_string();
        alternates.push("\n");
        let path = info.join("alternates");
        fs::write(&path, alternates.as_bytes()).map_err(BaseError::file(&path))?;
        Ok(repository)
    }

    /// New objects: those of the snapshot.
    fn objects(&self) -> PathBuf {
        self.store.join("objects")
    }

    /// A call on the user's repository that finds our objects too.
    fn git(&self) -> Command {
        let mut git = git();
        if self.top.is_none() {
            // The store of a submodule names a working tree that may not be there.
            git.arg("--work-tree").arg(&self.git_dir);
        }
        git.arg("--git-dir")
            .arg(&self.git_dir)
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.objects()));
        git
    }

    fn commit(&self, name: &str) -> Result<String, BaseError> {
        let wanted = format!("{name}^{{commit}}");
        let found = text(self.git().args(["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]));
        found.map_err(|_| match name {
            "HEAD" => BaseError::NoHead,
            _ => BaseError::NoCommit { name: name.to_owned(), remedy: self.remedy(name) },
        })
    }

    fn is_shallow(&self) -> bool {
        text(self.git().args(["rev-parse", "--is-shallow-repository"])).is_ok_and(|answer| answer == "true")
    }

    /// The command that fetches a commit.
    fn remedy(&self, name: &str) -> String {
        let is_shallow = self.is_shallow();
        let depth = if is_shallow { " --depth=1" } else { "" };
        // `main~3` is no name that a server knows.
        if name.contains(['~', '^', '@', ':']) {
            return if is_shallow { "git fetch --unshallow" } else { "git fetch" }.to_owned();
        }
        match name.split_once('/') {
            Some((remote, branch)) if !branch.is_empty() => {
                format!("git fetch{depth} {remote} {branch}:refs/remotes/{remote}/{branch}")
            }
            _ => format!("git fetch{depth} origin {name}"),
        }
    }

    /// The commit of a name of git's, or the merge base of `A...B`.
    pub(crate) fn base_commit(&self, name: &str) -> Result<BaseRef, BaseError> {
        let head = self.commit("HEAD")?;
        let mut base = BaseRef { name: name.to_owned(), ..BaseRef::default() };
        base.commit = match name.split_once("...") {
            Some((one, other)) => {
                let commit = |name: &str| self.commit(if name.is_empty() { "HEAD" } else { name });
                let no_merge_base = || BaseError::NoMergeBase { name: name.to_owned() };
                // A shallow clone lacks more than the one commit.
                let found = commit(one).and_then(|one| Ok((one, commit(other)?)));
                let (one, other) =
                    found.map_err(|error| if self.is_shallow() { no_merge_base() } else { error })?;
                let bases = text(self.git().args(["merge-base", "--all", &one, &other])).unwrap_or_default();
                base.merge_bases = bases.lines().count();
                bases.lines().next().ok_or_else(no_merge_base)?.to_owned()
            }
            None if name.contains("..") => return Err(BaseError::Range(name.to_owned())),
            None => {
                let commit = self.commit(name)?;
                let count = text(self.git().args(["rev-list", "--count", &format!("{head}..{commit}")]));
                base.lacking = count.ok().and_then(|count| count.parse().ok()).unwrap_or(0);
                commit
            }
        };
        let parents =
            text(self.git().args(["rev-list", "--parents", "--max-count=1", &head])).unwrap_or_default();
        let parents: Vec<&str> = parents.split(' ').skip(1).collect();
        base.head_is_merge = parents.len() > 1 && parents.contains(&base.commit.as_str());
        Ok(base)
    }

    /// The files of a commit.
    pub(crate) fn tree_of(&self, commit: &str) -> Result<Tree, BaseError> {
        let id = text(self.git().args(["rev-parse", "--verify", &format!("{commit}^{{tree}}")]))
            .map_err(BaseError::Git)?;
        self.with_submodules(id, commit, |module, commit, path| {
            module
                .tree_of(commit)
                .map_err(|_| BaseError::Submodule { path: path.to_owned(), commit: commit.to_owned() })
        })
    }

    /// The working tree as `git add -A` would take it, without the paths in `left_out`.
    pub(crate) fn snapshot(&self, left_out: &[PathBuf], signals: &Interrupt) -> Result<Tree, BaseError> {
        if self.top.is_none() {
            return Err(BaseError::Git("there is no working tree".to_owned()));
        }
        let index = self.own_index();
        let call = || self.on_index(&index);
        let mut add = call();
        // Ignored files are not added anyway, and git refuses to hear of them.
        let is_ignored = |path: &Path| text(call().args(["check-ignore", "--quiet", "--"]).arg(path)).is_ok();
        let left_out = left_out.iter().filter(|path| !is_ignored(path));
        add.args(["add", "--all", "--", "."]).args(left_out.map(|path| excluded(path)));
        guarded(&mut add, signals)?;
        let id = text(call().arg("write-tree")).map_err(BaseError::Git)?;
        let head = self.commit("HEAD")?;
        self.with_submodules(id, &head, |module, commit, _| match &module.top {
            Some(_) => module.snapshot(&[], signals),
            None => module.tree_of(commit),
        })
    }

    /// A copy of the user's index, which knows which files are unchanged, so that they need not be read. Its time is part of what it
    /// knows: git reads a file again that was written in the same second.
    fn own_index(&self) -> PathBuf {
        let index = self.store.join("snapshot.index");
        _ = fs::remove_file(index.with_extension("index.lock"));
        if copy_with_time(&self.git_dir.join("index"), &index).is_err() {
            _ = fs::remove_file(&index);
        }
        index
    }

    /// A call on the working tree with that index in place of the user's.
    fn on_index(&self, index: &Path) -> Command {
        let mut git = git();
        if let Some(top) = &self.top {
            git.arg("--git-dir").arg(&self.git_dir).arg("--work-tree").arg(top).current_dir(top);
        }
        git.env("GIT_INDEX_FILE", index).env("GIT_OBJECT_DIRECTORY", self.objects());
        git
    }

    fn with_submodules(
        &self,
        id: String,
        commit: &str,
        tree_of: impl Fn(&Self, &str, &Path) -> Result<Tree, BaseError>,
    ) -> Result<Tree, BaseError> {
        const SUBMODULE: &[u8] = b"160000 commit ";
        let listed =
            bytes(self.git().args(["ls-tree", "-r", "-z", "--full-tree", &id])).map_err(BaseError::Git)?;
        let mut submodules = Vec::new();
        for line in listed.split(|&byte| byte == 0).filter_map(|line| line.strip_prefix(SUBMODULE)) {
            let Some(tab) = line.iter().position(|&byte| byte == b'\t') else { continue };
            let (commit, path) =
                (String::from_utf8_lossy(&line[..tab]), PathBuf::from(OsStr::from_bytes(&line[tab + 1..])));
            // One that was never fetched is an empty folder for the user too.
            if let Some(module) = self.submodule(&id, &path)? {
                submodules.push((path.clone(), tree_of(&module, &commit, &path)?));
            }
        }
        Ok(Tree { repository: self.clone(), id, commit: commit.to_owned(), submodules })
    }

    /// The repository of a submodule: in its folder, or in the store that its name leads to.
    fn submodule(&self, tree: &str, path: &Path) -> Result<Option<Self>, BaseError> {
        let digest = base_cache::name(&Sha256::digest(path.as_os_str().as_bytes()));
        let store = self.store.join("modules").join(digest);
        if let Some(folder) =
            self.top.as_ref().map(|top| top.join(path)).filter(|folder| folder.join(".git").exists())
        {
            return Self::open(&folder, &store).map(Some);
        }
        let modules = format!("{tree}:.gitmodules");
        let listed = text(self.git().args([
            "config",
            "-z",
            "--blob",
            &modules,
            "--get-regexp",
            r"^submodule\..*\.path$",
        ]));
        let listed = listed.unwrap_or_default();
        let name = listed.split('\0').find_map(|entry| {
            let (key, value) = entry.split_once('\n')?;
            (Path::new(value) == path).then(|| key.strip_prefix("submodule.")?.strip_suffix(".path"))?
        });
        let found =
            name.map(|name| self.common_dir.join("modules").join(name)).filter(|found| found.is_dir());
        found.map(|found| Self::with_store(None, found.clone(), found, &store)).transpose()
    }

    /// Which of these paths below the top folder git does not track.
    pub(crate) fn untracked(&self, paths: Vec<PathBuf>) -> Vec<PathBuf> {
        let Some(top) = &self.top else { return Vec::new() };
        let is_tracked = |path: &PathBuf| {
            let mut list = git();
            list.arg("-C").arg(top).args(["ls-files", "--error-unmatch", "--"]).arg(literal(path));
            text(&mut list).is_ok()
        };
        paths.into_iter().filter(|path| !is_tracked(path)).collect()
    }
}

impl Tree {
    /// The paths in which two trees differ, but for those below the folders in `left_out`.
    pub(crate) fn differing(&self, other: &Self, left_out: &[PathBuf]) -> Result<Vec<PathBuf>, BaseError> {
        let mut diff = other.repository.git();
        diff.args([
            "diff-tree",
            "-r",
            "-z",
            "--name-only",
            "--ignore-submodules",
            &self.id,
            &other.id,
            "--",
            ".",
        ]);
        diff.args(left_out.iter().map(|path| excluded(path)));
        let listed = bytes(&mut diff).map_err(BaseError::Git)?;
        let listed = listed.split(|&byte| byte == 0).filter(|path| !path.is_empty());
        let mut paths: Vec<PathBuf> = listed.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect();
        for (path, theirs) in &other.submodules {
            match self.submodules.iter().find(|(own, _)| own == path) {
                Some((_, ours)) => {
                    paths.extend(ours.differing(theirs, &[])?.iter().map(|inner| path.join(inner)))
                }
                None => paths.push(path.clone()),
            }
        }
        let is_gone = |path: &PathBuf| !other.submodules.iter().any(|(theirs, _)| theirs == path);
        paths.extend(self.submodules.iter().map(|(path, _)| path).filter(|path| is_gone(path)).cloned());
        Ok(paths)
    }

    /// What the tree and those of its submodules are, in a line each.
    pub(crate) fn identity(&self) -> String {
        let inner =
            self.submodules.iter().map(|(path, tree)| format!("{} {}", path.display(), tree.identity()));
        std::iter::once(format!("{}\n", self.id)).chain(inner).collect()
    }

    /// Makes cargo build those packages again in which a file has changed since the tree of the last build. Cargo itself does not know of
    /// all files that a package reads: macros embed migrations and templates without a word.
    pub(crate) fn renew_changed(&self, folder: &Path, before: Option<&str>) -> Result<(), BaseError> {
        let identity = self.identity();
        let Some((id, submodules)) = before.unwrap_or_default().split_once('\n') else {
            return self.renew(folder, None);
        };
        if before == Some(&identity) {
            return Ok(());
        }
        let before = Self {
            repository: self.repository.clone(),
            id: id.to_owned(),
            commit: self.commit.clone(),
            submodules: Vec::new(),
        };
        let now = Self { id: self.id.clone(), ..before.clone() };
        let changed = before.differing(&now, &[]).ok();
        let changed =
            changed.filter(|_| identity.split_once('\n').is_some_and(|(_, inner)| inner == submodules));
        let package = |path: &PathBuf| package_of(folder, &folder.join(path));
        self.renew(folder, changed.map(|paths| paths.iter().map(package).collect()))
    }

    /// Gives the sources of some packages a new time, or those of all.
    fn renew(&self, folder: &Path, packages: Option<BTreeSet<PathBuf>>) -> Result<(), BaseError> {
        let listed = bytes(self.repository.git().args([
            "ls-tree",
            "-r",
            "-z",
            "--name-only",
            "--full-tree",
            &self.id,
        ]));
        let listed = listed.map_err(BaseError::Git)?;
        let sources = listed.split(|&byte| byte == 0).filter(|path| path.ends_with(b".rs"));
        for source in sources.map(|path| folder.join(OsStr::from_bytes(path))) {
            if packages.as_ref().is_none_or(|packages| packages.contains(&package_of(folder, &source)))
                && fs::symlink_metadata(&source).is_ok_and(|meta| meta.is_file())
            {
                let touched = fs::File::options().write(true).open(&source);
                touched
                    .and_then(|file| file.set_modified(SystemTime::now()))
                    .map_err(BaseError::file(&source))?;
            }
        }
        self.submodules.iter().try_for_each(|(path, module)| match packages {
            None => module.renew(&folder.join(path), None),
            Some(_) => Ok(()),
        })
    }

    /// Makes a folder hold exactly these files. Files that are right already keep their times, which tell cargo what is fresh.
    pub(crate) fn check_out(&self, side: Side, folder: &Path, signals: &Interrupt) -> Result<(), BaseError> {
        let git_dir = self.repository.store.join(side.to_string());
        let made = [git_dir.as_path(), folder].into_iter().try_for_each(fs::create_dir_all);
        made.map_err(BaseError::file(folder))?;
        let line = |path: &Path| [path.as_os_str().as_bytes(), b"\n"].concat();
        for (path, content) in [
            (git_dir.join("commondir"), line(&self.repository.common_dir)),
            (git_dir.join("gitdir"), line(&folder.join(".git"))),
            (git_dir.join("HEAD"), format!("{}\n", self.commit).into_bytes()),
            (folder.join(".git"), [b"gitdir: ".as_slice(), &line(&git_dir)].concat()),
        ] {
            if fs::read(&path).ok().as_ref() != Some(&content) {
                fs::write(&path, content).map_err(BaseError::file(&path))?;
            }
        }
        // Left by a call that was killed; the cache is locked, so it is nobody's.
        _ = fs::remove_file(git_dir.join("index.lock"));
        let call = || {
            let mut git = git();
            git.arg("--git-dir").arg(&git_dir).arg("--work-tree").arg(folder).current_dir(folder);
            git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.repository.objects()));
            // Missing files of Git LFS are looked for in the local store alone.
            git.env("GIT_LFS_SKIP_SMUDGE", "1");
            git
        };
        // Files that are the same but for their time, as after a cache was restored, need not be written again. Others are no failure.
        _ = bytes(call().args(["update-index", "-q", "--refresh"]));
        guarded(call().args(["read-tree", "--reset", "-u", &self.id]), signals)?;
        guarded(call().args(["clean", "-ffdxq"]), signals)?;
        self.fill_lfs(folder, call, signals)?;
        self.submodules
            .iter()
            .try_for_each(|(path, module)| module.check_out(side, &folder.join(path), signals))
    }

    /// Fills files of Git LFS from the local store, where the user has Git LFS.
    fn fill_lfs(
        &self,
        folder: &Path,
        call: impl Fn() -> Command,
        signals: &Interrupt,
    ) -> Result<(), BaseError> {
        if text(call().args(["config", "--get", "filter.lfs.smudge"])).is_err() {
            return Ok(());
        }
        let listed =
            bytes(call().args(["ls-files", "-z", "--", ":(attr:filter=lfs)"])).map_err(BaseError::Git)?;
        let is_pointer = |path: &Path| fs::read(path).is_ok_and(|content| content.starts_with(LFS_POINTER));
        let listed = listed.split(|&byte| byte == 0).filter(|path| !path.is_empty());
        let pointers: Vec<&Path> = listed
            .map(|path| Path::new(OsStr::from_bytes(path)))
            .filter(|path| is_pointer(&folder.join(path)))
            // A user who lives with the pointer does not need the content.
            .filter(|path| !self.repository.top.as_ref().is_some_and(|top| is_pointer(&top.join(path))))
            .collect();
        if pointers.is_empty() {
            return Ok(());
        }
        guarded(call().args(["lfs", "checkout"]), signals)?;
        match pointers.into_iter().find(|path| is_pointer(&folder.join(path))) {
            Some(path) => Err(BaseError::Lfs { path: path.to_owned(), commit: self.commit.clone() }),
            None => Ok(()),
        }
    }
}

/// Variables that make git work on another repository than the one around its folder.
pub(crate) fn foreign_variables() -> impl Iterator<Item = OsString> {
    let is_foreign = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("GIT_") && !KEPT_VARIABLES.iter().any(|kept| name.starts_with(kept))
    };
    std::env::vars_os().map(|(name, _)| name).filter(is_foreign)
}

fn git() -> Command {
    let mut git = Command::new("git");
    foreign_variables().for_each(|name| _ = git.env_remove(name));
    // Without optional locks `git` does not refresh an index that it only reads.
    git.env("GIT_OPTIONAL_LOCKS", "0");
    git.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
    git
}

fn copy_with_time(from: &Path, to: &Path) -> io::Result<()> {
    let modified = fs::metadata(from)?.modified()?;
    fs::copy(from, to)?;
    fs::File::options().write(true).open(to)?.set_modified(modified)
}

/// The folder of the package that a file belongs to.
fn package_of(folder: &Path, file: &Path) -> PathBuf {
    let mut folders = file.ancestors().skip(1).take_while(|ancestor| ancestor.starts_with(folder));
    folders.find(|ancestor| ancestor.join("Cargo.toml").is_file()).unwrap_or(folder).to_owned()
}

/// A pathspec for exactly this path below the top folder.
fn literal(path: &Path) -> OsString {
    let mut pathspec = OsString::from(":(top,literal)");
    pathspec.push(path);
    pathspec
}

fn excluded(path: &Path) -> OsString {
    let mut pathspec = OsString::from(":(top,exclude,literal)");
    pathspec.push(path);
    pathspec
}

/// A path as git takes it in a list that is separated by colons.
fn quoted(path: &Path) -> OsString {
    let text = path.to_string_lossy();
    if text.contains([':', '"', '\\']) {
        return format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")).into();
    }
    path.into()
}

/// Runs a command that may take long: it ends with this process, and by a signal.
fn guarded(command: &mut Command, signals: &Interrupt) -> Result<(), BaseError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output =
        output_unless_interrupted(command, signals).map_err(|error| BaseError::Git(error.to_string()))?;
    let complaint = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(BaseError::Git(complaint())) }
}

/// What a command prints; else its complaint.
fn bytes(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let complaint = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(output.stdout) } else { Err(complaint()) }
}

fn text(command: &mut Command) -> Result<String, String> {
    bytes(command).map(|output| String::from_utf8_lossy(&output).trim().to_owned())
}
