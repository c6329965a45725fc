//! Rows of protocol.md's table "States of a worker", as far as an input tells them.

use powerhose::wire::{RejectReason, ToWorker};
use powerhose::worker::session::{Input, State};

use super::process::Handler;
use super::world::{Checked, World};

/// The number of the row, or `None` for a tick, of which only the outputs tell what it was.
pub(super) fn of_input(
    session: u64,
    handlers: &[Handler],
    state: State,
    input: &Input,
) -> Option<usize> {
    let message = match input {
        Input::Message(message) => message,
        Input::Malformed(_) => return Some(16),
        Input::Finished { .. } => return Some(17),
        Input::Drain => return Some(18),
        Input::Stop => return Some(19),
        Input::Tick => return None,
    };
    let up = matches!(state, State::Active | State::Draining);
    let mine = message.session() == session;
    Some(match message {
        ToWorker::Registered { .. } if mine => 4,
        ToWorker::Registered { .. } => 5,
        ToWorker::Rejected { reason, .. } if mine || (!up && message.session() == 0) => {
            match reason {
                RejectReason::UnknownSession => 6,
                RejectReason::TooManyWorkers | RejectReason::Draining => 7,
                _ => 8,
            }
        }
        _ if !mine => 15,
        ToWorker::Heartbeat { .. } => 9,
        ToWorker::Job { .. } => 10,
        ToWorker::Cancel { key, .. } => {
            let running = handlers.iter().any(|handler| handler.key == *key);
            if running { 12 } else { 11 }
        }
        ToWorker::Drain { .. } => 13,
        ToWorker::Disconnect { .. } | ToWorker::Rejected { .. } => 14,
    })
}

impl World {
    /// Notes the transition of a session.
    pub(super) fn cover_worker(
        &mut self,
        row: Option<usize>,
        before: State,
        after: State,
        tick: bool,
    ) -> Checked {
        if !tick {
            let row = row.ok_or("an input has a row")?;
            return self.coverage.worker(row, before, after);
        }
        use State::{Active, Backoff, Draining, Exited, Registering};
        match (before, after) {
            (Backoff, Registering) => self.coverage.worker(1, before, after),
            (Registering, Backoff) => self.coverage.worker(2, before, after),
            (Backoff | Registering, Exited) => self.coverage.worker(3, before, after),
            (Active | Draining, Backoff) => self.coverage.worker(21, before, after),
            _ => Ok(()),
        }
    }
}
