//! A server on an empty database can begin with a node that the settings name.

use reqwest::header::AUTHORIZATION;
use serde_json::json;

use crate::{
    database::{Database, Kind},
    issuer::{Issuer, SigningKey, jwks, now_s},
    process::{Server, client, json as body},
};

#[tokio::test]
async fn two_servers_that_start_at_once_begin_with_one_node_and_use_it() {
    for kind in Kind::wanted() {
        let key = SigningKey::es256("a");
        let issuer = Issuer::start(jwks(&[&key])).await;
        let database = Database::make(kind).await;
        let settings = [
            ("database.url", database.url.as_str()),
            ("issuers.idp.issuer", issuer.url()),
            ("issuers.idp.domain", "idp.example.test"),
            ("issuers.idp.audiences", r#"["token-server"]"#),
            ("applications.notes.version", "\"2\""),
            (
                "applications.notes.init_node_url",
                "https://notes1.example.test",
            ),
            ("applications.notes.init_node_capacity", "1000"),
        ];
        let servers = tokio::join!(
            Server::start_beside(&settings),
            Server::start_beside(&settings)
        );
        let token = key.sign(&json!({
            "iss": issuer.url(), "sub": "user-1", "aud": "token-server", "exp": now_s() + 600,
        }));
        for server in [&servers.0, &servers.1] {
            let request = client().get(server.url("/1.0/notes/2"));
            let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            let answer = body(request.send().await.unwrap()).await;
            assert_eq!(
                answer["api_endpoint"], "https://notes1.example.test/2/1",
                "{kind:?}: {answer}"
            );
        }
        drop(servers);
        let from = "FROM nodes WHERE capacity = 1000 AND available = 99 AND current_load = 1";
        assert_eq!(database.number("COUNT(*)", from).await, 1, "{kind:?}");
        assert_eq!(database.number("COUNT(*)", "FROM nodes").await, 1);
        database.remove().await;
    }
}
