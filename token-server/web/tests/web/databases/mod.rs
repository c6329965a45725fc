//! The store on every kind of database.

mod access;
mod adoption;
mod allocation;
mod catalogue;
mod database;
mod node_changes;
mod others;
mod outage;
mod races;
mod relay;
mod retries;
mod round_trips;
mod seeding;
mod tidiness;

use std::sync::Arc;

use token_server_web::{
    store::{Login, Service, Store, StoreError, User},
    users::{Claims, Refusal},
};

pub(crate) use self::database::{Database, Kind};
use crate::settings;

pub(crate) async fn open(database: &Database) -> Result<Store, StoreError> {
    open_at(database, &database.url, &[]).await
}

/// Opens a database that is to be reached at another URL than its own.
pub(crate) async fn open_at(
    database: &Database,
    url: &str,
    assignments: &[(&str, &str)],
) -> Result<Store, StoreError> {
    let mut all = vec![("database.url", url)];
    all.extend(assignments);
    let settings = settings(database.directory(), &all);
    Store::open(&settings.database, settings.nodes.capacity_release_rate).await
}

pub(crate) async fn sync(store: &Store) -> Arc<Service> {
    store.service("sync-1.5").await.unwrap().unwrap()
}

pub(crate) async fn log_in(
    store: &Store,
    service: &Service,
    email: &str,
    now_ms: i64,
    (generation, keys_changed_at, client_state): (i64, i64, &str),
) -> Result<Result<User, Refusal>, StoreError> {
    let login = Login {
        service,
        email,
        claims: Claims {
            generation,
            keys_changed_at,
            client_state,
        },
        now_ms,
        allow_new: true,
    };
    store.log_in(&login).await
}
