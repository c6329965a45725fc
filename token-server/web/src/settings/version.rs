//! Which build this is, where its packaging says so.

use std::{fs, io, path::Path};

use serde_json::{Map, Value};

use super::SettingsError;

/// Where Dockerflow puts it: beside the program, in the directory that it is started in.
const USUAL_FILE: &str = "version.json";

/// Reads the file that the settings name, or the usual one if there is one.
pub(super) fn read(path: Option<&Path>) -> Result<Option<Map<String, Value>>, SettingsError> {
    let file = path.unwrap_or(Path::new(USUAL_FILE));
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if path.is_none() && error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(SettingsError::Unreadable {
                path: file.to_owned(),
                error,
            });
        }
    };
    match serde_json::from_slice(&text) {
        Ok(version) => Ok(Some(version)),
        Err(error) => Err(SettingsError::Content {
            path: file.to_owned(),
            reason: format!("is no JSON object: {error}; set http.version_file to another file"),
        }),
    }
}
