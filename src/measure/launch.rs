//! One launch: a service, in a duet both services, from start to stop, and the rounds between.
//!
//! In a duet the rounds come in pairs, back to back, base and head in random order; both sides start anew at each launch, in
//! random order too, and are asked for the same deck of targets. What the machine does meanwhile hits both alike (Bulej et al.,
//! Duet benchmarking, ICPE 2020).

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::measure::cell::LiveCell;
use crate::measure::error::MeasureError;
use crate::measure::measurement::{Measurement, WARM_UP, mix};
use crate::measure::service::Running;
use crate::plan::{Side, Visit};
use crate::record::{CellRun, Counters, Round, Stop};

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
