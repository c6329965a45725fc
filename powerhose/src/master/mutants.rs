//! Defects that can be planted in the core on purpose, to show that the simulator finds them.
//!
//! Only a build with `--cfg powerhose_mutants` can have one, and there the variable `POWERHOSE_MUTANT` names it:
//! `cargo run -p tests --bin mutants` makes that build and hunts each of them. In every other build
//! [`is_planted`](Mutant::is_planted) is the constant `false`, of which the compiler leaves nothing.

macro_rules! mutants {
    ($($(#[$doc:meta])+ $name:ident = $text:literal,)+) => {
        /// A defect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Mutant {
            $($(#[$doc])+ $name,)+
        }

        #[cfg(powerhose_mutants)]
        impl Mutant {
            const ALL: &[(&str, Self)] = &[$(($text, Self::$name),)+];
        }
    };
}

mutants! {
    /// A further attempt of a job has the number of the first one.
    AttemptNotBumped = "attempt-not-bumped",
    /// What names an unknown session counts as said in the one that its connection has.
    SessionIgnored = "session-ignored",
    /// A result counts for whatever attempt of its job the worker has.
    AttemptIgnored = "attempt-ignored",
    /// No worker is told that an attempt is given up.
    CancelLost = "cancel-lost",
    /// A slot stays taken after its job was cancelled.
    SlotLeaked = "slot-leaked",
    /// No message counts as a sign of life.
    LivenessNotReset = "liveness-not-reset",
    /// A worker that has jobs is dropped for its silence.
    BusyExpired = "busy-expired",
    /// Workers answer for the time in which the master was stopped.
    PauseNotCredited = "pause-not-credited",
    /// The time that a job has waited counts for nothing.
    DeadlineNotPropagated = "deadline-not-propagated",
    /// The queue takes one job more than it may.
    QueueOffByOne = "queue-off-by-one",
    /// A job may kill one worker after another.
    PoisonNotCounted = "poison-not-counted",
    /// A job whose worker died is sent like any other.
    SuspectNotAlone = "suspect-not-alone",
    /// An attempt that was handed back counts.
    ReturnedCounts = "returned-counts",
    /// A job that may run at most once is sent ahead to a busy worker.
    AtMostOnceAhead = "at-most-once-ahead",
    /// The result of an attempt that was given up counts.
    LateResultCounts = "late-result-counts",
    /// A worker that is too slow gets more work.
    LaggyNotSetAside = "laggy-not-set-aside",
    /// A worker that leaves gets more work.
    DrainingGetsWork = "draining-gets-work",
    /// Jobs are sent ahead to busy workers while others have free slots.
    AheadBeforeFree = "ahead-before-free",
    /// What a worker that comes back does not list stays with it.
    MissingKept = "missing-kept",
    /// Nobody looks whose connection it was that closed.
    ProbeNotSent = "probe-not-sent",
}

impl Mutant {
    /// Whether the core has this defect.
    #[cfg(not(powerhose_mutants))]
    #[inline(always)]
    pub(super) const fn is_planted(self) -> bool {
        false
    }

    /// Whether the core has this defect.
    ///
    /// # Panics
    /// If the variable names no mutant: a hunt for it would find nothing, for the wrong reason.
    #[cfg(powerhose_mutants)]
    pub(super) fn is_planted(self) -> bool {
        static PLANTED: std::sync::OnceLock<Option<Mutant>> = std::sync::OnceLock::new();
        let planted = PLANTED.get_or_init(|| {
            let name = std::env::var("POWERHOSE_MUTANT").ok()?;
            let known = Self::ALL.iter().find(|(text, _)| *text == name);
            Some(
                known
                    .unwrap_or_else(|| panic!("there is no mutant {name:?}"))
                    .1,
            )
        });
        *planted == Some(self)
    }
}
