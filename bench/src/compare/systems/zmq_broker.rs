//! libzmq in two hops: a bare ROUTER-ROUTER loop between a DEALER here and one at the worker. The least that a broker can do.

use std::time::Duration;

use powerhose::Workers;

use super::{System, zmq_router};
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, children, load};

const NAME: &str = "zmq-broker";

pub(super) const SYSTEM: System = System {
    name: NAME,
    what: "libzmq ROUTER-ROUTER broker process, bare loop",
    needs: None,
    start,
    child: Some(child),
};

struct Client {
    worker: Workers,
    socket: zmq::Socket,
    broker: Workers,
}

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    let directory = ground.directory.display().to_string();
    let broker = children::start(&format!("{NAME}:broker"), &directory)?;
    let worker = children::start(&format!("{NAME}:worker"), &directory)?;
    let socket = zmq::Context::new().socket(zmq::DEALER)?;
    socket.connect(&frontend(&directory))?;
    Ok(Box::new(Client {
        socket,
        broker,
        worker,
    }))
}

fn frontend(directory: &str) -> String {
    format!("ipc://{directory}/frontend")
}

fn backend(directory: &str) -> String {
    format!("ipc://{directory}/backend")
}

fn child(part_and_directory: &str) -> Result<(), Error> {
    match part_and_directory.split_once(' ') {
        Some(("broker", directory)) => broke(directory),
        Some(("worker", directory)) => zmq_router::work(&backend(directory)),
        _ => Err("no such part of the broker".into()),
    }
}

/// Hands on whatever is there until there is nothing, then waits for either side.
fn broke(directory: &str) -> Result<(), Error> {
    let context = zmq::Context::new();
    let socket = |endpoint: &str| -> Result<zmq::Socket, Error> {
        let socket = context.socket(zmq::ROUTER)?;
        socket.set_router_mandatory(true)?;
        socket.bind(endpoint)?;
        Ok(socket)
    };
    let backend = socket(&backend(directory))?;
    let frontend = socket(&frontend(directory))?;
    let worker = backend.recv_bytes(0)?;
    backend.recv_bytes(0)?;
    loop {
        zmq::poll(
            &mut [
                frontend.as_poll_item(zmq::POLLIN),
                backend.as_poll_item(zmq::POLLIN),
            ],
            -1,
        )?;
        loop {
            let mut idle = true;
            if let Ok(client) = frontend.recv_msg(zmq::DONTWAIT) {
                let body = frontend.recv_msg(0)?;
                backend.send(&worker[..], zmq::SNDMORE)?;
                backend.send(client, zmq::SNDMORE)?;
                backend.send(body, 0)?;
                idle = false;
            }
            if backend.recv_msg(zmq::DONTWAIT).is_ok() {
                frontend.send(backend.recv_msg(0)?, zmq::SNDMORE)?;
                frontend.send(backend.recv_msg(0)?, 0)?;
                idle = false;
            }
            if idle {
                break;
            }
        }
    }
}

impl Running for Client {
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error> {
        load::window(
            &mut self.socket,
            in_flight,
            time,
            |socket| Ok(socket.send(&PAYLOAD[..], 0)?),
            |socket| Ok(socket.recv_msg(0).map(drop)?),
        )
    }

    fn processes(&self) -> Vec<u32> {
        [self.broker.pids(), self.worker.pids()].concat()
    }
}
