//! The features that plimsoll, as a dev-dependency, turns on in crates that the service uses too.
//!
//! Cargo builds benches, tests and services in the bench's own process with the features of both. plimsoll must not turn on a feature that
//! changes how a service behaves. The others are listed here and in BIAS.md.

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

#[test]
fn listed_features_are_in_bias_md() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/BIAS.md")).unwrap();
    for (name, features) in LEAN {
        assert!(text.contains(&format!("`{name}`")), "{name}");
        features
            .iter()
            .for_each(|feature| assert!(text.contains(&format!("`{feature}`")), "{name}: {feature}"));
    }
}
