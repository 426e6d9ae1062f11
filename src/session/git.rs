//! Git for `--base-ref`: commits, a snapshot of the working tree, and checkouts in folders of our own.
//!
//! The user's repository is only read. The snapshot is taken with an index of our own, new objects go to a store of our own, and each
//! checkout has a private `.git` that shares the user's objects and refs without being registered as a worktree.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::hex::hex;
use crate::measure::{Interrupt, output_unless_interrupted};
use crate::plan::Side;
use crate::record::BaseRef;
use crate::session::outcome::{Result, SessionError};

/// Variables of git that say where its configuration and programs are. A git hook sets others, and they would make our calls work on
/// the user's index or tree.
const KEPT_VARIABLES: [&str; 2] = ["GIT_CONFIG", "GIT_EXEC_PATH"];
/// They turn off user settings that run programs, or that change folders that are not ours.
const SETTINGS: [&str; 4] =
    ["core.fsmonitor=false", "core.hooksPath=/dev/null", "submodule.recurse=false", "core.splitIndex=false"];
/// The beginning of a file of Git LFS whose content is missing.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1";
/// Baselines, which a run itself may have written, in whatever package.
const BASELINES: &str = ":(top,glob)**/baselines/*/*/*.json";
/// Lists the commits among which one is sought by its files. Each takes about 10 ms.
const RECENT: &str = "rev-list --max-count=200 --all HEAD";
const LONGEST_SEARCH: Duration = Duration::from_secs(3);
/// Bytes of a digest that names a folder.
pub(crate) const NAME_BYTES: usize = 8;

/// The user's repository, or one of its submodules, and our folder for it.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    /// The top folder of the working tree; `None` if only the store of a submodule is there.
    top: Option<PathBuf>,
    git_dir: PathBuf,
    /// The folder that all worktrees of the repository share.
    common_dir: PathBuf,
    /// Our indexes, checkouts' `.git` folders and objects for it.
    store: PathBuf,
}

/// The files of one side: a tree of a repository, and the trees of its submodules.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    repository: Repository,
    /// The tree object.
    id: String,
    /// The `HEAD` of a checkout.
    commit: String,
    /// By their folder.
    submodules: Vec<(PathBuf, Tree)>,
}

/// The top folder of the working tree around a folder.
pub(crate) fn top_of(folder: &Path) -> Result<PathBuf> {
    let top = text(git().arg("-C").arg(folder).args(["rev-parse", "--show-toplevel"]));
    let top = PathBuf::from(top.map_err(|error| match error {
        SessionError::Git(why) => SessionError::NoRepository { folder: folder.to_owned(), why },
        other => other,
    })?);
    Ok(top.canonicalize().unwrap_or(top))
}

/// The files of a repository without what plimsoll writes: by their ids a commit is recognised whose files were measured before they were
/// committed, or whose branch was rebased or squashed.
#[derive(Debug)]
pub(crate) struct Files {
    repository: Repository,
    /// The top folder of its working tree.
    top: PathBuf,
    /// Index and objects of its own.
    scratch: TempDir,
    /// Folders that do not count, below the top folder.
    left_out: Vec<PathBuf>,
}

impl Files {
    /// The files of the repository around `folder`, without those in `left_out`. `None` outside of git.
    pub(crate) fn around(folder: &Path, left_out: &[PathBuf]) -> Option<Self> {
        let scratch = tempfile::tempdir().ok()?;
        let top = top_of(folder).ok()?;
        let repository = Repository::open(&top, scratch.path()).ok()?;
        let left_out = left_out.iter().filter_map(|path| below(&top, path)).collect();
        Some(Self { repository, top, scratch, left_out })
    }

    /// A source file as the compiler was given it, from the top folder; `None` if it is not below that. `package` is the folder of its
    /// package, and cargo names files from the folder of its workspace.
    pub(crate) fn path_of(&self, file: &str, package: &Path) -> Option<String> {
        let found = package.ancestors().map(|folder| folder.join(file)).find(|path| path.is_file())?;
        below(&self.top, &found)?.to_str().map(str::to_owned)
    }

    /// The id of the working tree, as `git add -A` would take it.
    pub(crate) fn now(&self) -> Option<String> {
        let index = self.repository.own_index();
        text(&mut self.repository.on_index(&index, "add --all -- .")).ok()?;
        self.id(&index)
    }

    fn of_commit(&self, commit: &str) -> Option<String> {
        let index = self.scratch.path().join("commit.index");
        text(self.repository.on_index(&index, "read-tree --reset").arg(commit)).ok()?;
        self.id(&index)
    }

    fn id(&self, index: &Path) -> Option<String> {
        let mut remove = self.repository.on_index(index, "rm -r -f --cached --quiet --ignore-unmatch --");
        remove.args(self.left_out.iter().map(|path| pathspec("top,literal", path))).arg(BASELINES);
        text(&mut remove).ok()?;
        // A partial clone must not fetch what nobody reads.
        text(self.repository.on_index(index, "write-tree --missing-ok").env("GIT_NO_LAZY_FETCH", "1")).ok()
    }

    /// The commit that added a file.
    fn added(&self, path: &Path) -> Option<String> {
        let path = below(&self.top, path)?;
        let mut log = self.repository.git("log --diff-filter=A --max-count=1 --format=%H --");
        text(log.arg(pathspec("top,literal", &path))).ok().filter(|commit| !commit.is_empty())
    }

    /// The commit with these files: one of `likely`, one that added one of the files in `added_with`, or a recent one.
    pub(crate) fn commit_of(&self, id: &str, likely: &[String], added_with: &[PathBuf]) -> Option<String> {
        let full = |name: &String| self.repository.commit(name).ok();
        let added = added_with.iter().filter_map(|path| self.added(path));
        let known = likely.iter().filter_map(full).chain(added);
        let recent = text(&mut self.repository.git(RECENT)).unwrap_or_default();
        let (mut seen, began) = (BTreeSet::new(), Instant::now());
        let recent = recent.lines().map(str::to_owned).take_while(|_| began.elapsed() < LONGEST_SEARCH);
        known
            .chain(recent)
            .filter(|commit| seen.insert(commit.clone()))
            .find(|commit| self.of_commit(commit).as_deref() == Some(id))
    }
}

/// A path below the top folder.
fn below(top: &Path, path: &Path) -> Option<PathBuf> {
    // It may not exist yet, and its parents may be links.
    let parent = path.parent()?.ancestors().find_map(|parent| Some((parent, parent.canonicalize().ok()?)));
    let (parent, canonical) = parent?;
    let path = canonical.join(path.strip_prefix(parent).ok()?);
    path.strip_prefix(top).ok().map(Path::to_owned)
}

/// A name for a folder of ours that belongs to the folder `path` of the user's.
pub(crate) fn digest_name(path: &Path) -> String {
    hex(&Sha256::digest(path.as_os_str().as_bytes()), NAME_BYTES)
}

impl Repository {
    /// Opens the repository whose working tree has this top folder. `store` is our folder for it.
    pub(crate) fn open(top: &Path, store: &Path) -> Result<Self> {
        let folder = |which: &str| {
            let mut parse = git();
            parse.arg("-C").arg(top).args(["rev-parse", "--path-format=absolute", which]);
            text(&mut parse).map(PathBuf::from)
        };
        let (git_dir, common_dir) = (folder("--absolute-git-dir")?, folder("--git-common-dir")?);
        Self { top: Some(top.to_owned()), git_dir, common_dir, store: store.to_owned() }.with_store()
    }

    /// Creates the store, whose objects add to the user's.
    fn with_store(self) -> Result<Self> {
        let info = self.objects().join("info");
        fs::create_dir_all(&info).map_err(SessionError::io(&info))?;
        let path = info.join("alternates");
        fs::write(&path, line(&self.common_dir.join("objects"))).map_err(SessionError::io(&path))?;
        Ok(self)
    }

    /// The objects of the snapshot.
    fn objects(&self) -> PathBuf {
        self.store.join("objects")
    }

    /// A call on the user's repository that finds our objects too.
    fn git(&self, words: &str) -> Command {
        let mut git = git();
        if self.top.is_none() {
            // The store of a submodule names a working tree that may not exist.
            git.arg("--work-tree").arg(&self.git_dir);
        }
        git.arg("--git-dir").arg(&self.git_dir).args(words.split(' '));
        git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.objects()));
        git
    }

    /// A call on the working tree with that index in place of the user's.
    fn on_index(&self, index: &Path, words: &str) -> Command {
        let mut git = git_at(&self.git_dir, self.top.as_ref().unwrap_or(&self.git_dir), words);
        git.env("GIT_INDEX_FILE", index).env("GIT_OBJECT_DIRECTORY", self.objects());
        git
    }

    /// A copy of the user's index, which knows which files are unchanged. git then does not read them. The copy keeps the time of the
    /// index, because git reads a file again that was written in the same second.
    fn own_index(&self) -> PathBuf {
        let (from, to) = (self.git_dir.join("index"), self.store.join("snapshot.index"));
        let copy = || {
            let modified = fs::metadata(&from)?.modified()?;
            fs::copy(&from, &to)?;
            File::options().write(true).open(&to)?.set_modified(modified)
        };
        _ = fs::remove_file(to.with_extension("index.lock"));
        if copy().is_err() {
            _ = fs::remove_file(&to);
        }
        to
    }

    fn commit(&self, name: &str) -> Result<String> {
        let parse = "rev-parse --verify --quiet --end-of-options";
        text(self.git(parse).arg(format!("{name}^{{commit}}"))).map_err(|_| {
            let fetch = self.fetch_command(name);
            let why = match name {
                "HEAD" => "there is no commit yet".to_owned(),
                _ => format!("no such commit in this clone: if the name is right, try `{fetch}`"),
            };
            SessionError::BaseRef { name: name.to_owned(), why }
        })
    }

    fn is_shallow(&self) -> bool {
        text(&mut self.git("rev-parse --is-shallow-repository")).is_ok_and(|answer| answer == "true")
    }

    /// The command that fetches a commit.
    fn fetch_command(&self, name: &str) -> String {
        let is_shallow = self.is_shallow();
        let depth = if is_shallow { " --depth=1" } else { "" };
        // A server does not know `main~3`.
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

    /// The commit of a revision, or the merge base of `A...B`.
    pub(crate) fn base_commit(&self, name: &str) -> Result<BaseRef> {
        let wrong = |why: &str| SessionError::BaseRef { name: name.to_owned(), why: why.to_owned() };
        let head = self.commit("HEAD")?;
        let mut base = BaseRef { name: name.to_owned(), ..BaseRef::default() };
        if let Some((one, other)) = name.split_once("...") {
            let commit = |name: &str| self.commit(if name.is_empty() { "HEAD" } else { name });
            let no_merge_base = || {
                wrong(
                    "the two commits have no common ancestor in this clone: fetch the history (`fetch-depth: 0` in actions/checkout, \
                     or `git fetch --unshallow`)",
                )
            };
            // A shallow clone lacks more than the one commit.
            let commits = commit(one).and_then(|one| Ok([one, commit(other)?]));
            let commits = commits.map_err(|error| if self.is_shallow() { no_merge_base() } else { error })?;
            let bases = text(self.git("merge-base --all").args(commits)).unwrap_or_default();
            base.merge_bases = bases.lines().count();
            base.commit = bases.lines().next().ok_or_else(no_merge_base)?.to_owned();
        } else if name.contains("..") {
            return Err(wrong(
                "a range names two commits: write `A...B` for the commit where B branched off from A",
            ));
        } else {
            base.commit = self.commit(name)?;
            let count = text(self.git("rev-list --count").arg(format!("{head}..{}", base.commit)));
            base.lacking = count.ok().and_then(|count| count.parse().ok()).unwrap_or(0);
        }
        let parents = text(self.git("rev-list --parents --max-count=1").arg(&head)).unwrap_or_default();
        let parents: Vec<&str> = parents.split(' ').skip(1).collect();
        base.head_is_merge = parents.len() > 1 && parents.contains(&base.commit.as_str());
        Ok(base)
    }

    /// The files of a commit.
    pub(crate) fn tree_of(&self, commit: &str) -> Result<Tree> {
        let id = text(self.git("rev-parse --verify").arg(format!("{commit}^{{tree}}")))?;
        self.with_submodules(id, commit, |module, commit, path| {
            module.tree_of(commit).map_err(|_| SessionError::NotFetched {
                path: path.to_owned(),
                commit: commit.to_owned(),
                remedy: format!("git -C {} fetch origin {commit}", path.display()),
            })
        })
    }

    /// The working tree as `git add -A` would take it, without the paths in `left_out`.
    pub(crate) fn snapshot(&self, left_out: &[PathBuf], signals: &Interrupt) -> Result<Tree> {
        let index = self.own_index();
        let call = |words: &str| self.on_index(&index, words);
        // Ignored files are not added anyway, and git refuses to exclude them.
        let is_ignored = |path: &Path| text(call("check-ignore --quiet --").arg(path)).is_ok();
        let left_out = left_out.iter().filter(|path| !is_ignored(path));
        let left_out = left_out.map(|path| pathspec("top,exclude,literal", path));
        guarded(call("add --all -- .").args(left_out), signals)?;
        let id = text(&mut call("write-tree"))?;
        self.with_submodules(id, &self.commit("HEAD")?, |module, commit, _| match &module.top {
            Some(_) => module.snapshot(&[], signals),
            None => module.tree_of(commit),
        })
    }

    fn with_submodules(
        &self,
        id: String,
        commit: &str,
        tree_of: impl Fn(&Self, &str, &Path) -> Result<Tree>,
    ) -> Result<Tree> {
        const SUBMODULE: &[u8] = b"160000 commit ";
        let listed = bytes(self.git("ls-tree -r -z --full-tree").arg(&id))?;
        let mut submodules = Vec::new();
        for entry in listed.split(|&byte| byte == 0).filter_map(|entry| entry.strip_prefix(SUBMODULE)) {
            let Some(tab) = entry.iter().position(|&byte| byte == b'\t') else { continue };
            let commit = String::from_utf8_lossy(&entry[..tab]);
            let path = PathBuf::from(OsStr::from_bytes(&entry[tab + 1..]));
            // One that was never fetched is an empty folder for the user too.
            if let Some(module) = self.submodule(&id, &path)? {
                submodules.push((path.clone(), tree_of(&module, &commit, &path)?));
            }
        }
        Ok(Tree { repository: self.clone(), id, commit: commit.to_owned(), submodules })
    }

    /// The repository of a submodule: in its folder, or in the store of the user's repository.
    fn submodule(&self, tree: &str, path: &Path) -> Result<Option<Self>> {
        let store = self.store.join("modules").join(digest_name(path));
        let folder = self.top.as_ref().map(|top| top.join(path));
        if let Some(folder) = folder.filter(|folder| folder.join(".git").exists()) {
            return Self::open(&folder, &store).map(Some);
        }
        let mut names = self.git("config -z --blob");
        names.arg(format!("{tree}:.gitmodules")).args(["--get-regexp", r"^submodule\..*\.path$"]);
        let names = text(&mut names).unwrap_or_default();
        let name = names.split('\0').find_map(|entry| {
            let (key, value) = entry.split_once('\n')?;
            (Path::new(value) == path).then(|| key.strip_prefix("submodule.")?.strip_suffix(".path"))?
        });
        let found = name.map(|name| self.common_dir.join("modules").join(name));
        let found = found.filter(|found| found.is_dir());
        found
            .map(|dir| Self { top: None, git_dir: dir.clone(), common_dir: dir, store }.with_store())
            .transpose()
    }

    /// Those of the paths below the top folder that git does not track.
    pub(crate) fn untracked(&self, paths: Vec<PathBuf>) -> Vec<PathBuf> {
        let is_tracked = |path: &PathBuf| {
            let index = self.git_dir.join("index");
            text(self.on_index(&index, "ls-files --error-unmatch --").arg(pathspec("top,literal", path)))
                .is_ok()
        };
        paths.into_iter().filter(|path| !is_tracked(path)).collect()
    }

    /// The paths in which two trees differ, except for those below the folders in `left_out`.
    fn diff(&self, one: &str, other: &str, left_out: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let mut diff = self.git("diff-tree -r -z --name-only --ignore-submodules");
        diff.args([one, other, "--", "."]);
        paths(diff.args(left_out.iter().map(|path| pathspec("top,exclude,literal", path))))
    }
}

impl Tree {
    /// The paths in which two trees differ, except for those below the folders in `left_out`.
    pub(crate) fn differing(&self, other: &Self, left_out: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let mut differing = other.repository.diff(&self.id, &other.id, left_out)?;
        for (path, theirs) in &other.submodules {
            match self.submodules.iter().find(|(own, _)| own == path) {
                Some((_, own)) => {
                    differing.extend(own.differing(theirs, &[])?.iter().map(|inner| path.join(inner)));
                }
                None => differing.push(path.clone()),
            }
        }
        let removed = self.submodules.iter().map(|(path, _)| path);
        differing.extend(
            removed.filter(|path| !other.submodules.iter().any(|(theirs, _)| theirs == *path)).cloned(),
        );
        Ok(differing)
    }

    /// The ids of the tree, in the first line, and of the trees of its submodules.
    pub(crate) fn identity(&self) -> String {
        let modules =
            self.submodules.iter().map(|(path, tree)| format!("{} {}", path.display(), tree.identity()));
        std::iter::once(format!("{}\n", self.id)).chain(modules).collect()
    }

    /// Makes cargo build those packages again in which a file has changed since the tree of the last build, whose identity is `before`.
    /// Cargo does not know all files that a package reads: macros embed migrations and templates without telling it.
    pub(crate) fn renew_changed(&self, folder: &Path, before: &str) -> Result<()> {
        let identity = self.identity();
        if before == identity {
            return Ok(());
        }
        let modules = &identity[self.id.len() + 1..];
        let id = before.split_once('\n').filter(|(_, before)| *before == modules).map(|(id, _)| id);
        let changed = id.and_then(|id| self.repository.diff(id, &self.id, &[]).ok());
        let package = |path: &PathBuf| package_of(folder, &folder.join(path));
        let packages: Option<BTreeSet<PathBuf>> = changed.map(|paths| paths.iter().map(package).collect());
        self.renew(folder, packages.as_ref())
    }

    /// Gives the sources of some packages a new time, or the sources of all packages.
    fn renew(&self, folder: &Path, packages: Option<&BTreeSet<PathBuf>>) -> Result<()> {
        let files = paths(self.repository.git("ls-tree -r -z --name-only --full-tree").arg(&self.id))?;
        let sources = files.iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
        for source in sources.map(|path| folder.join(path)) {
            if packages.is_none_or(|packages| packages.contains(&package_of(folder, &source)))
                && fs::symlink_metadata(&source).is_ok_and(|meta| meta.is_file())
            {
                let file = File::options().write(true).open(&source);
                let renewed = file.and_then(|file| file.set_modified(SystemTime::now()));
                renewed.map_err(SessionError::io(&source))?;
            }
        }
        let modules = self.submodules.iter().filter(|_| packages.is_none());
        modules.into_iter().try_for_each(|(path, module)| module.renew(&folder.join(path), None))
    }

    /// Makes a folder hold exactly these files. Files that do not change keep their times, by which cargo knows what to build again.
    pub(crate) fn check_out(&self, side: Side, folder: &Path, signals: &Interrupt) -> Result<()> {
        let git_dir = self.repository.store.join(side.to_string());
        let made = [&git_dir, folder].into_iter().try_for_each(fs::create_dir_all);
        made.map_err(SessionError::io(folder))?;
        for (path, content) in [
            (git_dir.join("commondir"), line(&self.repository.common_dir)),
            (git_dir.join("gitdir"), line(&folder.join(".git"))),
            (git_dir.join("HEAD"), format!("{}\n", self.commit).into_bytes()),
            (folder.join(".git"), [b"gitdir: ".as_slice(), &line(&git_dir)].concat()),
        ] {
            if fs::read(&path).ok().as_ref() != Some(&content) {
                fs::write(&path, content).map_err(SessionError::io(&path))?;
            }
        }
        // Left by a call that was killed. No other process uses it, since the cache is locked.
        _ = fs::remove_file(git_dir.join("index.lock"));
        let call = |words: &str| {
            let mut git = git_at(&git_dir, folder, words);
            git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.repository.objects()));
            // Missing files of Git LFS are taken from the local store only.
            git.env("GIT_LFS_SKIP_SMUDGE", "1");
            git
        };
        // Files that only have another time, as in a restored cache, need not be written again. Other files make this call fail.
        _ = bytes(&mut call("update-index -q --refresh"));
        guarded(call("read-tree --reset -u").arg(&self.id), signals)?;
        guarded(&mut call("clean -ffdxq"), signals)?;
        self.fill_lfs(folder, call, signals)?;
        let mut modules = self.submodules.iter();
        modules.try_for_each(|(path, module)| module.check_out(side, &folder.join(path), signals))
    }

    /// Fills files of Git LFS from the local store, if the user has Git LFS.
    fn fill_lfs(&self, folder: &Path, call: impl Fn(&str) -> Command, signals: &Interrupt) -> Result<()> {
        if text(&mut call("config --get filter.lfs.smudge")).is_err() {
            return Ok(());
        }
        let is_pointer = |path: &Path| fs::read(path).is_ok_and(|content| content.starts_with(LFS_POINTER));
        let mut pointers = paths(&mut call("ls-files -z -- :(attr:filter=lfs)"))?;
        // A user who lives with the pointer does not need the content.
        let user_has_pointer =
            |path: &Path| self.repository.top.as_ref().is_some_and(|top| is_pointer(&top.join(path)));
        pointers.retain(|path| is_pointer(&folder.join(path)) && !user_has_pointer(path));
        if pointers.is_empty() {
            return Ok(());
        }
        guarded(&mut call("lfs checkout"), signals)?;
        let commit = self.commit.clone();
        match pointers.into_iter().find(|path| is_pointer(&folder.join(path))) {
            Some(path) => {
                let remedy = format!("git lfs fetch origin {commit}");
                Err(SessionError::NotFetched { path, commit, remedy })
            }
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

/// A call on a working tree.
fn git_at(git_dir: &Path, top: &Path, words: &str) -> Command {
    let mut git = git();
    git.arg("--git-dir").arg(git_dir).arg("--work-tree").arg(top).args(words.split(' ')).current_dir(top);
    git
}

/// The folder of the package that a file belongs to.
fn package_of(folder: &Path, file: &Path) -> PathBuf {
    let mut folders = file.ancestors().skip(1).take_while(|ancestor| ancestor.starts_with(folder));
    folders.find(|ancestor| ancestor.join("Cargo.toml").is_file()).unwrap_or(folder).to_owned()
}

/// A pathspec for a path below the top folder.
fn pathspec(magic: &str, path: &Path) -> OsString {
    let mut pathspec = OsString::from(format!(":({magic})"));
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

fn line(path: &Path) -> Vec<u8> {
    [path.as_os_str().as_bytes(), b"\n"].concat()
}

/// Runs a command that may take long: it ends with this process, and by a signal.
fn guarded(command: &mut Command, signals: &Interrupt) -> Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    stdout(output_unless_interrupted(command, signals)).map(drop)
}

fn bytes(command: &mut Command) -> Result<Vec<u8>> {
    stdout(command.stdin(Stdio::null()).output())
}

fn text(command: &mut Command) -> Result<String> {
    bytes(command).map(|output| String::from_utf8_lossy(&output).trim().to_owned())
}

/// Paths that are separated by zero bytes.
fn paths(command: &mut Command) -> Result<Vec<PathBuf>> {
    let output = bytes(command)?;
    let paths = output.split(|&byte| byte == 0).filter(|path| !path.is_empty());
    Ok(paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect())
}

fn stdout(output: io::Result<Output>) -> Result<Vec<u8>> {
    let output = output.map_err(|error| SessionError::Git(error.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(SessionError::Git(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_found_by_its_files_without_baselines_and_reports() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("a shop");
        let package = top.join("api");
        let write = |name: &str, content: &str| {
            let path = package.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let call = |words: &str| {
            let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
            text(git().arg("-C").arg(&top).args(identity).args(words.split(' '))).unwrap()
        };
        write("main.rs", "one");
        call("init -q");
        call("add -A");
        call("commit -qm first");
        let left_out = ["baselines", "reports"].map(|name| package.join(name));
        let files = || Files::around(&package, &left_out).unwrap();
        // Measured before it is committed.
        write("main.rs", "two");
        let measured = files().now().unwrap();
        assert_eq!(files().commit_of(&measured, &[], &[]), None);
        let run = "baselines/main/bench/run.json";
        write(run, "1");
        write("reports/bench/run.json", "1");
        assert_eq!(files().now().as_ref(), Some(&measured), "what plimsoll writes does not count");
        call("add -A");
        call("commit -qm second");
        let commit = call("rev-parse HEAD");
        assert_eq!(files().commit_of(&measured, &[], &[]).as_ref(), Some(&commit));
        assert_eq!(files().added(&package.join(run)).as_ref(), Some(&commit));
        // The stored run changes later, in the index and in the working tree.
        write(run, "2");
        call("commit -qam third");
        write(run, "3");
        call("add -A");
        write(run, "4");
        let found = files().commit_of(&measured, &[commit[..7].to_owned()], &[]);
        assert_eq!(found, Some(commit));
    }
}
