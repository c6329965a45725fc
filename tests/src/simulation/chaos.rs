//! Faults as they are done, and their end.

use std::time::Duration;

use powerhose::Time;
use powerhose::master::Event;
use powerhose::worker::session::{Input, State};
use rand::RngExt;
use rand::seq::IndexedRandom;

use super::agenda::What;
use super::faults::Fault;
use super::world::{Checked, World, note};

/// How long everything may take to come to its end once faults have stopped: the longest deadline, or the longest handler
/// and the longest backoff.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often it is looked whether that is so.
const LOOK: Duration = Duration::from_millis(100);

impl World {
    pub(super) fn inject(&mut self, fault: Fault) -> Checked {
        if self.mended.is_some() {
            return Ok(());
        }
        if self.try_to(fault)? {
            note!(self, "fault: {}", fault.name());
            // Those of messages are counted message by message.
            if !matches!(fault, Fault::Loss | Fault::Duplication | Fault::Garbage) {
                self.tally.count(fault);
            }
        } else {
            let again = self.now + Duration::from_millis(20);
            self.agenda.enter(again, What::Inject { fault });
        }
        Ok(())
    }

    /// Does what the fault says, unless there is nobody to do it to.
    fn try_to(&mut self, fault: Fault) -> Result<bool, String> {
        let heartbeat = self.scenario.config.heartbeat;
        match fault {
            Fault::WorkerCrash => {
                let Some(place) = self.any_worker() else {
                    return Ok(false);
                };
                self.kill_worker(place);
                self.restart_later(place);
                self.tell_of_exit(place)?;
            }
            Fault::WorkerPause => {
                let Some(place) = self.any_worker() else {
                    return Ok(false);
                };
                let duration = self.duration(heartbeat / 4, heartbeat * 8);
                if self.one_in(4) {
                    // It has been told to leave and is stopped on its way.
                    self.drive(place, Input::Drain)?;
                }
                self.stop_worker(place, duration);
            }
            Fault::WorkerSlow => {
                let Some(place) = self.any_worker() else {
                    return Ok(false);
                };
                let slowness = self.number(3, 100);
                let until = self.now + self.duration(heartbeat / 4, heartbeat * 4);
                let process = self.process(place);
                process.slowness = slowness;
                process.slow_until = until;
            }
            Fault::WorkerDrain | Fault::WorkerStop => {
                let Some(place) = self.any_worker() else {
                    return Ok(false);
                };
                let input = if fault == Fault::WorkerDrain {
                    Input::Drain
                } else {
                    Input::Stop
                };
                self.drive(place, input)?;
            }
            Fault::MasterCrash => {
                if self.throne.core.is_none() {
                    return Ok(false);
                }
                self.end_master();
                let at = self.now + self.duration(Duration::from_millis(1), heartbeat * 6);
                self.agenda.enter(at, What::StartMaster);
            }
            Fault::MasterPause => {
                if self.throne.core.is_none() || self.throne.stopped.is_some() {
                    return Ok(false);
                }
                let duration = self.duration(heartbeat / 8, heartbeat * 8);
                self.stop_master(duration);
            }
            Fault::MasterDrain | Fault::MasterStop => {
                if self.throne.core.is_none() || self.throne.leaving {
                    return Ok(false);
                }
                self.throne.leaving = true;
                self.tell_master(if fault == Fault::MasterDrain {
                    Event::Drain
                } else {
                    Event::Stop
                })?;
            }
            Fault::Freeze => {
                let duration = self.duration(heartbeat / 8, heartbeat * 10);
                let master_first = self.one_in(2);
                if master_first {
                    self.stop_master(duration);
                }
                for place in 0..self.processes.len() {
                    let place = u8::try_from(place).expect("few workers");
                    self.stop_worker(place, duration);
                }
                if !master_first {
                    self.stop_master(duration);
                }
            }
            Fault::ConnectionLoss => {
                let Some(number) = self.any_connection() else {
                    return Ok(false);
                };
                self.sever(number);
            }
            Fault::Partition => {
                let Some(number) = self.any_connection() else {
                    return Ok(false);
                };
                let until = self.now + self.duration(heartbeat / 8, heartbeat * 12);
                let now = self.now;
                let connection = self.network.get(number);
                connection.blocked_until = until;
                connection.blocked_since = now;
                self.expect_heartbeats(number);
            }
            Fault::Delay => {
                self.weather.slowness = self.number(20, 3000);
                self.weather.slow_until = self.soon();
            }
            Fault::Loss => self.weather.lossy_until = self.soon(),
            Fault::Duplication => self.weather.echoing_until = self.soon(),
            Fault::Garbage => self.weather.garbled_until = self.soon(),
            Fault::Stray => return Ok(self.stray()),
            Fault::ServiceFlood => {
                if self.throne.core.is_none() || self.throne.leaving {
                    return Ok(false);
                }
                self.flood()?;
            }
            Fault::LateRefusal
            | Fault::Refusal
            | Fault::Overflow
            | Fault::LateWake
            | Fault::Poison
            | Fault::LongJob
            | Fault::Cancellation
            | Fault::Burst => {}
        }
        Ok(true)
    }

    /// When bad weather is over.
    fn soon(&mut self) -> Time {
        self.now + self.duration(Duration::from_millis(50), Duration::from_millis(1500))
    }

    /// The process controller tells the master that a worker's process is gone, if there is one.
    pub(super) fn tell_of_exit(&mut self, place: u8) -> Checked {
        if self.one_in(2) {
            let pid = u32::from(place) + 1;
            return self.tell_master(Event::Exited { pid });
        }
        Ok(())
    }

    fn any_worker(&mut self) -> Option<u8> {
        let places: Vec<u8> = (0..)
            .zip(&self.processes)
            .filter(|(_, process)| process.is_alive() && process.stopped.is_none())
            .map(|(place, _)| place)
            .collect();
        places.choose(&mut self.random).copied()
    }

    pub(super) fn any_connection(&mut self) -> Option<u32> {
        self.network.live().choose(&mut self.random).copied()
    }

    /// A master has drained: another one takes its place.
    pub(super) fn succeed(&mut self) {
        if self.closing {
            self.throne.closed = true;
            return;
        }
        self.throne.drained = true;
        let at = self.now + self.duration(Duration::from_millis(1), Duration::from_millis(400));
        self.agenda.enter(at, What::StartMaster);
    }

    /// No more faults; what was broken is mended.
    pub(super) fn mend(&mut self) -> Checked {
        if self.tally.kinds() < 3 {
            // There has been nobody yet to do them to.
            self.agenda.enter(self.now + LOOK, What::Mend);
            return Ok(());
        }
        note!(self, "no more faults");
        let now = self.now;
        self.mended = Some(now);
        self.weather = super::world::Weather::default();
        for (_, connection) in self.network.iter_mut() {
            connection.blocked_until = connection.blocked_until.min(now);
        }
        self.agenda.enter(now, What::StartMaster);
        let stop = self.throne.stops;
        self.resume_master(stop)?;
        for place in 0..self.processes.len() {
            let place = u8::try_from(place).expect("few workers");
            let process = self.process(place);
            process.slow_until = now;
            let stop = process.stops;
            let tainted = std::mem::replace(&mut process.tainted, false);
            self.resume_worker(place, stop)?;
            if tainted {
                self.kill_worker(place);
            }
            self.agenda.enter(now, What::StartWorker { process: place });
        }
        self.agenda.enter(now + LOOK, What::Settle);
        Ok(())
    }

    /// Everything must come to its end.
    pub(super) fn settle(&mut self) -> Checked {
        let submitted = self.bursts.iter().all(|left| *left == 0);
        if !submitted {
            // Jobs that could not be handed in, because there was nobody to take them, still come.
            self.mended = Some(self.now);
        }
        let unsettled = self.unsettled();
        if submitted && unsettled.is_none() {
            return self.close();
        }
        let since = self.mended.map_or(Duration::ZERO, |at| self.now.since(at));
        if since > PATIENCE {
            let why = unsettled.unwrap_or_default();
            return Err(format!("{since:?} after the last fault {why}"));
        }
        self.agenda.enter(self.now + LOOK, What::Settle);
        Ok(())
    }

    /// What is not as it should be when nothing goes on.
    fn unsettled(&mut self) -> Option<String> {
        let Some(core) = &self.throne.core else {
            return Some("there is no master".to_owned());
        };
        if self.throne.leaving {
            return Some("the master is leaving".to_owned());
        }
        if self.ledger.open() > 0 {
            return Some(format!("{} callers wait", self.ledger.open()));
        }
        let expected = self.processes.len().min(self.scenario.config.max_workers);
        let workers = core.workers(self.now);
        let busy: usize = workers.iter().map(|worker| worker.in_flight).sum();
        let stats = core.stats();
        if workers.len() != expected || core.active_workers() != expected || busy > 0 {
            return Some(format!(
                "{} of {expected} workers are there, {} take work, {busy} jobs are at them",
                workers.len(),
                core.active_workers()
            ));
        }
        if (stats.jobs, stats.waiting, stats.waiting_bytes) != (0, 0, 0) {
            return Some(format!(
                "{} jobs and {} bytes are left",
                stats.jobs, stats.waiting_bytes
            ));
        }
        let ready = |process: &super::process::Process| {
            process.state() == State::Active && process.handlers.is_empty()
        };
        let ready = self
            .processes
            .iter()
            .filter(|process| ready(process))
            .count();
        (ready != expected).then(|| format!("{ready} of {expected} workers are ready"))
    }

    /// The end: a few more jobs, and the master is told to end.
    fn close(&mut self) -> Checked {
        note!(self, "everything has come to its end");
        self.closing = true;
        for _ in 0..self.number(0, 4) {
            self.submit()?;
        }
        self.check_sums()?;
        let event = if self.random.random() {
            Event::Drain
        } else {
            Event::Stop
        };
        self.throne.leaving = true;
        self.tell_master(event)
    }

    /// What the master counted adds up.
    fn check_sums(&mut self) -> Checked {
        let Some(core) = &self.throne.core else {
            return Ok(());
        };
        let counters = core.stats().counters;
        let ended = counters.completed + counters.failed + counters.cancelled;
        let open = self.ledger.open() as u64;
        if counters.submitted != ended + open {
            return Err(format!(
                "{counters:?} do not add up with {open} jobs under way"
            ));
        }
        Ok(())
    }
}
