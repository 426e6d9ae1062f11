//! Progress during a measurement: a bar on a terminal that can redraw it, a few lines elsewhere, nothing if quiet.
//!
//! Events of `measure` come between rounds. Nothing is drawn while a round lasts and there is no thread that ticks,
//! since both would take time from the client.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;
use crate::record::Event;
use crate::report::number::{elapsed, plural};

/// The form of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A bar that is drawn again after each round.
    Bar,
    /// Few plain lines, for logs.
    Lines,
    /// Nothing.
    Quiet,
}

impl Mode {
    /// A bar if standard error is a terminal that can redraw it, otherwise lines; nothing if `quiet`.
    pub(crate) fn of_stderr(quiet: bool) -> Self {
        match (quiet, output::can_redraw()) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Bar,
            (false, false) => Self::Lines,
        }
    }
}

/// Shows the events of `measure`.
#[derive(Debug)]
pub(crate) struct Progress {
    mode: Mode,
    bar: ProgressBar,
    course: Course,
}

const TEMPLATE: &str = "{bar:24.cyan/dim} {pos}/{len} rounds, {prefix}  {wide_msg:.dim}";

impl Progress {
    /// Shows nothing until the first event.
    pub(crate) fn new(mode: Mode, color: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let template =
            if color { TEMPLATE.to_owned() } else { TEMPLATE.replace(".cyan/dim", "").replace(".dim", "") };
        let style = ProgressStyle::with_template(&template).expect("the template is well-formed");
        bar.set_style(style.progress_chars("━╸─"));
        Self { mode, bar, course: Course::default() }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: Event) {
        let line = self.course.follow(&event, Instant::now());
        match self.mode {
            Mode::Quiet => {}
            Mode::Lines => line.iter().for_each(output::log),
            Mode::Bar => self.draw(&event, line),
        }
    }

    fn draw(&mut self, event: &Event, line: Option<String>) {
        match event {
            Event::Started { .. } => {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
                line.iter().for_each(|line| self.bar.suspend(|| output::log(line)));
            }
            Event::Launching { service } => self.bar.set_message(format!("testing {service}")),
            Event::Round { cell, .. } => self.bar.set_message(cell.clone()),
            Event::Finished => return self.bar.finish_and_clear(),
        }
        self.bar.set_length(self.course.of as u64);
        self.bar.set_position(self.course.done as u64);
        self.bar.set_prefix(match self.course.left(Instant::now()) {
            Some(left) => format!("about {} left", elapsed(left)),
            None => format!("at least {}", elapsed(self.course.windows)),
        });
        self.bar.tick();
    }
}

impl Drop for Progress {
    /// Leaves no half bar if measuring fails.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// How far the measurement has come, and when the next line is due. Time is passed in.
#[derive(Debug, Default)]
struct Course {
    done: usize,
    of: usize,
    windows: Duration,
    /// The time that measuring will take, with all starts.
    time: Duration,
    /// When the first round ended. The time before says nothing about the rest.
    first_round: Option<Instant>,
    launched: bool,
    said_at: Option<Instant>,
}

/// A log has about this number of lines, with pauses of this length between them.
const LINES: u32 = 10;
const MIN_PAUSE: Duration = Duration::from_secs(2);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// The time between two lines of something that takes this long.
pub(crate) fn pause(time: Duration) -> Duration {
    (time / LINES).clamp(MIN_PAUSE, MAX_PAUSE)
}

impl Course {
    /// Follows an event. Returns the line to print for it, if any.
    fn follow(&mut self, event: &Event, now: Instant) -> Option<String> {
        match event {
            Event::Started { cells, rounds, windows, time, is_duet } => {
                *self = Self {
                    of: *rounds,
                    windows: *windows,
                    time: *time,
                    said_at: Some(now),
                    ..Self::default()
                };
                let (cells, rounds) = (plural(*cells as u64, "cell"), plural(*rounds as u64, "round"));
                let time = elapsed(*time);
                Some(match is_duet {
                    true => format!(
                        "Measuring base and head, {cells} in {rounds}: about {time}, longer if a cell looks slower"
                    ),
                    false => format!("Measuring {cells} in {rounds}: about {time}"),
                })
            }
            Event::Launching { service } => {
                let first = !std::mem::replace(&mut self.launched, true);
                first.then(|| format!("Testing {service}"))
            }
            Event::Round { cell, done, of } => {
                (self.done, self.of) = (*done, *of);
                self.first_round.get_or_insert(now);
                let said_at = *self.said_at.get_or_insert(now);
                let is_due = now.saturating_duration_since(said_at) >= pause(self.time);
                is_due.then(|| {
                    self.said_at = Some(now);
                    self.line(cell, now)
                })
            }
            Event::Finished => None,
        }
    }

    fn line(&self, cell: &str, now: Instant) -> String {
        let percent = 100 * self.done / self.of.max(1);
        let left = self.left(now).map(|left| format!(", about {} left", elapsed(left)));
        format!("{percent:3}% ({} of {} rounds){}: {cell}", self.done, self.of, left.unwrap_or_default())
    }

    /// How long the rest takes at the pace since the first round, but not less than its windows.
    fn left(&self, now: Instant) -> Option<Duration> {
        let since_first = now.saturating_duration_since(self.first_round?);
        let rounds_since = self.done.checked_sub(1).filter(|&rounds| rounds > 0)?;
        let rest = self.of.saturating_sub(self.done) as f64;
        let by_pace = since_first.as_secs_f64() / rounds_since as f64 * rest;
        let by_windows = self.windows.as_secs_f64() / self.of.max(1) as f64 * rest;
        Duration::try_from_secs_f64(by_pace.max(by_windows)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUNDS: usize = 100;

    fn started(now: Instant) -> Course {
        let mut course = Course::default();
        let [windows, time] = [40, 50].map(Duration::from_secs);
        let started = |is_duet| Event::Started { cells: 4, rounds: ROUNDS, windows, time, is_duet };
        let line = course.follow(&started(true), now);
        let of_a_duet =
            "Measuring base and head, 4 cells in 100 rounds: about 50 s, longer if a cell looks slower";
        assert_eq!(line.as_deref(), Some(of_a_duet));
        let line = course.follow(&started(false), now);
        assert_eq!(line.as_deref(), Some("Measuring 4 cells in 100 rounds: about 50 s"));
        course
    }

    fn lines(seconds_a_round: f64) -> Vec<String> {
        let start = Instant::now();
        let mut course = started(start);
        let line = |done: usize| {
            let now = start + Duration::from_secs_f64(seconds_a_round * done as f64);
            course.follow(&Event::Round { cell: "g/c".into(), done, of: ROUNDS }, now)
        };
        (1..=ROUNDS).filter_map(line).collect()
    }

    #[test]
    fn a_log_gets_a_line_each_tenth_of_the_time() {
        let lines_in_time = lines(0.5);
        assert_eq!(lines_in_time.len(), 10);
        assert_eq!(lines_in_time[4], " 50% (50 of 100 rounds), about 25 s left: g/c");
        assert_eq!(lines(0.1).len(), 2, "sooner than planned");
        assert!(lines(0.001).is_empty(), "over before a line is due");
    }

    #[test]
    fn a_long_run_is_not_silent_for_more_than_a_minute() {
        assert_eq!(lines(60.0).len(), ROUNDS);
    }

    #[test]
    fn time_left_follows_the_pace_but_is_never_less_than_the_windows() {
        let start = Instant::now();
        let mut course = started(start);
        let mut left_after = |done: usize, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            course.follow(&Event::Round { cell: "c".into(), done, of: ROUNDS }, now);
            course.left(now)
        };
        assert_eq!(left_after(1, 30), None, "one round shows no pace");
        assert_eq!(left_after(11, 40), Some(Duration::from_secs(89)));
        assert_eq!(left_after(51, 41), Some(Duration::from_secs_f64(0.4 * 49.0)));
        assert_eq!(left_after(100, 42), Some(Duration::ZERO));
    }

    #[test]
    fn a_start_is_announced_once() {
        let now = Instant::now();
        let mut course = started(now);
        let launch = Event::Launching { service: "plimsoll serve".into() };
        assert_eq!(course.follow(&launch, now).as_deref(), Some("Testing plimsoll serve"));
        assert_eq!(course.follow(&launch, now), None);
    }

    #[test]
    fn odd_events_are_followed_without_panic() {
        let now = Instant::now();
        let mut course = Course::default();
        course.follow(&Event::Round { cell: String::new(), done: 5, of: 0 }, now);
        course.follow(&Event::Round { cell: String::new(), done: 0, of: 0 }, now);
        assert_eq!(course.left(now), None);
        for mode in [Mode::Quiet, Mode::Bar] {
            let mut progress = Progress::new(mode, mode == Mode::Bar);
            progress.show(Event::Round { cell: "c".into(), done: 7, of: 3 });
            progress.show(Event::Finished);
        }
    }
}
