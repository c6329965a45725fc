//! The threads that run the handler, one for each slot where there are several.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bytes::Bytes;

use super::job::{Job, JobError, Kind};
use super::shared::{Finished, Shared};
use crate::driver::clock::Clock;
use crate::time::Time;
use crate::wire::ResultCode;

/// What a worker does with a job.
pub(super) type Handler = dyn Fn(Job) -> Result<Bytes, JobError> + Send + Sync;

/// What the thread of a slot does.
pub(super) fn work(slot: u16, shared: &Shared, handler: &Handler, clock: Clock) {
    let mut finished = None;
    while let Some(job) = shared.next(slot, finished.take()) {
        finished = Some(execute(job, handler, clock.now(), clock));
    }
}

/// Runs the handler on a job, now.
pub(super) fn execute(job: Job, handler: &Handler, started: Time, clock: Clock) -> Finished {
    if let Some(code) = job.obstacle(started) {
        return Finished {
            code,
            elapsed: Duration::ZERO,
            body: Bytes::new(),
            at: started,
        };
    }
    // What a panic leaves half done is the handler's own: it is shared between threads and has to guard its state anyway.
    let outcome = catch_unwind(AssertUnwindSafe(|| handler(job)));
    let at = clock.now();
    let (code, body) = match outcome {
        Ok(Ok(body)) => (ResultCode::Ok, body),
        Ok(Err(JobError { kind })) => match kind {
            Kind::Failed(message) => (ResultCode::Failed, message),
            Kind::Panicked(message) => (ResultCode::Panicked, message),
            Kind::Overrun => (ResultCode::Overrun, Bytes::new()),
            Kind::Cancelled => (ResultCode::Cancelled, Bytes::new()),
        },
        Err(payload) => (ResultCode::Panicked, panic_message(payload)),
    };
    Finished {
        code,
        elapsed: at - started,
        body,
        at,
    }
}

/// What the panic said, where it said anything.
fn panic_message(payload: Box<dyn Any + Send>) -> Bytes {
    let message = match payload.downcast::<&'static str>() {
        Ok(message) => return Bytes::from_static(message.as_bytes()),
        Err(payload) => payload.downcast::<String>(),
    };
    match message {
        Ok(message) => Bytes::from(*message),
        Err(other) => {
            // Its drop may panic in turn, which no slot has to die of.
            std::mem::forget(other);
            Bytes::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_of(panic: impl FnOnce() + std::panic::UnwindSafe) -> Bytes {
        panic_message(catch_unwind(panic).expect_err("it panics"))
    }

    #[test]
    fn panics_of_all_kinds_are_told() {
        let number = 7;
        assert_eq!(message_of(|| panic!("static")), "static");
        assert_eq!(message_of(move || panic!("number {number}")), "number 7");
        assert_eq!(message_of(|| std::panic::panic_any(7)), "");
    }
}
