//! The rounds of a run become one value a launch, and the launches one value of the run, on a log scale.
//!
//! A launch is the sample that counts: what a process got at its start stays with it for life. The tail of a round is
//! hit by bursts of other work, so it needs a robust centre.

use crate::record::Centre;
use crate::stats::describe::{mean, median, sample_variance, trimmed_mean};
use crate::stats::distribution::t_upper_quantile;
use crate::stats::interval::Interval;
use crate::stats::series::{Pattern, Widening, find_pattern};

/// Fewer rounds have no median that could leave a burst out.
const LEAST_ROUNDS_FOR_MEDIAN: usize = 3;
/// Fewer launches cannot be trimmed soundly.
const LEAST_LAUNCHES_TO_TRIM: usize = 10;
/// Both in words: what a tail needs, so that a burst of other work does not move its centre.
pub(super) const SOUND_TAIL: &str = "ten launches, or three rounds in each launch";
/// The share of launches that is trimmed at each end.
pub(super) const TRIM: f64 = 0.2;
/// Fewer rounds of a single launch leave too few when trimmed.
const LEAST_ROUNDS_TO_TRIM: usize = 5;
/// Histograms are right to 0.1 %: launches that agree are known no better.
pub(super) const RESOLUTION: f64 = 0.001;
/// Groups that are less than half a per cent apart are steps of a clock or of a histogram, and no modes.
const LEAST_GAP: f64 = 0.005;

/// One run's value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RunValue {
    /// Its centre: the mean of its launches' logs, or the trimmed mean.
    pub log: f64,
    /// Its launches' logs.
    pub launches: Vec<f64>,
    /// The variance between its launches that their centre's error corresponds to; nothing with a single launch.
    pub launch_variance: Option<f64>,
    /// Degrees of freedom of that variance.
    pub launch_df: f64,
    /// The variance of the launch's own centre by its rounds, with a single launch of several rounds; as wide as their order
    /// makes it.
    pub round_variance: Option<f64>,
    /// What is wrong with the order of its launches, or of the rounds of its only one.
    pub disorder: Option<Pattern>,
    /// How rounds and launches were centred.
    pub centring: Centring,
}

impl RunValue {
    /// By how much its centre is less certain than its launches' spread says.
    pub fn widening(&self) -> Widening {
        self.disorder
            .filter(|_| self.launch_variance.is_some())
            .map_or(Widening::NONE, |disorder| disorder.widening(self.launches.len()))
    }

    /// The variance of its centre by its launches, as wide as their order makes it; nothing with a single launch.
    pub fn centre_variance(&self) -> Option<f64> {
        Some(self.launch_variance? / self.launches.len() as f64 * self.widening().variance)
    }

    /// Degrees of freedom of that variance.
    pub fn centre_df(&self) -> f64 {
        (self.launch_df * self.widening().df).max(1.0)
    }

    /// The interval of its centre, as wide as the order of its launches makes it.
    pub fn widen(&self, found: Interval, confidence: f64) -> Interval {
        let reach = |df| t_upper_quantile(0.5 * (1.0 - confidence), df);
        if self.widening() == Widening::NONE {
            return found;
        }
        found.stretched(self.widening().variance.sqrt() * reach(self.centre_df()) / reach(self.launch_df))
    }

    /// What the order of its launches adds to the variance of its centre.
    pub fn disorder_variance(&self) -> f64 {
        let plain = self.launch_variance.unwrap_or(0.0) / self.launches.len() as f64;
        plain * (self.widening().variance - 1.0)
    }
}

/// How rounds and launches were centred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Centring {
    /// Means throughout.
    Means,
    /// Medians of rounds, mean of launches.
    Medians,
    /// Means of rounds, trimmed mean of launches.
    Trimmed,
    /// Means, because there are too few rounds and launches for what the metric needs: for information only.
    Unsound,
}

/// Reduces the rounds of a run, nested by launch; nothing when there is none, or a value that has no logarithm.
pub(super) fn reduce(rounds: &[Vec<f64>], centre: Centre) -> Option<RunValue> {
    let logs: Vec<Vec<f64>> = rounds
        .iter()
        .filter(|launch| !launch.is_empty())
        .map(|launch| launch.iter().map(|value| value.ln()).collect())
        .collect();
    if logs.is_empty() || logs.iter().flatten().any(|log| !log.is_finite()) {
        return None;
    }
    let centring = centring(&logs, centre);
    let by_launch = if centring == Centring::Medians { median } else { mean };
    let launches: Vec<f64> = logs.iter().filter_map(|rounds| by_launch(rounds)).collect();
    let (log, launch_variance, launch_df) = centre_of(&launches, centring)?;
    let only = if let [rounds] = &logs[..] { Some(rounds) } else { None };
    let disorder = find_pattern(only.unwrap_or(&launches), LEAST_GAP);
    let round_variance = only.and_then(|rounds| {
        let wider = disorder.map_or(1.0, |disorder| disorder.widening(rounds.len()).variance);
        Some(wider * centre_variance(rounds, centre)?)
    });
    Some(RunValue { log, launches, launch_variance, launch_df, round_variance, disorder, centring })
}

/// Two rounds have no median; few launches cannot be trimmed.
fn centring(logs: &[Vec<f64>], centre: Centre) -> Centring {
    let fewest_rounds = logs.iter().map(Vec::len).min().unwrap_or(0);
    match centre {
        Centre::Mean => Centring::Means,
        Centre::Robust if fewest_rounds >= LEAST_ROUNDS_FOR_MEDIAN => Centring::Medians,
        Centre::Robust if logs.len() >= LEAST_LAUNCHES_TO_TRIM => Centring::Trimmed,
        Centre::Robust => Centring::Unsound,
    }
}

/// Centre of the launches, with the variance between them and its degrees of freedom.
fn centre_of(launches: &[f64], centring: Centring) -> Option<(f64, Option<f64>, f64)> {
    let count = launches.len() as f64;
    if centring == Centring::Trimmed {
        let centre = trimmed_mean(launches, TRIM)?;
        return Some((centre.mean, Some(count * centre.standard_error.powi(2)), centre.df));
    }
    Some((mean(launches)?, sample_variance(launches), count - 1.0))
}

/// How uncertain a launch's centre is by the noise between its rounds.
fn centre_variance(rounds: &[f64], centre: Centre) -> Option<f64> {
    if centre == Centre::Robust && rounds.len() >= LEAST_ROUNDS_TO_TRIM {
        return trimmed_mean(rounds, TRIM).map(|centre| centre.standard_error.powi(2));
    }
    sample_variance(rounds).map(|variance| variance / rounds.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-12
    }

    #[test]
    fn launches_are_means_of_logs_and_the_run_the_mean_of_launches() {
        // ln: launch means 0.5 and 3.5; variance (1.5² + 1.5²) / 1 = 4.5.
        let e = |power: f64| power.exp();
        let run = reduce(&[vec![e(0.0), e(1.0)], vec![e(3.0), e(4.0)]], Centre::Mean).unwrap();
        assert!(close(run.log, 2.0) && close(run.launch_variance.unwrap(), 4.5) && run.launch_df == 1.0);
        assert_eq!(run.centring, Centring::Means);
        assert_eq!(run.round_variance, None);
    }

    #[test]
    fn a_burst_in_one_of_three_rounds_leaves_a_tail_where_it_was() {
        let run = reduce(&[vec![10.0, 10.0, 500.0], vec![10.0, 80.0, 10.0]], Centre::Robust).unwrap();
        assert_eq!(run.centring, Centring::Medians);
        assert!(close(run.log, 10.0_f64.ln()));
    }

    #[test]
    fn ten_launches_of_one_round_are_trimmed_and_nine_are_for_information_only() {
        let mut rounds: Vec<Vec<f64>> = (0..10).map(|launch| vec![f64::from(launch).exp()]).collect();
        rounds[9][0] = 30_f64.exp();
        let run = reduce(&rounds, Centre::Robust).unwrap();
        // 2 to 7 are kept: mean 4.5; Winsorised 2,2,2,3,4,5,6,7,7,7: variance 42.5 / 9.
        assert!(close(run.log, 4.5), "{}", run.log);
        assert_eq!((run.centring, run.launch_df), (Centring::Trimmed, 5.0));
        assert!(close(run.launch_variance.unwrap(), 10.0 * 42.5 / (6.0 * 5.0)));
        assert_eq!(reduce(&rounds[..9], Centre::Robust).unwrap().centring, Centring::Unsound);
        assert_eq!(reduce(&rounds[..9], Centre::Mean).unwrap().centring, Centring::Means);
    }

    #[test]
    fn one_launch_knows_the_noise_of_its_rounds_only() {
        let run = reduce(&[vec![1.0, 1_f64.exp()]], Centre::Mean).unwrap();
        assert_eq!((run.launch_variance, run.launch_df), (None, 0.0));
        assert!(close(run.round_variance.unwrap(), 0.5 / 2.0));
        assert_eq!(reduce(&[vec![1.0]], Centre::Mean).unwrap().round_variance, None);
    }

    #[test]
    fn what_has_no_logarithm_has_no_value() {
        for rounds in [vec![], vec![vec![]], vec![vec![1.0, 0.0]], vec![vec![-1.0]], vec![vec![f64::NAN]]] {
            assert_eq!(reduce(&rounds, Centre::Mean), None);
        }
    }
}
