use std::{sync::Arc, time::Duration};

use crypto_jobs::{
    BROWSERID_VERIFY, DescribeKeysReply, DescribeKeysRequest, IssueReply, IssueRequest, JWT_VERIFY,
    Message, TOKEN_ISSUE, TOKEN_KEYS, VerifyJwtReply, VerifyJwtRequest, VerifyReply, VerifyRequest,
};
use powerhose::ExecuteError;
use tokio::time::Instant;

use super::{Jobs, Presence};
use crate::{clock::Arrival, failure::Failure, metrics::Metrics};

/// How long a master may take to find out that it has no worker, for a health check.
const PROBE: Duration = Duration::from_secs(1);

/// The crypto workers, as the routes see them.
#[derive(Debug)]
pub(crate) struct Crypto {
    jobs: Arc<dyn Jobs>,
    metrics: Arc<Metrics>,
    verify: Arc<str>,
    verify_jwt: Arc<str>,
    issue: Arc<str>,
    describe_keys: Arc<str>,
}

impl Crypto {
    pub(crate) fn new(jobs: Arc<dyn Jobs>, metrics: Arc<Metrics>) -> Self {
        Self {
            jobs,
            metrics,
            verify: Arc::from(BROWSERID_VERIFY),
            verify_jwt: Arc::from(JWT_VERIFY),
            issue: Arc::from(TOKEN_ISSUE),
            describe_keys: Arc::from(TOKEN_KEYS),
        }
    }

    pub(crate) fn jobs(&self) -> &dyn Jobs {
        &*self.jobs
    }

    /// Has an assertion verified.
    pub(crate) async fn verify(
        &self,
        request: &VerifyRequest,
        arrival: &Arrival,
    ) -> Result<VerifyReply, Failure> {
        self.call(&self.verify, request, arrival).await
    }

    /// Has a JWT of another issuer verified.
    pub(crate) async fn verify_jwt(
        &self,
        request: &VerifyJwtRequest,
        arrival: &Arrival,
    ) -> Result<VerifyJwtReply, Failure> {
        self.call(&self.verify_jwt, request, arrival).await
    }

    /// Has a token issued.
    pub(crate) async fn issue(
        &self,
        request: &IssueRequest,
        arrival: &Arrival,
    ) -> Result<IssueReply, Failure> {
        self.call(&self.issue, request, arrival).await
    }

    /// Has the public halves of private keys told.
    pub(crate) async fn describe_keys(
        &self,
        request: &DescribeKeysRequest,
        arrival: &Arrival,
    ) -> Result<DescribeKeysReply, Failure> {
        self.call(&self.describe_keys, request, arrival).await
    }

    /// Whether jobs get done.
    pub(crate) async fn health(&self, arrival: &Arrival) -> Health {
        match self.jobs.presence().await {
            Presence::Workers => Health::Ok,
            Presence::NoWorkers => Health::NoWorkers,
            Presence::NoMaster => Health::NoMaster,
            Presence::Master => self.probe(arrival).await,
        }
    }

    /// Has the least job done that there is.
    async fn probe(&self, arrival: &Arrival) -> Health {
        let body = crypto_jobs::encode(&DescribeKeysRequest { keys: Vec::new() });
        let timeout = arrival.share(PROBE);
        match self.jobs.execute(&self.describe_keys, body, timeout).await {
            Err(ExecuteError::NoWorkers { .. }) => Health::NoWorkers,
            Err(ExecuteError::MasterLost { .. }) => Health::NoMaster,
            // Workers that are busy are there.
            Ok(_) | Err(_) => Health::Ok,
        }
    }

    /// Dropping the future cancels the job.
    async fn call<Request: Message, Reply: Message>(
        &self,
        service: &Arc<str>,
        request: &Request,
        arrival: &Arrival,
    ) -> Result<Reply, Failure> {
        let body = crypto_jobs::encode(request);
        let started = Instant::now();
        let outcome = self.jobs.execute(service, body, arrival.remaining()).await;
        let code = outcome.as_ref().err().map_or("ok", ExecuteError::code);
        self.metrics.job(service, code, started.elapsed());
        let reply = outcome?;
        crypto_jobs::decode(&reply).map_err(|error| {
            tracing::error!(%service, %error, "a worker's reply cannot be read");
            Failure::Internal("a worker's reply cannot be read")
        })
    }
}

/// Whether jobs get done, as a health check tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// They do, if not at once.
    Ok,
    /// No worker is there.
    NoWorkers,
    /// No standalone master can be reached.
    NoMaster,
}
