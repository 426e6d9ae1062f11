//! The walk over all launches: the trial, then run after run, each sweep in random order.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use crate::measure::cell::LiveCell;
use crate::measure::error::MeasureError;
use crate::measure::reach;
use crate::measure::resolve::Resolver;
use crate::measure::service::{Launcher, Running};
use crate::measure::signals::Interrupt;
use crate::plan::{Cell, Group, Plan, Schedule, Service, ServiceSchedule, Side, affordable_launches};
use crate::record::{BaseFailure, CellRun, ConditionSum, Environment, Event, Fault, Run, Stop, run_id};

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
            let too_slow = reach::too_slow(group, cell.load, slowest);
            self.planned[index].invalid = self.planned[index].invalid.take().or(too_slow);
            let decides = side == Side::Base || !is_duet || self.is_new(index);
            if self.planned[index].invalid.is_some() || !decides {
                continue;
            }
            let seed = self.seed(index, WARM_UP, 0);
            live.warm_up(group.settings.warm_up_time, seed).await;
            let trial = live.round(seed).await.ok_or(MeasureError::ClockSet)?;
            round_times.push(if cell.load.is_timed() { group.settings.window() } else { trial.window });
            reach::decide(&mut self.planned[index], group, cell.load, cell.metrics.as_deref(), trial);
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

#[cfg(test)]
mod tests;
