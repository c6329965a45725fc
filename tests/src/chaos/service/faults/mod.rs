//! The harm that a service does, each kind in a thread of its own. The bad workers harm by themselves, and the director kills the
//! service.

mod end_of;
mod pausing;
mod workers;

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use powerhose::master::WorkerSnapshot;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rustix::process::Pid;
use tokio::runtime::Handle;

use super::super::worker;
use super::Shared;

/// What one of the threads has.
struct Injector {
    shared: Arc<Shared>,
    runtime: Handle,
    random: StdRng,
    common: Arc<Common>,
}

/// What the threads have in common.
#[derive(Default)]
struct Common {
    /// The sessions of workers that a thread is busy with, so that the others leave them alone.
    taken: Mutex<HashSet<u64>>,
    /// Shared by those whose measurements a pause of this process would spoil, held alone during a pause.
    undisturbed: RwLock<()>,
}

/// A worker that a thread is busy with.
struct Victim {
    session: u64,
    pid: Pid,
    common: Arc<Common>,
}

type Fault = fn(Injector) -> io::Result<()>;

const FAULTS: [(&str, Fault); 4] = [
    ("killer", Injector::kill_workers),
    ("stopper", Injector::stop_workers),
    ("drainer", Injector::drain_workers),
    ("pauser", Injector::pause_service),
];

/// Starts the threads. They end when the load ends, and leave no worker stopped.
pub(super) fn start(
    shared: &Arc<Shared>,
    runtime: &Handle,
) -> io::Result<Vec<JoinHandle<io::Result<()>>>> {
    let common = Arc::default();
    let start = |(number, (name, fault)): (u64, (&str, Fault))| {
        let injector = Injector {
            shared: Arc::clone(shared),
            runtime: runtime.clone(),
            random: StdRng::seed_from_u64(shared.settings.seed.wrapping_add(number)),
            common: Arc::clone(&common),
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || fault(injector))
    };
    (0..).zip(FAULTS).map(start).collect()
}

impl Injector {
    /// Waits for a random time, in milliseconds, or until the load ends. Returns whether there still is one.
    fn wait(&mut self, milliseconds: Range<u64>) -> bool {
        let mut left = Duration::from_millis(self.random.random_range(milliseconds));
        while !left.is_zero() && !self.shared.is_over() {
            let slice = left.min(Duration::from_millis(50));
            thread::sleep(slice);
            left -= slice;
        }
        !self.shared.is_over()
    }

    fn workers(&self) -> Vec<WorkerSnapshot> {
        self.runtime.block_on(self.shared.runner.workers())
    }

    fn lists(&self, victim: &Victim) -> bool {
        (self.workers().iter()).any(|worker| worker.session == victim.session)
    }

    /// Chooses a good worker that no other thread is busy with. At least one is always left in peace.
    fn choose(&mut self) -> Option<Victim> {
        let mut candidates = self.workers();
        candidates.retain(worker::is_good);
        let mut taken = self.common.taken();
        candidates.retain(|worker| !taken.contains(&worker.session));
        if candidates.len() < 2 {
            return None;
        }
        let chosen = candidates.choose(&mut self.random)?;
        let pid = Pid::from_raw(i32::try_from(chosen.pid).ok()?)?;
        taken.insert(chosen.session);
        Some(Victim {
            session: chosen.session,
            pid,
            common: Arc::clone(&self.common),
        })
    }
}

impl Common {
    fn taken(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.common.taken().remove(&self.session);
    }
}
