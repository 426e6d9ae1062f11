//! One cell: its tests are drafted first, and decided once the tests of the whole call are corrected together.

use crate::judge::anchor::AnchorTest;
use crate::judge::decide::{Test, as_one_of, decide};
use crate::judge::fair::{too_many_failures, unfair};
use crate::judge::limits::LimitTest;
use crate::judge::order::{order_note, ratio_note};
use crate::judge::policy::Terms;
use crate::judge::questions::{Against, Contest, Learned, Question, questions, unknown};
use crate::judge::reason::{in_own_direction, reason, with_the_rest};
use crate::judge::shown::{Precision, estimate};
use crate::judge::sides::{Base, HeadCell, Sides};
use crate::judge::subject::{Call, Decided, Subject, Tested};
use crate::judge::success::Success;
use crate::judge::verdict::{
    AnchorCheck, CellJudgement, Change, Comparison, LimitCheck, OtherTestBed, Shown, Stage, Verdict,
};
use crate::record::{Better, Counts, METRICS, Metric, Series, success_ratio};

/// Seed of the bootstraps of shown values. No verdict depends on it.
const SEED: u64 = 1;

/// A cell before the correction.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    sides: Sides<'a>,
    terms: Terms,
    /// Indices of the runs of head that were measured fairly.
    fair: Vec<usize>,
    /// Why the cell as a whole has no verdict by comparison, if so.
    instead: Option<(Verdict, Option<String>)>,
    success: Option<Success>,
    questions: Vec<Question>,
    limits: Vec<LimitTest>,
    notes: Vec<String>,
}

impl<'a> Draft<'a> {
    /// What can be asked of a cell.
    pub fn new(sides: Sides<'a>) -> Option<Self> {
        let rules = &sides.head.first()?.cell.settings;
        let reasons: Vec<Option<String>> = sides.head.iter().map(|head| unfair(head.cell)).collect();
        let fair: Vec<usize> = (0..reasons.len()).filter(|&index| reasons[index].is_none()).collect();
        let is_duet = matches!(sides.base, Base::Duet);
        let mut draft = Self {
            terms: Terms::new(rules, is_duet),
            instead: None,
            success: None,
            questions: Vec::new(),
            limits: Vec::new(),
            notes: Vec::new(),
            fair,
            sides,
        };
        draft.notes.append(&mut draft.sides.notes);
        draft.notes.extend(unknown(rules).map(|id| format!("There is no metric `{id}` to judge.")));
        let mut reasons = reasons.into_iter().flatten();
        if draft.fair.is_empty() {
            draft.instead = reasons.next().map(|reason| (Verdict::Invalid, Some(reason)));
            return Some(draft);
        }
        draft.notes.extend(reasons.map(|reason| format!("One run is left out: {reason}")));
        if !is_duet {
            let head = draft.fair.iter().map(|&index| &draft.sides.head[index].series);
            let noted: Vec<String> = head.filter_map(order_note).collect();
            draft.notes.extend(noted);
        }
        draft.ask();
        Some(draft)
    }

    fn ask(&mut self) {
        let head: Vec<&HeadCell> = self.fair.iter().map(|&index| &self.sides.head[index]).collect();
        let rules = &head[0].cell.settings;
        let mut counts = Counts::default();
        head.iter().for_each(|head| counts.add(&head.cell.counts()));
        let failing = too_many_failures(&counts, rules.least_success_ratio);
        let (mut success, mut asked) = (None, Vec::new());
        let mut instead = match &self.sides.base {
            Base::New(reason) => Some((Verdict::New, Some(reason.clone()))),
            Base::Incomparable(reason) => Some((Verdict::Incomparable, Some(reason.clone()))),
            // Said once for the whole call.
            Base::OtherTestBed(_) => Some((Verdict::Incomparable, None)),
            Base::Duet => {
                let mut base = Counts::default();
                head.iter().for_each(|head| base.add(&head.cell.base_counts()));
                success = Success::in_duet(
                    head.iter().filter_map(|head| head.base.as_ref()),
                    head.iter().map(|head| &head.series),
                );
                let base_fails = too_many_failures(&base, rules.least_success_ratio);
                if failing.is_none() && base_fails.is_none() {
                    asked = questions(&Contest { head: &head, against: Against::Duet }, rules);
                }
                base_fails.map(|reason| (Verdict::Incomparable, Some(format!("Base: {reason}"))))
            }
            Base::Runs { current, earlier } => {
                success = Success::new(
                    current.iter().map(|stored| &stored.series),
                    head.iter().map(|head| &head.series),
                );
                if failing.is_none() {
                    asked = questions(
                        &Contest { head: &head, against: Against::Stored { current, earlier } },
                        rules,
                    );
                }
                None
            }
        };
        let is_duet = self.is_duet();
        let limits = match failing {
            None => rules.limits.iter().filter_map(|limit| LimitTest::new(limit, &head, is_duet)).collect(),
            Some(reason) => {
                instead = Some((Verdict::Invalid, Some(reason)));
                Vec::new()
            }
        };
        self.notes.extend(asked.iter().filter_map(|question| question.information.clone()));
        let answered = |question: &Question| {
            question.answer.as_ref().ok().and_then(|evidence| ratio_note(question.metric, evidence))
        };
        self.notes.extend(asked.iter().filter(|question| question.judged).find_map(answered));
        (self.success, self.questions, self.limits, self.instead) = (success, asked, limits, instead);
    }

    /// The test beds of base and head, if they differ.
    pub fn other_test_bed(&self) -> Option<OtherTestBed> {
        let Base::OtherTestBed(run) = self.sides.base else { return None };
        let here = self.sides.head.first()?.run.environment.machine.test_bed.clone();
        Some(OtherTestBed {
            base: run.environment.machine.test_bed.clone(),
            commit: run.environment.commit.clone(),
            here,
        })
    }

    /// Whether both sides were measured together.
    pub fn is_duet(&self) -> bool {
        matches!(self.sides.base, Base::Duet)
    }

    /// Whether it is a duet whose sides were started several times: another launch can tell more.
    pub fn has_launches(&self) -> bool {
        self.is_duet() && self.sides.head.iter().any(|head| head.series.launches() > 1)
    }

    /// `group/function/parameter`.
    pub fn full_id(&self) -> String {
        self.sides.head[0].cell.id.to_string()
    }

    /// How much runs differ, by metric: sums of squares and their degrees of freedom.
    pub fn between_runs(&self) -> impl Iterator<Item = (&'static str, [(f64, f64); 2])> {
        let sampled =
            |question: &Question| Some((question.metric.id, question.answer.as_ref().ok()?.between_runs()?));
        self.questions.iter().filter_map(sampled)
    }

    /// The tests that take part in the correction: the success ratio, each judged metric, each limit.
    pub fn tests(&self, learned: &Learned) -> Vec<Tested> {
        // A share and a limit have no other margin than their own.
        let by_its_margin = |subject, test: Test, estimate, margin| Tested {
            subject,
            test,
            p_slower: test.worse,
            estimate,
            margin,
        };
        let success = self.success.iter().map(|success| {
            let estimate = success.worsening(&self.terms).estimate;
            by_its_margin(Subject::Success, success.test(&self.terms), estimate, self.terms.failure_margin)
        });
        let red = self.terms.noise_threshold.ln_1p();
        let judged = self.questions.iter().filter(|question| question.judged);
        let judged = judged.map(|question| {
            let found = question.found(learned);
            let difference = found.as_ref().map(|found| found.difference());
            Tested {
                subject: Subject::Metric(question.metric.id),
                test: found.map_or(Test::NONE, |found| found.test(&self.terms)),
                p_slower: difference.map_or(1.0, |difference| difference.p_slower()),
                estimate: difference.map_or(0.0, |difference| difference.estimate),
                margin: red,
            }
        });
        let limits = self.limits.iter().enumerate().map(|(index, limit)| {
            let test = Test { worse: limit.p_holds(), better: 1.0 };
            by_its_margin(Subject::Limit(index), test, limit.excess(), 0.0)
        });
        let anchors = self.anchors(learned).map(|anchor| {
            let subject = Subject::Anchor(anchor.metric.id);
            by_its_margin(subject, anchor.test(&self.terms), anchor.estimate(), red)
        });
        success.chain(judged).chain(limits).chain(anchors).collect()
    }

    /// Its judged metrics against the anchor of its epoch.
    fn anchors(&self, learned: &Learned) -> impl Iterator<Item = AnchorTest<'_>> {
        let current = match &self.sides.base {
            Base::Runs { current, .. } => &current[..],
            Base::New(_) | Base::Incomparable(_) | Base::OtherTestBed(_) | Base::Duet => &[],
        };
        let anchor = current.iter().find(|stored| stored.is_anchor).map(|stored| stored.run.id.as_str());
        let against = move |question| AnchorTest::new(question, anchor?, learned);
        self.questions.iter().filter_map(against)
    }

    /// Decides, given the corrected tests in the order of [`Draft::tests`].
    pub fn decide(&self, adjusted: &[Test], call: &Call) -> CellJudgement {
        let mut adjusted = adjusted.iter().copied();
        let mut next = || adjusted.next().unwrap_or(Test::NONE);
        let success = self.success.as_ref().map(|success| self.success(success, next(), call));
        let may_improve = self.may_improve(success.as_ref());
        let mut comparisons: Vec<Comparison> = success.into_iter().collect();
        for question in &self.questions {
            let corrected = question.judged.then(&mut next);
            comparisons.push(self.compare(question, corrected, may_improve, call));
        }
        let limits = self.limits.iter().map(|limit| limit.check(next().worse, &self.terms)).collect();
        let anchors =
            self.anchors(call.learned).map(|anchor| anchor.check(next().worse, &self.terms)).collect();
        self.conclude(comparisons, limits, anchors, call)
    }

    /// One of its comparisons, decided by itself; nothing when it has no such one.
    pub fn decide_one(&self, subject: Subject, test: Test, call: &Call) -> Option<Decided> {
        let success = || self.success.as_ref().map(|success| self.success(success, test, call));
        match subject {
            Subject::Success => success().map(Decided::Comparison),
            Subject::Metric(id) => {
                let question = self.questions.iter().find(|question| question.metric.id == id)?;
                let may_improve = self.may_improve(success().as_ref());
                Some(Decided::Comparison(self.compare(question, Some(test), may_improve, call)))
            }
            Subject::Limit(index) => {
                Some(Decided::Limit(self.limits.get(index)?.check(test.worse, &self.terms)))
            }
            Subject::Anchor(_) => None,
        }
    }

    /// Seen to fall is enough to withhold praise, though not to be red.
    fn may_improve(&self, success: Option<&Comparison>) -> bool {
        success.is_none_or(|success| {
            success.verdict != Verdict::Regressed
                && success.change.is_none_or(|change| change.estimate >= -self.terms.failure_margin)
        })
    }

    /// What follows for the cell.
    pub fn conclude(
        &self,
        comparisons: Vec<Comparison>,
        limits: Vec<LimitCheck>,
        anchors: Vec<AnchorCheck>,
        call: &Call,
    ) -> CellJudgement {
        let success = comparisons.iter().find(|comparison| comparison.is_difference());
        let may_improve = self.may_improve(success);
        let broken = limits.iter().filter(|check| check.is_broken()).map(|check| &check.reason);
        let crept = anchors.iter().filter(|check| check.exceeded).map(|check| &check.reason);
        let shown = broken.chain(crept).next().cloned();
        let (verdict, reason) = self.verdict(&comparisons, may_improve, shown);
        CellJudgement {
            group: self.sides.head[0].cell.id.group.clone(),
            id: self.sides.head[0].cell.id.benchmark.to_string(),
            verdict,
            reason,
            values: if call.policy.verdicts_only { Vec::new() } else { self.values() },
            fresh: Vec::new(),
            comparisons,
            limits,
            anchors,
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
            (None, None, Some((verdict, reason)), _) => (*verdict, reason.clone()),
            // What is unchanged needs no reason.
            (None, None, None, Some(worst)) if worst.verdict == Verdict::Unchanged => (worst.verdict, None),
            (None, None, None, Some(worst)) => {
                let why = judged().find(|found| found.verdict == worst.verdict).and_then(reason);
                (worst.verdict, why.map(|why| with_the_rest(why, worst.verdict, judged())))
            }
            (None, None, None, None) => {
                (Verdict::Inconclusive, Some("There was nothing to compare.".to_owned()))
            }
        }
    }

    fn compare(
        &self,
        question: &Question,
        corrected: Option<Test>,
        may_improve: bool,
        call: &Call,
    ) -> Comparison {
        let Question { metric, judged, base, head, .. } = *question;
        let mut comparison = Comparison {
            metric,
            judged,
            base,
            head,
            change: None,
            p_adjusted: 1.0,
            stage: Stage::Whole,
            verdict: Verdict::Inconclusive,
            method: String::new(),
            findable: None,
            margin: self.terms.noise_threshold,
            advice: None,
        };
        if let Err(settled) = &question.answer {
            (comparison.verdict, comparison.method) = (settled.verdict, settled.reason.clone());
            comparison.advice = settled.advice.clone();
        }
        let Some(found) = question.found(call.learned) else { return comparison };
        let test = corrected.unwrap_or_else(|| as_one_of(found.test(&self.terms), call.tests));
        let (interval, method) = found.interval(self.precision());
        comparison.p_adjusted = if interval.estimate >= 0.0 { test.worse } else { test.better };
        comparison.change = Some(in_own_direction(metric, interval.low, interval.estimate, interval.high));
        comparison.method = method;
        if question.information.is_none() {
            comparison.verdict = decide(&interval, test, &self.terms, may_improve);
        }
        if !call.policy.verdicts_only {
            let findable = found.findable(&self.terms, call.tests, call.confirmation);
            comparison.findable = Some(match metric.better {
                Better::Lower => findable.exp_m1(),
                Better::Higher => -(-findable).exp_m1(),
            });
            let undecided = comparison.verdict == Verdict::Inconclusive;
            // What is only withheld needs no more data.
            let withheld = decide(&interval, test, &self.terms, true) == Verdict::Improved;
            comparison.advice = (undecided && !withheld).then(|| found.advice(&self.terms, call.tests));
        }
        comparison
    }

    fn success(&self, success: &Success, adjusted: Test, call: &Call) -> Comparison {
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
            stage: Stage::Whole,
            verdict,
            method: success.method(),
            margin: self.terms.failure_margin,
            findable: (!call.policy.verdicts_only).then(|| success.findable(&self.terms, call.tests)),
            advice: (verdict == Verdict::Inconclusive)
                .then(|| "more exchanges: a longer measurement_time".to_owned()),
        }
    }

    fn precision(&self) -> Precision {
        let nresamples = self.sides.head[0].cell.settings.nresamples;
        Precision { confidence: self.terms.confidence_level, nresamples, seed: SEED }
    }

    /// Rounds of its fair runs.
    pub fn rounds(&self) -> usize {
        self.fair.iter().map(|&index| self.sides.head[index].cell.rounds.len()).sum()
    }

    fn values(&self) -> Vec<Shown> {
        METRICS.iter().filter_map(|metric| self.shown(metric)).collect()
    }

    /// Both sides' values of a metric; nothing when head has none.
    pub fn shown(&self, metric: &'static Metric) -> Option<Shown> {
        let precision = self.precision();
        let value = |metric: &'static Metric, series: &[&Series]| {
            let runs: Vec<_> = series.iter().filter_map(|series| series.values.get(metric.id)).collect();
            estimate(&runs, metric, precision)
        };
        let head: Vec<&HeadCell> = self.fair.iter().map(|&index| &self.sides.head[index]).collect();
        let base = |metric| -> Vec<&Series> {
            match &self.sides.base {
                Base::Duet => head.iter().filter_map(|head| head.base.as_ref()).collect(),
                Base::Runs { current, .. } => {
                    let compared = current.iter().filter(|stored| stored.serves(metric));
                    compared.map(|stored| &stored.series).collect()
                }
                Base::New(_) | Base::Incomparable(_) | Base::OtherTestBed(_) => Vec::new(),
            }
        };
        let series: Vec<&Series> = head.iter().map(|head| &head.series).collect();
        Some(Shown { metric, head: value(metric, &series)?, base: value(metric, &base(metric)) })
    }
}
