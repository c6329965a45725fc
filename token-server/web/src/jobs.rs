//! Jobs: a typed request out, a typed reply back, within the deadline of the HTTP request.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use crypto_jobs::{
    BROWSERID_VERIFY, DescribeKeysReply, DescribeKeysRequest, IssueReply, IssueRequest, JWT_VERIFY,
    Message, TOKEN_ISSUE, TOKEN_KEYS, VerifyJwtReply, VerifyJwtRequest, VerifyReply, VerifyRequest,
};
use powerhose::{Bytes, ExecuteError, JobRunner, master::Stats};

use crate::{clock::Arrival, failure::Failure};

/// What a call on [`Jobs`] comes to.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where jobs are done: the one way from this tier to whoever burns CPU for it.
pub trait Jobs: fmt::Debug + Send + Sync {
    /// Has a job of `service` done within `timeout`. Dropping the future takes the job back.
    fn execute(
        &self,
        service: &Arc<str>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Answer<'_, Result<Bytes, ExecuteError>>;

    /// Whether anybody is there to do jobs.
    fn has_workers(&self) -> Answer<'_, bool>;

    /// What is counted and measured of the jobs so far.
    fn stats(&self) -> Answer<'_, Stats>;
}

impl Jobs for JobRunner {
    fn execute(
        &self,
        service: &Arc<str>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Answer<'_, Result<Bytes, ExecuteError>> {
        let job = self.job(body).service(Arc::clone(service));
        Box::pin(job.timeout(timeout).execute())
    }

    fn has_workers(&self) -> Answer<'_, bool> {
        Box::pin(async { !self.workers().await.is_empty() })
    }

    fn stats(&self) -> Answer<'_, Stats> {
        Box::pin(JobRunner::stats(self))
    }
}

/// The crypto workers, as the routes see them.
#[derive(Debug)]
pub(crate) struct Crypto {
    jobs: Arc<dyn Jobs>,
    verify: Arc<str>,
    verify_jwt: Arc<str>,
    issue: Arc<str>,
    describe_keys: Arc<str>,
}

impl Crypto {
    pub(crate) fn new(jobs: Arc<dyn Jobs>) -> Self {
        Self {
            jobs,
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

    /// Dropping the future cancels the job.
    async fn call<Request: Message, Reply: Message>(
        &self,
        service: &Arc<str>,
        request: &Request,
        arrival: &Arrival,
    ) -> Result<Reply, Failure> {
        let body = crypto_jobs::encode(request);
        let reply = self
            .jobs
            .execute(service, body, arrival.remaining())
            .await?;
        crypto_jobs::decode(&reply).map_err(|error| {
            tracing::error!(%service, %error, "a worker's reply cannot be read");
            Failure::Internal("a worker's reply cannot be read")
        })
    }
}
