use super::History;

/// What a login says about the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims<'a> {
    /// The provider's generation; 0 when it sends none.
    pub generation: i64,
    /// When the keys changed; 0 when it isn't said.
    pub keys_changed_at: i64,
    /// The client state; empty when there is none.
    pub client_state: &'a str,
}

/// Why an account's login is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account is unknown, and unknown accounts are not let in.
    #[error("new users are not allowed")]
    NewUsersDisabled,
    /// A newer generation has been seen.
    #[error("generation is behind")]
    Generation,
    /// A newer change of keys has been seen, or it is newer than the generation.
    #[error("keys_changed_at does not fit")]
    KeysChangedAt,
    /// The client state cannot be the account's.
    #[error("client state: {}", .0.as_str())]
    ClientState(ClientStateFault),
}

/// What is wrong with a client state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientStateFault {
    /// None came, though the account has one.
    Empty,
    /// It was given up earlier.
    Stale,
    /// It is new, but the generation did not rise.
    NoGenerationChange,
    /// It is new, but the keys did not change.
    NoKeysChange,
}

impl ClientStateFault {
    /// The words that clients get to read.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty string",
            Self::Stale => "stale value",
            Self::NoGenerationChange => "new value with no generation change",
            Self::NoKeysChange => "new value with no keys_changed_at change",
        }
    }
}

/// What a login changes in the account's record. Numbers only rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Nothing.
    None,
    /// The record's numbers.
    Numbers {
        /// From now on.
        generation: i64,
        /// From now on.
        keys_changed_at: i64,
    },
    /// The client state: the account gets a new record, and with it a new uid.
    Record {
        /// Of the new record.
        generation: i64,
        /// Of the new record.
        keys_changed_at: i64,
        /// Of the new record.
        client_state: &'a str,
    },
}

/// What `claims` change in the current record.
///
/// A change is carried out before [`settle`] is asked: a login that is behind in one number may still
/// bring news in another.
///
/// # Errors
///
/// [`Refusal`] when nothing may be changed because of claims that contradict each other or the
/// account's past.
pub fn change<'a>(history: &History, claims: &Claims<'a>) -> Result<Change<'a>, Refusal> {
    let stored = &history.current;
    let mut generation = stored.generation.max(claims.generation);
    let mut keys_changed_at = stored.keys_changed_at;

    if claims.keys_changed_at > stored.keys_changed_at {
        if claims.generation > 0 && claims.generation < claims.keys_changed_at {
            return Err(Refusal::KeysChangedAt);
        }
        // A provider that sends no generation still makes new keys only after a password change.
        if claims.generation == 0 {
            generation = generation.max(claims.keys_changed_at);
        }
        keys_changed_at = claims.keys_changed_at;
    }

    if claims.client_state != stored.client_state {
        let fault = if claims.client_state.is_empty() {
            Some(ClientStateFault::Empty)
        } else if history.gave_up(claims.client_state) {
            Some(ClientStateFault::Stale)
        } else if claims.generation > 0 && claims.generation <= stored.generation {
            Some(ClientStateFault::NoGenerationChange)
        } else if stored.keys_changed_at > 0 && claims.keys_changed_at <= stored.keys_changed_at {
            Some(ClientStateFault::NoKeysChange)
        } else {
            None
        };
        return match fault {
            Some(fault) => Err(Refusal::ClientState(fault)),
            None => Ok(Change::Record {
                generation,
                keys_changed_at,
                client_state: claims.client_state,
            }),
        };
    }

    if generation == stored.generation && keys_changed_at == stored.keys_changed_at {
        Ok(Change::None)
    } else {
        Ok(Change::Numbers {
            generation,
            keys_changed_at,
        })
    }
}

/// Whether the login is up to date with the record as it is after its [`change`].
///
/// # Errors
///
/// [`Refusal::Generation`] or [`Refusal::KeysChangedAt`] when the record is ahead of the login.
pub fn settle(
    stored_generation: i64,
    stored_keys_changed_at: i64,
    claims: &Claims<'_>,
) -> Result<(), Refusal> {
    if claims.generation > 0 && stored_generation > claims.generation {
        return Err(Refusal::Generation);
    }
    if stored_keys_changed_at > 0 && stored_keys_changed_at > claims.keys_changed_at {
        return Err(Refusal::KeysChangedAt);
    }
    Ok(())
}
