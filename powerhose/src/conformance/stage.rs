//! The master that the worker meets.

use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::Settings;
use super::error::Flaw;
use super::letter::Way;
use super::process::{self, Process};
use crate::driver::clock::Clock;
use crate::driver::endpoint::{Endpoint, Reach};
use crate::driver::socket::{Dealer, Options, Router};
use crate::wire::{JobKey, Register, Registered, ResultCode, ToWorker};

/// How often the kit looks whether the worker has ended while it waits for a message.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// Large enough for the bodies of the checks.
const MAX_FRAME: u64 = 64 * 1024 * 1024;

/// The terms of a session that the check has no wish about: the worker pings seldom.
pub(super) const CALM: Registered = Registered {
    heartbeat_ms: 10_000,
    misses: 3,
    max_body: 16 * 1024 * 1024,
    implementation: String::new(),
};

/// Terms of a session in which silence is noticed soon.
pub(super) const LIVELY: Registered = Registered {
    heartbeat_ms: 150,
    misses: 3,
    max_body: 16 * 1024 * 1024,
    implementation: String::new(),
};

/// A worker, and the end of the wire that faces it.
pub(super) struct Stage {
    pub(super) patience: Duration,
    /// Whether HEARTBEATs of the session are answered as a master does.
    pub(super) answers: bool,
    /// The session that the worker was given last.
    pub(super) session: u64,
    /// What the worker offered last.
    pub(super) offer: Option<Register>,
    /// The connection of the present session.
    pub(super) connection: Option<u64>,
    pub(super) clock: Clock,
    command: String,
    endpoint: Endpoint,
    pub(super) process: Option<Process>,
    pub(super) own: Option<Dealer>,
    pub(super) router: Option<Router>,
    context: zmq::Context,
    jobs: u64,
    directory: TempDir,
}

impl Stage {
    pub(super) fn new(settings: &Settings) -> Result<Self, Flaw> {
        let directory = (tempfile::Builder::new().prefix("ph-"))
            .tempdir()
            .map_err(|error| Flaw::kit("cannot make a directory for sockets", &error))?;
        let path = directory.path().join("m");
        let endpoint = Endpoint::to_bind(&format!("ipc://{}", path.display()), Reach::Loopback)
            .map_err(|error| Flaw::kit("cannot listen", &error))?;
        let mut stage = Self {
            patience: settings.patience,
            answers: true,
            session: rand::random_range(1..=u64::MAX),
            offer: None,
            connection: None,
            clock: Clock::new(),
            command: settings.command.clone(),
            endpoint,
            process: None,
            own: None,
            router: None,
            context: zmq::Context::new(),
            jobs: 0,
            directory,
        };
        stage.listen()?;
        Ok(stage)
    }

    /// Listens, as a master that has just started.
    pub(super) fn listen(&mut self) -> Result<(), Flaw> {
        let mut router = Router::new(&self.context, &OPTIONS, "backend");
        router
            .bind(&self.endpoint)
            .map_err(|error| Flaw::kit("cannot listen", &error))?;
        self.router = Some(router);
        Ok(())
    }

    /// The end of a master that was killed.
    pub(super) fn vanish(&mut self) {
        self.own = None;
        self.router = None;
        self.connection = None;
    }

    /// Starts the worker.
    pub(super) fn start(&mut self) -> Result<(), Flaw> {
        self.launch(None)
    }

    /// Starts the worker with a limit on how long it looks for a master.
    pub(super) fn launch(&mut self, reconnect_limit: Option<&str>) -> Result<(), Flaw> {
        let directory = self.directory.path();
        self.process = Some(Process::start(
            &self.command,
            &self.endpoint.to_string(),
            &directory.join("w"),
            reconnect_limit,
            directory.join("said"),
        )?);
        Ok(())
    }

    pub(super) fn terminate(&self) {
        if let Some(process) = &self.process {
            process.terminate();
        }
    }

    /// Gives the worker a new session.
    pub(super) fn grant(&mut self, terms: &Registered) -> Result<(), Flaw> {
        self.session = self.session.wrapping_mul(3).wrapping_add(1).max(1);
        self.repeat_grant(terms)?;
        self.connect_own()
    }

    /// Connects to the worker's own socket, if it offered one.
    pub(super) fn connect_own(&mut self) -> Result<(), Flaw> {
        let socket = self.offer.as_ref().and_then(|offer| offer.socket.clone());
        if let Some(path) = socket {
            let endpoint = Endpoint::to_connect(&format!("ipc://{path}"), Reach::Loopback)
                .map_err(|error| Flaw::kit("cannot connect to the worker's own socket", &error))?;
            let own = Dealer::connect(&self.context, &endpoint, &OPTIONS, None)
                .map_err(|error| Flaw::kit("cannot open a socket", &error))?;
            self.own = Some(own);
        }
        Ok(())
    }

    /// REGISTERED, of the present session.
    pub(super) fn repeat_grant(&mut self, terms: &Registered) -> Result<(), Flaw> {
        self.send(ToWorker::Registered {
            session: self.session,
            terms: terms.clone(),
        })
    }

    /// Starts the worker and gives it its first session.
    pub(super) fn welcome(&mut self, terms: &Registered) -> Result<(), Flaw> {
        self.start()?;
        self.registration("REGISTER")?;
        self.grant(terms)
    }

    /// Starts the worker, gives it a session and has it do a job, which proves that it is at work.
    pub(super) fn at_work(&mut self, terms: &Registered) -> Result<(), Flaw> {
        self.welcome(terms)?;
        self.works("a RESULT for the first job")
    }

    /// Has the worker do a job. Nothing else may come before.
    pub(super) fn works(&mut self, expected: &str) -> Result<(), Flaw> {
        let key = self.job(b"echo ready")?;
        let (code, body) = self.result(key, expected)?;
        if code != ResultCode::Ok || body != "ready" {
            return Err(Flaw::other(
                format!("{expected}, ok and `ready`"),
                format!("{} and {body:?}", code.name()),
            ));
        }
        Ok(())
    }

    /// The index of a service in the worker's offer.
    pub(super) fn service(&self, name: &str) -> Result<u16, Flaw> {
        let services = self.offer.as_ref().map(|offer| &offer.services);
        let place = services.and_then(|services| services.iter().position(|one| one == name));
        (place.and_then(|place| u16::try_from(place).ok())).ok_or_else(|| {
            Flaw::other(
                format!("a worker that offers the service `{name}`, as the kit asks for"),
                format!("one that offers {services:?}"),
            )
        })
    }

    /// The connection of the present session.
    pub(super) fn way(&self) -> Option<Way> {
        self.connection.map(Way::Master)
    }

    /// Whether jobs go to the worker's own socket.
    pub(super) fn takes_jobs_itself(&self) -> bool {
        self.own.is_some()
    }

    /// The slots of the worker.
    pub(super) fn slots(&self) -> u16 {
        self.offer.as_ref().map_or(1, |offer| offer.slots)
    }

    /// The number of the next job, first attempt.
    pub(super) fn next_key(&mut self) -> JobKey {
        self.jobs += 1;
        JobKey {
            job: self.jobs,
            attempt: 1,
        }
    }

    /// Sends a job to the service `conformance`.
    pub(super) fn job(&mut self, body: &'static [u8]) -> Result<JobKey, Flaw> {
        let service = self.service("conformance")?;
        self.job_for(service, 60_000, Bytes::from_static(body))
    }

    /// Sends a job with all that a job has.
    pub(super) fn job_for(
        &mut self,
        service: u16,
        budget_ms: u32,
        body: Bytes,
    ) -> Result<JobKey, Flaw> {
        let key = self.next_key();
        self.send(ToWorker::Job {
            session: self.session,
            key,
            service,
            budget_ms,
            body,
            metadata: None,
        })?;
        Ok(key)
    }

    /// Takes every slot for this long.
    pub(super) fn occupy(&mut self, body: &'static [u8]) -> Result<Vec<JobKey>, Flaw> {
        (0..self.slots()).map(|_| self.job(body)).collect()
    }

    /// Waits for the end of the worker.
    pub(super) fn exits_with(&mut self, code: i32) -> Result<(), Flaw> {
        let expected = format!("the worker to exit with code {code}");
        let status = self.end(&expected)?;
        if status.code() == Some(code) {
            return Ok(());
        }
        Err(Flaw::other(expected, process::describe(status)))
    }

    fn end(&mut self, expected: &str) -> Result<ExitStatus, Flaw> {
        let until = self.clock.now() + self.patience;
        loop {
            if let Some(status) = self.process.as_mut().and_then(Process::ended) {
                return Ok(status);
            }
            if self.clock.now() >= until {
                return Err(self.nothing(expected));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits for a time in which the worker must do nothing that the kit could wait for.
    pub(super) fn pause(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    pub(super) fn nothing(&self, expected: &str) -> Flaw {
        Flaw::Nothing {
            expected: expected.into(),
            within: self.patience,
        }
    }

    /// A failure with what the worker wrote last.
    pub(super) fn explain(&self, flaw: &Flaw) -> String {
        match self.process.as_ref().map(Process::last_words) {
            Some(words) if !words.is_empty() => format!("{flaw}\nthe worker wrote:\n{words}"),
            _ => flaw.to_string(),
        }
    }
}

const OPTIONS: Options = Options {
    max_frame: MAX_FRAME,
    linger: Duration::from_millis(500),
    heartbeat: None,
};
