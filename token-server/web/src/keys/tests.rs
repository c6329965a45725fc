//! When an issuer on a real socket is asked for its keys, as long as those that are known are fresh.

use axum::{Json, Router, extract::State, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};

use super::*;

/// Longer than anything takes here unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Default)]
struct Issuer(Arc<Published>);

#[derive(Default)]
struct Published {
    kids: Mutex<Vec<&'static str>>,
    questions: Mutex<usize>,
    /// Set while answers are to be held back.
    held: Mutex<Option<Arc<Notify>>>,
}

impl Issuer {
    /// The issuer, and its keys as they are known here.
    async fn start(retry_after: Duration) -> (Self, Keys) {
        let issuer = Self::default();
        let router = Router::new()
            .route("/keys", get(answer))
            .with_state(issuer.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let url = Url::parse(&url).unwrap();
        let settings = Jwks {
            fresh_for: Duration::from_secs(60 * 60),
            retry_after,
            ..Jwks::default()
        };
        let client = outbound::client([&url]).unwrap();
        let keys = Keys::new("test", KeyLocation::Set(url), client, &settings);
        (issuer, keys)
    }

    fn publish(&self, kids: &[&'static str]) {
        *self.0.kids.lock().unwrap() = kids.to_vec();
    }

    fn questions(&self) -> usize {
        *self.0.questions.lock().unwrap()
    }
}

async fn answer(State(issuer): State<Issuer>) -> Json<Value> {
    *issuer.0.questions.lock().unwrap() += 1;
    let held = issuer.0.held.lock().unwrap().clone();
    if let Some(gate) = held {
        gate.notified().await;
    }
    let kids = issuer.0.kids.lock().unwrap().clone();
    // The one with a number for a name has none, and that number.
    let jwk = |kid: &str| match kid.parse::<u8>() {
        Ok(number) => {
            let n = URL_SAFE_NO_PAD.encode([number]);
            json!({ "kty": "RSA", "n": n, "e": "AQAB" })
        }
        Err(_) => json!({ "kty": "RSA", "n": "AQ", "e": "AQAB", "kid": kid }),
    };
    Json(json!({ "keys": kids.into_iter().map(jwk).collect::<Vec<_>>() }))
}

/// Whether a key of that name is found.
async fn knows(keys: &Keys, kid: &str) -> bool {
    let header = json!({ "alg": "RS256", "kid": kid }).to_string();
    let token = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header));
    let found = keys.find(&UnverifiedJwt::parse(&token).unwrap()).await;
    !found.unwrap().is_empty()
}

#[tokio::test]
async fn many_tokens_with_a_new_key_cause_one_question() {
    // So short that nothing but the question in flight holds further ones back.
    let (issuer, keys) = Issuer::start(Duration::from_nanos(1)).await;
    issuer.publish(&["old"]);
    assert!(knows(&keys, "old").await);
    issuer.publish(&["old", "new"]);
    let gate = Arc::new(Notify::new());
    *issuer.0.held.lock().unwrap() = Some(Arc::clone(&gate));
    let mut askers = JoinSet::new();
    for _ in 0..50 {
        let keys = keys.clone();
        askers.spawn(async move { knows(&keys, "new").await });
    }
    // On the test's one thread all of them have asked before the issuer hears of the first.
    let start = Instant::now();
    while issuer.questions() < 2 {
        assert!(start.elapsed() < PATIENCE, "nobody asks");
        tokio::task::yield_now().await;
    }
    assert!(knows(&keys, "old").await, "nobody waits for a known key");
    *issuer.0.held.lock().unwrap() = None;
    gate.notify_waiters();
    let found = tokio::time::timeout(PATIENCE, askers.join_all()).await;
    assert_eq!(found.expect("it did not hang"), [true; 50]);
    assert_eq!(issuer.questions(), 2);
}

#[tokio::test]
async fn after_an_unknown_key_the_issuer_is_left_alone_for_a_while() {
    let retry_after = Duration::from_secs(2);
    let (issuer, keys) = Issuer::start(retry_after).await;
    issuer.publish(&["old"]);
    assert!(knows(&keys, "old").await);
    let start = Instant::now();
    let mut since = start;
    while issuer.questions() < 2 {
        since = Instant::now();
        assert!(start.elapsed() < PATIENCE, "nobody asks");
        assert!(!knows(&keys, "unknown").await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for kid in ["unknown", "another", "a third one"] {
        assert!(!knows(&keys, kid).await);
    }
    // On a machine that stood still meanwhile, as many more as the pauses between them allow.
    let allowed = since.elapsed().as_secs() / retry_after.as_secs();
    let questions = issuer.questions() - 2;
    assert!(
        u64::try_from(questions).unwrap() <= allowed,
        "{questions} more"
    );
}

#[tokio::test]
async fn all_whose_token_no_nameless_key_has_signed_get_the_one_that_replaced_it() {
    let (issuer, keys) = Issuer::start(Duration::from_secs(60 * 60)).await;
    issuer.publish(&["1"]);
    let token = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#));
    let token = UnverifiedJwt::parse(&token).unwrap();
    let old = keys.find(&token).await.unwrap();
    assert_eq!(old.len(), 1);
    assert_eq!(keys.find_others(&token, &old).await, None);
    assert_eq!(issuer.questions(), 1, "it was asked a moment ago");

    let (issuer, keys) = Issuer::start(Duration::from_millis(500)).await;
    issuer.publish(&["1"]);
    let old = keys.find(&token).await.unwrap();
    issuer.publish(&["2"]);
    let start = Instant::now();
    let new = loop {
        if let Some(new) = keys.find_others(&token, &old).await {
            break new;
        }
        assert!(start.elapsed() < PATIENCE, "it is never asked again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_ne!(new, old);
    // Who comes back from a worker only now, when nobody may ask.
    assert_eq!(keys.find_others(&token, &old).await, Some(new.clone()));
    assert_eq!(keys.find_others(&token, &new).await, None);
}
