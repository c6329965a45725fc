use super::RETIRED;

/// One row of the table of users, with its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The number that the node knows the user by.
    pub uid: i64,
    /// The node's number and URL; `None` once the node was removed.
    pub node: Option<(i64, String)>,
    /// Raised by the identity provider at every password change and the like.
    pub generation: i64,
    /// When the account's encryption keys changed last, in the provider's numbering; 0 when unknown.
    pub keys_changed_at: i64,
    /// Names the encryption key; empty when unknown.
    pub client_state: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Milliseconds since 1970; `None` for a record in use.
    pub replaced_at: Option<i64>,
}

/// All that is known of one account: its current record and those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The record that counts.
    pub current: Record,
    /// The earlier ones.
    pub older: Vec<Record>,
}

impl History {
    /// Orders records, which come newest first: the highest generation counts, then the latest.
    /// `None` for an account that has none.
    #[must_use]
    pub fn from_records(mut records: Vec<Record>) -> Option<Self> {
        // Stable, so that of two records made in one millisecond the one with the higher uid stays first.
        records.sort_by_key(|record| std::cmp::Reverse((record.generation, record.created_at)));
        let mut records = records.into_iter();
        Some(Self {
            current: records.next()?,
            older: records.collect(),
        })
    }

    /// Whether the account has to get a node before anything else: its own is gone, or it was taken
    /// off it. A deleted account keeps what it has.
    #[must_use]
    pub fn needs_node(&self) -> bool {
        (self.current.replaced_at.is_some() || self.current.node.is_none())
            && self.current.generation < RETIRED
    }

    /// Earlier records that are not marked as replaced, as a race between two servers leaves them.
    pub fn unmarked(&self) -> impl Iterator<Item = &Record> {
        self.older
            .iter()
            .filter(|record| record.replaced_at.is_none())
    }

    /// Whether the records are as they should be, so that reading them was enough.
    #[must_use]
    pub fn is_tidy(&self) -> bool {
        !self.needs_node() && self.unmarked().next().is_none()
    }

    /// Whether `client_state` was the account's once and was given up.
    #[must_use]
    pub fn gave_up(&self, client_state: &str) -> bool {
        client_state != self.current.client_state
            && self
                .older
                .iter()
                .any(|record| record.client_state == client_state)
    }
}
