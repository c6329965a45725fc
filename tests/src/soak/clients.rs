//! The process of clients: one that stays and gives up a part of its jobs, some that come and go, and some whose connections break.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use powerhose::{Client, ExecuteError};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::resuming;
use crate::chaos::payload::checksum;
use crate::role_process::{tell, wait_for_end};
use crate::standalone_process::frontend;

/// Jobs of the client that stays, at the same time.
const LANES: usize = 16;

/// One of so many of its jobs is given up.
const GIVEN_UP_IN: u32 = 10;

/// How often a client comes that goes soon, and its jobs.
const GUEST_EVERY: Duration = Duration::from_millis(100);
const JOBS_OF_GUEST: usize = 5;

/// How often the process says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

const TIMEOUT: Duration = Duration::from_secs(60);

/// How long the jobs under way may take at the end.
const GRACE: Duration = Duration::from_secs(20);

/// What became of the jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Jobs that were begun.
    pub begun: u64,
    /// Jobs with the right result.
    pub ok: u64,
    /// Jobs with another one, or with two.
    pub wrong: u64,
    /// Jobs that were given up.
    pub given_up: u64,
    /// Jobs that failed, by the code of the error.
    pub failed: BTreeMap<String, u64>,
    /// Clients that came and went.
    pub guests: u64,
    /// Sessions resumed over another connection.
    pub resumed: u64,
    /// Sessions that could not be resumed.
    pub lost_sessions: u64,
}

/// The tally, shared by all who add to it.
#[derive(Debug, Clone, Default)]
pub(super) struct Counting(Arc<Mutex<Tally>>);

impl Counting {
    pub(super) fn count(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn line(&self) -> io::Result<String> {
        let tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(serde_json::to_string(&*tally)?)
    }
}

/// Is all clients until it is told to end. Writes a [`Tally`] every second, and at the end.
///
/// # Errors
/// Why one of them could not go on.
pub fn run(folder: &Path) -> io::Result<()> {
    let endpoint = frontend(folder);
    let over = Arc::new(AtomicBool::new(false));
    let counting = Counting::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()?;
    let resuming = {
        let (endpoint, over, counting) = (endpoint.clone(), Arc::clone(&over), counting.clone());
        thread::spawn(move || resuming::run(&endpoint, &over, &counting))
    };
    let stay = runtime.spawn(stay(endpoint.clone(), Arc::clone(&over), counting.clone()));
    let guests = runtime.spawn(receive_guests(
        endpoint,
        Arc::clone(&over),
        counting.clone(),
    ));
    let teller = {
        let (over, counting) = (Arc::clone(&over), counting.clone());
        thread::spawn(move || -> io::Result<()> {
            while !over.load(Ordering::Relaxed) {
                tell(&counting.line()?)?;
                thread::sleep(TELL_EVERY);
            }
            Ok(())
        })
    };
    wait_for_end();
    over.store(true, Ordering::Relaxed);
    runtime.block_on(async {
        stay.await??;
        guests.await?
    })?;
    for thread in [resuming, teller] {
        thread
            .join()
            .map_err(|_| io::Error::other("a thread of clients panicked"))??;
    }
    tell(&counting.line()?)
}

/// The client that stays.
async fn stay(endpoint: String, over: Arc<AtomicBool>, counting: Counting) -> io::Result<()> {
    let client = Client::connect(endpoint).map_err(io::Error::other)?;
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        let (client, over, counting) = (client.clone(), Arc::clone(&over), counting.clone());
        lanes.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let gives_up = rand::rng().random_ratio(1, GIVEN_UP_IN);
                let patience =
                    gives_up.then(|| Duration::from_micros(rand::rng().random_range(0..5_000)));
                execute(&client, patience, &counting).await;
            }
        });
    }
    lanes.join_all().await;
    client.close(GRACE).await;
    Ok(())
}

/// Clients that come, hand in some jobs and go: by turns when these are done, and at once.
async fn receive_guests(
    endpoint: String,
    over: Arc<AtomicBool>,
    counting: Counting,
) -> io::Result<()> {
    let mut is_hasty = false;
    while !over.load(Ordering::Relaxed) {
        let guest = Client::connect(&endpoint).map_err(io::Error::other)?;
        let patience = is_hasty.then_some(Duration::from_millis(2));
        for _ in 0..JOBS_OF_GUEST {
            execute(&guest, patience, &counting).await;
        }
        if is_hasty {
            drop(guest);
        } else {
            guest.close(GRACE).await;
        }
        counting.count(|tally| tally.guests += 1);
        is_hasty = !is_hasty;
        tokio::time::sleep(GUEST_EVERY).await;
    }
    Ok(())
}

async fn execute(client: &Client, patience: Option<Duration>, counting: &Counting) {
    let payload = payload();
    let right = checksum(&payload);
    counting.count(|tally| tally.begun += 1);
    let job = client.job(payload).timeout(TIMEOUT).execute();
    let result = match patience {
        None => Some(job.await),
        Some(patience) => tokio::time::timeout(patience, job).await.ok(),
    };
    counting.count(|tally| tally.add(result, &right));
}

/// Some bytes, mostly few.
pub(super) fn payload() -> Bytes {
    let mut random = rand::rng();
    let most = if random.random_ratio(1, 50) {
        20_000
    } else {
        200
    };
    let mut payload = vec![0; random.random_range(8..most)];
    random.fill(&mut payload[..8]);
    payload.into()
}

impl Tally {
    /// Adds what became of a job; `None` if it was given up.
    fn add(&mut self, result: Option<Result<Bytes, ExecuteError>>, right: &Bytes) {
        match result {
            None => self.given_up += 1,
            Some(Ok(result)) if result == right => self.ok += 1,
            Some(Ok(_)) => self.wrong += 1,
            Some(Err(error)) => *self.failed.entry(error.code().to_owned()).or_default() += 1,
        }
    }
}
