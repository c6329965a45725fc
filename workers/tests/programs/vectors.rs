//! What the old servers made, read and checked, by real worker processes.

use std::env;
use std::process::Command;

use crypto_jobs::{
    BROWSERID_VERIFY, IssueReply, IssueRequest, IssuedToken, IssuerFinding, Metrics, Payload,
    PublicKey, Rejection, Secret, SignatureAlgorithm, SyncClaims, TOKEN_ISSUE, TokenFormat,
    TokenSecret, VerifyReply, VerifyRequest,
};
use powerhose::{Job, JobRunner, Worker};
use serde::Deserialize;
use serde_json::Value;
use workers::crypto::hkdf;
use workers::crypto::tokenlib::{self, TokenError};

use crate::assertions::{Assertions, load};
use crate::{CRYPTO, Program, master};

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn verify(runner: &JobRunner, request: &VerifyRequest) -> VerifyReply {
    let job = runner.job(crypto_jobs::encode(request));
    let reply = job.service(BROWSERID_VERIFY).execute_blocking().unwrap();
    crypto_jobs::decode(&reply).unwrap()
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

    let tokenlib: Value = load("tokenlib.json");
    let tokens = list(&tokenlib["tokens"]);
    assert_eq!(tokens.len(), 20);
    for token in tokens {
        let payload = Payload::Json(text(&token["payload_utf8"]));
        let issued = issue(&runner, fixed(&token["master_secret"]), payload, None);
        assert_eq!(issued.token, token["token"], "{}", token["id"]);
        assert_eq!(issued.key, Some(text(&token["derived_secret"])));
    }

    let misc: Value = load("misc.json");
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

#[test]
fn good_assertions_say_what_the_peers_read() {
    let (_directory, runner, endpoint) = master();
    let _crypto = Program::start(CRYPTO, &["--connect", &endpoint]);
    let vectors = Assertions::load();
    let mut verified = 0;
    for case in vectors.accepted() {
        let reply = verify(&runner, &vectors.request(case).unwrap());
        case.assert_read(&reply.unwrap_or_else(|error| panic!("{}: {error}", case.id)));
        verified += 1;
    }
    assert_eq!(verified, 46);
}

#[test]
fn assertions_of_real_browsers_verify_in_their_own_time() {
    let (_directory, runner, endpoint) = master();
    let _crypto = Program::start(CRYPTO, &["--connect", &endpoint]);
    let judge = |assertion: &Value, audience: &Value, now_ms: &Value, key: &Value| {
        let keys = vec![PublicKey::deserialize(key).unwrap()];
        let request = VerifyRequest {
            assertion: text(assertion),
            audience: text(audience),
            now_ms: now_ms.as_u64().unwrap(),
            algorithms: SignatureAlgorithm::DEFAULT.into(),
            issuer: IssuerFinding::Known { keys },
        };
        verify(&runner, &request)
    };
    let vectors: Value = load("browserid_static.json");
    let mut verified = 0;
    for case in list(&vectors["cases"]) {
        let (key, now_ms) = (&case["issuer_public_key"], &case["verify_now_ms"]);
        if !key.is_object() {
            continue;
        }
        let reply = judge(&case["assertion"], &case["audience"], now_ms, key);
        if case["email"].is_null() {
            assert_eq!(reply, Err(Rejection::Malformed), "{}", case["id"]);
            continue;
        }
        let reply = reply.unwrap();
        assert_eq!(case["email"], reply.email, "{}", case["id"]);
        assert_eq!(case["issuer"], reply.issuer, "{}", case["id"]);
        verified += 1;
    }
    for case in list(&vectors["jwcrypto"]["BACKED_ASSERTIONS"]) {
        let (key, now_ms) = (&case["certifyingKey"], &case["expires_at"]);
        let reply = judge(&case["assertion"], &case["audience"], now_ms, key);
        assert_eq!(case["email"], reply.unwrap().email);
        verified += 1;
    }
    assert_eq!(verified, 5);
}

/// Tells the worker below where its master is.
const CHECKER_MASTER: &str = "CHECKER_MASTER";

/// Not a test: the worker process that the next one starts. The crypto worker itself checks no token, and
/// derives keys on its way to a token only.
#[test]
#[ignore = "a worker that another test starts"]
fn checker() {
    let Ok(endpoint) = env::var(CHECKER_MASTER) else {
        return;
    };
    let checker = Worker::builder().connect(&endpoint).service("check");
    let end = checker.service("derive").handler(|job: Job| {
        let request: Value = serde_json::from_slice(job.body()).unwrap();
        let answer = match job.service() {
            "check" => check(&request),
            _ => derive(&request),
        };
        Ok(answer.to_string().into())
    });
    end.run().unwrap();
}

/// `null`, or the reason for refusing it, in the vectors' words.
fn check(vector: &Value) -> Value {
    let secret = text(&vector["master_secret"]);
    let now = vector["now"].as_u64().unwrap_or_default();
    let verdict = tokenlib::parse(&text(&vector["token"]), secret.as_bytes(), now);
    match verdict {
        Ok(_) => Value::Null,
        Err(TokenError::Malformed) => "MalformedTokenError".into(),
        Err(TokenError::InvalidSignature) => "InvalidSignatureError".into(),
        Err(TokenError::Expired) => "ExpiredTokenError".into(),
    }
}

/// The derived bytes in hexadecimal.
fn derive(vector: &Value) -> Value {
    let bytes = |name: &str| {
        let hex = vector[name].as_str()?;
        let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        Some((0..hex.len()).step_by(2).map(pair).collect::<Vec<u8>>())
    };
    let (input, info) = (bytes("ikm").unwrap(), bytes("info").unwrap());
    let length = usize::try_from(vector["L"].as_u64().unwrap()).unwrap();
    let output = hkdf::derive(&input, bytes("salt").as_deref(), &[&info], length).unwrap();
    let hex: String = output.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.into()
}

#[test]
fn tokens_are_checked_and_keys_derived_as_by_the_old_servers() {
    let (_directory, runner, endpoint) = master();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "vectors::checker"]);
    let _checker = Program::spawn(command.env(CHECKER_MASTER, &endpoint));
    let ask = |service: &str, vector: &Value| -> Value {
        let job = runner.job(vector.to_string()).service(service);
        serde_json::from_slice(&job.execute_blocking().unwrap()).unwrap()
    };

    let Value::Object(mut groups) = load::<Value>("tokenlib.json") else {
        panic!("an object of groups");
    };
    let mut take = |group: &str| groups.remove(group).unwrap();
    let tokens = take("tokens");
    assert_eq!(list(&tokens).len(), 20);
    for vector in list(&tokens) {
        assert_eq!(ask("check", vector), Value::Null, "{}", vector["id"]);
    }
    let invalid = take("invalid");
    assert_eq!(list(&invalid).len(), 7);
    for vector in list(&invalid) {
        assert_eq!(ask("check", vector), vector["error"], "{}", vector["id"]);
    }
    let derivations = take("hkdf");
    assert_eq!(list(&derivations).len(), 6);
    for vector in list(&derivations) {
        assert_eq!(ask("derive", vector), vector["okm"], "{vector}");
    }
    let mut left: Vec<_> = groups.keys().collect();
    left.sort();
    let known = ["format", "hkdf_info", "how", "set", "units"];
    assert_eq!(left, known, "nobody has looked at a group");
}
