use sqlx::{MySql, Postgres, Sqlite};

use super::{Readable, Value, value::bound};
use crate::store::{
    StoreError,
    sql::{MYSQL, POSTGRES, SQLITE, Statements},
};

/// A transaction. Dropped without [`commit`](Self::commit), it is rolled back.
pub(in super::super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
    MySql(sqlx::Transaction<'static, MySql>),
}

impl Transaction {
    pub(in super::super) fn statements(&self) -> &'static Statements {
        match self {
            Self::Sqlite(_) => &SQLITE,
            Self::Postgres(_) => &POSTGRES,
            Self::MySql(_) => &MYSQL,
        }
    }

    pub(in super::super) async fn rows<T: Readable>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError> {
        Ok(match self {
            Self::Sqlite(own) => {
                let query = bound!(sqlx::query_as(sql), values);
                query.fetch_all(&mut **own).await?
            }
            Self::Postgres(own) => {
                let query = bound!(sqlx::query_as(sql), values);
                query.fetch_all(&mut **own).await?
            }
            Self::MySql(own) => {
                let query = bound!(mysql sqlx::query_as(sql), values);
                query.fetch_all(&mut **own).await?
            }
        })
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
                query.execute(&mut **own).await?.rows_affected()
            }
            Self::Postgres(own) => {
                let query = bound!(sqlx::query(sql), values);
                query.execute(&mut **own).await?.rows_affected()
            }
            Self::MySql(own) => {
                let query = bound!(mysql sqlx::query(sql), values);
                query.execute(&mut **own).await?.rows_affected()
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
            let id = query.execute(&mut **own).await?.last_insert_id();
            return i64::try_from(id)
                .map_err(|error| StoreError::Unexpected(sqlx::Error::Decode(Box::new(error))));
        }
        let rows: Vec<(i64,)> = self.rows(sql, values).await?;
        let (id,) = rows
            .first()
            .ok_or(StoreError::Unexpected(sqlx::Error::RowNotFound))?;
        Ok(*id)
    }

    /// Runs a file of statements, which have no values.
    pub(in super::super) async fn script(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let script = sqlx::raw_sql(sql);
        match self {
            Self::Sqlite(own) => script.execute(&mut **own).await.map(drop)?,
            Self::Postgres(own) => script.execute(&mut **own).await.map(drop)?,
            Self::MySql(own) => script.execute(&mut **own).await.map(drop)?,
        }
        Ok(())
    }

    pub(in super::super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(own) => own.commit().await?,
            Self::Postgres(own) => own.commit().await?,
            Self::MySql(own) => own.commit().await?,
        }
        Ok(())
    }
}
