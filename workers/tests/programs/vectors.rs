//! Tokens and hashes as the old servers made them, by a real worker process.

use std::fs;
use std::path::Path;

use crypto_jobs::{
    IssueReply, IssueRequest, IssuedToken, Metrics, Payload, Secret, SyncClaims, TOKEN_ISSUE,
    TokenFormat, TokenSecret,
};
use powerhose::JobRunner;
use serde_json::Value;

use crate::{CRYPTO, Program, master};

fn load(name: &str) -> Value {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let text = fs::read_to_string(directory.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn issue(
    runner: &JobRunner,
    secret: TokenSecret,
    payload: Payload,
    metrics: Option<Metrics>,
) -> IssuedToken {
    let request = IssueRequest {
        format: TokenFormat::Tokenlib { secret, payload },
        metrics,
    };
    let job = runner
        .job(crypto_jobs::encode(&request))
        .service(TOKEN_ISSUE);
    let reply = job.execute_blocking().unwrap();
    crypto_jobs::decode::<IssueReply>(&reply).unwrap().unwrap()
}

#[test]
fn tokens_hashes_and_node_secrets_are_the_old_servers() {
    let (_directory, runner, endpoint) = master();
    let _crypto = Program::start(CRYPTO, &["--connect", &endpoint]);
    let fixed = |secret: &Value| TokenSecret::Fixed(Secret::from(text(secret)));

    let tokenlib = load("tokenlib.json");
    let tokens = list(&tokenlib["tokens"]);
    assert_eq!(tokens.len(), 20);
    for token in tokens {
        let payload = Payload::Json(text(&token["payload_utf8"]));
        let issued = issue(&runner, fixed(&token["master_secret"]), payload, None);
        assert_eq!(issued.token, token["token"], "{}", token["id"]);
        assert_eq!(issued.key, Some(text(&token["derived_secret"])));
    }

    let misc = load("misc.json");
    let hashes = list(&misc["metrics_hash"]);
    assert_eq!(hashes.len(), 6);
    for case in hashes {
        let claims = SyncClaims {
            uid: 7,
            node: "https://node.example.test".into(),
            expires: 1_900_000_000,
            fxa_uid: text(&case["fxa_uid"]),
            fxa_kid: "0000000001234-qqo".into(),
            tokenserver_origin: None,
            salt: "a1b2c3".into(),
        };
        let metrics = Metrics {
            secret: Secret::from(text(&case["secret"])),
            fxa_uid: text(&case["fxa_uid"]),
            device_id: case["device_id"].as_str().map(Into::into),
        };
        let secret = TokenSecret::Fixed(Secret::from("s"));
        let issued = issue(&runner, secret, Payload::Sync(claims), Some(metrics));
        let hash = |name: &str| case[name].as_str().map(Into::into);
        assert_eq!(issued.hashed_fxa_uid, hash("hashed_fxa_uid"));
        assert_eq!(issued.hashed_device_id, hash("hashed_device_id"));
    }

    let nodes = list(&misc["derived_node_secrets"]["cases"]);
    assert_eq!(nodes.len(), 4);
    for case in nodes {
        let payload = || Payload::Json(r#"{"salt": "a1b2c3", "expires": 1900000000}"#.into());
        let derived = TokenSecret::PerNode {
            master: Secret::from(text(&case["master_secret"])),
            node: text(&case["node"]),
        };
        let derived = issue(&runner, derived, payload(), None);
        let expected = issue(&runner, fixed(&case["node_secret"]), payload(), None);
        assert_eq!(derived.token, expected.token, "{}", case["node"]);
        assert_eq!(derived.key, expected.key, "{}", case["node"]);
    }
}
