use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use super::{AccessError, LOOK_EVERY, List};
use crate::store::{AccessEntry, AccessList, Store};

/// Both lists of the table in the database, as it was a moment ago.
#[derive(Debug)]
pub(super) struct ListTable {
    state: Mutex<State>,
    /// Held by whoever reads the table; nobody waits for it.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    lists: Arc<Lists>,
    looked_at: Instant,
}

/// What the table says.
#[derive(Debug)]
pub(super) struct Lists {
    entries: Vec<AccessEntry>,
    allow: List,
    deny: List,
}

impl ListTable {
    pub(super) async fn open(store: &Store) -> Result<Self, AccessError> {
        store.prepare_access_table().await?;
        let lists = Lists::from_entries(store.access_entries().await?)?;
        Ok(Self {
            state: Mutex::new(State {
                lists: Arc::new(lists),
                looked_at: Instant::now(),
            }),
            reading: tokio::sync::Mutex::default(),
        })
    }

    /// The lists, read again if it is time.
    pub(super) async fn lists(&self, store: &Store) -> Arc<Lists> {
        let (lists, looked_at) = {
            let state = self.state.lock().expect("no panics under this lock");
            (Arc::clone(&state.lists), state.looked_at)
        };
        if looked_at.elapsed() < LOOK_EVERY {
            return lists;
        }
        let Ok(_reading) = self.reading.try_lock() else {
            return lists;
        };
        let lists = match read(store, &lists).await {
            Ok(Some(changed)) => {
                tracing::info!("the table of those who may has changed");
                Arc::new(changed)
            }
            Ok(None) => lists,
            // Neither everybody nor nobody: what was meant is not known.
            Err(error) => {
                tracing::error!(%error, "the lists of users in the database stay as they were");
                lists
            }
        };
        let mut state = self.state.lock().expect("no panics under this lock");
        *state = State {
            lists: Arc::clone(&lists),
            looked_at: Instant::now(),
        };
        lists
    }
}

/// What the table says now, if it is something else.
async fn read(store: &Store, known: &Lists) -> Result<Option<Lists>, AccessError> {
    let entries = store.access_entries().await?;
    if entries == known.entries {
        return Ok(None);
    }
    Lists::from_entries(entries).map(Some)
}

impl Lists {
    fn from_entries(entries: Vec<AccessEntry>) -> Result<Self, AccessError> {
        let list = |list: AccessList| {
            let own = entries.iter().filter(|entry| entry.list == list);
            List::from_patterns(own.map(|entry| (entry.issuer.as_str(), entry.subject.as_str())))
                .map_err(AccessError::Row)
        };
        Ok(Self {
            allow: list(AccessList::Allow)?,
            deny: list(AccessList::Deny)?,
            entries,
        })
    }

    pub(super) fn get(&self, list: AccessList) -> &List {
        match list {
            AccessList::Allow => &self.allow,
            AccessList::Deny => &self.deny,
        }
    }
}
