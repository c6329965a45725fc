use std::{fmt, path::Path};

use serde::Serialize;

/// What is printed once requests are answered.
#[derive(Serialize)]
pub(super) struct Ready<'a> {
    pub(super) url: &'a str,
    pub(super) authorization: &'a str,
    pub(super) email: &'a str,
    pub(super) directory: &'a Path,
    pub(super) worker_pids: Vec<u32>,
}

impl fmt::Display for Ready<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pids: Vec<String> = self.worker_pids.iter().map(u32::to_string).collect();
        writeln!(f, "A token server for development, at {}", self.url)?;
        writeln!(f, "  crypto workers   {}", pids.join(", "))?;
        writeln!(f, "  all of its files {}", self.directory.display())?;
        writeln!(f)?;
        writeln!(f, "Trade an assertion for a token (it is good for a day):")?;
        writeln!(f)?;
        writeln!(
            f,
            "curl -H 'Authorization: {}' {}",
            self.authorization, self.url
        )?;
        writeln!(f)?;
        writeln!(f, "Ctrl-C stops it and removes its files.")
    }
}
