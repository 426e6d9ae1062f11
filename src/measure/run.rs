//! The walk over all launches: the trial, then run after run, each sweep in random order.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use fastrand::Rng;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::measure::clock::Guard;
use crate::measure::error::MeasureError;
use crate::measure::exchange::Resolver;
use crate::measure::round::LiveCell;
use crate::measure::service::{Launcher, Running};
use crate::measure::signals::Interrupt;
use crate::measure::window::Timing;
use crate::plan::{
    Cell, Group, Load, Plan, Schedule, Service, ServiceSchedule, Side, Visit, affordable_launches,
    whole_seconds,
};
use crate::record::words::duration_ns;
use crate::record::{
    BaseFailure, CellRun, ConditionSum, Counters, Counts, Environment, Event, Fault, Judged, METRICS, Metric,
    Round, Run, Stop, Tally, UsualRound, metric, run_id,
};

/// Lines of a targets file that are tried before anything is timed; a check alone tries all.
const MOST_TRIED: usize = 100;

/// Statuses from here on say that a server failed.
const SERVER_ERRORS: u16 = 500;

/// Base's trial makes a request again before it says that base cannot answer it: an endpoint may fail at times.
const TRIES_OF_BASE: usize = 5;

/// The number of what is loaded before the first round of a launch: it never meets a round's deck.
pub(crate) const WARM_UP: usize = usize::MAX;

/// Where a plan is measured, beside what it says itself.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The package's folder: services start in it.
    pub root: &'a Path,
    /// Arguments to append to each service's command line; in a duet to head's.
    pub service_args: &'a [String],
    /// The user's name for this machine.
    pub test_bed: Option<&'a str>,
    /// When to end with what is known, if not before.
    pub until: Option<Instant>,
}

/// A service with the cells that load it.
pub(crate) struct Stand<'a> {
    /// What starts the service, in a duet head.
    pub(crate) head: Launcher,
    /// What starts a duet's base.
    pub(crate) base: Option<Launcher>,
    pub(crate) group: &'a Group,
    /// Indices of its cells.
    pub(crate) cells: Vec<usize>,
    launches: usize,
    /// How long starting and warming up all sides of one launch takes.
    start_time: Duration,
}

impl Stand<'_> {
    fn service(&self, side: Side) -> &Service {
        match (side, &self.group.base) {
            (Side::Base, Some(base)) => base,
            _ => &self.group.service,
        }
    }

    /// What starts one side; without a duet there is the head alone.
    pub(crate) fn launcher(&self, side: Side) -> &Launcher {
        match (side, &self.base) {
            (Side::Base, Some(base)) => base,
            _ => &self.head,
        }
    }
}

/// A plan while it is measured.
pub(crate) struct Measurement<'a, 'e> {
    plan: &'a Plan,
    site: Site<'a>,
    pub(crate) cells: Vec<(&'a Group, &'a Cell)>,
    pub(crate) stands: Vec<Stand<'a>>,
    /// Each cell without rounds, as each run begins with it.
    planned: Vec<CellRun>,
    resolver: Rc<Resolver>,
    /// What the machine did during the rounds of this run.
    pub(crate) condition: ConditionSum,
    tell: &'e mut dyn FnMut(Event),
    rounds_done: usize,
    rounds_in_all: usize,
}

impl<'a, 'e> Measurement<'a, 'e> {
    /// Finds each distinct service's program; starts nothing.
    pub(crate) fn prepare(
        plan: &'a Plan,
        site: Site<'a>,
        tell: &'e mut dyn FnMut(Event),
    ) -> Result<Self, MeasureError> {
        let cells: Vec<(&Group, &Cell)> =
            plan.groups.iter().flat_map(|group| group.cells.iter().map(move |cell| (group, cell))).collect();
        let prepared = |service, args| Launcher::prepare(service, args, site.root);
        let mut stands: Vec<Stand<'a>> = Vec::new();
        for (index, (group, cell)) in cells.iter().enumerate() {
            check_features(group, cell)?;
            match stands.iter_mut().find(|stand| shares_launches(stand.group, group)) {
                Some(stand) => stand.cells.push(index),
                None => {
                    let mut head = prepared(&group.service, site.service_args)?;
                    let base = group.base.as_ref().map(|base| prepared(base, &[]));
                    let mut base = base.transpose()?;
                    base.iter_mut().for_each(|base| Launcher::align_stacks(base, &mut head));
                    stands.push(Stand {
                        head,
                        base,
                        group,
                        cells: vec![index],
                        launches: 1,
                        start_time: Duration::ZERO,
                    });
                }
            }
        }
        let planned = cells.iter().map(|(group, cell)| CellRun::planned(group, cell)).collect();
        let resolver = Rc::new(Resolver::new(None));
        let condition = ConditionSum::default();
        let (rounds_done, rounds_in_all) = (0, 0);
        Ok(Self { plan, site, cells, stands, planned, resolver, condition, tell, rounds_done, rounds_in_all })
    }

    /// The trial and all runs; a signal ends it with what is complete.
    pub(crate) async fn measure(mut self, interrupt: &Interrupt) -> Result<Vec<Run>, MeasureError> {
        self.allow_connections()?;
        let tried = tokio::select! {
            tried = self.trial() => Some(tried),
            _ = interrupt.wait() => None,
        };
        if let Some(tried) = tried {
            tried?;
        }
        // After a signal the first run ends at once by the same one: what is reported then says so.
        self.announce();
        let mut runs = Vec::new();
        for number in 0..self.plan.runs {
            let run = self.run(number, interrupt).await;
            let is_last = run.stop.is_some();
            runs.push(run);
            if is_last {
                break;
            }
        }
        (self.tell)(Event::Finished);
        Ok(runs)
    }

    /// Starts each service once: each request is made and checked, each cell has a round that does not count, and what that
    /// shows decides on launches and metrics. In a duet base shows it: what head lacks must not go missing because it is slow.
    /// A cell that base cannot answer is new: it is measured on head alone.
    async fn trial(&mut self) -> Result<(), MeasureError> {
        for index in 0..self.stands.len() {
            let ready_time_out = self.stands[index].group.settings.ready_time_out;
            let mut started_in = Duration::ZERO;
            let mut round_times = Vec::new();
            for side in self.sides(index) {
                let stand = &self.stands[index];
                (self.tell)(Event::Launching { service: service_in_words(stand.service(side)) });
                let started = stand.launcher(side).start(ready_time_out).await;
                let mut running = started.map_err(|error| match self.sides(index).len() {
                    1 => MeasureError::from(error),
                    _ => MeasureError::side_start(side, error),
                })?;
                started_in += running.started_in();
                let tried = self.trial_of(index, &mut running, side).await;
                running.stop().await;
                round_times.extend(tried?);
            }
            self.stands[index].launches = self.launches_of(index, started_in, &round_times);
            let warm_up = self.stands[index].group.settings.warm_up_time;
            self.stands[index].start_time =
                started_in + warm_up * u32::try_from(self.sides(index).len()).unwrap_or(u32::MAX);
        }
        Ok(())
    }

    /// The trial of one service; gives the time that a round takes of each cell whose metrics it decides.
    async fn trial_of(
        &mut self,
        stand: usize,
        running: &mut Running,
        side: Side,
    ) -> Result<Vec<Duration>, MeasureError> {
        let mut round_times = Vec::new();
        let is_duet = self.stands[stand].base.is_some();
        for &index in &self.stands[stand].cells.clone() {
            let (group, cell) = self.cells[index];
            let mut live = self.live(index, running)?;
            let tries = if side == Side::Base { TRIES_OF_BASE } else { 1 };
            let slowest = match live.try_each(MOST_TRIED, tries).await {
                Ok(slowest) => slowest,
                Err(wrong) => match running.has_died(&group.full_id(cell)) {
                    // A service that died gives no answer; that it died says more.
                    Some(death) => return Err(death.into()),
                    None if side == Side::Base => {
                        let is_broken = match wrong.fault {
                            Fault::Status(status) => status >= SERVER_ERRORS,
                            fault => fault != Fault::Body,
                        };
                        self.planned[index].base_failure = Some(BaseFailure { what: wrong.what, is_broken });
                        continue;
                    }
                    None => return Err(MeasureError::wrong_answer(group, cell, wrong)),
                },
            };
            let too_slow = too_slow(group, cell.load, slowest);
            self.planned[index].invalid = self.planned[index].invalid.take().or(too_slow);
            let decides = side == Side::Base || !is_duet || self.is_new(index);
            if self.planned[index].invalid.is_some() || !decides {
                continue;
            }
            let seed = self.seed(index, WARM_UP, 0);
            live.warm_up(group.settings.warm_up_time, seed).await;
            let trial = live.round(seed).await.ok_or(MeasureError::ClockSet)?;
            round_times.push(if cell.load.is_timed() { group.settings.window() } else { trial.window });
            decide(&mut self.planned[index], group, cell.load, cell.metrics.as_deref(), trial);
            if let Some(death) = running.has_died(&group.full_id(cell)) {
                return Err(death.into());
            }
        }
        Ok(round_times)
    }

    fn launches_of(&self, stand: usize, started_in: Duration, round_times: &[Duration]) -> usize {
        let sides = u32::try_from(self.sides(stand).len()).unwrap_or(u32::MAX);
        let stand = &self.stands[stand];
        let settings = &stand.group.settings;
        let has_launches = |service: &Service| service.has_launches();
        if !has_launches(&stand.group.service) || !stand.group.base.as_ref().is_none_or(has_launches) {
            return 1;
        }
        if let Some(launches) = settings.launches {
            return launches;
        }
        let a_round: Duration = round_times.iter().sum();
        let measuring = sides * a_round * u32::try_from(settings.sample_size).unwrap_or(u32::MAX);
        affordable_launches(settings.sample_size, measuring, started_in + sides * settings.warm_up_time)
    }

    fn announce(&mut self) {
        let measured = (0..self.cells.len()).filter(|&cell| self.is_measured(cell));
        let cells = measured.map(|cell| (self.cells[cell].0, self.is_new(cell)));
        let (rounds, windows) = cells.fold((0, Duration::ZERO), |(rounds, windows), (group, is_new)| {
            let sides: u32 = if group.base.is_some() && !is_new { 2 } else { 1 };
            let settings = &group.settings;
            (rounds + sides as usize * settings.sample_size, windows + sides * settings.measurement_time)
        });
        self.rounds_in_all = rounds * self.plan.runs;
        let runs = u32::try_from(self.plan.runs).unwrap_or(u32::MAX);
        let windows = windows * runs;
        let starts = |stand: &Stand| stand.start_time * u32::try_from(stand.launches).unwrap_or(u32::MAX);
        let time = windows + self.stands.iter().map(starts).sum::<Duration>() * runs;
        let is_duet = self.stands.iter().any(|stand| stand.base.is_some());
        let (cells, rounds) = (self.cells.len(), self.rounds_in_all);
        (self.tell)(Event::Started { cells, rounds, windows, time, is_duet });
    }

    async fn run(&mut self, number: usize, interrupt: &Interrupt) -> Run {
        let (started, begun) = (SystemTime::now(), Instant::now());
        let environment = self.environment();
        let mut run = Run {
            id: run_id(started, environment.commit.as_deref()),
            bench: self.plan.bench.clone(),
            started,
            elapsed: Duration::ZERO,
            environment,
            base_ref: None,
            cells: self.planned.clone(),
            stop: None,
            look: self.plan.look,
            confirmation: self.plan.confirmation.clone(),
        };
        self.condition = ConditionSum::default();
        for visit in self.schedule().visits(mix(self.plan.seed, number as u64)) {
            let visited = tokio::select! {
                biased;
                signal = interrupt.wait() => Err(Stop::Signal(signal)),
                () = time_is_up(self.site.until) => Err(Stop::TimeUp),
                visited = self.visit(&visit, &mut run.cells, begun) => visited,
            };
            if let Err(stop) = visited {
                run.stop = Some(stop);
                break;
            }
        }
        run.cells
            .iter_mut()
            .zip(&self.cells)
            .filter(|(cell, (group, _))| group.base.is_some() && cell.base_failure.is_none())
            .for_each(|(cell, _)| cell.keep_pairs());
        // What a round would reach says nothing where none came to its end.
        run.cells.iter_mut().filter(|cell| cell.rounds.is_empty()).for_each(|cell| cell.notes.clear());
        run.elapsed = begun.elapsed();
        run.environment.condition = self.condition.condition();
        run
    }

    fn schedule(&self) -> Schedule {
        let services = self.stands.iter().map(|stand| ServiceSchedule {
            launches: stand.launches,
            rounds: stand.group.settings.sample_size,
            cells: stand.cells.iter().copied().filter(|&cell| self.is_measured(cell)).collect(),
        });
        Schedule { services: services.collect() }
    }

    /// The services that a launch of a stand starts.
    pub(crate) fn sides(&self, stand: usize) -> Vec<Side> {
        let base = self.stands[stand].base.as_ref().map(|_| Side::Base);
        base.into_iter().chain([Side::Head]).collect()
    }

    /// Whether in a duet only the side being measured is alive.
    pub(crate) fn is_alone(&self) -> bool {
        self.plan.alone
    }

    /// Whether a cell has rounds at all.
    pub(crate) fn is_measured(&self, cell: usize) -> bool {
        self.planned[cell].invalid.is_none()
    }

    /// Whether base cannot answer a cell, so that it is measured on head alone.
    pub(crate) fn is_new(&self, cell: usize) -> bool {
        self.planned[cell].base_failure.is_some()
    }

    pub(crate) fn plan_seed(&self) -> u64 {
        self.plan.seed
    }

    pub(crate) fn tell_round(&mut self, cell: String) {
        self.rounds_done += 1;
        (self.tell)(Event::Round { cell, done: self.rounds_done, of: self.rounds_in_all });
    }

    pub(crate) fn live(&self, index: usize, running: &Running) -> Result<LiveCell<'a>, MeasureError> {
        let (group, cell) = self.cells[index];
        let service_url = Some(running.url()).filter(|url| !url.is_empty());
        LiveCell::new(group, cell, service_url, &self.resolver)
            .map_err(|source| MeasureError::Endpoint { cell: group.full_id(cell), source })
    }

    fn environment(&self) -> Environment {
        let is_local = |(group, cell): &(&Group, &Cell)| match &group.service {
            Service::Command(_) | Service::InProcess(_) => true,
            Service::Url(url) => is_loopback(url),
            Service::Absent => cell.targets.endpoints().iter().all(|endpoint| is_loopback(endpoint.url())),
        };
        let mut environment =
            Environment::collect(self.cells.iter().all(is_local), self.site.root, self.site.test_bed);
        for stand in &self.stands {
            let told = [("service", Some(&stand.head)), ("base service", stand.base.as_ref())];
            for (what, launcher) in told {
                if let Some(digest) = launcher.and_then(Launcher::digest) {
                    environment.setup.insert(format!("{what} {}", stand.group.name), digest.to_owned());
                }
            }
        }
        environment
    }

    /// The seed of one round's deck: the same for each build that is measured, another for each round.
    pub(crate) fn seed(&self, cell: usize, round: usize, launch: usize) -> u64 {
        let name = self.planned[cell].full_id();
        let named = name.bytes().fold(self.plan.seed, |seed, byte| mix(seed, u64::from(byte)));
        mix(mix(named, round as u64), launch as u64)
    }
}

/// Comes to its end at that time; never without one.
async fn time_is_up(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}

/// Whether the cells of two groups can be served by the same launches.
fn shares_launches(one: &Group, other: &Group) -> bool {
    let terms = |group: &Group| {
        let settings = &group.settings;
        (settings.sample_size, settings.launches, settings.warm_up_time, settings.ready_time_out)
    };
    one.service == other.service && one.base == other.base && terms(one) == terms(other)
}

/// One seed of two numbers (the finaliser of SplitMix64).
pub(crate) fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn is_loopback(url: &str) -> bool {
    let host: Option<http::Uri> = url.parse().ok();
    let host = host.as_ref().and_then(http::Uri::host).unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn service_in_words(service: &Service) -> String {
    match service {
        Service::Absent => "the endpoints' own hosts".to_owned(),
        Service::Command(command) => command.program().to_owned(),
        Service::Url(url) => url.clone(),
        Service::InProcess(_) => "the server in this process".to_owned(),
    }
}

/// Whether a cell asks for something that was left out of this build.
pub(crate) fn check_features(group: &Group, cell: &Cell) -> Result<(), MeasureError> {
    let is_https = |url: &str| url.starts_with("https:");
    let service_is_https = matches!(&group.service, Service::Url(url) if is_https(url));
    let asks_for_https =
        service_is_https || cell.targets.endpoints().iter().any(|endpoint| is_https(endpoint.url()));
    let missing =
        |what, feature| Err(MeasureError::NeedsFeature { cell: group.full_id(cell), what, feature });
    if asks_for_https && !cfg!(feature = "https") {
        return missing("https", "https");
    }
    if !group.transport.is_plain() && !cfg!(feature = "reqwest") {
        return missing("HTTP/2, a proxy or redirects", "reqwest");
    }
    Ok(())
}

/// One side of a launch while it lives.
struct Live<'a> {
    side: Side,
    running: Running,
    /// Its cells, by index.
    cells: Vec<(usize, LiveCell<'a>)>,
}

/// One round of a visit: the index of its cell, and its number among that cell's rounds.
type Turn = (usize, usize);

impl<'a> Measurement<'a, '_> {
    /// One launch: start, warm up, the rounds, stop.
    pub(crate) async fn visit(
        &mut self,
        visit: &Visit,
        cells: &mut [CellRun],
        begun: Instant,
    ) -> Result<(), Stop> {
        if visit.rounds.is_empty() {
            return Ok(());
        }
        let mut rng = Rng::with_seed(self.seed_of(visit));
        let mut sides = self.sides(visit.service);
        rng.shuffle(&mut sides);
        let turns = turns(visit, cells);
        if self.is_alone() {
            for side in sides {
                let mut live = [self.bring_up(visit, side).await?];
                self.rounds(&mut live, &turns, visit, cells, begun, &mut rng).await?;
                stop(live).await;
            }
            return Ok(());
        }
        let mut live = Vec::new();
        for side in sides {
            live.push(self.bring_up(visit, side).await?);
        }
        self.rounds(&mut live, &turns, visit, cells, begun, &mut rng).await?;
        stop(live).await;
        Ok(())
    }

    /// Starts one side and warms its cells.
    async fn bring_up(&self, visit: &Visit, side: Side) -> Result<Live<'a>, Stop> {
        let failed = |error: &dyn std::error::Error| self.failed(visit, side, error);
        let stand = &self.stands[visit.service];
        let settings = &stand.group.settings;
        let launcher = stand.launcher(side);
        let mut running = launcher.start(settings.ready_time_out).await.map_err(|error| failed(&error))?;
        let share = settings.warm_up_time / u32::try_from(stand.cells.len().max(1)).unwrap_or(u32::MAX);
        let mut cells = Vec::new();
        for &index in &stand.cells {
            let mut cell = self.live(index, &running).map_err(|error| failed(&error))?;
            if self.is_measured(index) && !(side == Side::Base && self.is_new(index)) {
                cell.warm_up(share, self.seed(index, WARM_UP, visit.launch)).await;
            }
            if let Some(death) = running.has_died(&self.name(index)) {
                return Err(failed(&death));
            }
            cells.push((index, cell));
        }
        Ok(Live { side, running, cells })
    }

    /// All rounds of the sides that live, in a duet pair after pair.
    async fn rounds(
        &mut self,
        live: &mut [Live<'a>],
        turns: &[Turn],
        visit: &Visit,
        cells: &mut [CellRun],
        begun: Instant,
        rng: &mut Rng,
    ) -> Result<(), Stop> {
        let before = counters(live);
        for &(index, number) in turns {
            rng.shuffle(live);
            for one in &mut *live {
                if one.side == Side::Base && self.is_new(index) {
                    continue;
                }
                let round = self.round(one, visit, (index, number), begun.elapsed()).await?;
                match one.side {
                    Side::Base => cells[index].base.push(round),
                    Side::Head => cells[index].rounds.push(round),
                }
                self.tell_round(cells[index].full_id());
            }
        }
        self.condition.add(&before, &counters(live));
        Ok(())
    }

    async fn round(
        &self,
        live: &mut Live<'a>,
        visit: &Visit,
        (index, number): Turn,
        started: Duration,
    ) -> Result<Round, Stop> {
        let (_, cell) =
            live.cells.iter_mut().find(|(cell, _)| *cell == index).expect("a visit loads its own cells");
        let tally = cell.round(self.seed(index, number, 0)).await;
        if let Some(death) = live.running.has_died(&self.name(index)) {
            return Err(self.failed(visit, live.side, &death));
        }
        let tally = tally.ok_or_else(|| Stop::Failed(MeasureError::ClockSet.to_string()))?;
        Ok(Round::close(tally, visit.launch, started))
    }

    /// The whole id of a cell.
    fn name(&self, cell: usize) -> String {
        let (group, cell) = self.cells[cell];
        group.full_id(cell)
    }

    fn failed(&self, visit: &Visit, side: Side, error: &dyn std::error::Error) -> Stop {
        Stop::Failed(match (self.sides(visit.service).len(), side) {
            (1, _) => error.to_string(),
            (_, Side::Base) => format!("base: {error}"),
            (_, Side::Head) => format!("head: {error}"),
        })
    }

    fn seed_of(&self, visit: &Visit) -> u64 {
        mix(mix(self.plan_seed(), visit.service as u64), visit.launch as u64)
    }
}

/// The machine's counters, with what the services have used that live.
fn counters(live: &[Live]) -> Counters {
    let groups: Option<Vec<Vec<i32>>> = live.iter().map(|one| one.running.groups()).collect();
    Counters::read(groups.map(|groups| groups.concat()).as_deref())
}

/// Numbers the rounds of a visit: both sides of a pair have one number, and so one deck.
fn turns(visit: &Visit, cells: &[CellRun]) -> Vec<Turn> {
    let number = |(place, &cell): (usize, &usize)| {
        let before = visit.rounds[..place].iter().filter(|&&other| other == cell).count();
        (cell, cells[cell].rounds.len() + before)
    };
    visit.rounds.iter().enumerate().map(number).collect()
}

async fn stop<'a>(live: impl IntoIterator<Item = Live<'a>>) {
    for Live { running, cells, .. } in live {
        drop(cells);
        running.stop().await;
    }
}

/// The metrics that rounds like the trial's can be expected to have.
fn reachable(trial: &Tally) -> Vec<&'static Metric> {
    let is_near = |metric: &&Metric| {
        trial.counts.successes >= metric.promised_from()
            && (metric.least_successes > 1 || (metric.value)(trial).is_some())
    };
    METRICS.iter().filter(is_near).collect()
}

/// The metrics of a cell: those of its baseline, if it has one, else those that the trial can reach; and what is worth saying.
pub(crate) fn decide(
    planned: &mut CellRun,
    group: &Group,
    load: Load,
    pinned: Option<&[String]>,
    trial: &Tally,
) {
    let mut metrics = reachable(trial);
    for metric in pinned.unwrap_or_default().iter().filter_map(|id| metric(id)) {
        if !metrics.contains(&metric) && (metric.value)(trial).is_some() {
            metrics.push(metric);
        }
    }
    metrics.sort_by_key(|metric| METRICS.iter().position(|row| row == *metric));
    planned.notes.extend(what_is_missing(&metrics, group, load, &trial.counts));
    planned.metrics = metrics;
}

/// Which of the usual metrics a cell is too slow for, and what would reach them; as criterion says it.
fn what_is_missing(metrics: &[&Metric], group: &Group, load: Load, had: &Counts) -> Option<String> {
    let is_usual = |metric: &&Metric| matches!(metric.judged, Judged::Always) || metric.id == "latency_p99";
    let missing: Vec<_> =
        METRICS.iter().filter(is_usual).filter(|metric| !metrics.contains(metric)).collect();
    let neediest = missing.iter().max_by_key(|metric| metric.least_successes)?;
    let named = |metric: &&Metric| format!("{} ({})", metric.title, metric.promised_from());
    let names: Vec<_> = missing.iter().copied().map(|metric| named(&metric)).collect();
    let round = UsualRound {
        is_timed: load.is_timed(),
        measurement_time: group.settings.measurement_time,
        requests: had.requests as f64,
        successes: had.successes as f64,
    };
    let them = if names.len() == 1 { "it" } else { "them" };
    let advice = round.remedy(neediest).map(|remedy| format!(": {remedy} would reach {them}"));
    Some(format!(
        "A round has {} successes, too few for {}{}",
        had.successes,
        names.join(", "),
        advice.unwrap_or_default()
    ))
}

/// Why a cell cannot be measured in its time, one exchange of which took so long; nothing when it can.
pub(crate) fn too_slow(group: &Group, load: Load, exchange: Duration) -> Option<String> {
    let settings = &group.settings;
    if !load.is_timed() || exchange <= settings.measurement_time {
        return None;
    }
    let least = metric("latency_p50").map_or(1, Metric::promised_from);
    let a_round = exchange.mul_f64(least as f64 / load.concurrency() as f64).max(exchange);
    let time = whole_seconds(a_round.mul_f64(settings.sample_size as f64));
    Some(format!(
        "One exchange took {}, longer than the whole measurement_time of {}: a measurement_time of {time} would do",
        duration_ns(exchange.as_nanos() as f64),
        whole_seconds(settings.measurement_time)
    ))
}

/// Open files beside the connections: pipes to services, the runtime's own, reports.
const OTHERS: u64 = 64;

/// How many times what this process needs the limit is raised to. What is started later inherits it, and a service needs a file for
/// each connection as well, a proxy two.
const FOR_SERVICES: u64 = 2;

/// Sees to it that so many connections can be open at once, raising the soft limit where it is in the way, but not all the way to the
/// hard one: that may be a thousand million, and there are services that keep a table of so many files, or close them one by one.
///
/// # Errors
/// When the hard limit is too low.
pub(crate) fn allow(connections: usize) -> Result<(), MeasureError> {
    // A system that does not tell its limits may have none.
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(()) };
    let needed = needed(connections);
    if needed <= soft {
        return Ok(());
    }
    let enough = needed.saturating_mul(FOR_SERVICES).min(hard);
    let raised = needed <= hard && setrlimit(Resource::RLIMIT_NOFILE, enough, hard).is_ok();
    let limit = if needed <= hard { soft } else { hard };
    if raised { Ok(()) } else { Err(MeasureError::OpenFiles { connections, needed, limit }) }
}

impl Measurement<'_, '_> {
    /// Sees to it that all connections of any launch can be open at once: each cell keeps its own, in a duet those of both sides.
    pub(crate) fn allow_connections(&self) -> Result<(), MeasureError> {
        let of_stand = |(index, stand): (usize, &Stand)| {
            let cells = stand.cells.iter().map(|&cell| self.cells[cell].1.load.concurrency());
            let sides = if self.is_alone() { 1 } else { self.sides(index).len() };
            // The other end of each is this process's own, too.
            let ends = if matches!(stand.group.service, Service::InProcess(_)) { 2 } else { 1 };
            ends * sides * cells.sum::<usize>()
        };
        allow(self.stands.iter().enumerate().map(of_stand).max().unwrap_or(0))
    }
}

fn needed(connections: usize) -> u64 {
    u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS)
}

/// What one measurement without rounds gave.
#[derive(Debug)]
pub struct Loaded {
    /// Everything that was counted.
    pub tally: Tally,
    /// From the first departure to the last return, or to the end of the time that was asked for.
    pub elapsed: Duration,
    /// The signal that ended it early, if one did.
    pub signal: Option<i32>,
}

/// Loads one cell once: for so long, or until all its requests are back. The URLs of its endpoints must be whole.
///
/// # Errors
/// When an endpoint cannot be requested. Faults are counted, not errors.
pub fn load(group: &Group, cell: &Cell, length: Option<Duration>, seed: u64) -> Result<Loaded, MeasureError> {
    check_features(group, cell)?;
    allow(cell.load.concurrency())?;
    let interrupt = Interrupt::subscribe()?;
    on_one_thread(async {
        let _guard = Guard::open().await;
        let resolver = Rc::new(Resolver::new(None));
        let mut live = LiveCell::new(group, cell, None, &resolver)
            .map_err(|source| MeasureError::Endpoint { cell: group.full_id(cell), source })?;
        let timing = length.map_or(Timing::Whole, |length| Timing::AtOnce { length });
        let begun = Instant::now();
        let (tally, signal) = live.once(timing, seed, interrupt.wait()).await;
        // What was sent behind the window is not counted, so the time that it took is not either.
        let elapsed = length.map_or(begun.elapsed(), |length| begun.elapsed().min(length));
        Ok(Loaded { tally, elapsed, signal })
    })
}

/// That this machine ran out of ports, with the range that it may be given another of.
pub(crate) fn no_free_port() -> String {
    const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
    let range = std::fs::read_to_string(RANGE).unwrap_or_default();
    let range = range.split_whitespace().collect::<Vec<_>>().join(" to ");
    let named = if range.is_empty() { String::new() } else { format!(" in the range {range}") };
    format!(
        "this machine had no free local port{named}, so the service was not measured: lower the concurrency, keep \
         connections open, or widen net.ipv4.ip_local_port_range"
    )
}

/// Runs a future, and the tasks that it spawns, on a current-thread runtime of its own.
pub(crate) fn on_one_thread<T>(
    future: impl Future<Output = Result<T, MeasureError>>,
) -> Result<T, MeasureError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, future)
}

#[cfg(test)]
mod tests {
    use crate::measure::{check, measure};
    use crate::plan::{Endpoint, Load, Location};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

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
            id: load.to_string().into(),
            targets: endpoint.into(),
            load,
            throughput: None,
            location: Location::unknown(),
            metrics: None,
        }
    }

    fn site(root: &tempfile::TempDir) -> Site<'_> {
        Site { root: root.path(), service_args: &[], test_bed: None, until: None }
    }

    fn measured(plan: &Plan) -> (Result<Vec<Run>, MeasureError>, Vec<Event>) {
        let root = tempfile::tempdir().unwrap();
        let site = site(&root);
        let mut events = Vec::new();
        let runs = measure(plan, site, &mut |event| events.push(event));
        (runs, events)
    }

    #[test]
    fn loopback_is_known_by_its_name_and_its_numbers() {
        for url in ["http://127.0.0.1:80/x", "http://localhost", "http://[::1]:8080", "http://127.9.9.9/"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://10.0.0.1/", "https://example.org", "nonsense", "http://localhost.example.org/"] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn each_cell_gets_its_rounds_and_its_metrics() {
        let plan = plan(answering(OK), &[Load::closed(2), Load::burst(30)]);
        let (runs, events) = measured(&plan);
        let run = &runs.unwrap()[0];
        assert_eq!(run.stop, None);
        for cell in &run.cells {
            assert_eq!(cell.rounds.len(), 10, "{}", cell.id);
            let counts = cell.counts();
            assert_eq!(counts.success_ratio(), Some(1.0));
            assert_eq!(cell.series().launches(), 1);
            for id in ["latency_p50", "latency_max", "output_tokens"] {
                assert!(cell.series().values.contains_key(id), "{} lacks {id}", cell.id);
            }
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

    /// Long enough for the ticks of a clock to tell something.
    #[cfg(target_os = "linux")]
    fn condition(service: Service) -> crate::record::Condition {
        let mut plan = plan(service, &[Load::closed(1)]);
        plan.groups[0].settings.measurement_time = Duration::from_millis(1_300);
        let run = measured(&plan).0.unwrap().remove(0);
        run.environment.condition.expect("Linux tells what its CPUs did")
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_others_used_is_known_unless_the_service_was_there_before() {
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
    fn a_first_answer_that_is_wrong_names_cell_url_and_what_came_back() {
        let plan = plan(answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), &[Load::closed(1)]);
        let error = measured(&plan).0.unwrap_err().to_string();
        assert!(
            error.contains("`g/closed(1)`") && error.contains("/x") && error.contains("503 instead of a 2xx"),
            "{error}"
        );
    }

    #[test]
    fn a_duet_has_a_round_of_base_for_each_of_head_alone_or_side_by_side() {
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
            let told = events.iter().filter(|event| matches!(event, Event::Round { .. })).count();
            assert_eq!(told, 4 * planned, "each round of each side is told");
        }
    }

    #[test]
    fn time_that_is_up_ends_a_duet_with_whole_pairs() {
        let mut plan = plan(answering(OK), &[Load::closed(1)]);
        plan.groups[0].base = Some(answering(OK));
        let root = tempfile::tempdir().unwrap();
        let until = Some(std::time::Instant::now());
        let run = measure(&plan, Site { until, ..site(&root) }, &mut |_| {}).unwrap().remove(0);
        assert_eq!(run.stop, Some(Stop::TimeUp));
        assert_eq!(run.cells[0].rounds.len(), run.cells[0].base.len());
    }

    #[test]
    fn each_cell_is_checked_even_when_one_fails() {
        let mut plan = plan(answering(OK), &[Load::closed(1), Load::closed(2)]);
        plan.groups[0].cells[0].targets = Endpoint::get("/x").expect_body_contains("nowhere").into();
        let root = tempfile::tempdir().unwrap();
        let site = site(&root);
        let mut told = Vec::new();
        check(&plan, site, &mut |cell, wrong| {
            told.push((cell.to_owned(), wrong.map(|wrong| wrong.to_string())))
        })
        .unwrap();
        let wrong = told[0].1.as_deref().unwrap();
        assert!(
            told[0].0 == "g/closed(1)" && wrong.contains("its body does not contain \"nowhere\""),
            "{wrong}"
        );
        assert_eq!(told[1..], [("g/closed(2)".to_owned(), None)]);
    }

    #[test]
    fn an_exchange_longer_than_the_measuring_time_makes_the_cell_invalid_at_once() {
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
        assert!(why.contains("longer than the whole measurement_time") && why.contains("would do"), "{why}");
        assert!(run.cells[0].rounds.is_empty());
    }

    #[test]
    fn a_service_that_dies_in_mid_run_keeps_what_was_measured() {
        let dying = Service::in_process(|listener: TcpListener| async move {
            let begun = Instant::now();
            let mut served = 0;
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = [0; 4096];
                while connection.read(&mut request).await.is_ok_and(|read| read > 0) {
                    served += 1;
                    assert!(served < 200 || begun.elapsed() < Duration::from_millis(150), "had enough");
                    _ = connection.write_all(OK).await;
                }
            }
        });
        let run = &measured(&plan(dying, &[Load::closed(1)])).0.unwrap()[0];
        let Some(Stop::Failed(why)) = &run.stop else { panic!("{:?}", run.stop) };
        assert!(why.contains("had enough"), "{why}");
        assert!(run.cells[0].rounds.len() < 10);
    }

    #[test]
    fn the_seed_decides_every_deck_and_rounds_differ() {
        assert_eq!(mix(1, 2), mix(1, 2));
        assert_ne!(mix(1, 2), mix(1, 3));
        assert_ne!(mix(1, 2), mix(2, 2));
    }
    use super::*;

    fn trial(successes: u64) -> Tally {
        let window = Duration::from_millis(330);
        let mut tally = Tally {
            window,
            counts: Counts { requests: successes, successes, ..Counts::default() },
            ..Tally::default()
        };
        (0..successes).for_each(|_| tally.latency.record(Duration::from_millis(5)));
        tally
    }

    fn decided(successes: u64, pinned: Option<&[String]>) -> CellRun {
        let group = Group::new("g", Location::unknown());
        let cell = Cell {
            id: "c".into(),
            targets: Endpoint::get("/").into(),
            load: Load::closed(1),
            throughput: None,
            location: Location::unknown(),
            metrics: None,
        };
        let mut planned = CellRun::planned(&group, &cell);
        decide(&mut planned, &group, cell.load, pinned, &trial(successes));
        planned
    }

    fn has(planned: &CellRun, id: &str) -> bool {
        planned.metrics.iter().any(|metric| metric.id == id)
    }

    #[test]
    fn a_percentile_needs_five_beyond_it_with_a_factor_two_in_reserve() {
        assert!(has(&decided(1_000, None), "latency_p99") && decided(1_000, None).notes.is_empty());
        let fewer = decided(999, None);
        assert!(has(&fewer, "latency_p95") && !has(&fewer, "latency_p99"));
        assert!(fewer.notes[0].contains("a measurement_time of 11s would reach it"), "{:?}", fewer.notes);
        assert!(!has(&decided(39, None), "throughput") && has(&decided(40, None), "throughput"));
        assert!(!has(&decided(40, None), "output_tokens"), "no response named any");
    }

    #[test]
    fn a_burst_is_told_to_grow_and_not_to_take_longer() {
        let group = Group::new("g", Location::unknown());
        let had = trial(300).counts;
        let note = what_is_missing(&reachable(&trial(300)), &group, Load::burst(300), &had).unwrap();
        assert!(note.starts_with("A round has 300 successes, too few for latency p99 (1000)"), "{note}");
        assert!(note.ends_with(": a burst of 1,000 requests would reach it"), "{note}");
    }

    #[test]
    fn what_the_baseline_has_is_taken_over() {
        assert!(has(&decided(600, Some(&["latency_p99".to_owned()])), "latency_p99"));
    }

    #[test]
    fn an_exchange_longer_than_the_whole_time_is_too_slow() {
        let group = Group::new("g", Location::unknown());
        assert_eq!(too_slow(&group, Load::closed(1), Duration::from_secs(9)), None);
        let why = too_slow(&group, Load::closed(10), Duration::from_secs(12)).unwrap();
        assert!(why.contains("took 12.00 s") && why.contains("measurement_time of 720s would do"), "{why}");
        assert_eq!(too_slow(&group, Load::burst(10), Duration::from_secs(12)), None);
    }

    #[test]
    fn few_connections_change_nothing_more_raise_it_by_what_they_need_and_too_many_are_an_error() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        allow(1).unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (soft, hard));
        // Low enough to be in the way, and enough for the tests beside this one.
        let low = soft.min(4_096);
        if low + OTHERS <= hard {
            setrlimit(Resource::RLIMIT_NOFILE, low, hard).unwrap();
            allow(usize::try_from(low).unwrap()).unwrap();
            let raised = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
            assert_eq!(raised, ((2 * (low + OTHERS)).min(hard), hard));
        }
        // Where there is no hard limit, all is allowed.
        if let Ok(most) = usize::try_from(hard)
            && most < usize::MAX
        {
            let told = allow(most).unwrap_err().to_string();
            assert!(told.contains(&hard.to_string()) && told.contains("ulimit -n"), "{told}");
        }
    }
}
