//! SIGTERM and SIGINT while a worker runs.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

use super::session::Input;

/// Hears the two signals until it is dropped.
pub(super) struct Signals {
    terminate: Heard,
    interrupt: Heard,
    /// A signal came. A thread that never sleeps asks this and not the descriptors.
    is_news: Arc<AtomicBool>,
    _handled: Handled,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let is_news = Arc::new(AtomicBool::new(false));
        Ok(Self {
            terminate: Heard::new(SIGTERM, &is_news)?,
            interrupt: Heard::new(SIGINT, &is_news)?,
            is_news,
            _handled: Handled::new()?,
        })
    }

    /// The descriptors to poll for input.
    pub(super) fn fds(&self) -> [BorrowedFd<'_>; 2] {
        [&self.terminate, &self.interrupt].map(|heard| heard.stream.as_fd())
    }

    /// What the signals since the last call ask for.
    ///
    /// Any of them drains. Only a second SIGINT, the mark of an impatient person, stops at once: controllers are known to send
    /// SIGTERM twice, or along with a terminal's SIGINT, and have SIGKILL to insist.
    pub(super) fn news(&mut self, inputs: &mut Vec<Input>) {
        if !self.is_news.load(Ordering::Relaxed) {
            return;
        }
        self.is_news.store(false, Ordering::SeqCst);
        let before = self.interrupt.count;
        if self.terminate.listen() | self.interrupt.listen() {
            inputs.push(Input::Drain);
        }
        if self.interrupt.count > before.max(1) {
            inputs.push(Input::Stop);
        }
    }
}

/// One signal, through a pair of sockets that its handler writes to before it raises the flag.
struct Heard {
    ids: [SigId; 2],
    stream: UnixStream,
    /// How often it came.
    count: usize,
}

impl Heard {
    fn new(signal: i32, flag: &Arc<AtomicBool>) -> io::Result<Self> {
        let (stream, writer) = UnixStream::pair()?;
        stream.set_nonblocking(true)?;
        let writes = low_level::pipe::register(signal, writer)?;
        Ok(Self {
            ids: [writes, flag::register(signal, Arc::clone(flag))?],
            stream,
            count: 0,
        })
    }

    /// Whether the signal came since the last call.
    fn listen(&mut self) -> bool {
        let before = self.count;
        while let Ok(read @ 1..) = self.stream.read(&mut [0; 8]) {
            self.count += read;
        }
        self.count > before
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        for id in self.ids {
            low_level::unregister(id);
        }
    }
}

/// As long as one exists, the signals do not end the process; when none does, they do again.
///
/// signal-hook leaves its handler installed for good, and without an action it would swallow the signals. So the first worker
/// adds an action that does what the system does by default, whenever no worker is there to do better.
struct Handled;

/// How many workers handle the signals now, and whether nobody does, once that action is there.
struct Handling {
    workers: usize,
    nobody: Option<Arc<AtomicBool>>,
}

static HANDLING: Mutex<Handling> = Mutex::new(Handling {
    workers: 0,
    nobody: None,
});

impl Handled {
    fn new() -> io::Result<Self> {
        let mut handling = Self::lock();
        let nobody = match &handling.nobody {
            Some(nobody) => Arc::clone(nobody),
            None => {
                let nobody = Arc::new(AtomicBool::new(false));
                for signal in [SIGTERM, SIGINT] {
                    flag::register_conditional_default(signal, Arc::clone(&nobody))?;
                }
                handling.nobody = Some(Arc::clone(&nobody));
                nobody
            }
        };
        handling.workers += 1;
        nobody.store(false, Ordering::SeqCst);
        Ok(Self)
    }

    fn lock() -> MutexGuard<'static, Handling> {
        HANDLING.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        let mut handling = Self::lock();
        handling.workers -= 1;
        if let Some(nobody) = &handling.nobody {
            nobody.store(handling.workers == 0, Ordering::SeqCst);
        }
    }
}
