//! A whole master whose handler of keys dies.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::security::{AllowList, CurveClient, CurveServer, KeyPair};
use crate::{
    Client, ExecuteError, Exit, Inquiry, Report, StandaloneMaster, Started, Stopper, Worker,
    WorkerBuilder,
};

const TCP: &str = "tcp://127.0.0.1:*";

/// How long anything may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long peers that are refused try.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// What the process logs: threads of the library have no log of their own.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> Self {
        let log = Self::default();
        let subscriber = (tracing_subscriber::fmt().with_ansi(false)).with_writer(log.clone());
        tracing::subscriber::set_global_default(subscriber.finish()).expect("the only one");
        log
    }

    /// The lines of a handler, or about its end. Other tests log in the same process.
    fn lines(&self) -> Vec<String> {
        let log = self.0.lock().expect("no panic");
        let log = String::from_utf8_lossy(&log).into_owned();
        (log.lines())
            .filter(|line| line.contains("driver::zap") || line.contains("restarted"))
            .map(str::to_owned)
            .collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A master over tcp whose handler dies when it is asked about an operator, with a worker and a client that are connected.
struct Site {
    master: StandaloneMaster,
    /// Keys of a worker and a client that are on their lists.
    listed: [CurveClient; 2],
    client: Client,
    stopper: Stopper,
    worker: Option<JoinHandle<Exit>>,
    /// Where the file system decides who may ask.
    local: String,
    _place: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        let keys = || KeyPair::generate().expect("libzmq has CURVE");
        let (server, worker, client) = (keys(), keys(), keys());
        let public = server.public();
        let curve = CurveServer::new(server)
            .workers(AllowList::keys([worker.public()]))
            .clients(AllowList::keys([client.public()]))
            .operators(AllowList::broken());
        let listed = [worker, client].map(|keys| CurveClient::new(keys, public));
        let place = tempfile::tempdir().expect("a directory");
        let local = format!("ipc://{}/operator", place.path().display());
        let master = StandaloneMaster::builder()
            .frontend(TCP)
            .backend(TCP)
            .operator(&local)
            .operator(TCP)
            .curve(curve)
            .start()
            .expect("it listens");
        let worker = worker_of(&master, &listed[0])
            .reconnect_limit(PATIENCE)
            .build()
            .expect("a worker");
        let site = Self {
            client: client_of(&master, &listed[1]),
            master,
            listed,
            stopper: worker.stopper(),
            worker: Some(thread::spawn(|| worker.run().expect("it runs"))),
            local,
            _place: place,
        };
        site.serves();
        site
    }

    /// Those who are connected are served.
    fn serves(&self) {
        let job = self.client.job("hello").timeout(PATIENCE);
        assert_eq!(job.execute_blocking().expect("an answer"), "hello");
    }

    /// An operator connects over tcp, which the handler does not survive.
    fn kill_handler(&self) {
        let [_, tcp] = self.master.operators() else {
            panic!("two endpoints for operators");
        };
        let operator = Inquiry::new(tcp).curve(self.listed[0].clone());
        assert!(operator.ask(REFUSED_FOR).is_err());
    }

    fn report(&self) -> Report {
        let report = Inquiry::new(&self.local).ask(PATIENCE);
        report.expect("the master goes on")
    }

    fn refused(&self) -> u64 {
        self.report().counters["refused"]
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stopper.drain();
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

fn worker_of(master: &StandaloneMaster, keys: &CurveClient) -> WorkerBuilder {
    Worker::builder()
        .connect(&master.backends()[0])
        .curve(keys.clone())
        .handle_signals(false)
        .handler(|job| Ok(job.into_body()))
}

fn client_of(master: &StandaloneMaster, keys: &CurveClient) -> Client {
    let client = Client::builder().connect(&master.frontends()[0]);
    client.curve(keys.clone()).start().expect("it starts")
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    while !is_so() {
        assert!(waited < PATIENCE, "did not come to pass: {what}");
        thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

#[test]
fn nobody_new_gets_in_the_log_says_so_once_and_the_others_are_served() {
    let log = Log::start();
    let site = Site::start();
    assert!(log.lines().is_empty());
    let members = site.report().workers;

    site.kill_handler();
    until("the log says so", || !log.lines().is_empty());
    site.serves();

    // Their keys are on the lists, but nobody is there to say so.
    let refused = site.refused();
    let worker = worker_of(&site.master, &site.listed[0]).reconnect_limit(REFUSED_FOR);
    let worker = worker.build().expect("a worker");
    let worker = thread::spawn(|| worker.run().expect("it runs"));
    until("the worker gives up", || {
        assert_eq!(site.report().workers.len(), 1, "it is let in");
        worker.is_finished()
    });
    assert_eq!(worker.join().expect("no panic"), Exit::MasterLost);
    site.serves();
    let client = client_of(&site.master, &site.listed[1]);
    let job = client.job("hello").timeout(REFUSED_FOR);
    let started = Started::No;
    assert_eq!(
        job.execute_blocking(),
        Err(ExecuteError::MasterLost { started })
    );
    until("each is counted", || site.refused() >= refused + 2);
    site.serves();

    let report = site.report();
    assert_eq!((report.workers.len(), report.clients.len()), (1, 1));
    assert_eq!(report.workers[0].session, members[0].session);
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let says = ["ERROR", "has died", "until the master is restarted"];
    assert!(says.iter().all(|what| lines[0].contains(what)), "{lines:?}");
}
