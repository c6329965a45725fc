use sqlx::{MySql, Postgres, Sqlite};

use super::{
    Readable, Value,
    lease::{Lease, within},
    value::bound,
};
use crate::store::{
    StoreError,
    sql::{MYSQL, POSTGRES, SQLITE, Statements},
};

/// A transaction. Dropped without an [`end`](Self::end), it costs its connection: the database rolls back
/// what it finds abandoned.
pub(in super::super) enum Transaction {
    Sqlite(Lease<Sqlite>),
    Postgres(Lease<Postgres>),
    MySql(Lease<MySql>),
}

impl Transaction {
    pub(in super::super) fn statements(&self) -> &'static Statements {
        match self {
            Self::Sqlite(_) => &SQLITE,
            Self::Postgres(_) => &POSTGRES,
            Self::MySql(_) => &MYSQL,
        }
    }

    /// The connection is the transaction's alone already.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        let sql = match self {
            // Any other one would find out too late that it cannot write.
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) | Self::MySql(_) => "BEGIN",
        };
        self.set_open(true);
        self.script(sql).await
    }

    fn set_open(&mut self, is_open: bool) {
        match self {
            Self::Sqlite(own) => own.set_in_transaction(is_open),
            Self::Postgres(own) => own.set_in_transaction(is_open),
            Self::MySql(own) => own.set_in_transaction(is_open),
        }
    }

    pub(in super::super) async fn rows<T: Readable>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(own) => {
                let query = bound!(sqlx::query_as(sql), values);
                within!(own, connection => query.fetch_all(connection))
            }
            Self::Postgres(own) => {
                let query = bound!(sqlx::query_as(sql), values);
                within!(own, connection => query.fetch_all(connection))
            }
            Self::MySql(own) => {
                let query = bound!(mysql sqlx::query_as(sql), values);
                within!(own, connection => query.fetch_all(connection))
            }
        }
    }

    /// Runs a statement. How many rows it wrote, or for one that locks, nothing of interest.
    pub(in super::super) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Sqlite(own) => {
                let query = bound!(sqlx::query(sql), values);
                within!(own, connection => query.execute(connection))?.rows_affected()
            }
            Self::Postgres(own) => {
                let query = bound!(sqlx::query(sql), values);
                within!(own, connection => query.execute(connection))?.rows_affected()
            }
            Self::MySql(own) => {
                let query = bound!(mysql sqlx::query(sql), values);
                within!(own, connection => query.execute(connection))?.rows_affected()
            }
        })
    }

    /// Adds a row. The number that the database gave it.
    pub(in super::super) async fn insert(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<i64, StoreError> {
        if let Self::MySql(own) = self {
            let query = bound!(mysql sqlx::query(sql), values);
            let id = within!(own, connection => query.execute(connection))?.last_insert_id();
            return i64::try_from(id)
                .map_err(|error| StoreError::Unexpected(sqlx::Error::Decode(Box::new(error))));
        }
        let rows: Vec<(i64,)> = self.rows(sql, values).await?;
        let (id,) = rows
            .first()
            .ok_or(StoreError::Unexpected(sqlx::Error::RowNotFound))?;
        Ok(*id)
    }

    /// Lets nobody else make tables until [`unlock_schema`](Self::unlock_schema).
    pub(in super::super) async fn lock_schema(&mut self) -> Result<(), StoreError> {
        match self.statements().lock_schema {
            Some(lock) => self.execute(lock, &[]).await.map(drop),
            None => Ok(()),
        }
    }

    /// Whatever came of it: MySQL's lock would go on with the connection.
    pub(in super::super) async fn unlock_schema<T>(
        &mut self,
        outcome: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Err(StoreError::Silent(_)) = outcome {
            // It would get no answer either.
            return outcome;
        }
        let unlocked = match self.statements().unlock_schema {
            Some(unlock) => self.execute(unlock, &[]).await.map(drop),
            None => Ok(()),
        };
        outcome.and_then(|value| unlocked.map(|()| value))
    }

    /// Runs a file of statements, which have no values.
    pub(in super::super) async fn script(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let script = sqlx::raw_sql(sql);
        match self {
            Self::Sqlite(own) => within!(own, connection => script.execute(connection)).map(drop),
            Self::Postgres(own) => within!(own, connection => script.execute(connection)).map(drop),
            Self::MySql(own) => within!(own, connection => script.execute(connection)).map(drop),
        }
    }

    /// Commits what was done, or undoes what has failed. The connection goes on to others.
    pub(in super::super) async fn end<T>(
        mut self,
        outcome: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let ended = match &outcome {
            Ok(_) => self.script("COMMIT").await,
            // It would get no answer either.
            Err(StoreError::Silent(_)) => return outcome,
            Err(_) => self.script("ROLLBACK").await,
        };
        if ended.is_ok() {
            self.set_open(false);
        }
        // A rollback that fails adds nothing to what went wrong.
        outcome.and_then(|value| ended.map(|()| value))
    }
}
