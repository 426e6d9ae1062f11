//! The bench that is driven: small suites, one for each thing that can be wrong, in a package folder of their own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use plimsoll::__private::BenchTarget;
use plimsoll::{BenchmarkGroup, BenchmarkId, Endpoint, Harness, Limit, Load, Service, Targets};
use tempfile::TempDir;

use crate::common::{Ran, alive, mark, run};

/// Names the suite to be.
pub const SUITE: &str = "PLIMSOLL_TEST_SUITE";
/// Makes this binary cargo, which starts a bench and waits for it.
pub const CARGO: &str = "PLIMSOLL_TEST_CARGO";
/// The package's folder. Everything that a bench starts inherits it, so one can look for what is left.
pub const SUITE_ROOT: &str = "PLIMSOLL_TEST_ROOT";
/// The bench that the bench file of a package of its own becomes: this one.
pub const SUITE_BENCH: &str = "PLIMSOLL_TEST_BENCH";
/// The program of the suite `shop`.
pub const PROGRAM: &str = "PLIMSOLL_TEST_PROGRAM";
/// Another endpoint that it loads.
pub const ALSO: &str = "PLIMSOLL_TEST_ALSO";
/// By how much slower the control is than usual.
pub const CONTROL: &str = "PLIMSOLL_TEST_CONTROL";
/// An argument of its program.
const ARG: &str = "PLIMSOLL_TEST_ARG";

/// The one cell of most suites.
pub const CELL: &str = "api/hello/4";

/// Where the suite `built` expects its program.
pub const BUILT: &str = "target/release/api";

/// Is the bench of that name.
pub fn be(name: &str) -> ExitCode {
    let root = std::env::var(SUITE_ROOT).unwrap();
    let target =
        BenchTarget { crate_name: "fixture", file: "", package_root: root.leak(), target_tmpdir: None };
    plimsoll::__private::main(target, |harness| define(harness, name))
}

/// Is the parent of the bench, and like cargo dies of a signal without a word.
pub fn be_cargo() -> ExitCode {
    let mut bench = Command::new(std::env::current_exe().unwrap());
    bench.args(std::env::args_os().skip(1)).env_remove(CARGO).env("CARGO", "cargo");
    ExitCode::from(u8::from(!bench.status().unwrap().success()))
}

/// Is the control instead of plimsoll's own: its figures do not depend on how busy the machine is.
pub fn be_control() -> ExitCode {
    let slower: f64 = std::env::var(CONTROL).map_or(1.0, |factor| factor.parse().unwrap());
    let figures = format!(r#"{{"multiply": {}, "hash": {}}}"#, 7_000.0 / slower, 6_000.0 / slower);
    std::io::stdout().write_all(figures.as_bytes()).unwrap();
    ExitCode::SUCCESS
}

fn serve(program: &str) -> plimsoll::ServiceCommand {
    let command = Service::command(program);
    command.args(["serve", "--port", "{port}", "--service-time", "2ms"]).ready("/stats")
}

fn define(harness: &mut Harness, name: &str) {
    let mut group = harness.benchmark_group("api");
    group.sample_size(10).launches(5).measurement_time(Duration::from_millis(400)).nresamples(1_000);
    group.warm_up_time(Duration::from_millis(5)).service(serve(env!("CARGO_BIN_EXE_plimsoll")));
    match name {
        "usual" => hello(&mut group, "/hello", 4),
        "two" => {
            hello(&mut group, "/hello", 4);
            hello(&mut group, "/hello", 2);
        }
        "built" => hello(group.service(serve(BUILT)), "/hello", 4),
        "stateful" => {
            let shell = |script| Service::command("sh").args(["-c", script, "state/{side}-{launch}"]);
            let service = serve(env!("CARGO_BIN_EXE_plimsoll"))
                .before_launch(shell("mkdir -p state && mkdir \"$0\" && echo \"$0\" >> log"))
                .after_launch(shell("rmdir \"$0\""));
            hello(group.service(service), "/hello", 4);
        }
        "shop" => {
            let shop = Service::command(std::env::var(PROGRAM).unwrap());
            group.service(shop.args(std::env::var(ARG)));
            hello(&mut group, "/hello", 2);
            if let Ok(path) = std::env::var(ALSO) {
                group.bench_endpoint("also", Endpoint::get(path), Load::closed(2));
            }
        }
        "many" => hello(&mut group, "/hello", 300),
        "redefined" => hello(&mut group, "/hello?other", 4),
        "targets" => {
            group.bench_endpoint("many", Targets::from_file("targets.jsonl"), Load::closed(1));
        }
        "limited" => hello(group.limit(Limit::p50(Duration::from_micros(1))), "/hello", 4),
        "absent" => hello(group.service(Service::command("/no/such/program")), "/hello", 4),
        "dies" => {
            let dies = Service::command("sh").args(["-c", "echo my last words; exit 7"]);
            hello(group.service(dies), "/hello", 4);
        }
        "wrong" => hello(&mut group, "/tokenizer", 4),
        "placeholder" => hello(group.service(Service::command("true").arg("--port={Port}")), "/hello", 4),
        "metric" => hello(group.judge(["latency_p42"]), "/hello", 4),
        "rounds" => hello(group.sample_size(5), "/hello", 4),
        "load" => hello(&mut group, "/hello", 0),
        other => panic!("no suite `{other}`"),
    }
    group.finish();
}

#[track_caller]
fn hello(group: &mut BenchmarkGroup<'_>, path: &str, concurrency: usize) {
    group.bench_endpoint(
        BenchmarkId::new("hello", concurrency),
        Endpoint::get(path),
        Load::closed(concurrency),
    );
}

/// A package's folder, empty at first.
pub struct Package(TempDir);

impl Package {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a baseline `main` of the usual suite: two runs.
    pub fn with_baseline() -> Self {
        let package = Self::new();
        for _ in 0..3 {
            package.bench("usual", &["--save-baseline", "main", "--runs", "2", "--noplot"]);
            if package.baseline("main").is_dir() {
                return package;
            }
        }
        panic!("in three calls nothing could be measured");
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// The folder of a baseline's runs.
    pub fn baseline(&self, name: &str) -> PathBuf {
        self.path("baselines").join(name).join("fixture")
    }

    /// The files of a baseline, one per run.
    pub fn runs(&self, name: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.baseline(name)).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// The text of all files of the baseline `main`.
    pub fn main(&self) -> String {
        self.runs("main").iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    pub fn reports(&self) -> PathBuf {
        self.path("reports/fixture")
    }

    /// This binary as a bench, without `--bench`.
    pub fn command(&self, suite: &str, args: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PLIMSOLL_")) {
            command.env_remove(name);
        }
        command
            .env(SUITE, suite)
            .env("OF_TEST", mark(self.root()))
            .env(SUITE_ROOT, self.root())
            .env("NO_COLOR", "1")
            .env_remove("CARGO")
            .env_remove("GITHUB_ACTIONS")
            .args(args);
        command
    }

    /// As cargo does it: a bench that measures.
    pub fn bench(&self, suite: &str, args: &[&str]) -> Ran {
        self.run(suite, &[args, &["--bench"]].concat())
    }

    /// A bench without `--bench`. Whatever it does, nothing of it is left.
    #[track_caller]
    pub fn run(&self, suite: &str, args: &[&str]) -> Ran {
        let ran = run(&mut self.command(suite, args));
        self.expect_nothing_left();
        ran
    }

    #[track_caller]
    pub fn expect_nothing_left(&self) {
        crate::common::wait_until("all that was started has ended", Duration::from_secs(5), || {
            alive(self.root()).is_empty()
        });
    }

    /// `plimsoll` in this folder.
    pub fn plimsoll(&self, args: &[&str]) -> Ran {
        run(crate::common::plimsoll(args).current_dir(self.root()))
    }

    /// Insists that nothing was measured, so nothing started and nothing written.
    #[track_caller]
    pub fn expect_not_measured(&self) {
        assert!(!self.path("reports").exists() && !self.path("target").exists());
    }
}
