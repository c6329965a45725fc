//! Jobs for crypto workers: those of the vectors, and odd ones.

use crypto_jobs::{
    BROWSERID_VERIFY, IssueRequest, IssuerFinding, Metrics, Payload, PublicKey, Secret,
    SignatureAlgorithm, SyncClaims, TOKEN_ISSUE, TokenFormat, TokenSecret, VerifyRequest, encode,
    peek,
};
use serde_json::{Value, json};
use tests::paths;

/// Some time in 2027; cases without a clock of their own hold from 2026 to 2099.
const NOW_MS: u64 = 1_800_000_000_000;

pub(crate) fn vectors(name: &str) -> Value {
    let path = paths::repository().join("tests/vectors").join(name);
    let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
    serde_json::from_str(&text).expect("the vectors are JSON")
}

pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

pub(crate) fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn key(value: &Value) -> PublicKey {
    serde_json::from_value(value.clone()).expect("a key")
}

fn known(key: PublicKey) -> IssuerFinding {
    IssuerFinding::Known { keys: vec![key] }
}

/// A job, and what its name says in a failure.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) service: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Case {
    fn verify(name: impl Into<String>, request: &VerifyRequest) -> Self {
        let (name, body) = (name.into(), encode(request));
        let service = BROWSERID_VERIFY;
        Self {
            name,
            service,
            body,
        }
    }

    fn issue(name: impl Into<String>, format: TokenFormat, metrics: Option<Metrics>) -> Self {
        let body = encode(&IssueRequest { format, metrics });
        let (name, service) = (name.into(), TOKEN_ISSUE);
        Self {
            name,
            service,
            body,
        }
    }
}

fn tokenlib(secret: TokenSecret, payload: Payload) -> TokenFormat {
    TokenFormat::Tokenlib { secret, payload }
}

fn fixed(secret: &str) -> TokenSecret {
    TokenSecret::Fixed(Secret::from(secret))
}

/// Every assertion of the vectors, with what a web tier would find out of its issuer as far as the document at the issuer's own
/// host tells, with all algorithms and with those that a server accepts by default.
pub(crate) fn assertions() -> Vec<Case> {
    let vectors = vectors("browserid_assertions.json");
    let mut cases = Vec::new();
    for case in list(&vectors["cases"]) {
        let assertion = text(&case["assertion"]);
        let audience = text(&case["expected_audience"]);
        let now_ms = case["now_ms"].as_u64().unwrap_or(NOW_MS);
        let issuer = match peek(&assertion, [audience.as_str()], now_ms) {
            Ok(peek) => {
                let document = &vectors["documents"][&peek.issuer]["body"]["public-key"];
                let key = serde_json::from_value(document.clone());
                key.map_or(IssuerFinding::Unusable, known)
            }
            // Such an assertion never gets to a worker; it has to refuse it all the same.
            Err(_) => IssuerFinding::Unavailable,
        };
        for algorithms in [&SignatureAlgorithm::ALL[..], &SignatureAlgorithm::DEFAULT] {
            let request = VerifyRequest {
                assertion: assertion.clone(),
                audience: audience.clone(),
                now_ms,
                algorithms: algorithms.into(),
                issuer: issuer.clone(),
            };
            let name = format!("{} {algorithms:?}", text(&case["id"]));
            cases.push(Case::verify(name, &request));
        }
    }
    let real = self::vectors("browserid_static.json");
    for case in list(&real["cases"]) {
        let Some(now_ms) = case["verify_now_ms"].as_u64() else {
            continue;
        };
        let request = VerifyRequest {
            assertion: text(&case["assertion"]),
            audience: text(&case["audience"]),
            now_ms,
            algorithms: SignatureAlgorithm::DEFAULT.into(),
            issuer: known(key(&case["issuer_public_key"])),
        };
        cases.push(Case::verify(text(&case["id"]), &request));
    }
    cases
}

/// Hostile keys, numbers at their edges and odd claims, over an assertion that is good otherwise.
pub(crate) fn odd_requests() -> Vec<Case> {
    let vectors = vectors("browserid_assertions.json");
    let case = |id: &str| {
        let found = list(&vectors["cases"]).iter().find(|case| case["id"] == id);
        found.unwrap_or_else(|| panic!("no case {id}"))
    };
    let good = case("valid-perm-rs256-ds128");
    let request = |issuer| VerifyRequest {
        assertion: text(&good["assertion"]),
        audience: text(&good["expected_audience"]),
        now_ms: NOW_MS,
        algorithms: SignatureAlgorithm::ALL.into(),
        issuer,
    };
    let rsa = |n: &str, e: &str| PublicKey::Rsa {
        n: n.into(),
        e: e.into(),
    };
    let right = key(&vectors["keys"]["issuer"]["RS256"]);
    let PublicKey::Rsa { n, .. } = right.clone() else {
        panic!("no RSA key");
    };
    let mut cases: Vec<Case> = [
        ("untrusted", IssuerFinding::Untrusted),
        ("unusable", IssuerFinding::Unusable),
        ("unavailable", IssuerFinding::Unavailable),
        ("no keys", IssuerFinding::Known { keys: vec![] }),
        ("a sign", known(rsa(&format!("+{n}"), "65537"))),
        ("an even exponent", known(rsa(&n, "65536"))),
        ("exponent 1", known(rsa(&n, "1"))),
        ("exponent of 34 bits", known(rsa(&n, "8589934593"))),
        ("exponent of 33 bits", known(rsa(&n, "4294967297"))),
        ("leading zeros", known(rsa(&format!("00{n}"), "0065537"))),
        ("no number", known(rsa("x", "y"))),
        ("a short modulus", known(rsa("15", "3"))),
    ]
    .into_iter()
    .map(|(name, issuer)| Case::verify(name, &request(issuer)))
    .collect();
    let unreadable = rsa("-5", "x");
    for before in [7, 8, 9] {
        let mut keys = vec![unreadable.clone(); before];
        keys.push(right.clone());
        let issuer = IssuerFinding::Known { keys };
        cases.push(Case::verify(
            format!("{before} keys before"),
            &request(issuer),
        ));
    }
    for now_ms in [0, u64::MAX] {
        let request = VerifyRequest {
            now_ms,
            ..request(known(right.clone()))
        };
        cases.push(Case::verify(format!("at {now_ms}"), &request));
    }
    cases
}

/// Assertions whose parts are no signed objects, or say odd things: what is refused must be refused for the same reason.
pub(crate) fn odd_assertions() -> Vec<Case> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let jws = |payload: &str| {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
        format!("{header}.{}.AAAA", URL_SAFE_NO_PAD.encode(payload))
    };
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!(r#"{{"aud":"a","exp":9,"x":{open}{close}}}"#)
    };
    let certificate = |email: &str, issuer: &str| {
        json!({
            "iss": issuer, "exp": 9, "principal": {"email": email}, "public-key": {"algorithm": "RS", "n": "5", "e": "3"},
        })
        .to_string()
    };
    let fine = certificate("a@b", "b");
    let assertion = r#"{"aud":"a","exp":9}"#;
    let mut bundles = vec![
        ("good parts".to_owned(), jws(&fine) + "~" + &jws(assertion)),
        ("no tilde".to_owned(), jws(&fine)),
        (
            "padding".to_owned(),
            jws(&fine) + "~" + &jws(assertion) + "=",
        ),
        (
            "stray bits".to_owned(),
            jws(&fine) + "~" + &jws(assertion).replace("AAAA", "AB"),
        ),
        ("two dots".to_owned(), jws(&fine) + "~a.b.c.d"),
        ("endless".to_owned(), "A".repeat(17_000)),
    ];
    for payload in [
        "\u{feff}{\"aud\":\"a\",\"exp\":9}".to_owned(),
        r#" {"aud":"a","exp":9} "#.to_owned(),
        r#"{"aud":"a","exp":9}x"#.to_owned(),
        r#"{"aud":"b","aud":"a","exp":9}"#.to_owned(),
        r#"{"aud":"a","exp":"9"}"#.to_owned(),
        r#"{"aud":"a","exp":-1}"#.to_owned(),
        r#"{"aud":"a","exp":8.9}"#.to_owned(),
        r#"{"aud":"a","exp":1e400}"#.to_owned(),
        r#"{"aud":"a","exp":1e300,"iat":0}"#.to_owned(),
        r#"{"aud":"a","exp":99999999999999999999999}"#.to_owned(),
        r#"{"aud":"a","exp":9,"iat":10}"#.to_owned(),
        r#"{"aud":"a","exp":9,"iat":null}"#.to_owned(),
        r#"{"aud":"a","exp":9,"x":"\ud800"}"#.to_owned(),
        r#"{"aud":"a","exp":9,"x":01}"#.to_owned(),
        r#"{"aud":"a","exp":9,/**/"x":1}"#.to_owned(),
        "[]".to_owned(),
        String::new(),
        nested(126),
        nested(127),
        nested(128),
        nested(129),
        nested(2000),
    ] {
        let name = payload.chars().take(50).collect();
        bundles.push((name, jws(&fine) + "~" + &jws(&payload)));
    }
    let emails = [
        "a@b@c",
        "@b",
        "a@",
        "a b@c",
        "\u{e4}@b",
        "a@B",
        "a@b.",
        "a@.b",
        "a@b..c",
        "a@1.2.3",
        "a@1.2.3.4",
        "a@01.2.3.4",
        "a@0x7f",
        "a@0x",
        "a@b:80",
        "a@b:",
        "a@b:65536",
        "a@b:+1",
        "a@b:1:2",
    ];
    for email in emails {
        let bundle = jws(&certificate(email, "b")) + "~" + &jws(assertion);
        bundles.push((format!("email {email}"), bundle));
    }
    for issuer in ["B", "b/c", "user@b", "", "[::1]", &"a".repeat(254)] {
        let bundle = jws(&certificate("a@b", issuer)) + "~" + &jws(assertion);
        bundles.push((format!("issuer {issuer}"), bundle));
    }
    (bundles.into_iter())
        .map(|(name, assertion)| {
            let request = VerifyRequest {
                assertion,
                audience: "a".into(),
                now_ms: 9,
                algorithms: SignatureAlgorithm::ALL.into(),
                issuer: IssuerFinding::Unavailable,
            };
            Case::verify(name, &request)
        })
        .collect()
}

pub(crate) fn tokens() -> Vec<Case> {
    let mut cases = Vec::new();
    for token in list(&vectors("tokenlib.json")["tokens"]) {
        let payload = Payload::Json(text(&token["payload_utf8"]));
        let format = tokenlib(fixed(&text(&token["master_secret"])), payload);
        cases.push(Case::issue(text(&token["id"]), format, None));
    }
    let claims = |origin: Option<&str>| SyncClaims {
        uid: u64::MAX,
        node: "https://node.example.test/\"\\\u{7f}\u{1}\u{e4}".into(),
        expires: 1_900_000_000,
        fxa_uid: "1e3a9a2a722efe11d18ff0fa7867f2b3".into(),
        fxa_kid: "0000000001234-qqo".into(),
        tokenserver_origin: origin.map(Into::into),
        salt: "a1b2c3".into(),
    };
    let misc = vectors("misc.json");
    for (number, case) in list(&misc["metrics_hash"]).iter().enumerate() {
        let metrics = Metrics {
            secret: Secret::from(text(&case["secret"])),
            fxa_uid: text(&case["fxa_uid"]),
            device_id: case["device_id"].as_str().map(Into::into),
        };
        let payload = Payload::Sync(claims((number % 2 == 0).then_some("rust")));
        let format = tokenlib(fixed("s"), payload);
        cases.push(Case::issue(
            format!("metrics {number}"),
            format,
            Some(metrics),
        ));
    }
    let json = |text: &str| Payload::Json(text.to_owned());
    for case in list(&misc["derived_node_secrets"]["cases"]) {
        let secret = TokenSecret::PerNode {
            master: Secret::from(text(&case["master_secret"])),
            node: text(&case["node"]),
        };
        let format = tokenlib(secret, json(r#"{"salt":"a1b2c3"}"#));
        cases.push(Case::issue(format!("node {}", case["node"]), format, None));
    }
    for length in [0, 1, 2, 16_319, 16_320, 16_322] {
        let secret = TokenSecret::PerNode {
            master: Secret::from("x".repeat(length)),
            node: "https://node.test".into(),
        };
        let format = tokenlib(secret, json(r#"{"salt":"a1b2c3"}"#));
        cases.push(Case::issue(format!("a master of {length}"), format, None));
    }
    let format = tokenlib(fixed(""), json(r#"{"salt":"a"}"#));
    cases.push(Case::issue("no secret", format, None));
    for payload in [
        "",
        "[]",
        "null",
        "{}",
        r#"{"salt":5}"#,
        r#"{"salt":"a"} x"#,
        r#"{"salt":"a""#,
        r#"{"salt":""}"#,
        r#"{"salt":"a","salt":"b"}"#,
    ] {
        let format = tokenlib(fixed("s"), json(payload));
        cases.push(Case::issue(format!("payload {payload}"), format, None));
    }
    cases
}

/// Bodies that are no requests.
pub(crate) fn no_requests() -> Vec<Case> {
    let good = tokens().remove(0).body;
    let mut bodies = vec![
        ("nothing", vec![]),
        ("a number", vec![1]),
        ("no MessagePack", vec![0xc1]),
        ("half a request", good[..good.len() / 2].to_vec()),
        ("a request and more", [&good[..], &[0xc0]].concat()),
        ("nested without end", vec![0x91; 60_000]),
        ("an endless list", vec![0xdd, 0xff, 0xff, 0xff, 0xff]),
        ("too long", vec![0xc0; 70_000]),
        ("an empty map", vec![0x80]),
    ];
    // A text that is none.
    let mut broken = good.clone();
    let at = broken
        .windows(4)
        .position(|four| four == b"salt")
        .expect("a salt");
    broken[at] = 0xff;
    bodies.push(("not UTF-8", broken));
    let both = |(name, body): (&str, Vec<u8>)| {
        [BROWSERID_VERIFY, TOKEN_ISSUE].map(|service| Case {
            name: name.to_owned(),
            service,
            body: body.clone(),
        })
    };
    bodies.into_iter().flat_map(both).collect()
}
