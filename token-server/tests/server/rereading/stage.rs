//! A server whose settings are in a file, and those who ask it meanwhile.

use std::{
    fs::{self, File},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use reqwest::header::AUTHORIZATION;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokio::task::JoinHandle;

use crate::{
    issuer::{Issuer, SigningKey, jwks, now_s},
    process::{PATIENCE, Running, add_node, client, json as body, needed, program},
    vectors::text,
};

/// A server whose settings are in a file, and an issuer whose users it serves.
pub(super) struct Stage {
    pub(super) running: Running,
    directory: TempDir,
    /// What it has told its service manager.
    notes: Receiver<String>,
    pub(super) issuer: Issuer,
    issuer_key: SigningKey,
}

impl Stage {
    /// `settings` are what the file holds beside the issuer and what has no default.
    pub(super) async fn set(settings: &str) -> Self {
        let directory = tempdir().unwrap();
        add_node(directory.path(), &[]).await;
        for secret in ["old", "new"] {
            fs::write(directory.path().join(secret), secret).unwrap();
        }
        for key in ["first.pem", "second.pem"] {
            keygen(&directory.path().join(key), "eddsa");
        }
        let issuer_key = SigningKey::eddsa("idp");
        let issuer = Issuer::start(jwks(&[&issuer_key])).await;
        write(directory.path(), issuer.url(), settings);
        let notes = read_notes(&directory.path().join("notify"));
        let mut command = program();
        let log = File::create(directory.path().join("log")).unwrap();
        command
            .current_dir(&directory)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(["--settings", "settings.toml"])
            .env("TMPDIR", directory.path())
            .env("NOTIFY_SOCKET", directory.path().join("notify"))
            .env_remove("XDG_RUNTIME_DIR")
            .stderr(log);
        let running = tokio::task::spawn_blocking(|| Running::start(command));
        Self {
            running: running.await.unwrap(),
            directory,
            notes,
            issuer,
            issuer_key,
        }
    }

    /// What it tells its service manager next.
    pub(super) fn note(&self) -> String {
        let note = self.notes.recv_timeout(PATIENCE);
        note.expect("it tells something")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// Has other settings read, and waits for what the log says of it.
    pub(super) async fn reread(&self, settings: &str, expected: &str) {
        let before = self.log().matches(expected).count();
        self.begin_rereading(settings);
        let until = Instant::now() + PATIENCE;
        while self.log().matches(expected).count() == before {
            assert!(Instant::now() < until, "no {expected:?}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Has other settings read.
    pub(super) fn begin_rereading(&self, settings: &str) {
        write(self.directory.path(), self.issuer.url(), settings);
        self.running.signal(Signal::HUP);
    }

    /// Waits for the end of the server that was told to stop.
    pub(super) fn end(self) -> (ExitStatus, String) {
        self.running.wait()
    }

    fn access_token(&self) -> String {
        self.issuer_key.sign(&json!({
            "iss": self.issuer.url(), "sub": "user-1", "aud": "token-server", "exp": now_s() + 600,
        }))
    }

    pub(super) async fn trade(&self, application: &str) -> (u16, Value) {
        trade(self.running.url(), application, &self.access_token()).await
    }

    /// The token of a trade that has to succeed.
    pub(super) async fn token(&self, application: &str) -> String {
        let (status, answer) = self.trade(application).await;
        assert_eq!(status, 200, "{answer}");
        text(&answer, "id").to_owned()
    }

    pub(super) async fn jwks(&self) -> Value {
        let url = format!("{}/.well-known/jwks.json", self.running.url());
        body(client().get(url).send().await.unwrap()).await
    }

    /// Trades without a pause until told to stop.
    pub(super) fn keep_trading(&self) -> Traffic {
        let stop = Arc::new(AtomicBool::new(false));
        let made = Arc::new(AtomicUsize::new(0));
        let (url, token) = (self.running.url().to_owned(), self.access_token());
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&made));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::SeqCst) {
                for application in ["sync/1.5", "files/1"] {
                    let (status, answer) = trade(&url, application, &token).await;
                    assert_eq!(status, 200, "{application}: {answer}");
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Traffic { stop, made, task }
    }
}

/// A service manager's socket, read as long as the process lives.
fn read_notes(path: &Path) -> Receiver<String> {
    let socket = UnixDatagram::bind(path).unwrap();
    let (sender, notes) = channel();
    thread::spawn(move || {
        let mut note = [0; 100];
        while let Ok(length) = socket.recv(&mut note) {
            let note = String::from_utf8(note[..length].to_vec()).unwrap();
            if sender.send(note).is_err() {
                return;
            }
        }
    });
    notes
}

/// Requests that never fail.
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Traffic {
    /// Waits until two more have begun and ended.
    pub(super) async fn goes_on(&self) {
        let least = self.made.load(Ordering::SeqCst) + 2;
        let until = Instant::now() + PATIENCE;
        while self.made.load(Ordering::SeqCst) < least {
            assert!(!self.task.is_finished(), "a request failed, see above");
            assert!(Instant::now() < until, "requests hang");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) async fn ends(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.expect("every request got a token");
    }
}

pub(super) async fn trade(url: &str, application: &str, token: &str) -> (u16, Value) {
    let response = client()
        .get(format!("{url}/1.0/{application}"))
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), body(response).await)
}

fn write(directory: &Path, issuer: &str, settings: &str) {
    let needed = needed(directory).into_iter();
    let fixed = needed.filter(|(key, _)| key.starts_with("database") || key.starts_with("workers"));
    let fixed: String = fixed
        .map(|(key, value)| match value.parse::<u16>() {
            Ok(number) => format!("{key} = {number}\n"),
            Err(_) => format!("{key} = '{value}'\n"),
        })
        .collect();
    let text = format!(
        "{fixed}secrets.metrics = 'metrics-secret-1'\n{settings}\n\
         [issuers.idp]\nissuer = '{issuer}'\ndomain = 'idp.example.test'\naudiences = ['token-server']\n"
    );
    fs::write(directory.join("settings.toml"), text).unwrap();
}

pub(super) fn keygen(file: &Path, algorithm: &str) {
    let mut command = program();
    command.args(["keygen", "--algorithm", algorithm]).arg(file);
    assert!(command.output().unwrap().status.success());
}
