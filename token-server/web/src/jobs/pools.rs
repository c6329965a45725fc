//! The two pools of workers: this process's own, and that of a standalone master.

use std::{sync::Arc, time::Duration};

use powerhose::{Bytes, Client, Execute, ExecuteError, JobRunner};

use super::{Answer, Jobs, Observation, Presence};

fn execute<'a>(
    pool: &'a impl Execute,
    service: &Arc<str>,
    body: Vec<u8>,
    timeout: Duration,
) -> Answer<'a, Result<Bytes, ExecuteError>> {
    let job = pool.job(body.into()).service(Arc::clone(service));
    Box::pin(job.timeout(timeout).execute())
}

impl Jobs for JobRunner {
    fn execute(
        &self,
        service: &Arc<str>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Answer<'_, Result<Bytes, ExecuteError>> {
        execute(self, service, body, timeout)
    }

    fn presence(&self) -> Answer<'_, Presence> {
        Box::pin(async {
            match self.workers().await.is_empty() {
                true => Presence::NoWorkers,
                false => Presence::Workers,
            }
        })
    }

    fn observe(&self) -> Answer<'_, Observation> {
        Box::pin(async { Observation::Own(Box::new(self.stats().await)) })
    }
}

impl Jobs for Client {
    fn execute(
        &self,
        service: &Arc<str>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Answer<'_, Result<Bytes, ExecuteError>> {
        execute(self, service, body, timeout)
    }

    fn presence(&self) -> Answer<'_, Presence> {
        let presence = match self.master() {
            Some(_) => Presence::Master,
            None => Presence::NoMaster,
        };
        Box::pin(async move { presence })
    }

    fn observe(&self) -> Answer<'_, Observation> {
        let serving = self.master();
        let masters = self.endpoints().iter();
        let observation = Observation::Shared {
            masters: masters
                .map(|endpoint| (endpoint.clone(), serving == Some(endpoint)))
                .collect(),
            losses: self.masters_lost(),
        };
        Box::pin(async move { observation })
    }
}
