//! CURVE: whoever is not on the list of a socket is refused there, counted, logged once, and does the others no harm.

use std::fs;
use std::time::Duration;

use powerhose::security::{CurveClient, KeyPair, PublicKey};
use powerhose::{Inquiry, Report};
use rustix::process::Signal;

use crate::support::{PATIENCE, Place, Running, powerhose, run, until};

/// A master over tcp with lists of keys, and a worker that is on one.
struct Site {
    place: Place,
    master: Running,
    _worker: Running,
    frontend: String,
    operator: String,
    backend: String,
}

impl Site {
    fn start() -> Self {
        let place = Place::new();
        for name in ["master", "worker", "client", "operator", "stranger"] {
            let (code, public, _) = run(["keygen", &place.argument(name)]);
            assert_eq!(code, Some(0));
            place.write(&format!("{name}.allow"), &public);
        }
        let files = [
            "master.secret",
            "worker.allow",
            "client.allow",
            "operator.allow",
        ];
        let [secret, workers, clients, operators] = files.map(|name| place.argument(name));
        let tcp = "tcp://127.0.0.1:*";
        let local = format!("ipc://{},{tcp}", place.argument("operator"));
        let mut command = powerhose(["master", "--frontend", tcp, "--backend", tcp, "--operator"]);
        command.args([&local, "--curve-secret", &secret]);
        command.args(["--allow-workers", &workers, "--allow-clients", &clients]);
        let master = place.start(command.args(["--allow-operators", &operators]));
        let report = until("the master is ready", || report(&place));
        let [frontend, operator, backend] =
            [&report.frontends, &report.operators, &report.backends].map(|endpoints| {
                endpoints
                    .iter()
                    .find(|at| at.starts_with("tcp://"))
                    .expect("tcp")
                    .clone()
            });
        let mut worker = powerhose(place.worker_options().iter().map(String::as_str));
        worker
            .args(["--connect", &backend])
            .args(keys(&place, "worker", "master"));
        let _worker = place.start(&mut worker);
        let site = Self {
            place,
            master,
            _worker,
            frontend,
            operator,
            backend,
        };
        site.serves();
        site
    }

    /// Sends a job with these options.
    fn call(&self, timeout: &str, keys: &[String]) -> (Option<i32>, String, String) {
        let job = self.place.write("job", "hello");
        let arguments = [
            "call",
            "--frontend",
            &self.frontend,
            "--timeout",
            timeout,
            &job,
        ];
        run(arguments.into_iter().chain(keys.iter().map(String::as_str)))
    }

    /// Those who are admitted are served.
    fn serves(&self) {
        let (code, answer, stderr) = self.call("60s", &keys(&self.place, "client", "master"));
        assert_eq!((code, answer.as_str()), (Some(0), "hello"), "{stderr}");
    }

    fn refused(&self) -> u64 {
        report(&self.place).expect("a report").counters["refused"]
    }

    /// A client with these keys is refused and counted, and the log has as many lines more that say so.
    fn refuses_client(&self, keys: &[String], lines: usize) {
        let (refused, logged) = (self.refused(), self.refusals_logged().len());
        let (code, stdout, stderr) = self.call("2s", keys);
        assert_eq!((code, stdout.as_str()), (Some(69), ""), "{stderr}");
        until("it is counted", || (self.refused() > refused).then_some(()));
        assert_eq!(
            self.refusals_logged().len(),
            logged + lines,
            "{}",
            self.master.log()
        );
        self.serves();
    }

    /// The lines of the log that say that somebody was refused.
    fn refusals_logged(&self) -> Vec<String> {
        let log = self.master.log();
        let lines = log.lines().filter(|line| line.contains("refused "));
        lines.map(str::to_owned).collect()
    }
}

/// What the master says where the file system decides who may ask.
fn report(place: &Place) -> Option<Report> {
    let local = format!("ipc://{}", place.argument("operator"));
    Report::ask(&local, Duration::from_secs(1)).ok()
}

/// The options with the keys of `own` for the master `server`.
fn keys(place: &Place, own: &str, server: &str) -> Vec<String> {
    let secret = place.argument(&format!("{own}.secret"));
    let server = place.argument(&format!("{server}.public"));
    ["--curve-secret", &secret, "--curve-server", &server]
        .map(str::to_owned)
        .to_vec()
}

/// A worker and a client with these keys try again and again, and meanwhile others are served. Returns the lines that the log has about
/// them, and how many there may be if there is one in ten seconds.
fn tries_again_and_again(site: &Site, keys: &[String]) -> (Vec<String>, usize) {
    let before = site.refused();
    let mut worker = powerhose(site.place.worker_options().iter().map(String::as_str));
    let worker = worker.args(["--connect", &site.backend, "--reconnect-limit", "10m"]);
    let _worker = site.place.start(worker.args(keys));
    let (code, stdout, stderr) = site.call("2s", keys);
    assert_eq!((code, stdout.as_str()), (Some(69), ""), "{stderr}");
    until("it has been refused several times", || {
        site.serves();
        (site.refused() >= before + 5).then_some(())
    });
    let lines = site.refusals_logged();
    let report = report(&site.place).expect("a report");
    assert_eq!(report.workers.len(), 1, "{:?}", report.workers);
    let most = report.uptime_ms / 10_000 + 1;
    (lines, usize::try_from(most).expect("a few"))
}

#[test]
fn a_plaintext_peer_that_tries_again_and_again_is_logged_once() {
    let site = Site::start();
    let (lines, most) = tries_again_and_again(&site, &[]);
    assert!((1..=most).contains(&lines.len()), "{lines:?}");
    assert!(lines[0].contains("without CURVE"), "{lines:?}");
}

#[test]
fn a_peer_with_a_wrong_key_of_the_master_that_tries_again_and_again_is_logged_once() {
    let site = Site::start();
    let (lines, most) = tries_again_and_again(&site, &keys(&site.place, "client", "stranger"));
    assert!((1..=most).contains(&lines.len()), "{lines:?}");
    assert!(lines[0].contains("wrong key of this master"), "{lines:?}");
}

#[test]
fn a_key_on_no_list_that_tries_again_and_again_is_logged_once_for_each_socket() {
    let site = Site::start();
    let (lines, _) = tries_again_and_again(&site, &keys(&site.place, "stranger", "master"));
    let public = fs::read_to_string(site.place.path("stranger.public")).expect("a file");
    for socket in ["backend", "frontend"] {
        let of_it = lines
            .iter()
            .filter(|line| line.contains(public.trim()) && line.contains(socket));
        assert_eq!(of_it.count(), 1, "{lines:?}");
    }
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn keys_that_are_on_no_list_or_on_another_are_refused_and_logged_once() {
    let site = Site::start();
    for name in ["stranger", "worker", "operator"] {
        let keys = keys(&site.place, name, "master");
        site.refuses_client(&keys, 1);
        site.refuses_client(&keys, 0);
        let public =
            fs::read_to_string(site.place.path(&format!("{name}.public"))).expect("a file");
        let log = site.master.log();
        let line = log.lines().find(|line| line.contains(public.trim()));
        assert!(line.is_some_and(|line| line.contains("frontend")), "{log}");
    }
    let secrets = ["master", "worker", "client", "operator", "stranger"];
    for name in secrets {
        let secret =
            fs::read_to_string(site.place.path(&format!("{name}.secret"))).expect("a file");
        assert!(
            !site.master.log().contains(secret.trim()),
            "a secret in the log"
        );
    }
}

#[test]
fn a_clients_key_makes_no_worker() {
    let site = Site::start();
    let before = site.refused();
    for keys in [keys(&site.place, "client", "master"), Vec::new()] {
        let mut worker = powerhose(site.place.worker_options().iter().map(String::as_str));
        worker
            .args(["--connect", &site.backend, "--reconnect-limit", "2s"])
            .args(keys);
        let mut worker = site.place.start(&mut worker);
        assert_eq!(worker.wait(), Some(69), "{}", worker.log());
    }
    assert!(site.refused() >= before + 2);
    let workers = report(&site.place).expect("a report").workers;
    assert!(workers.len() <= 1, "it is registered: {workers:?}");
    site.serves();
}

#[test]
fn how_the_master_is_is_told_to_operators_alone() {
    let site = Site::start();
    let status = |endpoint: &str, own: &str| {
        let keys = keys(&site.place, own, "master");
        let arguments = [
            "status",
            "--json",
            "--timeout",
            "3s",
            "--frontend",
            endpoint,
        ];
        run(arguments.into_iter().chain(keys.iter().map(String::as_str)))
    };
    let (code, stdout, stderr) = status(&site.operator, "operator");
    assert_eq!(code, Some(0), "{stderr}");
    let told: Report = serde_json::from_str(&stdout).expect("a report");
    assert_eq!(told.pid, site.master.pid());
    for other in ["client", "worker", "stranger"] {
        let (code, _, stderr) = status(&site.operator, other);
        assert_eq!(code, Some(69), "{stderr}");
        assert!(stderr.contains("does it admit this key"), "{stderr}");
    }
    // A client is admitted at the frontend, but is not told there.
    let (code, _, stderr) = status(&site.frontend, "client");
    assert_eq!(code, Some(76), "{stderr}");
    assert!(stderr.contains("endpoint for operators"), "{stderr}");
    // Whoever holds the master's own key may ask: `--check` does.
    let secret = site.place.argument("master.secret");
    let check = [
        "master",
        "--check",
        "--operator",
        &site.operator,
        "--curve-secret",
        &secret,
    ];
    let (code, stdout, stderr) = run(check);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains(&site.master.pid().to_string()));
}

#[test]
fn the_lists_are_read_again() {
    let site = Site::start();
    let stranger = keys(&site.place, "stranger", "master");
    site.refuses_client(&stranger, 1);
    let list = |name| fs::read_to_string(site.place.path(name)).expect("a file");
    let both = list("client.allow") + &list("stranger.allow");
    site.place.write("client.allow", &both);
    site.master.signal(Signal::HUP);
    until("the list is read", || {
        let log = site.master.log();
        log.lines()
            .any(|line| line.contains("allow-clients") && line.contains("keys=2"))
            .then_some(())
    });
    assert_eq!(site.call("60s", &stranger).0, Some(0));

    site.place.write("client.allow", "nonsense\n");
    site.master.signal(Signal::HUP);
    site.master.logs("the list of keys stays as it was");
    assert!(
        site.master.log().contains("line 1 holds no key"),
        "{}",
        site.master.log()
    );
    assert_eq!(site.call("60s", &stranger).0, Some(0));
    site.serves();
}

#[test]
fn the_library_asks_with_keys_too() {
    let site = Site::start();
    let pair = KeyPair::from_file(site.place.path("operator.secret")).expect("a key");
    let server = PublicKey::from_file(site.place.path("master.public")).expect("a key");
    let inquiry = Inquiry::new(&site.operator).curve(CurveClient::new(pair, server));
    let report = inquiry.ask(PATIENCE).expect("a report");
    assert_eq!(report.pid, site.master.pid());
}
