//! A C++ worker and CURVE, at a real `powerhose master` with keys of `powerhose keygen`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use powerhose::{Client, Report};
use rustix::process::Signal;
use tempfile::TempDir;
use tests::binaries::binary;
use tests::cpp;
use tests::process::{PATIENCE, Process};

/// Jobs that show that a pool works: enough for every worker to get some.
const JOBS: u64 = 50;

/// A master with keys, and a worker each in C++ and Rust that it admits.
struct Pool {
    folder: TempDir,
    program: PathBuf,
    master: Process,
    frontend: String,
    backend: String,
    admitted: Vec<Process>,
    client: Client,
}

impl Pool {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let place = folder.path();
        for name in [
            "master",
            "other-master",
            "cpp",
            "rust",
            "client",
            "stranger",
        ] {
            let made = Command::new(binary("powerhose"))
                .args(["keygen", name])
                .current_dir(place)
                .output()
                .expect("it runs");
            assert!(made.status.success(), "{made:?}");
        }
        let public = |name: &str| {
            let path = place.join(format!("{name}.public"));
            fs::read_to_string(path).expect("a key")
        };
        let write = |name: &str, text: String| fs::write(place.join(name), text).expect("a file");
        write("workers", public("cpp") + &public("rust"));
        write("clients", public("client"));

        let frontend = format!("ipc://{}", place.join("frontend").display());
        let mut command = Command::new(binary("powerhose"));
        command.current_dir(place).args(["master", "--log", "info"]);
        command.args(["--frontend", &frontend]);
        command.args(["--backend", "tcp://127.0.0.1:*"]);
        command.args(["--curve-secret", "master.secret"]);
        command.args(["--allow-workers", "workers", "--allow-clients", "clients"]);
        let master = Process::start(&mut command);
        let program = cpp::compile("tests/tests/cpp_curve/worker.cpp", place);
        let report = ask(&frontend).await;
        let mut pool = Self {
            program,
            master,
            backend: report.backends[0].clone(),
            admitted: Vec::new(),
            client: Client::connect(&frontend).expect("a client"),
            frontend,
            folder,
        };
        let cpp = pool.worker(&["master.public", "cpp.secret"]);
        let mut command = Command::new(binary("powerhose"));
        command.current_dir(pool.folder.path());
        command.args(["worker", "--exec", "cat", "--connect", &pool.backend]);
        command.args(["--curve-server", "master.public"]);
        command.args(["--curve-secret", "rust.secret"]);
        pool.admitted = vec![cpp, Process::start(&mut command)];
        pool.works().await;
        pool
    }

    fn place(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the C++ worker with these files of keys; it looks for a master for a second.
    fn worker(&self, keys: &[&str]) -> Process {
        let mut command = Command::new(&self.program);
        command.current_dir(self.place());
        command.env("POWERHOSE_RECONNECT_LIMIT", "1s");
        Process::start(command.arg(&self.backend).args(keys))
    }

    /// The sessions of the workers.
    async fn sessions(&self) -> BTreeSet<(u32, String)> {
        let report = ask(&self.frontend).await;
        let sessions = report.workers.into_iter();
        sessions
            .map(|worker| (worker.pid, worker.session))
            .collect()
    }

    /// The admitted workers, and nobody else, do jobs.
    async fn works(&mut self) {
        let pids: BTreeSet<u32> = self.admitted.iter().map(Process::id).collect();
        let all_there = async {
            loop {
                let sessions = self.sessions().await;
                if sessions
                    .iter()
                    .map(|(pid, _)| *pid)
                    .collect::<BTreeSet<_>>()
                    == pids
                {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, all_there).await.is_err() {
            panic!("{}\n{}", self.admitted[0].output(), self.master.output());
        }
        let jobs: Vec<_> = (0..JOBS)
            .map(|number| {
                let client = self.client.clone();
                let body = format!("job {number}");
                tokio::spawn(async move {
                    let answer = client.job(body.clone()).timeout(PATIENCE).execute().await;
                    (body, answer.expect("an answer"))
                })
            })
            .collect();
        let mut answered = [0; 2];
        let cpp = self.admitted[0].id();
        for job in jobs {
            let (body, answer) = job.await.expect("no panic");
            let whose = [format!("{body} {cpp}"), body];
            let place = whose.iter().position(|one| answer == one.as_bytes());
            answered[place.unwrap_or_else(|| panic!("{answer:?}"))] += 1;
        }
        assert!(answered.iter().all(|count| *count > 0), "{answered:?}");
    }

    /// A worker with these keys gets nowhere, says so, and does the others no harm.
    async fn refuses(&mut self, keys: &[&str]) {
        let before = (self.sessions().await, self.refused().await);
        let mut worker = self.worker(keys);
        let status = worker.wait();
        let said = worker.output();
        assert_eq!(status.code(), Some(69), "{keys:?}: {said}");
        assert!(
            said.contains("error: no master at tcp://127.0.0.1:"),
            "{said}"
        );
        assert!(said.contains("within 1000 ms"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        self.works().await;
        let after = (self.sessions().await, self.refused().await);
        assert_eq!(after.0, before.0, "{keys:?}: sessions");
        assert!(after.1 > before.1, "{keys:?} were not counted");
    }

    async fn refused(&self) -> u64 {
        ask(&self.frontend).await.counters["refused"]
    }

    fn logged(&mut self, text: &str) {
        let found = |line: &str| line.contains(text).then_some(());
        self.master.expect(text, found);
    }
}

async fn ask(frontend: &str) -> Report {
    let frontend = frontend.to_owned();
    let asked = tokio::task::spawn_blocking(move || Report::ask(&frontend, PATIENCE)).await;
    // A report is up to 100 ms old.
    tokio::time::sleep(std::time::Duration::from_millis(110)).await;
    asked.expect("no panic").expect("the master answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_keys_are_admitted() {
    let mut pool = Pool::start().await;
    // Another master's key, none at all, that of a client, and one that nobody knows.
    pool.refuses(&["other-master.public", "cpp.secret"]).await;
    pool.logged("refused connections over tcp");
    pool.refuses(&[]).await;
    for name in ["client", "stranger"] {
        pool.refuses(&["master.public", &format!("{name}.secret")])
            .await;
        let key = fs::read_to_string(pool.place().join(format!("{name}.public")));
        let key = key.expect("a key").trim().to_owned();
        pool.logged(&key);
    }

    let counters = ask(&pool.frontend).await.counters;
    for name in ["workers_lost", "workers_silent", "failed"] {
        assert_eq!(counters[name], 0, "{name}");
    }
    for worker in &mut pool.admitted {
        worker.signal(Signal::TERM);
        assert_eq!(worker.wait().code(), Some(0), "{}", worker.output());
    }
}

#[test]
fn files_that_hold_no_usable_key_are_named() {
    let folder = tempfile::tempdir().expect("a directory");
    let place = folder.path();
    let program = cpp::compile("tests/tests/cpp_curve/worker.cpp", place);
    let made = Command::new(binary("powerhose"))
        .args(["keygen", "good"])
        .current_dir(place)
        .output();
    assert!(made.expect("it runs").status.success());
    let write = |name: &str, text: &str, mode| {
        let path = place.join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
    };
    let secret = fs::read_to_string(place.join("good.secret")).expect("a key");
    write("exposed", &secret, 0o640);
    write("nonsense", "a key\n", 0o600);
    for (server, own, says) in [
        ("good.public", "exposed", "chmod 600"),
        ("good.public", "nonsense", "nonsense holds no key"),
        ("good.public", "missing", "missing cannot be read"),
        ("missing", "good.secret", "missing cannot be read"),
        ("nonsense", "good.secret", "nonsense holds no key"),
    ] {
        let output = Command::new(&program)
            .args(["tcp://127.0.0.1:9", server, own])
            .current_dir(place)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains(says), "{says}: {said}");
        assert!(
            !said.contains(secret.trim()) && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[test]
fn plaintext_does_not_leave_this_machine() {
    let folder = tempfile::tempdir().expect("a directory");
    let program = cpp::compile("tests/tests/cpp_curve/worker.cpp", folder.path());
    let output = (Command::new(program).arg("tcp://192.0.2.1:5555").output()).expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("without encryption"), "{said}");
}
