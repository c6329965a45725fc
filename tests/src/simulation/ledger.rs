//! The jobs of a run, and what they were promised.

use std::time::Duration;

use powerhose::master::Ticket;
use powerhose::wire::{CancelReason, JobKey, ResultCode};
use powerhose::{Bytes, ExecuteError, Started, Time};

/// What becomes of a worker that runs a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The handler answers this. `Ok` and `TooLarge` bring a body.
    Answer(ResultCode),
    /// The process dies.
    Death,
}

/// What a handler does with a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) takes: Duration,
    pub(super) end: End,
    /// Whether it gives up when it is cancelled.
    pub(super) heeds_cancellation: bool,
}

/// Where a job stands with its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is on its way to the master's process.
    Coming,
    /// The master has it, and the caller waits.
    Open,
    /// The caller has its outcome.
    Done,
    /// The caller went away first.
    Abandoned,
    /// The master that had it died.
    Lost,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) service: u8,
    pub(super) body: Bytes,
    pub(super) deadline: Time,
    pub(super) attempts: u8,
    pub(super) at_most_once: bool,
    pub(super) work: Work,
    pub(super) standing: Standing,
    /// The session that has it, and the number of the attempt that the caller waits for.
    pub(super) at: Option<(u64, u8)>,
    /// Its number on the wire, and the number of its latest attempt.
    pub(super) number: Option<u64>,
    pub(super) attempt: u8,
    /// The attempts that count: all but those handed back.
    pub(super) used: u8,
    /// A worker was lost that had it.
    pub(super) suspected: bool,
    /// Nobody may start it: its caller was told that nobody has.
    pub(super) not_started: bool,
    /// The attempts that handlers were given.
    pub(super) executions: Vec<u8>,
    /// The handlers that came to a good end.
    pub(super) results: u32,
    /// The handlers that were told to give up.
    pub(super) cancellations: u32,
    /// The workers that were lost while they had it and nothing else, because it was suspected.
    pub(super) lonely_deaths: u8,
}

/// Every job handed in so far; tickets are their places.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    jobs: Vec<Job>,
    open: usize,
    /// The open ones that are suspected.
    suspects: usize,
}

/// What makes a result out of a ticket.
const SALT: u64 = 0x5eed_5eed_5eed_5eed;

/// The payload of a job: its ticket and some padding.
pub(super) fn payload(ticket: u32, padding: usize) -> Bytes {
    let mut body = vec![0; 8 + padding];
    body[..8].copy_from_slice(&u64::from(ticket).to_le_bytes());
    body.into()
}

/// The ticket in a payload.
pub(super) fn ticket_in(body: &[u8]) -> Option<u32> {
    let ticket = u64::from_le_bytes(body.get(..8)?.try_into().ok()?);
    u32::try_from(ticket).ok()
}

/// The result of a job: what only its payload leads to.
pub(super) fn result_of(body: &[u8]) -> Bytes {
    let ticket = u64::from(ticket_in(body).unwrap_or(u32::MAX));
    let mixed = (ticket ^ SALT).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ body.len() as u64;
    Bytes::copy_from_slice(&mixed.to_le_bytes())
}

impl Ledger {
    pub(super) fn add(&mut self, job: Job) -> u32 {
        self.jobs.push(job);
        u32::try_from(self.jobs.len() - 1).expect("a run has few jobs")
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// The jobs whose callers wait.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn get(&mut self, ticket: u32) -> &mut Job {
        &mut self.jobs[ticket as usize]
    }

    /// The job of a payload, unless that is a stray one.
    pub(super) fn of(&mut self, body: &[u8]) -> Option<(u32, &mut Job)> {
        let ticket = ticket_in(body)?;
        Some((ticket, self.jobs.get_mut(ticket as usize)?))
    }

    /// The master is given a job.
    pub(super) fn arrive(&mut self, ticket: u32) {
        self.get(ticket).standing = Standing::Open;
        self.open += 1;
    }

    /// The caller of a job does not wait any more.
    pub(super) fn close(&mut self, ticket: u32, standing: Standing) {
        let job = &mut self.jobs[ticket as usize];
        if job.standing == Standing::Open {
            job.standing = standing;
            self.open -= 1;
            self.suspects -= usize::from(job.suspected);
        }
    }

    /// A worker was lost that had an open job.
    pub(super) fn suspect(&mut self, ticket: u32) {
        let job = &mut self.jobs[ticket as usize];
        if job.suspected {
            job.lonely_deaths += 1;
        } else {
            job.suspected = true;
            self.suspects += 1;
        }
    }

    /// Everything that the master had is lost with it.
    pub(super) fn lose_all(&mut self) {
        for job in &mut self.jobs {
            if matches!(job.standing, Standing::Coming | Standing::Open) {
                job.standing = Standing::Lost;
            }
        }
        self.open = 0;
        self.suspects = 0;
    }

    /// Whether any job whose caller waits is suspected: then workers may be kept free for it.
    pub(super) fn any_suspects(&self) -> bool {
        self.suspects > 0
    }

    /// A handler is given a job.
    pub(super) fn execute(&mut self, ticket: u32, attempt: u8) -> Result<(), String> {
        let job = self.get(ticket);
        if job.not_started {
            return Err(format!(
                "job {ticket} started after its caller was told that it had not"
            ));
        }
        if job.executions.contains(&attempt) {
            return Err(format!("attempt {attempt} of job {ticket} started twice"));
        }
        job.executions.push(attempt);
        let allowed = job.allowed();
        if job.executions.len() > usize::from(allowed) {
            return Err(format!(
                "job {ticket} started {} times, {allowed} allowed",
                job.executions.len()
            ));
        }
        Ok(())
    }

    /// A caller is given an outcome. `late` is how much later than the deadline that may be.
    pub(super) fn complete(
        &mut self,
        ticket: Ticket,
        result: &Result<Bytes, ExecuteError>,
        now: Time,
        late: Duration,
    ) -> Result<(), String> {
        let place = u32::try_from(ticket.0).unwrap_or(u32::MAX);
        let Some(job) = self.jobs.get_mut(place as usize) else {
            return Err(format!("{ticket:?} was never handed in"));
        };
        if job.standing != Standing::Open {
            return Err(format!(
                "{ticket:?} is {:?} and gets an outcome",
                job.standing
            ));
        }
        self.close(place, Standing::Done);
        let job = self.get(place);
        job.check_outcome(result, now)
            .map_err(|why| format!("{ticket:?} ended with {result:?}, but {why}"))?;
        if now > job.deadline + late {
            let late = now.since(job.deadline);
            return Err(format!("{ticket:?} ended {late:?} after its deadline"));
        }
        Ok(())
    }
}

impl Job {
    /// A job that does nothing and has as many attempts as there may be.
    pub(super) fn new(service: u8, body: Bytes) -> Self {
        Self {
            service,
            body,
            deadline: Time::ZERO,
            attempts: 3,
            at_most_once: false,
            work: Work {
                takes: Duration::ZERO,
                end: End::Answer(ResultCode::Ok),
                heeds_cancellation: false,
            },
            standing: Standing::Coming,
            at: None,
            number: None,
            attempt: 0,
            used: 0,
            suspected: false,
            not_started: false,
            executions: Vec::new(),
            results: 0,
            cancellations: 0,
            lonely_deaths: 0,
        }
    }

    /// The attempt under way is called off. One that is recalled while there may be but one other is still waited for.
    pub(super) fn call_off(&mut self, reason: CancelReason) {
        if reason != CancelReason::Recalled || self.used + 1 < self.allowed() {
            self.at = None;
        }
    }

    /// How often it may be started.
    fn allowed(&self) -> u8 {
        if self.at_most_once { 1 } else { self.attempts }
    }

    /// The job goes out to a worker.
    pub(super) fn check_send(
        &mut self,
        session: u64,
        key: JobKey,
        budget_ms: u32,
        now: Time,
    ) -> Result<(), String> {
        let must = |condition, why: &str| {
            if condition {
                Ok(())
            } else {
                Err(why.to_owned())
            }
        };
        must(self.standing == Standing::Open, "nobody waits for it")?;
        must(
            *self.number.get_or_insert(key.job) == key.job,
            "it had another number",
        )?;
        must(
            key.attempt == self.attempt + 1,
            "that is not its next attempt",
        )?;
        let budget = self.deadline.since(now).as_nanos().div_ceil(1_000_000);
        must(
            u128::from(budget_ms) == budget && budget > 0,
            "that is not the time it has left",
        )?;
        self.attempt = key.attempt;
        self.used += 1;
        self.at = Some((session, key.attempt));
        Ok(())
    }

    fn check_outcome(
        &mut self,
        result: &Result<Bytes, ExecuteError>,
        now: Time,
    ) -> Result<(), &'static str> {
        let must = |condition, why| if condition { Ok(()) } else { Err(why) };
        let answers = |code| self.work.end == End::Answer(code);
        match result {
            Ok(body) => {
                must(*body == result_of(&self.body), "that is not its result")?;
                must(self.results > 0, "no handler came to a good end")?;
            }
            Err(error) => {
                if error.started() == Started::No {
                    must(self.executions.is_empty(), "it was started")?;
                    self.not_started = true;
                }
                if error.started() == Started::Finished {
                    must(!self.executions.is_empty(), "it was not started")?;
                }
                match error {
                    ExecuteError::DeadlineExceeded { .. } | ExecuteError::NoWorkers { .. } => {
                        // A flood of services is refused at once.
                        let refused = matches!(error, ExecuteError::NoWorkers { .. });
                        must(refused || now >= self.deadline, "it has time left")?;
                    }
                    ExecuteError::WorkerLost { attempts } => {
                        let used_up = *attempts == self.allowed() || self.attempt >= 250;
                        must(used_up, "it has attempts left")?;
                        must(self.lonely_deaths < 2, "it is poison")?;
                    }
                    ExecuteError::AttemptsTimedOut { attempts } => {
                        must(*attempts == self.allowed(), "it has attempts left")?;
                    }
                    ExecuteError::Poison { deaths } => {
                        let witnessed = *deaths == 2 && self.lonely_deaths == 2;
                        must(witnessed, "not so many workers died of it")?;
                    }
                    ExecuteError::Failed { .. } => {
                        must(answers(ResultCode::Failed), "it does not fail")?;
                    }
                    ExecuteError::Panicked { .. } => {
                        must(answers(ResultCode::Panicked), "it does not panic")?;
                    }
                    ExecuteError::TooLarge { .. } => {
                        must(answers(ResultCode::TooLarge), "its result is not too large")?;
                    }
                    ExecuteError::InvalidService { .. } => {
                        must(self.service == u8::MAX, "its service has a name")?;
                    }
                    ExecuteError::Overrun => {
                        must(answers(ResultCode::Overrun), "it does not overrun")?;
                    }
                    ExecuteError::Abandoned => must(self.cancellations > 0, "nobody cancelled it")?,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
