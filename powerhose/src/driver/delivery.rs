//! The way of outcomes back to their callers.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::driver::inbox::Outcome;
use crate::time::Time;

/// An outcome and who waits for it.
pub(crate) type Delivery = (oneshot::Sender<Outcome>, Outcome);

/// How long outcomes may wait for a caller's task to tell them: a few times what it takes to wake a thread.
const PATIENCE: Duration = Duration::from_micros(100);

/// Outcomes that have not reached their callers yet, for a moment.
///
/// To wake a caller from another thread costs a system call, each time. So the master wakes one caller, whose task tells
/// all the others: what a task wakes on its own executor costs next to nothing, and the jobs that they hand in next come as one
/// batch again. That task may be slow to run, or on an executor of its own: outcomes that are left after [`PATIENCE`] the master
/// tells itself.
#[derive(Default)]
pub(crate) struct Deliveries {
    /// While there are some, a caller has been woken that will tell them.
    rest: Mutex<Vec<Delivery>>,
    is_any_left: AtomicBool,
    /// Since when there are some, in nanoseconds.
    since: AtomicU64,
}

impl Deliveries {
    /// Has each caller told its outcome.
    pub(crate) fn deliver(&self, batch: &mut Vec<Delivery>, now: Time) {
        while let Some((caller, outcome)) = batch.pop() {
            {
                let mut rest = self.rest();
                if !rest.is_empty() {
                    rest.push((caller, outcome));
                    rest.append(batch);
                    return;
                }
                if !batch.is_empty() {
                    rest.append(batch);
                    self.since.store(now.as_nanos(), Ordering::Relaxed);
                    self.is_any_left.store(true, Ordering::Release);
                }
            }
            // A caller that is gone has its cancellation on the way, and tells nobody.
            if caller.send(outcome).is_err() {
                batch.append(&mut self.rest());
            }
        }
    }

    /// Tells the callers that are left, if there are any. To be called by whoever was told an outcome.
    pub(crate) fn help(&self) {
        if !self.is_any_left.load(Ordering::Acquire) {
            return;
        }
        self.is_any_left.store(false, Ordering::Relaxed);
        let rest = mem::take(&mut *self.rest());
        for (caller, outcome) in rest {
            let _ = caller.send(outcome);
        }
    }

    /// When the master is to look after what is left.
    pub(crate) fn due(&self) -> Option<Time> {
        let since = || Time::from_nanos(self.since.load(Ordering::Relaxed));
        (self.is_any_left.load(Ordering::Relaxed)).then(|| since() + PATIENCE)
    }

    /// Tells the callers that have been left for too long.
    pub(crate) fn look_after(&self, now: Time) {
        if self.due().is_some_and(|due| due <= now) {
            self.help();
        }
    }

    /// Nothing that happens under the lock can panic half-way, so what a poisoned one guards is whole.
    fn rest(&self) -> MutexGuard<'_, Vec<Delivery>> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// So many deliveries, each of its own number, and those who wait for them.
    fn batch(count: u8) -> (Vec<Delivery>, Vec<oneshot::Receiver<Outcome>>) {
        (0..count)
            .map(|number| {
                let (caller, outcome) = oneshot::channel();
                ((caller, Ok(Bytes::from(vec![number]))), outcome)
            })
            .unzip()
    }

    fn assert_told(outcomes: &mut [oneshot::Receiver<Outcome>]) {
        for (number, outcome) in (0..).zip(outcomes) {
            assert_eq!(outcome.try_recv(), Ok(Ok(Bytes::from(vec![number]))));
        }
    }

    #[test]
    fn every_caller_is_told_its_own_outcome() {
        let deliveries = Deliveries::default();
        for count in [0, 1, 2, 100] {
            let (mut batch, mut outcomes) = batch(count);
            deliveries.deliver(&mut batch, Time::ZERO);
            assert!(batch.is_empty());
            assert_eq!(deliveries.due().is_some(), count > 1);
            deliveries.help();
            assert_told(&mut outcomes);
        }
    }

    #[test]
    fn a_caller_that_is_gone_keeps_nobody_from_being_told() {
        let deliveries = Deliveries::default();
        for count in [1, 2, 3] {
            let (mut batch, mut outcomes) = batch(count);
            drop(outcomes.pop());
            deliveries.deliver(&mut batch, Time::ZERO);
            // Somebody was woken who is there to help.
            assert!(outcomes.is_empty() || outcomes.iter_mut().any(|one| one.try_recv().is_ok()));
            deliveries.help();
        }
    }

    #[test]
    fn what_nobody_tells_the_master_tells_after_a_while() {
        let deliveries = Deliveries::default();
        let (mut batch, mut outcomes) = batch(5);
        deliveries.deliver(&mut batch, Time::ZERO);
        let due = deliveries.due().expect("four are left");
        deliveries.look_after(Time::ZERO);
        assert!(deliveries.due().is_some(), "it is too soon");
        deliveries.look_after(due);
        assert_eq!(deliveries.due(), None);
        assert_told(&mut outcomes);
    }

    #[test]
    fn while_one_has_been_woken_nobody_else_is() {
        let deliveries = Deliveries::default();
        let (mut first, mut told) = batch(2);
        let (mut second, mut later) = batch(2);
        deliveries.deliver(&mut first, Time::ZERO);
        deliveries.deliver(&mut second, Time::ZERO);
        assert!(later.iter_mut().all(|one| one.try_recv().is_err()));
        deliveries.help();
        assert_told(&mut told);
        assert_told(&mut later);
    }

    #[test]
    fn outcomes_reach_tasks_that_tell_each_other() {
        const ROUNDS: u32 = 2_000;
        let executor = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .expect("the system has threads");
        let deliveries = std::sync::Arc::new(Deliveries::default());
        for _ in 0..ROUNDS {
            let (mut batch, outcomes) = batch(8);
            let tasks: Vec<_> = (outcomes.into_iter())
                .map(|outcome| {
                    let deliveries = std::sync::Arc::clone(&deliveries);
                    executor.spawn(async move {
                        let outcome = outcome.await;
                        deliveries.help();
                        outcome
                    })
                })
                .collect();
            deliveries.deliver(&mut batch, Time::ZERO);
            for (number, task) in (0..).zip(tasks) {
                let outcome = executor.block_on(task).expect("no panic");
                assert_eq!(outcome, Ok(Ok(Bytes::from(vec![number]))));
            }
        }
    }
}
