use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::session::Input;
use crate::driver::wake::Waker;

const RUN: u8 = 0;
const DRAIN: u8 = 1;
const STOP: u8 = 2;

/// Ends a worker from another thread, before it runs or while it does; got from [`Worker::stopper`](super::Worker::stopper).
///
/// Dropping it changes nothing.
#[derive(Clone)]
pub struct Stopper {
    wish: Arc<AtomicU8>,
    waker: Waker,
}

impl Stopper {
    pub(super) fn new(waker: Waker) -> Self {
        Self {
            wish: Arc::new(AtomicU8::new(RUN)),
            waker,
        }
    }

    /// Finish what has started, hand back the rest, leave. [`run`](super::Worker::run) then returns
    /// [`Exit::Drained`](super::Exit::Drained).
    pub fn drain(&self) {
        self.ask(DRAIN);
    }

    /// Leave at once, without waiting for handlers. [`run`](super::Worker::run) then returns
    /// [`Exit::Stopped`](super::Exit::Stopped).
    pub fn stop(&self) {
        self.ask(STOP);
    }

    fn ask(&self, wish: u8) {
        self.wish.fetch_max(wish, Ordering::Relaxed);
        self.waker.wake();
    }

    /// The thread that runs the worker takes note of what is asked for.
    pub(super) fn listen(&self) -> Listener {
        Listener {
            wish: Arc::clone(&self.wish),
            told: RUN,
        }
    }
}

/// What the stoppers of a worker ask for, in the thread that runs it.
pub(super) struct Listener {
    wish: Arc<AtomicU8>,
    /// What the session knows of.
    told: u8,
}

impl Listener {
    /// Whether [`news`](Self::news) would give something.
    pub(super) fn has_news(&self) -> bool {
        self.wish.load(Ordering::Relaxed) > self.told
    }

    /// What was asked for since the last call.
    pub(super) fn news(&mut self) -> Option<Input> {
        let wish = self.wish.load(Ordering::Relaxed);
        if wish <= self.told {
            return None;
        }
        self.told = wish;
        Some(if wish == DRAIN {
            Input::Drain
        } else {
            Input::Stop
        })
    }
}

impl std::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stopper").finish_non_exhaustive()
    }
}
