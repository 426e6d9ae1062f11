//! The table of the environment.

use maud::{Markup, html};

use crate::report::environment::{self, Fact};
use crate::report::model::Report;
use crate::report::page::elements::marked_up;

/// A table of facts, in which one cell stands for both sides if they are the same.
pub(super) fn environment(report: &Report) -> Markup {
    let facts = environment::environment(report);
    let has_base = facts.iter().any(|fact| fact.base.is_some());
    html! {
        h2 { "Environment" }
        p { (marked_up(&environment::sides(report))) }
        table.wide {
            thead {
                tr {
                    th scope="col" { "fact" }
                    @if has_base { th scope="col" { "base" } }
                    th scope="col" { "head" }
                }
            }
            tbody { @for fact in &facts { (row(fact, has_base)) } }
        }
    }
}

fn row(fact: &Fact, has_base: bool) -> Markup {
    let Fact { name, base, head, differs } = fact;
    html! {
        tr.differs[*differs] {
            th scope="row" {
                (name)
                @if *differs { " " span.mark { b aria-hidden="true" { "≠" } " differs" } }
            }
            @match base {
                Some(base) if base == head => td colspan="2" data-is="both" { (head) },
                _ => {
                    @if has_base { td data-is="base" { (shown(base.as_deref().unwrap_or_default())) } }
                    td data-is="head" { (shown(head)) }
                },
            }
        }
    }
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}
