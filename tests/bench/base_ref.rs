//! `--base-ref` with a real cargo and a real git, on small packages whose only dependency is a local crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::common::{Ran, Running, alive, mark, run, wait_until};
use crate::suite::{ALSO, PROGRAM, SUITE, SUITE_BENCH, SUITE_ROOT};

crate::checks!(base_ref:
    the_same_trees_are_neither_built_nor_measured,
    an_unrelated_change_is_measured_with_equal_programs_however_cargo_is_called,
    configuration_that_git_does_not_have_holds_for_both_sides,
    members_submodules_and_packages_next_door_are_built_on_both_sides,
    each_side_runs_with_its_own_files,
    a_package_is_built_again_if_a_file_changes_that_cargo_does_not_know,
    an_endpoint_that_base_lacks_is_new_and_the_others_are_compared,
    the_second_call_builds_nothing_and_the_users_files_do_not_change,
    a_kill_leaves_the_users_repository_as_it_was,
    base_may_lack_the_bench_or_have_arguments_of_its_own,
    base_is_any_revision_that_git_knows,
    without_cargo_a_command_prepares_both_trees,
    base_copy_copies_ignored_files_into_both_trees,
);

const SERVICE: &str = r##"
use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

fn serve(stream: std::net::TcpStream, work: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(request) = lines.next().transpose()? {
        while !lines.next().transpose()?.unwrap_or_default().is_empty() {}
        std::thread::sleep(work);
        let status = if ENDPOINTS.iter().any(|path| request.starts_with(&format!("GET {path} "))) { "200 OK" } else { "404 Not Found" };
        write!(out, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok")?;
    }
    Ok(())
}

const ENDPOINTS: &[&str] = &["/hello"];

fn main() {
    if std::env::args().nth(1).is_some_and(|arg| arg != "known") {
        eprintln!("error: unexpected argument");
        std::process::exit(2);
    }
    let config = std::fs::read_to_string("config.txt").expect("config.txt in the working directory");
    let factor: u32 = config.trim().parse().expect("a factor");
    let work = Duration::from_micros(500) * factor * switch::FACTOR;
    let address = format!("127.0.0.1:{}", std::env::var("PORT").expect("PORT"));
    for stream in std::net::TcpListener::bind(address).expect("a free port").incoming().flatten() {
        std::thread::spawn(move || serve(stream, work));
    }
}
"##;

const BENCH: &str = r##"
use std::os::unix::process::CommandExt;

fn main() {
    let mut bench = std::process::Command::new(std::env::var_os("PLIMSOLL_TEST_BENCH").unwrap());
    bench.args(std::env::args_os().skip(1)).env("PLIMSOLL_TEST_ROOT", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("PLIMSOLL_TEST_PROGRAM").is_none() {
        bench.env("PLIMSOLL_TEST_PROGRAM", env!("CARGO_BIN_EXE_shop"));
    }
    panic!("{}", bench.exec());
}
"##;

const SWITCH: &str = "pub const FACTOR: u32 = if cfg!(feature = \"slow\") { 4 } else { 1 };\n";
const MANIFEST: &str = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\nslow = [\"switch/slow\"]\n\
    [dependencies]\nswitch = { path = \"switch\" }\n[[bin]]\nname = \"shop\"\npath = \"src/main.rs\"\nbench = false\n\
    [[bench]]\nname = \"endpoints\"\nharness = false\n";
const SWITCH_MANIFEST: &str = "[package]\nname = \"switch\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\nslow = []\nother = []\n";
const SAME: &str = "The programs of base and head are byte-for-byte identical";
const NOTHING: &str = "Nothing to compare: the working tree is the same as base";

/// Even on a busy machine a call begins to build and to measure within this time.
const START: Duration = Duration::from_secs(60);

/// A repository of a user, in a folder with a space in its name, and a cache.
pub struct Shop {
    pub folder: TempDir,
    pub root: PathBuf,
    /// Variables of the call.
    pub env: Vec<(&'static str, String)>,
}

impl Shop {
    /// A package and the crate that it uses, in a folder below the repository's top folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("of a user").join("my shop");
        let shop = Self { folder, root, env: Vec::new() };
        shop.write("Cargo.toml", MANIFEST);
        shop.write("src/main.rs", SERVICE);
        shop.write("benches/endpoints.rs", BENCH);
        shop.write("config.txt", "1\n");
        shop.write("switch/Cargo.toml", SWITCH_MANIFEST);
        shop.write("switch/src/lib.rs", SWITCH);
        shop.write(".gitignore", "target\n/reports\n.env\n");
        shop.write("README.md", "A shop.\n");
        shop.git(&["init", "-q", "-b", "main"]);
        shop
    }

    pub fn committed() -> Self {
        let shop = Self::new();
        shop.commit("first");
        shop
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.root.join(name)).unwrap();
        assert!(text.contains(from), "{text}");
        self.write(name, &text.replace(from, to));
    }

    fn git_in(&self, folder: &Path, args: &[&str]) -> String {
        let identity =
            ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "protocol.file.allow=always"];
        let mut git = Command::new("git");
        git.env("GIT_OPTIONAL_LOCKS", "0").args(identity).args(args).current_dir(folder);
        run(&mut git).expect_code(0).out
    }

    pub fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.root, args)
    }

    pub fn commit(&self, subject: &str) {
        // A user who builds before committing has a lock file.
        run(&mut self.cargo(&self.root, &["generate-lockfile", "--offline"])).expect_code(0);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", subject]);
    }

    /// Cargo as a shell would start it, without the variables that the cargo of these tests has set.
    fn cargo(&self, folder: &Path, args: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.env_clear().current_dir(folder).args(args);
        for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "TMPDIR"] {
            cargo.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        cargo.env("PLIMSOLL_CACHE_DIR", self.cache()).env("NO_COLOR", "1");
        cargo
            .env(SUITE, "shop")
            .env(SUITE_BENCH, std::env::current_exe().unwrap())
            .env("OF_TEST", mark(self.folder.path()))
            .env("FOLDER", self.folder.path());
        cargo.envs(self.env.iter().map(|(name, value)| (*name, value)));
        cargo
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    pub fn bench(&self, of_cargo: &[&str], of_bench: &[&str]) -> Ran {
        self.bench_in(&self.root, of_cargo, of_bench)
    }

    fn bench_in(&self, folder: &Path, of_cargo: &[&str], of_bench: &[&str]) -> Ran {
        let args = [&["bench", "--bench", "endpoints"], of_cargo, &["--", "--noplot"], of_bench].concat();
        run(&mut self.cargo(folder, &args))
    }

    /// Expects that a comparison with HEAD neither builds nor measures.
    #[track_caller]
    fn expect_same(&self, of_cargo: &[&str]) {
        self.expect_same_in(&self.root, of_cargo);
    }

    #[track_caller]
    fn expect_same_in(&self, folder: &Path, of_cargo: &[&str]) {
        let ran = self.bench_in(folder, of_cargo, &["--base-ref", "HEAD"]).expect_code(0).expect_out(NOTHING);
        assert!(!ran.err.contains("Building"), "{}", ran.err);
    }

    /// Expects the same, and after an unrelated change that both programs are byte-for-byte identical and that nothing regressed.
    #[track_caller]
    fn expect_like_with_like(&self, of_cargo: &[&str]) {
        self.expect_like_with_like_in(&self.root, of_cargo);
    }

    #[track_caller]
    fn expect_like_with_like_in(&self, folder: &Path, of_cargo: &[&str]) {
        self.expect_same_in(folder, of_cargo);
        self.write("README.md", "A better shop.\n");
        let ran = self.bench_in(folder, of_cargo, &["--base-ref", "HEAD"]);
        let ran = expect_not_regressed(ran).expect_out(SAME).expect_out("README.md");
        assert!(ran.out.contains("api/hello/2"), "{}", ran.out);
        self.git(&["checkout", "-q", "README.md"]);
    }

    /// The state of the user's repository and build folder, which no call may change.
    fn state(&self) -> Vec<String> {
        let listed = |folder: &str| {
            let mut find = Command::new("find");
            find.args([folder, "-type", "f", "-printf", "%p %T@ %s\n"]).current_dir(&self.root);
            // Files of ours, and objects that git has read.
            let is_others =
                |line: &&str| !line.starts_with("target/plimsoll") && !line.starts_with(".git/objects");
            let mut lines: Vec<String> =
                run(&mut find).out.lines().filter(is_others).map(str::to_owned).collect();
            lines.sort();
            lines.join("\n")
        };
        let asked = [
            &["status", "--porcelain"][..],
            &["ls-files", "--stage"],
            &["branch", "--all", "--verbose"],
            &["config", "--list", "--local"],
            &["worktree", "list"],
            &["stash", "list"],
        ];
        asked.iter().map(|args| self.git(args)).chain([listed("target"), listed(".git")]).collect()
    }
}

/// Expects that nothing regressed.
#[track_caller]
fn expect_not_regressed(ran: Ran) -> Ran {
    assert!(matches!(ran.code, Some(0)), "{:?}\n{}\n{}", ran.code, ran.out, ran.err);
    ran
}

fn the_same_trees_are_neither_built_nor_measured() {
    let shop = Shop::committed();
    shop.expect_same(&[]);
    // Files that plimsoll writes do not count as a difference; other arguments do.
    shop.write("baselines/main/api/run.json", "{}");
    shop.expect_same(&[]);
    let ran = shop.bench(&[], &["--base-ref", "HEAD", "--base-arg", "known"]);
    expect_not_regressed(ran).expect_out(SAME).expect_out("no file differs");
}

fn an_unrelated_change_is_measured_with_equal_programs_however_cargo_is_called() {
    let host = run(Command::new("rustc").arg("-vV")).out;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
    let with = |name: &'static str, value: String| Shop { env: vec![(name, value)], ..Shop::committed() };
    Shop::committed().expect_like_with_like(&["--target", &host]);
    Shop::committed().expect_like_with_like(&["--features", "slow", "--config", "profile.bench.opt-level=1"]);
    with("CARGO_BUILD_TARGET", host).expect_like_with_like(&[]);
    with("CARGO_PROFILE_BENCH_OPT_LEVEL", "1".to_owned()).expect_like_with_like(&[]);
    with("RUSTFLAGS", "-C target-cpu=native --cfg a".to_owned()).expect_like_with_like(&[]);
    with("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}feature=\"x y\"".to_owned()).expect_like_with_like(&[]);
    with("CARGO_ENCODED_RUSTFLAGS", String::new()).expect_like_with_like(&[]);
    // The user's next build makes the user's program.
    let shared = tempfile::tempdir().unwrap();
    let shop = with("CARGO_BUILD_BUILD_DIR", shared.path().join("shared").display().to_string());
    shop.expect_like_with_like(&[]);
    shop.replace("src/main.rs", "a factor", "another factor");
    shop.commit("second");
    expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD~1"]));
    run(&mut shop.cargo(&shop.root, &["build", "--profile", "bench"])).expect_code(0);
    let program = fs::read(shop.root.join("target/release/shop")).unwrap();
    assert!(memmem(&program, b"another factor"));
}

fn memmem(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn configuration_that_git_does_not_have_holds_for_both_sides() {
    const SLOW: &str = "[build]\nrustflags = [\"--cfg\", \"feature=\\\"slow\\\"\"]\n";
    let shop = Shop::committed();
    shop.write(".cargo/config.toml", SLOW);
    shop.expect_like_with_like(&[]);
    let above = Shop::committed();
    above.write("../.cargo/config.toml", SLOW);
    above.expect_like_with_like(&[]);
    let tracked = Shop::new();
    tracked.write(".cargo/config.toml", "[alias]\nperf = \"bench --bench endpoints -- --noplot\"\n");
    tracked.commit("first");
    let same = run(&mut tracked.cargo(&tracked.root, &["perf", "--base-ref", "HEAD"]));
    same.expect_code(0).expect_out(NOTHING);
    // A configuration that changes with head is a change.
    tracked.write(".cargo/config.toml", SLOW);
    tracked.bench(&[], &["--base-ref", "HEAD"]).expect_code(1).expect_out("api/hello/2");
}

fn members_submodules_and_packages_next_door_are_built_on_both_sides() {
    // A virtual workspace, called from its root; the other member turns on a feature.
    let shop = Shop::new();
    fs::create_dir(shop.root.join("shop")).unwrap();
    for name in ["Cargo.toml", "src", "benches", "config.txt"] {
        fs::rename(shop.root.join(name), shop.root.join("shop").join(name)).unwrap();
    }
    shop.replace("shop/Cargo.toml", "path = \"switch\"", "path = \"../switch\"");
    shop.write("Cargo.toml", "[workspace]\nmembers = [\"shop\", \"other\", \"switch\"]\nresolver = \"3\"\n");
    shop.write(
        "other/Cargo.toml",
        &SWITCH_MANIFEST.replace("switch", "other").replace(
            "[features]\nslow = []\nother = []\n",
            "[dependencies]\nswitch = { path = \"../switch\", features = [\"slow\"] }\n",
        ),
    );
    shop.write("other/src/main.rs", SERVICE);
    shop.commit("first");
    shop.expect_like_with_like(&[]);
    shop.expect_like_with_like_in(&shop.root.join("shop"), &[]);
    // The program of a sibling is built too.
    let mut shop = shop;
    shop.env.push((PROGRAM, "../target/release/other".to_owned()));
    run(&mut shop.cargo(&shop.root, &["build", "--release", "--bin", "other"])).expect_code(0);
    shop.expect_like_with_like(&[]);
    shop.replace("other/src/main.rs", "from_micros(500)", "from_micros(1500)");
    shop.bench(&[], &["--base-ref", "HEAD"]).expect_code(1).expect_out("other of package other");

    // A submodule whose file is part of the program, with a change that is not committed; and a package outside the repository.
    let shop = Shop::new();
    let texts = shop.folder.path().join("texts");
    fs::create_dir(&texts).unwrap();
    shop.git_in(&texts, &["init", "-q"]);
    fs::write(texts.join("hello.txt"), "hello").unwrap();
    shop.git_in(&texts, &["add", "-A"]);
    shop.git_in(&texts, &["commit", "-qm", "first"]);
    shop.git(&["submodule", "--quiet", "add", texts.to_str().unwrap(), "texts"]);
    shop.replace("src/main.rs", "ok\")?", "{}\", &include_str!(\"../texts/hello.txt\")[..2])?");
    shop.write("../next door/Cargo.toml", &SWITCH_MANIFEST.replace("switch", "next-door"));
    shop.write("../next door/src/lib.rs", "");
    shop.replace("Cargo.toml", "[dependencies]", "[dependencies]\nnext-door = { path = \"../next door\" }");
    shop.commit("first");
    shop.expect_same(&[]);
    shop.write("texts/hello.txt", "howdy");
    let ran = expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD"]));
    ran.expect_out("Both sides use the same packages from outside the repository: next_door");
    // A submodule that head no longer has is still in the store of the repository.
    shop.git(&["rm", "-qf", "texts"]);
    shop.replace("src/main.rs", "{}\", &include_str!(\"../texts/hello.txt\")[..2])?", "ok\")?");
    shop.commit("without texts");
    expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD~1"]));
    // A base whose submodule was never fetched ends the call with the command that fetches it.
    let unknown = "160000,0123456789012345678901234567890123456789,texts";
    shop.git(&["checkout", "-q", "-b", "newer", "HEAD~1"]);
    shop.git(&["update-index", "--cacheinfo", unknown]);
    shop.git(&["commit", "-qm", "a newer submodule"]);
    shop.git(&["checkout", "-q", "main"]);
    let lacking = shop.bench(&[], &["--base-ref", "newer"]).expect_code(2);
    lacking.expect_err("the content of texts at commit 0123456789");
}

fn each_side_runs_with_its_own_files() {
    let shop = Shop::committed();
    shop.write("config.txt", "3\n");
    let ran = shop.bench(&[], &["--base-ref", "HEAD"]).expect_code(1);
    ran.expect_out("regressed").expect_out(SAME).expect_out("one file differs: config.txt");
}

fn a_package_is_built_again_if_a_file_changes_that_cargo_does_not_know() {
    const BUILD: &str = "fn main() {\n    println!(\"cargo:rerun-if-changed=build.rs\");\n    \
        println!(\"cargo:rustc-env=WORK={}\", std::fs::read_to_string(\"migrations/work.txt\").unwrap().trim());\n}\n";
    let shop = Shop::new();
    shop.write("build.rs", BUILD);
    shop.write("migrations/work.txt", "500\n");
    shop.replace("src/main.rs", "from_micros(500)", "from_micros(env!(\"WORK\").parse().unwrap())");
    shop.commit("first");
    shop.expect_like_with_like(&[]);
    shop.write("migrations/work.txt", "1500\n");
    let ran = shop.bench(&[], &["--base-ref", "HEAD"]).expect_code(1);
    assert!(!ran.out.contains(SAME), "{}", ran.out);
    shop.commit("slower");
    shop.write("migrations/work.txt", "500\n");
    let faster = expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD"]));
    faster.expect_out("seems faster");
}

fn an_endpoint_that_base_lacks_is_new_and_the_others_are_compared() {
    let mut shop = Shop::committed();
    shop.replace("src/main.rs", "&[\"/hello\"]", "&[\"/hello\", \"/new\"]");
    shop.env.push((ALSO, "/new".to_owned()));
    let ran = expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD"]));
    let ran = ran
        .expect_out("Base cannot answer this request (unexpected status 404 instead of a 2xx)")
        .expect_out("1 new");
    assert!(!ran.out.starts_with("NOT COMPARED"), "{}", ran.out);
}

fn the_second_call_builds_nothing_and_the_users_files_do_not_change() {
    let shop = Shop::committed();
    shop.write("src/main.rs", &SERVICE.replace("a factor", "another factor"));
    shop.write("untracked.txt", "mine");
    shop.write("staged.txt", "mine");
    shop.git(&["add", "staged.txt"]);
    run(&mut shop.cargo(&shop.root, &["bench", "--no-run"])).expect_code(0);
    let before = shop.state();
    let compiled = |ran: &Ran| ran.err.matches("Compiling shop").count();
    let first = expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD"]));
    assert_eq!(compiled(&first), 2, "each side once: {}", first.err);
    let second = expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD"]));
    assert_eq!(compiled(&second), 0, "{}", second.err);
    assert_eq!(shop.state(), before);
    // CI restores a cache with the same files and times, on other inodes.
    fs::rename(shop.cache(), shop.folder.path().join("archive")).unwrap();
    run(Command::new("cp").args(["-a", "archive", "cache"]).current_dir(shop.folder.path())).expect_code(0);
    let restored = expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD"]));
    assert_eq!(compiled(&restored), 0, "{}", restored.err);
    // Base changes to another commit and back.
    shop.git(&["stash", "-q", "--include-untracked"]);
    shop.replace("src/main.rs", "a factor", "a third factor");
    shop.commit("second");
    expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD~1"]));
    let same = shop.bench(&[], &["--base-ref", "HEAD"]).expect_code(0);
    same.expect_out(NOTHING);
}

fn a_kill_leaves_the_users_repository_as_it_was() {
    let shop = Shop::committed();
    shop.write("src/main.rs", &SERVICE.replace("a factor", "another factor"));
    run(&mut shop.cargo(&shop.root, &["bench", "--no-run"])).expect_code(0);
    let before = shop.state();
    let of_bench = ["--base-ref", "HEAD", "--measurement-time", "100s"];
    for measures in [false, true] {
        let args = [&["bench", "--bench", "endpoints", "--", "--noplot"], &of_bench[..]].concat();
        let running = Running::start(&mut shop.cargo(&shop.root, &args));
        let is_there = |(_, line): &(i32, String)| match measures {
            true => line.contains("head-target/release/shop") || line.contains("base-target/release/shop"),
            false => line.contains("rustc") && line.contains("base"),
        };
        wait_until("it is there", START, || alive(shop.folder.path()).iter().any(is_there));
        let benches = alive(shop.folder.path()).into_iter().filter(|(_, line)| line.contains("--bench"));
        let cargo = |line: &str| line.contains("cargo");
        for (pid, _) in benches.filter(|(_, line)| !cargo(line)) {
            _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
        }
        running.finish();
        wait_until("all has ended", Duration::from_secs(5), || alive(shop.folder.path()).is_empty());
        assert_eq!(shop.state(), before);
    }
    let after = shop.bench(&[], &["--base-ref", "HEAD"]);
    expect_not_regressed(after).expect_out("api/hello/2");
    assert_eq!(shop.state(), before);
}

fn base_may_lack_the_bench_or_have_arguments_of_its_own() {
    let mut shop = Shop::new();
    let manifest = MANIFEST.split("[[bench]]").next().unwrap();
    fs::rename(shop.root.join("benches"), shop.folder.path().join("benches")).unwrap();
    shop.write("Cargo.toml", manifest);
    shop.commit("without a bench");
    fs::rename(shop.folder.path().join("benches"), shop.root.join("benches")).unwrap();
    shop.write("Cargo.toml", MANIFEST);
    expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD"])).expect_out(SAME);
    shop.commit("with a bench");
    // Head accepts a new argument that base refuses.
    shop.replace("src/main.rs", "arg != \"known\"", "arg != \"learned\"");
    shop.env.push(("PLIMSOLL_TEST_ARG", "learned".to_owned()));
    let ran = shop.bench(&[], &["--base-ref", "HEAD"]).expect_code(3);
    ran.expect_err("base did not start").expect_err("unexpected argument").expect_err("--base-arg");
    expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD", "--base-arg", "known"]));
    // A base that answers with a 5xx may know the endpoint and fail: the cell is incomparable.
    shop.replace("src/main.rs", "arg != \"learned\"", "arg != \"learned\" && arg != \"known\"");
    shop.commit("both arguments");
    shop.replace("src/main.rs", "404 Not Found", "503 Service Unavailable");
    shop.commit("503");
    shop.replace("src/main.rs", "&[\"/hello\"]", "&[\"/hello\", \"/new\"]");
    shop.env.push((ALSO, "/new".to_owned()));
    let broken = expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD"]));
    broken.expect_out("Incomparable: Base cannot answer this request (unexpected status 503");
    shop.bench(&[], &["--base-ref", "HEAD", "--fail-on", "incomparable"]).expect_code(3);
    shop.env.pop();
    // If base does not build, the call ends and names the side.
    shop.write("src/main.rs", "broken");
    shop.commit("broken");
    shop.write("src/main.rs", SERVICE);
    shop.bench(&[], &["--base-ref", "HEAD"]).expect_code(3).expect_err("base could not be built");
}

fn base_is_any_revision_that_git_knows() {
    let shop = Shop::committed();
    shop.git(&["checkout", "-q", "-b", "feature"]);
    shop.write("README.md", "A feature.\n");
    shop.commit("feature");
    shop.git(&["checkout", "-q", "main"]);
    shop.write("config.txt", "3\n");
    shop.commit("slower on main");
    shop.git(&["checkout", "-q", "feature"]);
    // Base is slower than the commit where the branch began. It would hide changes of the branch.
    let ran = expect_not_regressed(shop.bench(&[], &["--base-ref", "main"]));
    ran.expect_err("base has 1 commit that head lacks; `--base-ref main...HEAD`")
        .expect_out("Warning: base has 1 commit");
    let ran = expect_not_regressed(shop.bench(&[], &["--base-ref", "main...HEAD"]));
    assert!(!ran.err.contains("lacks"), "{}", ran.err);
    ran.expect_out(SAME).expect_out("one file differs: README.md");
    // CI checks out a pull request in this way.
    shop.git(&["checkout", "-q", "--detach", "main"]);
    shop.git(&["merge", "-q", "--no-edit", "feature"]);
    let merged = expect_not_regressed(shop.bench(&[], &["--base-ref", "main...HEAD"]));
    merged.expect_err("HEAD is a merge commit").expect_out("one file differs: README.md");
    for (name, part) in [
        ("main..feature", "a range names two commits"),
        ("nowhere", "no such commit in this clone: if the name is right, try `git fetch origin nowhere`"),
        ("origin/main", "try `git fetch origin main:refs/remotes/origin/main`"),
        ("nowhere...HEAD", "no such commit in this clone"),
    ] {
        shop.bench(&[], &["--base-ref", name]).expect_code(2).expect_err(part);
    }
    let root = shop.git(&["commit-tree", "-m", "unrelated", "HEAD^{tree}"]);
    let unrelated = format!("{}...HEAD", root.trim());
    shop.bench(&[], &["--base-ref", &unrelated]).expect_code(2).expect_err("no common ancestor");
    let inside =
        Shop { env: vec![("PLIMSOLL_CACHE_DIR", shop.root.join("cache").display().to_string())], ..shop };
    inside
        .bench(&[], &["--base-ref", "HEAD"])
        .expect_code(2)
        .expect_err("PLIMSOLL_CACHE_DIR to a folder outside");
}

fn without_cargo_a_command_prepares_both_trees() {
    let mut shop = Shop::committed();
    // Started without cargo, the bench does not know how to build.
    let mut by_hand = shop.cargo(&shop.root, &[]);
    by_hand = {
        let mut bench = Command::new(std::env::current_exe().unwrap());
        bench.env_clear().envs(by_hand.get_envs().filter_map(|(name, value)| Some((name, value?))));
        bench.env(SUITE_ROOT, &shop.root).env(PROGRAM, "target/release/shop").args([
            "--base-ref",
            "HEAD",
            "--bench",
        ]);
        bench
    };
    run(&mut by_hand).expect_code(2).expect_err("--base-build 'cargo build --release'");
    shop.write("README.md", "A better shop.\n");
    let by_command = run(by_hand.args(["--base-build", "cargo build --release", "--noplot"]));
    expect_not_regressed(by_command).expect_out(SAME);
    // A script: nothing to build, and each side runs its own.
    shop.write("start.sh", "#!/bin/sh\nexec \"$FOLDER/shop\" \"$@\"\n");
    run(Command::new("chmod").args(["+x", "start.sh"]).current_dir(&shop.root)).expect_code(0);
    run(&mut shop.cargo(&shop.root, &["build", "--release"])).expect_code(0);
    fs::copy(shop.root.join("target/release/shop"), shop.folder.path().join("shop")).unwrap();
    shop.commit("a script");
    shop.env.push((PROGRAM, "./start.sh".to_owned()));
    shop.write("config.txt", "3\n");
    shop.bench(&[], &["--base-ref", "HEAD"]).expect_code(2).expect_err("--base-build true");
    shop.bench(&[], &["--base-ref", "HEAD", "--base-build", "true"]).expect_code(1).expect_out("api/hello/2");
    let failed = shop.bench(&[], &["--base-ref", "HEAD", "--base-build", "exit 7"]).expect_code(3);
    failed.expect_err("head could not be built: `exit 7`");
}

fn base_copy_copies_ignored_files_into_both_trees() {
    let shop = Shop::new();
    shop.replace("src/main.rs", "\"config.txt\"", "\".env\"");
    shop.commit("first");
    shop.write(".env", "1\n");
    shop.write("README.md", "A better shop.\n");
    let without = shop.bench(&[], &["--base-ref", "HEAD"]).expect_code(3);
    without.expect_err("base did not start").expect_err("--base-copy");
    expect_not_regressed(shop.bench(&[], &["--base-ref", "HEAD", "--base-copy", ".env"])).expect_out(SAME);
    // A file that leads both sides back to the working tree would make both sides the same.
    shop.write(".venv/lib/shop.pth", &format!("{}/src\n", shop.root.display()));
    shop.write(".venv/bin/activate", &format!("{}/.venv\n", shop.root.display()));
    let both = ["--base-ref", "HEAD", "--base-copy", ".env", "--base-copy", ".venv"];
    let warned = expect_not_regressed(shop.bench(&[], &both));
    warned
        .expect_err("because .venv/lib/shop.pth names them by their full path")
        .expect_out("Warning: both sides may run files");
    let nowhere = shop.bench(&[], &["--base-ref", "HEAD", "--base-copy", "nowhere"]).expect_code(2);
    nowhere.expect_err("--base-copy nowhere: no such file or folder");
}
