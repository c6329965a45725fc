//! The way of outcomes back to their callers.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::driver::inbox::Outcome;

/// An outcome and who waits for it.
pub(crate) type Delivery = (oneshot::Sender<Outcome>, Outcome);

/// Outcomes that have not reached their callers yet, for a moment.
///
/// To wake a caller's thread costs a system call, and on a busy machine that thread then runs at once, with one outcome, while the
/// others are not yet told. So the master wakes one caller, and whoever gets to it first, the master or that caller's task,
/// tells all the others: what a task wakes on its own executor costs next to nothing, and the jobs that they hand in next come as
/// one batch again.
#[derive(Default)]
pub(crate) struct Deliveries {
    rest: Mutex<Vec<Delivery>>,
    is_any_left: AtomicBool,
}

impl Deliveries {
    /// Tells each caller its outcome. When it returns, everything is told, or about to be by a caller's task.
    pub(crate) fn deliver(&self, batch: &mut Vec<Delivery>) {
        let Some((caller, outcome)) = batch.pop() else {
            return;
        };
        if !batch.is_empty() {
            self.with_rest(|rest| rest.append(batch));
            self.is_any_left.store(true, Ordering::Release);
        }
        // A caller that is gone has its cancellation on the way.
        let _ = caller.send(outcome);
        self.help();
    }

    /// Tells the callers that are left, if there are any.
    pub(crate) fn help(&self) {
        if self.is_any_left.load(Ordering::Relaxed)
            && self.is_any_left.swap(false, Ordering::Acquire)
        {
            for (caller, outcome) in self.with_rest(mem::take) {
                let _ = caller.send(outcome);
            }
        }
    }

    /// Nothing that happens under the lock can panic half-way, so what a poisoned one guards is whole.
    fn with_rest<T>(&self, act: impl FnOnce(&mut Vec<Delivery>) -> T) -> T {
        act(&mut self.rest.lock().unwrap_or_else(PoisonError::into_inner))
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
            deliveries.deliver(&mut batch);
            assert!(batch.is_empty());
            assert_told(&mut outcomes);
        }
    }

    #[test]
    fn a_caller_that_is_gone_keeps_nobody_from_being_told() {
        let deliveries = Deliveries::default();
        let (mut batch, mut outcomes) = batch(3);
        drop(outcomes.pop());
        deliveries.deliver(&mut batch);
        assert_told(&mut outcomes);
    }

    #[test]
    fn whoever_comes_first_tells_the_others() {
        let deliveries = Deliveries::default();
        let (mut left, mut outcomes) = batch(5);
        // As when the master is held up by waking the first caller.
        deliveries.with_rest(|rest| rest.append(&mut left));
        deliveries.is_any_left.store(true, Ordering::Release);
        deliveries.help();
        assert_told(&mut outcomes);
        deliveries.help();
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
            deliveries.deliver(&mut batch);
            for (number, task) in (0..).zip(tasks) {
                let outcome = executor.block_on(task).expect("no panic");
                assert_eq!(outcome, Ok(Ok(Bytes::from(vec![number]))));
            }
        }
    }
}
