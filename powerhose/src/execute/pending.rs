use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::driver::inbox::{Handover, Outcome};
use crate::error::{ExecuteError, Started};
use crate::master::Ticket;

/// A job that was handed over and whose outcome is awaited. Dropping it before takes the job back.
pub(super) struct Pending<'runner> {
    inbox: &'runner dyn Handover,
    ticket: Ticket,
    outcome: oneshot::Receiver<Outcome>,
    is_over: bool,
}

impl<'runner> Pending<'runner> {
    pub(super) fn new(
        inbox: &'runner dyn Handover,
        ticket: Ticket,
        outcome: oneshot::Receiver<Outcome>,
    ) -> Self {
        Self {
            inbox,
            ticket,
            outcome,
            is_over: false,
        }
    }

    /// Blocks until the outcome is there.
    pub(super) fn wait(mut self) -> Outcome {
        // The receiver is consumed by waiting; a closed one takes its place.
        let (_, closed) = oneshot::channel();
        let outcome = std::mem::replace(&mut self.outcome, closed).blocking_recv();
        self.is_over = true;
        self.inbox.deliveries().help();
        outcome.unwrap_or_else(lost)
    }
}

impl Future for Pending<'_> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let outcome = ready!(Pin::new(&mut self.outcome).poll(context));
        self.is_over = true;
        self.inbox.deliveries().help();
        Poll::Ready(outcome.unwrap_or_else(lost))
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.inbox.cancel(self.ticket);
            // It may have been woken to tell others.
            self.inbox.deliveries().help();
        }
    }
}

/// The thread ended without an outcome: it panicked.
fn lost(_: oneshot::error::RecvError) -> Outcome {
    Err(ExecuteError::ShuttingDown {
        started: Started::Maybe,
    })
}
