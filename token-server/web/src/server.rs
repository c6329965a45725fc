//! The listener: accepts, serves, and on request stops without cutting anyone off who can be finished
//! in time. What is no HTTP request at all gets hyper's bare 400 and never reaches the application.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::{forwarded::Peer, settings::Http};

/// How long accepting rests after it failed, as it does when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Room for one request's head and more behind it, as a multiple of the largest head. Beyond it hyper
/// itself answers 431; the limit that clients meet is the application's.
const BUFFER_FACTOR: usize = 2;

/// hyper takes no smaller buffer.
const MIN_BUFFER: usize = 8 * 1024;

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every connection had got its answers.
    Completely,
    /// The drain timeout passed first, and open connections are cut.
    CutShort,
}

/// Serves `router` until `stop` completes, then lets requests in flight finish within the drain
/// timeout. Connections that wait for their next request are closed at once.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &Http,
    stop: impl Future<Output = ()>,
) -> Drained {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(settings.idle_timeout)
        .max_buf_size(MIN_BUFFER.max(settings.max_header_bytes.saturating_mul(BUFFER_FACTOR)));
    let places = Arc::new(Semaphore::new(settings.max_connections.get()));
    let graceful = GracefulShutdown::new();

    let accepting = async {
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            let (stream, peer) = accept(&listener).await;
            let service = TowerToHyperService::new(router.clone().layer(Extension(Peer(peer))));
            let connection = protocol.serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // Clients that vanish or talk nonsense are no news.
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended");
                }
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    match tokio::time::timeout(settings.drain_timeout, graceful.shutdown()).await {
        Ok(()) => Drained::Completely,
        Err(_) => Drained::CutShort,
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are one small write each; waiting to join them with more gains nothing.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "no TCP_NODELAY");
                }
                return (stream, peer);
            }
            Err(error) if is_connections_own(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The connection that was to be accepted is gone already; the next one is fine.
fn is_connections_own(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
