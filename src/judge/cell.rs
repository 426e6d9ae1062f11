//! One cell: its tests are drafted first, and decided once the tests of the whole call are corrected together.

use crate::judge::advice::advice;
use crate::judge::decide::{Test, as_one_of, decide};
use crate::judge::fair::{too_many_failures, unfair};
use crate::judge::limits::LimitTest;
use crate::judge::order::order_note;
use crate::judge::policy::{Policy, Terms};
use crate::judge::questions::{Pair, Question, questions, unknown};
use crate::judge::shown::{Precision, estimate};
use crate::judge::sides::{Base, HeadCell, Sides};
use crate::judge::stored::{Difference, Samples};
use crate::judge::success::Success;
use crate::judge::verdict::{CellJudgement, Change, Comparison, LimitOutcome, Shown, Verdict};
use crate::judge::words::{percent, share};
use crate::record::{Better, Counts, Judged, METRICS, Metric, Series};

/// A cell before the correction.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    sides: Sides<'a>,
    terms: Terms,
    /// Indices of the runs of head that were measured fairly.
    fair: Vec<usize>,
    /// Why the cell as a whole has no verdict by comparison, if so.
    instead: Option<(Verdict, String)>,
    success: Option<Success>,
    questions: Vec<Question>,
    limits: Vec<LimitTest>,
    notes: Vec<String>,
}

/// Prior variances of a run's value that the cells of the call have shown together, by metric.
pub(super) type Learned = std::collections::BTreeMap<&'static str, f64>;

impl<'a> Draft<'a> {
    /// What can be asked of a cell.
    pub fn new(sides: Sides<'a>, policy: &Policy) -> Option<Self> {
        let rules = &sides.head.first()?.cell.rules;
        let reasons: Vec<Option<String>> = sides.head.iter().map(|head| unfair(head.cell)).collect();
        let fair: Vec<usize> = (0..reasons.len()).filter(|&index| reasons[index].is_none()).collect();
        let mut draft = Self {
            terms: Terms::new(rules, policy),
            instead: None,
            success: None,
            questions: Vec::new(),
            limits: Vec::new(),
            notes: sides.head[0].cell.notes.clone(),
            fair,
            sides,
        };
        draft.notes.append(&mut draft.sides.notes);
        draft.notes.extend(unknown(rules).map(|id| format!("There is no metric `{id}` to judge.")));
        let mut reasons = reasons.into_iter().flatten();
        if draft.fair.is_empty() {
            draft.instead = reasons.next().map(|reason| (Verdict::Invalid, reason));
            return Some(draft);
        }
        draft.notes.extend(reasons.map(|reason| format!("One run is left out: {reason}")));
        let noted: Vec<String> =
            draft.fair.iter().filter_map(|&index| order_note(&draft.sides.head[index].series)).collect();
        draft.notes.extend(noted);
        draft.ask();
        Some(draft)
    }

    fn ask(&mut self) {
        let head: Vec<&HeadCell> = self.fair.iter().map(|&index| &self.sides.head[index]).collect();
        let rules = &head[0].cell.rules;
        let mut counts = Counts::default();
        head.iter().for_each(|head| counts.add(&head.cell.counts()));
        let failing = too_many_failures(&counts, rules.least_success_ratio);
        let (mut success, mut asked) = (None, Vec::new());
        let mut instead = match &self.sides.base {
            Base::New(reason) => Some((Verdict::New, reason.clone())),
            Base::Incomparable(reason) => Some((Verdict::Incomparable, reason.clone())),
            Base::Runs { current, earlier } => {
                success = Success::new(
                    current.iter().map(|stored| stored.series),
                    head.iter().map(|head| &head.series),
                );
                if failing.is_none() {
                    asked = questions(&Pair { head: &head, current, earlier }, rules);
                }
                None
            }
        };
        let limits = match failing {
            None => rules.limits.iter().filter_map(|limit| LimitTest::new(limit, &head)).collect(),
            Some(reason) => {
                instead = Some((Verdict::Invalid, reason));
                Vec::new()
            }
        };
        self.notes.extend(asked.iter().filter_map(|question| question.information.clone()));
        (self.success, self.questions, self.limits, self.instead) = (success, asked, limits, instead);
    }

    /// How much runs differ, by metric: sums of squares and their degrees of freedom.
    pub fn between_runs(&self) -> impl Iterator<Item = (&'static str, (f64, f64))> {
        let sampled =
            |question: &Question| Some((question.metric.id, question.answer.as_ref().ok()?.between_runs()));
        self.questions.iter().filter_map(sampled)
    }

    /// The tests that take part in the correction: the success ratio, each judged metric, each limit.
    pub fn tests(&self, learned: &Learned) -> Vec<Test> {
        let success = self.success.iter().map(|success| success.test(&self.terms));
        let judged = self.questions.iter().filter(|question| question.judged);
        let judged = judged.map(|question| {
            self.difference(question, learned)
                .map_or(Test::NONE, |(_, difference)| difference.test(&self.terms))
        });
        let limits = self.limits.iter().map(|limit| Test { worse: limit.p_holds(), better: 1.0 });
        success.chain(judged).chain(limits).collect()
    }

    /// Decides, given the corrected tests in the order of [`Draft::tests`] and how many there are in the call.
    pub fn decide(
        self,
        learned: &Learned,
        adjusted: &[Test],
        tests: usize,
        policy: &Policy,
    ) -> CellJudgement {
        let mut adjusted = adjusted.iter().copied();
        let mut next = || adjusted.next().unwrap_or(Test::NONE);
        let success = self.success.as_ref().map(|success| self.success(success, next(), tests, policy));
        // Seen to fall is enough to withhold praise, though not to be red.
        let may_improve = success.as_ref().is_none_or(|success| {
            success.verdict != Verdict::Regressed
                && success.change.is_none_or(|change| change.estimate >= -self.terms.fall)
        });
        let mut comparisons: Vec<Comparison> = success.into_iter().collect();
        for question in &self.questions {
            let corrected = question.judged.then(&mut next);
            comparisons.push(self.compare(question, learned, corrected, tests, may_improve, policy));
        }
        let limits: Vec<_> = self.limits.iter().map(|limit| limit.check(next().worse, &self.terms)).collect();
        let broken = limits.iter().find(|check| check.outcome == LimitOutcome::Broken);
        let (verdict, reason) =
            self.verdict(&comparisons, may_improve, broken.map(|check| check.reason.clone()));
        CellJudgement {
            group: self.sides.head[0].cell.group.clone(),
            id: self.sides.head[0].cell.id.clone(),
            verdict,
            reason,
            values: if policy.verdicts_only { Vec::new() } else { self.values(policy) },
            comparisons,
            limits,
            notes: self.notes.clone(),
        }
    }

    /// The worst of all that was found; a regression stands above what made comparing impossible.
    fn verdict(
        &self,
        comparisons: &[Comparison],
        may_improve: bool,
        broken: Option<String>,
    ) -> (Verdict, Option<String>) {
        let reason = |comparison: &Comparison| reason(comparison, &self.terms, may_improve);
        let judged = || comparisons.iter().filter(|comparison| comparison.judged);
        let worst = judged().max_by_key(|comparison| comparison.verdict);
        let regressed = judged().find(|comparison| comparison.verdict == Verdict::Regressed);
        match (regressed, broken, &self.instead, worst) {
            (Some(comparison), ..) => (Verdict::Regressed, reason(comparison)),
            (None, Some(broken), ..) => (Verdict::Regressed, Some(broken)),
            (None, None, Some((verdict, reason)), _) => (*verdict, Some(reason.clone())),
            // What is unchanged needs no reason.
            (None, None, None, Some(worst)) if worst.verdict == Verdict::Unchanged => (worst.verdict, None),
            (None, None, None, Some(worst)) => {
                (worst.verdict, judged().find(|found| found.verdict == worst.verdict).and_then(reason))
            }
            (None, None, None, None) => {
                (Verdict::Inconclusive, Some("There was nothing to compare.".to_owned()))
            }
        }
    }

    fn difference<'b>(&self, question: &'b Question, learned: &Learned) -> Option<(&'b Samples, Difference)> {
        let samples = question.answer.as_ref().ok()?;
        let prior = learned.get(question.metric.id).copied();
        Some((samples, samples.difference(question.metric.better, prior)?))
    }

    fn compare(
        &self,
        question: &Question,
        learned: &Learned,
        corrected: Option<Test>,
        tests: usize,
        may_improve: bool,
        policy: &Policy,
    ) -> Comparison {
        let Question { metric, judged, base, head, .. } = *question;
        let mut comparison = Comparison {
            metric,
            judged,
            base,
            head,
            change: None,
            p_adjusted: 1.0,
            verdict: Verdict::Inconclusive,
            method: String::new(),
            findable: None,
            margin: self.terms.red,
            advice: None,
        };
        if let Err(settled) = &question.answer {
            (comparison.verdict, comparison.method) = (settled.verdict, settled.reason.clone());
            comparison.advice = settled.advice.clone();
        }
        let Some((samples, difference)) = self.difference(question, learned) else { return comparison };
        let interval = difference.interval(self.terms.confidence);
        let test = corrected.unwrap_or_else(|| as_one_of(difference.test(&self.terms), tests));
        comparison.p_adjusted = if interval.estimate >= 0.0 { test.worse } else { test.better };
        comparison.change = Some(in_own_direction(metric, interval.low, interval.estimate, interval.high));
        comparison.method = difference.method();
        if question.information.is_none() {
            comparison.verdict = decide(&interval, test, &self.terms, may_improve);
        }
        if !policy.verdicts_only {
            let findable = difference.findable(&self.terms, tests);
            comparison.findable = Some(match metric.better {
                Better::Lower => findable.exp_m1(),
                Better::Higher => -(-findable).exp_m1(),
            });
            let undecided = comparison.verdict == Verdict::Inconclusive;
            // What is only withheld needs no more data.
            let withheld = decide(&interval, test, &self.terms, true) == Verdict::Improved;
            comparison.advice =
                (undecided && !withheld).then(|| advice(samples, &difference, &self.terms, tests));
        }
        comparison
    }

    fn success(&self, success: &Success, adjusted: Test, tests: usize, policy: &Policy) -> Comparison {
        let rise = success.worsening(&self.terms);
        let (base, head) = success.ratios();
        let verdict = success.decide(adjusted, &self.terms);
        Comparison {
            metric: success_ratio(),
            judged: true,
            base: Some(base),
            head: Some(head),
            change: Some(Change { low: -rise.high, estimate: -rise.estimate, high: -rise.low }),
            p_adjusted: if rise.estimate >= 0.0 { adjusted.worse } else { adjusted.better },
            verdict,
            method: success.method(),
            margin: self.terms.fall,
            findable: (!policy.verdicts_only).then(|| success.findable(&self.terms, tests)),
            advice: (verdict == Verdict::Inconclusive)
                .then(|| "more exchanges: a longer measurement_time".to_owned()),
        }
    }

    fn values(&self, policy: &Policy) -> Vec<Shown> {
        let nresamples = self.sides.head[0].cell.rules.nresamples;
        let precision = Precision { confidence: self.terms.confidence, nresamples, seed: policy.seed };
        let value = |metric: &'static Metric, series: &[&Series]| {
            let runs: Vec<_> = series.iter().filter_map(|series| series.values.get(metric.id)).collect();
            estimate(&runs, metric, precision)
        };
        let head: Vec<&Series> = self.fair.iter().map(|&index| &self.sides.head[index].series).collect();
        let current = match &self.sides.base {
            Base::Runs { current, .. } => &current[..],
            Base::New(_) | Base::Incomparable(_) => &[],
        };
        let shown = |metric| {
            let compared = current.iter().filter(|stored| stored.serves(metric));
            let base: Vec<&Series> = compared.map(|stored| stored.series).collect();
            Some(Shown { metric, head: value(metric, &head)?, base: value(metric, &base) })
        };
        METRICS.iter().filter_map(shown).collect()
    }
}

/// From the scale on which positive is worse to a fraction of base in the metric's own direction.
fn in_own_direction(metric: &Metric, low: f64, estimate: f64, high: f64) -> Change {
    match metric.better {
        Better::Lower => Change { low: low.exp_m1(), estimate: estimate.exp_m1(), high: high.exp_m1() },
        Better::Higher => {
            Change { low: (-high).exp_m1(), estimate: (-estimate).exp_m1(), high: (-low).exp_m1() }
        }
    }
}

fn success_ratio() -> &'static Metric {
    METRICS.iter().find(|metric| metric.judged == Judged::ByCounts).expect("METRICS has the success ratio")
}

fn reason(comparison: &Comparison, terms: &Terms, may_improve: bool) -> Option<String> {
    let title = comparison.metric.title;
    let Some(Change { low, estimate, high }) = comparison.change else {
        return Some(format!("{title}: {}", comparison.method));
    };
    if comparison.is_difference() {
        let (base, head) = (comparison.base?, comparison.head?);
        let moved = if estimate < 0.0 { "fell" } else { "rose" };
        let doubt = if comparison.verdict == Verdict::Inconclusive { ", which may be chance" } else { "" };
        return Some(format!("The {title} {moved} from {} to {}{doubt}.", share(base), share(head)));
    }
    let direction = if estimate < 0.0 { "lower" } else { "higher" };
    let change = format!(
        "{title} is {} {direction} (interval {} to {})",
        percent(estimate),
        signed(low),
        signed(high)
    );
    Some(match comparison.verdict {
        Verdict::Inconclusive => format!("{change}, {}.", doubt(comparison, terms, may_improve)),
        _ => format!("{change}."),
    })
}

/// Why a change is undecided, in words that agree with its interval.
fn doubt(comparison: &Comparison, terms: &Terms, may_improve: bool) -> &'static str {
    let Some(Change { low, estimate, high }) = comparison.change else { return "which is not known" };
    let is_better = (comparison.metric.better == Better::Lower) == (estimate < 0.0);
    // The margin as this direction has it: 5 % more time is 4.8 % fewer exchanges.
    let beyond = low.ln_1p() > terms.red.ln_1p() || high.ln_1p() < -terms.red.ln_1p();
    match beyond {
        true if is_better && !may_improve && comparison.p_adjusted < terms.level => {
            "but the success ratio fell: that failures are fast is no improvement"
        }
        true => "which is not beyond doubt among all tests of the call",
        false if low > 0.0 || high < 0.0 => "which may be within the noise threshold or beyond it",
        false => "which shows neither a change nor that there is none",
    }
}

fn signed(fraction: f64) -> String {
    format!("{:+.1} %", 100.0 * fraction)
}
