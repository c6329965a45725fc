use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sysexits::ExitCode;

use super::options::{AdminOptions, now_ms};
use crate::failure::Failure;

/// Count the users, now or at a time in the past.
///
/// Example: `token-server count-users --timestamp 1700000000000 --json`
#[derive(Args)]
pub(crate) struct CountUsers {
    /// Count those who were there at that time, in milliseconds since 1970. Default: now.
    #[arg(short, long, value_name = "MS")]
    timestamp: Option<i64>,

    /// Append the count to a file, as a line of JSON, instead of printing it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    options: AdminOptions,
}

impl CountUsers {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let until = self.timestamp.unwrap_or_else(now_ms);
        let users = self
            .options
            .run(async |ground| Ok(ground.store.count_users(ground.service.id, until).await?))?;
        let value = json!({ "timestamp": until, "total_users": users, "op": "sync_count_users" });
        let Some(path) = &self.output else {
            return self.options.say(&value, &users.to_string());
        };
        let mut open = std::fs::OpenOptions::new();
        let written = open
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| {
                use std::io::Write;
                writeln!(file, "{value}")
            });
        written.map_err(|error| {
            let message = format!("cannot write to {}: {error}", path.display());
            Failure::new(ExitCode::CantCreat, message)
        })
    }
}
