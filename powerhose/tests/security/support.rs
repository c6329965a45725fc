use std::thread::JoinHandle;
use std::time::Duration;

use powerhose::security::{AllowList, CurveClient, CurveServer, KeyPair, PublicKey};
use powerhose::{Exit, JobRunner, Stopper, Worker, WorkerBuilder};

/// How long anything may take before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long a worker that is refused tries before it gives up.
const REFUSED_FOR: Duration = Duration::from_millis(700);

pub(crate) fn keys() -> KeyPair {
    KeyPair::generate().expect("libzmq has CURVE")
}

/// How often a master has refused a connection.
pub(crate) fn refused(runner: &JobRunner) -> u64 {
    now(runner.stats()).counters.refused
}

fn now<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("an executor").block_on(future)
}

/// A master over tcp, with one worker that is admitted.
pub(crate) struct Pool {
    pub(crate) runner: JobRunner,
    pub(crate) server: PublicKey,
    good: Option<(Stopper, JoinHandle<Exit>)>,
}

impl Pool {
    /// `clients` are the keys on the list of clients.
    pub(crate) fn start(clients: AllowList) -> Self {
        let (server, worker) = (keys(), keys());
        let public = server.public();
        let curve = CurveServer::new(server)
            .workers(AllowList::keys([worker.public()]))
            .clients(clients);
        let runner = JobRunner::builder().bind("tcp://127.0.0.1:*").curve(curve);
        let runner = runner.start().expect("it listens");
        let mut pool = Self {
            runner,
            server: public,
            good: None,
        };
        let good = pool.worker().curve(CurveClient::new(worker, public));
        let good = good.reconnect_limit(PATIENCE).build().expect("a worker");
        let stopper = good.stopper();
        let thread = std::thread::spawn(|| good.run().expect("it runs"));
        pool.good = Some((stopper, thread));
        pool.serves();
        pool
    }

    /// A worker that gives up soon.
    pub(crate) fn worker(&self) -> WorkerBuilder {
        Worker::builder()
            .connect(&self.runner.endpoints()[0])
            .handle_signals(false)
            .reconnect_limit(REFUSED_FOR)
            .handler(|job| Ok(job.into_body()))
    }

    /// The worker that is admitted does its work.
    pub(crate) fn serves(&self) {
        let job = self.runner.job("hello").timeout(PATIENCE);
        assert_eq!(job.execute_blocking().expect("an answer"), "hello");
    }

    /// A worker cannot register, is counted, and does the others no harm.
    pub(crate) fn refuses(&self, worker: WorkerBuilder) {
        let before = refused(&self.runner);
        assert_eq!(worker.run().expect("it runs"), Exit::MasterLost);
        self.serves();
        assert!(refused(&self.runner) > before, "it was not counted");
        assert_eq!(now(self.runner.workers()).len(), 1);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some((stopper, thread)) = self.good.take() {
            stopper.drain();
            let _ = thread.join();
        }
    }
}
