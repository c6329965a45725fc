//! Opening a database: made with tables when it is empty, adopted as it is when it isn't.

mod server;
mod sqlite;

pub(super) use server::{mysql, postgres};
pub(super) use sqlite::sqlite;

use super::{Database, Transaction, transact};
use crate::store::StoreError;

const TABLES: [&str; 3] = ["services", "nodes", "users"];

/// Makes the tables in an empty database; otherwise only looks whether they are there. `name` is what
/// the operator knows the database by.
async fn prepare(database: &Database, name: &str) -> Result<(), StoreError> {
    transact!(database, transaction => async {
        transaction.lock_schema().await?;
        let prepared = make_tables(transaction, name).await;
        transaction.unlock_schema(prepared).await
    })
}

async fn make_tables(transaction: &mut Transaction, name: &str) -> Result<(), StoreError> {
    let statements = transaction.statements();
    let names: Vec<(String,)> = transaction.rows(statements.tables, &[]).await?;
    let missing: Vec<&str> = TABLES
        .into_iter()
        .filter(|table| !names.iter().any(|(name,)| name.eq_ignore_ascii_case(table)))
        .collect();
    if missing.len() == TABLES.len() {
        return transaction.script(statements.schema).await;
    }
    if !missing.is_empty() {
        let reason = format!("it has no table {}", missing.join(", "));
        return Err(foreign(name, &reason));
    }
    for (table, columns) in TABLES.into_iter().zip(statements.columns) {
        match transaction.execute(columns, &[]).await {
            Err(error) if !error.is_transient() => {
                let reason = format!("its table of {table} differs: {error}");
                return Err(foreign(name, &reason));
            }
            outcome => outcome?,
        };
    }
    Ok(())
}

fn foreign(name: &str, reason: &str) -> StoreError {
    StoreError::Foreign {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}
