//! Opening a database: made with tables when it is empty, adopted as it is when it isn't.

mod server;
mod sqlite;

pub(super) use server::{mysql, postgres};
pub(super) use sqlite::sqlite;

use super::Database;
use crate::store::StoreError;

const TABLES: [&str; 3] = ["services", "nodes", "users"];

/// Makes the tables in an empty database; otherwise only looks whether they are there. `name` is what
/// the operator knows the database by.
async fn prepare(database: &Database, name: &str) -> Result<(), StoreError> {
    let statements = database.statements();
    let mut transaction = database.begin().await?;
    if let Some(lock) = statements.lock_schema {
        transaction.execute(lock, &[]).await?;
    }
    let names: Vec<(String,)> = transaction.rows(statements.tables, &[]).await?;
    let missing: Vec<&str> = TABLES
        .into_iter()
        .filter(|table| !names.iter().any(|(name,)| name.eq_ignore_ascii_case(table)))
        .collect();
    if missing.len() == TABLES.len() {
        transaction.script(statements.schema).await?;
    } else if !missing.is_empty() {
        let reason = format!("it has no table {}", missing.join(", "));
        return Err(foreign(name, &reason));
    } else {
        for (table, columns) in TABLES.into_iter().zip(statements.columns) {
            if let Err(error) = transaction.execute(columns, &[]).await {
                let reason = format!("its table of {table} differs: {error}");
                return Err(foreign(name, &reason));
            }
        }
    }
    if let Some(unlock) = statements.unlock_schema {
        transaction.execute(unlock, &[]).await?;
    }
    transaction.commit().await
}

fn foreign(name: &str, reason: &str) -> StoreError {
    StoreError::Foreign {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}
