//! What a bench binary does with its arguments: list, filter, check or measure.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use regex_lite::Regex;

use crate::bench::api::Harness;
use crate::bench::flags::{CallError, Flags};
use crate::output;
use crate::plan::Plan;
use crate::session::{self, FailOn, Options, Outcome, Paths, SessionError, WRONG_CALL, exit_code};

/// The bench target that `bench_main!` is called in.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct BenchTarget {
    /// Its name with `_` for each `-`.
    pub crate_name: &'static str,
    /// Its source file.
    pub file: &'static str,
    /// The folder of the package.
    pub package_root: &'static str,
    /// A folder below the target folder, which cargo sets for benches and tests.
    pub target_tmpdir: Option<&'static str>,
}

impl BenchTarget {
    /// The name that `cargo bench --bench` knows: that of its file or folder, unless Cargo.toml names it differently.
    fn name(&self) -> &'static str {
        let path = Path::new(self.file);
        let names = [path.file_stem(), path.parent().and_then(Path::file_name)];
        let mut names = names.into_iter().flatten().filter_map(OsStr::to_str);
        names.find(|name| name.replace('-', "_") == self.crate_name).unwrap_or(self.crate_name)
    }
}

/// Plans all groups, then does what cargo or a test runner asks for. `bench_main!` calls it.
#[doc(hidden)]
pub fn main(target: BenchTarget, define: impl FnOnce(&mut Harness)) -> ExitCode {
    match session::measure_if_asked() {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(error) => {
            output::log(format_args!("error: could not print the figures of the control: {error}"));
            return ExitCode::from(WRONG_CALL);
        }
    }
    let flags = match Flags::read(std::env::args_os()) {
        Ok(flags) => flags,
        Err(error) => error.exit(),
    };
    if flags.measures() {
        session::watch_parent();
    }
    let root = package_root(&target);
    if let Err(error) = std::env::set_current_dir(&root) {
        output::log(format_args!("error: could not enter the package's folder {}: {error}", root.display()));
        return ExitCode::from(WRONG_CALL);
    }
    let mut harness = Harness::default();
    define(&mut harness);
    match run(&flags, &root, target, harness.into_plan(target.name())) {
        Ok(code) => code,
        Err(error) => {
            output::log(format_args!("error: {error}"));
            error.exit_code()
        }
    }
}

/// The package's folder where it was built. If that does not exist here, the one that the test runner names.
fn package_root(target: &BenchTarget) -> PathBuf {
    let built = Path::new(target.package_root);
    let moved = std::env::var_os("CARGO_MANIFEST_DIR").filter(|_| !built.is_dir());
    moved.map_or_else(|| built.to_owned(), PathBuf::from)
}

fn run(flags: &Flags, root: &Path, target: BenchTarget, mut plan: Plan) -> Result<ExitCode, SessionError> {
    let wrong = |error: CallError| {
        output::log(format_args!("error: {error}"));
        Ok(ExitCode::from(WRONG_CALL))
    };
    let is_selected = match filter(flags) {
        Ok(is_selected) => is_selected,
        Err(error) => return wrong(error.into()),
    };
    let programs = plan.programs();
    let defined: Vec<String> =
        plan.groups.iter().flat_map(|group| &group.cells).map(|cell| cell.id.to_string()).collect();
    for group in &mut plan.groups {
        group.cells.retain(|cell| is_selected(&cell.id.to_string()));
        flags.apply(&mut group.settings);
    }
    plan.groups.retain(|group| !group.cells.is_empty());
    flags.apply_to_plan(&mut plan);
    if let Err(error) = flags.check_effects(&plan, !session::is_only_bench()) {
        return wrong(error);
    }
    if flags.list && plan.errors.is_empty() {
        // nextest also asks for a list of ignored tests: there are none.
        if !flags.ignored {
            for cell in plan.groups.iter().flat_map(|group| &group.cells) {
                output::print(format_args!("{}: benchmark\n", cell.id))?;
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    if plan.cells() == 0 && plan.errors.is_empty() {
        let why = no_cell(flags, &defined);
        // Another bench target of the call may have cells that match.
        if flags.measures() && matches!(why, CallError::NoMatch { .. }) && session::is_only_bench() {
            return wrong(why);
        }
        let (before, done) = if flags.measures() { ("NOT COMPARED: ", "measured") } else { ("", "tested") };
        output::log(format_args!("warning: {before}nothing was {done}, because {why}"));
        let must_compare = flags.measures() && flags.fail_on.contains(&FailOn::Incomparable);
        return Ok(exit_code(if must_compare { Outcome::NotMeasured } else { Outcome::Passed }));
    }
    let options = Options { programs, ..options(flags, root, target) };
    let outcome =
        if flags.measures() { session::run(plan, &options)? } else { session::check(plan, &options)? };
    Ok(exit_code(outcome))
}

fn options(flags: &Flags, root: &Path, target: BenchTarget) -> Options {
    let target_dir = target.target_tmpdir.and_then(|tmp| Path::new(tmp).parent());
    Options {
        paths: Paths::new(root, target_dir),
        baseline: flags.baseline_use(),
        save: flags.save(),
        load: flags.load_baseline.clone(),
        service_args: flags.service_arg.clone(),
        programs: Vec::new(),
        duet: flags.duet.clone(),
        test_bed: flags.test_bed.clone(),
        fail_on: flags.fail_on.clone(),
        bench_args: std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect(),
        // Also if it matches all cells that are left: it may leave out one that was removed.
        is_filtered: flags.filter.is_some() || !flags.skip.is_empty(),
        profile_time: flags.profile_time,
        plots: !flags.noplot,
        formats: flags.report.clone(),
        output_format: flags.output_format,
        color: flags.color.applies(std::io::stdout().is_terminal()),
        verbose: flags.verbose,
        quiet: flags.quiet,
    }
}

/// Why no cell of those that the bench file defines is left.
fn no_cell(flags: &Flags, defined: &[String]) -> CallError {
    const MOST_NAMED: usize = 3;
    match &flags.filter {
        _ if defined.is_empty() => CallError::NoCell,
        None => CallError::AllSkipped,
        Some(filter) => {
            let lower = filter.to_lowercase();
            let likeness = |id: &str| {
                let whole = id.to_lowercase();
                let parts = whole.split('/').chain([whole.as_str()]);
                parts.map(|part| strsim::jaro(&lower, part)).fold(0.0, f64::max)
            };
            let mut similar: Vec<&String> = defined.iter().collect();
            similar.sort_by(|one, other| likeness(other).total_cmp(&likeness(one)));
            let similar = similar.into_iter().take(MOST_NAMED).map(|id| format!("`{id}`")).collect();
            CallError::NoMatch { filter: filter.clone(), similar, cells: defined.len() }
        }
    }
}

/// Whether the flags select the cell of an id.
fn filter(flags: &Flags) -> Result<impl Fn(&str) -> bool, regex_lite::Error> {
    let pattern = flags.filter.as_deref().filter(|_| !flags.exact).map(Regex::new).transpose()?;
    let exact = flags.filter.as_deref().filter(|_| flags.exact);
    Ok(move |id: &str| {
        exact.is_none_or(|exact| exact == id)
            && pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
            && !flags.skip.iter().any(|skip| id.contains(skip.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(args: &[&str], ids: &[&str]) -> Vec<String> {
        let flags = Flags::read(std::iter::once(&"bench").chain(args)).unwrap();
        let is_selected = filter(&flags).unwrap();
        ids.iter().filter(|id| is_selected(id)).map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn filters_are_regular_expressions_whole_ids_or_skips() {
        let ids = ["a/3k/5", "a/3k/50", "b/x"];
        assert_eq!(selected(&[], &ids), ids);
        assert_eq!(selected(&["3k/5"], &ids), ["a/3k/5", "a/3k/50"]);
        assert_eq!(selected(&["3k/5$"], &ids), ["a/3k/5"]);
        assert_eq!(selected(&["a/3k/5", "--exact"], &ids), ["a/3k/5"]);
        assert_eq!(selected(&["--skip", "3k"], &ids), ["b/x"]);
        assert_eq!(selected(&["nothing"], &ids), Vec::<String>::new());
    }

    #[test]
    fn a_filter_without_a_match_names_the_most_similar_cells() {
        let defined = ["orders/place/10", "tokenizer/3k_tokens/5", "tokenizer/3k_tokens/10", "search/ship/5"];
        let defined = defined.map(str::to_owned);
        let why = |args: &[&str], defined: &[String]| {
            let flags = Flags::read(std::iter::once(&"bench").chain(args)).unwrap();
            no_cell(&flags, defined).to_string()
        };
        let all = why(&["Toknizer/3k"], &defined);
        assert!(
            all.starts_with(
                "no cell matches the filter `Toknizer/3k`; similar cells: `tokenizer/3k_tokens/5`, "
            ),
            "{all}"
        );
        assert!(all.ends_with("(--list shows all 4)") && all.matches('`').count() == 8, "{all}");
        assert!(why(&["serach"], &defined).contains("similar cells: `search/ship/5`"));
        assert_eq!(why(&["--skip", ""], &defined), "--skip leaves out every cell");
        assert_eq!(why(&["x"], &[]), "the bench file defines no cell");
    }

    #[test]
    fn a_bench_has_the_name_that_cargo_knows() {
        let name =
            |file| BenchTarget { crate_name: "my_bench", file, package_root: "", target_tmpdir: None }.name();
        assert_eq!(name("benches/my-bench.rs"), "my-bench");
        assert_eq!(name("benches/my-bench/main.rs"), "my-bench");
        assert_eq!(name("elsewhere/other.rs"), "my_bench");
    }

    #[test]
    fn a_broken_filter_is_an_error() {
        let flags = Flags::read(["bench", "("]).unwrap();
        assert!(filter(&flags).is_err());
    }
}
