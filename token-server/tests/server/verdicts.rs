//! Assertions, good and bad, made and judged by other people's programs.

use std::collections::BTreeMap;

use reqwest::{Client, RequestBuilder, header::AUTHORIZATION};
use serde_json::{Map, Value};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    gateway,
    process::{Server, WITHIN_A_SECOND, answered, client, database, json, warm_up},
    vectors::{list, read, text},
};

#[tokio::test]
async fn assertions_get_the_answers_of_the_vectors() {
    let vectors = read("browserid_assertions.json");
    let gateway = gateway::start(vectors["documents"].clone()).await;
    let mut judged = 0;
    for (settings, cases) in by_settings(&vectors) {
        let mut assignments = vec![
            ("browserid.gateway", gateway.as_str()),
            ("browserid.audience", settings.audience.as_str()),
            // Old keys too, so that every case is judged by its signatures.
            (
                "browserid.algorithms",
                r#"["RS64", "RS128", "RS256", "DS128", "DS256"]"#,
            ),
            ("browserid.trusted_issuers", settings.trusted.as_str()),
        ];
        assignments.extend(WITHIN_A_SECOND);
        if let Some(allowed) = &settings.allowed {
            assignments.push(("browserid.allowed_issuers", allowed));
        }
        let mut court = Court::open(&assignments, cases[0]).await;
        for case in cases {
            let (status, body) = court.judge(case).await;
            check(case, status, &body);
            judged += 1;
        }
    }
    assert!(judged >= 100, "only {judged} cases were judged");
}

#[tokio::test]
async fn rsa_keys_below_2048_bits_are_refused_where_no_setting_names_them() {
    let vectors = read("browserid_assertions.json");
    let gateway = gateway::start(vectors["documents"].clone()).await;
    let all = vectors["cases"].as_array().unwrap().iter();
    let cases: Vec<&Value> = all
        .filter(|case| text(case, "id").starts_with("valid-perm-"))
        .collect();
    let mut assignments = vec![
        ("browserid.gateway", gateway.as_str()),
        ("browserid.audience", text(cases[0], "expected_audience")),
    ];
    assignments.extend(WITHIN_A_SECOND);
    let mut court = Court::open(&assignments, cases[0]).await;
    let (mut accepted, mut refused) = (0, 0);
    for case in cases {
        let (status, body) = court.judge(case).await;
        let id = text(case, "id");
        if id.contains("rs64") || id.contains("rs128") {
            assert_eq!(status, 401, "{id}: {body}");
            assert_eq!(body["status"], "invalid-credentials", "{id}");
            refused += 1;
        } else {
            assert_eq!(status, 200, "{id}: {body}");
            accepted += 1;
        }
    }
    assert_eq!((accepted, refused), (9, 16));
}

#[tokio::test]
async fn assertions_that_real_browsers_made_long_ago_are_refused() {
    let vectors = read("browserid_static.json");
    let backed = vectors["jwcrypto"]["BACKED_ASSERTIONS"].as_array().unwrap();
    let cases = vectors["cases"].as_array().unwrap().iter().chain(backed);
    let gateway = gateway::start(Value::Object(Map::new())).await;
    let mut judged = 0;
    for case in cases {
        let audience = case["audience"].as_str().unwrap_or_default();
        let audience = if audience.starts_with("http") {
            audience
        } else {
            "https://token.example.test"
        };
        let mut assignments = vec![
            ("browserid.gateway", gateway.as_str()),
            ("browserid.audience", audience),
        ];
        assignments.extend(WITHIN_A_SECOND);
        let server = Server::start(&assignments).await;
        let request = client().get(server.url("/1.0/sync/1.5"));
        let request = request.header(
            AUTHORIZATION,
            format!("BrowserID {}", text(case, "assertion")),
        );
        warm_up(request.try_clone().unwrap()).await;
        let response = answered(request).await;
        let status = response.status().as_u16();
        let body: Value = json(response).await;
        assert_eq!(status, 401, "{case}: {body}");
        assert!(body["status"].is_string(), "{body}");
        judged += 1;
    }
    assert_eq!(judged, 7);
}

/// A server before which every case comes as if it were the first.
struct Court {
    server: Server,
    users: SqliteConnection,
    client: Client,
}

impl Court {
    async fn open(assignments: &[(&str, &str)], first: &Value) -> Self {
        let server = Server::start(assignments).await;
        let options = SqliteConnectOptions::new().filename(database(server.directory.path()));
        let users = SqliteConnection::connect_with(&options).await.unwrap();
        let court = Self {
            server,
            users,
            client: client(),
        };
        warm_up(court.show(first)).await;
        court
    }

    fn show(&self, case: &Value) -> RequestBuilder {
        let request = self.client.get(self.server.url("/1.0/sync/1.5"));
        let assertion = text(case, "assertion");
        request.header(AUTHORIZATION, format!("BrowserID {assertion}"))
    }

    async fn judge(&mut self, case: &Value) -> (u16, Value) {
        // All cases are about one account, whose past must not matter.
        sqlx::raw_sql("DELETE FROM users")
            .execute(&mut self.users)
            .await
            .unwrap();
        let response = answered(self.show(case)).await;
        (response.status().as_u16(), json(response).await)
    }
}

fn check(case: &Value, status: u16, body: &Value) {
    let what = format!(
        "{} ({}): {status} {body}",
        text(case, "id"),
        text(case, "why")
    );
    match &case["expect_http"] {
        // Old implementations differ, so nobody relies on being let in.
        Value::Null => {
            assert_eq!(case["expect"], "either", "{what}");
            assert_eq!(status, 401, "{what}");
        }
        expected => {
            assert_eq!(expected["status"], status, "{what}");
            if let Some(text) = expected["status_string"].as_str() {
                assert_eq!(body["status"], text, "{what}");
            }
        }
    }
}

/// What a server needs to be set to for a case.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct CaseSettings {
    audience: String,
    trusted: String,
    allowed: Option<String>,
}

fn by_settings(vectors: &Value) -> BTreeMap<CaseSettings, Vec<&Value>> {
    let mut groups: BTreeMap<CaseSettings, Vec<&Value>> = BTreeMap::new();
    for case in vectors["cases"].as_array().unwrap() {
        assert!(case["now_ms"].is_null(), "a server has one clock");
        let settings = CaseSettings {
            audience: text(case, "expected_audience").to_owned(),
            trusted: list(&case["trusted_issuers"]),
            allowed: case["allowed_issuers"]
                .is_array()
                .then(|| list(&case["allowed_issuers"])),
        };
        groups.entry(settings).or_default().push(case);
    }
    groups
}
