use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, header::HOST},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::Notify, time::sleep};

type Answer = Arc<dyn Fn() -> Response + Send + Sync>;

/// A server that answers for every host, with what the test has it say.
#[derive(Clone)]
pub(crate) struct Gateway {
    address: SocketAddr,
    hosts: Hosts,
}

#[derive(Clone, Default)]
struct Hosts {
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    requests: Arc<AtomicUsize>,
    /// Set while answers are to be held back.
    held: Arc<Mutex<Option<Arc<Notify>>>>,
    delay: Arc<Mutex<Duration>>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let hosts = Hosts::default();
        let router = Router::new()
            .route("/.well-known/browserid", get(answer))
            .with_state(hosts.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, hosts }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on `host` answers with what `answer` makes.
    pub(crate) fn set<R: IntoResponse>(
        &self,
        host: &str,
        answer: impl Fn() -> R + Send + Sync + 'static,
    ) {
        let answer: Answer = Arc::new(move || answer().into_response());
        self.hosts
            .answers
            .lock()
            .unwrap()
            .insert(host.to_owned(), answer);
    }

    /// From now on `host` publishes `document`.
    pub(crate) fn publish(&self, host: &str, document: serde_json::Value) {
        self.set(host, move || axum::Json(document.clone()));
    }

    /// Holds every answer back until the returned guard is notified.
    pub(crate) fn hold(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        *self.hosts.held.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    /// Holds no further answer back; those that are held stay so.
    pub(crate) fn release(&self) {
        *self.hosts.held.lock().unwrap() = None;
    }

    /// From now on every answer takes so long.
    pub(crate) fn slow_down(&self, delay: Duration) {
        *self.hosts.delay.lock().unwrap() = delay;
    }

    pub(crate) fn requests(&self) -> usize {
        self.hosts.requests.load(Ordering::SeqCst)
    }
}

async fn answer(State(hosts): State<Hosts>, headers: HeaderMap) -> Response {
    hosts.requests.fetch_add(1, Ordering::SeqCst);
    let held = hosts.held.lock().unwrap().clone();
    if let Some(gate) = held {
        gate.notified().await;
    }
    let delay = *hosts.delay.lock().unwrap();
    sleep(delay).await;
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let answer = hosts.answers.lock().unwrap().get(host).cloned();
    answer.map_or_else(
        || axum::http::StatusCode::NOT_FOUND.into_response(),
        |answer| answer(),
    )
}
