//! Databases of tests. SQLite needs nothing; a server is asked where `POWERHOSE_TEST_DATABASES` names its
//! kind, as CI does with `sqlite,postgres,mysql`.

use std::{
    env,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use sqlx::{
    AssertSqlSafe, Connection, MySqlConnection, PgConnection, SqliteConnection,
    sqlite::SqliteConnectOptions,
};
use tempfile::{TempDir, tempdir};
use tokio::sync::OnceCell;

/// What the names of databases begin with; the process's id and a number follow.
pub(crate) const PREFIX: &str = "token_server_test_";

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    MySql,
}

impl Kind {
    /// The kinds that this run has to do with.
    pub(crate) fn wanted() -> Vec<Self> {
        let names = env::var("POWERHOSE_TEST_DATABASES").unwrap_or_else(|_| "sqlite".to_owned());
        let wanted: Vec<Self> = names
            .split(',')
            .map(|name| match name.trim() {
                "sqlite" => Self::Sqlite,
                "postgres" => Self::Postgres,
                "mysql" => Self::MySql,
                other => {
                    panic!("POWERHOSE_TEST_DATABASES: {other:?} is not sqlite, postgres or mysql")
                }
            })
            .collect();
        for kind in [Self::Sqlite, Self::Postgres, Self::MySql] {
            if !wanted.contains(&kind) {
                println!(
                    "{kind:?} is left out; POWERHOSE_TEST_DATABASES=sqlite,postgres,mysql asks for all"
                );
            }
        }
        wanted
    }

    /// The server that databases are made on, with the rights to make them.
    fn server(self) -> String {
        let (variable, default) = match self {
            Self::Sqlite => unreachable!("SQLite has no server"),
            Self::Postgres => (
                "POWERHOSE_TEST_POSTGRES",
                "postgres://postgres@127.0.0.1:5432",
            ),
            Self::MySql => ("POWERHOSE_TEST_MYSQL", "mysql://root@127.0.0.1:3306"),
        };
        env::var(variable).unwrap_or_else(|_| default.to_owned())
    }

    fn remedy(self, error: &sqlx::Error) -> String {
        let variable = format!("POWERHOSE_TEST_{self:?}").to_uppercase();
        format!(
            "{self:?} at {}: {error}; start it, or set {variable} to the URL of one where databases may be made",
            self.server()
        )
    }
}

/// A database of one test, gone with it, also if it fails.
pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    pub(crate) name: String,
    directory: TempDir,
    is_removed: bool,
}

impl Database {
    pub(crate) async fn make(kind: Kind) -> Self {
        Self::make_with(kind, "").await
    }

    /// One that a server makes with these options.
    pub(crate) async fn make_with(kind: Kind, options: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}_{number}", std::process::id());
        let directory = tempdir().unwrap();
        let url = match kind {
            Kind::Sqlite => format!("sqlite:{}", directory.path().join("users.db").display()),
            Kind::Postgres | Kind::MySql => {
                tidy_up_once(kind).await;
                on_server(kind, format!("CREATE DATABASE {name} {options}"))
                    .await
                    .unwrap_or_else(|error| panic!("{}", kind.remedy(&error)));
                format!("{}/{name}", kind.server())
            }
        };
        Self {
            kind,
            url,
            name,
            directory,
            is_removed: kind == Kind::Sqlite,
        }
    }

    /// The directory of an SQLite file.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs statements as an operator's script would.
    pub(crate) async fn script(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        let done = match self.kind {
            Kind::Sqlite => {
                let options = SqliteConnectOptions::new()
                    .filename(self.directory.path().join("users.db"))
                    .create_if_missing(true);
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
            Kind::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
            Kind::MySql => {
                let mut connection = MySqlConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
        };
        done.unwrap();
    }

    /// The texts that a query with one column gives.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.kind {
            Kind::Sqlite => {
                let options =
                    SqliteConnectOptions::new().filename(self.directory.path().join("users.db"));
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await
            }
            Kind::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await
            }
            Kind::MySql => {
                let mut connection = MySqlConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await
            }
        }
        .unwrap()
    }

    /// The number that a query gives.
    pub(crate) async fn number(&self, expression: &str, from: &str) -> i64 {
        let text = if self.kind == Kind::MySql {
            "CHAR"
        } else {
            "VARCHAR"
        };
        let texts = self
            .texts(&format!("SELECT CAST({expression} AS {text}) {from}"))
            .await;
        texts[0].parse().unwrap()
    }

    /// Removes the database, of which nobody must hold a connection any more.
    pub(crate) async fn remove(mut self) {
        if !self.is_removed {
            self.is_removed = true;
            remove(self.kind, &self.name).await.unwrap();
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.is_removed {
            return;
        }
        let (kind, name) = (self.kind, self.name.clone());
        // The test's own executor cannot wait here.
        let removed = thread::spawn(move || {
            let executor = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            executor.unwrap().block_on(remove(kind, &name))
        });
        // The test has failed already, most likely; the next run removes what is left.
        if !matches!(removed.join(), Ok(Ok(()))) {
            eprintln!("{} is left behind", self.name);
        }
    }
}

async fn remove(kind: Kind, name: &str) -> Result<(), sqlx::Error> {
    on_server(
        kind,
        match kind {
            Kind::Sqlite => return Ok(()),
            Kind::Postgres => format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            // A transaction that a test has left open would be waited for.
            Kind::MySql => {
                format!("SET SESSION lock_wait_timeout = 10; DROP DATABASE IF EXISTS {name}")
            }
        },
    )
    .await
}

/// The databases of tests that a server has, by name.
pub(crate) async fn all_of_tests(kind: Kind) -> Vec<String> {
    let names = match kind {
        Kind::Sqlite => return Vec::new(),
        Kind::Postgres => {
            let url = format!("{}/postgres", kind.server());
            let mut connection = PgConnection::connect(&url).await.unwrap();
            sqlx::query_scalar("SELECT datname::text FROM pg_database")
                .fetch_all(&mut connection)
                .await
        }
        Kind::MySql => {
            let mut connection = MySqlConnection::connect(&kind.server()).await.unwrap();
            sqlx::query_scalar("SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata")
                .fetch_all(&mut connection)
                .await
        }
    };
    let names: Vec<String> = names.unwrap();
    let ours = names.into_iter().filter(|name| name.starts_with(PREFIX));
    ours.collect()
}

/// Removes what processes have left behind that were killed.
pub(crate) async fn tidy_up(kind: Kind) {
    let url = reqwest::Url::parse(&kind.server()).unwrap();
    let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    // Of the processes of other machines nothing is known here.
    if !is_local {
        return;
    }
    for name in all_of_tests(kind).await {
        let process = name[PREFIX.len()..].split('_').next().unwrap_or_default();
        let is_dead = process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists();
        if is_dead && let Err(error) = remove(kind, &name).await {
            eprintln!("{name} is left behind: {error}");
        }
    }
}

async fn tidy_up_once(kind: Kind) {
    static POSTGRES: OnceCell<()> = OnceCell::const_new();
    static MYSQL: OnceCell<()> = OnceCell::const_new();
    let once = match kind {
        Kind::Sqlite => return,
        Kind::Postgres => &POSTGRES,
        Kind::MySql => &MYSQL,
    };
    once.get_or_init(|| tidy_up(kind)).await;
}

pub(crate) async fn on_server(kind: Kind, sql: String) -> Result<(), sqlx::Error> {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql));
    match kind {
        Kind::Sqlite => unreachable!("SQLite has no server"),
        Kind::Postgres => {
            let url = format!("{}/postgres", kind.server());
            sql.execute(&mut PgConnection::connect(&url).await?).await?;
        }
        Kind::MySql => {
            let mut connection = MySqlConnection::connect(&kind.server()).await?;
            sql.execute(&mut connection).await?;
        }
    }
    Ok(())
}
