//! A relay between a server and its database, which counts, and can refuse, or swallow everything and say nothing.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They reach the database.
    Open,
    /// They are closed at once, and so are those that were open.
    Refusing,
    /// They are taken, and nothing ever comes back; nor over those that were open, even later.
    Silent,
}

pub(crate) struct Relay {
    port: u16,
    mode: watch::Sender<Mode>,
    requests: Arc<AtomicUsize>,
    connections: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Relay {
    /// To the database that `url` names.
    pub(crate) async fn to(url: &str) -> Self {
        let url = reqwest::Url::parse(url).unwrap();
        let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, current) = watch::channel(Mode::Open);
        let connections: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
        let all = Arc::clone(&connections);
        let requests: Arc<AtomicUsize> = Arc::default();
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if *current.borrow() == Mode::Refusing {
                    continue;
                }
                let connection = tokio::spawn(pass(
                    client,
                    target.clone(),
                    current.clone(),
                    Arc::clone(&count),
                ));
                all.lock().unwrap().push(connection);
            }
        });
        Self {
            port,
            mode,
            requests,
            connections,
        }
    }

    /// `url` by way of the relay.
    pub(crate) fn url(&self, url: &str) -> String {
        let mut url = reqwest::Url::parse(url).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.into()
    }

    /// What was written to the database so far, in reads: a request that is waited for is one.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
        if mode == Mode::Refusing {
            for connection in self.connections.lock().unwrap().drain(..) {
                connection.abort();
            }
        }
    }
}

/// Passes on what comes, until the relay falls silent; from then on this connection swallows.
async fn pass(
    mut client: TcpStream,
    target: String,
    mut mode: watch::Receiver<Mode>,
    requests: Arc<AtomicUsize>,
) {
    if *mode.borrow() == Mode::Open {
        let mut server = TcpStream::connect(target).await.unwrap();
        let silent = mode.wait_for(|mode| *mode == Mode::Silent);
        tokio::select! {
            _ = exchange(&mut client, &mut server, &requests) => return,
            _ = silent => {}
        }
    }
    let mut swallowed = [0; 1024];
    while client.read(&mut swallowed).await.is_ok_and(|read| read > 0) {}
}

/// Passes on what comes, both ways, and counts what the client writes.
async fn exchange(
    client: &mut TcpStream,
    server: &mut TcpStream,
    requests: &AtomicUsize,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let there = async {
        let mut bytes = [0; 8192];
        loop {
            let length = from_client.read(&mut bytes).await?;
            if length == 0 {
                return to_server.shutdown().await;
            }
            requests.fetch_add(1, Ordering::Relaxed);
            to_server.write_all(&bytes[..length]).await?;
        }
    };
    let back = async {
        io::copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(there, back).map(drop)
}
