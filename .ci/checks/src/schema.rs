//! JSON files and their schema.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Fallible;

pub fn check(schema: &Path, files: &[PathBuf]) -> Fallible<Vec<String>> {
    let schema = read(schema)?;
    jsonschema::meta::validate(&schema).map_err(|error| format!("the schema is not valid: {error}"))?;
    let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
    let mut findings = Vec::new();
    for file in files {
        let value = read(file)?;
        let errors = validator.iter_errors(&value);
        findings
            .extend(errors.map(|error| format!("{}: {}: {error}", file.display(), error.instance_path())));
    }
    Ok(findings)
}

pub fn read(path: &Path) -> Fallible<Value> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_match_the_schema_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let schema = written("schema.json", r#"{"properties": {"cells": {"items": {"type": "object"}}}}"#);
        let good = written("good.json", r#"{"cells": [{}]}"#);
        let bad = written("bad.json", r#"{"cells": [{}, 1]}"#);
        let findings = check(&schema, &[good, bad.clone()]).unwrap();
        assert_eq!(findings, [format!("{}: /cells/1: 1 is not of type \"object\"", bad.display())]);
        let broken = written("broken.json", r#"{"type": "objekt"}"#);
        assert!(check(&broken, &[bad]).unwrap_err().to_string().contains("the schema is not valid"));
    }
}
