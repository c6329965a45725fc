use sqlx::{FromRow, mysql::MySqlRow, postgres::PgRow, sqlite::SqliteRow};

/// A statement's parameter.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Value<'a> {
    Int(i64),
    MaybeInt(Option<i64>),
    Real(f64),
    Text(&'a str),
    /// An account's email as it is looked for, which MySQL's statements need twice.
    Email(&'a str),
}

/// A row that every kind of database can give.
pub(in super::super) trait Readable:
    for<'r> FromRow<'r, SqliteRow>
    + for<'r> FromRow<'r, PgRow>
    + for<'r> FromRow<'r, MySqlRow>
    + Send
    + Unpin
{
}

impl<T> Readable for T where
    T: for<'r> FromRow<'r, SqliteRow>
        + for<'r> FromRow<'r, PgRow>
        + for<'r> FromRow<'r, MySqlRow>
        + Send
        + Unpin
{
}

/// A query with its values. A macro, since the query's type is another one for every database.
macro_rules! bound {
    (mysql $query:expr, $values:expr) => {
        $values.iter().fold($query, |query, value| match *value {
            Value::Int(number) => query.bind(number),
            Value::MaybeInt(number) => query.bind(number),
            Value::Real(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::Email(email) => query.bind(email).bind(email),
        })
    };
    ($query:expr, $values:expr) => {
        $values.iter().fold($query, |query, value| match *value {
            Value::Int(number) => query.bind(number),
            Value::MaybeInt(number) => query.bind(number),
            Value::Real(number) => query.bind(number),
            Value::Text(text) | Value::Email(text) => query.bind(text),
        })
    };
}

pub(super) use bound;
