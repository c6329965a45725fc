//! libzmq in one hop: a bare ROUTER here, a bare DEALER at the worker, a window of jobs, no callers.

use std::time::Duration;

use powerhose::Workers;

use super::System;
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, children, load};

const NAME: &str = "zmq-router";

pub(super) const SYSTEM: System = System {
    name: NAME,
    what: "libzmq ROUTER in one bare thread",
    needs: None,
    start,
    child: Some(work),
};

struct Client {
    worker: Workers,
    socket: zmq::Socket,
    worker_id: Vec<u8>,
}

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    let endpoint = format!("ipc://{}/socket", ground.directory.display());
    let socket = zmq::Context::new().socket(zmq::ROUTER)?;
    socket.set_router_mandatory(true)?;
    socket.bind(&endpoint)?;
    let worker = children::start(NAME, &endpoint)?;
    let worker_id = socket.recv_bytes(0)?;
    socket.recv_bytes(0)?;
    Ok(Box::new(Client {
        socket,
        worker_id,
        worker,
    }))
}

/// Sends everything back; also the worker behind a broker.
pub(super) fn work(endpoint: &str) -> Result<(), Error> {
    let socket = zmq::Context::new().socket(zmq::DEALER)?;
    socket.connect(endpoint)?;
    socket.send(&b"ready"[..], 0)?;
    loop {
        let message = socket.recv_msg(0)?;
        let more = if message.get_more() { zmq::SNDMORE } else { 0 };
        socket.send(message, more)?;
    }
}

impl Running for Client {
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error> {
        let worker_id = &self.worker_id[..];
        load::window(
            &mut self.socket,
            in_flight,
            time,
            |socket| {
                socket.send(worker_id, zmq::SNDMORE)?;
                Ok(socket.send(&PAYLOAD[..], 0)?)
            },
            |socket| {
                socket.recv_msg(0)?;
                socket.recv_msg(0)?;
                Ok(())
            },
        )
    }

    fn processes(&self) -> Vec<u32> {
        self.worker.pids()
    }
}
