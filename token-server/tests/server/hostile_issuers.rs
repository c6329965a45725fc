//! What no provider says or publishes: it is refused, never the server's failure.

use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::{
    assertions::{Provider, published},
    hostile_clients::strange_values,
    process::{Server, client, json as body_of},
};

/// Nearly as long as a support document may be.
const LONG: usize = 60_000;

/// A host whose one key has a number that is far too long.
const GIANT: &str = "giant.example.test";

/// A host with as many keys as are looked at, and nearly as long ones as there are.
const MANY: &str = "many.example.test";

async fn provider() -> Provider {
    let with_keys = |keys: Vec<Value>| {
        published(&json!({ "authentication": "/in", "provisioning": "/cert", "keys": keys }))
    };
    let rsa = |digits: usize| json!({ "algorithm": "RS", "n": "9".repeat(digits), "e": "65537" });
    let dsa = || {
        let number = "f".repeat(640);
        json!({ "algorithm": "DS", "y": number, "p": number, "q": number, "g": number })
    };
    Provider::start_beside(json!({
        GIANT: with_keys(vec![rsa(LONG)]),
        MANY: with_keys((0..20).map(|_| dsa()).collect()),
    }))
    .await
}

async fn server(provider: &Provider) -> Server {
    Server::start(&[("browserid.gateway", provider.gateway.as_str())]).await
}

async fn show(server: &Server, assertion: &str) -> (u16, Value) {
    let response = client()
        .get(server.url("/1.0/sync/1.5"))
        .header(AUTHORIZATION, format!("BrowserID {assertion}"))
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    (status, body_of(response).await)
}

#[tokio::test]
async fn no_claim_of_a_certificate_is_the_servers_fault() {
    let provider = provider().await;
    let server = server(&provider).await;
    let claims = [
        "iss",
        "exp",
        "iat",
        "public-key",
        "principal",
        "fxa-generation",
        "fxa-keysChangedAt",
        "fxa-deviceId",
        "fxa-tokenVerified",
        "fxa-verifiedEmail",
    ];
    let mut refused = 0;
    for claim in claims {
        for (number, value) in strange_values().into_iter().enumerate() {
            let user = format!("{claim}-{number}");
            let assertion = provider.assertion(&user, &json!({ claim: value }));
            let (status, body) = show(&server, &assertion).await;
            assert!(matches!(status, 200 | 401), "{claim} {value}: {body}");
            assert_eq!(body["status"].is_string(), status != 200, "{body}");
            refused += usize::from(status == 401);
        }
    }
    assert!(refused >= 70, "only {refused} were refused");
}

#[tokio::test]
async fn no_key_of_a_host_that_a_client_names_is_the_servers_fault() {
    let provider = provider().await;
    let server = server(&provider).await;
    for host in [GIANT, MANY] {
        for padding in [0, 9_000] {
            let assertion = provider.assertion(
                "somebody",
                &json!({
                    "iss": host,
                    "principal": { "email": format!("somebody@{host}") },
                    "padding": "x".repeat(padding),
                }),
            );
            assert!(assertion.len() < 16 * 1024, "{}", assertion.len());
            let (status, body) = show(&server, &assertion).await;
            assert_eq!(status, 401, "{host}, {padding}: {body}");
            assert_eq!(body["status"], "invalid-credentials", "{host}: {body}");
        }
    }
}
