use std::ops::RangeInclusive;

use crate::{
    client_state::ClientState,
    store::{
        Store, StoreError,
        database::{Transaction, Value, transact},
        login::lock_account,
    },
    users::key_number,
};

/// A record that was replaced: its data may still lie at its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldRecord {
    /// The number that the node knows the user by.
    pub uid: i64,
    /// The account.
    pub email: String,
    /// When it was replaced, in milliseconds since 1970.
    pub replaced_at: i64,
    /// Where its data lies; `None` once the node was removed.
    pub node: Option<OldNode>,
    key: Key,
}

/// Which records that were replaced are meant.
#[derive(Clone, Debug)]
pub struct OldRecords {
    /// The service's number.
    pub service: i64,
    /// Those that were replaced before then, in milliseconds since 1970.
    pub before_ms: i64,
    /// Those with these numbers.
    pub uids: RangeInclusive<i64>,
}

/// The node of an [`OldRecord`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldNode {
    /// Its URL.
    pub url: String,
    /// Whether it is out of service.
    pub downed: bool,
}

/// What names the client's encryption key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    number: i64,
    client_state: String,
}

impl Key {
    /// `None` for a client state that no token was ever made for, since it isn't hexadecimal.
    fn id(&self) -> Option<String> {
        let state = ClientState::parse(self.client_state.as_bytes()).ok()?;
        Some(state.key_id(self.number))
    }
}

impl OldRecord {
    /// The identifier of the client's key, as tokens have it. `None` when the record is one that no
    /// token can have been made for: older servers let client states in that are not hexadecimal, and
    /// failed when they made the token.
    #[must_use]
    pub fn key_id(&self) -> Option<String> {
        self.key.id()
    }
}

type Row = (
    i64,
    String,
    i64,
    Option<String>,
    Option<i64>,
    i64,
    i64,
    String,
);

/// A row as the chain of an account's records has it: node, client state, time.
type Link = (i64, String, i64);

impl Store {
    /// How many there are.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn count_old_records(&self, which: &OldRecords) -> Result<i64, StoreError> {
        let values = [
            Value::Int(which.service),
            Value::Int(which.before_ms),
            Value::Int(*which.uids.start()),
            Value::Int(*which.uids.end()),
        ];
        let sql = self.database.statements().count_old;
        let rows: Vec<(i64,)> = self.database.rows(sql, &values).await?;
        Ok(rows.first().map_or(0, |(count,)| *count))
    }

    /// The first `limit` of them, in the order in which they were replaced; with `after`, those that
    /// follow this one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn old_records(
        &self,
        which: &OldRecords,
        after: Option<&OldRecord>,
        limit: u32,
    ) -> Result<Vec<OldRecord>, StoreError> {
        let (time, uid) = after.map_or((i64::MIN, 0), |record| (record.replaced_at, record.uid));
        let values = [
            Value::Int(which.service),
            Value::Int(which.before_ms),
            Value::Int(*which.uids.start()),
            Value::Int(*which.uids.end()),
            Value::Int(time),
            Value::Int(time),
            Value::Int(uid),
            Value::Int(i64::from(limit)),
        ];
        let sql = self.database.statements().old_records;
        let rows: Vec<Row> = self.database.rows(sql, &values).await?;
        Ok(rows.into_iter().map(old_record).collect())
    }

    /// Removes an old record. Its place at the node is free again unless the account's records before
    /// or after it go on there. Whether it was still there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn delete_old_record(
        &self,
        service: i64,
        record: &OldRecord,
    ) -> Result<bool, StoreError> {
        transact!(self.database, transaction => delete(transaction, service, record))
    }

    /// Puts an old record back to the end of the queue: as if it had been replaced just now.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn defer_old_record(
        &self,
        record: &OldRecord,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let values = [
            Value::Int(now_ms),
            Value::Int(record.uid),
            Value::Int(record.replaced_at),
        ];
        let sql = self.database.statements().defer;
        transact!(self.database, transaction => transaction.execute(sql, &values)).map(drop)
    }

    /// Whether the account's record in use has the same key as this one, so that a node that finds
    /// data by the key would take them for the same.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn is_key_in_use(
        &self,
        service: i64,
        record: &OldRecord,
    ) -> Result<bool, StoreError> {
        let values = [Value::Email(&record.email), Value::Int(service)];
        let sql = self.database.statements().key_in_use;
        let rows: Vec<(i64, i64, String)> = self.database.rows(sql, &values).await?;
        Ok(rows.into_iter().any(|(generation, changed, client_state)| {
            let number = key_number(generation, changed);
            let key = Key {
                number,
                client_state,
            };
            key.id() == record.key.id()
        }))
    }
}

fn old_record(
    (uid, email, replaced_at, url, downed, generation, keys_changed_at, client_state): Row,
) -> OldRecord {
    OldRecord {
        uid,
        email,
        replaced_at,
        node: url.map(|url| OldNode {
            url,
            downed: downed.is_some_and(|downed| downed != 0),
        }),
        key: Key {
            number: key_number(generation, keys_changed_at),
            client_state,
        },
    }
}

async fn delete(
    transaction: &mut Transaction,
    service: i64,
    record: &OldRecord,
) -> Result<bool, StoreError> {
    lock_account(transaction, service, &record.email).await?;
    let statements = transaction.statements();
    let uid = [Value::Int(record.uid)];
    let own: Vec<Link> = transaction.rows(statements.link, &uid).await?;
    let Some(own) = own.into_iter().next() else {
        return Ok(false);
    };
    let before = neighbour(transaction, statements.link_before, service, record, &own).await?;
    let after = neighbour(transaction, statements.link_after, service, record, &own).await?;
    if transaction.execute(statements.delete_old, &uid).await? == 0 {
        return Ok(false);
    }
    let goes_on = [before, after]
        .iter()
        .flatten()
        .any(|other| shares_place(&own, other));
    if !goes_on {
        let node = [Value::Int(own.0)];
        transaction.execute(statements.leave, &node).await?;
    }
    Ok(true)
}

/// The account's record next to this one.
async fn neighbour(
    transaction: &mut Transaction,
    sql: &'static str,
    service: i64,
    record: &OldRecord,
    (_, _, created_at): &Link,
) -> Result<Option<Link>, StoreError> {
    let values = [
        Value::Email(&record.email),
        Value::Int(service),
        Value::Int(*created_at),
        Value::Int(*created_at),
        Value::Int(record.uid),
    ];
    let rows = transaction.rows(sql, &values).await?;
    Ok(rows.into_iter().next())
}

/// Whether one place was taken for both of an account's neighbouring records: a new client state stays
/// where the old one was, while whoever is given a node takes their client state along.
fn shares_place((node, state, _): &Link, (other_node, other_state, _): &Link) -> bool {
    node == other_node && state != other_state
}
