//! Two servers on one database, and one of them is killed while both are busy.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::header::AUTHORIZATION;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    database::{Database, Kind},
    issuer::{Issuer, SigningKey, jwks, now_s},
    process::{Server, add_node, client},
};

const CLIENTS: usize = 64;
const ACCOUNTS: usize = 40;
const STEPS: usize = 6;
/// It begins when the server that was killed is back.
const LAST: usize = STEPS - 1;

/// Clients share accounts, so that many of them are made and changed from two sides at once.
struct Clients {
    key: SigningKey,
    issuer: String,
    /// Where the two servers are just now.
    urls: Mutex<[String; 2]>,
    answered: AtomicUsize,
    restarted: watch::Sender<bool>,
    /// Logins that went well at the server that took the killed one's place.
    welcomed_back: AtomicUsize,
}

impl Clients {
    /// One login of an account whose keys have changed `step` times.
    async fn log_in(&self, side: usize, account: usize, step: usize) -> Option<(u16, Value)> {
        let token = self.key.sign(&json!({
            "iss": self.issuer, "sub": format!("user-{account}"), "aud": "token-server",
            "exp": now_s() + 600,
        }));
        let state = URL_SAFE_NO_PAD.encode([u8::try_from(step).unwrap(); 16]);
        let url = self.urls.lock().unwrap()[side].clone();
        let answer = client()
            .get(format!("{url}/1.0/sync/1.5"))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header("X-KeyID", format!("{}-{state}", 1000 + step))
            .send()
            .await;
        let answer = answer.ok()?;
        let status = answer.status().as_u16();
        let body = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
        self.answered.fetch_add(1, Ordering::SeqCst);
        Some((status, body))
    }

    /// All logins of one client. The uids that it saw, by account and step.
    async fn run(&self, number: usize) -> Vec<(usize, usize, i64)> {
        let mut seen = Vec::new();
        for step in 0..STEPS {
            let account = (number + step) % ACCOUNTS;
            if step == LAST {
                let mut restarted = self.restarted.subscribe();
                restarted.wait_for(|restarted| *restarted).await.unwrap();
            }
            // A killed server answers nobody; whoever gets no answer asks the other one.
            let mut side = number % 2;
            loop {
                match self.log_in(side, account, step).await {
                    Some((200, body)) => {
                        if step == LAST && side == 0 {
                            self.welcomed_back.fetch_add(1, Ordering::SeqCst);
                        }
                        seen.push((account, step, body["uid"].as_i64().unwrap()));
                        break;
                    }
                    // Another client has gone further with this account.
                    Some((401, _)) => break,
                    Some((503, _)) | None => side = 1 - side,
                    Some((status, body)) => panic!("{status} {body}"),
                }
            }
        }
        seen
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_user_is_made_twice_and_loads_add_up_though_a_server_is_killed() {
    for kind in Kind::wanted() {
        let key = SigningKey::es256("a");
        let issuer = Issuer::start(jwks(&[&key])).await;
        let database = Database::make(kind).await;
        let settings = [
            ("database.url", database.url.as_str()),
            ("issuers.idp.issuer", issuer.url()),
            ("issuers.idp.domain", "idp.example.test"),
            ("issuers.idp.audiences", r#"["token-server"]"#),
        ];
        let start = async || Server::start_beside(&settings).await;
        let directory = tempfile::tempdir().unwrap();
        add_node(directory.path(), &settings).await;
        let (first, second) = (start().await, start().await);
        let clients = Arc::new(Clients {
            key,
            issuer: issuer.url().to_owned(),
            urls: Mutex::new([first.url(""), second.url("")]),
            answered: AtomicUsize::new(0),
            restarted: watch::Sender::new(false),
            welcomed_back: AtomicUsize::new(0),
        });
        let mut running = JoinSet::new();
        for number in 0..CLIENTS {
            let clients = Arc::clone(&clients);
            running.spawn(async move { clients.run(number).await });
        }

        while clients.answered.load(Ordering::SeqCst) < CLIENTS {
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        first.running.signal(Signal::KILL);
        drop(first);
        let restarted = start().await;
        clients.urls.lock().unwrap()[0] = restarted.url("");
        clients.restarted.send_replace(true);

        let mut uids = BTreeMap::new();
        for (account, step, uid) in running.join_all().await.into_iter().flatten() {
            let known = *uids.entry((account, step)).or_insert(uid);
            assert_eq!(
                known, uid,
                "{kind:?}: account {account} has two records of step {step}"
            );
        }
        let welcomed_back = clients.welcomed_back.load(Ordering::SeqCst);
        assert!(welcomed_back > 0, "{kind:?}: the restarted server is idle");
        for account in 0..ACCOUNTS {
            let last = uids.contains_key(&(account, LAST));
            assert!(last, "{kind:?}: account {account} has stopped half-way");
        }
        let accounts = database.number("COUNT(DISTINCT email)", "FROM users").await;
        assert_eq!(accounts, i64::try_from(ACCOUNTS).unwrap(), "{kind:?}");
        let last = format!(
            "FROM users WHERE replaced_at IS NULL AND keys_changed_at = {}",
            1000 + LAST
        );
        assert_eq!(
            database.number("COUNT(*)", &last).await,
            accounts,
            "{kind:?}: the records in use are those of the last step"
        );
        let replaced = "FROM users WHERE replaced_at IS NOT NULL";
        let replaced = database.number("COUNT(*)", replaced).await;
        assert!(replaced > 0, "{kind:?}: no record was replaced");
        let in_use = "FROM users WHERE replaced_at IS NULL";
        assert_eq!(
            database.number("COUNT(*)", in_use).await,
            accounts,
            "{kind:?}"
        );
        let states = "FROM (SELECT DISTINCT email, client_state FROM users) AS states";
        assert_eq!(
            database.number("COUNT(*)", states).await,
            database.number("COUNT(*)", "FROM users").await,
            "{kind:?}: a change was made twice"
        );
        let load = database.number("SUM(current_load)", "FROM nodes").await;
        assert_eq!(load, accounts, "{kind:?}");
        let places = database.number("SUM(available)", "FROM nodes").await;
        assert_eq!(places, 100_000 - accounts, "{kind:?}");
        drop((restarted, second));
        database.remove().await;
    }
}
