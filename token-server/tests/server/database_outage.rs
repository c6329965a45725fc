//! What clients see while the database refuses, says nothing, or is locked, and afterwards.

use std::time::Instant;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{RequestBuilder, Response, header::AUTHORIZATION};
use serde_json::json;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::task::JoinSet;

use crate::{
    database::{Database, Kind},
    issuer::{Issuer, SigningKey, jwks, now_s},
    process::{PATIENCE, Server, add_node, client, json},
    relay::{Mode, Relay},
};

/// More than the pool has connections.
const CLIENTS: usize = 12;

/// Long enough for a loaded machine to answer, short enough to wait for again and again.
const REQUEST_TIMEOUT: &str = "3s";

struct Stage {
    key: SigningKey,
    issuer: Issuer,
}

impl Stage {
    async fn set() -> Self {
        let key = SigningKey::es256("a");
        let issuer = Issuer::start(jwks(&[&key])).await;
        Self { key, issuer }
    }

    /// A server on the database at `url`, whose tables are made at `direct`.
    async fn server(&self, direct: &str, url: &str) -> Server {
        let directory = tempfile::tempdir().unwrap();
        add_node(directory.path(), &[("database.url", direct)]).await;
        let settings = [
            ("database.url", url),
            ("database.busy_timeout", "500ms"),
            ("database.connection_timeout", "2s"),
            ("http.request_timeout", REQUEST_TIMEOUT),
            ("browserid.documents.timeout", "2s"),
            ("issuers.idp.issuer", self.issuer.url()),
            ("issuers.idp.domain", "idp.example.test"),
            ("issuers.idp.audiences", r#"["token-server"]"#),
        ];
        Server::start_beside(&settings).await
    }

    /// A login of an account that has said nothing new.
    fn request(&self, server: &Server, account: usize) -> RequestBuilder {
        let token = self.key.sign(&json!({
            "iss": self.issuer.url(), "sub": format!("user-{account}"), "aud": "token-server",
            "exp": now_s() + 600,
        }));
        let state = URL_SAFE_NO_PAD.encode([0; 16]);
        client()
            .get(server.url("/1.0/sync/1.5"))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header("X-KeyID", format!("1000-{state}"))
    }

    async fn trade(&self, server: &Server, account: usize) -> Response {
        self.request(server, account).send().await.unwrap()
    }

    /// Many accounts at once.
    async fn trades(&self, server: &Server) -> Vec<Response> {
        let requests = (0..CLIENTS).map(|account| self.request(server, account).send());
        let answers = requests.collect::<JoinSet<_>>().join_all().await;
        answers.into_iter().map(Result::unwrap).collect()
    }

    /// Everybody gets a token again, once somebody has got one.
    async fn recovers(&self, server: &Server, what: &str) {
        let until = Instant::now() + PATIENCE;
        while self.trade(server, 0).await.status() != 200 {
            assert!(Instant::now() < until, "{what}: it does not recover");
        }
        for answer in self.trades(server).await {
            assert_eq!(answer.status(), 200, "{what}");
        }
        assert_eq!(get(server, "/__heartbeat__").await.status(), 200, "{what}");
    }
}

fn assert_come_back(answer: &Response, what: &str) {
    assert_eq!(answer.status(), 503, "{what}");
    let seconds = answer.headers()["retry-after"].to_str().unwrap();
    assert!(seconds.parse::<u64>().unwrap() >= 1, "{what}");
}

async fn get(server: &Server, path: &str) -> Response {
    client().get(server.url(path)).send().await.unwrap()
}

/// The process lives, and says what is the matter.
async fn assert_unhealthy(server: &Server, what: &str) {
    let answer = get(server, "/__heartbeat__").await;
    assert_come_back(&answer, what);
    assert_eq!(json(answer).await["database"], "Unknown", "{what}");
    let alive = get(server, "/__lbheartbeat__").await;
    assert_eq!(alive.status(), 200, "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_refuses_or_says_nothing_costs_503s_and_no_restart() {
    for kind in Kind::wanted() {
        if kind == Kind::Sqlite {
            // A file neither refuses nor falls silent; it can be locked.
            continue;
        }
        let stage = Stage::set().await;
        let database = Database::make(kind).await;
        let relay = Relay::to(&database.url).await;
        let server = stage.server(&database.url, &relay.url(&database.url)).await;
        stage.recovers(&server, "at the start").await;
        // Twice, for the second time finds what the first has left.
        for mode in [Mode::Refusing, Mode::Silent, Mode::Silent, Mode::Refusing] {
            let what = format!("{kind:?} {mode:?}");
            relay.set(mode);
            for answer in stage.trades(&server).await {
                assert_come_back(&answer, &what);
            }
            assert_unhealthy(&server, &what).await;
            relay.set(Mode::Open);
            stage.recovers(&server, &what).await;
        }
        drop(server);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_file_costs_503s_for_those_who_write_and_nothing_afterwards() {
    let stage = Stage::set().await;
    let database = Database::make(Kind::Sqlite).await;
    let server = stage.server(&database.url, &database.url).await;
    assert_eq!(stage.trade(&server, 0).await.status(), 200);

    let file = SqliteConnectOptions::new().filename(database.directory().join("users.db"));
    let mut other = SqliteConnection::connect_with(&file).await.unwrap();
    let lock = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other);
    lock.await.unwrap();
    for answer in stage.trades(&server).await {
        // The first account is known, and only read.
        if answer.status() != 200 {
            assert_come_back(&answer, "locked");
        }
    }
    assert_come_back(&stage.trade(&server, CLIENTS).await, "locked");
    assert_eq!(stage.trade(&server, 0).await.status(), 200, "it is known");
    assert_eq!(get(&server, "/__heartbeat__").await.status(), 200);

    let unlock = sqlx::raw_sql("ROLLBACK").execute(&mut other);
    unlock.await.unwrap();
    stage.recovers(&server, "unlocked").await;
}
