//! Every sentence of a report. `judge` and `record` hold data; here it becomes English. The same reason reads the same in the
//! terminal, on the page and in charts.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::judge::{
    Advice, Candidate, CellJudgement, Comparison, ControlCheck, Counted, Figure, Judgement, LimitCheck,
    LimitOutcome, Method, Note, OtherTestBed, Reason, Stage, TooFew, Verdict,
};
use crate::plan::{Against, CellId, Settings, Side, metric, whole_seconds};
use crate::record::{
    BaseRef, Better, Clock, Condition, Environment, Fault, Kept, LatencyHistogram, Remedy, Round, Run, Stop,
    TestBed, Unit,
};
use crate::report::model::{Cell, Report, ReportOptions, Row, by_key, unique};
use crate::report::number::{
    change_of, change_range, change_with_interval, count, duration_ns, elapsed, percent, percent_number,
    plural, setting, share, significance, value,
};
use crate::stats::interval::Method as IntervalMethod;
use crate::stats::series::Pattern;

/// The first words of a report if nothing was compared.
pub(crate) const NOT_COMPARED: &str = "NOT COMPARED";
/// The last line in CI of a call that compared nothing.
pub(crate) const OPEN_GATE: &str = "nothing was compared, therefore this check passes whatever the change does. In a pull request, \
     `--base-ref origin/main...HEAD` compares with the commit where the branch began. On machines of your own, record a baseline \
     with `--test-bed NAME` and pass the same name here";
/// What is told when `plimsoll load` sends a body without saying what it is.
pub(crate) const NO_CONTENT_TYPE: &str = "note: the body is sent without a Content-Type header, and some services refuse that: set it with -T, as in \
     -T application/json";
/// What is told when runs are stored whose files no commit has.
pub(crate) const NOT_COMMITTED: &str = "No commit has the files that were measured. Commit them with the baseline; otherwise a later slowdown cannot be \
     measured again.";
/// What is told of a baseline whose first files no commit has.
pub(crate) const NO_COMMIT: &str = "no commit has the files of the baseline's first run, so cells that look slower cannot be measured again, and only the \
     stored runs decide. If this is a shallow clone, fetch its history; otherwise commit and record a new baseline";
/// What is told if duets are compared with each other.
pub(crate) const ONLY_HEADS: &str =
    "The files hold duets. Head is compared with head, and their bases are ignored.";
/// The latency percentiles that charts show, with their names there.
pub(crate) const LATENCIES: [(&str, &str); 4] = [
    (metric::LATENCY_P50, "p50"),
    (metric::LATENCY_P90, "p90"),
    (metric::LATENCY_P95, "p95"),
    (metric::LATENCY_P99, "p99"),
];

/// The p value of a comparison, and in which stage of a duet it was found; `None` if its interval alone decided.
pub(crate) fn evidence(comparison: &Comparison, level: f64) -> Option<String> {
    match comparison.stage {
        _ if comparison.verdict == Verdict::Unchanged => None,
        Stage::Whole => significance(comparison.p_adjusted, level),
        Stage::Screened if comparison.p_adjusted < 0.0001 => Some("screening p < 0.0001".to_owned()),
        Stage::Screened => Some(format!("screening p = {:.4}", comparison.p_adjusted)),
        Stage::Confirmed { analysis, analyses, .. } => {
            let p = significance(comparison.p_adjusted, level)?;
            Some(format!("{p}, analysis {analysis} of {analyses}"))
        }
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// That fresh pairs decided a comparison.
pub(crate) fn decided_by(pairs: usize) -> String {
    let pairs = plural(pairs as u64, "fresh pair");
    format!("decided by {pairs} of base and head; the values above are from these pairs only")
}

/// The first few ids, and how many more there are: `a, b, c and 2 more`.
pub(crate) fn named(ids: &[impl ToString]) -> String {
    const MOST_NAMED: usize = 3;
    let names: Vec<String> = ids.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let names = names.join(", ");
    match ids.len().saturating_sub(MOST_NAMED) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// The clock that timed the responses. The kernel did not stamp `unstamped` of them.
pub(crate) fn timed_by(clock: Clock, unstamped: u64) -> String {
    match clock {
        Clock::Kernel => "timed by the kernel".to_owned(),
        Clock::Mixed => {
            format!("timed by the kernel, but {} by this process", plural(unstamped, "response"))
        }
        Clock::User => "timed by this process".to_owned(),
    }
}

/// The load of a cell and its rounds: `closed(5), 30 rounds in 15 launches, then 60 fresh pairs`.
pub(crate) fn extent(cell: &Cell) -> String {
    format!("{}, {}", cell.last().load, rounds_in_launches(cell))
}

fn rounds_in_launches(cell: &Cell) -> String {
    let rounds: usize = cell.runs.iter().map(|run| run.rounds.len()).sum();
    let (rounds, launches) = (plural(rounds as u64, "round"), plural(cell.launches() as u64, "launch"));
    let fresh = match cell.fresh_pairs {
        0 => String::new(),
        pairs => format!(", then {}", plural(pairs as u64, "fresh pair")),
    };
    format!("{rounds} in {launches}{fresh}")
}

/// What a cell is compared with; empty if with nothing.
pub(crate) fn compared_with(cell: &Cell) -> String {
    let stored = cell.judged.comparisons.iter().find_map(|found| match found.screened_by()? {
        Method::StoredRuns { base, .. } => Some(plural(base as u64, "stored run")),
        _ => None,
    });
    match stored {
        _ if cell.is_duet() => "base, alternately".to_owned(),
        Some(runs) if cell.fresh_pairs > 0 => format!("{runs}, then the first tree, alternately"),
        Some(runs) => runs,
        None => String::new(),
    }
}

/// Responses by status, then the failures without one.
pub(crate) fn responses(cell: &Cell) -> String {
    let counts = cell.counts();
    let status = |(status, number): (&u16, &u64)| {
        let is_fault = counts.faults.contains_key(&Fault::Status(*status));
        format!("{status}{}: {}", if is_fault { " (unexpected)" } else { "" }, count(*number))
    };
    let others = counts.faults.iter().filter(|(fault, _)| !matches!(fault, Fault::Status(_)));
    let others = others.map(|(fault, number)| format!("{}: {}", fault.in_words(), count(*number)));
    counts.statuses.iter().map(status).chain(others).collect::<Vec<_>>().join(", ")
}

/// The median of all successes of a cell whose rounds are too short for one each; empty for other cells.
pub(crate) fn median_of_all(cell: &Cell) -> String {
    if cell.row(metric::LATENCY_P50).is_some_and(|row| row.value(Side::Head).is_some()) {
        return String::new();
    }
    let median = median_ns(cell.runs.iter().flat_map(|run| &run.rounds));
    let median = median.map(|ns| format!("p50 {} over all rounds together", duration_ns(ns)));
    median.unwrap_or_default()
}

/// The same in nanoseconds, of any rounds; `None` without a success.
pub(crate) fn median_ns<'a>(rounds: impl IntoIterator<Item = &'a Round>) -> Option<f64> {
    let mut all = LatencyHistogram::new();
    rounds.into_iter().for_each(|round| round.latency.add_to(&mut all));
    all.quantile_ns(0.5)
}

/// The client of a cell: its lag, the clock that timed the responses, reconnects, dropped connections and slow sends.
pub(crate) fn client(cell: &Cell) -> String {
    let counts = cell.counts();
    let lag = cell.row(metric::LAG).and_then(|row| row.value(Side::Head));
    let mut parts: Vec<String> =
        lag.iter().map(|lag| format!("lag p99 {}", duration_ns(lag.value))).collect();
    if counts.statuses.values().any(|&responses| responses > 0) {
        parts.push(format!("responses {}", timed_by(counts.clock(), counts.unstamped)));
    }
    if counts.reconnects > 0 {
        parts.push(plural(counts.reconnects, "reconnect"));
    }
    if counts.excess > 0 {
        parts.push(excess(counts.excess));
    }
    if counts.slow_sends > 0 {
        parts.push(sent_slowly(counts.slow_sends));
    }
    parts.join(", ")
}

/// Connections that were dropped because of bytes that belong to no response.
pub(crate) fn excess(connections: u64) -> String {
    let dropped = plural(connections, "connection");
    format!(
        "{dropped} dropped: bytes came that belong to no response, such as a body after a 204 or a second response"
    )
}

pub(crate) fn sent_slowly(requests: u64) -> String {
    format!("{} took longer than 1 ms to send: latency may be too high", plural(requests, "request"))
}

/// The detectable change of each judged metric of a cell: `latency p50 +17.0%, throughput -14.5%`.
pub(crate) fn detectable_changes(cell: &Cell) -> String {
    let judged = cell.rows().into_iter().filter_map(|row| row.judged());
    let parts = judged.filter_map(|one| Some(format!("{} {}", one.metric.title, detectable_change(one)?)));
    parts.collect::<Vec<_>>().join(", ")
}

/// The detectable change of a comparison, in the metric's own direction, as a number.
pub(crate) fn signed_detectable(found: &Comparison) -> Option<f64> {
    let size = found.detectable.filter(|size| size.is_finite())?;
    Some(if found.metric.better == Better::Lower { size } else { -size })
}

/// The same as text: `-14.5%`.
pub(crate) fn detectable_change(found: &Comparison) -> Option<String> {
    signed_detectable(found).map(|change| change_of(change, found.is_difference()))
}

/// The first words of a cell's conclusion.
pub(crate) fn conclusion(cell: &Cell) -> &'static str {
    match cell.judged.verdict {
        Verdict::Regressed if cell.only_broke_a_limit() => "A limit is broken",
        Verdict::Regressed => "Performance has regressed",
        Verdict::Improved => "Performance has improved",
        Verdict::SeemsFaster => "Seems faster, not confirmed",
        Verdict::Unchanged => "Performance is unchanged",
        Verdict::Inconclusive => "Inconclusive",
        Verdict::Invalid => "Invalid",
        Verdict::Incomparable => "Incomparable",
        Verdict::New => "New",
    }
}

/// A sign for a verdict, for readers who do not see its color.
pub(crate) fn glyph(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regressed => "✗",
        Verdict::Improved => "✓",
        Verdict::SeemsFaster => "~",
        Verdict::Unchanged => "=",
        Verdict::Inconclusive => "?",
        Verdict::Invalid => "!",
        Verdict::Incomparable => "≠",
        Verdict::New => "+",
    }
}

/// A cell's conclusion with its reason.
pub(crate) fn conclusion_with_reason(cell: &Cell) -> String {
    match cell_reason(cell.judged) {
        Some(reason) => format!("{}: {reason}", conclusion(cell)),
        None => format!("{}.", conclusion(cell)),
    }
}

/// A line for each judged metric of a cell, with its values and its verdict.
pub(crate) fn judged_metrics(cell: &Cell) -> String {
    let line = |row: Row| {
        let value = |side: Side| row.value(side).map(|estimate| value(estimate.value, row.metric.unit));
        let base = value(Side::Base).map(|base| format!("{base} -> ")).unwrap_or_default();
        let head = value(Side::Head).unwrap_or_else(|| "no value".to_owned());
        let found = row.judged().map(|found| {
            let change = found.change.map(|change| change_with_interval(change, found.is_difference()));
            format!(
                ", {}{}",
                change.map(|change| format!("{change} ")).unwrap_or_default(),
                found.verdict.name()
            )
        });
        format!("{}: {base}{head}{}\n", row.metric.title, found.unwrap_or_default())
    };
    cell.rows().into_iter().filter(|row| row.is_primary).map(line).collect()
}

/// The reason for a cell's verdict, in a sentence; `None` if it needs none.
pub(crate) fn cell_reason(cell: &CellJudgement) -> Option<String> {
    match cell.reason.as_ref()? {
        Reason::Limit(place) => cell.limits.get(*place).map(limit),
        Reason::Comparison(metric) => {
            let found = cell.comparisons.iter().find(|comparison| comparison.metric == *metric)?;
            comparison(found)
        }
        other => Some(reason(other)),
    }
}

/// The result of a comparison, in a sentence that agrees with its numbers.
fn comparison(found: &Comparison) -> Option<String> {
    let title = found.metric.title;
    let Some(change) = found.change else {
        return Some(format!("{title}: {}", reason(found.reason.as_ref()?)));
    };
    let estimate = change.estimate;
    let doubt = match &found.reason {
        Some(reason) if found.verdict == Verdict::Inconclusive => format!(", {}", doubt(reason, found)),
        _ => String::new(),
    };
    if found.is_difference() {
        let moved = if estimate < 0.0 { "fell" } else { "rose" };
        let (base, head) = (share(found.base?), share(found.head?));
        return Some(format!("The {title} {moved} from {base} to {head}{doubt}."));
    }
    let direction = if estimate < 0.0 { "lower" } else { "higher" };
    let interval = change_range(change, false);
    Some(format!("{title} is {} {direction} (interval {interval}){doubt}.", percent(estimate)))
}

/// The reason why a change is not decided, as the end of a sentence.
fn doubt(reason: &Reason, found: &Comparison) -> String {
    match reason {
        Reason::NotSignificant => {
            let over = match found.stage {
                Stage::Confirmed { .. } => "all candidates and interim analyses",
                Stage::Whole | Stage::Screened => "all tests of the run",
            };
            format!("{}: p = {:.4}, corrected over {over}", self::reason(reason), found.p_adjusted)
        }
        Reason::NotShown if found.is_difference() => "which may be chance".to_owned(),
        Reason::NearThreshold if !found.is_difference() => {
            format!("{} of {}", self::reason(reason), setting(found.margin))
        }
        other => self::reason(other),
    }
}

/// A reason in a sentence, or, if it is about a change, as the end of one.
pub(crate) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Recorded(why) => why.clone(),
        Reason::NoRounds => "No round was measured.".to_owned(),
        Reason::NoRequests => "No request was sent inside a round.".to_owned(),
        Reason::NoFreePort(connections) => format!(
            "This machine had no free port left for {}. Widen the local port range \
             (net.ipv4.ip_local_port_range) or lower the concurrency.",
            plural(*connections, "connection")
        ),
        Reason::ClientErrors(requests) => format!(
            "{} failed because of an error on the client machine, for example too few file descriptors.",
            plural(*requests, "request")
        ),
        Reason::TooManyFailures { side, ratio, min } => {
            let whose = if *side == Side::Base { "base's requests" } else { "requests" };
            // Rounded down, so that it does not read as enough.
            let ratio = share((ratio * 1e4).floor() / 1e4);
            let required = share(*min);
            format!(
                "Only {ratio} of {whose} succeeded (at least {required} required), so latency was not compared. If failures \
                 are expected here, lower the limit with `group.min_success_ratio(…)`."
            )
        }
        Reason::NoBaseline => "There is no baseline yet.".to_owned(),
        Reason::NotInBaseline => "The baseline does not have this cell.".to_owned(),
        Reason::BaseFailed(what) => {
            format!("Base cannot answer this request ({what}), so only head was measured.")
        }
        Reason::StoredFailures(min) => {
            format!("Fewer than {} of the stored requests succeeded. Record a new baseline.", share(*min))
        }
        Reason::Redefined => {
            "The request of the cell, its transport (https, HTTP/2, a proxy), its load or the arguments of its service changed after \
             it was stored. Record a new baseline."
                .to_owned()
        }
        Reason::MachineChanged(difference) => format!(
            "The machine has changed since the run was stored ({difference}). Compare by --base-ref, or record a new baseline."
        ),
        Reason::NothingToCompare => "There was nothing to compare.".to_owned(),
        Reason::NoValue => "It has no value in any round.".to_owned(),
        Reason::ClientBound(lag) => format!(
            "The client was the bottleneck: it took {lag:.1} times as long to send the next request as the service \
             took to respond. The measured rate is the client's, not the service's."
        ),
        Reason::TooFewSuccesses { side, successes, needed } => format!(
            "Too few successes: a round of {} has only {} (at least {} needed).",
            side,
            plural(*successes, "success"),
            count(*needed)
        ),
        Reason::MissingValues(side) => format!("Some rounds of {} have no value for it.", side),
        Reason::OtherWindow => {
            "The stored rounds have another length, and tail latency depends on it. Measure with the same --quick, --sample-size and \
             --measurement-time as for the baseline."
                .to_owned()
        }
        Reason::AllZero => "All values are zero.".to_owned(),
        Reason::SomeZero => "Some values are zero, and zero has no ratio.".to_owned(),
        Reason::SuccessRatioFell => {
            "but more requests failed, so it does not count as an improvement".to_owned()
        }
        Reason::ResponseSize => {
            "but the responses have another size, so it does not count as an improvement".to_owned()
        }
        Reason::ScreeningOnly => "which the screening alone does not decide".to_owned(),
        Reason::NotSignificant => "which is not significant".to_owned(),
        Reason::NearThreshold => "which may be within the noise threshold".to_owned(),
        Reason::NotShown => "which is too wide to tell whether it changed".to_owned(),
        Reason::TooFew(TooFew::Sittings(sittings)) => format!(
            "but the baseline has runs of only {} (3 are needed: record on {})",
            plural(*sittings as u64, "sitting"),
            if *sittings == 2 { "one more day" } else { "two more days" }
        ),
        Reason::TooFew(TooFew::Machines(machines)) => format!(
            "but several machines share the name of this test bed, and the baseline has runs of only {machines} of them (3 are needed)"
        ),
        Reason::NoControl => "This run has no control and cannot be compared with stored runs: measure again without a base.".to_owned(),
        Reason::StoredWithoutControl => {
            "The stored run has no control. Record a new baseline."
                .to_owned()
        }
        Reason::NoisyControl => {
            "This machine is too noisy for stored runs: its control is uncertain by more than 5%. Compare by --base-ref.".to_owned()
        }
        Reason::OtherControl { from, to } => {
            format!("The run was stored with another control ({from}, now {to}). Record a new baseline.")
        }
        Reason::ControlDiffers => {
            "The machine does not behave as it did when the run was stored: the control differs by more than 5%. Compare by --base-ref, or record a new baseline."
                .to_owned()
        }
        // They only say where the reason is.
        Reason::Comparison(_) | Reason::Limit(_) => String::new(),
    }
}

/// The outcome of a limit, in a sentence.
pub(crate) fn limit(check: &LimitCheck) -> String {
    format!("{}.", found_of_limit(check))
}

/// The same within a sentence.
fn found_of_limit(check: &LimitCheck) -> String {
    let (title, unit) = (check.metric.title, check.metric.unit);
    let most = value(check.limit, unit);
    let Some(found) = &check.value else {
        let would_do = check.remedy.map(|found| format!("; use {}", remedy(found))).unwrap_or_default();
        return format!(
            "{title} has no value to compare with its limit of {most}: each round needs {}{would_do}",
            plural(check.metric.promised_from(), "success")
        );
    };
    let found = value(found.value, unit);
    match check.outcome {
        LimitOutcome::Broken => format!("{title} is {found}, above its limit of {most}"),
        LimitOutcome::Holds => format!("{title} is {found}, within its limit of {most}"),
        LimitOutcome::Undecided => {
            format!("{title} is {found}, which does not show on which side of its limit of {most} it is")
        }
    }
}

/// Advice for an inconclusive comparison.
pub(crate) fn advice(advice: &Advice) -> String {
    format!("needs: {}", needed(advice))
}

/// What an inconclusive comparison needs.
fn needed(advice: &Advice) -> String {
    match advice {
        Advice::MoreSuccesses { remedy: found, record_again } => {
            let again = if *record_again { ", and a newly recorded baseline" } else { "" };
            format!("{}{again}", remedy(*found))
        }
        Advice::AboveZero(found) => format!("{}, so that no round has the value zero", remedy(*found)),
        Advice::FreeClient => "a CPU reserved for the client, or a lower concurrency".to_owned(),
        Advice::RobustTail => ROBUST_TAIL.to_owned(),
        Advice::SeveralLaunches => {
            "several launches (let plimsoll start the service); more rounds of one launch do not help"
                .to_owned()
        }
        Advice::MoreLaunches { launches, measurement_time } => format!(
            "{launches} launches with one pair of rounds each (--sample-size {launches} --launches {launches} --measurement-time {})",
            whole_seconds(*measurement_time)
        ),
        Advice::NoDrift => {
            "a speed that stays the same during the measurement: base and head drifted apart, and more launches do not help".to_owned()
        }
        Advice::QuieterMachine => "a quieter machine; pairs of rounds differ too much on this one".to_owned(),
        Advice::OtherDays => "stored runs of other days, or a duet (--base-ref)".to_owned(),
        Advice::Duet => "a duet (--base-ref)".to_owned(),
        Advice::MeasureAgain => "fresh pairs, which were not measured".to_owned(),
    }
}

/// The launches or rounds that a tail needs. With fewer, bursts of other work move its center.
const ROBUST_TAIL: &str = "ten launches, or three rounds in each launch";

fn remedy(remedy: Remedy) -> String {
    match remedy {
        Remedy::MeasurementTime(Some(time)) => format!("--measurement-time {}", whole_seconds(time)),
        Remedy::MeasurementTime(None) => "a longer --measurement-time".to_owned(),
        Remedy::Burst(Some(requests)) => format!("a burst of {} requests", count(requests)),
        Remedy::Burst(None) => "a larger burst".to_owned(),
        Remedy::RefuseFewer => "a larger burst, or a higher rate limit in the service".to_owned(),
    }
}

const ALLOWANCE: &str = ", with an allowance for launch effects";

/// The method of an interval: `bootstrap-t over 10 launches`.
pub(crate) fn method(method: &Method) -> String {
    // `8`, or `3.4` if they are not whole.
    let degrees = |df: f64| (10.0 * df).round() / 10.0;
    match *method {
        Method::Launches(interval) => interval_method(interval, "launch"),
        Method::Runs(interval) => interval_method(interval, "run"),
        Method::Pairs { launches, pairs, widened } => {
            let pairs = plural(pairs as u64, "pair");
            let found = match launches {
                Some(interval) => format!("{}, {pairs} in all", interval_method(interval, "launch")),
                None => format!("t over {pairs} of one launch{ALLOWANCE}"),
            };
            let widened = match widened {
                None => "",
                Some(Pattern::Drift { .. }) => ", widened because of a drift",
                Some(Pattern::Autocorrelation { .. }) => ", widened because successive ones are alike",
                Some(Pattern::TwoGroups { .. }) => ", widened because they form two groups",
            };
            format!("{found}{widened}")
        }
        Method::Resolution { launches, pairs } => format!(
            "t over {}, {} in all, limited by the resolution of the measurement",
            plural(launches as u64, "launch"),
            plural(pairs as u64, "pair")
        ),
        Method::StoredRuns { head, base, df, is_one_launch, is_widened } => format!(
            "t over {} and {}, {} degrees of freedom{}{}",
            plural(head as u64, "head run"),
            plural(base as u64, "stored run"),
            degrees(df),
            if is_one_launch { ALLOWANCE } else { "" },
            if is_widened { ", widened because of the order of launches" } else { "" }
        ),
        Method::Head { runs, launches, df } => {
            let samples =
                if runs == 1 { plural(launches as u64, "launch") } else { plural(runs as u64, "run") };
            let allowance = if launches == 1 { ALLOWANCE } else { "" };
            format!("t over {samples}, {} degrees of freedom{allowance}", degrees(df))
        }
        Method::Counts { head, base, has_allowance } => {
            let samples = |side: Counted| match side {
                Counted::Launches(launches) => plural(launches as u64, "launch"),
                Counted::Runs(runs) => plural(runs as u64, "run"),
            };
            let allowance = if has_allowance { ALLOWANCE } else { "" };
            format!("counts of {} in head and {} in base{allowance}", samples(head), samples(base))
        }
    }
}

fn interval_method(method: IntervalMethod, noun: &str) -> String {
    let (name, values) = match method {
        IntervalMethod::BootstrapT { values } => ("bootstrap-t", values),
        IntervalMethod::StudentT { values } => ("t", values),
        IntervalMethod::TrimmedT { values } => ("trimmed t", values),
        IntervalMethod::NoSpread { values } => ("no spread", values),
        IntervalMethod::OneValue => return format!("one {noun}, whose spread is unknown"),
    };
    format!("{name} over {}", plural(values as u64, noun))
}

/// The load before a call, and the most that others took of the machine in any of its runs; `None` if that is not known.
pub(crate) fn machine_load(runs: &[Run]) -> Option<String> {
    let known = runs.iter().filter_map(|run| run.environment.condition.as_ref());
    let Condition { others_share, stolen_share, throttled_share, .. } = Condition::worst(known);
    let mut parts = vec![format!("load average {:.2} at the start", runs.first()?.environment.load)];
    let others = others_share.map(|share| format!("other processes used {} of the CPUs", percent(share)));
    let stolen = stolen_share.map(|share| format!("{} stolen by the hypervisor", percent(share)));
    let throttled =
        throttled_share.map(|share| format!("CPU limit reached in {} of the periods", percent(share)));
    parts.extend([others, stolen, throttled].into_iter().flatten());
    (parts.len() > 1).then(|| parts.join(", "))
}

/// A note on a cell, or on the baseline.
pub(crate) fn note(note: &Note) -> String {
    let stored = |count: usize| plural(count as u64, "stored run");
    match note {
        Note::Recorded(note) => note.clone(),
        Note::UnknownMetric(id) => format!("There is no metric `{id}` to judge."),
        Note::RunLeftOut(why) => format!("One run is left out. {}", reason(why)),
        Note::StoredRunsLeftOut { count, reason: why } => {
            format!("Left out: {}. {}", stored(*count), reason(why))
        }
        Note::OtherTestBed(count) => {
            format!("Left out, because measured on another test bed: {}.", stored(*count))
        }
        Note::ResponseSize { base, head } => {
            let [from, to] = [*base, *head].map(|bytes| value(bytes, Unit::Bytes));
            format!(
                "The responses became {} (from {from} to {to} on average). While they differ by more than 10%, a faster cell is \
                 not called improved.",
                resized(*base, *head)
            )
        }
        Note::ShownOnly(metric) => {
            format!("{} is shown but not judged: a tail percentile needs {ROBUST_TAIL}.", metric.title)
        }
        Note::OneStoredRun => {
            "The baseline has only one run, so the variation between runs is assumed. Record runs on other days."
                .to_owned()
        }
        Note::OneSitting { runs, within } => format!(
            "The {} were taken within {}. They are one sitting and do not show how much results differ from day to day.",
            stored(*runs),
            plural(within.as_secs().div_ceil(60).max(1), "minute")
        ),
        Note::SeveralMachines => {
            "The stored runs come from several machines with the name of this test bed.".to_owned()
        }
        Note::SetupChanged { fact, from, to } => {
            format!("Since the baseline the {fact} has changed from {} to {}.", list(from), list(to))
        }
    }
}

/// How much shorter or longer responses became: `10 times shorter`, `25.0% longer`.
fn resized(base: f64, head: f64) -> String {
    let direction = if head < base { "shorter" } else { "longer" };
    let factor = (base / head).max(head / base);
    match factor {
        _ if head == 0.0 => "empty".to_owned(),
        _ if !factor.is_finite() => direction.to_owned(),
        _ if factor < 2.0 => format!("{} {direction}", percent(head / base - 1.0)),
        _ if factor < 9.95 => format!("{factor:.1} times {direction}"),
        _ => format!("{} times {direction}", count(factor.round() as u64)),
    }
}

/// The notes on the whole call. `shared` are the notes that several cells have.
pub(crate) fn call_notes(report: &Report, shared: &[(Note, Vec<&CellId>)]) -> Vec<String> {
    let Report { runs, judgement, .. } = report;
    let mut notes: Vec<String> = runs.iter().filter_map(|run| run.stop.as_ref()).map(stop).collect();
    let screened = looked_slower(report);
    let base = runs.first().and_then(|run| run.base_ref.as_ref());
    // Of a tree that decides about candidates there is nothing to tell without a screening.
    let base = base.filter(|base| base.epoch.is_none() || screened.is_some());
    notes.extend(screened.filter(|_| base.is_none_or(|base| !base.same_trees)));
    notes.extend(base.map(base_notes).unwrap_or_default());
    notes.extend(shared.iter().map(|(one, cells)| match cells.len() {
        all if all == judgement.cells.len() => format!("All {all} cells: {}", note(one)),
        some => format!("{some} cells ({}): {}", named(cells), note(one)),
    }));
    notes.extend(judgement.notes.iter().map(note));
    if !judgement.removed.is_empty() {
        let removed: Vec<String> = judgement.removed.iter().map(ToString::to_string).collect();
        notes.push(format!(
            "Removed or renamed since the baseline: {}. If that is intended, record a new baseline.",
            list(&removed)
        ));
    }
    notes
}

/// How many cells looked slower than the stored runs, and how many of them are; `None` if stored runs did not only screen.
fn looked_slower(report: &Report) -> Option<String> {
    let judgement = report.judgement;
    let is_ranked = |cell: &&CellJudgement| {
        cell.comparisons.iter().any(|found| {
            found.stage != Stage::Whole && matches!(found.screened_by(), Some(Method::StoredRuns { .. }))
        })
    };
    let ranked: Vec<&CellJudgement> = judgement.cells.iter().filter(is_ranked).collect();
    if ranked.is_empty() {
        return None;
    }
    let own = |cell: &CellJudgement| {
        judgement
            .candidates
            .iter()
            .filter(|candidate| candidate.slower && candidate.cell == cell.id)
            .collect()
    };
    let candidates: Vec<Vec<&Candidate>> = ranked.iter().map(|cell| own(cell)).collect();
    let slower = candidates.iter().filter(|own| !own.is_empty()).count();
    let again = candidates.iter().filter(|own| own.iter().any(|candidate| candidate.analysis > 0)).count();
    let is_confirmed = |cell: &&&CellJudgement| cell.verdict == Verdict::Regressed && !own(cell).is_empty();
    let confirmed = ranked.iter().filter(is_confirmed).count();
    let cells = plural(ranked.len() as u64, "cell");
    Some(match (slower, again) {
        (0, _) => format!("None of {cells} looked slower than the stored runs."),
        (_, 0) => {
            format!("{slower} of {cells} looked slower than the stored runs; nothing was measured again.")
        }
        _ => format!(
            "{slower} of {cells} looked slower than the stored runs. {again} of them measured again next to the first tree (the code of the baseline's first run), {confirmed} confirmed."
        ),
    })
}

fn stop(stop: &Stop) -> String {
    match stop {
        Stop::Signal(number) => format!("Signal {number} ended the measurement early."),
        Stop::TimeUp => "The time limit ended the measurement early.".to_owned(),
        Stop::Failed(why) => format!("The measurement failed before it was complete: {why}"),
    }
}

/// The tests that p values were corrected over; `None` if there were not several.
pub(crate) fn correction(report: &Report) -> Option<String> {
    match report.judgement.tests {
        _ if report.judgement.compared_nothing() => None,
        _ if report.screened_cells() > 0 => {
            Some("p values of fresh pairs are corrected for all candidates and interim analyses".to_owned())
        }
        0 | 1 => None,
        tests => Some(format!("p values are corrected for {tests} tests; intervals are not")),
    }
}

impl Report<'_> {
    /// The sentence for the whole call, which begins by saying so if nothing was compared.
    pub(crate) fn headline(&self) -> String {
        match self.judgement.compared_nothing() && self.options.nothing_measured.is_none() {
            true => format!("{NOT_COMPARED}. {}", self.sentence()),
            false => self.sentence(),
        }
    }

    /// The sentence for the whole call. If nothing regressed, it says how small a regression could have been found.
    pub(crate) fn sentence(&self) -> String {
        let Self { judgement, options, .. } = self;
        let is_partial = self.runs.iter().any(|run| run.stop.is_some());
        let early = if is_partial { " The measurement ended early." } else { "" };
        let cells = judgement.cells.len();
        let said = if cells == 0 {
            options
                .nothing_measured
                .as_ref()
                .map_or("Nothing was measured.".to_owned(), |(why, _)| why.clone())
        } else if judgement.count(Verdict::New) == cells {
            match options {
                _ if self.is_duet() => "Base cannot answer any of these cells, so all are new.".to_owned(),
                ReportOptions { records: true, baseline, .. } => {
                    format!("There was no baseline `{baseline}` yet.")
                }
                _ if judgement.cells.iter().all(|cell| cell.reason == Some(Reason::NotInBaseline)) => {
                    format!(
                        "The baseline `{}` has none of these cells. Add them with `--append`.",
                        options.baseline
                    )
                }
                _ => {
                    let name = &options.baseline;
                    format!("There is no baseline `{name}` yet.{}", to_record("To record one", options))
                }
            }
        } else if let Some(other) = judgement.other_test_bed.as_ref().filter(|_| judgement.compared_nothing())
        {
            elsewhere(other, options)
        } else if judgement.compared_nothing()
            && let Some(control) = judgement.control.as_ref().filter(|control| control.matching == 0)
        {
            not_as_then(control, options)
        } else {
            counted(self)
        };
        format!("{said}{early}")
    }
}

/// The number of cells with each verdict, and the detectable slow-down.
fn counted(report: &Report) -> String {
    let Report { judgement, options, .. } = report;
    let cells = judgement.cells.len();
    let mut by_verdict = by_key(judgement.cells.iter().map(|cell| (cell.verdict, &cell.id)));
    by_verdict.sort_by_key(|(verdict, _)| Reverse(*verdict));
    let part = |(verdict, ids): (Verdict, Vec<&CellId>)| {
        // If all cells have one verdict, their names say nothing more.
        let is_named = cells == 1 || ids.len() < cells;
        let names = match verdict {
            Verdict::Inconclusive | Verdict::Unchanged => String::new(),
            _ if is_named => format!(" ({})", named(&ids)),
            _ => String::new(),
        };
        format!("{} {}{names}", ids.len(), verdict.name())
    };
    let mut parts: Vec<String> = by_verdict.into_iter().map(part).collect();
    if !judgement.removed.is_empty() {
        parts.push(format!("{} removed ({})", judgement.removed.len(), named(&judgement.removed)));
    }
    if let Some(lead) = worst(report) {
        parts.remove(0);
        let others =
            if parts.is_empty() { String::new() } else { format!(" The others: {}.", parts.join(", ")) };
        return format!("{lead}.{others}");
    }
    let detectable = match judgement.open_candidates(false).len() {
        0 => detectable(judgement),
        open => Some(format!(
            "Not decided: {} looked slower, and not all fresh pairs that would decide were measured.",
            plural(open as u64, "cell")
        )),
    };
    let detectable = detectable.map(|found| format!(" {found}")).unwrap_or_default();
    let remedy =
        if stored_runs_find_little(judgement) { format!(" {}", in_a_duet(options)) } else { String::new() };
    format!("{}: {}.{detectable}{remedy}", plural(cells as u64, "cell"), parts.join(", "))
}

/// The number of cells that regressed, and the worst of them with its change: `2 of 36 cells regressed; worst: orders/place/20, latency
/// p99 +12.3% [+9.8, +14.9]`. `None` if none regressed.
fn worst(report: &Report) -> Option<String> {
    let cell = report.worst_first().into_iter().find(|cell| cell.judged.verdict == Verdict::Regressed)?;
    let (id, all) = (&cell.judged.id, plural(report.judgement.cells.len() as u64, "cell"));
    let lead = match report.judgement.count(Verdict::Regressed) {
        1 => format!("1 of {all} regressed: {id}"),
        regressed => format!("{regressed} of {all} regressed; worst: {id}"),
    };
    let change = cell.decisive().and_then(|found| {
        Some(format!("{} {}", found.metric.title, change_with_interval(found.change?, found.is_difference())))
    });
    let broken = || cell.judged.limits.iter().find(|limit| limit.is_broken()).map(found_of_limit);
    let what = change.or_else(broken);
    Some(what.map_or(lead.clone(), |what| format!("{lead}, {what}")))
}

/// Whether stored runs of a call without a regression find only large slowdowns.
fn stored_runs_find_little(judgement: &Judgement) -> bool {
    const LARGE: f64 = 0.2;
    let is_stored = |found: &&Comparison| matches!(found.screened_by(), Some(Method::StoredRuns { .. }));
    let speeds = judgement.cells.iter().flat_map(|cell| &cell.comparisons).filter(|found| found.judged);
    let mut open = speeds.filter(is_stored).filter(|found| !matches!(found.stage, Stage::Confirmed { .. }));
    judgement.count(Verdict::Regressed) == 0
        && open.any(|found| slow_down(found).is_none_or(|size| size > LARGE))
}

/// How to find smaller slowdowns than stored runs do.
fn in_a_duet(options: &ReportOptions) -> String {
    let command = options.duet_command.as_deref().unwrap_or("--base-ref COMMIT");
    format!("Stored runs can miss a slowdown of 20% here; `{command}` finds smaller ones.")
}

/// The smallest slow-down that a call without a regression could have found, from its most to its least sensitive judged
/// comparison. All are given as more time: half the throughput is a slow-down of 100%. The success ratio falls by points and is
/// therefore in each cell's block only.
fn detectable(judgement: &Judgement) -> Option<String> {
    if judgement.compared_nothing() || judgement.count(Verdict::Regressed) > 0 {
        return None;
    }
    let comparisons = judgement.cells.iter().flat_map(|cell| &cell.comparisons);
    let speeds = comparisons.filter(|found| found.judged && !found.is_difference());
    let sizes: Vec<Option<f64>> = speeds.map(slow_down).collect();
    let known: Vec<f64> = sizes.iter().copied().flatten().collect();
    let (Some(least), Some(most)) =
        (known.iter().copied().reduce(f64::min), known.iter().copied().reduce(f64::max))
    else {
        let what = "No regression was found, but no comparison could have detected a slowdown.";
        return (!sizes.is_empty()).then(|| what.to_owned());
    };
    // A service that takes eleven times as long is no longer a question of percent.
    const MOST: f64 = 10.0;
    let [low, high] = [least, most].map(percent_number);
    let range = if least > MOST {
        format!("more than {}", percent(MOST))
    } else if most > MOST {
        format!("{low}% to more than {}", percent(MOST))
    } else if low == high {
        format!("{low}%")
    } else {
        format!("{low} to {high}%")
    };
    let blind = match sizes.len() - known.len() {
        0 => String::new(),
        blind => format!("; {blind} of {} comparisons could not have detected any slowdown", sizes.len()),
    };
    Some(format!(
        "No regression was found. The smallest slowdown that would have been detected: {range}{blind}."
    ))
}

/// The detectable change of a comparison as more time; `None` if it has no bound.
fn slow_down(found: &Comparison) -> Option<f64> {
    let worsening = found.detectable?;
    let size = match found.metric.better {
        Better::Lower => worsening,
        Better::Higher => (1.0 - worsening).recip() - 1.0,
    };
    (size.is_finite() && size >= 0.0).then_some(size)
}

/// The control's figures today and in the stored runs, and how many of these match.
pub(crate) fn control(check: &ControlCheck) -> String {
    let per_second = |log: f64| count(log.exp().round() as u64);
    let figure = |figure: &Figure| {
        let stored = figure.stored.map(|(low, high)| match [low, high].map(per_second) {
            [low, high] if low == high => format!(", stored {low}/s"),
            [low, high] => format!(", stored {low} to {high}/s"),
        });
        let stored = stored.unwrap_or_default();
        format!("{} {}/s (±{}{stored})", figure.name, per_second(figure.log), percent(figure.uncertainty))
    };
    let figures: Vec<String> = check.figures.iter().map(figure).collect();
    let stored = plural(check.stored as u64, "stored run");
    format!("{}; {} of {stored} match", figures.join(", "), check.matching)
}

/// That this machine does not behave as it did when the runs were stored, and what to do.
fn not_as_then(control: &ControlCheck, options: &ReportOptions) -> String {
    let why = control.mismatch.as_ref().map(reason).unwrap_or_default();
    let next = match &options.duet_command {
        _ if options.records => " This run is stored anyway.".to_owned(),
        Some(command) => format!(" To compare anyway: `{command}`."),
        None => to_record("To record a new baseline", options),
    };
    format!("No stored run of the baseline `{}` can be compared. {why}{next}", options.baseline)
}

/// That stored runs were measured on another machine, and which command compares on this one.
fn elsewhere(other: &OtherTestBed, options: &ReportOptions) -> String {
    let id = |test_bed: &TestBed| test_bed.id.clone().unwrap_or_else(|| "unknown".to_owned());
    let next = match &options.duet_command {
        _ if options.records => {
            " This run is stored for this test bed, and the runs of others are kept.".to_owned()
        }
        Some(command) => format!(" To compare on this machine: `{command}`."),
        None => to_record("To record one on this machine", options),
    };
    format!(
        "The baseline `{}` was measured on another test bed ({}; this machine is {}).{next}",
        options.baseline,
        id(&other.base),
        id(&other.here)
    )
}

/// How to record a baseline, as a further sentence; empty if files are compared with each other.
fn to_record(purpose: &str, options: &ReportOptions) -> String {
    options.record_command.as_ref().map(|command| format!(" {purpose}: `{command}`.")).unwrap_or_default()
}

/// The number of cells and comparisons in both stages of a duet.
pub(crate) fn stages(report: &Report) -> String {
    let cells = plural(report.screened_cells() as u64, "cell");
    let candidates = &report.judgement.candidates;
    if candidates.is_empty() {
        return format!("The screening of {cells} found no candidates, so nothing was measured again.");
    }
    let found = plural(candidates.len() as u64, "comparison");
    let again = match candidates.iter().filter(|candidate| candidate.analysis > 0).count() {
        0 => "None of them was measured again, so none is decided.".to_owned(),
        again => format!(
            "Measured again on fresh launches: {again} of {}. Only these fresh pairs decide.",
            candidates.len()
        ),
    };
    format!("The screening of {cells} found {found} that may have changed. {again}")
}

/// Instructions for reading the tables of a page.
pub(crate) fn reading(report: &Report, cell: &Cell) -> [String; 5] {
    let settings = &cell.last().settings;
    let (confidence, level) = (setting(settings.confidence_level), settings.significance_level);
    let tests = match report.screened_cells() {
        0 => format!("the {} tests of the run", report.judgement.tests),
        _ => "all candidates of the screening and all interim analyses, on fresh pairs alone (the p of a screening is not corrected)"
            .to_owned(),
    };
    let base = if report.is_duet() {
        "the old build, measured in the same run"
    } else if report.screened_cells() > 0 {
        "the stored baseline or, in cells decided by fresh pairs, its first tree"
    } else {
        "the stored baseline"
    };
    let [noise, equal] =
        [Settings::noise_threshold, Settings::equivalence_margin].map(|of| margins(report, of));
    let [regressed, improved, unchanged, inconclusive] =
        [Verdict::Regressed, Verdict::Improved, Verdict::Unchanged, Verdict::Inconclusive].map(Verdict::name);
    [
        format!(
            "`base` is {base}, `head` is the new build. Numbers in small print are {confidence} confidence intervals over launches and runs, \
             never over single requests. The intervals of base and head do not include how much runs differ. The interval of the \
             change includes it."
        ),
        "`change` and `detectable` are in the metric's own direction: a latency of +20% and a throughput of -20% are both slower."
            .to_owned(),
        format!(
            "`{regressed}` and `{improved}` need an interval beyond the noise threshold ({noise}) and a p value below {level}, corrected over \
             {tests}. `{unchanged}` needs an interval within the equivalence margin ({equal}); for the success ratio, an estimate of at most \
             0.1 percentage points."
        ),
        format!(
            "`{inconclusive}` means that the data shows neither a change nor that there is none. It does not fail the build unless `--fail-on inconclusive` is given. \
             `detectable` is the smallest change for the worse that would have been found with 80% probability."
        ),
        "Latency and throughput count successful requests only. Failures show in the success ratio, which is judged first.".to_owned(),
    ]
}

/// A margin of all comparisons of speeds: `1%`, or `2% or 5%` if they have several.
fn margins(report: &Report, of: fn(&Settings, Against) -> f64) -> String {
    let of_cell = |cell: &Cell| -> Vec<String> {
        let speeds = cell.judged.comparisons.iter().filter(|found| !found.is_difference());
        let against = speeds.map(|found| match found.stage {
            _ if cell.is_duet() => Against::Base,
            Stage::Confirmed { .. } => Against::FirstTree,
            Stage::Whole | Stage::Screened => Against::StoredRuns,
        });
        against.map(|against| setting(of(&cell.last().settings, against))).collect()
    };
    unique(report.cells().iter().flat_map(of_cell)).join(" or ")
}

/// What a regression or an improvement rests on.
pub(crate) fn how_sure(report: &Report) -> Option<String> {
    let cells = report.cells();
    let settings = &cells.first()?.last().settings;
    let stored = cells.iter().map(compared_with).find(|base| !base.is_empty());
    let base = match stored {
        _ if report.is_duet() => "Rounds of base and head alternated on one machine.".to_owned(),
        Some(base) => format!("Head was compared with {base}, all on one test bed."),
        None => return None,
    };
    let fresh: usize = cells.iter().map(|cell| cell.fresh_pairs).max().unwrap_or(0);
    let again = match fresh {
        0 => String::new(),
        pairs => format!(
            " Cells that looked slower were measured again in up to {}, and only these decided.",
            plural(pairs as u64, "fresh pair")
        ),
    };
    Some(format!(
        "{base}{again} Brackets hold {} confidence intervals. If base and head were the same, at most {} of runs would report a regression.",
        setting(settings.confidence_level),
        setting(settings.significance_level)
    ))
}

/// What a reviewer does about a call that did not pass.
pub(crate) fn what_to_do(report: &Report) -> Vec<String> {
    let cells = report.worst_first();
    let mut lines = Vec::new();
    if let Some(worst) = cells.iter().find(|cell| cell.judged.verdict == Verdict::Regressed) {
        let id = worst.judged.id.to_string();
        let id = shlex::try_quote(&id).unwrap_or_default();
        let again = report.options.again_command.as_ref().filter(|_| !id.is_empty());
        let again =
            again.map(|command| format!(" This measures the worst cell again: `{command} --exact {id}`"));
        lines.push(format!("If the slowdown is not intended, find the cause.{}", again.unwrap_or_default()));
        // Files that are compared with each other are no baseline.
        let is_baseline = report.options.record_command.is_some();
        lines.extend(
            match () {
                () if worst.only_broke_a_limit() => {
                    Some("If it is intended, raise the limit in the bench file.")
                }
                () if report.is_duet() => {
                    Some("If it is intended, merge anyway: later comparisons have the new code as base.")
                }
                () if report.options.accepts || !is_baseline => None,
                () => Some("If it is intended, run `plimsoll accept --reason TEXT` and commit `baselines/`."),
            }
            .map(str::to_owned),
        );
    }
    if cells.iter().any(|cell| cell.judged.verdict == Verdict::Invalid) {
        lines.push("Invalid cells could not be measured properly, so a slowdown of theirs would not show. Fix their requests.".to_owned());
    }
    if cells.iter().any(|cell| cell.judged.verdict == Verdict::Inconclusive) {
        lines.push("Inconclusive cells show neither a change nor that there is none. The page says what would decide each.".to_owned());
    }
    if !report.judgement.removed.is_empty() {
        lines.push(format!(
            "Removed or renamed since the baseline: {}. If that is intended, record a new baseline.",
            named(&report.judgement.removed)
        ));
    }
    lines
}

/// What was compared, and where.
pub(crate) fn compared_sides(report: &Report) -> String {
    let Some(run) = report.runs.last() else { return format!("plimsoll {}", env!("CARGO_PKG_VERSION")) };
    let Environment { machine, commit, dirty, .. } = &run.environment;
    let base = match &run.base_ref {
        Some(base) if report.is_duet() => format!("base {}, ", base.described()),
        _ if report.is_duet() => String::new(),
        _ => format!("baseline `{}`, ", report.options.baseline),
    };
    let changes = if *dirty { " with uncommitted changes" } else { "" };
    let head = commit.as_ref().map(|commit| format!("head {commit}{changes}, ")).unwrap_or_default();
    let rounds =
        report.cells().first().map(|cell| format!("{}, ", rounds_in_launches(cell))).unwrap_or_default();
    let cpus = plural(machine.cpus.into(), "CPU");
    format!(
        "{base}{head}{rounds}{} with {cpus}, plimsoll {}. A cell is one endpoint under one load.",
        machine.cpu,
        env!("CARGO_PKG_VERSION")
    )
}

/// How many cells did not change, by verdict: `34 other cells: 4 inconclusive, 30 unchanged (not listed)`. The unchanged ones are the last.
pub(crate) fn others(cells: &[&Cell], all: usize) -> String {
    let noun = if cells.len() == all { "cell" } else { "other cell" };
    let unlisted =
        if cells.iter().any(|cell| cell.judged.verdict == Verdict::Unchanged) { " (not listed)" } else { "" };
    format!("{}: {}{unlisted}", plural(cells.len() as u64, noun), verdicts(cells))
}

/// The number of cells with each verdict: `30 unchanged, 4 inconclusive`.
pub(crate) fn verdicts(cells: &[&Cell]) -> String {
    let by_verdict = by_key(cells.iter().map(|cell| (cell.judged.verdict, ())));
    let parts: Vec<String> =
        by_verdict.iter().map(|(verdict, of)| format!("{} {}", of.len(), verdict.name())).collect();
    parts.join(", ")
}

/// The other metrics of a cell that changed in the same way as one: `latency p50 +8.0%, throughput -7.4%`. Of a success ratio that fell,
/// the responses come first.
pub(crate) fn also(cell: &Cell, than: &Comparison) -> String {
    let same =
        cell.judged.comparisons.iter().filter(|found| {
            found.judged && found.metric != than.metric && found.verdict == cell.judged.verdict
        });
    let change = |found: &Comparison| {
        Some(format!("{} {}", found.metric.title, change_of(found.change?.estimate, found.is_difference())))
    };
    let responses =
        (than.is_difference() && cell.judged.verdict == Verdict::Regressed).then(|| responses(cell));
    responses.into_iter().chain(same.filter_map(change)).collect::<Vec<_>>().join(", ")
}

/// Warnings to print before the two sides are built.
pub(crate) fn base_warnings(base: &BaseRef) -> Vec<String> {
    let BaseRef { name, merge_bases, lacking, leading_back, .. } = base;
    let commit = base.short_commit();
    let mut warnings = Vec::new();
    if *merge_bases > 1 {
        warnings.push(format!("{name} has {merge_bases} merge bases; base is the first one, {commit}"));
    }
    if base.head_is_merge {
        warnings.push(format!(
            "HEAD is a merge commit, as in a CI checkout of a pull request; base is its parent {commit}"
        ));
    }
    if *lacking > 0 {
        let commits = plural(*lacking as u64, "commit");
        warnings.push(format!(
            "base has {commits} that head lacks; `--base-ref {name}...HEAD` compares with the commit where the branch began"
        ));
    }
    if !leading_back.is_empty() {
        warnings.push(format!(
            "both sides may run files of your working tree, because {} names them by their full path",
            list(leading_back)
        ));
    }
    warnings
}

/// Which cell is loaded for a profiler, and the process of each service if it is known. In a duet it has a side.
pub(crate) fn profiled(cell: &str, time: Duration, processes: &[(Option<Side>, Option<u32>)]) -> String {
    let time = duration_ns(time.as_nanos() as f64);
    let process = |(side, process): &(Option<Side>, Option<u32>)| {
        let side = side.map(|side| format!("{side} is ")).unwrap_or_default();
        match process {
            Some(process) => format!("{side}process {process}"),
            None => format!("{side}a service that plimsoll did not start"),
        }
    };
    let processes: Vec<String> = processes.iter().map(process).collect();
    let each = if processes.len() > 1 { " for each side, in turns" } else { "" };
    format!("Loading {cell} for {time}{each}: {}", list(&processes))
}

/// The whole report of a call in which the two trees are the same.
pub(crate) fn same_trees(base: &BaseRef) -> String {
    format!(
        "Nothing to compare: the working tree is the same as base, {}. Nothing was built or measured.",
        base.described()
    )
}

/// What is told if no other program was measured yet.
pub(crate) const NO_LAST_PROGRAM: &str = "NOT COMPARED: this is the first program that was measured by this bench. It was kept; change the service and run \
     the same command again.";

/// Which kept program is base.
pub(crate) fn last_program(base: &BaseRef) -> String {
    let Some(Kept { age, dirty }) = &base.kept else { return String::new() };
    let changes = if *dirty { " with uncommitted changes" } else { "" };
    let commit =
        if base.commit.is_empty() { String::new() } else { format!(" (commit {}{changes})", base.commit) };
    format!("Base is the program that was measured {} ago{commit}.", elapsed(*age))
}

/// The two sides of a duet by `--base-ref`.
fn base_notes(base: &BaseRef) -> Vec<String> {
    let programs = match base.programs.is_empty() {
        true => String::new(),
        false => format!(" Measured: {}.", list(&base.programs)),
    };
    let described = base.described();
    if base.kept.is_some() {
        return vec![format!("{} Both sides read their files from the working tree.", last_program(base))];
    }
    let mut notes = vec![match &base.epoch {
        Some(_) if base.same_trees => {
            format!(
                "The files are the same as in {described}, so nothing was measured again: if a cell is slower, it is because of \
                 the machine, or of files that git does not have."
            )
        }
        Some(_) if base.programs.is_empty() => {
            format!("Cells that look slower than the stored runs are measured again next to {described}.")
        }
        _ => format!(
            "Base is {described}, head is the working tree. Both were built by the same command.{programs}"
        ),
    }];
    if base.same_programs {
        let more = match base.differing_count.saturating_sub(base.differing.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let differing = base.differing.join(", ");
        let files = match base.differing_count {
            0 => "no file differs".to_owned(),
            1 => format!("one file differs: {differing}"),
            count => format!("{count} files differ: {differing}{more}"),
        };
        notes.push(format!("The programs of base and head are byte-for-byte identical; {files}."));
    }
    if let Some((of_base, of_head)) = &base.toolchains {
        notes.push(format!("Base was built with {of_base}, head with {of_head}."));
    }
    if !base.outside.is_empty() {
        let outside = list(&base.outside);
        notes.push(format!("Both sides use the same packages from outside the repository: {outside}."));
    }
    notes.extend(base_warnings(base).iter().map(|warning| format!("Warning: {warning}.")));
    notes
}

/// The subtitle of a chart: what changed and where, and the verdicts of the others.
pub(crate) fn subtitle(cells: &[&Cell], metrics: &[&str]) -> String {
    const MOST_NAMED: usize = 3;
    let pairs = cells.iter().flat_map(|cell| metrics.iter().map(move |id| (cell, cell.row(id))));
    let judged = pairs.filter_map(|(cell, row)| Some((&cell.judged.id, row?.judged()?)));
    let compared = by_key(judged);
    if compared.is_empty() {
        return "There was nothing to compare with: only head is shown.".to_owned();
    }
    let mut changed = Vec::new();
    let mut others = BTreeSet::new();
    for (id, found) in &compared {
        let news = found.iter().filter(|one| matches!(one.verdict, Verdict::Regressed | Verdict::Improved));
        let news: Vec<String> = news.filter_map(|one| short_change(one)).collect();
        if news.is_empty() {
            others.extend(found.iter().map(|one| one.verdict));
        } else {
            changed.push(format!("{}: {}", id.benchmark, news.join(", ")));
        }
    }
    let others = others.into_iter().map(Verdict::name).collect::<Vec<_>>().join(" or ");
    let base = if cells.iter().all(|cell| cell.is_duet()) { "base" } else { "the baseline" };
    let what = if metrics == [metric::THROUGHPUT] { "throughput" } else { "latency" };
    let text = match (changed.len(), compared.len()) {
        (0, 1) => format!("{}: {what} {others} against {base}.", compared[0].0.benchmark),
        (0, all) => format!("All {all}: {what} {others} against {base}."),
        (some, _) => {
            let more = match some.saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!("; {more} more changed"),
            };
            let rest = if others.is_empty() { String::new() } else { format!("; the others are {others}") };
            format!("{}{more}{rest}.", changed[..some.min(MOST_NAMED)].join("; "))
        }
    };
    match cells.len() - compared.len() {
        0 => text,
        alone => format!("{text} {alone} of {} had nothing to compare with.", cells.len()),
    }
}

fn short_change(found: &Comparison) -> Option<String> {
    let change = change_of(found.change?.estimate, found.is_difference());
    Some(format!("{} {change} {}", found.metric.title, found.verdict.name()))
}

/// The subtitle of the rounds of a cell.
pub(crate) fn rounds_subtitle(cell: &Cell) -> String {
    format!("{}{}", subtitle(&[cell], &LATENCIES.map(|(id, _)| id)), screening_rounds(cell))
}

/// The subtitle of the percentiles of a cell: its p50 and its highest tail on both sides, and what the bands are. `cut` is the
/// share of the rounds that a band leaves out at each end; `None` without a band.
pub(crate) fn percentiles_subtitle(cell: &Cell, cut: Option<f64>) -> String {
    let shown = p50_and_tail(cell).filter_map(|(id, name)| Some((name, cell.of_rounds(id)?)));
    let shown: Vec<_> = shown.collect();
    let head = shown.iter().map(|(name, shown)| format!("{name} {}", duration_ns(shown.head.value)));
    let head = head.collect::<Vec<_>>().join(", ");
    let base: Vec<String> =
        shown.iter().filter_map(|(_, shown)| Some(duration_ns(shown.base?.value))).collect();
    let (base, bands) = match base.is_empty() {
        true => (String::new(), "Band"),
        false => (format!("; base {}", list(&base)), "Bands"),
    };
    let bands = match cut {
        None => String::new(),
        Some(0.0) => format!(" {bands}: from the lowest round to the highest."),
        Some(cut) => format!(" {bands}: the rounds without the lowest and the highest {}.", setting(cut)),
    };
    format!("{head}{base}.{bands}{}", screening_rounds(cell))
}

/// The p50 and the highest tail that a cell has, with their names in charts. Rounds too short for a percentile have a p50 all the same.
pub(crate) fn p50_and_tail(cell: &Cell) -> impl Iterator<Item = (&'static str, &'static str)> {
    let [p50, tails @ ..] = LATENCIES;
    let tail = tails.into_iter().rfind(|(id, _)| cell.of_rounds(id).is_some());
    std::iter::once(p50).chain(tail)
}

/// Below a chart of a cell's rounds if other rounds decided.
fn screening_rounds(cell: &Cell) -> &'static str {
    match cell.rows().iter().any(|row| row.fresh_pairs().is_some()) {
        true => " These are the rounds of the screening; fresh pairs decided.",
        false => "",
    }
}

/// How each comparison of a cell was made, those made alike together.
pub(crate) fn methods(cell: &Cell) -> Vec<String> {
    let judged = cell.rows().into_iter().filter_map(|row| row.judged());
    let by_method = by_key(judged.filter_map(|found| Some((method(&found.method?), found.metric.title))));
    by_method.into_iter().map(|(method, metrics)| format!("{}: {method}", metrics.join(", "))).collect()
}

/// The failed requests of a side, of all that it has: `12,300 of 45,000`.
pub(crate) fn failed(failed: u64, requests: u64) -> String {
    format!("{} of {}", count(failed), count(requests))
}

/// The subtitle of latency against throughput.
pub(crate) const KNEE_SUBTITLE: &str = "A point is a concurrency, whose number stands above it. Where a line turns upward, additional requests only queue.";

/// The subtitle of the history of a cell.
pub(crate) fn history_subtitle(accepted: usize, options: &ReportOptions) -> String {
    format!(
        "{} of the baseline {}, then head. Intervals: from the lowest launch to the highest.",
        plural(accepted as u64, "accepted run"),
        options.baseline
    )
}

/// Why an epoch began.
pub(crate) fn epoch(reason: Option<&str>) -> String {
    reason.map_or_else(|| "new epoch".to_owned(), |reason| format!("new epoch: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Change, Estimate};
    use crate::record::{BaseFailure, metric};
    use crate::report::tests::{Sample, Sampled};

    fn all<T>(items: impl IntoIterator<Item = T>, sentence: impl Fn(T) -> String) -> String {
        items.into_iter().map(sentence).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn reasons_that_are_not_about_a_change() {
        let reasons = [
            Reason::Recorded("One exchange took too long.".into()),
            Reason::NoRounds,
            Reason::NoRequests,
            Reason::NoFreePort(1),
            Reason::ClientErrors(1_200),
            Reason::TooManyFailures { side: Side::Head, ratio: 0.949_999, min: 0.95 },
            Reason::TooManyFailures { side: Side::Base, ratio: 0.1, min: 0.95 },
            Reason::NoBaseline,
            Reason::NotInBaseline,
            Reason::BaseFailed("status 404".into()),
            Reason::StoredFailures(0.95),
            Reason::Redefined,
            Reason::MachineChanged("4 CPUs instead of 64".into()),
            Reason::NothingToCompare,
            Reason::NoValue,
            Reason::ClientBound(3.04),
            Reason::TooFewSuccesses { side: Side::Head, successes: 400, needed: 500 },
            Reason::MissingValues(Side::Base),
            Reason::OtherWindow,
            Reason::AllZero,
            Reason::SomeZero,
        ];
        insta::assert_snapshot!(all(&reasons, reason), @r"
        One exchange took too long.
        No round was measured.
        No request was sent inside a round.
        This machine had no free port left for 1 connection. Widen the local port range (net.ipv4.ip_local_port_range) or lower the concurrency.
        1,200 requests failed because of an error on the client machine, for example too few file descriptors.
        Only 94.99% of requests succeeded (at least 95% required), so latency was not compared. If failures are expected here, lower the limit with `group.min_success_ratio(…)`.
        Only 10% of base's requests succeeded (at least 95% required), so latency was not compared. If failures are expected here, lower the limit with `group.min_success_ratio(…)`.
        There is no baseline yet.
        The baseline does not have this cell.
        Base cannot answer this request (status 404), so only head was measured.
        Fewer than 95% of the stored requests succeeded. Record a new baseline.
        The request of the cell, its transport (https, HTTP/2, a proxy), its load or the arguments of its service changed after it was stored. Record a new baseline.
        The machine has changed since the run was stored (4 CPUs instead of 64). Compare by --base-ref, or record a new baseline.
        There was nothing to compare.
        It has no value in any round.
        The client was the bottleneck: it took 3.0 times as long to send the next request as the service took to respond. The measured rate is the client's, not the service's.
        Too few successes: a round of head has only 400 successes (at least 500 needed).
        Some rounds of base have no value for it.
        The stored rounds have another length, and tail latency depends on it. Measure with the same --quick, --sample-size and --measurement-time as for the baseline.
        All values are zero.
        Some values are zero, and zero has no ratio.
        ");
    }

    #[test]
    fn changes_and_why_they_do_not_decide() {
        let cell = |id: &str, edit: &dyn Fn(&mut Comparison)| {
            let mut cell = Sampled::new(&[Verdict::Inconclusive]).judgement.cells.remove(0);
            let metric = metric(id).unwrap();
            cell.reason = Some(Reason::Comparison(metric));
            let found = cell.comparisons.iter_mut().find(|found| found.metric == metric).unwrap();
            found.verdict = Verdict::Inconclusive;
            edit(found);
            cell_reason(&cell).unwrap()
        };
        let doubts = [
            Reason::SuccessRatioFell,
            Reason::ResponseSize,
            Reason::ScreeningOnly,
            Reason::NotSignificant,
            Reason::NearThreshold,
            Reason::NotShown,
            Reason::TooFew(TooFew::Sittings(1)),
            Reason::TooFew(TooFew::Sittings(2)),
            Reason::TooFew(TooFew::Machines(2)),
        ];
        let mut sentences: Vec<String> = doubts
            .into_iter()
            .map(|doubt| cell("throughput", &|found| found.reason = Some(doubt.clone())))
            .collect();
        sentences.push(cell("latency_p50", &|found| found.verdict = Verdict::Regressed));
        sentences.push(cell("latency_p50", &|found| {
            let screening = None;
            found.stage =
                Stage::Confirmed { analysis: 1, analyses: 3, pairs: 30, screening, screened_by: None };
            found.reason = Some(Reason::NotSignificant);
        }));
        sentences.push(cell("latency_p50", &|found| {
            (found.change, found.reason) = (None, Some(Reason::SomeZero));
        }));
        sentences.push(cell("success_ratio", &|found| {
            found.change = Some(Change { low: -0.03, estimate: -0.002, high: 0.01 });
            (found.base, found.head, found.reason) = (Some(1.0), Some(0.998), Some(Reason::NotShown));
        }));
        insta::assert_snapshot!(sentences.join("\n"), @r"
        throughput is 1.2% lower (interval -18.2 to +15.8%), but more requests failed, so it does not count as an improvement.
        throughput is 1.2% lower (interval -18.2 to +15.8%), but the responses have another size, so it does not count as an improvement.
        throughput is 1.2% lower (interval -18.2 to +15.8%), which the screening alone does not decide.
        throughput is 1.2% lower (interval -18.2 to +15.8%), which is not significant: p = 1.0000, corrected over all tests of the run.
        throughput is 1.2% lower (interval -18.2 to +15.8%), which may be within the noise threshold of 5%.
        throughput is 1.2% lower (interval -18.2 to +15.8%), which is too wide to tell whether it changed.
        throughput is 1.2% lower (interval -18.2 to +15.8%), but the baseline has runs of only 1 sitting (3 are needed: record on two more days).
        throughput is 1.2% lower (interval -18.2 to +15.8%), but the baseline has runs of only 2 sittings (3 are needed: record on one more day).
        throughput is 1.2% lower (interval -18.2 to +15.8%), but several machines share the name of this test bed, and the baseline has runs of only 2 of them (3 are needed).
        latency p50 is 1.2% higher (interval -15.8 to +18.2%).
        latency p50 is 1.2% higher (interval -15.8 to +18.2%), which is not significant: p = 1.0000, corrected over all candidates and interim analyses.
        latency p50: Some values are zero, and zero has no ratio.
        The success ratio fell from 100% to 99.80%, which may be chance.
        ");
    }

    #[test]
    fn limits() {
        let check = |outcome, value, remedy| LimitCheck {
            metric: metric("latency_p99").unwrap(),
            limit: 50e6,
            value: Option::map(value, |value| Estimate { value, interval: None, method: None }),
            p: 1.0,
            outcome,
            remedy,
        };
        let checks = [
            check(LimitOutcome::Broken, Some(60e6), None),
            check(LimitOutcome::Undecided, Some(49e6), None),
            check(LimitOutcome::Undecided, None, Some(Remedy::Burst(Some(1_000)))),
            check(LimitOutcome::Undecided, None, None),
        ];
        insta::assert_snapshot!(all(&checks, limit), @r"
        latency p99 is 60.00 ms, above its limit of 50.00 ms.
        latency p99 is 49.00 ms, which does not show on which side of its limit of 50.00 ms it is.
        latency p99 has no value to compare with its limit of 50.00 ms: each round needs 1,000 successes; use a burst of 1,000 requests.
        latency p99 has no value to compare with its limit of 50.00 ms: each round needs 1,000 successes.
        ");
    }

    #[test]
    fn what_would_decide() {
        let time = Some(Duration::from_millis(19_980));
        let successes = |remedy, record_again| Advice::MoreSuccesses { remedy, record_again };
        let all_advice = [
            successes(Remedy::MeasurementTime(time), true),
            successes(Remedy::Burst(Some(2_000)), false),
            successes(Remedy::RefuseFewer, false),
            Advice::AboveZero(Remedy::MeasurementTime(None)),
            Advice::AboveZero(Remedy::Burst(None)),
            Advice::FreeClient,
            Advice::RobustTail,
            Advice::SeveralLaunches,
            Advice::MoreLaunches { launches: 120, measurement_time: Duration::from_secs(40) },
            Advice::NoDrift,
            Advice::QuieterMachine,
            Advice::OtherDays,
            Advice::Duet,
            Advice::MeasureAgain,
        ];
        insta::assert_snapshot!(all(&all_advice, advice), @r"
        needs: --measurement-time 20s, and a newly recorded baseline
        needs: a burst of 2,000 requests
        needs: a larger burst, or a higher rate limit in the service
        needs: a longer --measurement-time, so that no round has the value zero
        needs: a larger burst, so that no round has the value zero
        needs: a CPU reserved for the client, or a lower concurrency
        needs: ten launches, or three rounds in each launch
        needs: several launches (let plimsoll start the service); more rounds of one launch do not help
        needs: 120 launches with one pair of rounds each (--sample-size 120 --launches 120 --measurement-time 40s)
        needs: a speed that stays the same during the measurement: base and head drifted apart, and more launches do not help
        needs: a quieter machine; pairs of rounds differ too much on this one
        needs: stored runs of other days, or a duet (--base-ref)
        needs: a duet (--base-ref)
        needs: fresh pairs, which were not measured
        ");
    }

    #[test]
    fn rounds_too_short_for_a_median_have_one_together() {
        let mut sampled = Sampled::new(&[Verdict::Unchanged]);
        let median = |sampled: &Sampled| median_of_all(&sampled.report().cells()[0]);
        assert_eq!(median(&sampled), "");
        let cell = &mut sampled.judgement.cells[0];
        cell.values.retain(|shown| shown.metric.id != metric::LATENCY_P50);
        cell.comparisons.retain(|found| found.metric.id != metric::LATENCY_P50);
        let text = median(&sampled);
        assert!(text.starts_with("p50 ") && text.ends_with(" ms over all rounds together"), "{text}");
    }

    #[test]
    fn how_intervals_were_made() {
        let bootstrap = IntervalMethod::BootstrapT { values: 30 };
        let pairs = |launches, widened| Method::Pairs { launches, pairs: 30, widened };
        let drift = Some(Pattern::Drift { change: 0.1, explained: 0.5 });
        let stored = |head, base, is_one_launch, is_widened| Method::StoredRuns {
            head,
            base,
            df: 8.0,
            is_one_launch,
            is_widened,
        };
        let counts = |head, base, has_allowance| Method::Counts { head, base, has_allowance };
        let one_run = Counted::Launches(10);
        let methods = [
            Method::Launches(bootstrap),
            Method::Launches(IntervalMethod::TrimmedT { values: 10 }),
            Method::Launches(IntervalMethod::OneValue),
            Method::Runs(IntervalMethod::StudentT { values: 3 }),
            Method::Runs(IntervalMethod::NoSpread { values: 2 }),
            pairs(Some(bootstrap), None),
            pairs(Some(bootstrap), drift),
            pairs(None, drift),
            Method::Resolution { launches: 10, pairs: 30 },
            stored(1, 5, false, false),
            stored(3, 1, true, true),
            Method::Head { runs: 1, launches: 1, df: 4.0 },
            Method::Head { runs: 3, launches: 10, df: 3.42 },
            counts(Counted::Launches(30), Counted::Launches(30), false),
            counts(one_run, Counted::Runs(5), true),
        ];
        insta::assert_snapshot!(all(&methods, method), @r"
        bootstrap-t over 30 launches
        trimmed t over 10 launches
        one launch, whose spread is unknown
        t over 3 runs
        no spread over 2 runs
        bootstrap-t over 30 launches, 30 pairs in all
        bootstrap-t over 30 launches, 30 pairs in all, widened because of a drift
        t over 30 pairs of one launch, with an allowance for launch effects, widened because of a drift
        t over 10 launches, 30 pairs in all, limited by the resolution of the measurement
        t over 1 head run and 5 stored runs, 8 degrees of freedom
        t over 3 head runs and 1 stored run, 8 degrees of freedom, with an allowance for launch effects, widened because of the order of launches
        t over 1 launch, 4 degrees of freedom, with an allowance for launch effects
        t over 3 runs, 3.4 degrees of freedom
        counts of 30 launches in head and 30 launches in base
        counts of 10 launches in head and 5 runs in base, with an allowance for launch effects
        ");
    }

    #[test]
    fn notes() {
        let tail = metric("latency_p99").unwrap();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let notes = [
            Note::Recorded("A round has 10 successes".into()),
            Note::UnknownMetric("horsepower".into()),
            Note::RunLeftOut(Reason::NoRequests),
            Note::StoredRunsLeftOut { count: 1, reason: Reason::Redefined },
            Note::OtherTestBed(2),
            Note::ResponseSize { base: 20_480.0, head: 2_048.0 },
            Note::ResponseSize { base: 100.0, head: 85.0 },
            Note::ResponseSize { base: 100.0, head: 300.0 },
            Note::ResponseSize { base: 100.0, head: 0.0 },
            Note::ResponseSize { base: 0.0, head: 100.0 },
            Note::ShownOnly(tail),
            Note::OneStoredRun,
            Note::OneSitting { runs: 5, within: minutes(12) },
            Note::SeveralMachines,
            Note::SetupChanged {
                fact: "kernel",
                from: vec!["6.7".into(), "6.8".into()],
                to: vec!["6.9".into()],
            },
        ];
        insta::assert_snapshot!(all(&notes, note), @r"
        A round has 10 successes
        There is no metric `horsepower` to judge.
        One run is left out. No request was sent inside a round.
        Left out: 1 stored run. The request of the cell, its transport (https, HTTP/2, a proxy), its load or the arguments of its service changed after it was stored. Record a new baseline.
        Left out, because measured on another test bed: 2 stored runs.
        The responses became 10 times shorter (from 20.00 KiB to 2.000 KiB on average). While they differ by more than 10%, a faster cell is not called improved.
        The responses became 15.0% shorter (from 100.0 B to 85.00 B on average). While they differ by more than 10%, a faster cell is not called improved.
        The responses became 3.0 times longer (from 100.0 B to 300.0 B on average). While they differ by more than 10%, a faster cell is not called improved.
        The responses became empty (from 100.0 B to 0.000 B on average). While they differ by more than 10%, a faster cell is not called improved.
        The responses became longer (from 0.000 B to 100.0 B on average). While they differ by more than 10%, a faster cell is not called improved.
        latency p99 is shown but not judged: a tail percentile needs ten launches, or three rounds in each launch.
        The baseline has only one run, so the variation between runs is assumed. Record runs on other days.
        The 5 stored runs were taken within 12 minutes. They are one sitting and do not show how much results differ from day to day.
        The stored runs come from several machines with the name of this test bed.
        Since the baseline the kernel has changed from 6.7 and 6.8 to 6.9.
        ");
    }

    #[test]
    fn the_machine_load_is_the_worst_of_all_runs() {
        let run = |condition: Option<Condition>| {
            let mut run = Sampled::new(&[Verdict::Unchanged]).runs.remove(0);
            run.environment.condition = condition;
            run
        };
        let quiet =
            Condition { others_share: Some(0.032), stolen_share: Some(0.001), ..Condition::default() };
        let throttled = Condition { throttled_share: Some(0.12), ..Condition::default() };
        insta::assert_snapshot!(machine_load(&[run(Some(quiet)), run(Some(throttled))]).unwrap(), @"load average 0.21 at the start, other processes used 3.2% of the CPUs, 0.1% stolen by the hypervisor, CPU limit reached in 12.0% of the periods");
        for unknown in [&[run(None)][..], &[run(Some(Condition::default()))], &[]] {
            assert_eq!(machine_load(unknown), None);
        }
    }

    #[test]
    fn a_profiler_is_told_the_processes_of_both_sides() {
        let told = |processes: &[_]| profiled("g/c", Duration::from_secs(10), processes);
        let (base, head) = (Some(Side::Base), Some(Side::Head));
        let lines = [
            told(&[(None, Some(12))]),
            told(&[(base, Some(11)), (head, Some(12))]),
            told(&[(base, None), (head, Some(12))]),
            told(&[(head, Some(12))]),
            told(&[(None, None)]),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        Loading g/c for 10.00 s: process 12
        Loading g/c for 10.00 s for each side, in turns: base is process 11 and head is process 12
        Loading g/c for 10.00 s for each side, in turns: base is a service that plimsoll did not start and head is process 12
        Loading g/c for 10.00 s: head is process 12
        Loading g/c for 10.00 s: a service that plimsoll did not start
        ");
    }

    fn sentence(sampled: &Sampled) -> String {
        sampled.report().sentence()
    }

    #[test]
    fn the_sentence_names_the_worst_first_and_counts_what_it_does_not_name() {
        let mut verdicts = vec![Verdict::Regressed; 5];
        verdicts.push(Verdict::Improved);
        let mut many = Sampled::new(&verdicts);
        many.judgement.removed.push(CellId::new("tokenizer", "old"));
        many.runs[0].stop = Some(Stop::TimeUp);
        let sentences = [
            sentence(&Sampled::new(&[Verdict::Unchanged, Verdict::Regressed, Verdict::Unchanged])),
            sentence(&many),
            sentence(&Sampled::new(&[Verdict::Regressed; 4])),
        ];
        insta::assert_snapshot!(sentences.join("\n"), @r"
        1 of 3 cells regressed: tokenizer/3k_tokens/10, latency p50 +23.1% [+19.0, +27.2]. The others: 2 unchanged.
        5 of 6 cells regressed; worst: tokenizer/3k_tokens/5, latency p50 +23.1% [+19.0, +27.2]. The others: 1 improved (tokenizer/3k_tokens/30), 1 removed (tokenizer/old). The measurement ended early.
        4 of 4 cells regressed; worst: tokenizer/3k_tokens/5, latency p50 +23.1% [+19.0, +27.2].
        ");
    }

    #[test]
    fn if_nothing_regressed_the_sentence_says_what_was_detectable() {
        let mut sampled = Sampled::new(&[Verdict::Unchanged, Verdict::Inconclusive]);
        let mut sentences = vec![sentence(&sampled)];
        let set = |sampled: &mut Sampled, cell: usize, metric: &str, detectable: Option<f64>| {
            let mut comparisons = sampled.judgement.cells[cell].comparisons.iter_mut();
            comparisons.find(|found| found.metric.id == metric).unwrap().detectable = detectable;
        };
        set(&mut sampled, 0, "latency_p50", Some(0.0912));
        // A throughput that is down by 30% is a service that takes 42.9% longer.
        set(&mut sampled, 0, "throughput", Some(0.3));
        set(&mut sampled, 1, "latency_p99", Some(0.42));
        // Neither what falls by points nor what is not judged is one of the slow-downs.
        set(&mut sampled, 1, "success_ratio", Some(0.9));
        set(&mut sampled, 1, "output_token_throughput", Some(0.8));
        sentences.push(sentence(&sampled));
        set(&mut sampled, 0, "latency_p99", Some(f64::INFINITY));
        set(&mut sampled, 1, "latency_p50", None);
        sentences.push(sentence(&sampled));
        set(&mut sampled, 0, "latency_p50", Some(20.0));
        sentences.push(sentence(&sampled));
        let mut candidate = Sampled::duet().judgement.candidates.remove(0);
        (candidate.slower, candidate.open) = (true, true);
        sampled.judgement.candidates = vec![candidate];
        sentences.push(sentence(&sampled));
        sampled.judgement.cells[1].verdict = Verdict::Regressed;
        sentences.push(sentence(&sampled));
        insta::assert_snapshot!(sentences.join("\n"), @r"
        2 cells: 1 inconclusive, 1 unchanged. No regression was found. The smallest slowdown that would have been detected: 17.0 to 20.5%. Stored runs can miss a slowdown of 20% here; `--base-ref COMMIT` finds smaller ones.
        2 cells: 1 inconclusive, 1 unchanged. No regression was found. The smallest slowdown that would have been detected: 9.1 to 42.9%. Stored runs can miss a slowdown of 20% here; `--base-ref COMMIT` finds smaller ones.
        2 cells: 1 inconclusive, 1 unchanged. No regression was found. The smallest slowdown that would have been detected: 9.1 to 42.9%; 2 of 6 comparisons could not have detected any slowdown. Stored runs can miss a slowdown of 20% here; `--base-ref COMMIT` finds smaller ones.
        2 cells: 1 inconclusive, 1 unchanged. No regression was found. The smallest slowdown that would have been detected: 20.5% to more than 1,000%; 2 of 6 comparisons could not have detected any slowdown. Stored runs can miss a slowdown of 20% here; `--base-ref COMMIT` finds smaller ones.
        2 cells: 1 inconclusive, 1 unchanged. Not decided: 1 cell looked slower, and not all fresh pairs that would decide were measured. Stored runs can miss a slowdown of 20% here; `--base-ref COMMIT` finds smaller ones.
        1 of 2 cells regressed: tokenizer/3k_tokens/10. The others: 1 unchanged.
        ");
    }

    #[test]
    fn if_nothing_was_compared_the_sentence_says_why() {
        let new = || Sampled::new(&[Verdict::New; 2]);
        let mut recording = new();
        recording.options.records = true;
        let mut duet = new();
        duet.runs[0].cells[0].base_failure =
            Some(BaseFailure { what: "status 404".into(), is_broken: false });
        let mut incomparable = Sampled::new(&[Verdict::Incomparable, Verdict::Invalid]);
        let mut sentences: Vec<String> =
            [&new(), &recording, &duet, &incomparable, &Sampled::new(&[])].map(sentence).into();
        let test_bed = |id: &str| TestBed { id: Some(id.into()), ..TestBed::default() };
        incomparable.judgement.other_test_bed =
            Some(OtherTestBed { base: test_bed("boot:there"), commit: None, here: test_bed("boot:here") });
        sentences.push(sentence(&incomparable));
        incomparable.options.duet_command = Some("cargo bench -- --base-ref abc1234".into());
        sentences.push(sentence(&incomparable));
        incomparable.options.records = true;
        sentences.push(sentence(&incomparable));
        insta::assert_snapshot!(sentences.join("\n"), @r"
        There is no baseline `main` yet. To record one: `cargo bench --bench tokenizer -- --save-baseline main`.
        There was no baseline `main` yet.
        Base cannot answer any of these cells, so all are new.
        2 cells: 1 invalid (tokenizer/3k_tokens/10), 1 incomparable (tokenizer/3k_tokens/5).
        Nothing was measured.
        The baseline `main` was measured on another test bed (boot:there; this machine is boot:here). To record one on this machine: `cargo bench --bench tokenizer -- --save-baseline main`.
        The baseline `main` was measured on another test bed (boot:there; this machine is boot:here). To compare on this machine: `cargo bench -- --base-ref abc1234`.
        The baseline `main` was measured on another test bed (boot:there; this machine is boot:here). This run is stored for this test bed, and the runs of others are kept.
        ");
    }

    #[test]
    fn a_note_of_several_cells_is_printed_once_with_their_names() {
        let recorded = |note: &str| Note::Recorded(note.to_owned());
        let notes = |notes: &[&[Note]]| {
            let mut sampled = Sampled::new(&vec![Verdict::Unchanged; notes.len()]);
            for (cell, notes) in sampled.judgement.cells.iter_mut().zip(notes) {
                cell.notes = notes.to_vec();
            }
            let report = sampled.report();
            call_notes(&report, &report.shared_notes()).join("\n")
        };
        let few = [recorded("too few"), recorded("it drifted")];
        let [n, m] = [[recorded("n")], [recorded("m")]];
        let printed = [notes(&[&few, &[], &few[..1]]), notes(&[&n, &n]), notes(&[&n, &n, &n, &n, &n, &m])];
        insta::assert_snapshot!(printed.join("\n"), @r"
        2 cells (tokenizer/3k_tokens/5, tokenizer/3k_tokens/15): too few
        All 2 cells: n
        5 cells (tokenizer/3k_tokens/5, tokenizer/3k_tokens/10, tokenizer/3k_tokens/15 and 2 more): n
        ");
    }

    #[test]
    fn subtitles_count_what_they_do_not_name() {
        let of = |sampled: &Sampled, metric: &str| {
            let cells = sampled.report().cells();
            subtitle(&cells.iter().collect::<Vec<_>>(), &[metric])
        };
        let mut duet = Sampled::new(&[Verdict::Unchanged]);
        let alone = of(&duet, "latency_p50");
        duet.runs[0].cells[0].base = duet.runs[0].cells[0].rounds.clone();
        let subtitles = [
            of(&Sampled::new(&[Verdict::Improved; 5]), "throughput"),
            of(&Sampled::new(&[Verdict::Unchanged, Verdict::Inconclusive]), "latency_p50"),
            alone,
            of(&duet, "latency_p50"),
            of(&Sampled::new(&[Verdict::Unchanged, Verdict::New, Verdict::New]), "latency_p50"),
            of(&Sampled::new(&[Verdict::New]), "latency_p50"),
        ];
        insta::assert_snapshot!(subtitles.join("\n"), @r"
        3k_tokens/5: throughput +30.0% improved; 3k_tokens/10: throughput +30.0% improved; 3k_tokens/15: throughput +30.0% improved; 2 more changed.
        All 2: latency unchanged or inconclusive against the baseline.
        3k_tokens/5: latency unchanged against the baseline.
        3k_tokens/5: latency unchanged against base.
        3k_tokens/5: latency unchanged against the baseline. 2 of 3 had nothing to compare with.
        There was nothing to compare with: only head is shown.
        ");
    }

    #[test]
    fn what_makes_the_two_sides_of_a_duet_differ_is_said() {
        let base = BaseRef {
            name: "main".to_owned(),
            commit: "0123456789abcdef".to_owned(),
            lacking: 3,
            head_is_merge: true,
            differing: ["a", "b"].map(str::to_owned).to_vec(),
            differing_count: 4,
            programs: vec!["server of package shop".to_owned()],
            same_programs: true,
            outside: vec!["shared".to_owned()],
            toolchains: Some(("rustc 1.90.0".to_owned(), "rustc 1.95.0".to_owned())),
            ..BaseRef::default()
        };
        insta::assert_snapshot!(base_notes(&base).join("\n"), @r"
        Base is main (0123456789), head is the working tree. Both were built by the same command. Measured: server of package shop.
        The programs of base and head are byte-for-byte identical; 4 files differ: a, b and 2 more.
        Base was built with rustc 1.90.0, head with rustc 1.95.0.
        Both sides use the same packages from outside the repository: shared.
        Warning: HEAD is a merge commit, as in a CI checkout of a pull request; base is its parent 0123456789.
        Warning: base has 3 commits that head lacks; `--base-ref main...HEAD` compares with the commit where the branch began.
        ");
        let several = BaseRef { name: "a...b".to_owned(), merge_bases: 2, ..base.clone() };
        let leading_back = BaseRef { leading_back: vec![".venv/shop.pth".to_owned()], ..BaseRef::default() };
        let warnings = [base_warnings(&several), base_warnings(&leading_back)].concat();
        insta::assert_snapshot!(warnings.join("\n"), @r"
        a...b has 2 merge bases; base is the first one, 0123456789
        HEAD is a merge commit, as in a CI checkout of a pull request; base is its parent 0123456789
        base has 3 commits that head lacks; `--base-ref a...b...HEAD` compares with the commit where the branch began
        both sides may run files of your working tree, because .venv/shop.pth names them by their full path
        ");
        insta::assert_snapshot!(same_trees(&base), @"Nothing to compare: the working tree is the same as base, main (0123456789). Nothing was built or measured.");
    }

    #[test]
    fn how_to_read_a_page() {
        let duet = Sampled::duet();
        let sampled = Sampled::of(&[Sample::new(0, Verdict::Unchanged)]);
        let of = |sampled: &Sampled| {
            let report = sampled.report();
            reading(&report, &report.cells()[0]).join("\n")
        };
        insta::assert_snapshot!(format!("{}\n\n{}", of(&sampled), of(&duet)), @r"
        `base` is the stored baseline, `head` is the new build. Numbers in small print are 95% confidence intervals over launches and runs, never over single requests. The intervals of base and head do not include how much runs differ. The interval of the change includes it.
        `change` and `detectable` are in the metric's own direction: a latency of +20% and a throughput of -20% are both slower.
        `regressed` and `improved` need an interval beyond the noise threshold (5%) and a p value below 0.01, corrected over the 4 tests of the run. `unchanged` needs an interval within the equivalence margin (10%); for the success ratio, an estimate of at most 0.1 percentage points.
        `inconclusive` means that the data shows neither a change nor that there is none. It does not fail the build unless `--fail-on inconclusive` is given. `detectable` is the smallest change for the worse that would have been found with 80% probability.
        Latency and throughput count successful requests only. Failures show in the success ratio, which is judged first.

        `base` is the old build, measured in the same run, `head` is the new build. Numbers in small print are 95% confidence intervals over launches and runs, never over single requests. The intervals of base and head do not include how much runs differ. The interval of the change includes it.
        `change` and `detectable` are in the metric's own direction: a latency of +20% and a throughput of -20% are both slower.
        `regressed` and `improved` need an interval beyond the noise threshold (1%) and a p value below 0.01, corrected over all candidates of the screening and all interim analyses, on fresh pairs alone (the p of a screening is not corrected). `unchanged` needs an interval within the equivalence margin (5%); for the success ratio, an estimate of at most 0.1 percentage points.
        `inconclusive` means that the data shows neither a change nor that there is none. It does not fail the build unless `--fail-on inconclusive` is given. `detectable` is the smallest change for the worse that would have been found with 80% probability.
        Latency and throughput count successful requests only. Failures show in the success ratio, which is judged first.
        ");
    }
}
