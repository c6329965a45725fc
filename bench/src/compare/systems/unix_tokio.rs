//! A unix socket under tokio: frames by hand, many callers over one connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use powerhose::Workers;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::System;
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, children, load};

const NAME: &str = "unix-tokio";

pub(super) const SYSTEM: System = System {
    name: NAME,
    what: "tokio unix socket, multiplexed, framed by hand",
    needs: None,
    start,
    child: Some(work),
};

/// A number of eight bytes and the payload.
const FRAME: usize = 8 + PAYLOAD.len();

const BUFFER: usize = 64 * 1024;

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>>;

struct Client {
    worker: Workers,
    executor: Runtime,
    submit: mpsc::Sender<oneshot::Sender<()>>,
}

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    let path = ground.directory.join("socket");
    let executor = load::executor(ground)?;
    let listener = executor.block_on(async { UnixListener::bind(&path) })?;
    let worker = children::start(NAME, &path.display().to_string())?;
    let (stream, _) = executor.block_on(listener.accept())?;
    let (reader, writer) = stream.into_split();
    let waiting = Waiting::default();
    let (submit, submissions) = mpsc::channel(1024);
    executor.spawn(write(writer, submissions, Arc::clone(&waiting)));
    executor.spawn(read(reader, waiting));
    Ok(Box::new(Client {
        executor,
        submit,
        worker,
    }))
}

async fn write(
    writer: OwnedWriteHalf,
    mut submissions: mpsc::Receiver<oneshot::Sender<()>>,
    waiting: Waiting,
) -> Result<(), Error> {
    let mut writer = BufWriter::with_capacity(BUFFER, writer);
    let mut number = 0_u64;
    while let Some(reply) = submissions.recv().await {
        let mut next = Some(reply);
        while let Some(reply) = next {
            number += 1;
            (waiting.lock().unwrap_or_else(PoisonError::into_inner)).insert(number, reply);
            writer.write_all(&number.to_be_bytes()).await?;
            writer.write_all(&PAYLOAD).await?;
            next = submissions.try_recv().ok();
        }
        writer.flush().await?;
    }
    Ok(())
}

async fn read(reader: OwnedReadHalf, waiting: Waiting) -> Result<(), Error> {
    let mut reader = BufReader::with_capacity(BUFFER, reader);
    loop {
        let number = reader.read_u64().await?;
        reader.read_exact(&mut [0; PAYLOAD.len()]).await?;
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reply) = waiting.remove(&number) {
            let _ = reply.send(());
        }
    }
}

fn work(path: &str) -> Result<(), Error> {
    let executor = Builder::new_current_thread().enable_all().build()?;
    executor.block_on(async {
        let (reader, writer) = UnixStream::connect(path).await?.into_split();
        let mut reader = BufReader::with_capacity(BUFFER, reader);
        let mut writer = BufWriter::with_capacity(BUFFER, writer);
        loop {
            let mut frame = [0; FRAME];
            if reader.buffer().len() < FRAME {
                writer.flush().await?;
            }
            reader.read_exact(&mut frame).await?;
            writer.write_all(&frame).await?;
        }
    })
}

impl Running for Client {
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error> {
        load::callers(&self.executor, in_flight, time, |_| {
            let submit = self.submit.clone();
            move || {
                let submit = submit.clone();
                async move {
                    let (reply, answer) = oneshot::channel();
                    submit.send(reply).await?;
                    Ok(answer.await?)
                }
            }
        })
    }

    fn processes(&self) -> Vec<u32> {
        self.worker.pids()
    }
}
