//! libzmq's REQ and REP: one job at a time, whatever is asked for.

use std::time::Duration;

use powerhose::Workers;

use super::System;
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, children, load};

const NAME: &str = "zmq-req-rep";

pub(super) const SYSTEM: System = System {
    name: NAME,
    what: "libzmq REQ/REP ipc, always one in flight",
    needs: None,
    start,
    child: Some(work),
};

struct Client {
    worker: Workers,
    socket: zmq::Socket,
}

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    let endpoint = format!("ipc://{}/socket", ground.directory.display());
    let socket = zmq::Context::new().socket(zmq::REQ)?;
    socket.bind(&endpoint)?;
    let worker = children::start(NAME, &endpoint)?;
    Ok(Box::new(Client { socket, worker }))
}

fn work(endpoint: &str) -> Result<(), Error> {
    let socket = zmq::Context::new().socket(zmq::REP)?;
    socket.connect(endpoint)?;
    loop {
        let message = socket.recv_msg(0)?;
        socket.send(message, 0)?;
    }
}

impl Running for Client {
    fn run(&mut self, _in_flight: usize, time: Duration) -> Result<Sample, Error> {
        load::window(
            &mut self.socket,
            1,
            time,
            |socket| Ok(socket.send(&PAYLOAD[..], 0)?),
            |socket| Ok(socket.recv_msg(0).map(drop)?),
        )
    }

    fn processes(&self) -> Vec<u32> {
        self.worker.pids()
    }
}
