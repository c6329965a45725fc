use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::json;
use sysexits::ExitCode;
use token_server_web::{
    access::check_patterns,
    settings::Users,
    store::{AccessEntry, AccessList},
};

use super::options::{AdminOptions, Ground};
use crate::{failure::Failure, output};

/// Change the lists of users who are let in or kept out, in the database.
///
/// They count where the settings users.allow_table and users.deny_table ask for them. Servers notice a
/// change within a second or two of their next request.
#[derive(Args)]
pub(crate) struct Access {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Add(Add),
    Remove(Remove),
    List(List),
}

/// Add users to a list.
///
/// Example: `token-server access add deny accounts.example.org '0123*'`
#[derive(Args)]
struct Add {
    #[command(flatten)]
    entry: Entry,

    #[command(flatten)]
    options: AdminOptions,
}

/// Remove an entry from a list.
///
/// Example: `token-server access remove deny accounts.example.org '0123*'`
#[derive(Args)]
struct Remove {
    #[command(flatten)]
    entry: Entry,

    #[command(flatten)]
    options: AdminOptions,
}

/// Show the lists.
///
/// Example: `token-server access list --json`
#[derive(Args)]
struct List {
    #[command(flatten)]
    options: AdminOptions,
}

#[derive(Args)]
struct Entry {
    /// The list.
    #[arg(value_enum)]
    list: Which,

    /// Their issuers: a pattern with *, ? and [...].
    #[arg(value_parser = pattern)]
    issuer: String,

    /// Their ids at these issuers: a pattern likewise.
    #[arg(value_parser = pattern)]
    subject: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// Users who are let in, and nobody else.
    Allow,
    /// Users who are kept out.
    Deny,
}

/// A pattern that its column can hold.
fn pattern(text: &str) -> Result<String, String> {
    const MAX_CHARS: usize = 255;
    if text.is_empty() || text.chars().count() > MAX_CHARS {
        return Err(format!("must have 1 to {MAX_CHARS} characters"));
    }
    check_patterns(text, "*")?;
    Ok(text.to_owned())
}

#[derive(Serialize)]
struct Changed<'a> {
    #[serde(flatten)]
    entry: &'a AccessEntry,
    changed: bool,
}

impl Access {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Add(action) => action.run(),
            Action::Remove(action) => action.run(),
            Action::List(action) => action.run(),
        }
    }
}

impl Add {
    fn run(self) -> Result<(), Failure> {
        let entry = self.entry.into_entry();
        let changed = self.options.run(async |ground| {
            prepare(ground, Some(entry.list)).await?;
            Ok(ground.store.add_access_entry(&entry).await?)
        })?;
        let what = if changed { "added" } else { "was there:" };
        let entry = &entry;
        let text = format!("{what} {}", line(entry));
        self.options.say(&Changed { entry, changed }, &text)
    }
}

impl Remove {
    fn run(self) -> Result<(), Failure> {
        let entry = self.entry.into_entry();
        let changed = self.options.run(async |ground| {
            prepare(ground, Some(entry.list)).await?;
            Ok(ground.store.remove_access_entry(&entry).await?)
        })?;
        let entry = &entry;
        if !changed {
            let message = format!(
                "there is no entry {}; see: token-server access list",
                line(entry)
            );
            return Err(Failure::new(ExitCode::DataErr, message));
        }
        let text = format!("removed {}", line(entry));
        self.options.say(&Changed { entry, changed }, &text)
    }
}

impl List {
    fn run(self) -> Result<(), Failure> {
        let entries = self.options.run(async |ground| {
            prepare(ground, None).await?;
            Ok(ground.store.access_entries().await?)
        })?;
        if self.options.wants_json() {
            return output::json(&json!({ "entries": entries }));
        }
        let lines: String = entries.iter().map(|entry| line(entry) + "\n").collect();
        output::text(&lines)
    }
}

impl Entry {
    fn into_entry(self) -> AccessEntry {
        AccessEntry {
            list: match self.list {
                Which::Allow => AccessList::Allow,
                Which::Deny => AccessList::Deny,
            },
            issuer: self.issuer,
            subject: self.subject,
        }
    }
}

fn line(entry: &AccessEntry) -> String {
    format!("{} {} {}", entry.list, entry.issuer, entry.subject)
}

/// Makes the table, but only where the settings ask for a list: nobody would read it otherwise.
async fn prepare(ground: &Ground, list: Option<AccessList>) -> Result<(), Failure> {
    let Users {
        allow_table,
        deny_table,
        ..
    } = ground.settings.users;
    let (wanted, key) = match list {
        Some(AccessList::Allow) => (allow_table, "users.allow_table is"),
        Some(AccessList::Deny) => (deny_table, "users.deny_table is"),
        None => (
            allow_table || deny_table,
            "users.allow_table and users.deny_table are",
        ),
    };
    if !wanted {
        let message = format!("{key} not set, so no server would look at the list; set it to true");
        return Err(Failure::new(ExitCode::Config, message));
    }
    Ok(ground.store.prepare_access_table().await?)
}
