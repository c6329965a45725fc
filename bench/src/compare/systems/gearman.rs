//! Gearman: a job server in between, many jobs over one connection of the client.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use powerhose::Workers;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedReadHalf;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex as AsyncMutex, oneshot};

use super::{Program, System};
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, children, load};

const NAME: &str = "gearman";

const SERVER: Program = Program {
    name: "gearmand",
    package: "gearman-job-server",
};

pub(super) const SYSTEM: System = System {
    name: NAME,
    what: "Gearman 1.1",
    needs: Some(SERVER),
    start,
    child: Some(work),
};

/// The packets that an echo needs, by the numbers of Gearman's binary protocol.
mod packet {
    pub(super) const CAN_DO: u32 = 1;
    pub(super) const PRE_SLEEP: u32 = 4;
    pub(super) const NOOP: u32 = 6;
    pub(super) const SUBMIT_JOB: u32 = 7;
    pub(super) const JOB_CREATED: u32 = 8;
    pub(super) const GRAB_JOB: u32 = 9;
    pub(super) const NO_JOB: u32 = 10;
    pub(super) const JOB_ASSIGN: u32 = 11;
    pub(super) const WORK_COMPLETE: u32 = 13;
}

const FUNCTION: &[u8] = b"echo";

const HEADER: usize = 12;

fn request(kind: u32, arguments: &[&[u8]]) -> Vec<u8> {
    let data = arguments.join(&0);
    let mut bytes = b"\0REQ".to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.extend((data.len() as u32).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// The kind of a packet and the length of its data.
fn parse(header: [u8; HEADER]) -> Result<(u32, usize), Error> {
    let [0, b'R', b'E', b'S', a, b, c, d, e, f, g, h] = header else {
        return Err("this is no packet of a job server".into());
    };
    let length = u32::from_be_bytes([e, f, g, h]);
    Ok((u32::from_be_bytes([a, b, c, d]), length as usize))
}

/// What comes before the first zero byte, and after it.
fn split(data: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let end = data.iter().position(|byte| *byte == 0);
    let end = end.ok_or("a packet lacks an argument")?;
    Ok((&data[..end], &data[end + 1..]))
}

/// The callers, those whose job has no handle yet in the order of their submission.
#[derive(Default)]
struct Waiting {
    submitted: std::collections::VecDeque<oneshot::Sender<()>>,
    created: HashMap<Vec<u8>, oneshot::Sender<()>>,
}

type Shared = Arc<Mutex<Waiting>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Waiting> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Client {
    worker: Workers,
    executor: Runtime,
    writer: Arc<AsyncMutex<tokio::net::tcp::OwnedWriteHalf>>,
    waiting: Shared,
    server: Workers,
}

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    let port = children::free_port()?;
    let address = format!("127.0.0.1:{port}");
    let log = ground.directory.join("gearmand.log").display().to_string();
    let port = port.to_string();
    let options = ["--listen", "127.0.0.1", "--port", &port, "--log-file", &log];
    let server = children::start_program(SERVER.path()?, options)?;
    let executor = load::executor(ground)?;
    let connect = || tokio::net::TcpStream::connect(&address);
    let stream = children::retry(|| Ok(executor.block_on(connect())?))?;
    stream.set_nodelay(true)?;
    let worker = children::start(NAME, &address)?;
    let (reader, writer) = stream.into_split();
    let waiting = Shared::default();
    executor.spawn(read(reader, Arc::clone(&waiting)));
    Ok(Box::new(Client {
        executor,
        writer: Arc::new(AsyncMutex::new(writer)),
        waiting,
        server,
        worker,
    }))
}

async fn read(reader: OwnedReadHalf, waiting: Shared) -> Result<(), Error> {
    let mut reader = BufReader::new(reader);
    loop {
        let mut header = [0; HEADER];
        reader.read_exact(&mut header).await?;
        let (kind, length) = parse(header)?;
        let mut data = vec![0; length];
        reader.read_exact(&mut data).await?;
        let mut waiting = lock(&waiting);
        match kind {
            packet::JOB_CREATED => {
                if let Some(caller) = waiting.submitted.pop_front() {
                    waiting.created.insert(data, caller);
                }
            }
            packet::WORK_COMPLETE => {
                if let Some(caller) = waiting.created.remove(split(&data)?.0) {
                    let _ = caller.send(());
                }
            }
            _ => return Err(format!("the job server sent packet {kind}").into()),
        }
    }
}

fn work(address: &str) -> Result<(), Error> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut reader = io::BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    writer.write_all(&request(packet::CAN_DO, &[FUNCTION]))?;
    loop {
        writer.write_all(&request(packet::GRAB_JOB, &[]))?;
        // A wake-up that comes late is followed by the answer.
        let (mut kind, mut data) = receive(&mut reader)?;
        while kind == packet::NOOP {
            (kind, data) = receive(&mut reader)?;
        }
        match kind {
            packet::JOB_ASSIGN => {
                let (handle, rest) = split(&data)?;
                let (_, payload) = split(rest)?;
                writer.write_all(&request(packet::WORK_COMPLETE, &[handle, payload]))?;
            }
            packet::NO_JOB => {
                writer.write_all(&request(packet::PRE_SLEEP, &[]))?;
                receive(&mut reader)?;
            }
            _ => return Err(format!("the job server sent packet {kind}").into()),
        }
    }
}

fn receive(reader: &mut impl Read) -> Result<(u32, Vec<u8>), Error> {
    let mut header = [0; HEADER];
    reader.read_exact(&mut header)?;
    let (kind, length) = parse(header)?;
    let mut data = vec![0; length];
    reader.read_exact(&mut data)?;
    Ok((kind, data))
}

impl Running for Client {
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error> {
        let submission: Arc<[u8]> = request(packet::SUBMIT_JOB, &[FUNCTION, b"", &PAYLOAD]).into();
        load::callers(&self.executor, in_flight, time, |_| {
            let (writer, waiting) = (Arc::clone(&self.writer), Arc::clone(&self.waiting));
            let submission = Arc::clone(&submission);
            move || {
                let (writer, waiting) = (Arc::clone(&writer), Arc::clone(&waiting));
                let submission = Arc::clone(&submission);
                async move {
                    let (reply, answer) = oneshot::channel();
                    let mut writer = writer.lock().await;
                    lock(&waiting).submitted.push_back(reply);
                    writer.write_all(&submission).await?;
                    drop(writer);
                    Ok(answer.await?)
                }
            }
        })
    }

    fn processes(&self) -> Vec<u32> {
        [self.server.pids(), self.worker.pids()].concat()
    }
}
