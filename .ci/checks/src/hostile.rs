//! Copies of a run with names that a format may take for its own signs, and with many cells.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::Fallible;
use crate::schema;

/// Numbers of cells that a report has to hold.
const SIZES: [usize; 4] = [1, 36, 100, 200];
/// How many times slower cells are than base, or than the cell they were copied from.
const FACTORS: [f64; 7] = [1.0, 1.001, 1.3, 1.0, 0.8, 1.03, 0.999];

pub fn write(run: &Path, folder: &Path) -> Fallible<()> {
    let original = schema::read(run)?;
    fs::create_dir_all(folder)?;
    fs::write(folder.join("names.json"), renamed(&original, &names())?.to_string())?;
    for (index, name) in names().iter().enumerate() {
        let mut copy = resized(&original, 1)?;
        copy["runs"][0]["bench"] = json!(name);
        copy["runs"][0]["cells"][0]["id"]["group"] = json!(name);
        fs::write(folder.join(format!("bench-{index:02}.json")), copy.to_string())?;
    }
    for size in SIZES {
        fs::write(folder.join(format!("cells-{size:03}.json")), resized(&original, size)?.to_string())?;
    }
    Ok(())
}

fn names() -> Vec<String> {
    let names = [
        r#"quotes " and ' and &amp;"#,
        "</code></td></svg><script>alert(1)</script>",
        r#"" onload="alert(1)"#,
        "--><img src=x onerror=alert(1)><!-- plimsoll:other -->",
        "line\nbreak\r\n::error::forged",
        "::error file=a,line=1::forged",
        "100% %0A%25 100%",
        "a | b || \\| c",
        "```\ncode\n``` and `code`",
        "*bold* _under_ [link](https://example.com) @user #1 <!-- hidden",
        "=1+1,+1,-1,@SUM(A1)",
        "tab\tand \u{1b}[31mred\u{1b}[0m \u{7} bell",
        "a{b=\"c\"} 1 # EOF\n# EOF",
        "]]> <![CDATA[",
        "🦀 naïve 東京 a\u{301} \u{200b}",
        "\u{202e}right to left\u{202c} שלום",
        "../../../etc/passwd",
        " ",
    ];
    let long = ["x".repeat(1000), "long words ".repeat(91)];
    names.into_iter().map(str::to_owned).chain(long).collect()
}

/// A cell for each name as its group, one as its function and one as its parameter.
fn renamed(original: &Value, names: &[String]) -> Fallible<Value> {
    let mut copy = resized(original, 3 * names.len())?;
    copy["runs"][0]["bench"] = json!(names[1]);
    for (index, cell) in copy["runs"][0]["cells"].as_array_mut().into_iter().flatten().enumerate() {
        let name = names[index / 3].as_str();
        let (group, function, parameter) = match index % 3 {
            0 => (name, "search", "1"),
            1 => ("shop", name, "1"),
            _ => ("shop", "search", name),
        };
        cell["id"] = json!({ "group": group, "function": function, "parameter": parameter });
        cell["about"] = json!(name);
        cell["notes"] = json!([name]);
    }
    Ok(copy)
}

/// A run with this many cells, decided in one stage. Cells beyond the original's are copies with other ids and values.
fn resized(original: &Value, size: usize) -> Fallible<Value> {
    let mut copy = original.clone();
    let cells = original["runs"][0]["cells"].as_array().filter(|cells| !cells.is_empty());
    let cells = cells.ok_or("the run has no cells")?;
    let sized = (0..size).map(|index| {
        let mut cell = cells[index % cells.len()].clone();
        if index >= cells.len() {
            rename(&mut cell["id"], index / cells.len() + 1);
            change(&mut cell, FACTORS[index % FACTORS.len()]);
        }
        cell
    });
    copy["runs"][0]["cells"] = sized.collect();
    if let Some(run) = copy["runs"][0].as_object_mut() {
        run.remove("confirmation");
        run.remove("confirmations");
    }
    Ok(copy)
}

fn rename(id: &mut Value, number: usize) {
    let part = |name: &str| id[name].as_str().unwrap_or_default().to_owned();
    let function = format!("{}_{}", part("function"), part("parameter"));
    id["function"] = json!(function);
    id["parameter"] = json!(number.to_string());
}

/// Makes the latencies of head those of base times this factor, with the noise of other rounds, and the rates the reverse.
fn change(cell: &mut Value, factor: f64) {
    let base = cell["base"]["values"].clone();
    let Some(values) = cell["rounds"]["values"].as_object_mut() else { return };
    for (metric, column) in values {
        let factor = match metric.as_str() {
            latency if latency.starts_with("latency") => factor,
            rate if rate.ends_with("throughput") => 1.0 / factor,
            _ => continue,
        };
        let source = base[metric].as_array().or(column.as_array()).cloned().unwrap_or_default();
        let changed = source.iter().rev().map(|value| value.as_f64().map(|number| number * factor));
        *column = changed.collect();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn run() -> Value {
        let rounds = |latency: [f64; 2]| json!({ "values": { "latency_p50": latency, "lag": [7.0, 8.0] } });
        let cell = json!({
            "id": { "group": "shop", "function": "search", "parameter": "1" },
            "rounds": rounds([1.0, 2.0]),
            "base": rounds([3.0, 4.0]),
        });
        json!({ "schema": 2, "runs": [{ "bench": "shop", "confirmation": [30], "cells": [cell] }] })
    }

    fn ids(run: &Value) -> BTreeSet<String> {
        run["runs"][0]["cells"].as_array().unwrap().iter().map(|cell| cell["id"].to_string()).collect()
    }

    #[test]
    fn all_cells_of_a_copy_have_ids_of_their_own() {
        let names = names();
        assert_eq!(ids(&renamed(&run(), &names).unwrap()).len(), 3 * names.len());
        for size in SIZES {
            assert_eq!(ids(&resized(&run(), size).unwrap()).len(), size);
        }
    }

    #[test]
    fn latencies_are_those_of_base_times_a_factor() {
        let copy = resized(&run(), 3).unwrap();
        let values = &copy["runs"][0]["cells"][2]["rounds"]["values"];
        assert_eq!(values["latency_p50"], json!([4.0 * 1.3, 3.0 * 1.3]));
        assert_eq!(values["lag"], json!([7.0, 8.0]));
        assert_eq!(copy["runs"][0].get("confirmation"), None);
    }
}
