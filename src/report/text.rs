//! Every sentence and every spelled number of a report. `judge` and `record` hold data; here it becomes English, so that the same
//! number or reason reads the same in the terminal, on the page and in charts.
//!
//! A minus is ASCII, so that text can be searched for it.

use std::cmp::Ordering;
use std::time::Duration;

use crate::judge::{
    Advice, CellJudgement, Change, Comparison, Counted, LimitCheck, LimitOutcome, Method, Note, Reason, Side,
    Stage, Verdict,
};
use crate::plan::{Throughput, whole_seconds};
use crate::record::{Clock, Condition, Remedy, Run, Unit};
use crate::stats::interval::Method as IntervalMethod;
use crate::stats::series::Pattern;

/// Printed in place of a value that is not finite.
pub(crate) const NOTHING: &str = "-";
/// Larger changes are printed as this one.
const LARGEST_PERCENT: f64 = 1e6;

/// A number with four significant digits, and thousands set apart from 10,000 on.
fn four_digits(value: f64) -> String {
    match value.abs() {
        size if size < 9.9995 => format!("{value:.3}"),
        size if size < 99.995 => format!("{value:.2}"),
        size if size < 999.95 => format!("{value:.1}"),
        size if size < 1e15 => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", count(size.round() as u64))
        }
        _ => format!("{value:.3e}"),
    }
}

/// A value in the largest unit that it reaches, or in the first one.
fn in_units(value: f64, units: &[(f64, &str)]) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    /// From here on four digits round up to a thousand.
    const ROUNDS_UP: f64 = 0.999_95;
    let reached = units.iter().rev().find(|(size, _)| value.abs() >= size * ROUNDS_UP);
    let (size, name) = reached.unwrap_or(&units[0]);
    format!("{} {name}", four_digits(value / size))
}

/// A duration in nanoseconds: `41.23 ms`.
pub(crate) fn duration_ns(ns: f64) -> String {
    in_units(ns, &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")])
}

/// A rate of requests: `4,123/s`.
fn rate_per_s(rate: f64) -> String {
    if rate.is_finite() { format!("{}/s", four_digits(rate)) } else { NOTHING.to_owned() }
}

/// A rate of tokens: `642,694 tokens/s`, `47.92 M tokens/s`.
fn tokens_per_s(rate: f64) -> String {
    in_units(rate, &[(1.0, "tokens/s"), (1e6, "M tokens/s"), (1e9, "G tokens/s")])
}

/// A rate of what one request handles, in the units that criterion prints: `12.30 MiB/s`, `41.23 Kelem/s`.
pub(crate) fn throughput_per_s(exchanges_per_s: f64, of_one: Throughput) -> String {
    match of_one {
        Throughput::Bytes(bytes) => {
            let units =
                [(1.0, "B/s"), (1024.0, "KiB/s"), (1024.0 * 1024.0, "MiB/s"), (1024_f64.powi(3), "GiB/s")];
            in_units(exchanges_per_s * bytes as f64, &units)
        }
        Throughput::Elements(elements) => {
            let units = [(1.0, "elem/s"), (1e3, "Kelem/s"), (1e6, "Melem/s"), (1e9, "Gelem/s")];
            in_units(exchanges_per_s * elements as f64, &units)
        }
    }
}

/// A ratio from 0 to 1 in percent, never rounded up to `100%`: `99.95%`.
pub(crate) fn share(ratio: f64) -> String {
    if !ratio.is_finite() {
        return NOTHING.to_owned();
    }
    let percent = ratio * 100.0;
    if percent == percent.round() {
        return format!("{percent:.0}%");
    }
    /// Enough to tell one failure among a hundred million from none.
    const MOST_DECIMALS: i32 = 6;
    /// The decimals of a difference of ratios, in points.
    const LEAST_DECIMALS: i32 = 2;
    // As many decimals as leave the smaller of the two shares two digits.
    let smaller = percent.min(100.0 - percent).abs().max(1e-6);
    // (A little more, so that a power of ten is not taken for less than it is.)
    let decimals = (1 - (smaller.log10() + 1e-9).floor() as i32).clamp(LEAST_DECIMALS, MOST_DECIMALS);
    let scale = 10_f64.powi(decimals);
    // What is not all is not shown as all.
    let shown = ((percent * scale).round() / scale).min(100.0 - 1.0 / scale);
    format!("{shown:.0$}%", decimals as usize)
}

/// A metric's value in its unit.
pub(crate) fn value(value: f64, unit: Unit) -> String {
    let finite = |text: String| if value.is_finite() { text } else { NOTHING.to_owned() };
    match unit {
        Unit::Ratio => share(value),
        Unit::Nanoseconds => duration_ns(value),
        Unit::PerSecond => rate_per_s(value),
        Unit::Tokens => finite(format!("{} tokens", four_digits(value))),
        Unit::TokensPerSecond => tokens_per_s(value),
    }
}

/// The size of a change without its sign: `3.4%`.
pub(crate) fn percent(fraction: f64) -> String {
    /// From here on tenths of a percent are left out.
    const WHOLE_FROM: f64 = 99.95;
    let percent = fraction.abs() * 100.0;
    match percent {
        p if p.is_nan() => NOTHING.to_owned(),
        p if p >= WHOLE_FROM => format!("{}%", count(p.min(LARGEST_PERCENT).round() as u64)),
        p => format!("{p:.1}%"),
    }
}

/// A level or a margin that was set, without floating-point noise: `99.9%`.
pub(crate) fn setting(fraction: f64) -> String {
    const DIGITS: f64 = 1e8;
    format!("{}%", (100.0 * fraction * DIGITS).round() / DIGITS)
}

/// A change with its sign: `+3.4%`.
pub(crate) fn change(fraction: f64) -> String {
    if fraction.is_nan() {
        return NOTHING.to_owned();
    }
    let size = percent(fraction);
    let sign = if fraction < 0.0 && size != "0.0%" { "-" } else { "+" };
    format!("{sign}{size}")
}

/// A difference of ratios in points, without the word: `-1.25`.
pub(crate) fn points(difference: f64) -> String {
    if !difference.is_finite() {
        return NOTHING.to_owned();
    }
    let points = difference * 100.0;
    let size = format!("{:.2}", points.abs());
    let sign = if points < 0.0 && size != "0.00" { "-" } else { "+" };
    format!("{sign}{size}")
}

/// A change in its unit: `+3.4%`, or `-1.25 points` for a difference of ratios.
pub(crate) fn change_of(fraction: f64, is_difference: bool) -> String {
    if is_difference { format!("{} points", points(fraction)) } else { change(fraction) }
}

/// A count with its thousands set apart: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// A plain number with commas between its thousands.
pub(crate) fn grouped(number: &str) -> String {
    let whole = number.find('.').unwrap_or(number.len());
    let mut grouped = String::with_capacity(number.len() + whole / 3);
    for (index, digit) in number.chars().enumerate() {
        let before = whole.saturating_sub(index);
        if index > 0 && before > 0 && before.is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count and its noun: `1 cell`, `3 launches`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    let ending = match noun {
        _ if number == 1 => "",
        noun if noun.ends_with("ch") || noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", count(number))
}

/// How long something takes, to the second: `42 s`, `1 min 5 s`, `2 h 3 min`.
pub(crate) fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
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

/// Both ends of an interval, the unit once where they share it: `22.60 to 23.52 ms`.
pub(crate) fn range(low: &str, high: &str) -> String {
    let (Some((number, low_unit)), Some((_, high_unit))) = (parted(low), parted(high)) else {
        return format!("{low} to {high}");
    };
    if low_unit == high_unit { format!("{number} to {high}") } else { format!("{low} to {high}") }
}

/// A printed value as its number and its unit; `None` without a unit.
fn parted(value: &str) -> Option<(&str, &str)> {
    let end = value.find([' ', '/', '%'])?;
    Some(value.split_at(end))
}

/// The p value of a comparison, and in which stage of a duet it was found.
pub(crate) fn evidence(comparison: &Comparison, level: f64) -> Option<String> {
    match comparison.stage {
        Stage::Whole => significance(comparison.p_adjusted, level),
        Stage::Screened => Some(format!("screening p = {:.4}", comparison.p_adjusted)),
        Stage::Confirmed { analysis, analyses, .. } => {
            let p = significance(comparison.p_adjusted, level)?;
            Some(format!("{p}, analysis {analysis} of {analyses}"))
        }
    }
}

/// How a p value compares to a level: `p = 0.0012 < 0.01`; `None` without a p value.
pub(crate) fn significance(p: f64, level: f64) -> Option<String> {
    /// Smaller ones are printed as `p < 0.0001`.
    const LEAST: f64 = 0.0001;
    if !p.is_finite() || !level.is_finite() {
        return None;
    }
    if p < LEAST && LEAST <= level {
        return Some(format!("p < {LEAST}"));
    }
    let relation = match p.total_cmp(&level) {
        Ordering::Less => "<",
        Ordering::Equal => ">=",
        Ordering::Greater => ">",
    };
    // Enough digits that the printed number compares to the level as the p value does.
    let agrees = |text: &String| {
        text.parse::<f64>().is_ok_and(|printed| printed.total_cmp(&level) == p.total_cmp(&level))
    };
    let text = (4..17).map(|digits| format!("{p:.digits$}")).find(agrees);
    Some(format!("p = {} {relation} {level}", text.unwrap_or_else(|| p.to_string())))
}

/// The first few ids, and how many more there are: `a, b, c and 2 more`.
pub(crate) fn named(ids: &[String]) -> String {
    const MOST_NAMED: usize = 3;
    let names = ids[..ids.len().min(MOST_NAMED)].join(", ");
    match ids.len().saturating_sub(MOST_NAMED) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// How promptly the client sent the next request, by the p99 of its lag.
pub(crate) fn promptness(lag_p99_ns: f64) -> String {
    format!("next request within {} (p99)", duration_ns(lag_p99_ns))
}

/// Which clock timed the responses, `unstamped` of which the kernel did not stamp.
pub(crate) fn timed_by(clock: Clock, unstamped: u64) -> String {
    match clock {
        Clock::Kernel => "timed by the kernel".to_owned(),
        Clock::Mixed => {
            format!("timed by the kernel, but {} by this process", plural(unstamped, "response"))
        }
        Clock::User => "timed by this process".to_owned(),
    }
}

/// Why a cell has its verdict, in a sentence; `None` if it needs no reason.
pub(crate) fn cell_reason(cell: &CellJudgement) -> Option<String> {
    match cell.reason.as_ref()? {
        Reason::Limit(place) => cell.limits.get(*place).map(limit),
        Reason::Comparison(metric) => {
            let found = cell.comparisons.iter().find(|comparison| comparison.metric == *metric)?;
            Some(format!("{}{}", comparison(found)?, the_rest(cell)))
        }
        other => Some(reason(other)),
    }
}

/// What the other metrics of a cell came to, if one of them could not be compared.
fn the_rest(cell: &CellJudgement) -> String {
    let compared = cell.comparisons.iter().filter(|found| found.judged && found.change.is_some());
    let found: Vec<String> =
        compared.map(|found| format!("{} is {}", found.metric.title, found.verdict.name())).collect();
    if cell.verdict != Verdict::Incomparable || found.is_empty() {
        return String::new();
    }
    format!(" The other metrics were compared: {}.", found.join(", "))
}

/// What a comparison found, in a sentence that agrees with its numbers.
fn comparison(found: &Comparison) -> Option<String> {
    let title = found.metric.title;
    let Some(Change { low, estimate, high }) = found.change else {
        return Some(format!("{title}: {}", reason(found.reason.as_ref()?)));
    };
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
    let interval = range(&change(low), &change(high));
    Some(format!("{title} is {} {direction} (interval {interval}){doubt}.", percent(estimate)))
}

/// Why a change is not decided, as the end of a sentence.
fn doubt(reason: &Reason, found: &Comparison) -> String {
    match reason {
        Reason::SuccessRatioFell => {
            "but more requests failed, so it does not count as an improvement".to_owned()
        }
        Reason::ScreeningOnly => "which the screening alone does not decide".to_owned(),
        Reason::NotSignificant => {
            let over = match found.stage {
                Stage::Confirmed { .. } => "all candidates and interim analyses",
                Stage::Whole | Stage::Screened => "all tests of the call",
            };
            format!("which is not significant: p = {:.4}, corrected over {over}", found.p_adjusted)
        }
        Reason::NearThreshold => "which may be within the noise threshold".to_owned(),
        Reason::NotShown if found.is_difference() => "which may be chance".to_owned(),
        Reason::NotShown => "which shows neither a change nor equality".to_owned(),
        Reason::FewSittings(sittings) => {
            format!("but stored runs of {} alone cannot show a change", plural(*sittings as u64, "sitting"))
        }
        other => self::reason(other),
    }
}

/// A reason that is not about a change, in a sentence.
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
            "{} failed because of an error of this machine, for example too few file descriptors.",
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
            format!("Less than {} of the stored requests succeeded. Record a new baseline.", share(*min))
        }
        Reason::Redefined => "The cell was redefined since. Record a new baseline.".to_owned(),
        Reason::MachineChanged(difference) => format!(
            "The machine has changed since ({difference}). Compare in a duet, or record a new baseline."
        ),
        Reason::NothingToCompare => "There was nothing to compare.".to_owned(),
        Reason::NoValue => "It has no value.".to_owned(),
        Reason::ClientBound(lag) => format!(
            "The client was the bottleneck: between two requests a worker waits {lag:.1} times as long for the client as for \
             the service. This rate is therefore the client's."
        ),
        Reason::TooFewSuccesses { side, successes, needed } => format!(
            "Too few requests succeeded: the poorest round of {} has {}, {} are needed.",
            side_name(*side),
            plural(*successes, "success"),
            count(*needed)
        ),
        Reason::MissingValues(side) => format!("Some rounds of {} have no value.", side_name(*side)),
        Reason::OtherWindow => "The stored rounds have another length, which moves the tail.".to_owned(),
        Reason::AllZero => "All values are zero.".to_owned(),
        Reason::SomeZero => "Some values are zero, and zero has no ratio.".to_owned(),
        Reason::ScreeningOnly => "The screening alone does not decide.".to_owned(),
        Reason::Comparison(_)
        | Reason::Limit(_)
        | Reason::SuccessRatioFell
        | Reason::NotSignificant
        | Reason::NearThreshold
        | Reason::NotShown
        | Reason::FewSittings(_) => String::new(),
    }
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Base => "base",
        Side::Head => "head",
    }
}

/// What became of a limit, in a sentence.
pub(crate) fn limit(check: &LimitCheck) -> String {
    let (title, unit) = (check.metric.title, check.metric.unit);
    let most = value(check.limit, unit);
    let Some(found) = &check.value else {
        let would_do =
            check.remedy.map(|found| format!(", which {} would give", remedy(found))).unwrap_or_default();
        return format!(
            "{title} has no value to compare with its limit of {most}: each round needs {}{would_do}.",
            plural(check.metric.promised_from(), "success")
        );
    };
    let found = value(found.value, unit);
    match check.outcome {
        LimitOutcome::Broken => format!("{title} is {found}, above its limit of {most}."),
        LimitOutcome::Holds => format!("{title} is {found}, within its limit of {most}."),
        LimitOutcome::Undecided => {
            format!("{title} is {found}, which does not show whether it keeps its limit of {most}.")
        }
    }
}

/// What would decide an inconclusive comparison, as the end of "would be decided by".
pub(crate) fn advice(advice: &Advice) -> String {
    match advice {
        Advice::MoreSuccesses { remedy: found, record_again } => {
            let again = if *record_again { ", with a baseline recorded again" } else { "" };
            format!("{}{again}", remedy(*found))
        }
        Advice::AboveZero(found) => format!("{}, if its rounds are then above zero", remedy(*found)),
        Advice::FreeClient => "a CPU for the client alone, or a lower concurrency".to_owned(),
        Advice::RobustTail => ROBUST_TAIL.to_owned(),
        Advice::SeveralLaunches => {
            "several launches (let plimsoll start the service); more rounds of one launch cannot help"
                .to_owned()
        }
        Advice::MoreLaunches(launches) => {
            format!("{launches} launches of one pair (--sample-size {launches} --launches {launches})")
        }
        Advice::NoDrift => {
            "sides that do not drift apart while they are measured; more launches cannot help".to_owned()
        }
        Advice::QuieterMachine => "a quieter machine: its pairs differ too much".to_owned(),
        Advice::OtherDays => "stored runs of other days, or a duet of both builds".to_owned(),
        Advice::Duet => "a duet of both builds".to_owned(),
        Advice::MeasureAgain => "measuring it again: it looked slower in the screening".to_owned(),
    }
}

/// What a tail needs so that bursts of other work do not move its center.
const ROBUST_TAIL: &str = "ten launches, or three rounds in each launch";

fn remedy(remedy: Remedy) -> String {
    match remedy {
        Remedy::MeasurementTime(Some(time)) => format!("a measurement_time of {}", whole_seconds(time)),
        Remedy::MeasurementTime(None) => "a longer measurement_time".to_owned(),
        Remedy::Burst(Some(requests)) => format!("a burst of {} requests", count(requests)),
        Remedy::Burst(None) => "a larger burst".to_owned(),
        Remedy::RefuseFewer => "a larger burst, or a rate limit that refuses fewer requests".to_owned(),
    }
}

/// How an interval was made: `bootstrap-t over 10 launches`.
pub(crate) fn method(method: &Method) -> String {
    match *method {
        Method::Launches(interval) => interval_method(interval, "launch"),
        Method::Runs(interval) => interval_method(interval, "run"),
        Method::Pairs { launches, pairs, widened } => {
            let pairs = plural(pairs as u64, "pair");
            let found = match launches {
                Some(interval) => format!("{} of {pairs}", interval_method(interval, "launch")),
                None => format!("t over {pairs} of one launch, with an allowance for launch effects"),
            };
            let widened = match widened {
                None => "",
                Some(Pattern::Drift { .. }) => ", widened for a drift",
                Some(Pattern::Autocorrelation { .. }) => ", widened because launches resemble the one before",
                Some(Pattern::TwoGroups { .. }) => ", widened because launches lie in two groups",
            };
            format!("{found}{widened}")
        }
        Method::Resolution { launches, pairs } => format!(
            "t over {} of {}, by the resolution of what is measured",
            plural(launches as u64, "launch"),
            plural(pairs as u64, "pair")
        ),
        Method::StoredRuns { head, base, df, is_one_launch, is_widened } => format!(
            "t over {} and {}, {} degrees of freedom{}{}",
            plural(head as u64, "head run"),
            plural(base as u64, "stored run"),
            degrees(df),
            if is_one_launch { ", with an allowance for launch effects" } else { "" },
            if is_widened { ", widened for the order of launches" } else { "" }
        ),
        Method::Head { runs, launches, df } => {
            let samples =
                if runs == 1 { plural(launches as u64, "launch") } else { plural(runs as u64, "run") };
            let allowance = if launches == 1 { ", with an allowance for launch effects" } else { "" };
            format!("t over {samples}, {} degrees of freedom{allowance}", degrees(df))
        }
        Method::Counts { head, base, has_allowance } => {
            let samples = |side: Counted| match side {
                Counted::DuetLaunches(launches) => plural(launches as u64, "launch"),
                Counted::LaunchesOfOneRun(launches) => {
                    format!("{} of one run", plural(launches as u64, "launch"))
                }
                Counted::Runs(runs) => plural(runs as u64, "run"),
            };
            let allowance = if has_allowance { ", with an allowance for launch effects" } else { "" };
            let leaves_out = [head, base].iter().any(|side| matches!(side, Counted::LaunchesOfOneRun(_)));
            let leaves_out = if leaves_out { "; how much runs differ is left out" } else { "" };
            format!(
                "counts of {} in head and {} in base{allowance}{leaves_out}",
                samples(head),
                samples(base)
            )
        }
    }
}

/// Degrees of freedom, with one digit where they are not whole: `8`, `3.4`.
fn degrees(df: f64) -> String {
    if df.fract() == 0.0 { format!("{df}") } else { format!("{df:.1}") }
}

fn interval_method(method: IntervalMethod, noun: &str) -> String {
    let over = |values: usize| plural(values as u64, noun);
    match method {
        IntervalMethod::BootstrapT { values } => format!("bootstrap-t over {}", over(values)),
        IntervalMethod::StudentT { values } => format!("t over {}", over(values)),
        IntervalMethod::TrimmedT { values } => format!("trimmed t over {}", over(values)),
        IntervalMethod::NoSpread { values } => format!("no spread over {}", over(values)),
        IntervalMethod::OneValue => format!("one {noun}, whose spread is unknown"),
    }
}

/// The load before a call, and the most that others took of the machine in any of its runs; empty if that is not known.
pub(crate) fn machine_load(runs: &[Run]) -> String {
    let known = runs.iter().filter_map(|run| run.environment.condition.as_ref());
    let Condition { others_share, stolen_share, throttled_share, .. } = Condition::worst(known);
    let parts: Vec<String> = [
        others_share.map(|share| format!("other processes used {} of the CPUs", percent(share))),
        stolen_share.map(|share| format!("{} stolen by the hypervisor", percent(share))),
        throttled_share.map(|share| format!("throttled in {} of the periods", percent(share))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let Some(first) = runs.first().filter(|_| !parts.is_empty()) else { return String::new() };
    format!("load {:.2} before, {}", first.environment.load, parts.join(", "))
}

/// A note on a cell, or on the baseline. Of several notes of one kind, `low` holds the smallest numbers and `high` the
/// largest.
pub(crate) fn note(low: &Note, high: &Note) -> String {
    match (low, high) {
        (Note::Recorded(note), _) => note.clone(),
        (Note::UnknownMetric(id), _) => format!("There is no metric `{id}` to judge."),
        (Note::RunLeftOut(why), _) => format!("One run is left out. {}", reason(why)),
        (Note::StoredRunsLeftOut { count, reason: why }, Note::StoredRunsLeftOut { count: most, .. }) => {
            let is = if *most == 1 { "is" } else { "are" };
            format!("{} {is} left out. {}", plural_between(*count, *most, "stored run"), reason(why))
        }
        (Note::OtherTestBed(count), Note::OtherTestBed(most)) => {
            let is = if *most == 1 { "is" } else { "are" };
            format!("{} of another test bed {is} not compared.", plural_between(*count, *most, "stored run"))
        }
        (Note::ShownOnly(metric), _) => {
            format!("{} is shown only: to be judged, a tail needs {ROBUST_TAIL}.", metric.title)
        }
        (Note::OneStoredRun, _) => {
            "The baseline is one stored run. How much runs differ is assumed. Record runs on other days."
                .to_owned()
        }
        (Note::OneSitting { runs, within }, Note::OneSitting { runs: most, within: longest }) => {
            let minutes = |within: &Duration| within.as_secs().div_ceil(60).max(1) as usize;
            format!(
                "The {} were taken within {}. They are one sitting and do not show how much days differ.",
                plural_between(*runs, *most, "stored run"),
                plural_between(minutes(within), minutes(longest), "minute")
            )
        }
        (Note::SeveralMachines, _) => {
            "The stored runs come from several machines with the name of this test bed.".to_owned()
        }
        (Note::SetupChanged { fact, from, to }, _) => {
            let (from, to) = (list(from), list(to));
            format!("Since the baseline the {fact} changed from {from} to {to}.")
        }
        _ => String::new(),
    }
}

/// A count or a range of counts with its noun: `9 to 11 minutes`.
fn plural_between(low: usize, high: usize, noun: &str) -> String {
    let all = plural(high as u64, noun);
    if low == high { all } else { format!("{} to {all}", count(low as u64)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Estimate;
    use crate::record::metric;
    use crate::report::samples::{judgement_of, run_of, samples};

    #[test]
    fn durations_have_four_digits_and_a_fitting_unit() {
        let cases = [
            (0.0, "0.000 ns"),
            (1.0, "1.000 ns"),
            (999.96, "1.000 µs"),
            (41_234.0, "41.23 µs"),
            (123_456_789.0, "123.5 ms"),
            (1.5e9, "1.500 s"),
            (3.6e12, "3,600 s"),
            (f64::NAN, "-"),
            (f64::INFINITY, "-"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration_ns(ns), text);
        }
    }

    #[test]
    fn rates_name_their_unit() {
        assert_eq!(rate_per_s(4123.4), "4,123/s");
        assert_eq!(rate_per_s(9.8765), "9.877/s");
        assert_eq!(value(642_694.2, Unit::TokensPerSecond), "642,694 tokens/s");
        assert_eq!(value(47_916_427.0, Unit::TokensPerSecond), "47.92 M tokens/s");
        assert_eq!(throughput_per_s(100.0, Throughput::Bytes(1024 * 1024)), "100.0 MiB/s");
        assert_eq!(throughput_per_s(2.0, Throughput::Elements(700)), "1.400 Kelem/s");
        assert_eq!(rate_per_s(1e18), "1.000e18/s");
    }

    #[test]
    fn a_ratio_below_one_is_never_shown_as_100_percent() {
        let cases = [
            (1.0, "100%"),
            (0.0, "0%"),
            (0.5, "50%"),
            (0.123, "12.30%"),
            (0.9995, "99.950%"),
            (0.99999, "99.9990%"),
            (1.0 - 1e-12, "99.999999%"),
        ];
        for (ratio, text) in cases {
            assert_eq!(share(ratio), text);
        }
    }

    #[test]
    fn changes_have_a_sign_and_no_minus_zero() {
        assert_eq!(change(0.0342), "+3.4%");
        assert_eq!(change(-0.2), "-20.0%");
        assert_eq!(change(-0.0001), "+0.0%");
        assert_eq!(change(12.345), "+1,235%", "thirteen times as slow");
        assert_eq!(change(f64::INFINITY), "+1,000,000%");
        assert_eq!(change(f64::NAN), "-");
        assert_eq!(points(-0.0125), "-1.25");
        assert_eq!(points(-0.00001), "+0.00");
    }

    #[test]
    fn settings_show_no_floating_point_noise() {
        assert_eq!([0.95, 0.999, 0.57].map(setting), ["95%", "99.9%", "57%"]);
    }

    #[test]
    fn counts_are_readable_and_nouns_agree() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(grouped("1234.5678"), "1,234.5678");
        assert_eq!(plural(1, "cell"), "1 cell");
        assert_eq!(plural(0, "cell"), "0 cells");
        assert_eq!(plural(2, "launch"), "2 launches");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }

    #[test]
    fn elapsed_times_have_two_units_at_most() {
        let seconds = |s| elapsed(Duration::from_secs(s));
        assert_eq!([0, 59, 60, 65, 7400].map(seconds), ["0 s", "59 s", "1 min", "1 min 5 s", "2 h 3 min"]);
    }

    #[test]
    fn the_ends_of_an_interval_share_their_unit() {
        assert_eq!(range("22.60 ms", "23.52 ms"), "22.60 to 23.52 ms");
        assert_eq!(range("999.0 µs", "1.001 ms"), "999.0 µs to 1.001 ms");
        assert_eq!(range("212.5/s", "1,221/s"), "212.5 to 1,221/s");
        assert_eq!(range("+19.0%", "+27.2%"), "+19.0 to +27.2%");
        assert_eq!(range("-0.01", "+0.02"), "-0.01 to +0.02");
        assert_eq!(range("-", "1.000 ms"), "- to 1.000 ms");
    }

    #[test]
    fn a_p_value_is_printed_so_that_it_agrees_with_its_relation_to_the_level() {
        let cases = [
            (0.0012, 0.01, "p = 0.0012 < 0.01"),
            (0.01, 0.01, "p = 0.0100 >= 0.01"),
            (0.009_999, 0.01, "p = 0.009999 < 0.01"),
            (1.0, 0.01, "p = 1.0000 > 0.01"),
            (1e-9, 0.01, "p < 0.0001"),
            (0.000_06, 0.000_01, "p = 0.0001 > 0.00001"),
        ];
        for (p, level, text) in cases {
            assert_eq!(significance(p, level).as_deref(), Some(text));
        }
        assert_eq!(significance(f64::NAN, 0.01), None);
    }

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
        1,200 requests failed because of an error of this machine, for example too few file descriptors.
        Only 94.99% of requests succeeded (at least 95% required), so latency was not compared. If failures are expected here, lower the limit with `group.min_success_ratio(…)`.
        Only 10% of base's requests succeeded (at least 95% required), so latency was not compared. If failures are expected here, lower the limit with `group.min_success_ratio(…)`.
        There is no baseline yet.
        The baseline does not have this cell.
        Base cannot answer this request (status 404), so only head was measured.
        Less than 95% of the stored requests succeeded. Record a new baseline.
        The cell was redefined since. Record a new baseline.
        The machine has changed since (4 CPUs instead of 64). Compare in a duet, or record a new baseline.
        There was nothing to compare.
        It has no value.
        The client was the bottleneck: between two requests a worker waits 3.0 times as long for the client as for the service. This rate is therefore the client's.
        Too few requests succeeded: the poorest round of head has 400 successes, 500 are needed.
        Some rounds of base have no value.
        The stored rounds have another length, which moves the tail.
        All values are zero.
        Some values are zero, and zero has no ratio.
        ");
    }

    #[test]
    fn changes_and_why_they_do_not_decide() {
        let cell = |id: &str, edit: &dyn Fn(&mut Comparison)| {
            let mut cell = judgement_of(&[Verdict::Inconclusive]).cells.remove(0);
            let metric = metric(id).unwrap();
            cell.reason = Some(Reason::Comparison(metric));
            let found = cell.comparisons.iter_mut().find(|found| found.metric == metric).unwrap();
            found.verdict = Verdict::Inconclusive;
            edit(found);
            cell_reason(&cell).unwrap()
        };
        let doubts = [
            Reason::SuccessRatioFell,
            Reason::ScreeningOnly,
            Reason::NotSignificant,
            Reason::NearThreshold,
            Reason::NotShown,
            Reason::FewSittings(1),
            Reason::FewSittings(2),
        ];
        let mut sentences: Vec<String> = doubts
            .into_iter()
            .map(|doubt| cell("throughput", &|found| found.reason = Some(doubt.clone())))
            .collect();
        sentences.push(cell("latency_p50", &|found| found.verdict = Verdict::Regressed));
        sentences.push(cell("latency_p50", &|found| {
            let screening = None;
            found.stage = Stage::Confirmed { analysis: 1, analyses: 3, pairs: 30, screening };
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
        throughput is 1.2% lower (interval -18.2 to +15.8%), which the screening alone does not decide.
        throughput is 1.2% lower (interval -18.2 to +15.8%), which is not significant: p = 1.0000, corrected over all tests of the call.
        throughput is 1.2% lower (interval -18.2 to +15.8%), which may be within the noise threshold.
        throughput is 1.2% lower (interval -18.2 to +15.8%), which shows neither a change nor equality.
        throughput is 1.2% lower (interval -18.2 to +15.8%), but stored runs of 1 sitting alone cannot show a change.
        throughput is 1.2% lower (interval -18.2 to +15.8%), but stored runs of 2 sittings alone cannot show a change.
        latency p50 is 1.2% higher (interval -15.8 to +18.2%).
        latency p50 is 1.2% higher (interval -15.8 to +18.2%), which is not significant: p = 1.0000, corrected over all candidates and interim analyses.
        latency p50: Some values are zero, and zero has no ratio.
        The success ratio fell from 100% to 99.80%, which may be chance.
        ");
    }

    #[test]
    fn a_cell_of_which_one_metric_is_incomparable_names_the_verdicts_of_the_others() {
        let mut cell = judgement_of(&[Verdict::Unchanged]).cells.remove(0);
        cell.verdict = Verdict::Incomparable;
        let tail = metric("latency_p99").unwrap();
        cell.reason = Some(Reason::Comparison(tail));
        let found = cell.comparisons.iter_mut().find(|found| found.metric == tail).unwrap();
        (found.change, found.reason) = (None, Some(Reason::OtherWindow));
        insta::assert_snapshot!(cell_reason(&cell).unwrap(), @"latency p99: The stored rounds have another length, which moves the tail. The other metrics were compared: success ratio is unchanged, latency p50 is unchanged, throughput is unchanged.");
    }

    #[test]
    fn limits() {
        let check = |outcome, value, remedy| LimitCheck {
            metric: metric("latency_p99").unwrap(),
            limit: 50e6,
            value: Option::map(value, |value| Estimate { value, interval: None, method: None }),
            p_adjusted: 1.0,
            outcome,
            remedy,
        };
        let checks = [
            check(LimitOutcome::Broken, Some(60e6), None),
            check(LimitOutcome::Holds, Some(40e6), None),
            check(LimitOutcome::Undecided, Some(49e6), None),
            check(LimitOutcome::Undecided, None, Some(Remedy::Burst(Some(1_000)))),
            check(LimitOutcome::Undecided, None, None),
        ];
        insta::assert_snapshot!(all(&checks, limit), @r"
        latency p99 is 60.00 ms, above its limit of 50.00 ms.
        latency p99 is 40.00 ms, within its limit of 50.00 ms.
        latency p99 is 49.00 ms, which does not show whether it keeps its limit of 50.00 ms.
        latency p99 has no value to compare with its limit of 50.00 ms: each round needs 1,000 successes, which a burst of 1,000 requests would give.
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
            Advice::MoreLaunches(120),
            Advice::NoDrift,
            Advice::QuieterMachine,
            Advice::OtherDays,
            Advice::Duet,
            Advice::MeasureAgain,
        ];
        insta::assert_snapshot!(all(&all_advice, advice), @r"
        a measurement_time of 20s, with a baseline recorded again
        a burst of 2,000 requests
        a larger burst, or a rate limit that refuses fewer requests
        a longer measurement_time, if its rounds are then above zero
        a larger burst, if its rounds are then above zero
        a CPU for the client alone, or a lower concurrency
        ten launches, or three rounds in each launch
        several launches (let plimsoll start the service); more rounds of one launch cannot help
        120 launches of one pair (--sample-size 120 --launches 120)
        sides that do not drift apart while they are measured; more launches cannot help
        a quieter machine: its pairs differ too much
        stored runs of other days, or a duet of both builds
        a duet of both builds
        measuring it again: it looked slower in the screening
        ");
    }

    #[test]
    fn how_intervals_were_made() {
        let bootstrap = IntervalMethod::BootstrapT { values: 30 };
        let pairs = |launches, widened| Method::Pairs { launches, pairs: 30, widened };
        let drift = Pattern::Drift { change: 0.1, explained: 0.5 };
        let modes = Pattern::TwoGroups { distance: 0.1, smaller: 3, explained: 0.5 };
        let stored = |head, base, is_one_launch, is_widened| Method::StoredRuns {
            head,
            base,
            df: 8.0,
            is_one_launch,
            is_widened,
        };
        let counts = |head, base, has_allowance| Method::Counts { head, base, has_allowance };
        let one_run = Counted::LaunchesOfOneRun(10);
        let methods = [
            Method::Launches(bootstrap),
            Method::Launches(IntervalMethod::TrimmedT { values: 10 }),
            Method::Launches(IntervalMethod::OneValue),
            Method::Runs(IntervalMethod::StudentT { values: 3 }),
            Method::Runs(IntervalMethod::NoSpread { values: 2 }),
            pairs(Some(bootstrap), None),
            pairs(Some(bootstrap), Some(drift)),
            pairs(Some(bootstrap), Some(Pattern::Autocorrelation { lag1: 0.5 })),
            pairs(None, Some(modes)),
            Method::Resolution { launches: 10, pairs: 30 },
            stored(1, 5, false, false),
            stored(3, 1, true, true),
            Method::Head { runs: 1, launches: 1, df: 4.0 },
            Method::Head { runs: 3, launches: 10, df: 3.42 },
            counts(Counted::DuetLaunches(30), Counted::DuetLaunches(30), false),
            counts(one_run, Counted::Runs(5), true),
        ];
        insta::assert_snapshot!(all(&methods, method), @r"
        bootstrap-t over 30 launches
        trimmed t over 10 launches
        one launch, whose spread is unknown
        t over 3 runs
        no spread over 2 runs
        bootstrap-t over 30 launches of 30 pairs
        bootstrap-t over 30 launches of 30 pairs, widened for a drift
        bootstrap-t over 30 launches of 30 pairs, widened because launches resemble the one before
        t over 30 pairs of one launch, with an allowance for launch effects, widened because launches lie in two groups
        t over 10 launches of 30 pairs, by the resolution of what is measured
        t over 1 head run and 5 stored runs, 8 degrees of freedom
        t over 3 head runs and 1 stored run, 8 degrees of freedom, with an allowance for launch effects, widened for the order of launches
        t over 1 launch, 4 degrees of freedom, with an allowance for launch effects
        t over 3 runs, 3.4 degrees of freedom
        counts of 30 launches in head and 30 launches in base
        counts of 10 launches of one run in head and 5 runs in base, with an allowance for launch effects; how much runs differ is left out
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
        insta::assert_snapshot!(all(&notes, |one| note(one, one)), @r"
        A round has 10 successes
        There is no metric `horsepower` to judge.
        One run is left out. No request was sent inside a round.
        1 stored run is left out. The cell was redefined since. Record a new baseline.
        2 stored runs of another test bed are not compared.
        latency p99 is shown only: to be judged, a tail needs ten launches, or three rounds in each launch.
        The baseline is one stored run. How much runs differ is assumed. Record runs on other days.
        The 5 stored runs were taken within 12 minutes. They are one sitting and do not show how much days differ.
        The stored runs come from several machines with the name of this test bed.
        Since the baseline the kernel changed from 6.7 and 6.8 to 6.9.
        ");
        let (low, high) = [(5, 9), (6, 11)].map(|(runs, within)| (runs, minutes(within))).into();
        let sitting = |(runs, within)| Note::OneSitting { runs, within };
        insta::assert_snapshot!(note(&sitting(low), &sitting(high)), @"The 5 to 6 stored runs were taken within 9 to 11 minutes. They are one sitting and do not show how much days differ.");
    }

    #[test]
    fn the_machine_load_is_the_worst_of_all_runs() {
        let run = |condition: Option<Condition>| {
            let mut run = run_of(&samples(&[Verdict::Unchanged]));
            run.environment.condition = condition;
            run
        };
        let quiet =
            Condition { others_share: Some(0.032), stolen_share: Some(0.001), ..Condition::default() };
        let throttled = Condition { throttled_share: Some(0.12), ..Condition::default() };
        insta::assert_snapshot!(machine_load(&[run(Some(quiet)), run(Some(throttled))]), @"load 0.21 before, other processes used 3.2% of the CPUs, 0.1% stolen by the hypervisor, throttled in 12.0% of the periods");
        assert_eq!(machine_load(&[run(None)]), "");
        assert_eq!(machine_load(&[run(Some(Condition::default()))]), "");
        assert_eq!(machine_load(&[]), "");
    }
}
