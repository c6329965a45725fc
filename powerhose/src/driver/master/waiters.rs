//! Those who wait for workers to register.

use tokio::sync::oneshot;

use crate::time::Time;

/// All of them. Those that gave up are forgotten when the next one comes.
#[derive(Default)]
pub(super) struct Waiters(Vec<Waiter>);

/// Somebody who waits for so many workers; is told how many there are if they are too few at the deadline.
pub(super) struct Waiter {
    pub(super) count: usize,
    pub(super) deadline: Time,
    pub(super) reply: oneshot::Sender<Result<(), usize>>,
}

impl Waiters {
    pub(super) fn add(&mut self, waiter: Waiter) {
        self.0.retain(|waiter| !waiter.reply.is_closed());
        self.0.push(waiter);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Answers those for whom there are enough, and those whose time is over.
    pub(super) fn tell(&mut self, active: usize, now: Time) {
        let served = (self.0).extract_if(.., |waiter| {
            active >= waiter.count || waiter.deadline <= now
        });
        for waiter in served {
            let is_enough = active >= waiter.count;
            let _ = waiter.reply.send(is_enough.then_some(()).ok_or(active));
        }
    }

    /// When the next one's time is over.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.0.iter().map(|waiter| waiter.deadline).min()
    }
}
