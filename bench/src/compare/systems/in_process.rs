//! `spawn_blocking`: the same process, no isolation, no other language, but also no socket.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::System;
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, load};

pub(super) const SYSTEM: System = System {
    name: "spawn-blocking",
    what: "spawn_blocking, in process",
    needs: None,
    start,
    child: None,
};

struct Client(Runtime);

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    Ok(Box::new(Client(load::executor(ground)?)))
}

impl Running for Client {
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error> {
        load::callers(&self.0, in_flight, time, |_| {
            || async {
                let work = std::hint::black_box(PAYLOAD);
                tokio::task::spawn_blocking(move || std::hint::black_box(work)).await?;
                Ok(())
            }
        })
    }

    fn processes(&self) -> Vec<u32> {
        Vec::new()
    }
}
