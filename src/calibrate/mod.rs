//! How often is the gate wrong? Simulated calls with a known truth pass through [`judge`](crate::judge), the code that decides about
//! real calls, and the wrong verdicts are counted.
//!
//! [`calibrate`] takes an effort and a seed and returns a [`Calibration`]: how often an unchanged call had a regressed cell, how
//! often a slower cell was found and at what cost, how often a displayed interval held the true change, and whether the promises
//! hold.

mod simulate;
mod world;

use crate::calibrate::simulate::{CallCounts, Proportion, call, pools};
use crate::calibrate::world::{
    ALL_DISTURBANCES, Case, Change, DUET, FIVE_STORED, QUIET_MACHINE, Rng, SCENARIOS, SCREENED, Scenario,
    WORLDS, cases,
};
use crate::parallel;

/// The largest share of calls with a false alarm.
const MAX_FALSE_ALARMS: f64 = 0.01;
/// The smallest share of displayed intervals that hold the true change.
const MIN_COVERAGE: f64 = 0.93;
/// The smallest share of calls in which a duet finds a change, in the scenario with all disturbances.
const MIN_FOUND: [(Change, f64); 2] = [(Change::Slower(5), 0.95), (Change::SlowerTail(15), 0.80)];
/// The smallest share of calls in which stored runs that screen find a slowdown of 10% in one cell, on a quiet machine.
const MIN_FOUND_BY_STORED_RUNS: f64 = 0.95;
/// The largest share of unchanged calls there that measure a cell again.
const MAX_CANDIDATES: f64 = 1.0 / 3.0;
/// Rounds of such a call divided by the rounds of its screening.
const MAX_COST: f64 = 1.3;
/// Stored runs are promised to give no false alarms up to this sd of runs.
const MAX_SD_OF_RUNS: f64 = 0.02;
/// One-sided error of each of the few hundred checks. CI must not fail by chance.
const ERROR: f64 = 1e-4;
const CONFIDENCE: f64 = 0.95;
const NOT_COUNTED: &str = "–";

/// The number of simulated calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Calls without a change, for each scenario and setup.
    unchanged_calls: usize,
    /// Calls with each change.
    changed_calls: usize,
    /// Calls with each change that is promised to be found.
    promised_calls: usize,
    /// Calls with each change, for each machine whose stored runs are tried.
    world_calls: usize,
    /// Rounds to draw from, for each kind of requests.
    pool_rounds: usize,
}

impl Effort {
    /// Two minutes on two cores.
    pub const QUICK: Self = Self {
        unchanged_calls: 80,
        changed_calls: 16,
        promised_calls: 160,
        world_calls: 16,
        pool_rounds: 2_000,
    };
    /// Half an hour on two cores.
    pub const THOROUGH: Self = Self {
        unchanged_calls: 1_000,
        changed_calls: 150,
        promised_calls: 1_000,
        world_calls: 1_000,
        pool_rounds: 5_000,
    };

    fn calls(self, case: &Case) -> usize {
        match case.change {
            Change::None => self.unchanged_calls,
            _ if is_power_promised(case) || is_world_promised(case) => self.promised_calls,
            _ if case.scenario.is_world() => self.world_calls,
            _ => self.changed_calls,
        }
    }
}

/// What was counted of all scenarios.
#[derive(Debug)]
pub struct Calibration {
    seed: u64,
    effort: Effort,
    counted: Vec<(Case, CallCounts)>,
}

/// Simulates, judges and counts. The result depends on the effort and the seed, and not on the number of cores.
pub fn calibrate(effort: Effort, seed: u64) -> Calibration {
    study(&[SCENARIOS, WORLDS].concat(), effort, seed)
}

fn study(scenarios: &[Scenario], effort: Effort, seed: u64) -> Calibration {
    let pools = pools(scenarios, effort.pool_rounds, seed);
    let cases = cases(scenarios).into_iter().enumerate().collect();
    let counted = parallel::map(cases, parallel::cores(), |(place, case)| {
        let mut counts = CallCounts::default();
        for number in 0..effort.calls(&case) {
            counts.count(&case, &call(&case, &pools, &mut Rng::of_call(seed, place, number)));
        }
        (case, counts)
    });
    Calibration { seed, effort, counted }
}

/// Whether the power of a duet is promised for this case.
fn is_power_promised(case: &Case) -> bool {
    let is_promised = MIN_FOUND.iter().any(|(change, _)| *change == case.change);
    is_promised && case.scenario.name == ALL_DISTURBANCES.name && case.setup == DUET
}

/// Whether stored runs that screen are promised to find the change.
fn is_world_promised(case: &Case) -> bool {
    case.scenario.name == QUIET_MACHINE.name && case.setup == SCREENED && case.change == Change::Slower(10)
}

/// Whether few false alarms and good coverage are promised: in all duets, against five stored runs only if runs do not differ too much.
fn is_promised(case: &Case) -> bool {
    const ROUNDING: f64 = 1e-9;
    let is_steady = case.scenario.sd_of_runs() <= MAX_SD_OF_RUNS + ROUNDING && !case.scenario.is_world();
    case.setup.is_duet() || (case.setup == FIVE_STORED && is_steady)
}

/// `96.7 [92.4, 98.9]`: percent with a 95% confidence interval.
fn with_interval(counted: Proportion) -> String {
    let Some(share) = counted.share() else { return NOT_COUNTED.to_owned() };
    let tail = 0.5 * (1.0 - CONFIDENCE);
    let [share, low, high] =
        [share, counted.lower_limit(tail), counted.upper_limit(tail)].map(|share| 100.0 * share);
    format!("{share:.1} [{low:.1}, {high:.1}]")
}

fn percent(share: Option<f64>) -> String {
    share.map_or(NOT_COUNTED.to_owned(), |share| format!("{:.1}", 100.0 * share))
}

/// One promise and what was found. It holds unless the counts show at the level [`ERROR`] that it is broken.
struct Promise {
    what: String,
    bound: String,
    found: String,
    holds: bool,
}

impl Promise {
    fn at_most(most: f64, what: String, counted: Proportion) -> Self {
        let is_broken = counted.lower_limit(ERROR) > most;
        Self::of_share(what, format!("at most {:.0}%", 100.0 * most), counted, is_broken)
    }

    fn at_least(least: f64, what: String, counted: Proportion) -> Self {
        let is_broken = counted.upper_limit(ERROR) < least;
        Self::of_share(what, format!("at least {:.0}%", 100.0 * least), counted, is_broken)
    }

    /// Nothing counted is a broken promise.
    fn of_share(what: String, bound: String, counted: Proportion, is_broken: bool) -> Self {
        let found = format!("{} of {}: {}", counted.hits, counted.trials, with_interval(counted));
        Self { what, bound, found, holds: counted.trials > 0 && !is_broken }
    }

    /// False alarms and coverage.
    fn of_counts(of: &str, counts: &CallCounts) -> Vec<Self> {
        let what = format!("{of}: calls with a false alarm");
        let mut promises = vec![Self::at_most(MAX_FALSE_ALARMS, what, counts.false_alarms)];
        promises.extend(counts.coverage.iter().map(|(metric, counted)| {
            let what = format!("{of}: 95% intervals of {metric} that hold the true change");
            Self::at_least(MIN_COVERAGE, what, *counted)
        }));
        promises
    }

    fn line(&self) -> Vec<String> {
        let Self { what, bound, found, holds } = self;
        let holds = if *holds { "yes" } else { "**no**" };
        [what, bound, found, holds].map(str::to_owned).to_vec()
    }
}

impl Calibration {
    /// Whether the counts show that a promise is broken.
    pub fn is_broken(&self) -> bool {
        self.totals().iter().chain(&self.of_cases()).any(|promise| !promise.holds)
    }

    /// The promises over all cases of a kind, where small failures of many cases add up, and the promised power.
    fn totals(&self) -> Vec<Promise> {
        let mut promises = Vec::new();
        let stored = format!("five stored runs, sd of runs up to {:.0}%", 100.0 * MAX_SD_OF_RUNS);
        for (of, is_duet) in [("all duets", true), (&stored, false)] {
            let mut sum = CallCounts::default();
            let is_wanted = |case: &Case| is_promised(case) && case.setup.is_duet() == is_duet;
            let wanted = self.counted.iter().filter(|(case, _)| is_wanted(case));
            wanted.for_each(|(_, counts)| sum.add(counts));
            promises.extend(Promise::of_counts(of, &sum));
        }
        promises.extend(self.of_worlds());
        for (change, least) in MIN_FOUND {
            let is_wanted = |case: &Case| is_power_promised(case) && case.change == change;
            let counts = self.counted.iter().find(|(case, _)| is_wanted(case));
            let counts = counts.map(|(_, counts)| counts.clone()).unwrap_or_default();
            let of = Case { scenario: ALL_DISTURBANCES, setup: DUET, change }.name();
            let what = format!("{of}: calls that name the slower cell");
            promises.push(Promise::at_least(least, what, counts.found));
            promises.push(Promise {
                what: format!("{of}: rounds of a call, divided by the rounds of its screening"),
                bound: format!("at most {MAX_COST}"),
                found: format!("{:.2}", counts.cost()),
                holds: counts.cost() <= MAX_COST,
            });
        }
        promises
    }

    /// The promises of stored runs that screen.
    fn of_worlds(&self) -> Vec<Promise> {
        let mut sum = CallCounts::default();
        let worlds = self.counted.iter().filter(|(case, _)| case.scenario.is_world());
        worlds.for_each(|(_, counts)| sum.add(counts));
        let quiet = |change: Change| {
            let is_wanted = |case: &Case| {
                case.scenario.name == QUIET_MACHINE.name && case.setup == SCREENED && case.change == change
            };
            let counts = self.counted.iter().find(|(case, _)| is_wanted(case));
            counts.map(|(_, counts)| counts.clone()).unwrap_or_default()
        };
        let of = Case { scenario: QUIET_MACHINE, setup: SCREENED, change: Change::Slower(10) }.name();
        let alarms = "all machines of stored runs: calls with a false alarm".to_owned();
        let again =
            "stored runs that screen on a quiet machine: unchanged calls that measure again".to_owned();
        let found = format!("{of}: calls that name the slower cell");
        vec![
            Promise::at_most(MAX_FALSE_ALARMS, alarms, sum.false_alarms),
            Promise::at_most(MAX_CANDIDATES, again, quiet(Change::None).candidates),
            Promise::at_least(MIN_FOUND_BY_STORED_RUNS, found, quiet(Change::Slower(10)).found),
        ]
    }

    /// The promises for each case.
    fn of_cases(&self) -> Vec<Promise> {
        let promised = self.counted.iter().filter(|(case, _)| is_promised(case));
        let of_cases = promised.flat_map(|(case, counts)| Promise::of_counts(&case.name(), counts));
        let worlds = self
            .counted
            .iter()
            .filter(|(case, counts)| case.scenario.is_world() && counts.false_alarms.trials > 0);
        let of_worlds = worlds.map(|(case, counts)| {
            let what = format!("{}: calls with a false alarm", case.name());
            Promise::at_most(MAX_FALSE_ALARMS, what, counts.false_alarms)
        });
        of_cases.chain(of_worlds).collect()
    }

    /// Markdown: the promises with what was found, and a table of all scenarios.
    pub fn text(&self) -> String {
        let Self { seed, effort, .. } = self;
        let flag = if *effort == Effort::THOROUGH { " --thorough" } else { "" };
        let line = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<String>>();
        let mut promises = vec![line(&["promise", "bound", "result", "holds"])];
        promises.extend(self.totals().iter().map(Promise::line));
        promises.extend(self.of_cases().iter().filter(|promise| !promise.holds).map(Promise::line));
        format!(
            "# How often the gate is wrong\n\n\
            Generated by `plimsoll calibrate{flag} --seed {seed}`, plimsoll {}.\n\n\
            Each scenario is simulated {} times without a change, and {} times with each change in one cell ({} times if a promise\n\
            covers that change). A *call* is one bench command with all its cells. It has 30 cells with p50, a tail percentile and throughput, unless the name of\n\
            the scenario says otherwise. *5 × 6* means five launches of six rounds; confirmations use launches of one pair. A *false\n\
            alarm* is a call in which an unchanged cell regressed. Results are shares in percent with 95% confidence intervals, or ratios. Displayed\n\
            intervals have 1,000 resamples.\n\n\
            ## Promises\n\n\
            A promise holds unless the counts show, with an error of 1 in 10,000, that it is broken. The same promises for\n\
            each single scenario are listed only if they are broken.\n\n{}\n\
            ## All scenarios\n\n\
            - *False alarms* in unchanged calls; *elsewhere*: in calls in which another cell is slower.\n\
            - *Coverage*: displayed 95% intervals of the first measurement that hold the true change, for the metric where fewest do.\n\
            - *Confirmed*: the same for the intervals of confirmations. Their number of pairs depends on what they show.\n\
            - *Finds*: calls that name the slower cell. *+5%* makes all its latencies 5% longer.\n\
            - *Cost*: rounds of a call divided by the rounds of its first measurement, without a change and at most.\n\n{}\n\
            ## Stored runs on machines that change\n\n\
            Five stored runs of five sittings, or of five machines with one name; {} calls with each change. *Screen*: their candidates\n\
            are measured again next to the first tree, and only these pairs decide. *Alone*: the stored runs decide. All shares but the first are of\n\
            the calls that are judged.\n\n\
            - *Judged*: a stored run has a control within 5% of today's, and today's is certain enough.\n\
            - *Measured again*: unchanged calls in which a cell looked slower.\n\
            - *False alarms* in unchanged calls; *finds*: one cell slower, or all.\n\n{}",
            env!("CARGO_PKG_VERSION"),
            effort.unchanged_calls,
            effort.changed_calls,
            effort.promised_calls,
            aligned(&promises),
            aligned(&self.scenario_table()),
            effort.world_calls,
            aligned(&self.world_table()),
        )
    }

    fn scenario_table(&self) -> Vec<Vec<String>> {
        let changes = [2, 5, 10, 20].map(Change::Slower).into_iter().chain([Change::SlowerTail(15)]);
        let mut head: Vec<String> =
            ["scenario", "setup", "false alarms", "elsewhere", "coverage", "confirmed"]
                .map(str::to_owned)
                .to_vec();
        head.extend(changes.clone().map(|change| format!("finds {}", change.name())));
        head.push("cost".to_owned());
        let line = |row: &[(Case, CallCounts)]| {
            let (Case { scenario, setup, .. }, unchanged) = &row[0];
            let shares = unchanged.coverage.values().filter_map(|counted| counted.share());
            let lowest_coverage = shares.min_by(f64::total_cmp);
            let (mut elsewhere, mut confirmed) = (Proportion::default(), unchanged.confirmation_coverage);
            for (_, counts) in &row[1..] {
                elsewhere.add(counts.false_alarms);
                confirmed.add(counts.confirmation_coverage);
            }
            let mut line = vec![
                scenario.name.to_owned(),
                setup.name(),
                with_interval(unchanged.false_alarms),
                with_interval(elsewhere),
                percent(lowest_coverage),
                percent(confirmed.share()),
            ];
            line.extend(changes.clone().map(|change| {
                let counts = row.iter().find(|(case, _)| case.change == change);
                with_interval(counts.map(|(_, counts)| counts.found).unwrap_or_default())
            }));
            let most = row.iter().map(|(_, counts)| counts.cost()).fold(0.0, f64::max);
            line.push(format!("{:.2} to {most:.2}", unchanged.cost()));
            line
        };
        let counted: Vec<_> =
            self.counted.iter().filter(|(case, _)| !case.scenario.is_world()).cloned().collect();
        let rows = counted.chunk_by(|(_, _), (case, _)| case.change != Change::None);
        std::iter::once(head).chain(rows.map(line)).collect()
    }
}

impl Calibration {
    fn world_table(&self) -> Vec<Vec<String>> {
        let head = ["machine", "setup", "judged", "measured again", "false alarms", "cost"];
        let mut head: Vec<String> = head.map(str::to_owned).to_vec();
        let worlds: Vec<_> =
            self.counted.iter().filter(|(case, _)| case.scenario.is_world()).cloned().collect();
        let rows: Vec<_> = worlds.chunk_by(|(_, _), (case, _)| case.change != Change::None).collect();
        let changed = rows.first().into_iter().flat_map(|row| &row[1..]);
        head.extend(changed.map(|(case, _)| format!("finds {}", case.change.name())));
        let line = |row: &[(Case, CallCounts)]| {
            let (Case { scenario, setup, .. }, unchanged) = &row[0];
            let mut judged = Proportion::default();
            row.iter().for_each(|(_, counts)| judged.add(counts.judged));
            let again =
                if setup.confirms { percent(unchanged.candidates.share()) } else { NOT_COUNTED.to_owned() };
            let mut line = vec![
                scenario.name.to_owned(),
                if setup.confirms { "screen" } else { "alone" }.to_owned(),
                percent(judged.share()),
                again,
                with_interval(unchanged.false_alarms),
                format!("{:.2}", unchanged.cost()),
            ];
            line.extend(row[1..].iter().map(|(_, counts)| percent(counts.found.share())));
            line
        };
        std::iter::once(head).chain(rows.into_iter().map(line)).collect()
    }
}

/// A Markdown table with columns of equal width. The first line is its header.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            text += &format!("| {cell:width$} ");
        }
        text += "|\n";
        if index == 0 {
            widths.iter().for_each(|width| text += &format!("|{}", "-".repeat(width + 2)));
            text += "|\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{CellJudgement, Comparison, Judgement};

    const TINY: Effort =
        Effort { unchanged_calls: 2, changed_calls: 1, promised_calls: 1, world_calls: 1, pool_rounds: 40 };

    /// All scenarios with at most two cells.
    fn small() -> Vec<Scenario> {
        SCENARIOS.iter().map(|scenario| Scenario { cells: scenario.cells.min(2), ..*scenario }).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_result_and_another_seed_another() {
        let result = |seed| study(&small()[14..16], TINY, seed).text().replace(&format!("--seed {seed}"), "");
        let first = result(1);
        assert_eq!(first, result(1));
        assert_ne!(first, result(2));
    }

    #[test]
    fn each_scenario_is_counted_in_each_of_its_setups() {
        let found = study(&small(), TINY, 3);
        assert_eq!(found.counted.len(), cases(SCENARIOS).len());
        for (case, counts) in &found.counted {
            let (name, is_unchanged) = (case.name(), case.change == Change::None);
            let [unchanged, changed] = if is_unchanged { [2, 0] } else { [0, 1] };
            assert_eq!(counts.false_alarms.trials, unchanged + changed, "{name}");
            assert_eq!(counts.found.trials, changed, "{name}");
            assert_eq!(counts.coverage.len(), if is_unchanged { 3 } else { 0 }, "{name}");
            let intervals = unchanged * case.scenario.cells as u64;
            assert!(counts.coverage.values().all(|counted| counted.trials == intervals), "{name}");
            assert!(counts.cost() >= 1.0, "{name}");
        }
        assert_eq!(found.scenario_table().len(), 1 + found.counted.len() / 5);
    }

    #[test]
    fn the_document_shows_each_promise() {
        let document = include_str!("../../CALIBRATION.md");
        for Promise { what, bound, .. } in study(&small(), TINY, 1).totals() {
            let is_shown = document.lines().any(|line| line.contains(&what) && line.contains(&bound));
            assert!(is_shown, "{what}, {bound}: run plimsoll calibrate and update CALIBRATION.md");
        }
    }

    /// Counts that keep each promise: without a change, with +5% and with a slower tail, in a duet, and against stored runs.
    fn kept() -> Vec<(Case, CallCounts)> {
        let case = |setup, change| Case { scenario: ALL_DISTURBANCES, setup, change };
        let unchanged = CallCounts {
            false_alarms: Proportion { hits: 9, trials: 1_000 },
            coverage: [("latency_p50", Proportion { hits: 9_500, trials: 10_000 })].into(),
            ..CallCounts::default()
        };
        let changed = |hits| CallCounts {
            found: Proportion { hits, trials: 200 },
            false_alarms: Proportion { hits: 0, trials: 200 },
            rounds: 12,
            first_rounds: 10,
            ..CallCounts::default()
        };
        let quiet = |change| Case { scenario: QUIET_MACHINE, setup: SCREENED, change };
        let candidates = Proportion { hits: 300, trials: 1_000 };
        vec![
            (case(DUET, Change::None), unchanged.clone()),
            (case(DUET, Change::Slower(5)), changed(198)),
            (case(DUET, Change::SlowerTail(15)), changed(170)),
            (case(FIVE_STORED, Change::None), unchanged.clone()),
            (quiet(Change::None), CallCounts { candidates, ..unchanged }),
            (quiet(Change::Slower(10)), changed(197)),
        ]
    }

    fn number_broken(counted: Vec<(Case, CallCounts)>) -> usize {
        let calibration = Calibration { seed: 1, effort: TINY, counted };
        let promises = calibration.totals().into_iter().chain(calibration.of_cases());
        let number = promises.filter(|promise| !promise.holds).count();
        assert_eq!(calibration.is_broken(), number > 0);
        number
    }

    #[test]
    fn a_promise_is_broken_only_if_the_counts_show_it() {
        let with = |case: usize, change: fn(&mut CallCounts)| {
            let mut counted = kept();
            change(&mut counted[case].1);
            number_broken(counted)
        };
        assert_eq!(with(0, |_| {}), 0);
        // Each count belongs to its case and to the total of all duets.
        assert_eq!(with(0, |counts| counts.false_alarms.hits = 15), 0, "may be chance");
        assert_eq!(with(0, |counts| counts.false_alarms.hits = 60), 2);
        assert_eq!(with(0, |counts| counts.coverage.values_mut().for_each(|held| held.hits = 8_800)), 2);
        assert_eq!(with(1, |counts| counts.false_alarms.hits = 40), 2);
        assert_eq!(with(1, |counts| counts.found.hits = 187), 0, "may be chance");
        assert_eq!(with(2, |counts| counts.found.hits = 100), 1);
        assert_eq!(with(1, |counts| counts.rounds = 15), 1);
        assert_eq!(with(3, |counts| counts.false_alarms.hits = 60), 2);
        assert_eq!(with(4, |counts| counts.candidates.hits = 420), 1);
        assert_eq!(with(4, |counts| counts.false_alarms.hits = 60), 2);
        assert_eq!(with(5, |counts| counts.found.hits = 160), 1);
    }

    #[test]
    fn a_promise_that_was_not_simulated_is_broken() {
        // False alarms of duets and against stored runs, and both changes that a duet finds.
        assert_eq!(number_broken(Vec::new()), 7);
        let mut without_tail = kept();
        without_tail.remove(2);
        assert_eq!(number_broken(without_tail), 1);
    }

    #[test]
    fn small_failures_of_many_cases_add_up() {
        let with_wrong = |number: usize| {
            let mut wrong = kept()[0].clone();
            wrong.1.false_alarms = Proportion { hits: 4, trials: 100 };
            kept().into_iter().chain(std::iter::repeat_n(wrong, number)).collect()
        };
        assert_eq!(number_broken(with_wrong(1)), 0);
        assert_eq!(number_broken(with_wrong(20)), 1, "80 of 2,000, and 9 of 1,200");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let line = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let table = aligned(&[line(["a", "bb"]), line(["ccc", "±"])]);
        assert_eq!(table, "| a   | bb |\n|-----|----|\n| ccc | ±  |\n");
    }

    /// One line per judged comparison.
    fn lines(prefix: &str, judgement: &Judgement) -> String {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.11e}"));
        let comparisons = |cell: &CellJudgement| {
            let judged = cell.comparisons.iter().filter(|comparison| comparison.judged);
            let line = |found: &Comparison| {
                let ends = found.change.map(|change| [change.estimate, change.low, change.high]);
                let numbers = ends.map_or([None; 3], |ends| ends.map(Some));
                let numbers = numbers.into_iter().chain([Some(found.p_adjusted), found.detectable]);
                let numbers: Vec<String> = numbers.map(number).collect();
                let (metric, verdict) = (found.metric.id, found.verdict.name());
                format!("{prefix}|{}|{metric}|{verdict}|{}\n", cell.id, numbers.join("|"))
            };
            format!("{prefix}|{}|cell|{}\n", cell.id, cell.verdict.name())
                + &judged.map(line).collect::<String>()
        };
        judgement.cells.iter().map(comparisons).collect()
    }

    #[test]
    #[ignore = "writes the file PLIMSOLL_FREEZE, or if it exists compares with it"]
    fn simulated_calls_are_decided_as_before() {
        const CALLS: usize = 3;
        let path = std::env::var_os("PLIMSOLL_FREEZE").expect("PLIMSOLL_FREEZE is the file");
        let pools = pools(SCENARIOS, 300, 1);
        let cases = cases(SCENARIOS).into_iter().enumerate().collect();
        let text = parallel::map(cases, parallel::cores(), |(place, case)| {
            let line = |number| {
                let call = call(&case, &pools, &mut Rng::of_call(1, place, number));
                let (scenario, setup, change) = (case.scenario.name, case.setup.name(), case.change.name());
                lines(&format!("{scenario}|{setup}|{change}|{number}"), &call.judgement)
            };
            (0..CALLS).map(line).collect::<String>()
        });
        match std::fs::read_to_string(&path) {
            Ok(before) => {
                let after = text.concat();
                before.lines().zip(after.lines()).for_each(|(one, other)| assert_eq!(one, other));
                assert_eq!(before.len(), after.len());
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::write(path, text.concat()).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
}
