//! PostgreSQL and MySQL: servers, whose connections break and whose locks are other people's, too.

use std::time::Duration;

use sqlx::{
    ConnectOptions, Executor,
    mysql::{MySqlConnectOptions, MySqlPoolOptions},
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{
    super::{Pool, silence::Silence},
    Database, prepare,
};
use crate::{
    settings::{Database as Settings, DatabaseServer},
    store::StoreError,
};

pub(in super::super) async fn postgres(
    server: &DatabaseServer<PgConnectOptions>,
    settings: &Settings,
) -> Result<Database, StoreError> {
    let options = server.options().clone().disable_statement_logging();
    let (statement, lock) = (settings.statement_timeout, settings.busy_timeout);
    let (statement, lock) = (statement.as_millis(), lock.as_millis());
    // A database may be set to a stricter isolation, in which users who come at once get in each other's way.
    let limits = format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {lock}; \
         SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED"
    );
    let silence = Silence::new();
    let pool = pool(PgPoolOptions::new(), settings, &silence)
        .after_connect(move |connection, _| {
            let limits = sqlx::AssertSqlSafe(limits.clone());
            Box::pin(async move { connection.execute(sqlx::raw_sql(limits)).await.map(drop) })
        })
        .connect_with(options)
        .await?;
    let pool = Pool::new(pool, settings.statement_timeout, Some(silence));
    let database = Database::Postgres(pool);
    prepare(&database, server.name()).await?;
    Ok(database)
}

pub(in super::super) async fn mysql(
    server: &DatabaseServer<MySqlConnectOptions>,
    settings: &Settings,
) -> Result<Database, StoreError> {
    let options = server.options().clone().disable_statement_logging();
    // Whole seconds are the finest that the server takes. Without gap locks (READ COMMITTED), accounts
    // don't wait for their neighbours.
    let lock = settings.busy_timeout.max(Duration::from_secs(1)).as_secs();
    let limits = format!(
        "SET SESSION innodb_lock_wait_timeout = {lock}; \
         SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
    );
    let silence = Silence::new();
    let pool = pool(MySqlPoolOptions::new(), settings, &silence)
        .after_connect(move |connection, _| {
            let limits = sqlx::AssertSqlSafe(limits.clone());
            Box::pin(async move { connection.execute(sqlx::raw_sql(limits)).await.map(drop) })
        })
        .connect_with(options)
        .await?;
    let pool = Pool::new(pool, settings.statement_timeout, Some(silence));
    let database = Database::MySql(pool);
    prepare(&database, server.name()).await?;
    Ok(database)
}

fn pool<DB: sqlx::Database>(
    options: PoolOptions<DB>,
    settings: &Settings,
    silence: &Silence,
) -> PoolOptions<DB> {
    silence
        .watch(options)
        .max_connections(settings.connections.get())
        .acquire_timeout(settings.connection_timeout)
        // A round trip for every request. What broke is replaced when it is found out.
        .test_before_acquire(false)
}
