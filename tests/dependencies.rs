//! What plimsoll brings along as a dev-dependency: features of shared crates, licenses, and crates in two versions.
//!
//! Cargo builds benches, tests and services in the bench's own process with the features of both. plimsoll must not turn on a feature that
//! changes how a service behaves. The others are listed here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A service with the usual dependencies.
const SERVICE: &str = "[package]\nname = \"service\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\naxum = \"0.8\"\n\
    tokio = { version = \"1\", features = [\"rt\", \"net\"] }\nserde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n\
    hyper = { version = \"1\", features = [\"client\", \"http1\"] }\nclap = \"4\"\nsha2 = \"0.11\"\n";

/// Features that are turned on with `default-features = false`, as in the README. They add functions that a service does not call.
const LEAN: [(&str, &[&str]); 10] = [
    ("bitflags", &["std"]),
    ("clap", &["derive", "env", "wrap_help"]),
    ("clap_builder", &["env", "wrap_help"]),
    ("digest", &["mac"]),
    ("futures-task", &["std"]),
    ("futures-util", &["std"]),
    ("libc", &["extra_traits"]),
    ("slab", &["std"]),
    ("syn", &["extra-traits", "visit", "visit-mut"]),
    ("tokio", &["bytes", "io-util", "signal", "signal-hook-registry"]),
];

/// The features of a package and of everything it depends on, including tests and benches.
fn features(folder: &Path, more: &str) -> BTreeMap<String, BTreeSet<String>> {
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src/main.rs"), "fn main() {}\n").unwrap();
    fs::write(folder.join("Cargo.toml"), format!("{SERVICE}{more}")).unwrap();
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args([
        "metadata",
        "--offline",
        "--format-version",
        "1",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
    ]);
    let output = metadata.current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let name = |id: &str| id.rsplit(['#', '/']).next().unwrap().split('@').next().unwrap().to_owned();
    let texts = |value: &Value| {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    nodes.iter().map(|node| (name(node["id"].as_str().unwrap()), texts(&node["features"]))).collect()
}

/// The features that a dependency on plimsoll turns on in crates that the service uses without it.
fn turned_on(dependency: &str) -> BTreeMap<String, BTreeSet<String>> {
    let folder = tempfile::tempdir().unwrap();
    let without = features(&folder.path().join("without"), "");
    let plimsoll =
        format!("[dev-dependencies]\nplimsoll = {{ path = {:?}{dependency} }}\n", env!("CARGO_MANIFEST_DIR"));
    let with = features(&folder.path().join("with"), &plimsoll);
    assert!(with.len() > without.len() && without.len() > 40, "{} and {}", with.len(), without.len());
    let more = |(name, own): (&String, &BTreeSet<String>)| {
        let added: BTreeSet<String> = with.get(name)?.difference(own).cloned().collect();
        (!added.is_empty()).then(|| (name.clone(), added))
    };
    without.iter().filter_map(more).collect()
}

#[test]
fn a_dev_dependency_turns_on_only_listed_features() {
    let is_listed = |name: &str, feature: &str| {
        LEAN.iter().any(|(listed, features)| *listed == name && features.contains(&feature))
    };
    let added = turned_on(", default-features = false");
    let added = added.iter().flat_map(|(name, features)| features.iter().map(move |feature| (name, feature)));
    let unexpected: Vec<_> = added.filter(|(name, feature)| !is_listed(name, feature)).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}

#[test]
fn default_features_do_not_change_crates_for_json_tls_or_servers() {
    let turned_on = turned_on("");
    for name in ["serde", "serde_core", "serde_json", "rustls", "ring", "axum", "tracing", "http"] {
        assert_eq!(turned_on.get(name), None, "{name}");
    }
}

/// Licenses that need no more than a notice.
const LICENSES: [&str; 11] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// Crates that other crates need in two versions.
const TWO_VERSIONS: [&str; 5] = ["base64", "getrandom", "miniz_oxide", "shlex", "syn"];

fn packages() -> Vec<Value> {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--locked", "--offline", "--all-features", "--format-version", "1"]);
    metadata.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let output = metadata.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether an SPDX expression can be met by allowed licenses alone.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    let is_known = |license: &str| {
        let license = license.trim();
        LICENSES.contains(&license)
            || license.split_once(" WITH ").is_some_and(|(one, _)| LICENSES.contains(&one))
    };
    expression.split(" AND ").all(|part| part.split(" OR ").any(is_known))
}

#[test]
fn all_licenses_are_permissive() {
    let license = |package: &Value| package["license"].as_str().unwrap_or("none").to_owned();
    let packages = packages();
    let refused: Vec<_> = packages.iter().filter(|package| !is_allowed(&license(package))).collect();
    let named: Vec<_> = refused.iter().map(|package| (package["name"].as_str(), license(package))).collect();
    assert!(named.is_empty(), "{named:?}");
    assert!(!is_allowed("GPL-3.0-only") && !is_allowed("MIT AND GPL-2.0") && is_allowed("GPL-2.0 OR MIT"));
}

#[test]
fn no_crate_comes_in_two_versions() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        versions.entry(text("name")).or_default().insert(text("version"));
    }
    let twice: Vec<_> = versions
        .iter()
        .filter(|(name, versions)| versions.len() > 1 && !TWO_VERSIONS.contains(&name.as_str()))
        .collect();
    assert!(twice.is_empty(), "{twice:?}");
}
