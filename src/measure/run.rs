//! A run: the trial, then launch after launch, each with its rounds.
//!
//! In a duet the rounds come in pairs, back to back, base and head in random order. Both sides start again at each launch, in random
//! order too, and request their endpoints in the same order. Disturbances of the machine then affect both (Bulej et al., Duet
//! benchmarking, ICPE 2020).

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fastrand::Rng;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::measure::MeasureError;
use crate::measure::clock::{ClockOffset, open_stamp_guard};
use crate::measure::control::{ControlProgram, identity};
use crate::measure::exchange::Resolver;
use crate::measure::http1::MAX_KEPT;
use crate::measure::note::Note;
use crate::measure::port::ephemeral_ports;
use crate::measure::round::LiveCell;
use crate::measure::service::{Launcher, Running, wait_for};
use crate::measure::signals::Interrupt;
use crate::measure::window::Timing;
use crate::plan::metric::LATENCY_P50;
use crate::plan::{
    Against, Cell, Endpoint, Group, Load, Plan, Schedule, ServiceKind, ServiceSchedule, Side, Transport,
    Visit, affordable_launches, is_https,
};
use crate::record::{
    BaseFailure, CellRun, ConditionSum, Control, Counters, Counts, Environment, Event, Fall, Fault, Judged,
    LEAST_ROUNDS, METRICS, Metric, Round, Run, Stop, Tally, UsualRound, fall, fall_of_rounds, metric,
    needs_more_rounds, run_id,
};

/// Lines of a targets file that are tested before measuring; a check tests all.
const MAX_TESTED: usize = 100;
/// Rounds of the trial, if fewer requests succeed than the cell requires: caches may still be cold.
const TRIAL_ROUNDS: usize = 3;
/// The share of a cell's measuring time that its trial may take, to see latencies fall: a third.
const TRIAL_SHARE: u32 = 3;
/// The round number of warm-ups, which no round has: their seed is never that of a round.
const WARM_UP: usize = usize::MAX;
/// Statuses from here on mean that the server failed.
const SERVER_ERRORS: u16 = 500;
/// Open files besides the connections: pipes to services, the runtime, reports.
const OTHER_FILES: u64 = 64;
/// The limit of open files is raised to this multiple of what this process needs. Services inherit it, and need a file for each
/// connection as well; a proxy needs two.
const FILES_FACTOR: u64 = 2;

/// How long a side is loaded before the other side has its turn, for a profiler.
const PROFILE_TURN: Duration = Duration::from_secs(1);

/// The time between two updates of the progress of [`load`].
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Options of measuring that are not part of the plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MeasureOptions<'a> {
    /// The package's folder, in which services start.
    pub(crate) root: &'a Path,
    /// Arguments to append to the command line of each service, in a duet of head.
    pub(crate) service_args: &'a [String],
    /// The user's name for this machine.
    pub(crate) test_bed: Option<&'a str>,
    /// The program to run again as the server of the control, if the control is measured.
    pub(crate) control: Option<&'a Path>,
    /// When to stop with what is complete.
    pub(crate) deadline: Option<Instant>,
}

/// Measures all runs of a plan.
///
/// A signal, the deadline or the death of a service ends it early: the run then says so in `stop`, and has all complete rounds.
///
/// # Errors
/// If nothing could be measured, for example because a service does not start or a test request fails.
pub(crate) fn measure(
    plan: &Plan,
    options: MeasureOptions<'_>,
    on_event: &mut dyn FnMut(Event),
) -> Result<Vec<Run>, MeasureError> {
    let interrupt = Interrupt::subscribe()?;
    on_one_thread(async {
        let _guard = open_stamp_guard().await;
        Measurement::prepare(plan, options, on_event)?.measure(&interrupt).await
    })
}

/// Makes each request of a plan until it succeeds, a few times at most, and checks the response, in a duet only of head. `on_cell` gets
/// the id of each cell, and the first of its requests that never succeeded. Returns the signal that ended it early.
///
/// # Errors
/// If a service does not start.
pub(crate) fn check(
    plan: &Plan,
    options: MeasureOptions<'_>,
    on_cell: &mut dyn FnMut(&str, Option<&MeasureError>),
) -> Result<Option<i32>, MeasureError> {
    uncounted(plan, options, async |measurement| measurement.check(on_cell).await)
}

/// Does something with the services of a plan that counts nothing. Returns the signal that ended it early.
fn uncounted<'a>(
    plan: &'a Plan,
    options: MeasureOptions<'a>,
    work: impl AsyncFnOnce(&Measurement<'a, '_>) -> Result<(), MeasureError>,
) -> Result<Option<i32>, MeasureError> {
    let interrupt = Interrupt::subscribe()?;
    on_one_thread(async {
        let mut ignore = |_: Event| {};
        let measurement = Measurement::prepare(plan, options, &mut ignore)?;
        allow_connections(measurement.max_connections())?;
        tokio::select! {
            biased;
            signal = interrupt.wait() => Ok(Some(signal)),
            done = work(&measurement) => done.map(|()| None),
        }
    })
}

/// The services that are loaded for a profiler: in a duet the side of each, and its process if it is known.
pub(crate) type Processes = [(Option<Side>, Option<u32>)];

/// Keeps load on each cell for `time`, in a duet on each side in turns, and counts nothing. `on_cell` gets the id of each cell before it
/// is loaded. Returns the signal that ended it early.
///
/// # Errors
/// If a service does not start or dies, or a test request fails.
pub(crate) fn profile(
    plan: &Plan,
    options: MeasureOptions<'_>,
    time: Duration,
    on_cell: &mut dyn FnMut(&str, &Processes),
) -> Result<Option<i32>, MeasureError> {
    uncounted(plan, options, async |measurement| measurement.profile(time, on_cell).await)
}

/// The result of [`load`].
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) tally: Tally,
    /// From the first departure to the last return, at most the requested length.
    pub(crate) elapsed: Duration,
    /// The signal that ended it early.
    pub(crate) signal: Option<i32>,
    /// Why it was not measured.
    pub(crate) problem: Option<Note>,
    pub(crate) notes: Vec<Note>,
}

/// Loads one cell once, without warm-up, for `length` or until all its requests are back. Its endpoints must have whole URLs. First
/// waits up to `wait` until each host responds. `on_progress` gets the counts ten times per second.
///
/// # Errors
/// If an endpoint cannot be requested. Faults are counted and are not errors.
pub(crate) fn load(
    group: &Group,
    cell: &Cell,
    length: Option<Duration>,
    wait: Option<Duration>,
    seed: u64,
    mut on_progress: Option<&mut dyn FnMut(&Counts)>,
) -> Result<Loaded, MeasureError> {
    check_features(group, cell)?;
    allow_connections(max_connections(&group.transport, cell))?;
    let interrupt = Interrupt::subscribe()?;
    on_one_thread(async {
        let _guard = open_stamp_guard().await;
        let resolver = Arc::default();
        let mut live = LiveCell::new(group, cell, None, &group.transport, &resolver)?;
        if let (None, Some(path)) = (wait, &group.transport.unix_socket) {
            // A counted fault would not name it.
            let found = std::fs::metadata(path);
            found.map_err(|source| MeasureError::UnixSocket { path: path.clone(), source })?;
        }
        if let Some(timeout) = wait {
            tokio::select! {
                ready = wait_for_hosts(group, cell, timeout) => ready?,
                signal = interrupt.wait() => {
                    let (tally, signal) = (Tally::default(), Some(signal));
                    let (elapsed, notes) = (Duration::ZERO, Vec::new());
                    return Ok(Loaded { tally, elapsed, signal, problem: None, notes });
                }
            }
        }
        let timing = length.map_or(Timing::Whole, |length| Timing::AtOnce { length });
        let (started, offset) = (Instant::now(), ClockOffset::read());
        let signal = live.run_until(timing, seed, async |window| {
            let mut signal = pin!(interrupt.wait());
            loop {
                tokio::select! {
                    signal = &mut signal => return signal,
                    () = tokio::time::sleep(PROGRESS_INTERVAL), if on_progress.is_some() => {
                        on_progress.iter_mut().for_each(|show| show(window.borrow().counts()));
                    }
                }
            }
        });
        let signal = signal.await;
        let clock_was_set = offset.was_set();
        // Requests that were sent after the window are not counted, and neither is their time.
        let elapsed = started.elapsed().min(length.unwrap_or(Duration::MAX));
        let tally = live.into_tally();
        let lacks_ports = tally.counts.faults.contains_key(&Fault::NoFreePort);
        let problem = if lacks_ports {
            Some(Note::NoFreePort { range: ephemeral_ports() })
        } else {
            clock_was_set.then_some(Note::ClockSet)
        };
        let notes = resolver.spreads().into_iter().map(Note::Addresses).collect();
        Ok(Loaded { tally, elapsed, signal, problem, notes })
    })
}

/// Waits until each host that a cell names responds to the first endpoint that names it.
async fn wait_for_hosts(group: &Group, cell: &Cell, timeout: Duration) -> Result<(), MeasureError> {
    let began = Instant::now();
    for endpoint in cell.targets.first_of_each_host() {
        wait_for(endpoint, group, began, timeout).await?;
    }
    Ok(())
}

fn on_one_thread<T>(future: impl Future<Output = Result<T, MeasureError>>) -> Result<T, MeasureError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, future)
}

/// A service, in a duet a pair of services, with the cells that load it.
struct ServiceUnderTest<'a> {
    head: Launcher,
    /// `None` if this is not a duet.
    base: Option<Launcher>,
    group: &'a Group,
    /// Indices of its cells.
    cells: Vec<usize>,
    launches: usize,
    /// How long one launch takes to start, warm up and stop all sides.
    start_time: Duration,
}

impl ServiceUnderTest<'_> {
    fn sides(&self) -> Vec<Side> {
        if self.base.is_some() { vec![Side::Base, Side::Head] } else { vec![Side::Head] }
    }

    fn launcher(&self, side: Side) -> &Launcher {
        self.base.as_ref().filter(|_| side == Side::Base).unwrap_or(&self.head)
    }
}

/// One side of a launch while its service is running.
struct LiveSide<'a> {
    side: Side,
    running: Running,
    /// The cells that are measured on it, by index.
    cells: Vec<(usize, LiveCell<'a>)>,
}

struct Measurement<'a, 'e> {
    plan: &'a Plan,
    options: MeasureOptions<'a>,
    cells: Vec<(&'a Group, &'a Cell)>,
    services: Vec<ServiceUnderTest<'a>>,
    /// Each cell without rounds: what a run begins with.
    planned: Vec<CellRun>,
    /// Cells that the trial found to be still warming up, by index.
    warming: BTreeSet<usize>,
    resolver: Arc<Resolver>,
    control: Option<ControlProgram>,
    /// What else the machine did during the rounds of the current run.
    condition: ConditionSum,
    on_event: &'e mut dyn FnMut(Event),
    rounds_done: usize,
    rounds_total: usize,
}

impl<'a, 'e> Measurement<'a, 'e> {
    /// Finds the program of each distinct service; starts nothing.
    fn prepare(
        plan: &'a Plan,
        options: MeasureOptions<'a>,
        on_event: &'e mut dyn FnMut(Event),
    ) -> Result<Self, MeasureError> {
        let cells: Vec<(&Group, &Cell)> =
            plan.groups.iter().flat_map(|group| group.cells.iter().map(move |cell| (group, cell))).collect();
        let launcher = |service, side, args| Launcher::prepare(service, side, args, options.root);
        let mut services: Vec<ServiceUnderTest<'a>> = Vec::new();
        for (index, (group, cell)) in cells.iter().enumerate() {
            check_features(group, cell)?;
            if let Some(service) = services.iter_mut().find(|service| shares_launches(service.group, group)) {
                service.cells.push(index);
                continue;
            }
            let mut head = launcher(&group.service, Side::Head, options.service_args)?;
            let mut base = group.base.as_ref().map(|base| launcher(base, Side::Base, &[])).transpose()?;
            base.iter_mut().for_each(|base| Launcher::align_stacks(base, &mut head));
            let (cells, launches, start_time) = (vec![index], 1, Duration::ZERO);
            services.push(ServiceUnderTest { head, base, group, cells, launches, start_time });
        }
        Ok(Self {
            plan,
            options,
            planned: cells
                .iter()
                .map(|(group, cell)| CellRun::planned(group, cell, &service_args(group, &options)))
                .collect(),
            warming: BTreeSet::new(),
            cells,
            services,
            resolver: Arc::default(),
            control: options.control.map(ControlProgram::new),
            condition: ConditionSum::default(),
            on_event,
            rounds_done: 0,
            rounds_total: 0,
        })
    }

    async fn measure(mut self, interrupt: &Interrupt) -> Result<Vec<Run>, MeasureError> {
        allow_connections(self.max_connections())?;
        tokio::select! {
            trial = self.trial() => trial?,
            // The first run then stops because of the same signal, and says so.
            _ = interrupt.wait() => {}
        }
        self.announce();
        let mut runs: Vec<Run> = Vec::new();
        while runs.len() < self.plan.runs && runs.last().is_none_or(|run| run.stop.is_none()) {
            let run = self.run(runs.len(), interrupt).await;
            runs.push(run);
        }
        (self.on_event)(Event::Finished);
        Ok(runs)
    }

    async fn check(&self, on_cell: &mut dyn FnMut(&str, Option<&MeasureError>)) -> Result<(), MeasureError> {
        for service in &self.services {
            let (settings, transport) = (&service.group.settings, &service.group.transport);
            let running = service.head.start(settings.ready_timeout, transport).await?;
            for &index in &service.cells {
                let tested = self.live_cell(index, &running)?.test(usize::MAX).await;
                on_cell(&self.id(index), tested.failure.as_ref());
            }
            running.stop().await;
        }
        Ok(())
    }

    /// Loads the cells of one launch after the other.
    async fn profile(
        &self,
        time: Duration,
        on_cell: &mut dyn FnMut(&str, &Processes),
    ) -> Result<(), MeasureError> {
        for service in &self.services {
            let sides = service.sides();
            let at_a_time = if self.plan.alone { 1 } else { sides.len() };
            for sides in sides.chunks(at_a_time) {
                let mut live = Vec::new();
                for &side in sides {
                    let (settings, transport) = (&service.group.settings, &service.group.transport);
                    let started = service.launcher(side).start(settings.ready_timeout, transport).await;
                    let started = started.map_err(|source| match service.base {
                        None => MeasureError::Service(source),
                        Some(_) => MeasureError::SideStart { side, source },
                    });
                    live.push((service.base.is_some().then_some(side), started?));
                }
                for &index in &service.cells {
                    self.profile_cell(index, &mut live, time, on_cell).await?;
                }
                for (_, running) in live {
                    running.stop().await;
                }
            }
        }
        Ok(())
    }

    async fn profile_cell(
        &self,
        index: usize,
        live: &mut [(Option<Side>, Running)],
        time: Duration,
        on_cell: &mut dyn FnMut(&str, &Processes),
    ) -> Result<(), MeasureError> {
        let (id, seed) = (self.id(index), self.seed(index, WARM_UP, 0));
        let mut cells = Vec::new();
        for (side, running) in live.iter_mut() {
            let mut cell = self.live_cell(index, running)?;
            // What fails at first is warmed up, too.
            let tested = cell.test(MAX_TESTED).await;
            if let Some(error) = tested.failure.filter(|_| tested.failed == tested.requests) {
                running.check_alive(&id)?;
                return Err(match *side {
                    Some(side) => MeasureError::OfSide { side, error: Box::new(error) },
                    None => error,
                });
            }
            cells.push(cell);
        }
        let processes: Vec<_> = live.iter().map(|(side, running)| (*side, running.process())).collect();
        on_cell(&id, &processes);
        let length = if cells.len() == 1 { time } else { PROFILE_TURN.min(time) };
        let (began, whole) = (Instant::now(), times(time, cells.len()));
        let mut turn = 0;
        while began.elapsed() < whole {
            for (cell, (_, running)) in cells.iter_mut().zip(live.iter_mut()) {
                cell.warm_up(length, mix(seed, turn)).await;
                running.check_alive(&id)?;
            }
            turn += 1;
        }
        Ok(())
    }

    /// Starts each service once. Each request is tested, and each cell has rounds that do not count but decide the number of launches and
    /// the metrics. A request may fail; only a cell of head that never succeeds ends the call. In a duet the rounds of base decide: a
    /// metric must not disappear because head is slow. A cell that base cannot answer is new, and is measured on head alone.
    async fn trial(&mut self) -> Result<(), MeasureError> {
        for index in 0..self.services.len() {
            let settings = &self.services[index].group.settings;
            let sides = self.services[index].sides();
            let (mut started_in, mut round_times) = (Duration::ZERO, Duration::ZERO);
            for &side in &sides {
                let launcher = self.services[index].launcher(side);
                (self.on_event)(Event::Launching { service: launcher.describe().to_owned() });
                let began = Instant::now();
                let transport = &self.services[index].group.transport;
                let started = launcher.start(settings.ready_timeout, transport).await;
                let mut running = started.map_err(|source| match sides.len() {
                    1 => MeasureError::Service(source),
                    _ => MeasureError::SideStart { side, source },
                })?;
                started_in += began.elapsed();
                let round_time = self.trial_of_side(index, &mut running, side).await;
                let began = Instant::now();
                running.stop().await;
                started_in += began.elapsed();
                round_times += round_time.map_err(|error| match error {
                    MeasureError::TestRequest { .. } | MeasureError::Service(_) if sides.len() > 1 => {
                        MeasureError::OfSide { side, error: Box::new(error) }
                    }
                    error => error,
                })?;
            }
            let start_time = started_in + times(settings.warm_up_time, sides.len());
            let measuring_time = times(round_times, sides.len() * settings.sample_size);
            let affordable = affordable_launches(settings.sample_size, measuring_time, start_time);
            let service = &mut self.services[index];
            let can_restart =
                sides.iter().all(|&side| matches!(service.launcher(side), Launcher::Command(_)));
            service.launches = if can_restart { settings.launches.unwrap_or(affordable) } else { 1 };
            service.start_time = start_time;
        }
        Ok(())
    }

    /// Returns how long one round of each cell takes, of those cells whose metrics this side decides.
    async fn trial_of_side(
        &mut self,
        service: usize,
        running: &mut Running,
        side: Side,
    ) -> Result<Duration, MeasureError> {
        let mut round_times = Duration::ZERO;
        for index in self.services[service].cells.clone() {
            let (group, cell) = self.cells[index];
            let mut live = self.live_cell(index, running)?;
            let seed = self.seed(index, WARM_UP, 0);
            let tested = live.test(MAX_TESTED).await;
            if tested.failure.is_some() {
                // The death of the service says more than the request that failed because of it.
                running.check_alive(&self.id(index))?;
            }
            let mut has_success = tested.has_success();
            if !has_success && !tested.hangs {
                live.warm_up(group.settings.warm_up_time, seed).await;
                let first = live.round(seed).await.ok_or(MeasureError::ClockSet)?;
                has_success = first.counts.successes > 0;
                running.check_alive(&self.id(index))?;
            }
            match tested.failure {
                Some(MeasureError::TestRequest { fault, what, .. }) if !has_success && side == Side::Base => {
                    let is_broken = match fault {
                        Fault::Status(status) => status >= SERVER_ERRORS,
                        fault => !fault.is_response(),
                    };
                    self.planned[index].base_failure = Some(BaseFailure { what, is_broken });
                    continue;
                }
                Some(error) if !has_success => return Err(error),
                Some(MeasureError::TestRequest { url, what, .. }) if side == Side::Head => {
                    let note = Note::FailedTests { failed: tested.failed, of: tested.requests, url, what };
                    self.planned[index].notes.push(note.to_string());
                }
                _ => {}
            }
            let invalid = slow_request(group, cell.load, tested.slowest).map(|note| note.to_string());
            self.planned[index].invalid = self.planned[index].invalid.take().or(invalid);
            let decides =
                side == Side::Base || group.base.is_none() || self.planned[index].base_failure.is_some();
            if !decides || !self.is_measured(index, side) {
                continue;
            }
            let warming = self.trial_rounds(index, &mut live, seed).await?;
            let trial = live.last_round().ok_or(MeasureError::ClockSet)?;
            round_times += if cell.load.is_timed() { group.settings.window() } else { trial.window };
            let metrics = reachable_metrics(trial, cell.metrics.as_deref().unwrap_or_default());
            let note = missing_metrics(&metrics, group, cell.load, &trial.counts);
            self.planned[index].notes.extend(warming.into_iter().chain(note).map(|note| note.to_string()));
            self.planned[index].metrics = metrics;
            running.check_alive(&self.id(index))?;
        }
        Ok(round_times)
    }

    /// Warms a cell up and makes rounds that do not count: one if it is not faster than the warm-up. Tells that latencies fell, and until
    /// when.
    async fn trial_rounds(
        &mut self,
        index: usize,
        live: &mut LiveCell<'a>,
        seed: u64,
    ) -> Result<Option<Note>, MeasureError> {
        let settings = &self.cells[index].0.settings;
        let began = Instant::now();
        live.warm_up(settings.warm_up_time, seed).await;
        let (mut starts, mut latencies, mut cold_rounds) = (Vec::new(), Vec::new(), 0);
        let latency_of = |tally: &Tally| tally.latency.quantile_ns(0.5);
        // A warm-up that is shorter than a round shows cold starts alone. And where rounds are few, those of the launches must show a fall.
        let longest = settings.measurement_time / TRIAL_SHARE;
        let can_show =
            settings.warm_up_time >= settings.window() && settings.window() * LEAST_ROUNDS <= longest;
        let warm_up = live.last_round().and_then(latency_of).filter(|_| can_show);
        while needs_more_rounds(warm_up, &latencies) {
            let start = began.elapsed();
            let trial = live.round(seed).await.ok_or(MeasureError::ClockSet)?;
            cold_rounds += 1;
            if trial.counts.success_ratio() < Some(settings.min_success_ratio) && cold_rounds < TRIAL_ROUNDS {
                continue;
            }
            let Some(latency) = latency_of(trial) else { break };
            starts.push(start);
            latencies.push(latency);
            if began.elapsed() > settings.warm_up_time + longest {
                break;
            }
        }
        let Some(fall) = fall(&[latencies], settings.noise_threshold(Against::StoredRuns)) else {
            return Ok(None);
        };
        self.warming.insert(index);
        let (Fall { by, goes_on, .. }, settled) = (fall, starts[fall.settled]);
        let warm_up_time = times(settled, self.cells_with(index));
        Ok(Some(Note::WarmingUp { by, goes_on, settled, warm_up_time }))
    }

    /// The number of cells that share the warm-up time of a launch with this one.
    fn cells_with(&self, index: usize) -> usize {
        let service = self.services.iter().find(|service| service.cells.contains(&index));
        service.map_or(1, |service| service.cells.len())
    }

    /// Tells that the latencies of a cell fell over the rounds of its launches, unless the trial has.
    fn warming_up(&self, index: usize, cell: &CellRun) -> Option<Note> {
        let settings = &self.cells[index].0.settings;
        let threshold = settings.noise_threshold(Against::StoredRuns);
        let (fall, settled) = fall_of_rounds(&cell.rounds, LATENCY_P50, threshold)
            .filter(|_| !self.warming.contains(&index))?;
        // All cells of a launch are loaded in turn.
        let settled = settings.warm_up_time + settled;
        let Fall { by, goes_on, .. } = fall;
        Some(Note::WarmingUp { by, goes_on, settled, warm_up_time: settled })
    }

    fn announce(&mut self) {
        let (mut rounds, mut windows) = (0, Duration::ZERO);
        let measured = self.planned.iter().zip(&self.cells).filter(|(cell, _)| cell.invalid.is_none());
        for (cell, (group, _)) in measured {
            let sides = if group.base.is_some() && cell.base_failure.is_none() { 2 } else { 1 };
            rounds += sides * group.settings.sample_size;
            windows += times(group.settings.measurement_time, sides);
        }
        let starts = self.services.iter().map(|service| times(service.start_time, service.launches));
        let mut time = windows + starts.sum::<Duration>();
        if let Some(control) = &mut self.control {
            let launches = self.services.iter().map(|service| service.launches).max().unwrap_or(1);
            time += control.size_for(launches);
        }
        self.rounds_total = rounds * self.plan.runs;
        (self.on_event)(Event::Started {
            cells: self.cells.len(),
            rounds: self.rounds_total,
            windows: times(windows, self.plan.runs),
            time: times(time, self.plan.runs),
            is_duet: self.services.iter().any(|service| service.base.is_some()),
        });
    }

    async fn run(&mut self, number: usize, interrupt: &Interrupt) -> Run {
        let (started, run_start) = (SystemTime::now(), Instant::now());
        let environment = self.environment();
        let mut run = Run {
            id: run_id(started, environment.commit.as_deref()),
            bench: self.plan.bench.clone(),
            started,
            elapsed: Duration::ZERO,
            environment,
            epoch: None,
            control: None,
            is_filtered: false,
            base_ref: None,
            confirmations: Vec::new(),
            cells: self.planned.clone(),
            stop: None,
            confirmation: self.plan.confirmation.clone(),
        };
        self.condition = ConditionSum::default();
        let visits = self.schedule().visits(mix(self.plan.seed, number as u64));
        let deadline = self.options.deadline;
        let mut control = self.control.as_ref().map(|_| identity(&run.environment)).map(Control::new);
        let measured = async {
            for (index, visit) in visits.iter().enumerate() {
                self.launch_control(&mut control, index, visits.len());
                self.launch(visit, &mut run.cells, run_start).await?;
            }
            self.launch_control(&mut control, visits.len(), visits.len());
            Ok(())
        };
        let ended = tokio::select! {
            biased;
            signal = interrupt.wait() => Err(Stop::Signal(signal)),
            () = until(deadline) => Err(Stop::TimeUp),
            ended = measured => ended,
        };
        run.stop = ended.err();
        run.control = control;
        for (index, (cell, (group, planned))) in run.cells.iter_mut().zip(&self.cells).enumerate() {
            if group.base.is_some() && cell.base_failure.is_none() {
                cell.keep_pairs();
            }
            // Notes on rounds mean nothing without any.
            if cell.rounds.is_empty() {
                cell.notes.clear();
                continue;
            }
            cell.notes.extend(self.warming_up(index, cell).map(|note| note.to_string()));
            let urls = given_urls(group, planned);
            let hosts: BTreeSet<String> = urls.filter_map(|url| host(&group.transport, url)).collect();
            let spreads = self.resolver.spreads().into_iter().filter(|spread| hosts.contains(&spread.host));
            cell.notes.extend(spreads.map(|spread| Note::Addresses(spread).to_string()));
        }
        run.elapsed = run_start.elapsed();
        run.environment.condition = self.condition.condition();
        run
    }

    fn schedule(&self) -> Schedule {
        let services = self.services.iter().map(|service| ServiceSchedule {
            launches: service.launches,
            rounds: service.group.settings.sample_size,
            cells: service.cells.iter().copied().filter(|&cell| self.is_measured(cell, Side::Head)).collect(),
        });
        Schedule { services: services.collect() }
    }

    /// The launches of the control that are due before that one of the visits, among which they are spread evenly.
    fn launch_control(&self, control: &mut Option<Control>, visit: usize, visits: usize) {
        let (Some(program), Some(control)) = (&self.control, control) else { return };
        while control.launches() < program.launches
            && control.launches() * (visits + 1) / program.launches <= visit
        {
            // What is measured is worth more than what it can be compared with.
            let Ok(figures) = program.launch() else { break };
            if figures.is_empty() {
                break;
            }
            for (name, figure) in figures {
                control.figures.entry(name).or_default().push(figure);
            }
        }
    }

    /// One launch of a service, in a duet of both sides: start, warm-up, rounds, stop.
    async fn launch(&mut self, visit: &Visit, cells: &mut [CellRun], run_start: Instant) -> Result<(), Stop> {
        if visit.rounds.is_empty() {
            return Ok(());
        }
        let seed = mix(mix(self.plan.seed, visit.service as u64), visit.launch as u64);
        let mut rng = Rng::with_seed(seed);
        let mut sides = self.services[visit.service].sides();
        rng.shuffle(&mut sides);
        let at_a_time = if self.plan.alone { 1 } else { sides.len() };
        for sides in sides.chunks(at_a_time) {
            let mut live = Vec::new();
            for &side in sides {
                let started = self.start_side(visit, side).await;
                live.push(started.map_err(|error| self.stop_because(visit, side, &error))?);
            }
            let before = counters(&live);
            for &index in &visit.rounds {
                rng.shuffle(&mut live);
                for LiveSide { side, running, cells: live_cells } in &mut live {
                    let live_cell = live_cells.iter_mut().find(|(cell, _)| *cell == index);
                    let Some((_, live_cell)) = live_cell else { continue };
                    let rounds = match side {
                        Side::Base => &mut cells[index].base,
                        Side::Head => &mut cells[index].rounds,
                    };
                    // Both rounds of a pair have the same number, and with it the same order of endpoints.
                    let seed = self.seed(index, rounds.len(), 0);
                    let started = run_start.elapsed();
                    let tally = live_cell.round(seed).await;
                    let id = self.id(index);
                    let alive = running.check_alive(&id);
                    alive.map_err(|death| self.stop_because(visit, *side, &death))?;
                    let tally = tally.ok_or_else(|| Stop::Failed(MeasureError::ClockSet.to_string()))?;
                    rounds.push(Round::close(tally, visit.launch, started));
                    self.rounds_done += 1;
                    let (done, of) = (self.rounds_done, self.rounds_total);
                    (self.on_event)(Event::Round { cell: id, done, of });
                }
            }
            self.condition.add(&before, &counters(&live));
            for LiveSide { running, cells, .. } in live {
                drop(cells);
                running.stop().await;
            }
        }
        Ok(())
    }

    /// Starts one side and warms up its cells.
    async fn start_side(&self, visit: &Visit, side: Side) -> Result<LiveSide<'a>, MeasureError> {
        let service = &self.services[visit.service];
        let settings = &service.group.settings;
        let launcher = service.launcher(side);
        let mut running = launcher.start(settings.ready_timeout, &service.group.transport).await?;
        let warm_up = settings.warm_up_time / u32::try_from(service.cells.len()).unwrap_or(u32::MAX);
        let mut cells = Vec::new();
        for &index in service.cells.iter().filter(|&&index| self.is_measured(index, side)) {
            let mut cell = self.live_cell(index, &running)?;
            cell.warm_up(warm_up, self.seed(index, WARM_UP, visit.launch)).await;
            running.check_alive(&self.id(index))?;
            cells.push((index, cell));
        }
        Ok(LiveSide { side, running, cells })
    }

    fn stop_because(&self, visit: &Visit, side: Side, error: &dyn std::error::Error) -> Stop {
        let is_duet = self.services[visit.service].base.is_some();
        Stop::Failed(if is_duet { format!("{side}: {error}") } else { error.to_string() })
    }

    fn live_cell(&self, index: usize, running: &Running) -> Result<LiveCell<'a>, MeasureError> {
        let (group, cell) = self.cells[index];
        let transport = running.transport(&group.transport);
        LiveCell::new(group, cell, running.url.as_deref(), &transport, &self.resolver)
    }

    fn environment(&self) -> Environment {
        let is_local = self
            .cells
            .iter()
            .all(|(group, cell)| given_urls(group, cell).all(|url| is_local(&group.transport, url)));
        let mut environment = Environment::collect(is_local, self.options.root, self.options.test_bed);
        for service in &self.services {
            for (what, launcher) in
                [("service", Some(&service.head)), ("base service", service.base.as_ref())]
            {
                if let Some(digest) = launcher.and_then(Launcher::digest) {
                    environment.setup.insert(format!("{what} {}", service.group.name), digest.to_owned());
                }
            }
        }
        environment
    }

    /// The most connections that a launch can have open: each cell keeps its own, in a duet on both sides.
    fn max_connections(&self) -> usize {
        let connections = |service: &ServiceUnderTest| {
            let cells = service.cells.iter().map(|&cell| {
                let (group, cell) = self.cells[cell];
                max_connections(&group.transport, cell)
            });
            let sides = if self.plan.alone { 1 } else { service.sides().len() };
            // A service in this process holds the other end of each.
            let ends = if matches!(service.group.service.0, ServiceKind::InProcess(_)) { 2 } else { 1 };
            ends * sides * cells.sum::<usize>()
        };
        self.services.iter().map(connections).max().unwrap_or(0)
    }

    /// The full id of a cell.
    fn id(&self, cell: usize) -> String {
        self.planned[cell].id.to_string()
    }

    /// Whether a cell is measured on this side. A cell that base cannot answer is measured on head alone.
    fn is_measured(&self, cell: usize, side: Side) -> bool {
        let cell = &self.planned[cell];
        cell.invalid.is_none() && (side == Side::Head || cell.base_failure.is_none())
    }

    /// The seed for the order of endpoints in one round: the same for each build that is measured, different for each round.
    fn seed(&self, cell: usize, round: usize, launch: usize) -> u64 {
        let of_cell = self.id(cell).bytes().fold(self.plan.seed, |seed, byte| mix(seed, u64::from(byte)));
        mix(mix(of_cell, round as u64), launch as u64)
    }
}

fn times(duration: Duration, factor: usize) -> Duration {
    duration.saturating_mul(u32::try_from(factor).unwrap_or(u32::MAX))
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// The arguments of a group's service, and the commands before its launches: they may fill its database. Paths in the package are the
/// same wherever it lies.
fn service_args(group: &Group, options: &MeasureOptions) -> Vec<String> {
    let ServiceKind::Command(command) = &group.service.0 else { return Vec::new() };
    let root = options.root.to_string_lossy();
    let before = command.before.iter().flat_map(|hook| {
        // The program lies elsewhere if it was built for a duet.
        let program = Path::new(hook.program()).file_name().map(|name| name.to_string_lossy().into_owned());
        program.into_iter().chain(hook.args.clone())
    });
    let args = command.args.iter().chain(options.service_args).cloned();
    args.chain(before).map(|arg| arg.replace(&*root, ".")).collect()
}

/// Whether the same launches can serve the cells of both groups.
fn shares_launches(one: &Group, other: &Group) -> bool {
    let key = |group: &Group| {
        let settings = &group.settings;
        // Where it listens is the same for all its cells.
        let (socket, version) = (group.transport.unix_socket.clone(), group.transport.ip_version);
        (
            settings.sample_size,
            settings.launches,
            settings.warm_up_time,
            settings.ready_timeout,
            socket,
            version,
        )
    };
    one.service == other.service && one.base == other.base && key(one) == key(other)
}

/// The machine's counters, with those of the services that are running.
fn counters(live: &[LiveSide]) -> Counters {
    let groups: Option<Vec<Vec<i32>>> = live.iter().map(|live| live.running.groups()).collect();
    Counters::read(groups.map(|groups| groups.concat()).as_deref())
}

/// Combines two numbers to a seed, with the finaliser of SplitMix64.
fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The URLs that a bench file states. Other requests go to a service that plimsoll starts.
fn given_urls<'a>(group: &'a Group, cell: &'a Cell) -> impl Iterator<Item = &'a str> {
    let service = match &group.service.0 {
        ServiceKind::Url(service) => Some(service.url.as_str()),
        _ => None,
    };
    let endpoints = cell.targets.endpoints().iter().map(Endpoint::url);
    service.into_iter().chain(endpoints.filter(|url| !url.starts_with('/')))
}

/// The host that connections for a URL lead to, without the brackets of an IPv6 address.
fn host(transport: &Transport, url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    let port = uri.port_u16().unwrap_or(if is_https(url) { 443 } else { 80 });
    Some(transport.destination(uri.host()?.trim_matches(['[', ']']), port).0.to_owned())
}

/// Whether requests to a URL stay on this machine.
fn is_local(transport: &Transport, url: &str) -> bool {
    let host = host(transport, url).unwrap_or_default();
    transport.unix_socket.is_some()
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// # Errors
/// If a cell needs something that this build does not include.
fn check_features(group: &Group, cell: &Cell) -> Result<(), MeasureError> {
    let needs_https = given_urls(group, cell).any(is_https);
    let (what, feature) = if needs_https && !cfg!(feature = "https") {
        ("https", "https")
    } else if !group.transport.is_plain() && !cfg!(feature = "reqwest") {
        ("HTTP/2, a proxy or redirects", "reqwest")
    } else {
        return Ok(());
    };
    Err(MeasureError::NeedsFeature { cell: cell.id.to_string(), what, feature })
}

/// The most connections that a cell can have open: each of its workers keeps one to each of some hosts.
fn max_connections(transport: &Transport, cell: &Cell) -> usize {
    let most = if transport.no_keepalive { 1 } else { MAX_KEPT };
    // Paths go to the service, which is one host.
    let uris = cell.targets.endpoints().iter().filter_map(|endpoint| endpoint.resolve(Some("http://-")).ok());
    let hosts: BTreeSet<String> = uris.filter_map(|uri| Some(uri.authority()?.to_string())).collect();
    cell.load.concurrency().saturating_mul(hosts.len().clamp(1, most))
}

/// Raises the soft limit of open files, 1,024 on most systems, if that many connections need it: a lack of files would be counted
/// as failures of the service. It is not raised to the hard limit, which may be a billion: some services keep a table of all
/// possible files, or close them one by one.
///
/// # Errors
/// If the hard limit is too low.
fn allow_connections(connections: usize) -> Result<(), MeasureError> {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(()) };
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    if needed <= soft {
        return Ok(());
    }
    let enough = needed.saturating_mul(FILES_FACTOR).min(hard);
    if needed <= hard && setrlimit(Resource::RLIMIT_NOFILE, enough, hard).is_ok() {
        return Ok(());
    }
    Err(MeasureError::OpenFiles { connections, needed, limit: if needed <= hard { soft } else { hard } })
}

/// The metrics that rounds like this one can be expected to have, and those of the baseline if this one has them.
fn reachable_metrics(trial: &Tally, in_baseline: &[String]) -> Vec<&'static Metric> {
    let is_reachable = |metric: &&Metric| {
        let has_value = metric.value(trial).is_some();
        let is_expected = trial.counts.successes >= metric.promised_from();
        let is_in_baseline = in_baseline.iter().any(|id| id == metric.id);
        (is_expected && (metric.least_successes > 1 || has_value)) || (is_in_baseline && has_value)
    };
    METRICS.iter().filter(is_reachable).collect()
}

/// Tells which of the usual metrics the rounds of a cell have too few successes for.
fn missing_metrics(metrics: &[&Metric], group: &Group, load: Load, trial: &Counts) -> Option<Note> {
    let is_usual = |metric: &&Metric| matches!(metric.judged, Judged::Always) || metric.id == "latency_p99";
    let missing: Vec<_> =
        METRICS.iter().filter(is_usual).filter(|metric| !metrics.contains(metric)).collect();
    let round = UsualRound {
        is_timed: load.is_timed(),
        measurement_time: group.settings.measurement_time,
        requests: trial.requests as f64,
        successes: trial.successes as f64,
    };
    (!missing.is_empty()).then_some(Note::TooFewSuccesses { metrics: missing, round })
}

/// Tells that a single request takes longer than all rounds of its cell may take.
fn slow_request(group: &Group, load: Load, took: Duration) -> Option<Note> {
    let settings = &group.settings;
    if !load.is_timed() || took <= settings.measurement_time {
        return None;
    }
    let requests = metric("latency_p50").map_or(1, Metric::promised_from);
    let requests_per_worker = (requests as f64 / load.concurrency() as f64).max(1.0);
    let needed = took.mul_f64(requests_per_worker).mul_f64(settings.sample_size as f64);
    Some(Note::SlowRequest { took, measurement_time: settings.measurement_time, needed })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::plan::{Location, Service};

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"output_tokens\": 7}";

    /// A server that answers each request on each connection with the same bytes.
    fn answering(answer: &'static [u8]) -> Service {
        Service::in_process(move |listener: TcpListener| async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                tokio::task::spawn_local(async move {
                    let mut request = [0; 4096];
                    while connection.read(&mut request).await.is_ok_and(|read| read > 0) {
                        if connection.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        })
    }

    fn plan(service: Service, loads: &[Load]) -> Plan {
        let mut group = Group::new("g", Location::unknown());
        group.service = service;
        group.settings.sample_size = 10;
        group.settings.measurement_time = Duration::from_millis(200);
        group.settings.warm_up_time = Duration::from_millis(10);
        group.cells = loads.iter().map(|load| cell(*load, Endpoint::get("/x"))).collect();
        Plan {
            bench: "b".into(),
            groups: vec![group],
            errors: Vec::new(),
            runs: 1,
            seed: 1,
            ..Plan::default()
        }
    }

    fn cell(load: Load, endpoint: Endpoint) -> Cell {
        Cell {
            id: crate::plan::CellId::new("g", load.to_string()),
            targets: endpoint.into(),
            load,
            throughput: None,
            location: Location::unknown(),
            metrics: None,
        }
    }

    fn options(root: &tempfile::TempDir) -> MeasureOptions<'_> {
        MeasureOptions { root: root.path(), service_args: &[], test_bed: None, control: None, deadline: None }
    }

    fn measured(plan: &Plan) -> (Result<Vec<Run>, MeasureError>, Vec<Event>) {
        let root = tempfile::tempdir().unwrap();
        let options = options(&root);
        let mut events = Vec::new();
        let runs = measure(plan, options, &mut |event| events.push(event));
        (runs, events)
    }

    #[test]
    fn loopback_is_recognised_by_name_and_by_address() {
        for url in ["http://127.0.0.1:80/x", "http://localhost", "http://[::1]:8080", "http://127.9.9.9/"] {
            assert!(is_local(&Transport::default(), url), "{url}");
        }
        for url in ["http://10.0.0.1/", "https://example.org", "nonsense", "http://localhost.example.org/"] {
            assert!(!is_local(&Transport::default(), url), "{url}");
        }
        let detour = vec!["example.org:443:127.0.0.1:8443".parse().unwrap()];
        let moved = Transport { connect_to: detour, ..Transport::default() };
        assert!(is_local(&moved, "https://example.org") && !is_local(&moved, "http://example.org"));
        let socket = Transport { unix_socket: Some("/run/x".into()), ..Transport::default() };
        assert!(is_local(&socket, "http://10.0.0.1/"));
    }

    #[test]
    fn each_cell_has_its_rounds_and_metrics() {
        let plan = plan(answering(OK), &[Load::closed(2), Load::burst(30)]);
        let (runs, events) = measured(&plan);
        let run = &runs.unwrap()[0];
        assert_eq!(run.stop, None);
        for cell in &run.cells {
            assert_eq!(cell.rounds.len(), 10, "{}", cell.id);
            let counts = cell.counts();
            assert_eq!(counts.success_ratio(), Some(1.0));
            assert_eq!(cell.series().launches(), 1);
            for id in ["latency_p50", "latency_max", "response_bytes", "output_tokens"] {
                assert!(cell.series().values.contains_key(id), "{} lacks {id}", cell.id);
            }
            assert_eq!(cell.rounds[0].values["response_bytes"], 20.0);
            assert_eq!(cell.rounds[0].values["output_tokens"], 7.0);
        }
        let burst = &run.cells[1];
        assert!(burst.rounds.iter().all(|round| round.counts.requests == 30));
        assert!(
            events.contains(&Event::Round { cell: "g/burst(30)".into(), done: 20, of: 20 })
                || events.len() > 20
        );
        assert_eq!(events.last(), Some(&Event::Finished));
    }

    /// Measures long enough for the kernel's tick counters.
    #[cfg(target_os = "linux")]
    fn condition(service: Service) -> crate::record::Condition {
        let mut plan = plan(service, &[Load::closed(1)]);
        plan.groups[0].settings.measurement_time = Duration::from_millis(1_300);
        let run = measured(&plan).0.unwrap().remove(0);
        run.environment.condition.expect("Linux counts what its CPUs do")
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_share_of_other_processes_is_known_unless_plimsoll_did_not_start_the_service() {
        use std::io::{Read, Write};
        let own = condition(answering(OK));
        assert!(own.others_share.is_some() && own.stolen_share.is_some(), "{own:?}");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut request = [0; 4096];
                    while connection.read(&mut request).is_ok_and(|read| read > 0) {
                        if connection.write_all(OK).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        let foreign = condition(Service::url(url));
        assert!(foreign.others_share.is_none() && foreign.stolen_share.is_some(), "{foreign:?}");
    }

    #[test]
    fn for_a_profiler_each_cell_is_loaded_on_each_side_and_nothing_is_counted() {
        let root = tempfile::tempdir().unwrap();
        let mut plan = plan(answering(OK), &[Load::closed(1), Load::burst(3)]);
        let both = vec![Some(Side::Base), Some(Side::Head)];
        for (base, sides) in [(None, vec![None]), (Some(answering(OK)), both)] {
            plan.groups[0].base = base;
            let mut told = Vec::new();
            let began = Instant::now();
            let time = Duration::from_millis(100);
            let ended = profile(&plan, options(&root), time, &mut |cell, processes| {
                told.push((cell.to_owned(), processes.to_vec()));
            });
            assert_eq!(ended.unwrap(), None);
            assert!(began.elapsed() >= time * 2 * sides.len() as u32);
            // Both servers are in this process.
            let own: Vec<_> = sides.into_iter().map(|side| (side, Some(std::process::id()))).collect();
            let expected = ["g/closed(1)", "g/burst(3)"].map(|cell| (cell.to_owned(), own.clone()));
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_failed_test_request_names_the_cell_the_url_and_the_response() {
        let plan = plan(answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), &[Load::closed(1)]);
        let error = measured(&plan).0.unwrap_err().to_string();
        assert!(
            error.contains("`g/closed(1)`") && error.contains("/x") && error.contains("503 instead of a 2xx"),
            "{error}"
        );
    }

    /// A server that answers 503 to the first requests of all.
    fn failing_at_first(failures: usize) -> Service {
        let served = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        Service::in_process(move |listener: TcpListener| {
            let served = Arc::clone(&served);
            async move {
                while let Ok((mut connection, _)) = listener.accept().await {
                    let served = Arc::clone(&served);
                    tokio::task::spawn_local(async move {
                        let mut request = [0; 4096];
                        while connection.read(&mut request).await.is_ok_and(|read| read > 0) {
                            let is_early =
                                served.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < failures;
                            let early: &[u8] = b"HTTP/1.1 503 Cold\r\nContent-Length: 0\r\n\r\n";
                            if connection.write_all(if is_early { early } else { OK }).await.is_err() {
                                return;
                            }
                        }
                    });
                }
            }
        })
    }

    #[test]
    fn a_cell_whose_first_requests_all_fail_is_measured() {
        for failures in [3, 6] {
            let mut plan = plan(failing_at_first(failures), &[Load::closed(1)]);
            plan.groups[0].settings.min_success_ratio = 0.8;
            let run = measured(&plan).0.unwrap().remove(0);
            assert_eq!((run.cells[0].rounds.len(), run.stop), (10, None));
            assert_eq!(run.cells[0].counts().success_ratio(), Some(1.0));
        }
    }

    /// A server that knows no path but `/x`.
    fn knowing_x() -> Service {
        Service::in_process(|listener: TcpListener| async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                tokio::task::spawn_local(async move {
                    let mut request = [0; 4096];
                    while connection.read(&mut request).await.is_ok_and(|read| read > 0) {
                        let unknown: &[u8] = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
                        let is_known = request.starts_with(b"GET /x");
                        if connection.write_all(if is_known { OK } else { unknown }).await.is_err() {
                            return;
                        }
                    }
                });
            }
        })
    }

    #[test]
    fn an_endpoint_that_never_succeeds_counts_by_the_ratio_of_its_cell() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("endpoints.txt");
        std::fs::write(&file, "/x/1\n/x/2\n/x/3\n/gone\n/x/4\n").unwrap();
        let mut plan = plan(knowing_x(), &[Load::closed(1)]);
        plan.groups[0].cells[0].targets = crate::plan::Targets::from_file(file).unwrap();
        plan.groups[0].settings.min_success_ratio = 0.7;
        let run = measured(&plan).0.unwrap().remove(0);
        let cell = &run.cells[0];
        assert!(cell.rounds.len() == 10 && cell.is_fair());
        let note = &cell.notes[0];
        assert!(
            note.starts_with("All test requests to 1 of 5 endpoints failed (http://127.0.0.1:"),
            "{note}"
        );
        assert!(note.ends_with("/gone: unexpected status 404 instead of a 2xx)"), "{note}");
        // A test is there to find it.
        let mut wrong = None;
        check(&plan, options(&root), &mut |_, error| wrong = error.map(ToString::to_string)).unwrap();
        assert!(wrong.unwrap().contains("/gone"));
    }

    #[test]
    fn a_duet_has_as_many_rounds_of_base_as_of_head_whether_both_run_at_the_same_time_or_not() {
        for alone in [false, true] {
            let mut plan = plan(answering(OK), &[Load::closed(1), Load::closed(2)]);
            plan.alone = alone;
            plan.groups[0].base = Some(answering(OK));
            let (runs, events) = measured(&plan);
            let run = runs.unwrap().remove(0);
            let planned = plan.groups[0].settings.sample_size;
            for cell in &run.cells {
                assert_eq!((cell.rounds.len(), cell.base.len()), (planned, planned));
                let launches = |rounds: &[crate::record::Round]| {
                    rounds.iter().map(|round| round.launch).collect::<Vec<_>>()
                };
                assert_eq!(launches(&cell.rounds), launches(&cell.base));
                assert!(cell.base_counts().successes > 0);
            }
            let rounds = events.iter().filter(|event| matches!(event, Event::Round { .. })).count();
            assert_eq!(rounds, 4 * planned, "one event for each round of each side");
        }
    }

    #[test]
    fn a_deadline_ends_a_duet_with_complete_pairs() {
        let mut plan = plan(answering(OK), &[Load::closed(1)]);
        plan.groups[0].base = Some(answering(OK));
        let root = tempfile::tempdir().unwrap();
        let deadline = Some(std::time::Instant::now());
        let run =
            measure(&plan, MeasureOptions { deadline, ..options(&root) }, &mut |_| {}).unwrap().remove(0);
        assert_eq!(run.stop, Some(Stop::TimeUp));
        assert_eq!(run.cells[0].rounds.len(), run.cells[0].base.len());
    }

    #[test]
    fn a_check_goes_on_after_a_failed_cell() {
        let mut plan = plan(answering(OK), &[Load::closed(1), Load::closed(2), Load::closed(3)]);
        plan.groups[0].cells[0].targets = Endpoint::get("/x").expect_body_contains("nowhere").into();
        plan.groups[0].cells[1].targets = Endpoint::get("/x").expect_body_lacks("output_tokens").into();
        let root = tempfile::tempdir().unwrap();
        let options = options(&root);
        let mut cells = Vec::new();
        check(&plan, options, &mut |cell, wrong| {
            cells.push((cell.to_owned(), wrong.map(|wrong| wrong.to_string())))
        })
        .unwrap();
        let wrong = cells[0].1.as_deref().unwrap();
        assert!(
            cells[0].0 == "g/closed(1)" && wrong.contains("its body does not contain \"nowhere\""),
            "{wrong}"
        );
        let wrong = cells[1].1.as_deref().unwrap();
        assert!(wrong.contains("its body contains \"output_tokens\""), "{wrong}");
        assert_eq!(cells[2..], [("g/closed(3)".to_owned(), None)]);
    }

    #[test]
    fn a_request_longer_than_the_measurement_time_makes_the_cell_invalid() {
        let slow = Service::in_process(|listener: TcpListener| async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                tokio::task::spawn_local(async move {
                    let mut request = [0; 4096];
                    while connection.read(&mut request).await.is_ok_and(|read| read > 0) {
                        tokio::time::sleep(Duration::from_millis(300)).await;
                        _ = connection.write_all(OK).await;
                    }
                });
            }
        });
        let run = &measured(&plan(slow, &[Load::closed(1)])).0.unwrap()[0];
        let why = run.cells[0].invalid.as_deref().unwrap();
        assert!(
            why.contains("longer than the whole measurement_time")
                && why.contains("set measurement_time to at least"),
            "{why}"
        );
        assert!(run.cells[0].rounds.is_empty());
    }

    #[test]
    fn a_service_that_warms_up_is_noticed_by_the_trial_with_the_time_that_it_needs() {
        let warming = Service::in_process(|listener: TcpListener| async move {
            let served = std::rc::Rc::new(std::cell::Cell::new(0_u64));
            while let Ok((mut connection, _)) = listener.accept().await {
                let served = std::rc::Rc::clone(&served);
                tokio::task::spawn_local(async move {
                    let mut request = [0; 4096];
                    while connection.read(&mut request).await.is_ok_and(|read| read > 0) {
                        served.set(served.get() + 1);
                        tokio::time::sleep(Duration::from_millis(
                            30_u64.saturating_sub(served.get() / 3).max(4),
                        ))
                        .await;
                        _ = connection.write_all(OK).await;
                    }
                });
            }
        });
        let mut plan = plan(warming, &[Load::closed(1)]);
        plan.groups[0].settings.sample_size = 30;
        plan.groups[0].settings.measurement_time = Duration::from_secs(3);
        plan.groups[0].settings.warm_up_time = Duration::from_millis(100);
        let run = measured(&plan).0.unwrap().remove(0);
        let notes = run.cells[0].notes.join("\n");
        assert!(notes.contains("still warming up") && notes.contains("--warm-up-time"), "{notes}");
    }

    #[test]
    fn rounds_before_the_death_of_the_service_are_kept() {
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_over);
        let dying = Service::in_process(move |listener: TcpListener| {
            let seen = Arc::clone(&seen);
            async move {
                while let Ok((mut connection, _)) = listener.accept().await {
                    let mut request = [0; 4096];
                    while connection.read(&mut request).await.is_ok_and(|read| read > 0) {
                        assert!(!seen.load(Ordering::Relaxed), "too many requests");
                        _ = connection.write_all(OK).await;
                    }
                }
            }
        });
        let root = tempfile::tempdir().unwrap();
        let runs = measure(&plan(dying, &[Load::closed(1)]), options(&root), &mut |event| {
            is_over.fetch_or(matches!(event, Event::Round { done: 3, .. }), Ordering::Relaxed);
        });
        let run = &runs.unwrap()[0];
        let Some(Stop::Failed(why)) = &run.stop else { panic!("{:?}", run.stop) };
        assert!(why.contains("too many requests"), "{why}");
        assert_eq!(run.cells[0].rounds.len(), 3);
    }

    #[test]
    fn seeds_are_reproducible_and_different() {
        assert_eq!(mix(1, 2), mix(1, 2));
        assert_ne!(mix(1, 2), mix(1, 3));
        assert_ne!(mix(1, 2), mix(2, 2));
    }

    fn trial(successes: u64) -> Tally {
        let counts = Counts { requests: successes, successes, ..Counts::default() };
        let mut tally = Tally { window: Duration::from_millis(330), counts, ..Tally::default() };
        (0..successes).for_each(|_| tally.latency.record(Duration::from_millis(5)));
        tally
    }

    fn reachable(successes: u64, in_baseline: &[&str]) -> Vec<&'static str> {
        let in_baseline: Vec<String> = in_baseline.iter().map(|&id| id.to_owned()).collect();
        reachable_metrics(&trial(successes), &in_baseline).iter().map(|metric| metric.id).collect()
    }

    #[test]
    fn a_metric_is_reachable_with_twice_the_successes_that_a_round_needs() {
        assert!(reachable(1_000, &[]).contains(&"latency_p99"));
        let fewer = reachable(999, &[]);
        assert!(fewer.contains(&"latency_p95") && !fewer.contains(&"latency_p99"));
        assert!(!reachable(39, &[]).contains(&"throughput") && reachable(40, &[]).contains(&"throughput"));
        assert!(!reachable(40, &[]).contains(&"output_tokens"), "no response has any");
    }

    #[test]
    fn a_metric_of_the_baseline_is_kept_if_the_trial_has_it() {
        assert!(reachable(600, &["latency_p99"]).contains(&"latency_p99"));
        assert!(!reachable(600, &["output_tokens"]).contains(&"output_tokens"));
    }

    #[test]
    fn usual_metrics_that_are_out_of_reach_get_a_note() {
        let group = Group::new("g", Location::unknown());
        let note = |successes| {
            let trial = trial(successes);
            missing_metrics(&reachable_metrics(&trial, &[]), &group, Load::burst(300), &trial.counts)
        };
        assert_eq!(note(1_000), None);
        let Some(Note::TooFewSuccesses { metrics, round }) = note(300) else { panic!("{:?}", note(300)) };
        assert_eq!(metrics.iter().map(|metric| metric.id).collect::<Vec<_>>(), ["latency_p99"]);
        assert!(!round.is_timed && round.successes == 300.0);
    }

    #[test]
    fn a_request_that_takes_longer_than_all_rounds_makes_a_closed_loop_invalid() {
        let group = Group::new("g", Location::unknown());
        assert_eq!(slow_request(&group, Load::closed(1), Duration::from_secs(9)), None);
        let took = Duration::from_secs(12);
        let Some(Note::SlowRequest { needed, .. }) = slow_request(&group, Load::closed(10), took) else {
            panic!("12 s are more than the measurement time")
        };
        assert_eq!(needed, Duration::from_secs(720));
        assert_eq!(slow_request(&group, Load::burst(10), took), None);
    }

    #[test]
    fn each_worker_keeps_a_connection_to_each_host_but_not_to_thousands() {
        let connections = |lines: &[String]| {
            let root = tempfile::tempdir().unwrap();
            let file = root.path().join("endpoints.txt");
            std::fs::write(&file, lines.join("\n")).unwrap();
            let targets = crate::plan::Targets::from_file(file).unwrap();
            let cell = Cell { targets, ..cell(Load::closed(100), Endpoint::get("/")) };
            let new_ones = Transport { no_keepalive: true, ..Transport::default() };
            assert_eq!(max_connections(&new_ones, &cell), 100);
            max_connections(&Transport::default(), &cell)
        };
        let hosts = |count: usize| (0..count).map(|n| format!("http://10.0.0.1:{}/", 1_000 + n));
        assert_eq!(connections(&["/a".to_owned(), "/b".to_owned()]), 100);
        assert_eq!(connections(&hosts(16).collect::<Vec<_>>()), 1_600);
        assert_eq!(connections(&hosts(5_000).collect::<Vec<_>>()), 1_600);
        let mixed: Vec<String> = hosts(2).chain(hosts(1)).chain(["/a".to_owned()]).collect();
        assert_eq!(connections(&mixed), 300);
    }

    #[test]
    fn the_limit_of_open_files_is_raised_as_far_as_the_connections_need() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        allow_connections(1).unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (soft, hard));
        // Enough for the tests that run at the same time.
        let low = soft.min(4_096);
        if low + OTHER_FILES <= hard {
            setrlimit(Resource::RLIMIT_NOFILE, low, hard).unwrap();
            allow_connections(usize::try_from(low).unwrap()).unwrap();
            let raised = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
            assert_eq!(raised, ((2 * (low + OTHER_FILES)).min(hard), hard));
        }
        if let Ok(most) = usize::try_from(hard)
            && most < usize::MAX
        {
            let error = allow_connections(most).unwrap_err().to_string();
            assert!(error.contains(&hard.to_string()) && error.contains("ulimit -n"), "{error}");
        }
    }
}
