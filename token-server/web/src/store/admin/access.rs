use std::fmt;

use serde::Serialize;

use crate::store::{
    Store, StoreError,
    database::{Value, transact},
};

/// The table's name.
const TABLE: &str = "token_server_access";

/// One of the two lists of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessList {
    /// Those who are let in.
    Allow,
    /// Those who are kept out.
    Deny,
}

impl AccessList {
    const ALL: [Self; 2] = [Self::Allow, Self::Deny];

    /// The name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for AccessList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Users on a list, by patterns (`*`, `?`, `[...]`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessEntry {
    /// The list.
    pub list: AccessList,
    /// Their issuers.
    pub issuer: String,
    /// Their ids there.
    pub subject: String,
}

impl AccessEntry {
    fn values(&self) -> [Value<'_>; 3] {
        [
            Value::Text(self.list.as_str()),
            Value::Text(&self.issuer),
            Value::Text(&self.subject),
        ]
    }
}

impl Store {
    /// Makes the table of lists of users, unless it is there. None of the other tables is touched.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn prepare_access_table(&self) -> Result<(), StoreError> {
        let statements = self.database.statements();
        let tables: Vec<(String,)> = self.database.rows(statements.access_table, &[]).await?;
        if !tables.is_empty() {
            return Ok(());
        }
        transact!(self.database, transaction => async {
            transaction.lock_schema().await?;
            let made = transaction.script(statements.access_schema).await;
            transaction.unlock_schema(made).await
        })
    }

    /// All entries of both lists, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails, or a row belongs to no list.
    pub async fn access_entries(&self) -> Result<Vec<AccessEntry>, StoreError> {
        let sql = self.database.statements().access_entries;
        let rows: Vec<(String, String, String)> = self.database.rows(sql, &[]).await?;
        let entry = |(name, issuer, subject): (String, String, String)| {
            let list = AccessList::ALL
                .into_iter()
                .find(|list| list.as_str() == name);
            let list = list.ok_or_else(|| {
                let reason = format!("a row of {TABLE} has a list {name:?}, not allow or deny");
                StoreError::Unexpected(sqlx::Error::Decode(reason.into()))
            })?;
            Ok(AccessEntry {
                list,
                issuer,
                subject,
            })
        };
        rows.into_iter().map(entry).collect()
    }

    /// Adds an entry. Whether it is new.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn add_access_entry(&self, entry: &AccessEntry) -> Result<bool, StoreError> {
        self.change_access(self.database.statements().add_access, entry)
            .await
    }

    /// Removes an entry, which is found by its patterns as they are written. Whether there was one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn remove_access_entry(&self, entry: &AccessEntry) -> Result<bool, StoreError> {
        self.change_access(self.database.statements().remove_access, entry)
            .await
    }

    async fn change_access(
        &self,
        sql: &'static str,
        entry: &AccessEntry,
    ) -> Result<bool, StoreError> {
        let values = entry.values();
        let changed = transact!(self.database, transaction => transaction.execute(sql, &values))?;
        Ok(changed > 0)
    }
}
