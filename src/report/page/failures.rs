//! The requests that failed, by cell and kind.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::record::{Counts, Fault};
use crate::report::model::{Cell, Report};
use crate::report::page::elements::anchor;
use crate::report::text;

/// A table of the cells with failures; empty if no request failed.
pub(super) fn failures(report: &Report) -> Markup {
    let failed: Vec<(Cell, Counts, Counts)> = (report.cells().into_iter())
        .map(|cell| {
            let (base, head) = (base_counts(report, &cell), cell.counts());
            (cell, base, head)
        })
        .filter(|(_, base, head)| !base.faults.is_empty() || !head.faults.is_empty())
        .collect();
    html! {
        @if !failed.is_empty() {
            h2 { "Failures" }
            table.wide {
                thead {
                    tr { @for heading in ["cell", "failure", "base", "head"] { th scope="col" { (heading) } } }
                }
                tbody {
                    @for (cell, base, head) in &failed {
                        @for fault in faults(base, head) {
                            tr {
                                th scope="row" {
                                    a href={ "#" (anchor(report, &cell.judged.id)) } { bdi { (cell.judged.id) } }
                                }
                                td { (fault.in_words()) }
                                td data-is="base" { (count(base, fault)) }
                                td data-is="head" { (count(head, fault)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What base's rounds counted: its partner rounds in a duet, else the stored runs.
fn base_counts(report: &Report, cell: &Cell) -> Counts {
    if cell.is_duet() {
        return Counts::sum(&cell.runs.iter().map(|run| run.base_counts()).collect::<Vec<_>>());
    }
    Counts::sum(&report.stored(cell).iter().map(|(_, run)| run.counts()).collect::<Vec<_>>())
}

fn faults(base: &Counts, head: &Counts) -> BTreeSet<Fault> {
    base.faults.keys().chain(head.faults.keys()).copied().collect()
}

fn count(counts: &Counts, fault: Fault) -> String {
    match counts.requests {
        0 => "–".to_owned(),
        requests => text::failed(counts.faults.get(&fault).copied().unwrap_or(0), requests),
    }
}
