//! What the accounts server tells about accounts, on every kind of database.

use reqwest::{RequestBuilder, header::AUTHORIZATION};
use serde_json::Value;

use crate::{
    accounts,
    database::{Database, Kind},
    process::{Server, WITHIN_A_SECOND, answered, client, warm_up},
    vectors::{read, text},
};

const RETIRED: i64 = i64::MAX;

async fn server(database: &Database, vectors: &Value, more: &[(&str, &str)]) -> Server {
    let accounts = accounts::start(vectors["jwks"].clone()).await;
    let webhook = &vectors["webhook"];
    let mut settings = vec![
        ("database.url", database.url.as_str()),
        ("oauth.server_url", &accounts),
        ("oauth.email_domain", "accounts.example.test"),
        ("oauth.events.client_id", text(webhook, "client_id")),
        ("oauth.events.issuer", text(webhook, "issuer")),
    ];
    settings.extend(WITHIN_A_SECOND);
    settings.extend(more);
    let server = Server::start(&settings).await;
    let authorization = format!("Bearer {}", text(&webhook["tokens"][0], "token"));
    warm_up(telling(&server, &authorization)).await;
    server
}

fn telling(server: &Server, authorization: &str) -> RequestBuilder {
    let request = client().post(server.url("/1.0/webhooks/fxa/events"));
    request.header(AUTHORIZATION, authorization)
}

async fn tell(server: &Server, authorization: &str) -> u16 {
    let answer = answered(telling(server, authorization)).await;
    answer.status().as_u16()
}

/// A record in use and an older one of the account that the vectors are about, and a stranger's.
async fn reset(database: &Database, vectors: &Value, generation: i64) {
    let email = format!("{}@accounts.example.test", text(vectors, "uid"));
    database
        .script(&format!(
            "DELETE FROM users;
             INSERT INTO users (service, email, generation, client_state, created_at, replaced_at, nodeid, keys_changed_at) VALUES
                 (1, '{email}', 3, 'aaaa', 5, 10, 1, 3),
                 (1, '{email}', {generation}, 'bbbb', 10, NULL, 1, 10),
                 (1, 'x{email}', 7, 'cccc', 10, NULL, 1, 7)"
        ))
        .await;
}

/// The generations of the account's older record, the one in use, and the stranger's; how many are
/// marked as replaced.
async fn state(database: &Database) -> (i64, i64, i64, i64) {
    let of = async |state: &str| {
        let from = format!("FROM users WHERE client_state = '{state}'");
        database.number("generation", &from).await
    };
    let marked = "FROM users WHERE replaced_at IS NOT NULL";
    (
        of("aaaa").await,
        of("bbbb").await,
        of("cccc").await,
        database.number("COUNT(*)", marked).await,
    )
}

#[tokio::test]
async fn event_tokens_have_the_effects_of_the_vectors() {
    let vectors = read("oauth_jwt.json");
    for kind in Kind::wanted() {
        let database = Database::make(kind).await;
        let server = server(&database, &vectors, &[]).await;
        for case in vectors["webhook"]["tokens"].as_array().unwrap() {
            let id = text(case, "id");
            reset(&database, &vectors, 20).await;
            let status = tell(&server, &format!("Bearer {}", text(case, "token"))).await;
            assert_eq!(case["expect_http"], status, "{kind:?} {id}");
            let expected = match id {
                "set-delete" | "set-two-events" => (3, RETIRED, 7, 2),
                "set-password-change" => (3, 1_899_999_999_999, 7, 1),
                _ => (3, 20, 7, 1),
            };
            assert_eq!(state(&database).await, expected, "{kind:?} {id}");
        }
        assert_eq!(tell(&server, "Bearer a.b.c").await, 401);
        assert_eq!(tell(&server, "Basic dXNlcjpwYXNz").await, 401);
        database.remove().await;
    }
}

#[tokio::test]
async fn events_change_nothing_where_they_are_only_counted_and_are_not_taken_unless_set_up() {
    let vectors = read("oauth_jwt.json");
    let delete = &vectors["webhook"]["tokens"][0];
    let authorization = format!("Bearer {}", text(delete, "token"));
    let database = Database::make(Kind::Sqlite).await;
    let counting = server(
        &database,
        &vectors,
        &[("oauth.events.metrics_only", "true")],
    )
    .await;
    reset(&database, &vectors, 20).await;
    assert_eq!(tell(&counting, &authorization).await, 200);
    assert_eq!(state(&database).await, (3, 20, 7, 1));

    let without = Server::start(&[]).await;
    assert_eq!(tell(&without, &authorization).await, 404);
    database.remove().await;
}
