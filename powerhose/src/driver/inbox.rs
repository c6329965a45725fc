//! What callers hand to a thread that owns sockets: a master's or a client's.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::driver::delivery::Deliveries;
use crate::driver::wake::Waker;
use crate::error::ExecuteError;
use crate::master::{NewJob, Ticket};

/// The outcome of a job.
pub(crate) type Outcome = Result<Bytes, ExecuteError>;

/// A job on its way to the thread.
pub(crate) struct Submission {
    pub(crate) ticket: Ticket,
    pub(crate) job: NewJob,
    pub(crate) reply: oneshot::Sender<Outcome>,
}

/// What else may be asked of the thread.
pub(crate) trait Ask {
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
}

/// Takes jobs, whoever does them.
pub(crate) trait Handover: Send + Sync {
    /// Hands over a job; its outcome comes through `reply`.
    fn submit(&self, job: NewJob, reply: oneshot::Sender<Outcome>) -> Result<Ticket, Refused>;

    /// Takes back a job that was handed over. To be called at most once for each.
    fn cancel(&self, ticket: Ticket);

    /// The way back.
    fn deliveries(&self) -> &Deliveries;
}

/// Why a job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As many jobs or bytes as allowed are on their way already.
    Full,
    /// The thread has ended.
    Closed,
}

/// The bounds of an inbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) jobs: usize,
    pub(crate) bytes: usize,
}

/// The handover from any number of callers to the one thread.
///
/// A lock around three lists, which the thread takes as a whole: callers hold it for a few instructions, the thread for as many
/// however much there is. Jobs are bounded in number and bytes. Cancellations need no bound of their own, for a job has at most
/// one; nor do requests, whose callers wait for the answer: those of callers who gave up are swept out.
pub(crate) struct Inbox<R> {
    limits: Limits,
    waker: Waker,
    state: Mutex<State<R>>,
    /// The way back.
    pub(crate) deliveries: Deliveries,
}

struct State<R> {
    closed: bool,
    next_ticket: u64,
    bytes: usize,
    batch: Batch<R>,
}

/// What collected since the thread last looked.
pub(crate) struct Batch<R> {
    pub(crate) jobs: Vec<Submission>,
    /// Each is of a job in this batch or in one before.
    pub(crate) cancelled: Vec<Ticket>,
    pub(crate) requests: Vec<R>,
}

impl<R> Default for Batch<R> {
    fn default() -> Self {
        Self {
            jobs: Vec::new(),
            cancelled: Vec::new(),
            requests: Vec::new(),
        }
    }
}

impl<R> Batch<R> {
    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.cancelled.is_empty() && self.requests.is_empty()
    }
}

impl<R: Ask> Inbox<R> {
    pub(crate) fn new(limits: Limits, waker: Waker) -> Self {
        Self {
            limits,
            waker,
            state: Mutex::new(State {
                closed: false,
                next_ticket: 0,
                bytes: 0,
                batch: Batch::default(),
            }),
            deliveries: Deliveries::default(),
        }
    }

    /// Asks something of the thread. If that has ended, the request is dropped, and its answer's channel with it.
    pub(crate) fn request(&self, request: R) {
        let mut state = self.lock();
        if !state.closed {
            state.batch.requests.retain(|other| !other.is_abandoned());
            state.batch.requests.push(request);
            drop(state);
            self.waker.wake();
        }
    }

    /// Whether there is nothing to take.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().batch.is_empty()
    }

    /// Exchanges what collected for `batch`, which is empty and keeps its memory for the next time.
    pub(crate) fn swap(&self, batch: &mut Batch<R>) {
        let mut state = self.lock();
        state.bytes = 0;
        mem::swap(&mut state.batch, batch);
    }

    /// Takes nothing from now on and returns what had collected.
    pub(crate) fn close(&self) -> Batch<R> {
        let mut state = self.lock();
        state.closed = true;
        mem::take(&mut state.batch)
    }

    /// Nothing that happens under the lock can panic half-way, so what a poisoned one guards is whole.
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Ask + Send> Handover for Inbox<R> {
    fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    fn submit(&self, job: NewJob, reply: oneshot::Sender<Outcome>) -> Result<Ticket, Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        let bytes = state.bytes.saturating_add(job.body.len());
        // A single job may be larger than the bound: whether it is too large is for the core to say.
        let is_first = state.batch.jobs.is_empty();
        if !is_first && (state.batch.jobs.len() >= self.limits.jobs || bytes > self.limits.bytes) {
            return Err(Refused::Full);
        }
        let ticket = Ticket(state.next_ticket);
        state.next_ticket += 1;
        state.bytes = bytes;
        state.batch.jobs.push(Submission { ticket, job, reply });
        drop(state);
        self.waker.wake();
        Ok(ticket)
    }

    fn cancel(&self, ticket: Ticket) {
        let mut state = self.lock();
        if !state.closed {
            state.batch.cancelled.push(ticket);
            drop(state);
            self.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::driver::wake;
    use crate::time::Time;

    struct Question(oneshot::Sender<()>);

    impl Ask for Question {
        fn is_abandoned(&self) -> bool {
            self.0.is_closed()
        }
    }

    fn inbox(jobs: usize, bytes: usize) -> Inbox<Question> {
        let (waker, _sleeper) = wake::pair().expect("descriptors");
        Inbox::new(Limits { jobs, bytes }, waker)
    }

    fn submit(inbox: &Inbox<Question>, bytes: usize) -> Result<Ticket, Refused> {
        let job = NewJob {
            service: Arc::from(""),
            body: Bytes::from(vec![0; bytes]),
            metadata: None,
            deadline: Time::ZERO,
            attempt_timeout: None,
            attempts: 1,
            at_most_once: false,
            client: 0,
        };
        inbox.submit(job, oneshot::channel().0)
    }

    #[test]
    fn jobs_are_bounded_in_number() {
        let inbox = inbox(2, usize::MAX);
        assert_eq!(submit(&inbox, 0), Ok(Ticket(0)));
        assert_eq!(submit(&inbox, 0), Ok(Ticket(1)));
        assert_eq!(submit(&inbox, 0), Err(Refused::Full));
        inbox.swap(&mut Batch::default());
        assert_eq!(submit(&inbox, 0), Ok(Ticket(2)));
    }

    #[test]
    fn jobs_are_bounded_in_bytes_but_for_a_single_one() {
        let inbox = inbox(10, 100);
        assert!(submit(&inbox, 101).is_ok());
        assert_eq!(submit(&inbox, 0), Err(Refused::Full));
        inbox.swap(&mut Batch::default());
        assert!(submit(&inbox, 60).is_ok());
        assert!(submit(&inbox, 40).is_ok());
        assert_eq!(submit(&inbox, 1), Err(Refused::Full));
    }

    #[test]
    fn a_closed_inbox_takes_nothing() {
        let inbox = inbox(10, 100);
        let ticket = submit(&inbox, 0).expect("there is room");
        assert_eq!(inbox.close().jobs.len(), 1);
        assert_eq!(submit(&inbox, 0), Err(Refused::Closed));
        inbox.cancel(ticket);
        inbox.request(Question(oneshot::channel().0));
        assert!(inbox.is_empty());
    }

    #[test]
    fn requests_that_nobody_waits_for_are_swept_out() {
        let inbox = inbox(10, 100);
        for _ in 0..1000 {
            inbox.request(Question(oneshot::channel().0));
        }
        let mut batch = Batch::default();
        inbox.swap(&mut batch);
        assert_eq!(batch.requests.len(), 1);
    }
}
