//! NATS: requests to a queue group.

use std::time::Duration;

use futures_util::StreamExt;
use powerhose::{Bytes, Workers};
use tokio::runtime::{Builder, Runtime};

use super::{Program, System};
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, children, load};

const NAME: &str = "nats";

const SERVER: Program = Program {
    name: "nats-server",
    package: "nats-server",
};

pub(super) const SYSTEM: System = System {
    name: NAME,
    what: "NATS, queue group",
    needs: Some(SERVER),
    start,
    child: Some(work),
};

const SUBJECT: &str = "jobs";

struct Client {
    worker: Workers,
    executor: Runtime,
    client: async_nats::Client,
    server: Workers,
}

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    let port = children::free_port()?;
    let address = format!("127.0.0.1:{port}");
    let server =
        children::start_program(SERVER.path()?, ["-a", "127.0.0.1", "-p", &port.to_string()])?;
    let executor = load::executor(ground)?;
    let client = children::retry(|| Ok(executor.block_on(async_nats::connect(&address))?))?;
    let worker = children::start(NAME, &address)?;
    children::retry(|| {
        let answer = executor.block_on(client.request(SUBJECT, "ready?".into()));
        Ok(answer.map(drop)?)
    })?;
    Ok(Box::new(Client {
        executor,
        client,
        server,
        worker,
    }))
}

fn work(address: &str) -> Result<(), Error> {
    let executor = Builder::new_current_thread().enable_all().build()?;
    executor.block_on(async {
        let client = async_nats::connect(address).await?;
        let mut jobs = client.queue_subscribe(SUBJECT, "workers".into()).await?;
        while let Some(job) = jobs.next().await {
            if let Some(reply) = job.reply {
                client.publish(reply, job.payload).await?;
            }
        }
        Ok(())
    })
}

impl Running for Client {
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error> {
        load::callers(&self.executor, in_flight, time, |_| {
            let client = self.client.clone();
            move || {
                let client = client.clone();
                async move {
                    let payload = Bytes::from_static(&PAYLOAD);
                    client.request(SUBJECT, payload).await?;
                    Ok(())
                }
            }
        })
    }

    fn processes(&self) -> Vec<u32> {
        [self.server.pids(), self.worker.pids()].concat()
    }
}
