//! An OpenID provider whose behaviour a test can change while it runs.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};

use crate::process::{PATIENCE, closed_door};

/// What the provider's address of keys answers.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    Publishes(Value),
    PublishesAfter(Duration, Value),
    Fails,
    TalksGarbage,
    SaysNothing,
    /// Its keys are at an address where nobody listens.
    RefusesConnections,
}

/// The provider.
#[derive(Clone)]
pub(crate) struct Issuer(Arc<Inner>);

struct Inner {
    url: String,
    closed_door: (TcpSocket, String),
    mood: Mutex<Mood>,
    questions: AtomicUsize,
}

impl Issuer {
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self(Arc::new(Inner {
            url: format!("http://{}", listener.local_addr().unwrap()),
            closed_door: closed_door(),
            mood: Mutex::new(mood),
            questions: AtomicUsize::new(0),
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(keys))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    /// How often the keys have been asked for.
    pub(crate) fn questions(&self) -> usize {
        self.0.questions.load(Ordering::SeqCst)
    }
}

async fn configuration(State(issuer): State<Issuer>) -> Json<Value> {
    let url = issuer.url();
    let refuses = matches!(*issuer.0.mood.lock().unwrap(), Mood::RefusesConnections);
    let (_, nowhere) = &issuer.0.closed_door;
    let keys = format!("{}/keys", if refuses { nowhere } else { url });
    Json(json!({ "issuer": url, "jwks_uri": keys, "scopes_supported": [] }))
}

async fn keys(State(issuer): State<Issuer>) -> Response {
    issuer.0.questions.fetch_add(1, Ordering::SeqCst);
    let mood = issuer.0.mood.lock().unwrap().clone();
    match mood {
        Mood::Publishes(jwks) => Json(jwks).into_response(),
        Mood::PublishesAfter(pause, jwks) => {
            tokio::time::sleep(pause).await;
            Json(jwks).into_response()
        }
        Mood::Fails | Mood::RefusesConnections => StatusCode::BAD_GATEWAY.into_response(),
        Mood::TalksGarbage => "<html>maintenance</html>".into_response(),
        Mood::SaysNothing => {
            tokio::time::sleep(PATIENCE).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
    }
}

/// One of the provider's keys.
pub(crate) enum SigningKey {
    Es256(String, EcdsaKeyPair),
    EdDsa(String, Ed25519KeyPair),
}

impl SigningKey {
    pub(crate) fn es256(kid: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self::Es256(kid.to_owned(), key)
    }

    pub(crate) fn eddsa(kid: &str) -> Self {
        Self::EdDsa(kid.to_owned(), Ed25519KeyPair::generate().unwrap())
    }

    /// The public half. A key whose name is empty has none, neither here nor in tokens.
    pub(crate) fn jwk(&self) -> Value {
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        without_empty_kid(match self {
            Self::Es256(kid, key) => {
                let point = key.public_key().as_ref();
                json!({
                    "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig",
                    "x": number(&point[1..33]), "y": number(&point[33..]),
                })
            }
            Self::EdDsa(kid, key) => json!({
                "kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": "EdDSA",
                "x": number(key.public_key().as_ref()),
            }),
        })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as("JWT", claims)
    }

    /// A token whose header says that it is of this type.
    pub(crate) fn sign_as(&self, typ: &str, claims: &Value) -> String {
        let (alg, kid) = match self {
            Self::Es256(kid, _) => ("ES256", kid),
            Self::EdDsa(kid, _) => ("EdDSA", kid),
        };
        let segment = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = without_empty_kid(json!({ "alg": alg, "kid": kid, "typ": typ }));
        let signed = format!("{}.{}", segment(&header), segment(claims));
        let signature = match self {
            Self::Es256(_, key) => {
                let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            Self::EdDsa(_, key) => key.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn without_empty_kid(mut value: Value) -> Value {
    if value["kid"] == "" {
        value.as_object_mut().unwrap().remove("kid");
    }
    value
}

/// A JWK Set of these keys.
pub(crate) fn jwks(keys: &[&SigningKey]) -> Mood {
    Mood::Publishes(set(keys))
}

/// The same, after a pause.
pub(crate) fn jwks_after(pause: Duration, keys: &[&SigningKey]) -> Mood {
    Mood::PublishesAfter(pause, set(keys))
}

fn set(keys: &[&SigningKey]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

pub(crate) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}
