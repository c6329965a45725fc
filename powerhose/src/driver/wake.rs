//! Wakes a thread that sleeps in a poll, and only then: a thread that is busy costs its wakers one atomic load.
//!
//! ```text
//!            prepare()                wake()
//!   AWAKE ──────────────▶ ASLEEP ──────────────▶ NOTIFIED
//!     ▲                     │                       │
//!     └─────────────────────┴───────────────────────┘
//!                        finish()
//! ```
//!
//! The waker first publishes its work, then calls [`Waker::wake`]; the sleeper first calls [`Sleeper::prepare`], then looks for work
//! once more, then polls. Both put a sequentially consistent fence between their two steps, so that at least one of them sees what
//! the other did: either the sleeper finds the work, or the waker finds it asleep and writes to the descriptor, which the poll
//! sees whether it has begun or not. Only the one waker that moves the state from ASLEEP to NOTIFIED writes, once per sleep.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering, fence};

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const NOTIFIED: u8 = 2;

/// Makes a waker and the sleeper that it wakes.
pub(crate) fn pair() -> io::Result<(Waker, Sleeper)> {
    let shared = Arc::new(Shared {
        state: AtomicU8::new(AWAKE),
        signal: Signal::new()?,
    });
    Ok((Waker(Arc::clone(&shared)), Sleeper(shared)))
}

struct Shared {
    state: AtomicU8,
    signal: Signal,
}

/// Held by those who hand over work. Any number of clones may wake at the same time.
#[derive(Clone)]
pub(crate) struct Waker(Arc<Shared>);

impl Waker {
    /// Ends the sleep of the thread, or the one that it is about to begin. To be called after the work is where it will look.
    pub(crate) fn wake(&self) {
        fence(Ordering::SeqCst);
        let state = &self.0.state;
        if state.load(Ordering::Relaxed) == ASLEEP
            && state
                .compare_exchange(ASLEEP, NOTIFIED, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.0.signal.raise();
        }
    }
}

/// Held by the thread that sleeps.
pub(crate) struct Sleeper(Arc<Shared>);

impl Sleeper {
    /// Announces the sleep. Look for work once more after it: what is handed over from now on raises the descriptor.
    pub(crate) fn prepare(&self) {
        self.0.state.store(ASLEEP, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The descriptor to poll for input between [`prepare`](Self::prepare) and [`finish`](Self::finish).
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.signal.as_fd()
    }

    /// Ends the sleep. `raised` tells whether the poll found the descriptor readable. A notification whose write comes only after
    /// this makes a later poll return early, once.
    pub(crate) fn finish(&self, raised: bool) {
        self.0.state.store(AWAKE, Ordering::Relaxed);
        if raised {
            self.0.signal.clear();
        }
    }
}

#[cfg(target_os = "linux")]
use eventfd::Signal;

#[cfg(target_os = "linux")]
mod eventfd {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::event::{EventfdFlags, eventfd};

    pub(super) struct Signal(OwnedFd);

    impl Signal {
        pub(super) fn new() -> io::Result<Self> {
            let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
            Ok(Self(eventfd(0, flags)?))
        }

        pub(super) fn raise(&self) {
            // It fails only when the counter is full, and then the descriptor is readable.
            let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
        }

        pub(super) fn clear(&self) {
            let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
        }
    }

    impl AsFd for Signal {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

#[cfg(not(target_os = "linux"))]
use pair::Signal;

#[cfg(not(target_os = "linux"))]
mod pair {
    use std::io::{self, Read, Write};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;

    pub(super) struct Signal {
        writer: UnixStream,
        reader: UnixStream,
    }

    impl Signal {
        pub(super) fn new() -> io::Result<Self> {
            let (writer, reader) = UnixStream::pair()?;
            writer.set_nonblocking(true)?;
            reader.set_nonblocking(true)?;
            Ok(Self { writer, reader })
        }

        pub(super) fn raise(&self) {
            // It fails only when the buffer is full, and then the descriptor is readable.
            let _ = (&self.writer).write(&[1]);
        }

        pub(super) fn clear(&self) {
            let _ = (&self.reader).read(&mut [0; 64]);
        }
    }

    impl AsFd for Signal {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.reader.as_fd()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::driver::poll::{Poll, wait};

    fn raised(sleeper: &Sleeper, timeout: Duration) -> bool {
        let mut poll = Poll::default();
        let slot = poll.add(sleeper.fd());
        wait(&mut poll, Some(timeout)).expect("poll works");
        poll.is_ready(slot)
    }

    #[test]
    fn a_thread_that_is_awake_is_left_alone() {
        let (waker, sleeper) = pair().expect("descriptors");
        waker.wake();
        assert!(!raised(&sleeper, Duration::ZERO));
    }

    #[test]
    fn a_wake_up_between_the_announcement_and_the_poll_counts() {
        let (waker, sleeper) = pair().expect("descriptors");
        sleeper.prepare();
        waker.wake();
        waker.wake();
        assert!(raised(&sleeper, Duration::ZERO));
        sleeper.finish(true);
        assert!(!raised(&sleeper, Duration::ZERO));
    }

    #[test]
    fn no_wake_up_is_lost_in_a_race() {
        const ROUNDS: u64 = 50_000;
        let (waker, sleeper) = pair().expect("descriptors");
        let work = Arc::new(AtomicU64::new(0));
        let published = Arc::clone(&work);
        let producer = thread::spawn(move || {
            for round in 1..=ROUNDS {
                published.store(round, Ordering::Relaxed);
                waker.wake();
                if round % 64 == 0 {
                    thread::yield_now();
                }
            }
        });
        while work.load(Ordering::Relaxed) < ROUNDS {
            let before = work.load(Ordering::Relaxed);
            sleeper.prepare();
            let mut woken = false;
            if work.load(Ordering::Relaxed) == before && before < ROUNDS {
                woken = raised(&sleeper, Duration::from_secs(10));
                assert!(woken, "slept through the work of round {}", before + 1);
            }
            sleeper.finish(woken);
        }
        producer.join().expect("the producer ends");
    }
}
