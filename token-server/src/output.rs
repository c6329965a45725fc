//! Standard output is for what was asked for; everything else goes to the log.

use std::io::{self, Write};

use serde::Serialize;
use sysexits::ExitCode;

use crate::failure::Failure;

/// Writes text as it is. A reader that has gone away is no failure: it has read enough.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            ExitCode::IoErr,
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Writes one value as a line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut line = serde_json::to_string(value)
        .map_err(|error| Failure::new(ExitCode::Software, error.to_string()))?;
    line.push('\n');
    text(&line)
}
