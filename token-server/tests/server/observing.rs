//! What the server tells about itself.

use reqwest::header::AUTHORIZATION;
use serde_json::Value;

use crate::{
    gateway,
    process::{Server, client, json},
    vectors::{read, text},
};

async fn text_of(url: &str) -> String {
    let response = client().get(url).send().await.unwrap();
    assert_eq!(response.status(), 200, "{url}");
    response.text().await.unwrap()
}

#[tokio::test]
async fn the_root_tells_what_there_is() {
    let server = Server::start(&[
        ("browserid.allowed_issuers", r#"["accounts.example.test"]"#),
        ("oauth.server_url", "https://oauth.example.test/"),
        ("oauth.email_domain", "accounts.example.test"),
    ])
    .await;
    let response = client().get(server.url("/")).send().await.unwrap();
    let body: Value = json(response).await;
    assert_eq!(
        body,
        serde_json::json!({
            "auth": "https://token.example.test",
            "services": { "sync": ["1.5"] },
            "browserid": {
                "allowed_issuers": ["accounts.example.test"],
                "trusted_issuers": [],
            },
            "oauth": {
                "default_issuer": "accounts.example.test",
                "scope": "https://identity.mozilla.com/apps/oldsync",
                "server_url": "https://oauth.example.test",
            },
        })
    );
}

#[tokio::test]
async fn the_version_is_that_of_the_packaging_or_else_the_programs_own() {
    let server = Server::start(&[]).await;
    let own: Value = serde_json::from_str(&text_of(&server.url("/__version__")).await).unwrap();
    assert_eq!(own["name"], "token-server");
    assert_eq!(own["version"], env!("CARGO_PKG_VERSION"));

    let packaged = serde_json::json!({
        "source": "https://git.example.test/token-server",
        "version": "1.2.3",
        "commit": "0123456789abcdef",
        "build": "https://ci.example.test/1",
    });
    let file = server.directory.path().join("version.json");
    std::fs::write(&file, packaged.to_string()).unwrap();
    let packaged_server = Server::start(&[("http.version_file", file.to_str().unwrap())]).await;
    let told = text_of(&packaged_server.url("/__version__")).await;
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), packaged);
}

#[tokio::test]
async fn metrics_count_requests_tokens_and_jobs_and_hold_no_secret() {
    let vectors = read("browserid_assertions.json");
    let gateway = gateway::start(vectors["documents"].clone()).await;
    let server = Server::start(&[
        ("browserid.gateway", gateway.as_str()),
        ("metrics.shared", "true"),
    ])
    .await;
    let assertion = text(&vectors["cases"][0], "assertion");
    for (assertion, expected) in [(assertion, 200), ("junk~junk", 401), ("junk~junk", 401)] {
        let response = client()
            .get(server.url("/1.0/sync/1.5"))
            .header(AUTHORIZATION, format!("BrowserID {assertion}"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), expected);
    }
    let metrics = text_of(&server.url("/metrics")).await;
    for line in [
        r#"token_server_requests_total{route="/1.0/{application}/{version}",status="200"} 1"#,
        r#"token_server_requests_total{route="/1.0/{application}/{version}",status="401"} 2"#,
        r#"token_server_failures_total{reason="malformed"} 2"#,
        r#"token_server_tokens_total{application="sync"} 1"#,
        r#"powerhose_jobs_total{event="completed"} 2"#,
        r#"powerhose_service_completed_total{service="token-issue"} 1"#,
        "powerhose_workers 2",
    ] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
    assert!(!metrics.contains("junk") && !metrics.contains(&assertion[..40]));
}

#[tokio::test]
async fn metrics_can_have_a_listener_of_their_own() {
    let server = Server::start(&[("metrics.listen", "127.0.0.1:0")]).await;
    let metrics_url = text(&server.running.ready, "metrics");
    let response = client().get(server.url("/metrics")).send().await.unwrap();
    assert_eq!(response.status(), 404);
    let response = client().get(format!("{metrics_url}/__heartbeat__")).send();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(
        response.headers().contains_key("x-request-id"),
        "as everywhere"
    );
    let metrics = text_of(&format!("{metrics_url}/metrics")).await;
    assert!(metrics.contains(r#"token_server_failures_total{reason="not-found"} 2"#));
}

#[tokio::test]
async fn only_trusted_proxies_are_believed_about_the_servers_address() {
    // Nothing else tells it.
    let issuer = [
        ("issuers.idp.issuer", "https://idp.example.test"),
        ("issuers.idp.audiences", r#"["token-server"]"#),
    ];
    let auth = async |server: &Server| {
        let response = client()
            .get(server.url("/"))
            .header(
                "Forwarded",
                "for=203.0.113.7;proto=https;host=token.public.test",
            )
            .send()
            .await
            .unwrap();
        json(response).await["auth"].clone()
    };
    let server = Server::start_without_browserid(&issuer).await;
    assert_eq!(auth(&server).await, server.running.url());
    let mut trusting = issuer.to_vec();
    trusting.push(("http.trusted_proxies", r#"["127.0.0.1/32"]"#));
    let server = Server::start_without_browserid(&trusting).await;
    assert_eq!(auth(&server).await, "https://token.public.test");
}
