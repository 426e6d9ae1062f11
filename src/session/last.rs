//! `--base last`: the program that was measured before is base. The inner loop of a developer, without git and without a second build.
//!
//! Each measuring call keeps the programs of its services in the build folder, `TARGET/plimsoll/PACKAGE/BENCH/DIGEST/`. The last two different
//! ones stay, so that the same call can be repeated. Both sides then run from there, by paths of equal length.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::plan::{Plan, ServiceKind};
use crate::record::{BaseRef, Environment, Kept, file_name, write_whole};
use crate::session::git::{NAME_BYTES, digest_name};
use crate::session::options::Options;
use crate::session::outcome::{Result, SessionError};

/// Different programs that stay.
const KEPT: usize = 2;
/// The file with the [`Facts`], which is written last. Its time is the time of the last use.
const FACTS: &str = "about.json";

/// Where a kept program comes from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Facts {
    commit: Option<String>,
    dirty: bool,
}

/// The programs of a plan, and the folder that keeps them.
#[derive(Debug)]
pub(crate) struct Programs {
    /// As the bench file names them, with the digest of each.
    paths: Vec<(String, [u8; 32])>,
    /// The folder of the bench.
    folder: PathBuf,
    digest: String,
    root: PathBuf,
}

impl Programs {
    /// The programs that the groups of a plan start.
    ///
    /// # Errors
    /// The name of a group whose service is not a program in the build folder.
    pub(crate) fn of(plan: &Plan, options: &Options) -> std::result::Result<Self, String> {
        let is_built = |program: &str| options.paths.root.join(program).starts_with(&options.paths.target);
        for group in &plan.groups {
            match &group.service.0 {
                ServiceKind::Command(command) if is_built(command.program()) => {}
                _ => return Err(group.name.clone()),
            }
        }
        // All programs of the bench, so that a filter compares with the same ones.
        let mut content = Sha256::new();
        let mut paths = Vec::new();
        for program in options.programs.iter().filter(|program| is_built(program)) {
            let Ok(digest) = digest_of(&options.paths.root.join(program)) else { continue };
            content.update(digest);
            paths.push((program.clone(), digest));
        }
        let root = options.paths.root.clone();
        // Packages may share a build folder.
        let package = options.paths.target.join("plimsoll").join(digest_name(&root));
        let (folder, digest) = (package.join(file_name(&plan.bench)), hex(&content.finalize(), NAME_BYTES));
        Ok(Self { paths, folder, digest, root })
    }

    /// The place of each program in a kept folder.
    fn places(&self, digest: &str) -> impl Iterator<Item = (&String, PathBuf)> {
        let folder = self.folder.join(digest);
        self.paths.iter().enumerate().map(move |(index, (program, _))| {
            let name = Path::new(program).file_name().unwrap_or_default();
            (program, folder.join(index.to_string()).join(name))
        })
    }

    /// Copies the programs.
    ///
    /// # Errors
    /// If a file cannot be read or written, or a program is no longer what it was.
    pub(crate) fn copy(&self) -> io::Result<()> {
        for ((program, place), (_, digest)) in self.places(&self.digest).zip(&self.paths) {
            if place.is_file() {
                continue;
            }
            fs::create_dir_all(place.parent().unwrap_or(&self.folder))?;
            // Written under another name, so that a copy that was interrupted is never run.
            let partial = place.with_extension("partial");
            fs::copy(self.root.join(program), &partial)?;
            if digest_of(&partial)? != *digest {
                return Err(io::Error::other(format!("{program} was built again meanwhile")));
            }
            fs::rename(partial, place)?;
        }
        Ok(())
    }

    /// Keeps the programs after they were measured, and removes all but the newest other ones.
    pub(crate) fn keep(&self, options: &Options) -> io::Result<()> {
        self.copy()?;
        let facts = self.folder.join(&self.digest).join(FACTS);
        let environment = Environment::collect(true, &options.paths.root, None);
        let about = Facts { commit: environment.commit, dirty: environment.dirty };
        write_whole(&facts, &serde_json::to_vec(&about)?).map_err(io::Error::other)?;
        let others = self.kept().into_iter().filter(|(digest, _)| *digest != self.digest);
        others.skip(KEPT - 1).try_for_each(|(digest, _)| fs::remove_dir_all(self.folder.join(digest)))
    }

    /// The kept folders that are complete, with the time of their last use, the newest first.
    fn kept(&self) -> Vec<(String, SystemTime)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let used = |entry: fs::DirEntry| {
            let used = fs::metadata(entry.path().join(FACTS)).ok()?.modified().ok()?;
            Some((entry.file_name().into_string().ok()?, used))
        };
        let mut kept: Vec<(String, SystemTime)> = entries.filter_map(used).collect();
        kept.sort_by_key(|(_, used)| Reverse(*used));
        kept
    }

    /// Makes duets of all groups: base is the newest other program that has the same names. `None` if there is none.
    /// Base gets the arguments of the call, as head does.
    pub(crate) fn against_last(&self, plan: &mut Plan, options: &Options) -> Result<Option<BaseRef>> {
        let has_all = |digest: &str| self.places(digest).all(|(_, place)| place.is_file());
        let mut others = self.kept().into_iter().filter(|(digest, _)| *digest != self.digest);
        let Some((last, used)) = others.find(|(digest, _)| has_all(digest)) else { return Ok(None) };
        for group in &mut plan.groups {
            let ServiceKind::Command(command) = &group.service.0 else { continue };
            let side = |digest: &str| {
                let mut side = command.clone();
                let place = self.places(digest).find(|(program, _)| *program == command.program());
                place.into_iter().for_each(|(_, place)| side.program = place.to_string_lossy().into_owned());
                side
            };
            let (mut base, head) = (side(&last), side(&self.digest));
            base.args.extend(options.service_args.iter().cloned());
            (group.base, group.service) = (Some(base.into()), head.into());
        }
        let facts = self.folder.join(&last).join(FACTS);
        let text = fs::read(&facts).map_err(SessionError::io(&facts))?;
        let Facts { commit, dirty } = serde_json::from_slice(&text).unwrap_or_default();
        let age = used.elapsed().unwrap_or(Duration::ZERO);
        let (name, commit) = ("the last program".to_owned(), commit.unwrap_or_default());
        Ok(Some(BaseRef { name, commit, kept: Some(Kept { age, dirty }), ..BaseRef::default() }))
    }
}

fn digest_of(path: &Path) -> io::Result<[u8; 32]> {
    let (mut file, mut digest) = (File::open(path)?, Sha256::new());
    let mut part = vec![0; 1 << 16];
    while let read @ 1.. = file.read(&mut part)? {
        digest.update(&part[..read]);
    }
    Ok(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Group, Location, Service};
    use crate::session::options::Paths;

    #[test]
    fn the_newest_other_program_is_base_and_two_different_ones_stay() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let program = paths.target.join("release/shop");
        let programs = vec![program.to_str().unwrap().to_owned()];
        let service_args = vec!["--fast".to_owned()];
        let options = Options { paths, programs, service_args, ..Options::default() };
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        let plan = || {
            let mut group = Group::new("g", Location::unknown());
            group.service = Service::command(program.to_str().unwrap()).into();
            Plan { bench: "b".into(), groups: vec![group], ..Plan::default() }
        };
        let base_after = |content: &str| {
            fs::write(&program, content).unwrap();
            let mut plan = plan();
            let programs = Programs::of(&plan, &options).unwrap();
            programs.keep(&options).unwrap();
            programs.against_last(&mut plan, &options).unwrap()?;
            // Times of files may have a coarse resolution.
            std::thread::sleep(Duration::from_millis(20));
            let ServiceKind::Command(head) = &plan.groups[0].service.0 else { panic!("a command") };
            let ServiceKind::Command(base) = &plan.groups[0].base.as_ref().unwrap().0 else {
                panic!("a command")
            };
            assert_eq!(fs::read_to_string(head.program()).unwrap(), content);
            assert_eq!(head.program().len(), base.program().len(), "paths move the stack");
            assert_eq!(base.args, ["--fast"], "measuring adds it to head");
            Some(fs::read_to_string(base.program()).unwrap())
        };
        assert_eq!(base_after("one"), None, "nothing else was measured yet");
        assert_eq!(base_after("one"), None);
        assert_eq!(base_after("two"), Some("one".into()));
        assert_eq!(base_after("two"), Some("one".into()), "repeating it compares the same");
        assert_eq!(base_after("three"), Some("two".into()));
        assert_eq!(base_after("two"), Some("three".into()));
        let folder = options.paths.target.join("plimsoll").join(digest_name(root.path())).join("b");
        let kept = fs::read_dir(folder).unwrap().count();
        assert_eq!(kept, KEPT);
    }

    #[test]
    fn a_service_that_is_not_built_here_has_no_last_program() {
        let root = tempfile::tempdir().unwrap();
        let options = Options { paths: Paths::new(root.path(), None), ..Options::default() };
        let mut group = Group::new("py", Location::unknown());
        group.service = Service::command("python3").into();
        let plan = Plan { groups: vec![group], ..Plan::default() };
        assert_eq!(Programs::of(&plan, &options).unwrap_err(), "py");
    }
}
