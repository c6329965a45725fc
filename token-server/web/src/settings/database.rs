//! `[database]`.

use std::{fmt, num::NonZeroU32, path::PathBuf, str::FromStr, time::Duration};

use crypto_jobs::Secret;
use serde::Deserialize;
use sqlx::{mysql::MySqlConnectOptions, postgres::PgConnectOptions};

use super::units;

/// Where users and nodes are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH`, `postgres://USER:PASSWORD@HOST:PORT/NAME` or `mysql://USER:PASSWORD@HOST:PORT/NAME`.
    /// No default.
    pub url: DatabaseUrl,
    /// Most connections at a time. With SQLite, they read, and one more writes. Default 4.
    #[serde(default = "default_connections")]
    pub connections: NonZeroU32,
    /// How long a write waits for another one, of this server or another. MySQL takes whole seconds.
    /// Default `2s`.
    #[serde(default = "default_busy_timeout", deserialize_with = "units::duration")]
    pub busy_timeout: Duration,
    /// How long a request waits for a free connection, or a new one to be made. Default `3s`.
    #[serde(
        default = "default_connection_timeout",
        deserialize_with = "units::duration"
    )]
    pub connection_timeout: Duration,
    /// What one statement may take; a request that is out of time does not wait for it. PostgreSQL is
    /// told to end it then. A database that has not answered a second later loses the connection.
    /// Default `10s`.
    #[serde(
        default = "default_statement_timeout",
        deserialize_with = "units::duration"
    )]
    pub statement_timeout: Duration,
}

fn default_connections() -> NonZeroU32 {
    NonZeroU32::new(4).expect("4 is not zero")
}

fn default_busy_timeout() -> Duration {
    Duration::from_secs(2)
}

fn default_connection_timeout() -> Duration {
    Duration::from_secs(3)
}

fn default_statement_timeout() -> Duration {
    Duration::from_secs(10)
}

/// Where users and nodes are kept.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum DatabaseUrl {
    /// `sqlite:PATH`, a file that is made when it doesn't exist.
    Sqlite(PathBuf),
    /// `postgres://USER:PASSWORD@HOST:PORT/NAME`; what isn't written is taken from libpq's variables.
    Postgres(DatabaseServer<PgConnectOptions>),
    /// `mysql://USER:PASSWORD@HOST:PORT/NAME`, MariaDB too.
    MySql(DatabaseServer<MySqlConnectOptions>),
}

impl TryFrom<String> for DatabaseUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(path) = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
        {
            // A query would be taken for a part of the file's name.
            return if path.is_empty() || path.contains('?') {
                Err("must be \"sqlite:\" and the path of a file".to_owned())
            } else {
                Ok(Self::Sqlite(PathBuf::from(path)))
            };
        }
        // The text is not quoted anywhere: URLs of databases hold passwords.
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => {
                let form = "postgres://USER:PASSWORD@HOST:PORT/NAME";
                DatabaseServer::parse(&text, form).map(Self::Postgres)
            }
            Some(("mysql" | "mariadb", _)) => {
                let form = "mysql://USER:PASSWORD@HOST:PORT/NAME";
                DatabaseServer::parse(&text, form).map(Self::MySql)
            }
            _ => Err("must begin with \"sqlite:\", \"postgres://\" or \"mysql://\"".to_owned()),
        }
    }
}

/// How to reach a database server. Its `Debug` hides the password.
#[derive(Clone)]
pub struct DatabaseServer<Options> {
    options: Options,
    name: String,
    /// As it is written, with the password.
    url: Secret,
}

impl<Options: FromStr> DatabaseServer<Options> {
    fn parse(text: &str, form: &str) -> Result<Self, String> {
        let refused = || format!("is not of the form \"{form}\"");
        let url = reqwest::Url::parse(text).map_err(|_| refused())?;
        let database = url.path().trim_start_matches('/');
        if database.is_empty() {
            return Err(format!("names no database; the form is \"{form}\""));
        }
        Ok(Self {
            options: text.parse().map_err(|_| refused())?,
            url: Secret::from(text),
            name: format!(
                "database {database} at {}",
                url.host_str().unwrap_or("localhost")
            ),
        })
    }
}

impl<Options> DatabaseServer<Options> {
    /// For the driver.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// For people: the database and its host.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<Options> PartialEq for DatabaseServer<Options> {
    fn eq(&self, other: &Self) -> bool {
        self.url.expose() == other.url.expose()
    }
}

impl<Options> fmt::Debug for DatabaseServer<Options> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
