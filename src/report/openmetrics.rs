//! OpenMetrics: the values of both sides, the changes, and whether each cell regressed. GitLab compares such files between branches.
//!
//! The form is that of the OpenMetrics 1.0 specification: base units in the names, `# EOF` at the end.

use crate::judge::Verdict;
use crate::plan::{CellId, Side};
use crate::record::{METRICS, Metric, Unit};
use crate::report::model::{Report, ReportError};

/// The whole text.
pub(crate) fn render(report: &Report) -> Result<String, ReportError> {
    let cells = report.cells();
    let label = |id: &CellId, more: &str| {
        let (bench, id) = (escaped(report.bench), escaped(&id.to_string()));
        format!("{{bench=\"{bench}\",cell=\"{id}\"{more}}}")
    };
    let mut text = String::new();
    for metric in METRICS {
        let (name, unit, size) = named(metric);
        let mut samples = String::new();
        for cell in &cells {
            for side in [Side::Base, Side::Head] {
                let estimate = cell.row(metric.id).and_then(|row| row.value(side));
                if let Some(estimate) = estimate.filter(|estimate| estimate.value.is_finite()) {
                    let labels = label(&cell.judged.id, &format!(",side=\"{side}\""));
                    samples.push_str(&format!("{name}{labels} {}\n", estimate.value / size));
                }
            }
        }
        text.push_str(&family(&name, unit, &format!("{} of a cell.", metric.title), &samples));
    }
    let (mut changes, mut regressed) = (String::new(), String::new());
    for cell in &cells {
        let is_regressed = u8::from(cell.judged.verdict == Verdict::Regressed);
        regressed.push_str(&format!("plimsoll_regressed{} {is_regressed}\n", label(&cell.judged.id, "")));
        for found in &cell.judged.comparisons {
            let Some(change) = found.change else { continue };
            for (end, value) in [("low", change.low), ("estimate", change.estimate), ("high", change.high)] {
                let labels =
                    label(&cell.judged.id, &format!(",metric=\"{}\",end=\"{end}\"", found.metric.id));
                changes.push_str(&format!("plimsoll_change_ratio{labels} {value}\n"));
            }
        }
    }
    let help = "Head against base as a fraction, of the success ratio as a difference, with the ends of its interval.";
    text.push_str(&family("plimsoll_change_ratio", "ratio", help, &changes));
    text.push_str(&family("plimsoll_regressed", "", "1 if the cell regressed, else 0.", &regressed));
    Ok(text + "# EOF\n")
}

/// A family of gauges; empty without a sample.
fn family(name: &str, unit: &str, help: &str, samples: &str) -> String {
    let unit = if unit.is_empty() { String::new() } else { format!("# UNIT {name} {unit}\n") };
    match samples {
        "" => String::new(),
        _ => format!("# TYPE {name} gauge\n{unit}# HELP {name} {help}\n{samples}"),
    }
}

/// The name of a metric's family, its base unit, and how many of ours are one of these.
fn named(metric: &Metric) -> (String, &'static str, f64) {
    let (unit, size) = match metric.unit {
        Unit::Ratio => ("ratio", 1.0),
        Unit::Nanoseconds => ("seconds", 1e9),
        Unit::PerSecond => ("per_second", 1.0),
        Unit::Bytes => ("bytes", 1.0),
        Unit::Tokens => ("tokens", 1.0),
        Unit::TokensPerSecond => ("tokens_per_second", 1.0),
    };
    let id = metric.id;
    let name = if id.ends_with(unit) { format!("plimsoll_{id}") } else { format!("plimsoll_{id}_{unit}") };
    (name, unit, size)
}

/// A label's value. GitLab takes `#` for the beginning of a comment even there, so a wide one takes its place.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', " ").replace('#', "＃")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{Sampled, hostile};

    /// The labels and value of a sample, by the grammar of the specification.
    fn sample(line: &str) -> Option<(Vec<(String, String)>, f64)> {
        let (_, rest) = line.split_once('{')?;
        let (mut labels, mut chars) = (Vec::new(), rest.chars());
        loop {
            let name: String = chars.by_ref().take_while(|c| *c != '=').collect();
            (chars.next()? == '"').then_some(())?;
            let mut value = String::new();
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => value.push(match chars.next()? {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        _ => return None,
                    }),
                    c => value.push(c),
                }
            }
            labels.push((name, value));
            match chars.next()? {
                ',' => {}
                '}' => return Some((labels, chars.as_str().strip_prefix(' ')?.parse().ok()?)),
                _ => return None,
            }
        }
    }

    #[test]
    fn values_are_in_base_units_and_each_family_is_described_once() {
        let text = render(&Sampled::new(&[Verdict::Regressed]).report()).unwrap();
        for part in [
            "# TYPE plimsoll_latency_p50_seconds gauge\n# UNIT plimsoll_latency_p50_seconds seconds\n",
            "plimsoll_latency_p50_seconds{bench=\"tokenizer\",cell=\"tokenizer/3k_tokens/5\",side=\"head\"} 0.0283",
            "# TYPE plimsoll_success_ratio gauge\n# UNIT plimsoll_success_ratio ratio\n",
            "plimsoll_throughput_per_second{",
            "metric=\"latency_p99\",end=\"estimate\"} 0.231\n",
            "plimsoll_regressed{bench=\"tokenizer\",cell=\"tokenizer/3k_tokens/5\"} 1\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.ends_with("\n# EOF\n"));
        let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        assert_eq!(types.len(), crate::report::model::unique(types.iter()).len());
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_read_back(name in hostile()) {
            let mut sampled = Sampled::new(&[Verdict::Regressed]);
            sampled.rename(&name);
            let text = render(&sampled.report()).unwrap();
            let id = sampled.judgement.cells[0].id.to_string().replace('\r', " ").replace('#', "＃");
            for line in text.split('\n').filter(|line| !line.is_empty() && !line.starts_with("# ")) {
                let (labels, _) = sample(line).expect(line);
                proptest::prop_assert_eq!(&labels[1], &("cell".to_owned(), id.clone()));
            }
        }
    }
}
