/// Why a check did not pass.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The worker does something else than the protocol says.
    #[error("expected {expected}; got {got}")]
    Other {
        /// What the protocol says.
        expected: String,
        /// What came, with its bytes.
        got: String,
    },
    /// The worker did not do in time what the protocol says.
    #[error("expected {expected}; got nothing within {within:?}")]
    Nothing {
        /// What the protocol says.
        expected: String,
        /// How long it was waited for.
        within: std::time::Duration,
    },
    /// The worker ended in between.
    #[error("expected {expected}; the worker ended ({how})")]
    Ended {
        /// What the protocol says.
        expected: String,
        /// Its exit code or signal.
        how: String,
    },
    /// The worker does not have what is checked, and need not.
    #[error("{0}")]
    NotOffered(String),
    /// The kit itself could not work.
    #[error("{what}: {why}")]
    Kit {
        /// What the kit tried.
        what: &'static str,
        /// Why it failed.
        why: String,
    },
}

impl Flaw {
    pub(crate) fn kit(what: &'static str, why: &impl ToString) -> Self {
        Self::Kit {
            what,
            why: why.to_string(),
        }
    }

    pub(crate) fn other(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Other {
            expected: expected.into(),
            got: got.into(),
        }
    }
}
