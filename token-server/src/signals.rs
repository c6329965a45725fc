use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::failure::Failure;

/// The signals that ask the process to stop. From its making on they don't kill the process any more.
#[derive(Clone)]
pub(crate) struct StopSignals(watch::Receiver<u32>);

impl StopSignals {
    /// Starts listening, on the current runtime: to `SIGTERM`, `SIGINT` (Ctrl-C) and `SIGHUP` (the terminal
    /// is gone).
    pub(crate) fn new() -> Result<Self, Failure> {
        Self::listen(&[
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
        ])
    }

    /// The same without `SIGHUP`, which comes apart: a server is told by it to read its settings again.
    pub(crate) fn of_server() -> Result<(Self, Signal), Failure> {
        let stops = Self::listen(&[SignalKind::terminate(), SignalKind::interrupt()])?;
        Ok((stops, listen(SignalKind::hangup())?))
    }

    fn listen(kinds: &[SignalKind]) -> Result<Self, Failure> {
        let (count, received) = watch::channel(0);
        for kind in kinds {
            let (mut signal, count) = (listen(*kind)?, count.clone());
            tokio::spawn(async move {
                while signal.recv().await.is_some() {
                    count.send_modify(|count| *count += 1);
                }
            });
        }
        Ok(Self(received))
    }

    /// Whether a signal has come.
    pub(crate) fn received(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Completes when a signal has come: stop when you have finished.
    pub(crate) async fn first(mut self) {
        self.wait_for(1).await;
    }

    /// Completes when another one has come: stop now.
    pub(crate) async fn second(mut self) {
        self.wait_for(2).await;
    }

    async fn wait_for(&mut self, least: u32) {
        // The sender only goes away with the runtime, and that takes whoever waits here along.
        let _ = self.0.wait_for(|count| *count >= least).await;
    }
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::system("handle signals", &error))
}
