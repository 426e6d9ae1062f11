//! CSV: a line for each round, with its counts and the value of each metric (RFC 4180).

use crate::plan::Side;
use crate::record::{METRICS, Round};
use crate::report::model::{Report, ReportError};

/// The columns before those of the metrics, which have their units of `run.json`: ns, bytes, fractions, per second.
const COLUMNS: [&str; 11] = [
    "bench",
    "run",
    "cell",
    "side",
    "stage",
    "launch",
    "round",
    "started_s",
    "window_s",
    "requests",
    "successes",
];

/// The whole text.
pub(crate) fn render(report: &Report) -> Result<String, ReportError> {
    let columns = COLUMNS.into_iter().chain(METRICS.iter().map(|metric| metric.id));
    let mut text = line(columns.map(str::to_owned));
    for run in report.runs {
        let confirmations = run.confirmations.iter().enumerate();
        let confirmations = confirmations.map(|(nth, cells)| (format!("confirmation {}", nth + 1), cells));
        for (stage, cells) in std::iter::once(("screening".to_owned(), &run.cells)).chain(confirmations) {
            for cell in cells {
                for (side, rounds) in [(Side::Head, &cell.rounds), (Side::Base, &cell.base)] {
                    for (nth, round) in rounds.iter().enumerate() {
                        let names = [&run.bench, &run.id, &cell.id.to_string(), &side.to_string(), &stage];
                        text.push_str(&line(names.into_iter().cloned().chain(numbers(nth, round))));
                    }
                }
            }
        }
    }
    Ok(text)
}

fn numbers(nth: usize, round: &Round) -> impl Iterator<Item = String> {
    let counts = [round.counts.requests, round.counts.successes].map(|count| count.to_string());
    let times = [round.started, round.window].map(|time| time.as_secs_f64().to_string());
    let places = [round.launch, nth].map(|place| place.to_string());
    let value = move |id: &str| round.values.get(id).map(f64::to_string).unwrap_or_default();
    places.into_iter().chain(times).chain(counts).chain(METRICS.iter().map(move |metric| value(metric.id)))
}

/// A line of fields, quoted where they need it.
fn line(fields: impl Iterator<Item = String>) -> String {
    let quoted = |field: String| match field.contains([',', '"', '\n', '\r']) || field.starts_with(' ') {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field,
    };
    fields.map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::report::tests::{Sampled, hostile};

    #[test]
    fn each_round_of_each_side_and_stage_is_a_line() {
        let sampled = Sampled::duet();
        let text = render(&sampled.report()).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let columns = reader.headers().unwrap().clone();
        assert_eq!(columns.iter().next_back(), Some("output_token_throughput"));
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        // Ten rounds of two cells and of a confirmation, of both sides.
        assert_eq!(rows.len(), 10 * 3 * 2);
        let of = |row: &csv::StringRecord, column: &str| {
            row[columns.iter().position(|name| name == column).unwrap()].to_owned()
        };
        assert_eq!(of(&rows[0], "cell"), "tokenizer/3k_tokens/5");
        assert_eq!((of(&rows[0], "side"), of(&rows[10], "side")), ("head".into(), "base".into()));
        assert_eq!(of(&rows[59], "stage"), "confirmation 1");
        let p50: f64 = of(&rows[0], "latency_p50").parse().unwrap();
        assert_eq!(p50, sampled.runs[0].cells[0].rounds[0].values["latency_p50"]);
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_read_back(name in hostile()) {
            let mut sampled = Sampled::new(&[Verdict::New]);
            sampled.rename(&name);
            let text = render(&sampled.report()).unwrap();
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            for row in reader.records() {
                let row = row.unwrap();
                proptest::prop_assert_eq!(&row[2], &sampled.runs[0].cells[0].id.to_string());
            }
        }
    }
}
