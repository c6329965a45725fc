use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::failure::Failure;

/// The signals that ask the process to stop: `SIGTERM`, `SIGINT` (Ctrl-C) and `SIGHUP` (the terminal is
/// gone). From its making on they don't kill the process any more.
#[derive(Clone)]
pub(crate) struct StopSignals(watch::Receiver<u32>);

impl StopSignals {
    /// Starts listening, on the current runtime.
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::system("handle signals", &error));
        let signals = [
            listen(SignalKind::terminate())?,
            listen(SignalKind::interrupt())?,
            listen(SignalKind::hangup())?,
        ];
        let (count, received) = watch::channel(0);
        tokio::spawn(forward(signals, count));
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

async fn forward(
    [mut terminate, mut interrupt, mut hangup]: [Signal; 3],
    count: watch::Sender<u32>,
) {
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        count.send_modify(|count| *count += 1);
    }
}
