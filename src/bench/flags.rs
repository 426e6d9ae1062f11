//! The flags after `cargo bench --bench NAME --`: criterion's, plimsoll's, and libtest's, which are ignored.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser};

use crate::plan::{Group, Plan, ServiceKind, Settings, heading, parse_duration, parse_service_text};
use crate::session::{
    BaselineUse, Color, Confirm, DuetOptions, FailOn, OutputFormat, OwnBase, Requested, Save,
};

/// The last lines of `--help`.
const AFTER_HELP: &str = "\
A flag takes precedence over its variable, and a variable over the bench file. Every flag but --discard-baseline, --exact, --list, \
--profile-time, --test and --help has a variable: PLIMSOLL_QUICK=1 means --quick.

Exit codes: 0 nothing regressed, 1 regressed, 2 usage error, 3 not measured, 130 or 143 interrupted";

/// The flags of a bench binary, without the [`Settings`].
#[derive(Debug, Parser)]
#[command(override_usage = "cargo bench --bench NAME -- [OPTIONS] [FILTER]", after_help = AFTER_HELP)]
#[command(args_override_self = true, disable_version_flag = true, disable_help_flag = true)]
pub(crate) struct Flags {
    /// Measure only cells whose id matches this regular expression
    pub(crate) filter: Option<String>,
    /// Match the filter against the whole id, not as a regular expression
    #[arg(long, help_heading = heading::MEASURE)]
    pub(crate) exact: bool,
    /// List the cells and exit
    #[arg(long, help_heading = heading::MEASURE)]
    pub(crate) list: bool,
    /// Send each request once and check its response, without measuring
    #[arg(long, help_heading = heading::MEASURE)]
    pub(crate) test: bool,
    /// Only load each cell for this time, for a profiler
    #[arg(long, value_name = "TIME", value_parser = parse_positive, help_heading = heading::MEASURE)]
    pub(crate) profile_time: Option<Duration>,
    /// Shorter runs while developing: 10 rounds in 2s, 5 launches
    #[arg(long, env = "PLIMSOLL_QUICK", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = heading::MEASURE)]
    quick: bool,
    /// Repeat the whole measurement this number of times
    #[arg(long, value_name = "N", default_value_t = 1, env = "PLIMSOLL_RUNS")]
    #[arg(help_heading = heading::MEASURE)]
    runs: usize,
    /// Seed of all random orders
    #[arg(long, value_name = "N", default_value_t = 1, env = "PLIMSOLL_SEED")]
    #[arg(help_heading = heading::MEASURE)]
    seed: u64,
    /// Add this argument to the command line of head (repeatable)
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, action = ArgAction::Append)]
    #[arg(env = "PLIMSOLL_SERVICE_ARG", value_delimiter = None, help_heading = heading::MEASURE)]
    #[arg(value_parser = parse_service_text)]
    pub(crate) service_arg: Vec<String>,

    /// Also fail on: inconclusive (exit code 1), incomparable (3)
    #[arg(long, value_name = "VERDICT", value_delimiter = ',', env = "PLIMSOLL_FAIL_ON")]
    #[arg(hide_possible_values = true, help_heading = heading::DECIDE)]
    pub(crate) fail_on: Vec<FailOn>,

    /// Compare with this baseline; cells it lacks are new [default: main]
    #[arg(long, value_name = "NAME", env = "PLIMSOLL_BASELINE_LENIENT")]
    #[arg(value_parser = NonEmptyStringValueParser::new(), help_heading = heading::BASELINES)]
    baseline_lenient: Option<String>,
    /// Compare with this baseline; fail if it lacks a cell
    #[arg(long, short = 'b', value_name = "NAME", env = "PLIMSOLL_BASELINE")]
    #[arg(value_parser = NonEmptyStringValueParser::new(), help_heading = heading::BASELINES)]
    baseline: Option<String>,
    /// Store the run as this baseline, in place of its older runs
    #[arg(long, short = 's', value_name = "NAME", env = "PLIMSOLL_SAVE_BASELINE")]
    #[arg(value_parser = NonEmptyStringValueParser::new(), help_heading = heading::BASELINES)]
    save_baseline: Option<String>,
    /// Add the run to the baseline that it is compared with
    #[arg(long, env = "PLIMSOLL_APPEND", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = heading::BASELINES)]
    append: bool,
    /// Store no run, even if a variable asks for it
    #[arg(long, help_heading = heading::BASELINES)]
    discard_baseline: bool,
    /// Use this stored baseline as head instead of measuring
    #[arg(long, value_name = "NAME", env = "PLIMSOLL_LOAD_BASELINE")]
    #[arg(value_parser = NonEmptyStringValueParser::new(), help_heading = heading::BASELINES)]
    pub(crate) load_baseline: Option<String>,
    /// Name of this machine; only runs stored under it are compared [default: machine or boot id]
    #[arg(long, value_name = "NAME", env = "PLIMSOLL_TEST_BED")]
    #[arg(value_parser = NonEmptyStringValueParser::new(), help_heading = heading::BASELINES)]
    pub(crate) test_bed: Option<String>,

    #[command(flatten)]
    pub(crate) duet: DuetOptions,

    /// Draw no charts
    #[arg(long, short = 'n', env = "PLIMSOLL_NOPLOT", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) noplot: bool,
    /// Also write: markdown, github, junit, json, openmetrics, csv
    #[arg(long = "report", value_name = "NAME[=PATH]", env = "PLIMSOLL_REPORT", value_delimiter = ',')]
    #[arg(value_parser = Requested::parse, help_heading = heading::OUTPUT)]
    pub(crate) report: Vec<Requested>,
    /// Printed format: criterion or bencher
    #[arg(long, value_name = "FORMAT", default_value = "criterion", env = "PLIMSOLL_OUTPUT_FORMAT")]
    #[arg(hide_possible_values = true, help_heading = heading::OUTPUT)]
    pub(crate) output_format: OutputFormat,
    /// When to use colors
    #[arg(
        long,
        short = 'c',
        value_name = "WHEN",
        default_value = "auto",
        env = "PLIMSOLL_COLOR",
        alias = "colour"
    )]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) color: Color,
    /// Show all metrics and how they were compared
    #[arg(long, short = 'v', env = "PLIMSOLL_VERBOSE", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) verbose: bool,
    /// Print only errors
    #[arg(long, env = "PLIMSOLL_QUIET", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) quiet: bool,
    /// Print this help
    #[arg(long, short = 'h', action = ArgAction::HelpShort, help_heading = heading::OUTPUT)]
    help: Option<bool>,

    /// `cargo bench` sends it: measure.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
    /// nextest lists ignored cells with it. There are none.
    #[arg(long, hide = true)]
    pub(crate) ignored: bool,
    /// Leave out cells whose id contains this text.
    #[arg(long, hide = true, action = ArgAction::Append)]
    pub(crate) skip: Vec<String>,
    /// The [`Settings`] that are given as flags or variables.
    #[arg(skip)]
    settings: ArgMatches,
}

/// Flags of libtest and nextest that are accepted and ignored.
const IGNORED_SWITCHES: [&str; 6] =
    ["include-ignored", "nocapture", "no-capture", "show-output", "report-time", "shuffle"];
/// The same, with a value.
const IGNORED_OPTIONS: [&str; 3] = ["format", "test-threads", "logfile"];
/// A flag of criterion that chooses between gnuplot and plotters.
const PLOTTING_BACKEND: &str = "plotting-backend";

/// The whole command line: [`Flags`], [`Settings`] and what is ignored.
fn command() -> Command {
    let ignored = |name: &'static str| Arg::new(name).long(name).hide(true);
    Settings::augment_args_for_update(Flags::command())
        .args(IGNORED_SWITCHES.map(|name| ignored(name).action(ArgAction::SetTrue)))
        .args(IGNORED_OPTIONS.map(ignored))
        .arg(ignored(PLOTTING_BACKEND))
        .arg(Arg::new("unstable").short('Z').hide(true).action(ArgAction::Append))
        .about(
            "Loads each endpoint, compares it with a baseline or an old build, and fails if it became slower",
        )
        .mut_args(prepare_variable)
}

fn parse_positive(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text).map_err(|error| error.to_string())?;
    if time.is_zero() { Err("it must be longer than 0".to_owned()) } else { Ok(time) }
}

impl Flags {
    /// Reads the arguments and the environment.
    ///
    /// # Errors
    /// If an argument or variable is not valid, or two of them contradict each other.
    pub(crate) fn read(
        args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let mut command = command();
        let mut matches = command.try_get_matches_from_mut(args)?;
        if matches.contains_id(PLOTTING_BACKEND) {
            let message = "--plotting-backend has no effect, because plimsoll draws its charts itself and never with gnuplot: leave it \
                           out, or pass --noplot to draw none";
            return Err(command.error(ErrorKind::UnknownArgument, message));
        }
        for id in overruled_variables(&matches, &mut command)? {
            _ = matches.try_clear_id(id);
        }
        let mut flags = Self::from_arg_matches(&matches)?;
        // Defaults must not replace what the bench file says.
        let is_default = |id: &String| matches.value_source(id) == Some(ValueSource::DefaultValue);
        let defaults: Vec<String> = matches.ids().map(ToString::to_string).filter(is_default).collect();
        defaults.iter().for_each(|id| _ = matches.try_clear_id(id));
        flags.settings = matches;
        Ok(flags)
    }

    /// `cargo bench` sends `--bench`. `cargo test` and nextest do not.
    pub(crate) fn measures(&self) -> bool {
        self.bench && !self.test
    }

    /// Replaces the settings of a group by those that are given as flags or variables.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        if self.quick {
            settings.quicken();
        }
        settings.update_from_arg_matches(&self.settings).expect("each value was parsed with the flags");
    }

    pub(crate) fn apply_to_plan(&self, plan: &mut Plan) {
        (plan.runs, plan.seed) = (self.runs, self.seed);
        self.duet.apply(plan);
    }

    /// Checks that each flag changes something in this call. Variables may be there for other calls, and so may flags that depend on the
    /// cells of this bench target if cargo runs `others`, too.
    ///
    /// # Errors
    /// The first flag that has no effect, and why.
    pub(crate) fn check_effects(&self, plan: &Plan, others: bool) -> Result<(), CallError> {
        let duet = &self.duet;
        let is_named = duet.base.is_some()
            || duet.base_ref.is_some()
            || duet.base_command.is_some()
            || duet.base_url.is_some();
        let has_pairs = is_named || plan.groups.iter().any(|group| group.base.is_some());
        let replaces = self.is_flag("save_baseline")
            && self.save().is_some_and(|save| !save.append && save.name == self.baseline_use().name());
        let is_known = plan.errors.is_empty() && !plan.groups.is_empty() && !others;
        // Candidates of stored runs are measured again in pairs, if their service can be built.
        let is_command = |group: &Group| matches!(group.service.0, ServiceKind::Command(_));
        let can_screen = |group: &Group| group.base.is_none() && is_command(group);
        let screens = !is_named && !replaces && plan.groups.iter().any(can_screen);
        let builds = screens || duet.base_ref.is_some() || duet.base == Some(OwnBase::Baseline);
        let command = command();
        let below = |headings: &[&str]| -> Vec<&str> {
            let has_heading = |arg: &&Arg| arg.get_help_heading().is_some_and(|own| headings.contains(&own));
            command.get_arguments().filter(has_heading).map(|arg| arg.get_id().as_str()).collect()
        };
        let judging = [heading::DECIDE, heading::BASELINES, heading::DUETS];
        for (applies, flags, why) in [
            (
                self.list || !self.measures(),
                [&below(&judging)[..], &MEASURED[..]].concat(),
                "without a measurement (`cargo bench` without --list and --test)",
            ),
            (
                self.is_flag("profile_time"),
                [&below(&judging[..2])[..], &JUDGED[..]].concat(),
                "with --profile-time, which judges and writes nothing",
            ),
            (self.is_flag("load_baseline"), LIVE.to_vec(), "with --load-baseline, which measures nothing"),
            (
                is_known && !has_pairs && !screens,
                PAIRS.to_vec(),
                "without a base, or a baseline whose slower cells can be measured again",
            ),
            (
                is_known && !builds,
                TREES.to_vec(),
                "where nothing is built (--base-ref builds, and a baseline whose slower cells can be measured again)",
            ),
            (
                self.is_flag("confirm") && duet.confirm == Confirm::None,
                vec!["confirm_pairs"],
                "with --confirm none",
            ),
            (replaces, vec!["fail_on"], "with --save-baseline alone, which accepts what was measured"),
        ] {
            if let Some(id) = flags.into_iter().find(|id| applies && self.is_flag(id)) {
                return Err(CallError::NoEffect { flag: flag(id), why });
            }
        }
        Ok(())
    }

    /// Whether an argument was given as a flag, not as a variable.
    fn is_flag(&self, id: &str) -> bool {
        self.settings.value_source(id) == Some(ValueSource::CommandLine)
    }

    /// The baseline to compare with. One that is replaced afterwards is compared with first, if it is there.
    pub(crate) fn baseline_use(&self) -> BaselineUse {
        // A flag that saves overrules the variable of the baseline.
        let counts = self.is_flag("baseline") || !self.is_flag("save_baseline");
        let baseline = self.baseline.as_ref().filter(|_| counts);
        match (baseline, &self.baseline_lenient, &self.save_baseline) {
            (Some(name), _, save) if save.as_ref() != Some(name) => BaselineUse::Strict(name.clone()),
            (_, Some(name), _) | (_, _, Some(name)) => BaselineUse::Lenient(name.clone()),
            _ => BaselineUse::Usual,
        }
    }

    /// Where to store the run. `None`: nowhere.
    pub(crate) fn save(&self) -> Option<Save> {
        let name = match (&self.save_baseline, self.append) {
            (Some(name), _) => name.clone(),
            (None, true) => self.baseline_use().name().to_owned(),
            (None, false) => return None,
        };
        Some(Save { name, append: self.append })
    }
}

/// Ignores a variable that is empty, as one in CI often is. Keeps variables out of the lines of `--help`.
fn prepare_variable(arg: Arg) -> Arg {
    let is_empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    if is_empty { arg.env(None::<&str>) } else { arg.hide_env(true) }
}

/// Pairs of arguments that contradict each other.
const CONTRADICTIONS: [(&str, &str); 24] = [
    ("discard_baseline", "save_baseline"),
    ("discard_baseline", "append"),
    ("baseline", "baseline_lenient"),
    ("load_baseline", "save_baseline"),
    ("load_baseline", "append"),
    ("load_baseline", "base_ref"),
    ("load_baseline", "base_command"),
    ("load_baseline", "base_url"),
    ("load_baseline", "base_arg"),
    ("load_baseline", "base"),
    ("base", "base_ref"),
    ("base", "base_command"),
    ("base", "base_url"),
    // A duet does not compare with a stored baseline.
    ("append", "base"),
    ("append", "base_ref"),
    ("append", "base_command"),
    ("append", "base_url"),
    ("baseline", "base_ref"),
    ("baseline", "base_command"),
    ("baseline", "base_url"),
    ("quiet", "verbose"),
    ("base_ref", "base_command"),
    ("base_ref", "base_url"),
    ("base_command", "base_url"),
];
/// Flags that need another one.
const NEEDS: [(&str, &str); 1] = [("base_arg", "base_ref")];

/// What is wrong with a call, given the cells that the bench file defines.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the filter is not a regular expression: {0}")]
    Filter(#[from] regex_lite::Error),
    #[error("{flag} has no effect {why}: leave it out")]
    NoEffect { flag: String, why: &'static str },
    #[error("no cell matches the filter `{filter}`; similar cells: {} (--list shows all {cells})", similar.join(", "))]
    NoMatch { filter: String, similar: Vec<String>, cells: usize },
    #[error("--skip leaves out every cell")]
    AllSkipped,
    #[error("the bench file defines no cell")]
    NoCell,
}

/// Flags that only a measurement obeys, apart from those of deciding, baselines and duets.
const MEASURED: [&str; 4] = ["max_time", "profile_time", "output_format", "report"];
/// Flags that loading for a profiler does not obey, apart from those of deciding and baselines.
const JUDGED: [&str; 10] = [
    "report",
    "quick",
    "runs",
    "sample_size",
    "measurement_time",
    "warm_up_time",
    "launches",
    "max_time",
    "confirm",
    "confirm_pairs",
];
/// Flags that a stored run in place of a measurement does not obey.
const LIVE: [&str; 15] = [
    "quick",
    "runs",
    "seed",
    "service_arg",
    "sample_size",
    "measurement_time",
    "warm_up_time",
    "launches",
    "max_time",
    "test_bed",
    "base_build",
    "base_copy",
    "alone",
    "confirm",
    "confirm_pairs",
];
/// Flags of measuring pairs.
const PAIRS: [&str; 3] = ["alone", "confirm", "confirm_pairs"];
/// Flags of building trees.
const TREES: [&str; 2] = ["base_build", "base_copy"];

/// The arguments whose variables do not count because a flag contradicts them: a flag is meant for one call, a variable for many.
/// clap's own `conflicts_with` does not tell a variable from a flag, and would refuse both.
///
/// # Errors
/// If two flags contradict each other, or two variables that no flag overrules.
fn overruled_variables(
    matches: &ArgMatches,
    command: &mut Command,
) -> Result<BTreeSet<&'static str>, clap::Error> {
    let is_from = |id: &str, source: ValueSource| matches.value_source(id) == Some(source);
    let overruled: BTreeSet<&str> = CONTRADICTIONS
        .into_iter()
        .flat_map(|(one, other)| [(one, other), (other, one)])
        .filter(|(flag, variable)| {
            is_from(flag, ValueSource::CommandLine) && is_from(variable, ValueSource::EnvVariable)
        })
        .map(|(_, variable)| variable)
        .collect();
    // A switch may be set to `0` or `false`.
    let is_off = |id: &str| matches!(matches.try_get_one::<bool>(id), Ok(Some(false)));
    let counts = |id: &str| {
        let is_given = matches.value_source(id).is_some_and(|source| source != ValueSource::DefaultValue);
        is_given && !is_off(id) && !overruled.contains(id)
    };
    if let Some((one, other)) = CONTRADICTIONS.into_iter().find(|(one, other)| counts(one) && counts(other)) {
        let message = format!("{} cannot be used with {}", name(matches, one), name(matches, other));
        return Err(command.error(ErrorKind::ArgumentConflict, message));
    }
    let lacks = |(one, other): &(&str, &str)| is_from(one, ValueSource::CommandLine) && !counts(other);
    if let Some((one, other)) = NEEDS.into_iter().find(lacks) {
        let message = format!("{} needs {}", name(matches, one), flag(other));
        return Err(command.error(ErrorKind::MissingRequiredArgument, message));
    }
    Ok(overruled)
}

/// The flag or variable that the user wrote.
fn name(matches: &ArgMatches, id: &str) -> String {
    match matches.value_source(id) {
        Some(ValueSource::EnvVariable) => format!("PLIMSOLL_{}", id.to_uppercase()),
        _ => flag(id),
    }
}

fn flag(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Location, Service};

    fn parsed(args: &[&str]) -> Flags {
        Flags::read(std::iter::once(&"bench").chain(args)).unwrap()
    }

    #[test]
    fn each_flag_has_a_line_of_help_under_a_heading() {
        command().debug_assert();
        for arg in command().get_arguments().filter(|arg| !arg.is_hide_set()) {
            assert!(arg.is_positional() || arg.get_help_heading().is_some(), "{arg}");
            assert!(arg.get_help().is_some(), "{arg}");
        }
        let help = command().term_width(100).render_help().to_string();
        let most = help.lines().map(|line| line.chars().count()).max();
        assert!(most <= Some(100) && help.contains("[default: 30]"), "{help}");
        let wrapped = help.lines().filter(|line| line.starts_with("              ")).count();
        assert!(wrapped <= 3, "{help}");
    }

    #[test]
    fn every_flag_has_a_variable_but_those_that_the_help_names() {
        for arg in command().get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_long().is_some()) {
            let is_named = AFTER_HELP.contains(&flag(arg.get_id().as_str()));
            let variable = arg.get_env().map(|env| env.to_string_lossy().into_owned());
            let expected = format!("PLIMSOLL_{}", arg.get_id().as_str().to_uppercase());
            if arg.get_id() != "quick" {
                assert_eq!(variable, (!is_named).then_some(expected));
            }
        }
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
        assert!(flags.list && flags.exact && flags.ignored);
        assert_eq!(flags.filter.as_deref(), Some("g/c/1"));
        assert_eq!(flags.skip, ["x", "y"]);
    }

    #[test]
    fn the_last_of_two_flags_wins_over_the_first_and_over_the_bench_file() {
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
        let other = parsed(&["--baseline", "main", "--save-baseline", "pr-7"]);
        assert_eq!(other.baseline_use(), BaselineUse::Strict("main".into()));
        assert_eq!(other.save(), Some(Save { name: "pr-7".into(), append: false }));
        let same = parsed(&["--baseline", "x", "--save-baseline", "x"]);
        assert_eq!(same.baseline_use(), BaselineUse::Lenient("x".into()), "the first time it is not there");
        let append = Save { name: "main".into(), append: true };
        assert_eq!(parsed(&["--append"]).save(), Some(append));
        assert_eq!(parsed(&[]).save(), None);
    }

    #[test]
    fn criterions_other_flags_are_known() {
        assert_eq!(parsed(&["--output-format", "bencher"]).output_format, OutputFormat::Bencher);
        assert_eq!(parsed(&["--colour", "always"]).color, Color::Always);
        assert_eq!(parsed(&["--profile-time", "1.5"]).profile_time, Some(Duration::from_millis(1_500)));
        assert_eq!(parsed(&["--discard-baseline"]).save(), None);
        let refused =
            |args: &[&str]| Flags::read(std::iter::once(&"bench").chain(args)).unwrap_err().to_string();
        for args in [&["--plotting-backend", "gnuplot"][..], &["--plotting-backend=plotters"]] {
            let error = refused(args);
            assert!(error.contains("plimsoll draws its charts itself"), "{error}");
        }
        assert!(refused(&["--profile-time", "0"]).contains("longer than 0"));
        let error = refused(&["--discard-baseline", "--save-baseline", "x"]);
        assert!(error.contains("--discard-baseline cannot be used with --save-baseline"), "{error}");
    }

    #[test]
    fn a_profiler_needs_no_flags_of_judging() {
        let built = plan(Service::command("shop"), false);
        for args in [
            &["--fail-on", "inconclusive"][..],
            &["--baseline", "x"],
            &["--save-baseline", "x"],
            &["--quick"],
        ] {
            let found = without_effect(&[args, &["--profile-time", "1"]].concat(), &built);
            assert_eq!(found.as_deref(), Some(args[0]));
        }
        let duet =
            ["--profile-time", "1", "--base-ref", "main", "--alone", "--service-arg", "x", "--seed", "2"];
        assert_eq!(without_effect(&duet, &built), None);
        for output in ["--verbose", "--quiet", "--noplot"] {
            assert_eq!(without_effect(&["--profile-time", "1", output], &built), None, "it is only output");
        }
    }

    #[test]
    fn service_arguments_may_look_like_flags() {
        let flags = parsed(&["--service-arg=--slowdown=0.5", "--service-arg", "--port=1"]);
        assert_eq!(flags.service_arg, ["--slowdown=0.5", "--port=1"]);
    }

    #[test]
    fn an_unknown_placeholder_in_an_argument_of_a_service_is_refused() {
        for flag in ["--service-arg=--at={Port}", "--base-arg=--at={Port}"] {
            let error = Flags::read(["bench", flag]).unwrap_err().to_string();
            assert!(error.contains("`{Port}` is not a placeholder of a service"), "{error}");
        }
        assert_eq!(parsed(&["--service-arg={port}{{x}}"]).service_arg, ["{port}{{x}}"]);
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        for args in [
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
    fn a_name_as_base_is_refused_with_the_flags_that_take_names() {
        let error = Flags::read(["bench", "--base", "main"]).unwrap_err().to_string();
        assert!(error.contains("--base-ref main") && error.contains("--baseline main"), "{error}");
        assert!(parsed(&["--base", "last"]).duet.base.is_some());
    }

    #[test]
    fn invalid_values_are_refused() {
        for args in
            [["--measurement-time", "NaN"], ["--sample-size", "-1"], ["--fail-on", "x"], ["--runs", "x"]]
        {
            assert!(Flags::read(std::iter::once(&"bench").chain(&args)).is_err(), "{args:?}");
        }
    }

    /// A plan of one group with this service, and base of its own if it is a duet.
    fn plan(service: impl Into<Service>, is_duet: bool) -> Plan {
        let mut group = Group::new("g", Location::unknown());
        group.base = is_duet.then(|| Service::url("http://h/"));
        group.service = service.into();
        Plan { groups: vec![group], ..Plan::default() }
    }

    fn without_effect(args: &[&str], plan: &Plan) -> Option<String> {
        let error = parsed(&[args, &["--bench"]].concat()).check_effects(plan, false).err();
        error.map(|error| error.to_string().split(' ').next().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_flag_that_changes_nothing_is_refused() {
        let (built, url) = (plan(Service::command("shop"), false), plan(Service::url("http://h/"), false));
        for (args, expected) in [
            (&["--alone"][..], "--alone"),
            (&["--confirm", "none"], "--confirm"),
            (&["--confirm-pairs", "5"], "--confirm-pairs"),
            (&["--base-build", "make"], "--base-build"),
            (&["--base-copy", ".env"], "--base-copy"),
        ] {
            assert_eq!(without_effect(args, &url).as_deref(), Some(expected), "there is no base");
            assert_eq!(without_effect(args, &built), None, "stored runs may screen");
            let recorded = [args, &["--save-baseline", "main"]].concat();
            assert_eq!(without_effect(&recorded, &built).as_deref(), Some(expected), "nothing is confirmed");
            let compared = [&recorded[..], &["--baseline", "other"]].concat();
            assert_eq!(without_effect(&compared, &built), None);
        }
        let beside_others = parsed(&["--alone", "--bench"]).check_effects(&url, true);
        assert!(beside_others.is_ok(), "another bench target may need it");
        let mut filtered = plan(Service::url("http://h/"), false);
        filtered.groups.clear();
        assert_eq!(without_effect(&["--alone"], &filtered), None, "the filter leaves no cell here");
        for base in [["--base-url", "http://h/"], ["--base", "last"], ["--base-command", "x"]] {
            assert_eq!(without_effect(&[&base[..], &["--alone"]].concat(), &built), None);
            let built = without_effect(&[&base[..], &["--base-build", "make"]].concat(), &built);
            assert_eq!(built.as_deref(), Some("--base-build"), "{base:?}");
        }
        for base in [["--base-ref", "main"], ["--base", "baseline"]] {
            assert_eq!(without_effect(&[&base[..], &["--base-build", "make"]].concat(), &built), None);
        }
        assert_eq!(without_effect(&["--alone"], &plan(Service::url("http://h/"), true)), None);
        let gate = ["--fail-on", "inconclusive", "--save-baseline", "main"];
        assert_eq!(without_effect(&gate, &url).as_deref(), Some("--fail-on"));
        assert_eq!(without_effect(&[&gate[..], &["--baseline", "other"]].concat(), &url), None);
        assert_eq!(without_effect(&[&gate[..], &["--append"]].concat(), &url), None);
        let pairs = ["--base-url", "http://h/", "--confirm", "none", "--confirm-pairs", "5"];
        assert_eq!(without_effect(&pairs, &url).as_deref(), Some("--confirm-pairs"));
        for more in LIVE.iter().filter(|id| !["quick", "alone"].contains(id)) {
            let value = match *more {
                "confirm" => "none",
                "confirm_pairs" | "runs" | "seed" | "sample_size" | "launches" => "5",
                _ => "5s",
            };
            let args = ["--load-baseline", "main", &flag(more), value];
            assert_eq!(without_effect(&args, &built).as_deref(), Some(&*flag(more)));
        }
    }

    #[test]
    fn without_a_measurement_nothing_is_compared_or_stored() {
        let built = plan(Service::command("shop"), false);
        for mode in ["--test", "--list"] {
            for args in [
                &["--base-ref", "main"][..],
                &["--base-command", "x"],
                &["--baseline", "x"],
                &["--save-baseline", "x"],
                &["--append"],
                &["--fail-on", "incomparable"],
                &["--noise-threshold", "0.1"],
                &["--max-time", "5s"],
            ] {
                let found = without_effect(&[args, &[mode]].concat(), &built);
                assert_eq!(found.as_deref(), Some(args[0]), "{mode}");
            }
            let harmless = ["--quick", "--service-arg", "x", "--noplot", "--quiet", mode];
            assert_eq!(without_effect(&harmless, &built), None);
        }
        assert!(parsed(&["--base-ref", "main"]).check_effects(&built, false).is_err(), "without --bench");
    }

    /// Parses `args` as if each of `variables` were set. A test cannot set a variable: `PATH` stands for all of them.
    fn overruled(variables: &[&'static str], args: &[&str]) -> Result<Vec<&'static str>, ErrorKind> {
        let ids: BTreeSet<&str> =
            CONTRADICTIONS.into_iter().chain(NEEDS).flat_map(|(one, other)| [one, other]).collect();
        let arg = |id: &'static str| {
            let arg = Arg::new(id).long(&*id.replace('_', "-").leak()).action(ArgAction::Set);
            if variables.contains(&id) { arg.env("PATH") } else { arg }
        };
        let mut command = Command::new("bench").args(ids.into_iter().map(arg));
        let args = std::iter::once("bench").chain(args.iter().copied());
        let matches = command.try_get_matches_from_mut(args).unwrap();
        let overruled = overruled_variables(&matches, &mut command).map_err(|error| error.kind())?;
        Ok(overruled.into_iter().collect())
    }

    #[test]
    fn a_flag_overrules_every_variable_that_contradicts_it() {
        assert_eq!(overruled(&["base_url"], &["--base-ref=a"]), Ok(vec!["base_url"]));
        // The two variables contradict each other as well, but neither counts.
        let both = overruled(&["base_url", "base_command"], &["--base-ref=a"]);
        assert_eq!(both, Ok(vec!["base_command", "base_url"]));
        assert_eq!(overruled(&["baseline"], &["--base-ref=a"]), Ok(vec!["baseline"]));
        assert_eq!(overruled(&["base_ref"], &["--quiet=1"]), Ok(vec![]));
    }

    #[test]
    fn two_flags_or_two_variables_are_refused() {
        let conflict = Err(ErrorKind::ArgumentConflict);
        assert_eq!(overruled(&[], &["--base-ref=a", "--base-url=b"]), conflict);
        for base in ["--base-ref=a", "--base-command=a", "--base-url=a"] {
            assert_eq!(overruled(&[], &["--baseline=main", base]), conflict, "{base}");
        }
        assert_eq!(overruled(&["base_ref", "base_command"], &[]), conflict);
        assert_eq!(overruled(&["base_ref"], &["--base-url=a", "--base-command=b"]), conflict);
    }

    #[test]
    fn a_flag_that_needs_another_one_is_refused_alone_but_a_variable_is_not() {
        assert_eq!(overruled(&[], &["--base-arg=a"]), Err(ErrorKind::MissingRequiredArgument));
        assert_eq!(overruled(&[], &["--base-arg=a", "--base-ref=b"]), Ok(vec![]));
        assert_eq!(overruled(&["base_ref"], &["--base-arg=a"]), Ok(vec![]));
        assert_eq!(overruled(&["base_arg"], &[]), Ok(vec![]));
        let overruled = overruled(&["base_ref"], &["--base-arg=a", "--base-url=b"]);
        assert_eq!(overruled, Err(ErrorKind::MissingRequiredArgument));
    }
}
