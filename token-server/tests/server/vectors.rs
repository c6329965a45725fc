use std::path::Path;

use serde_json::Value;

/// Reads one of the repository's vector files.
pub(crate) fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/vectors")
        .join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} is not text"))
}

/// A list of texts in the notation of settings.
pub(crate) fn list(value: &Value) -> String {
    let texts: Vec<&Value> = value.as_array().into_iter().flatten().collect();
    serde_json::to_string(&texts).unwrap()
}
