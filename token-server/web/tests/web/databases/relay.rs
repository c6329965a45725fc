//! A relay between a server and its database, which can refuse, or swallow everything and say nothing.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, copy_bidirectional},
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
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if *current.borrow() == Mode::Refusing {
                    continue;
                }
                let connection = tokio::spawn(pass(client, target.clone(), current.clone()));
                all.lock().unwrap().push(connection);
            }
        });
        Self {
            port,
            mode,
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
async fn pass(mut client: TcpStream, target: String, mut mode: watch::Receiver<Mode>) {
    if *mode.borrow() == Mode::Open {
        let mut server = TcpStream::connect(target).await.unwrap();
        let silent = mode.wait_for(|mode| *mode == Mode::Silent);
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return,
            _ = silent => {}
        }
    }
    let mut swallowed = [0; 1024];
    while client.read(&mut swallowed).await.is_ok_and(|read| read > 0) {}
}
