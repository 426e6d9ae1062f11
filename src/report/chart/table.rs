//! The numbers of a chart as a table, for readers who cannot see it or want to know exactly.

use crate::plan::Side;
use crate::record::Unit;
use crate::report::chart::frame::{Line, Point};
use crate::report::model::{Table, unique};
use crate::report::number;

/// A row for each point: its line, its `x`, its value and its interval.
pub(crate) fn by_point(x_heading: &str, lines: &[Line], unit: Unit) -> Table {
    let row = |line: &Line, point: &Point| {
        vec![name(line), number::count(point.x as u64), number::value(point.value, unit), range(point, unit)]
    };
    let rows = lines.iter().flat_map(|line| line.points.iter().map(move |point| row(line, point)));
    let headings = ["line", x_heading, "value", "interval"];
    Table { headings: headings.map(str::to_owned).into(), rows: rows.collect() }
}

/// A row for each `x`, and a column for each line.
pub(crate) fn by_x(x_heading: &str, lines: &[Line], unit: Unit, x_name: impl Fn(f64) -> String) -> Table {
    let mut places = unique(lines.iter().flat_map(|line| &line.points).map(|point| point.x));
    places.sort_by(f64::total_cmp);
    let value = |line: &Line, x: f64| {
        line.points.iter().find(|point| point.x == x).map(|point| with_range(point, unit)).unwrap_or_default()
    };
    let row = |x: f64| std::iter::once(x_name(x)).chain(lines.iter().map(|line| value(line, x))).collect();
    let headings = std::iter::once(x_heading.to_owned()).chain(lines.iter().map(name)).collect();
    Table { headings, rows: places.into_iter().map(row).collect() }
}

/// A value, and its interval in parentheses.
pub(crate) fn with_range(point: &Point, unit: Unit) -> String {
    let value = number::value(point.value, unit);
    match range(point, unit) {
        range if range.is_empty() => value,
        range => format!("{value} ({range})"),
    }
}

fn range(point: &Point, unit: Unit) -> String {
    if point.low < point.high { number::value_range((point.low, point.high), unit) } else { String::new() }
}

/// The name of a line with its side.
fn name(Line { name, side, .. }: &Line) -> String {
    match side {
        side if *name == side.to_string() => name.clone(),
        Side::Base | Side::Head => format!("{name} {side}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        let line = |name: &str, side, points| Line { name: name.into(), side, marker: None, points };
        vec![
            line("base", Side::Base, vec![Point::new(5.0, 2e6, None)]),
            line("p50", Side::Head, vec![Point::new(1.0, 1e6, Some((9e5, 2e6))), Point::new(5.0, 3e6, None)]),
        ]
    }

    #[test]
    fn each_point_is_a_row() {
        let Table { headings, rows } = by_point("concurrency", &lines(), Unit::Nanoseconds);
        assert_eq!(headings, ["line", "concurrency", "value", "interval"]);
        assert_eq!(rows[0], ["base", "5", "2.000 ms", ""]);
        assert_eq!(rows[1], ["p50 head", "1", "1.000 ms", "900.0 µs to 2.000 ms"]);
    }

    #[test]
    fn lines_are_columns_with_room_for_what_only_others_have() {
        let Table { headings, rows } = by_x("at", &lines(), Unit::Nanoseconds, |x| format!("x{x}"));
        assert_eq!(headings, ["at", "base", "p50 head"]);
        assert_eq!(rows, [["x1", "", "1.000 ms (900.0 µs to 2.000 ms)"], ["x5", "2.000 ms", "3.000 ms"]]);
    }
}
