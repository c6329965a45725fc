//! Two token servers whose cryptography is done by the workers of one standalone master: every one of them a process, and
//! the pool's processes are killed under load.

#[path = "../token_trade/gateway.rs"]
mod gateway;
mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tests::process::PATIENCE;
use tokio::task::JoinSet;

use self::stage::{Answer, Server, Stage};

const CLIENTS: usize = 8;

/// Clients that trade at both servers until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: JoinSet<Vec<Answer>>,
}

impl Load {
    fn start(stage: &Arc<Stage>, servers: &[&Server]) -> Self {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let (stage, url) = (
                Arc::clone(stage),
                servers[client % servers.len()].url.clone(),
            );
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            clients.spawn(async move {
                let mut answers = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    answers.push(stage.trade(&url).await);
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                answers
            });
        }
        Self {
            stop,
            answered,
            clients,
        }
    }

    /// Waits for so many further answers.
    async fn goes_on(&self, count: usize) {
        let wanted = self.answered.load(Ordering::SeqCst) + count;
        let until = Instant::now() + PATIENCE;
        while self.answered.load(Ordering::SeqCst) < wanted {
            assert!(Instant::now() < until, "the clients get no answers");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn end(self) -> Vec<Answer> {
        self.stop.store(true, Ordering::SeqCst);
        self.clients
            .join_all()
            .await
            .into_iter()
            .flatten()
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_a_pool_whose_worker_and_then_whose_master_is_killed() {
    let stage = Arc::new(Stage::set().await);
    let (frontend, backend) = (stage.frontend(), stage.backend());
    let (mut master, _) = stage.master(&frontend, &backend, &[]);
    let workers = [(); 2].map(|()| stage.worker(&backend, &[]));
    let [first, _second] = workers;
    let servers = [(); 2].map(|()| stage.server(&frontend, &[]));
    let servers = [&servers[0], &servers[1]];

    let load = Load::start(&stage, &servers);
    load.goes_on(20).await;
    stage.kill_with_jobs(first).await;
    load.goes_on(100).await;
    for answer in load.end().await {
        assert_eq!(answer.status, 200, "a worker was killed: {answer:?}");
    }

    let load = Load::start(&stage, &servers);
    load.goes_on(20).await;
    master.signal(Signal::KILL);
    master.wait();
    let until = Instant::now() + PATIENCE;
    for server in servers {
        let health = loop {
            // The database may be late once.
            let health = unhealthy(&stage, server).await;
            if health["master"] == "None" && health["database"] == "Ok" {
                break health;
            }
            assert!(Instant::now() < until, "{health}");
        };
        assert_eq!(health["workers"], "Unknown", "{health}");
        assert_eq!(stage.get(&server.url, "/__lbheartbeat__").await.status, 200);
        let metrics = stage.get(&server.url, "/metrics").await.body;
        let serving = format!("powerhose_master_serving{{master=\"{frontend}\"}} 0");
        assert!(metrics.contains(&serving), "{metrics}");
        assert!(
            metrics.contains("powerhose_masters_lost_total 1"),
            "{metrics}"
        );
    }
    let (_master, _) = stage.master(&frontend, &backend, &[]);
    for server in servers {
        stage.trades_again(&server.url).await;
        let health = stage.get(&server.url, "/__heartbeat__").await;
        assert_eq!(health.status, 200, "{health:?}");
    }
    load.goes_on(CLIENTS).await;
    let before = load.answered.load(Ordering::SeqCst);
    load.goes_on(100).await;
    let answers = load.end().await;
    assert!(answers.len() >= before + 100);
    for answer in answers {
        match answer.status {
            200 => {}
            503 => assert!(answer.retry_after.is_some(), "{answer:?}"),
            _ => panic!("the master was killed: {answer:?}"),
        }
    }
    let after = stage.trade(&servers[0].url).await;
    assert_eq!(after.status, 200, "{after:?}");
}

/// The answer of a health check once it is none that is well.
async fn unhealthy(stage: &Stage, server: &Server) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = stage.get(&server.url, "/__heartbeat__").await;
        if answer.status == 503 {
            return serde_json::from_str(&answer.body).expect("JSON");
        }
        assert!(
            Instant::now() < until,
            "it says that it is well: {answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_a_master_or_workers_says_503_and_recovers_by_itself() {
    let stage = Stage::set().await;
    let (frontend, backend) = (stage.frontend(), stage.backend());
    let mut server = stage.server(
        &frontend,
        &[
            ("http.request_timeout", "1s"),
            ("browserid.documents.timeout", "900ms"),
        ],
    );
    let warning = server.process.says("no master answers");
    assert!(warning.contains(&frontend), "{warning}");
    let answer = stage.trade(&server.url).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.retry_after.is_some(), "{answer:?}");
    assert_eq!(unhealthy(&stage, &server).await["master"], "None");

    let (_master, _) = stage.master(&frontend, &backend, &[]);
    let health = loop {
        let health = unhealthy(&stage, &server).await;
        if health["master"] == "Ok" {
            break health;
        }
    };
    assert_eq!(health["workers"], "None", "{health}");
    let answer = stage.trade(&server.url).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.retry_after.is_some(), "{answer:?}");

    let _worker = stage.worker(&backend, &[]);
    stage.trades_again(&server.url).await;
    assert_eq!(stage.get(&server.url, "/__heartbeat__").await.status, 200);
    server.process.signal(Signal::TERM);
    assert!(server.process.wait().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tcp_the_pool_and_its_servers_know_each_other_by_their_keys() {
    let stage = Stage::set().await;
    for name in ["master", "worker", "server", "stranger"] {
        stage.run("powerhose", &["keygen", name]);
    }
    std::fs::copy(stage.path("worker.public"), stage.path("workers.allow")).expect("a file");
    std::fs::copy(stage.path("server.public"), stage.path("clients.allow")).expect("a file");
    let (_master, ready) = stage.master(
        "tcp://127.0.0.1:*",
        "tcp://127.0.0.1:*",
        &[
            "--curve-secret=master.secret",
            "--allow-workers=workers.allow",
            "--allow-clients=clients.allow",
        ],
    );
    let endpoint = |name: &str| {
        let (_, rest) = ready.split_once(name).expect("a list of endpoints");
        rest.split('"').nth(1).expect("an endpoint").to_owned()
    };
    let (frontend, backend) = (endpoint("frontends="), endpoint("backends="));
    let keys = [
        "--curve-secret=worker.secret",
        "--curve-server=master.public",
    ];
    let _worker = stage.worker(&backend, &keys);
    let settings = |own| {
        [
            ("workers.curve_secret_file", own),
            ("workers.curve_server_file", "master.public"),
            ("http.request_timeout", "2s"),
            ("browserid.documents.timeout", "1s"),
        ]
    };
    let server = stage.server(&frontend, &settings("server.secret"));
    stage.trades_again(&server.url).await;

    let stranger = stage.server(&frontend, &settings("stranger.secret"));
    let answer = stage.trade(&stranger.url).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(unhealthy(&stage, &stranger).await["master"], "None");
}
