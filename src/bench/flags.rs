//! What stands behind `cargo bench --bench NAME --`: criterion's flags, ours, and libtest's, which are ignored.

use std::ffi::OsString;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser};

use crate::bench::contradictions::overruled;
use crate::bench::duet_flags::DuetFlags;
use crate::plan::Settings;
use crate::session::{BaselineUse, Colour, FailOn, Save};

/// What --help ends with.
const AFTER_HELP: &str =
    "Flags take precedence over the bench file. Most flags are also variables: --quick is PLIMSOLL_QUICK.";

/// The flags of a bench binary.
#[derive(Debug, Parser)]
#[command(about = "Loads each endpoint, compares with the baseline, and fails when one became slower", after_help = AFTER_HELP)]
#[command(args_override_self = true, disable_version_flag = true)]
pub(crate) struct Flags {
    /// Only cells whose id matches this regular expression
    pub(crate) filter: Option<String>,
    /// Match the filter as a whole id
    #[arg(long)]
    pub(crate) exact: bool,
    /// List the cells and end
    #[arg(long)]
    pub(crate) list: bool,
    /// Make each request once, check it, measure nothing
    #[arg(long)]
    pub(crate) test: bool,
    /// Save the run as this baseline, replacing what is stored
    #[arg(long, short = 's', value_name = "NAME", env = "PLIMSOLL_SAVE_BASELINE")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    save_baseline: Option<String>,
    /// Add the run to the baseline instead of replacing it (the one of --save-baseline, else the one compared with)
    #[arg(long, env = "PLIMSOLL_APPEND", value_parser = FalseyValueParser::new())]
    append: bool,
    /// Compare with this baseline; fail if it lacks a cell
    #[arg(long, short = 'b', value_name = "NAME", env = "PLIMSOLL_BASELINE")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    baseline: Option<String>,
    /// Compare with this baseline; cells that it lacks are new
    #[arg(long, value_name = "NAME", env = "PLIMSOLL_BASELINE_LENIENT")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    baseline_lenient: Option<String>,
    /// Take this stored baseline as the new run instead of measuring
    #[arg(long, value_name = "NAME", env = "PLIMSOLL_LOAD_BASELINE")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) load_baseline: Option<String>,
    /// Measure for less time, while developing
    #[arg(long, env = "PLIMSOLL_QUICK", value_parser = FalseyValueParser::new())]
    quick: bool,
    /// Number of whole runs
    #[arg(long, value_name = "N", default_value_t = 1, env = "PLIMSOLL_RUNS")]
    pub(crate) runs: usize,
    /// Seed of every random order
    #[arg(long, value_name = "N", default_value_t = 1, env = "PLIMSOLL_SEED")]
    pub(crate) seed: u64,
    /// An argument to append to each service's command line (repeatable)
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, action = ArgAction::Append)]
    #[arg(env = "PLIMSOLL_SERVICE_ARG", value_delimiter = None)]
    pub(crate) service_arg: Vec<String>,
    /// Fail on these verdicts too
    #[arg(long, value_name = "WHAT", value_delimiter = ',', env = "PLIMSOLL_FAIL_ON")]
    pub(crate) fail_on: Vec<FailOn>,
    /// Name of this machine. Stored runs are compared only if they were recorded under the same name [default: machine or boot id]
    #[arg(long, value_name = "NAME", env = "PLIMSOLL_TEST_BED")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) test_bed: Option<String>,
    /// Draw no charts
    #[arg(long, short = 'n', env = "PLIMSOLL_NOPLOT", value_parser = FalseyValueParser::new())]
    pub(crate) noplot: bool,
    /// Colour the output
    #[arg(long, short = 'c', value_name = "WHEN", default_value = "auto", env = "PLIMSOLL_COLOR")]
    pub(crate) color: Colour,
    /// Say more
    #[arg(long, short = 'v', env = "PLIMSOLL_VERBOSE", value_parser = FalseyValueParser::new())]
    pub(crate) verbose: bool,
    /// Say nothing but errors
    #[arg(long, env = "PLIMSOLL_QUIET", value_parser = FalseyValueParser::new())]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) duet: DuetFlags,
    #[command(flatten)]
    pub(crate) runner: RunnerFlags,
    /// The settings that were given as flags or variables.
    #[arg(skip)]
    settings: ArgMatches,
}

/// What cargo and test runners send: honoured where it means something, ignored where it does not.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sent by cargo and test runners")]
pub(crate) struct RunnerFlags {
    /// Sent by `cargo bench`: measure
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
    /// nextest asks for ignored cells: there are none
    #[arg(long, hide = true)]
    pub(crate) ignored: bool,
    #[arg(long, hide = true)]
    include_ignored: bool,
    #[arg(long, hide = true, value_name = "F")]
    format: Option<String>,
    #[arg(long, hide = true, value_name = "N")]
    test_threads: Option<String>,
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    no_capture: bool,
    #[arg(long, hide = true)]
    show_output: bool,
    /// Cells whose id contains this are left out
    #[arg(long, hide = true, value_name = "X", action = ArgAction::Append)]
    pub(crate) skip: Vec<String>,
    #[arg(long, hide = true)]
    report_time: bool,
    #[arg(long, hide = true)]
    shuffle: bool,
    #[arg(long, hide = true, value_name = "F")]
    logfile: Option<String>,
    #[arg(short = 'Z', hide = true, value_name = "X", action = ArgAction::Append)]
    unstable: Vec<String>,
}

impl Flags {
    /// Reads the arguments and the environment.
    ///
    /// # Errors
    /// When clap refuses them, or two flags contradict each other.
    pub(crate) fn read(
        args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let mut command = Settings::augment_args_for_update(Self::command()).mut_args(without_empty_variable);
        let mut matches = command.try_get_matches_from_mut(args)?;
        for id in overruled(&matches, &mut command)? {
            _ = matches.try_clear_id(id);
        }
        let mut flags = Self::from_arg_matches(&matches)?;
        // What was not given must not replace what the bench file says.
        let is_default = |id: &String| matches.value_source(id) == Some(ValueSource::DefaultValue);
        let defaults: Vec<String> = matches.ids().map(ToString::to_string).filter(is_default).collect();
        defaults.iter().for_each(|id| _ = matches.try_clear_id(id));
        flags.settings = matches;
        Ok(flags)
    }

    /// Whether anything is to be measured. `cargo bench` says `--bench`; `cargo test` and nextest do not.
    pub(crate) fn measures(&self) -> bool {
        self.runner.bench && !self.test
    }

    /// Puts what the command line says in place of a group's settings.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        if self.quick {
            settings.quicken();
        }
        settings.update_from_arg_matches(&self.settings).expect("each value was parsed with the flags");
    }

    /// Which baseline to compare with. One that is about to be replaced is looked at before.
    pub(crate) fn baseline_use(&self) -> BaselineUse {
        match (&self.baseline, &self.baseline_lenient, &self.save_baseline) {
            (Some(name), _, _) => BaselineUse::Strict(name.clone()),
            (_, Some(name), _) | (_, _, Some(name)) => BaselineUse::Lenient(name.clone()),
            _ => BaselineUse::Usual,
        }
    }

    /// What becomes of the run.
    pub(crate) fn save(&self) -> Option<Save> {
        let name = match (&self.save_baseline, self.append) {
            (Some(name), _) => name.clone(),
            (None, true) => self.baseline_use().name().to_owned(),
            (None, false) => return None,
        };
        Some(Save { name, append: self.append })
    }
}

/// A variable that is empty says nothing: so is one in CI that nobody has given a value.
fn without_empty_variable(arg: Arg) -> Arg {
    let is_empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    if is_empty { arg.env(None::<&str>) } else { arg }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::error::ErrorKind;

    use super::*;

    fn parsed(args: &[&str]) -> Flags {
        Flags::read(std::iter::once(&"bench").chain(args)).unwrap()
    }

    #[test]
    fn the_definition_is_sound() {
        Flags::command().debug_assert();
    }

    #[test]
    fn cargo_bench_measures_wherever_its_flag_stands() {
        assert!(parsed(&["--bench"]).measures());
        assert!(parsed(&["filter", "--quick", "--bench"]).measures());
        assert!(!parsed(&[]).measures());
        assert!(!parsed(&["--bench", "--test"]).measures());
    }

    #[test]
    fn what_test_runners_send_is_accepted() {
        let flags = parsed(&[
            "--test-threads=1",
            "--nocapture",
            "--no-capture",
            "--show-output",
            "--include-ignored",
            "--ignored",
            "--skip",
            "x",
            "--skip",
            "y",
            "--report-time",
            "--shuffle",
            "--logfile",
            "f",
            "-Z",
            "unstable-options",
            "--format",
            "terse",
            "--list",
            "--exact",
            "g/c/1",
        ]);
        assert!(flags.list && flags.exact && flags.runner.ignored);
        assert_eq!(flags.filter.as_deref(), Some("g/c/1"));
        assert_eq!(flags.runner.skip, ["x", "y"]);
    }

    #[test]
    fn the_last_of_two_counts_and_flags_win_over_the_bench_file() {
        let flags =
            parsed(&["--sample-size", "20", "--sample-size", "40", "--quick", "--measurement-time", "1.5"]);
        let mut settings = Settings { launches: Some(10), ..Settings::default() };
        flags.apply(&mut settings);
        assert_eq!(settings.sample_size, 40);
        assert_eq!(settings.measurement_time, Duration::from_millis(1_500));
        assert_eq!(settings.launches, Some(5), "quick");
    }

    #[test]
    fn baselines_are_chosen_as_in_criterion() {
        assert_eq!(parsed(&[]).baseline_use(), BaselineUse::Usual);
        assert_eq!(parsed(&["--baseline", "x"]).baseline_use(), BaselineUse::Strict("x".into()));
        assert_eq!(parsed(&["--save-baseline", "x"]).baseline_use(), BaselineUse::Lenient("x".into()));
        let append = Save { name: "main".into(), append: true };
        assert_eq!(parsed(&["--append"]).save(), Some(append));
        assert_eq!(parsed(&[]).save(), None);
    }

    #[test]
    fn service_arguments_may_look_like_flags() {
        let flags = parsed(&["--service-arg=--slowdown=0.5", "--service-arg", "--port=1"]);
        assert_eq!(flags.service_arg, ["--slowdown=0.5", "--port=1"]);
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        for args in [
            ["--save-baseline=a", "--baseline=b"],
            ["--baseline=a", "--baseline-lenient=b"],
            ["--load-baseline=a", "--append"],
            ["--load-baseline=a", "--base-ref=b"],
            ["--load-baseline=a", "--base-arg=b"],
            ["--quiet", "--verbose"],
        ] {
            let error = Flags::read(std::iter::once(&"bench").chain(&args)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ArgumentConflict, "{args:?}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for args in
            [["--measurement-time", "NaN"], ["--sample-size", "-1"], ["--fail-on", "x"], ["--runs", "x"]]
        {
            assert!(Flags::read(std::iter::once(&"bench").chain(&args)).is_err(), "{args:?}");
        }
    }
}
