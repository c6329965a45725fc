//! Users and nodes in the database. Nothing about them is remembered between requests: other servers
//! and operators' scripts write to the same tables.

mod admin;
mod database;
mod error;
mod login;
mod nodes;
mod sql;

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

pub use admin::{AccessEntry, AccessList, NodeChange, OldNode, OldRecord, OldRecords, Seeded};
pub use error::StoreError;
pub use login::{Login, User};
pub use nodes::NewNode;

use self::database::{Database, Value};
use crate::settings::{self, Share};

/// The database.
#[derive(Debug)]
pub struct Store {
    database: Database,
    release_rate: Share,
    services: RwLock<HashMap<String, Arc<Service>>>,
}

/// A row of the table of services.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// The row's number.
    pub id: i64,
    /// How a user's endpoint is written: `{node}/1.5/{uid}`.
    pub pattern: String,
}

impl Service {
    /// The address where a user's data lies.
    #[must_use]
    pub fn endpoint(&self, service: &str, node: &str, uid: i64) -> String {
        self.pattern
            .replace("{node}", node)
            .replace("{service}", service)
            .replace("{uid}", &uid.to_string())
    }
}

impl Store {
    /// Opens the database. An SQLite file that doesn't exist is made, readable by its owner alone. An
    /// empty database gets the tables, and Sync's row in the table of services. An existing one is used
    /// as it is.
    ///
    /// `release_rate` is the share of its capacity by which a full node is opened.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database cannot be used or holds something else.
    pub async fn open(
        settings: &settings::Database,
        release_rate: Share,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(settings).await?,
            release_rate,
            services: RwLock::default(),
        })
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when there is none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let _: Vec<(i64,)> = self.database.rows(sql::PING, &[]).await?;
        Ok(())
    }

    /// The service called `name`, or `None` when the table has no such row. A row that was found is
    /// remembered as long as the process lives.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database cannot be asked.
    pub async fn service(&self, name: &str) -> Result<Option<Arc<Service>>, StoreError> {
        if let Some(service) = self.known_service(name) {
            return Ok(Some(service));
        }
        let sql = self.database.statements().service;
        let rows: Vec<(i64, String)> = self.database.rows(sql, &[Value::Text(name)]).await?;
        let Some((id, pattern)) = rows.into_iter().next() else {
            return Ok(None);
        };
        let service = Arc::new(Service { id, pattern });
        self.services
            .write()
            .expect("no panics under this lock")
            .insert(name.to_owned(), Arc::clone(&service));
        Ok(Some(service))
    }

    fn known_service(&self, name: &str) -> Option<Arc<Service>> {
        let known = self.services.read().expect("no panics under this lock");
        known.get(name).cloned()
    }

    /// Closes every connection, after their statements in flight.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
