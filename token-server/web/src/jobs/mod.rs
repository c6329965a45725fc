//! Jobs: a typed request out, a typed reply back, within the deadline of the HTTP request.

mod crypto;
mod pools;

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use powerhose::{Bytes, ExecuteError, master::Stats};

pub(crate) use crypto::{Crypto, Health};

/// What a call on [`Jobs`] comes to.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where jobs are done: the one way from this tier to whoever burns CPU for it.
pub trait Jobs: fmt::Debug + Send + Sync {
    /// Has a job of `service` done within `timeout`. Dropping the future takes the job back.
    fn execute(
        &self,
        service: &Arc<str>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Answer<'_, Result<Bytes, ExecuteError>>;

    /// Whether anybody is there to do jobs.
    fn presence(&self) -> Answer<'_, Presence>;

    /// What is counted and measured so far.
    fn observe(&self) -> Answer<'_, Observation>;
}

/// Who is there to do jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Workers.
    Workers,
    /// Nobody.
    NoWorkers,
    /// A standalone master. Whether it has workers, only a job can tell.
    Master,
    /// No standalone master can be reached.
    NoMaster,
}

/// What can be told of where jobs are done.
#[derive(Debug)]
pub enum Observation {
    /// Of a master inside this process: everything.
    Own(Box<Stats>),
    /// Of standalone masters: which of them is there. They tell the rest themselves.
    Shared {
        /// Their endpoints, and whether jobs go there at present.
        masters: Vec<(String, bool)>,
        /// How often there was one and then none.
        losses: u64,
    },
}
