//! JSON: the judgement for scripts. `judgement.schema.json` describes it. Numbers are in the metrics' units, changes are fractions.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::judge::{Comparison, Estimate, LimitOutcome, Stage, Verdict};
use crate::plan::{CellId, Side};
use crate::record::{Better, SourceLine, Unit};
use crate::report::environment::{self, Fact};
use crate::report::model::{Cell, Report, ReportError, Row};
use crate::report::text;

/// The version of this form. It changes if a field goes or means something else, not if one is added.
const SCHEMA: u32 = 1;

/// The judgement of one bench target.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Document<'a> {
    /// The version of this form: 1. It changes if a field goes or means something else, not if one is added.
    schema: u32,
    /// The version of plimsoll.
    plimsoll: &'static str,
    /// The bench target.
    bench: &'a str,
    /// The most severe verdict of all cells. `regressed` gives exit code 1, unless the run replaced the baseline.
    verdict: Verdict,
    /// Whether anything was compared.
    compared: bool,
    /// The verdict in a sentence, for people.
    sentence: String,
    /// What head was compared with.
    base: BaseKind,
    /// The cells in the order of the bench file.
    cells: Vec<CellDocument<'a>>,
    /// Ids of cells that the baseline has and the bench file lacks.
    removed: Vec<String>,
    /// What else to know about the run, for people.
    notes: Vec<String>,
    /// The machine, the builds and the runs of both sides, for people.
    environment: Vec<Fact>,
}

/// What head was compared with.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum BaseKind {
    /// Another build, measured side by side.
    Duet,
    /// Stored runs of this machine.
    StoredRuns,
    /// Nothing.
    None,
}

/// One endpoint under one load.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CellDocument<'a> {
    /// Its whole name: `group/function/parameter`. As a filter with `--exact` it selects this cell.
    id: String,
    /// The group, function and parameter alone.
    #[serde(flatten)]
    parts: &'a CellId,
    /// Where the bench file defines it, if known.
    source: Option<&'a SourceLine>,
    /// The verdict of all its judged metrics and limits.
    verdict: Verdict,
    /// The reason in a sentence, for people.
    reason: Option<String>,
    /// How requests were sent: `closed(10)`.
    load: String,
    /// Requests in flight.
    concurrency: usize,
    /// Rounds of head, without confirmations.
    rounds: usize,
    /// Pairs of rounds that were measured to confirm or refute an apparent change.
    fresh_pairs: usize,
    /// Requests of head that were counted.
    requests: u64,
    /// Successful requests of head.
    successes: u64,
    /// Failed requests of head by kind, for people.
    faults: BTreeMap<String, u64>,
    /// Each metric that it has.
    metrics: Vec<MetricDocument>,
    /// Its absolute limits.
    limits: Vec<LimitDocument>,
    /// What else to know about it, for people.
    notes: Vec<String>,
}

/// A metric of a cell. If fresh pairs decided, the values are theirs.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MetricDocument {
    /// Its id: `latency_p99`.
    metric: &'static str,
    /// The unit of its values.
    unit: &'static str,
    /// Whether `lower` or `higher` is better.
    better: &'static str,
    /// Whether it counts for the verdict of its cell.
    judged: bool,
    /// Base's value.
    base: Option<ValueDocument>,
    /// Head's value.
    head: Option<ValueDocument>,
    /// How it changed, if it was compared.
    comparison: Option<ComparisonDocument>,
}

/// A value with its interval, in the metric's unit.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ValueDocument {
    /// The value.
    value: f64,
    /// The lower end of its interval.
    low: Option<f64>,
    /// The upper end of its interval.
    high: Option<f64>,
}

/// Head compared with base.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ComparisonDocument {
    /// The verdict on this metric.
    verdict: Verdict,
    /// Whether the change is a `fraction` of base (0.05 is 5% more) or, of the success ratio, a `difference`.
    change_is: &'static str,
    /// The change; null if it could not be computed.
    change: Option<f64>,
    /// The lower end of its interval; null if the interval is unknown.
    low: Option<f64>,
    /// The upper end of its interval.
    high: Option<f64>,
    /// The p value of "the change is within the noise threshold", corrected for all tests.
    p: Option<f64>,
    /// Smaller changes are ignored.
    noise_threshold: f64,
    /// The smallest change for the worse that would have been found with 80% probability, in the metric's own direction; null if
    /// none would.
    detectable: Option<f64>,
    /// The fresh pairs of rounds that decided; null if the rounds of the screening did.
    fresh_pairs: Option<usize>,
    /// What would decide it, if it is inconclusive, for people.
    advice: Option<String>,
}

/// An absolute limit of a cell.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LimitDocument {
    /// The metric that is limited.
    metric: &'static str,
    /// Its largest allowed value.
    limit: f64,
    /// Head's value.
    value: Option<f64>,
    /// `broken`, `holds` or `undecided`.
    outcome: &'static str,
}

/// The whole text.
pub(crate) fn render(report: &Report) -> Result<String, ReportError> {
    let shared = report.shared_notes();
    let document = Document {
        schema: SCHEMA,
        plimsoll: env!("CARGO_PKG_VERSION"),
        bench: report.bench,
        verdict: report.verdict(),
        compared: !report.judgement.compared_nothing(),
        sentence: report.headline(),
        base: match report {
            _ if report.is_duet() => BaseKind::Duet,
            _ if report.judgement.compared_nothing() => BaseKind::None,
            _ => BaseKind::StoredRuns,
        },
        cells: report.cells().iter().map(cell).collect(),
        removed: report.judgement.removed.iter().map(ToString::to_string).collect(),
        notes: text::call_notes(report, &shared),
        environment: environment::environment(report),
    };
    let json =
        serde_json::to_string_pretty(&document).map_err(|error| ReportError::Json(error.to_string()))?;
    Ok(json + "\n")
}

fn cell<'a>(cell: &Cell<'a>) -> CellDocument<'a> {
    let counts = cell.counts();
    CellDocument {
        id: cell.judged.id.to_string(),
        parts: &cell.judged.id,
        source: cell.last().source.as_ref(),
        verdict: cell.judged.verdict,
        reason: text::cell_reason(cell.judged),
        load: cell.last().load.to_string(),
        concurrency: cell.last().load.concurrency(),
        rounds: cell.runs.iter().map(|run| run.rounds.len()).sum(),
        fresh_pairs: cell.fresh_pairs,
        requests: counts.requests,
        successes: counts.successes,
        faults: counts.faults.iter().map(|(fault, count)| (fault.in_words(), *count)).collect(),
        metrics: cell.rows().iter().map(metric).collect(),
        limits: cell
            .judged
            .limits
            .iter()
            .map(|limit| LimitDocument {
                metric: limit.metric.id,
                limit: limit.limit,
                value: limit.value.map(|value| value.value),
                outcome: match limit.outcome {
                    LimitOutcome::Broken => "broken",
                    LimitOutcome::Holds => "holds",
                    LimitOutcome::Undecided => "undecided",
                },
            })
            .collect(),
        notes: cell.own_notes(&[]).iter().map(text::note).collect(),
    }
}

fn metric(row: &Row) -> MetricDocument {
    let value = |side: Side| {
        let Estimate { value, interval, .. } = row.value(side).filter(|found| found.value.is_finite())?;
        Some(ValueDocument { value, low: interval.map(|ends| ends.0), high: interval.map(|ends| ends.1) })
    };
    MetricDocument {
        metric: row.metric.id,
        unit: match row.metric.unit {
            Unit::Ratio => "ratio",
            Unit::Nanoseconds => "ns",
            Unit::PerSecond => "per_s",
            Unit::Bytes => "bytes",
            Unit::Tokens => "tokens",
            Unit::TokensPerSecond => "tokens_per_s",
        },
        better: if row.metric.better == Better::Lower { "lower" } else { "higher" },
        judged: row.judged().is_some(),
        base: value(Side::Base),
        head: value(Side::Head),
        comparison: row.comparison.map(comparison),
    }
}

fn comparison(found: &Comparison) -> ComparisonDocument {
    // No minus zero.
    let finite = |number: Option<f64>| number.filter(|number| number.is_finite()).map(|number| number + 0.0);
    // An interval without an end is none.
    let interval = found.change.filter(|change| change.low.is_finite() && change.high.is_finite());
    ComparisonDocument {
        verdict: found.verdict,
        change_is: if found.is_difference() { "difference" } else { "fraction" },
        change: finite(found.change.map(|change| change.estimate)),
        low: finite(interval.map(|change| change.low)),
        high: finite(interval.map(|change| change.high)),
        p: finite(found.change.map(|_| found.p_adjusted)),
        noise_threshold: found.margin,
        detectable: finite(text::signed_detectable(found)),
        fresh_pairs: match found.stage {
            Stage::Confirmed { pairs, .. } => Some(pairs),
            Stage::Whole | Stage::Screened => None,
        },
        advice: found.advice.as_ref().map(text::advice),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::*;
    use crate::report::tests::{Sampled, hostile};

    const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/judgement.schema.json");

    /// `UPDATE_SCHEMA=1 cargo test --lib schema` writes it.
    #[test]
    fn the_published_schema_is_that_of_the_code() {
        let schema = schemars::schema_for!(Document);
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            fs::write(PUBLISHED, &text).unwrap();
        }
        assert!(fs::read_to_string(PUBLISHED).unwrap() == text, "write it again with UPDATE_SCHEMA=1");
    }

    #[test]
    fn verdicts_have_the_names_that_people_read() {
        let json: Value = serde_json::from_str(&render(&Sampled::duet().report()).unwrap()).unwrap();
        assert_eq!((&json["verdict"], &json["base"]), (&"regressed".into(), &"duet".into()));
        for verdict in [Verdict::SeemsFaster, Verdict::Regressed, Verdict::Incomparable] {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.name());
        }
    }

    #[test]
    fn a_script_finds_what_regressed_and_by_how_much() {
        let json: Value = serde_json::from_str(&render(&Sampled::duet().report()).unwrap()).unwrap();
        let cell = &json["cells"][0];
        assert_eq!(cell["id"], "tokenizer/3k_tokens/5");
        assert_eq!(
            (&cell["group"], &cell["function"], &cell["parameter"]),
            (&"tokenizer".into(), &"3k_tokens".into(), &"5".into())
        );
        let p50 =
            cell["metrics"].as_array().unwrap().iter().find(|one| one["metric"] == "latency_p50").unwrap();
        assert_eq!((&p50["base"]["value"], &p50["head"]["value"]), (&32.5e6.into(), &40e6.into()));
        assert_eq!(
            (&p50["comparison"]["change"], &p50["comparison"]["fresh_pairs"]),
            (&0.231.into(), &10.into())
        );
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_read_back(name in hostile()) {
            let mut sampled = Sampled::new(&[Verdict::Regressed]);
            sampled.rename(&name);
            let json: Value = serde_json::from_str(&render(&sampled.report()).unwrap()).unwrap();
            proptest::prop_assert_eq!(json["cells"][0]["group"].as_str(), Some(name.as_str()));
        }
    }
}
