/// Why waiting for workers ended without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time is over.
    #[error("{active} of {wanted} workers had registered when the time was over")]
    TimedOut {
        /// The workers that are registered and take work.
        active: usize,
        /// How many were waited for.
        wanted: usize,
    },
    /// The runner has ended.
    #[error("the runner has shut down")]
    ShutDown,
}

impl WaitError {
    /// Reads the thread's answer, which is missing if the thread has ended.
    pub(super) fn from_answer(
        answer: Option<Result<(), usize>>,
        wanted: usize,
    ) -> Result<(), Self> {
        match answer {
            Some(Ok(())) => Ok(()),
            Some(Err(active)) => Err(Self::TimedOut { active, wanted }),
            None => Err(Self::ShutDown),
        }
    }
}
