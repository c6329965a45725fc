//! The web tier from the outside: settings from files, a database in a file, support documents over
//! sockets.

mod databases;
mod dependencies;
mod documents;
mod gateway;
mod nodes;
mod requests;
mod settings;
mod settings_documented;
mod users;
mod worker_settings;

use std::path::Path;

use token_server_web::{
    settings::{Settings, Sources},
    store::Store,
};

/// Settings that differ from the defaults by `assignments`, with a database in `directory`.
fn settings(directory: &Path, assignments: &[(&str, &str)]) -> Settings {
    let database = format!("sqlite:{}", directory.join("users.db").display());
    let needed = [
        ("database.url", database.as_str()),
        ("browserid.audience", "https://token.example.test"),
        ("secrets.token", "secret0"),
        ("secrets.metrics", "metrics-secret-1"),
    ];
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Settings::load(&Sources {
        assignments: needed.iter().chain(assignments).map(pair).collect(),
        ..Sources::default()
    })
    .expect("the settings are good")
}

/// The database of [`settings`].
async fn store(directory: &Path) -> Store {
    let settings = settings(directory, &[]);
    Store::open(&settings.database, settings.nodes.capacity_release_rate)
        .await
        .expect("a database can be made in a new directory")
}
