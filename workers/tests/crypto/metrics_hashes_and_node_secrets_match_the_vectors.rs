use crypto_jobs::{IssueRefusal, IssueRequest, Metrics, Payload, Secret, TokenFormat, TokenSecret};
use serde_json::Value;
use workers::crypto::{metrics, node_secret};

use crate::{issue, vectors::load};

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn hashes_are_the_old_servers() {
    let vectors: Value = load("misc.json");
    let cases = vectors["metrics_hash"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let hashes = metrics::hash(&Metrics {
            secret: Secret::from(text(&case["secret"])),
            fxa_uid: text(&case["fxa_uid"]),
            device_id: case["device_id"].as_str().map(Into::into),
        });
        assert_eq!(hashes.fxa_uid, case["hashed_fxa_uid"]);
        assert_eq!(hashes.device_id, case["hashed_device_id"]);
    }
}

#[test]
fn node_secrets_are_the_old_servers() {
    let vectors: Value = load("misc.json");
    let cases = vectors["derived_node_secrets"]["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let secret = node_secret(
            &Secret::from(text(&case["master_secret"])),
            &text(&case["node"]),
        );
        assert_eq!(
            secret.unwrap().expose(),
            text(&case["node_secret"]).as_bytes()
        );
    }
}

#[test]
fn a_token_for_a_node_is_signed_with_the_nodes_secret() {
    let vectors: Value = load("misc.json");
    let case = &vectors["derived_node_secrets"]["cases"][0];
    let payload = r#"{"uid": 7, "salt": "a1b2c3", "expires": 1900000000}"#;
    let request = |secret| IssueRequest {
        format: TokenFormat::Tokenlib {
            secret,
            payload: Payload::Json(payload.into()),
        },
        metrics: None,
    };
    let derived = issue(&request(TokenSecret::PerNode {
        master: Secret::from(text(&case["master_secret"])),
        node: text(&case["node"]),
    }));
    let fixed = issue(&request(TokenSecret::Fixed(Secret::from(text(
        &case["node_secret"],
    )))));
    let (derived, fixed) = (derived.unwrap(), fixed.unwrap());
    assert_eq!((derived.token, derived.key), (fixed.token, fixed.key));
}

#[test]
fn secrets_of_unusable_length_are_refused() {
    let secrets = [
        TokenSecret::Fixed(Secret::from("")),
        TokenSecret::PerNode {
            master: Secret::from("x"),
            node: "https://node.test".into(),
        },
        TokenSecret::PerNode {
            master: Secret::from("x".repeat(20_000)),
            node: "https://node.test".into(),
        },
    ];
    for secret in secrets {
        let payload = Payload::Json(r#"{"salt": "a1b2c3"}"#.into());
        let format = TokenFormat::Tokenlib { secret, payload };
        let refusal = issue(&IssueRequest {
            format,
            metrics: None,
        })
        .unwrap_err();
        assert_eq!(refusal, IssueRefusal::InvalidKey);
    }
}
