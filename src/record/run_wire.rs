//! A run as it stands in `run.json`, apart from what it means, and the way there and back.
//!
//! Everything is there; what can be zero or absent in most rounds is left out then. The way back checks whatever later rooms
//! rely on. A field that this version does not know is passed over; a metric that it does not know is an error, among limits and
//! values alike, for a run must not be judged by less than it was measured for. Only a metric to judge may be unknown: the
//! judgement says so.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::{Confirmation, Limit, Settings, Throughput, is_fraction, is_level};
use crate::record::base_ref::BaseRef;
use crate::record::environment::Environment;
use crate::record::fault::Fault;
use crate::record::histogram::EncodedHistogram;
use crate::record::metric::{Metric, Unit, metric};
use crate::record::round::{Counts, Round};
use crate::record::run::{BaseFailure, CellRun, Rules, Run, Stop};
use crate::record::run_id::rfc3339;
use crate::record::wire::{ConditionWire, LARGEST_COUNT, MachineWire};

/// A whole file.
#[derive(Serialize, Deserialize)]
pub(crate) struct FileWire {
    pub(crate) schema: u64,
    pub(crate) runs: Vec<RunWire>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RunWire {
    id: String,
    bench: String,
    started: String,
    elapsed_ns: u64,
    environment: EnvironmentWire,
    stop: Option<StopWire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base_ref: Option<BaseRef>,
    #[serde(default, skip_serializing_if = "is_first")]
    look: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    confirm_pairs: Vec<usize>,
    cells: Vec<CellWire>,
}

#[derive(Serialize, Deserialize)]
struct EnvironmentWire {
    machine: MachineWire,
    setup: BTreeMap<String, String>,
    commit: Option<String>,
    dirty: bool,
    load: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    condition: Option<ConditionWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StopWire {
    Signal(i32),
    Failed(String),
    TimeUp,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ThroughputWire {
    Bytes(u64),
    Elements(u64),
}

#[derive(Serialize, Deserialize)]
struct CellWire {
    group: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    id: String,
    function: String,
    load: String,
    concurrency: usize,
    throughput: Option<ThroughputWire>,
    definition: String,
    window_ns: u64,
    metrics: Vec<String>,
    rules: RulesWire,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base_failure: Option<BaseFailure>,
    invalid: Option<String>,
    notes: Vec<String>,
    rounds: Vec<RoundWire>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    base: Vec<RoundWire>,
}

#[derive(Serialize, Deserialize)]
struct RulesWire {
    least_success_ratio: f64,
    judged: Option<Vec<String>>,
    limits: Vec<LimitWire>,
    noise_threshold: Option<f64>,
    equivalence: Option<f64>,
    confidence_level: f64,
    significance_level: f64,
    nresamples: usize,
}

#[derive(Serialize, Deserialize)]
struct LimitWire {
    metric: String,
    most_ns: u64,
}

#[derive(Serialize, Deserialize)]
struct RoundWire {
    launch: usize,
    started_ns: u64,
    window_ns: u64,
    requests: u64,
    successes: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    statuses: BTreeMap<u16, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    faults: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    connections: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    reconnects: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    unstamped: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    slow_sends: u64,
    values: BTreeMap<String, f64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    latency: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    failure_latency: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_first(look: &usize) -> bool {
    *look == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Whether it can have been measured: only tokens may be negative, for a server counts them as it likes.
fn is_possible(metric: &Metric, value: f64) -> bool {
    value.is_finite() && (value >= 0.0 || matches!(metric.unit, Unit::Tokens | Unit::TokensPerSecond))
}

fn known(id: &str) -> Result<&'static Metric, String> {
    metric(id).ok_or_else(|| format!("there is no metric `{id}`: it may come from a newer plimsoll"))
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl From<&Run> for RunWire {
    fn from(run: &Run) -> Self {
        let Environment { machine, setup, commit, dirty, load, condition } = &run.environment;
        Self {
            id: run.id.clone(),
            bench: run.bench.clone(),
            started: rfc3339(run.started, humantime::format_rfc3339_nanos),
            elapsed_ns: ns(run.elapsed),
            environment: EnvironmentWire {
                machine: machine.into(),
                setup: setup.clone(),
                commit: commit.clone(),
                dirty: *dirty,
                load: *load,
                condition: condition.as_ref().map(ConditionWire::from),
            },
            stop: run.stop.as_ref().map(|stop| match stop {
                Stop::Signal(number) => StopWire::Signal(*number),
                Stop::Failed(why) => StopWire::Failed(why.clone()),
                Stop::TimeUp => StopWire::TimeUp,
            }),
            base_ref: run.base_ref.clone(),
            look: run.look,
            confirm_pairs: run
                .confirmation
                .as_ref()
                .map(|confirmation| confirmation.pairs.clone())
                .unwrap_or_default(),
            cells: run.cells.iter().map(CellWire::from).collect(),
        }
    }
}

impl From<&CellRun> for CellWire {
    fn from(cell: &CellRun) -> Self {
        Self {
            group: cell.group.clone(),
            about: cell.about.clone(),
            id: cell.id.clone(),
            function: cell.function.clone(),
            load: cell.load.clone(),
            concurrency: cell.concurrency,
            throughput: cell.throughput.map(|throughput| match throughput {
                Throughput::Bytes(bytes) => ThroughputWire::Bytes(bytes),
                Throughput::Elements(elements) => ThroughputWire::Elements(elements),
            }),
            definition: cell.definition.clone(),
            window_ns: ns(cell.window),
            metrics: cell.metrics.iter().map(|metric| metric.id.to_owned()).collect(),
            rules: RulesWire::from(&cell.rules),
            base_failure: cell.base_failure.clone(),
            invalid: cell.invalid.clone(),
            notes: cell.notes.clone(),
            rounds: cell.rounds.iter().map(RoundWire::from).collect(),
            base: cell.base.iter().map(RoundWire::from).collect(),
        }
    }
}

impl From<&Rules> for RulesWire {
    fn from(rules: &Rules) -> Self {
        let limit = |limit: &Limit| LimitWire { metric: limit.metric.to_owned(), most_ns: ns(limit.most) };
        Self {
            least_success_ratio: rules.least_success_ratio,
            judged: rules.judged.clone(),
            limits: rules.limits.iter().map(limit).collect(),
            noise_threshold: rules.noise_threshold,
            equivalence: rules.equivalence,
            confidence_level: rules.confidence_level,
            significance_level: rules.significance_level,
            nresamples: rules.nresamples,
        }
    }
}

impl From<&Round> for RoundWire {
    fn from(round: &Round) -> Self {
        let counts = &round.counts;
        let finite = round.values.iter().filter(|(_, value)| value.is_finite());
        Self {
            launch: round.launch,
            started_ns: ns(round.started),
            window_ns: ns(round.window),
            requests: counts.requests,
            successes: counts.successes,
            statuses: counts.statuses.clone(),
            faults: counts.faults.iter().map(|(fault, count)| (fault.to_string(), *count)).collect(),
            connections: counts.connections,
            reconnects: counts.reconnects,
            unstamped: counts.unstamped,
            slow_sends: counts.slow_sends,
            values: finite.map(|(id, value)| ((*id).to_owned(), *value)).collect(),
            latency: round.latency.0.clone(),
            failure_latency: round.failure_latency.0.clone(),
        }
    }
}

impl RunWire {
    /// The run, or what is wrong with it.
    pub(crate) fn into_run(self) -> Result<Run, String> {
        let started = humantime::parse_rfc3339(&self.started)
            .map_err(|error| format!("`{}` is no time: {error}", self.started))?;
        let EnvironmentWire { machine, setup, commit, dirty, load, condition } = self.environment;
        let condition = condition.map(ConditionWire::into_condition).transpose()?;
        let confirmation =
            (!self.confirm_pairs.is_empty()).then_some(Confirmation { pairs: self.confirm_pairs });
        if confirmation.as_ref().is_some_and(|confirmation| confirmation.problem().is_some()) {
            return Err(
                "its looks at suspects are impossible: fresh pairs are at least 2 and rise".to_owned()
            );
        }
        let cells: Vec<CellRun> =
            self.cells.into_iter().map(CellWire::into_cell).collect::<Result<_, _>>()?;
        for (index, cell) in cells.iter().enumerate() {
            if cells[..index].iter().any(|other| other.group == cell.group && other.id == cell.id) {
                return Err(format!("the cell `{}` is there twice", cell.full_id()));
            }
        }
        Ok(Run {
            id: self.id,
            bench: self.bench,
            started,
            elapsed: Duration::from_nanos(self.elapsed_ns),
            environment: Environment { machine: machine.into(), setup, commit, dirty, load, condition },
            cells,
            stop: self.stop.map(|stop| match stop {
                StopWire::Signal(number) => Stop::Signal(number),
                StopWire::Failed(why) => Stop::Failed(why),
                StopWire::TimeUp => Stop::TimeUp,
            }),
            base_ref: self.base_ref,
            look: self.look,
            confirmation,
        })
    }
}

impl CellWire {
    fn into_cell(self) -> Result<CellRun, String> {
        let wrong = |problem: String| format!("the cell `{}/{}`: {problem}", self.group, self.id);
        let rules = self.rules.into_rules().map_err(wrong)?;
        let metrics = self.metrics.iter().map(|id| known(id)).collect::<Result<_, _>>().map_err(wrong)?;
        let closed = |rounds: Vec<RoundWire>| -> Result<Vec<Round>, String> {
            rounds.into_iter().map(RoundWire::into_round).collect()
        };
        let rounds = closed(self.rounds).map_err(wrong)?;
        let base = closed(self.base).map_err(wrong)?;
        if !base.is_empty() && base.len() != rounds.len() {
            return Err(wrong("its duet has rounds without a partner".to_owned()));
        }
        Ok(CellRun {
            group: self.group,
            about: self.about,
            id: self.id,
            function: self.function,
            load: self.load,
            concurrency: self.concurrency,
            throughput: self.throughput.map(|throughput| match throughput {
                ThroughputWire::Bytes(bytes) => Throughput::Bytes(bytes),
                ThroughputWire::Elements(elements) => Throughput::Elements(elements),
            }),
            definition: self.definition,
            window: Duration::from_nanos(self.window_ns),
            metrics,
            rules,
            rounds,
            base,
            base_failure: self.base_failure,
            invalid: self.invalid,
            notes: self.notes,
        })
    }
}

impl RulesWire {
    fn into_rules(self) -> Result<Rules, String> {
        let is_sound = (0.0..=1.0).contains(&self.least_success_ratio)
            && self.noise_threshold.is_none_or(is_fraction)
            && self.equivalence.is_none_or(is_fraction)
            && is_level(self.confidence_level)
            && is_level(self.significance_level)
            && (1..=Settings::MOST_RESAMPLES).contains(&self.nresamples);
        if !is_sound {
            return Err("one of its rules is out of range".to_owned());
        }
        let limit = |limit: LimitWire| {
            Ok(Limit { metric: known(&limit.metric)?.id, most: Duration::from_nanos(limit.most_ns) })
        };
        Ok(Rules {
            least_success_ratio: self.least_success_ratio,
            judged: self.judged,
            limits: self.limits.into_iter().map(limit).collect::<Result<_, String>>()?,
            noise_threshold: self.noise_threshold,
            equivalence: self.equivalence,
            confidence_level: self.confidence_level,
            significance_level: self.significance_level,
            nresamples: self.nresamples,
        })
    }
}

impl RoundWire {
    fn into_round(self) -> Result<Round, String> {
        let others = [self.connections, self.reconnects, self.unstamped, self.slow_sends];
        let counted = self.statuses.values().chain(self.faults.values()).chain(&others);
        if self.successes > self.requests
            || self.requests > LARGEST_COUNT
            || counted.copied().any(|count| count > LARGEST_COUNT)
        {
            return Err("one of its rounds has impossible counts".to_owned());
        }
        let faults = self.faults.iter().map(|(name, count)| Ok((name.parse::<Fault>()?, *count)));
        let value = |(id, value): (&String, &f64)| match known(id)? {
            metric if is_possible(metric, *value) => Ok((metric.id, *value)),
            metric => Err(format!("one of its rounds has an impossible value of `{}`", metric.id)),
        };
        let round = Round {
            launch: self.launch,
            started: Duration::from_nanos(self.started_ns),
            window: Duration::from_nanos(self.window_ns),
            counts: Counts {
                requests: self.requests,
                successes: self.successes,
                faults: faults.collect::<Result<_, String>>()?,
                statuses: self.statuses,
                connections: self.connections,
                reconnects: self.reconnects,
                unstamped: self.unstamped,
                slow_sends: self.slow_sends,
            },
            values: self.values.iter().map(value).collect::<Result<_, String>>()?,
            latency: EncodedHistogram(self.latency),
            failure_latency: EncodedHistogram(self.failure_latency),
        };
        let is_whole = |histogram: &EncodedHistogram| histogram.decode().is_some();
        if is_whole(&round.latency) && is_whole(&round.failure_latency) {
            Ok(round)
        } else {
            Err("one of its histograms is damaged".to_owned())
        }
    }
}
