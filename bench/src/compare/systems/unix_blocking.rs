//! A unix socket, blocking reads and writes, no framework: the limit of what two processes can do.

use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use powerhose::Workers;

use super::System;
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, children, load};

const NAME: &str = "unix-blocking";

pub(super) const SYSTEM: System = System {
    name: NAME,
    what: "blocking unix socket, no framework (the limit)",
    needs: None,
    start,
    child: Some(work),
};

const BUFFER: usize = 64 * 1024;

/// One end. What was written leaves when there is nothing left to read.
struct End {
    reader: BufReader<UnixStream>,
    writer: BufWriter<UnixStream>,
}

impl End {
    fn new(stream: UnixStream) -> Result<Self, Error> {
        Ok(Self {
            reader: BufReader::with_capacity(BUFFER, stream.try_clone()?),
            writer: BufWriter::with_capacity(BUFFER, stream),
        })
    }

    fn send(&mut self, message: &[u8; PAYLOAD.len()]) -> Result<(), Error> {
        Ok(self.writer.write_all(message)?)
    }

    fn receive(&mut self) -> Result<[u8; PAYLOAD.len()], Error> {
        if self.reader.buffer().len() < PAYLOAD.len() {
            self.writer.flush()?;
        }
        let mut message = [0; PAYLOAD.len()];
        self.reader.read_exact(&mut message)?;
        Ok(message)
    }
}

struct Client {
    worker: Workers,
    end: End,
}

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    let path = ground.directory.join("socket");
    let listener = UnixListener::bind(&path)?;
    let worker = children::start(NAME, &path.display().to_string())?;
    let (stream, _) = listener.accept()?;
    Ok(Box::new(Client {
        end: End::new(stream)?,
        worker,
    }))
}

fn work(path: &str) -> Result<(), Error> {
    let mut end = End::new(UnixStream::connect(path)?)?;
    loop {
        let message = end.receive()?;
        end.send(&message)?;
    }
}

impl Running for Client {
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error> {
        load::window(
            &mut self.end,
            in_flight,
            time,
            |end| end.send(&PAYLOAD),
            |end| end.receive().map(drop),
        )
    }

    fn processes(&self) -> Vec<u32> {
        self.worker.pids()
    }
}
