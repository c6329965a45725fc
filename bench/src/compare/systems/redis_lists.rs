//! Redis lists: LPUSH and BRPOP there, LPUSH and BRPOP back. Each caller needs a connection, since one that waits is busy.

use std::time::Duration;

use powerhose::Workers;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Commands};
use tokio::runtime::Runtime;

use super::{Program, System};
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, children, load};

const NAME: &str = "redis-lists";

const SERVER: Program = Program {
    name: "redis-server",
    package: "redis-server",
};

pub(super) const SYSTEM: System = System {
    name: NAME,
    what: "Redis, LPUSH and BRPOP",
    needs: Some(SERVER),
    start,
    child: Some(work),
};

const JOBS: &str = "jobs";

/// The number of the caller, whose list the reply goes to, is in front of the payload.
const NUMBER: usize = 8;

struct Client {
    worker: Workers,
    executor: Runtime,
    client: redis::Client,
    connections: Vec<MultiplexedConnection>,
    server: Workers,
}

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    let path = ground.directory.join("redis").display().to_string();
    let address = format!("unix://{path}");
    let options = ["--port", "0", "--save", "", "--appendonly", "no"];
    let directory = ground.directory.display().to_string();
    let mine = ["--unixsocket", &path, "--dir", &directory];
    let server = children::start_program(SERVER.path()?, options.into_iter().chain(mine))?;
    let executor = load::executor(ground)?;
    let client = redis::Client::open(address.as_str())?;
    children::retry(|| Ok(client.get_connection().map(drop)?))?;
    let worker = children::start(NAME, &address)?;
    Ok(Box::new(Client {
        executor,
        client,
        connections: Vec::new(),
        server,
        worker,
    }))
}

fn reply_list(number: &[u8]) -> Vec<u8> {
    [b"reply:", number].concat()
}

fn work(address: &str) -> Result<(), Error> {
    let mut connection = redis::Client::open(address)?.get_connection()?;
    loop {
        let (_, job): (String, Vec<u8>) = connection.brpop(JOBS, 0.0)?;
        let (number, payload) = job.split_at(NUMBER);
        let _: i64 = connection.lpush(reply_list(number), payload)?;
    }
}

impl Running for Client {
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error> {
        // A caller waits as long as it takes; the client's own time limit is for other uses.
        let patient = AsyncConnectionConfig::new().set_response_timeout(None);
        while self.connections.len() < in_flight {
            let connection = (self.client).get_multiplexed_async_connection_with_config(&patient);
            self.connections.push(self.executor.block_on(connection)?);
        }
        load::callers(&self.executor, in_flight, time, |caller| {
            let connection = self.connections[caller].clone();
            let number = (caller as u64).to_be_bytes();
            move || {
                let mut connection = connection.clone();
                async move {
                    let job = [&number[..], &PAYLOAD].concat();
                    let _: (i64, (Vec<u8>, Vec<u8>)) = redis::pipe()
                        .lpush(JOBS, job)
                        .brpop(reply_list(&number), 0.0)
                        .query_async(&mut connection)
                        .await?;
                    Ok(())
                }
            }
        })
    }

    fn processes(&self) -> Vec<u32> {
        [self.server.pids(), self.worker.pids()].concat()
    }
}
