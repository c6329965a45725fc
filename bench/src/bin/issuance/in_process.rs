//! What services do that have no worker processes: crypto in the web process.

use std::sync::Arc;
use std::time::Duration;

use powerhose::{Bytes, ExecuteError};
use token_server_web::jobs::{Answer, Jobs, Observation, Presence};
use workers::crypto;

/// Crypto right where the handler is, on the executor's own threads.
#[derive(Debug)]
pub(crate) struct Inline;

/// Crypto in the executor's pool of blocking threads.
#[derive(Debug)]
pub(crate) struct Blocking;

fn work(service: &str, body: &[u8]) -> Bytes {
    let reply = crypto::handle(service, body);
    reply.expect("the web tier knows its services").into()
}

impl Jobs for Inline {
    fn execute(
        &self,
        service: &Arc<str>,
        body: Vec<u8>,
        _: Duration,
    ) -> Answer<'_, Result<Bytes, ExecuteError>> {
        let service = Arc::clone(service);
        Box::pin(async move { Ok(work(&service, &body)) })
    }

    fn presence(&self) -> Answer<'_, Presence> {
        Box::pin(async { Presence::Workers })
    }

    fn observe(&self) -> Answer<'_, Observation> {
        Box::pin(async { Observation::Own(Box::default()) })
    }
}

impl Jobs for Blocking {
    fn execute(
        &self,
        service: &Arc<str>,
        body: Vec<u8>,
        _: Duration,
    ) -> Answer<'_, Result<Bytes, ExecuteError>> {
        let service = Arc::clone(service);
        Box::pin(async move {
            let reply = tokio::task::spawn_blocking(move || work(&service, &body));
            Ok(reply.await.expect("crypto does not panic"))
        })
    }

    fn presence(&self) -> Answer<'_, Presence> {
        Box::pin(async { Presence::Workers })
    }

    fn observe(&self) -> Answer<'_, Observation> {
        Box::pin(async { Observation::Own(Box::default()) })
    }
}
