//! Who may get tokens at all: lists of users by issuer and subject, in files or in the database, which are
//! read again when they change.

mod file;
mod list;
mod table;

use std::{io, path::PathBuf, time::Duration};

pub use self::list::{ListError, check_patterns};
use self::{file::ListFile, list::List, table::ListTable};
use crate::{
    settings,
    store::{AccessList, Store, StoreError},
};

/// How often a file or the table is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The lists of those who are let in and of those who are kept out.
#[derive(Debug)]
pub struct AccessLists {
    allow: Option<ListFile>,
    deny: Option<ListFile>,
    table: Option<ListTable>,
    /// Whether the table's list of those who are let in counts, and that of those who are kept out.
    in_table: [bool; 2],
}

/// A list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Its file cannot be read.
    #[error("cannot read the list of users {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A line of it is not understood.
    #[error("the list of users {}, {error}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, and what is wrong with it.
        error: ListError,
    },
    /// A row of the table is not understood.
    #[error("the table of those who may: {0}; remove the row with: token-server access remove")]
    Row(String),
    /// The table cannot be read.
    #[error("the table of those who may: {0}")]
    Table(#[from] StoreError),
}

impl AccessLists {
    /// Reads the lists that the settings ask for. Their table is made where it is missing.
    ///
    /// # Errors
    ///
    /// [`AccessError`] for a file or a table that cannot be read or understood. Once the lists are in
    /// use, such a one leaves them as they were.
    pub async fn open(settings: &settings::Users, store: &Store) -> Result<Self, AccessError> {
        let open = |path: &Option<PathBuf>| path.as_deref().map(ListFile::open).transpose();
        let in_table = [settings.allow_table, settings.deny_table];
        Ok(Self {
            allow: open(&settings.allow_file)?,
            deny: open(&settings.deny_file)?,
            table: match in_table {
                [false, false] => None,
                _ => Some(ListTable::open(store).await?),
            },
            in_table,
        })
    }

    /// Whether a user may get tokens: on no list of those who are kept out, and on one of those who are
    /// let in, if there are any.
    pub async fn admits(&self, store: &Store, issuer: &str, subject: &str) -> bool {
        let table = match &self.table {
            Some(table) => Some(table.lists(store).await),
            None => None,
        };
        let [allow_in_table, deny_in_table] = self.in_table;
        let finds = |file: &Option<ListFile>, in_table: bool, list: AccessList| {
            let table = table.as_ref().filter(|_| in_table);
            let found = [
                file.as_ref().map(|file| file.contains(issuer, subject)),
                table.map(|lists| lists.get(list).contains(issuer, subject)),
            ];
            // None where there is no such list.
            found
                .into_iter()
                .flatten()
                .reduce(|one, other| one || other)
        };
        finds(&self.deny, deny_in_table, AccessList::Deny) != Some(true)
            && finds(&self.allow, allow_in_table, AccessList::Allow) != Some(false)
    }
}
