//! Those who hand in jobs.

use std::sync::Arc;
use std::time::Duration;

use powerhose::master::{Event, NewJob, Ticket};
use powerhose::wire::ResultCode;
use powerhose::wire::limits::MAX_SERVICE_NAME;
use powerhose::{Bytes, ExecuteError};
use rand::RngExt;

use super::agenda::What;
use super::faults::Fault;
use super::ledger::{End, Job, Work, payload};
use super::scenario::{SERVICES, between, pick};
use super::world::{Checked, World};

/// More services than a master can know.
const FLOOD: u32 = 1100;

impl World {
    /// The next job of a burst. While there is no master it waits.
    pub(super) fn submit_next(&mut self, burst: u16) -> Checked {
        let absent = self.throne.core.is_none() || (self.throne.leaving && self.one_in(2));
        let next = if absent {
            self.now + Duration::from_millis(30)
        } else {
            self.submit()?;
            self.bursts[usize::from(burst)] -= 1;
            self.now + self.duration(Duration::ZERO, self.scenario.gap)
        };
        if self.bursts[usize::from(burst)] > 0 {
            self.agenda.enter(next, What::Submit { burst });
        }
        Ok(())
    }

    pub(super) fn submit(&mut self) -> Checked {
        let service = self.random.random_range(0..self.scenario.services.len());
        let takes = self.scenario.services[service];
        let long = self.one_in(self.scenario.long_in);
        let end = self.choose_end();
        if long {
            self.tally.count(Fault::LongJob);
        }
        let takes = if long {
            self.duration(Duration::from_millis(10), Duration::from_millis(2500))
        } else {
            self.duration(takes.least, takes.most)
        };
        let timeout = (self.one_in(self.scenario.attempt_timeout_in))
            .then(|| between(&mut self.random, self.scenario.attempt_timeout));
        let ticket = u32::try_from(self.ledger.len()).expect("a run has few jobs");
        let padding = self.random.random_range(0..=40);
        let job = Job {
            deadline: self.now + between(&mut self.random, self.scenario.deadline),
            attempts: self.random.random_range(1..=3),
            at_most_once: self.one_in(self.scenario.at_most_once_in),
            work: Work {
                takes,
                end,
                heeds_cancellation: self.random.random(),
            },
            ..Job::new(
                u8::try_from(service).expect("few services"),
                payload(ticket, padding),
            )
        };
        if self.one_in(self.scenario.cancelled_in) {
            let patience = between(&mut self.random, (Duration::ZERO, takes * 4));
            self.agenda
                .enter(self.now + patience, What::Abandon { job: ticket });
        }
        self.hand_in(job, SERVICES[service].into(), timeout)
    }

    fn choose_end(&mut self) -> End {
        if self.one_in(self.scenario.poison_in) {
            return End::Death;
        }
        if !self.one_in(self.scenario.failing_in) {
            return End::Answer(ResultCode::Ok);
        }
        let failures = [
            ResultCode::Failed,
            ResultCode::Failed,
            ResultCode::Panicked,
            ResultCode::TooLarge,
            ResultCode::Overrun,
        ];
        End::Answer(pick(&mut self.random, &failures))
    }

    fn hand_in(
        &mut self,
        job: Job,
        service: Arc<str>,
        attempt_timeout: Option<Duration>,
    ) -> Checked {
        let new = NewJob {
            service,
            body: job.body.clone(),
            metadata: None,
            deadline: job.deadline,
            attempt_timeout,
            attempts: job.attempts,
            at_most_once: job.at_most_once,
            client: u32::try_from(self.ledger.len() % 3).expect("at most 2"),
        };
        let ticket = Ticket(self.ledger.add(job).into());
        self.tell_master(Event::Submit { ticket, job: new })
    }

    /// A caller goes away.
    pub(super) fn abandon(&mut self, ticket: u32) -> Checked {
        let ticket = Ticket(ticket.into());
        self.tell_master(Event::Cancel { ticket })
    }

    /// Jobs for services that nobody has heard of. Each is one that the master has to know until the job's deadline.
    pub(super) fn flood(&mut self) -> Checked {
        self.submit_nameless()?;
        for number in 0..FLOOD {
            let ticket = u32::try_from(self.ledger.len()).expect("a run has few jobs");
            let deadline = self.now + Duration::from_millis(300);
            let job = Job {
                deadline,
                ..Job::new(u8::MAX, payload(ticket, 0))
            };
            self.hand_in(job, format!("unheard-{number}").into(), None)?;
        }
        for wait in [10, 60, 110, 160, 210] {
            let at = self.now + Duration::from_millis(wait);
            self.agenda.enter(
                at,
                What::Inject {
                    fault: Fault::Stray,
                },
            );
        }
        self.flooded_until = self.now + Duration::from_millis(300);
        Ok(())
    }

    /// A job for a service whose name is none.
    fn submit_nameless(&mut self) -> Checked {
        let ticket = u32::try_from(self.ledger.len()).expect("a run has few jobs");
        let job = Job {
            deadline: self.now + Duration::from_millis(300),
            ..Job::new(u8::MAX, payload(ticket, 0))
        };
        self.hand_in(job, "n".repeat(MAX_SERVICE_NAME + 1).into(), None)
    }

    pub(super) fn count_outcome(&mut self, result: &Result<Bytes, ExecuteError>) {
        if let Err(ExecuteError::Overloaded { .. }) = result {
            self.tally.count(Fault::Burst);
        }
        self.outcomes.count(result);
    }
}
