//! One login: the account's record is found, made or changed.

use super::{
    Service, Store, StoreError,
    database::{Transaction, Value, transact},
    nodes,
};
use crate::users::{self, Change, Claims, History, Record, Refusal};

/// Who logs in, and what is said about them.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The service.
    pub service: &'a Service,
    /// The account.
    pub email: &'a str,
    /// The numbers that came with the login.
    pub claims: Claims<'a>,
    /// The wall clock, in milliseconds since 1970.
    pub now_ms: i64,
    /// Whether an unknown account gets a record.
    pub allow_new: bool,
}

/// The account's record after a login that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The number that the node knows the user by.
    pub uid: i64,
    /// The node's URL.
    pub node: String,
    /// The account's generation.
    pub generation: i64,
    /// When its keys changed; 0 when unknown.
    pub keys_changed_at: i64,
    /// The name of its key.
    pub client_state: String,
}

impl User {
    pub(super) fn from_record(record: Record) -> Result<Self, StoreError> {
        let (_, node) = record.node.ok_or(StoreError::RetiredWithoutNode)?;
        Ok(Self {
            uid: record.uid,
            node,
            generation: record.generation,
            keys_changed_at: record.keys_changed_at,
            client_state: record.client_state,
        })
    }
}

impl Store {
    /// Finds, makes or changes the account's record. A known account whose login brings nothing new
    /// costs one query; everything else is one transaction.
    ///
    /// The inner result is what the rules say of the login. A refused one may have changed the record.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails or no node has room.
    pub async fn log_in(&self, login: &Login<'_>) -> Result<Result<User, Refusal>, StoreError> {
        let sql = self.database.statements().records;
        let history = history(self.database.rows(sql, &account(login)).await?);
        match history {
            None if !login.allow_new => return Ok(Err(Refusal::NewUsersDisabled)),
            Some(history) if history.is_tidy() => match users::change(&history, &login.claims) {
                Ok(Change::None) => return settled(history.current, login),
                Ok(_) => {}
                Err(refusal) => return Ok(Err(refusal)),
            },
            Some(_) | None => {}
        }
        transact!(self.database, transaction => self.write(transaction, login))
    }

    /// The same from the start, alone with the account.
    async fn write(
        &self,
        transaction: &mut Transaction,
        login: &Login<'_>,
    ) -> Result<Result<User, Refusal>, StoreError> {
        let Some(mut history) = locked_history(transaction, login).await? else {
            if !login.allow_new {
                return Ok(Err(Refusal::NewUsersDisabled));
            }
            let node = nodes::allocate(transaction, login.service.id, self.release_rate).await?;
            let fresh = Record {
                uid: 0,
                node: Some(node),
                generation: login.claims.generation,
                keys_changed_at: login.claims.keys_changed_at,
                client_state: login.claims.client_state.to_owned(),
                created_at: login.now_ms,
                replaced_at: None,
            };
            return User::from_record(insert(transaction, login, fresh).await?).map(Ok);
        };

        for record in history.unmarked() {
            let values = [
                Value::Int(history.current.created_at),
                Value::Int(record.uid),
            ];
            let sql = transaction.statements().replace_one;
            transaction.execute(sql, &values).await?;
        }
        if history.needs_node() {
            let node = nodes::allocate(transaction, login.service.id, self.release_rate).await?;
            let moved = Record {
                node: Some(node),
                created_at: later_than(&history.current, login.now_ms),
                replaced_at: None,
                ..history.current.clone()
            };
            history.current = replace(transaction, login, moved).await?;
        }
        let change = match users::change(&history, &login.claims) {
            Ok(change) => change,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let changed = self.carry_out(transaction, login, history.current, change);
        settled(changed.await?, login)
    }

    /// The current record after `change`.
    async fn carry_out(
        &self,
        transaction: &mut Transaction,
        login: &Login<'_>,
        current: Record,
        change: Change<'_>,
    ) -> Result<Record, StoreError> {
        match change {
            Change::None => Ok(current),
            Change::Numbers {
                generation,
                keys_changed_at,
            } => {
                let values = [
                    Value::Int(generation),
                    Value::Int(keys_changed_at),
                    Value::Int(login.service.id),
                    Value::Email(login.email),
                    Value::Int(generation),
                    Value::Int(keys_changed_at),
                ];
                let sql = transaction.statements().update;
                transaction.execute(sql, &values).await?;
                Ok(Record {
                    generation,
                    keys_changed_at,
                    ..current
                })
            }
            Change::Record {
                generation,
                keys_changed_at,
                client_state,
            } => {
                let created_at = later_than(&current, login.now_ms);
                let node = match current.node {
                    Some(node) => node,
                    None => {
                        nodes::allocate(transaction, login.service.id, self.release_rate).await?
                    }
                };
                let next = Record {
                    uid: 0,
                    node: Some(node),
                    generation,
                    keys_changed_at,
                    client_state: client_state.to_owned(),
                    created_at,
                    replaced_at: None,
                };
                replace(transaction, login, next).await
            }
        }
    }
}

fn settled(record: Record, login: &Login<'_>) -> Result<Result<User, Refusal>, StoreError> {
    match users::settle(record.generation, record.keys_changed_at, &login.claims) {
        Ok(()) => User::from_record(record).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// The time of a record that follows `current`. Records are ordered by it, and clocks jump.
pub(super) fn later_than(current: &Record, now_ms: i64) -> i64 {
    now_ms.max(current.created_at.saturating_add(1))
}

/// The account's records, locked.
pub(super) async fn locked_history(
    transaction: &mut Transaction,
    login: &Login<'_>,
) -> Result<Option<History>, StoreError> {
    lock_account(transaction, login.service.id, login.email).await?;
    let sql = transaction.statements().records;
    Ok(history(transaction.rows(sql, &account(login)).await?))
}

/// Sees to it that nobody else with this code adds or changes the account's records until the end of the transaction. Foreign
/// writers may add some, which are put in order by whoever reads them next.
pub(super) async fn lock_account(
    transaction: &mut Transaction,
    service: i64,
    email: &str,
) -> Result<(), StoreError> {
    let statements = transaction.statements();
    let account = [Value::Email(email), Value::Int(service)];
    if let Some(lock_name) = statements.lock_name {
        transaction.execute(lock_name, &account).await?;
    }
    let Some(lock) = statements.lock_account else {
        return Ok(());
    };
    let locked: Vec<(i64,)> = transaction.rows(lock, &account).await?;
    // Rows that come up after this have been made, and may be changed, by others.
    if let (true, Some(lock_service)) = (locked.is_empty(), statements.lock_service) {
        let service = [Value::Int(service)];
        transaction.execute(lock_service, &service).await?;
        transaction.execute(lock, &account).await?;
    }
    Ok(())
}

/// The values by which statements find an account.
fn account<'a>(login: &Login<'a>) -> [Value<'a>; 2] {
    [Value::Email(login.email), Value::Int(login.service.id)]
}

type Row = (
    i64,
    Option<i64>,
    Option<String>,
    i64,
    i64,
    String,
    i64,
    Option<i64>,
);

fn history(rows: Vec<Row>) -> Option<History> {
    let records = rows.into_iter().map(
        |(uid, node, url, generation, keys_changed_at, client_state, created_at, replaced_at)| {
            Record {
                uid,
                node: node.zip(url),
                generation,
                keys_changed_at,
                client_state,
                created_at,
                replaced_at,
            }
        },
    );
    History::from_records(records.collect())
}

/// Writes `record` as a new row and marks the rows before it.
pub(super) async fn replace(
    transaction: &mut Transaction,
    login: &Login<'_>,
    record: Record,
) -> Result<Record, StoreError> {
    let record = insert(transaction, login, record).await?;
    let values = [
        Value::Int(record.created_at),
        Value::Int(login.service.id),
        Value::Email(login.email),
        Value::Int(record.created_at),
    ];
    let sql = transaction.statements().replace_all;
    transaction.execute(sql, &values).await?;
    Ok(record)
}

/// Writes `record` as a new row; the database chooses the uid.
pub(super) async fn insert(
    transaction: &mut Transaction,
    login: &Login<'_>,
    record: Record,
) -> Result<Record, StoreError> {
    let node = record.node.as_ref().map(|(id, _)| *id);
    let values = [
        Value::Int(login.service.id),
        Value::Text(login.email),
        Value::Int(node.ok_or(StoreError::RetiredWithoutNode)?),
        Value::Int(record.generation),
        Value::Int(record.keys_changed_at),
        Value::Text(&record.client_state),
        Value::Int(record.created_at),
    ];
    let sql = transaction.statements().insert;
    let uid = transaction.insert(sql, &values).await?;
    Ok(Record { uid, ..record })
}
