//! The virtual world: a master, workers, what lies between them, and time.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use powerhose::Time;
use powerhose::master::Counters;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::agenda::{Agenda, What};
use super::coverage::Coverage;
use super::faults::{Fault, Tally};
use super::ledger::Ledger;
use super::network::Network;
use super::process::Process;
use super::report::{self, Outcomes, Report};
use super::scenario::Scenario;
use super::shadow::Shadows;
use super::throne::Throne;

/// What is found to be wrong.
pub(super) type Checked = Result<(), String>;

/// The latest things that happened, for whoever looks for the reason of a violation.
#[derive(Debug)]
pub(super) struct Trace {
    lines: VecDeque<String>,
    limit: usize,
}

impl Trace {
    pub(super) fn write(&mut self, now: Time, line: fmt::Arguments<'_>) {
        if self.lines.len() == self.limit {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{now:?} {line}"));
    }
}

pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) random: SmallRng,
    pub(super) now: Time,
    pub(super) agenda: Agenda,
    pub(super) network: Network,
    pub(super) ledger: Ledger,
    pub(super) throne: Throne,
    pub(super) processes: Vec<Process>,
    pub(super) shadows: Shadows,
    pub(super) tally: Tally,
    pub(super) coverage: Coverage,
    pub(super) outcomes: Outcomes,
    /// The master knows as many services as it can until then.
    pub(super) flooded_until: Time,
    /// Jobs of each burst that are still to be handed in.
    pub(super) bursts: Vec<u32>,
    pub(super) weather: Weather,
    /// When faults stopped.
    pub(super) mended: Option<Time>,
    /// Everything has come to its end, and the master is told to drain.
    pub(super) closing: bool,
    pub(super) executions: u32,
    /// What the cores of all reigns counted.
    pub(super) counters: Counters,
    pub(super) steps: u64,
    pub(super) trace: Option<Trace>,
}

/// What happens to messages at present.
#[derive(Debug, Default)]
pub(super) struct Weather {
    pub(super) lossy_until: Time,
    pub(super) echoing_until: Time,
    pub(super) garbled_until: Time,
    pub(super) slow_until: Time,
    pub(super) slowness: u32,
}

/// Writes a line of the trace, if there is one.
macro_rules! note {
    ($world:expr, $($what:tt)+) => {
        if let Some(trace) = &mut $world.trace {
            trace.write($world.now, format_args!($($what)+));
        }
    };
}
pub(super) use note;

impl World {
    pub(super) fn new(seed: u64, traced: Option<usize>) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let scenario = Scenario::new(&mut random);
        let mut world = Self {
            random,
            now: Time::from_nanos(1_000_000_000),
            agenda: Agenda::default(),
            network: Network::default(),
            ledger: Ledger::default(),
            throne: Throne::default(),
            processes: Vec::new(),
            shadows: Shadows::default(),
            tally: Tally::default(),
            coverage: Coverage::default(),
            outcomes: Outcomes::default(),
            flooded_until: Time::ZERO,
            bursts: scenario.bursts.clone(),
            weather: Weather::default(),
            mended: None,
            closing: false,
            executions: 0,
            counters: Counters::default(),
            steps: 0,
            trace: traced.map(|limit| Trace {
                lines: VecDeque::new(),
                limit,
            }),
            scenario,
        };
        note!(world, "{:#?}", world.scenario);
        world.begin();
        world
    }

    /// Enters what the scenario has in store.
    fn begin(&mut self) {
        let start = self.now;
        self.agenda.enter(start, What::StartMaster);
        for process in 0..self.scenario.workers.len() {
            self.processes.push(Process::default());
            let process = u8::try_from(process).expect("few workers");
            self.agenda.enter(start, What::StartWorker { process });
        }
        let chaos = self.scenario.chaos;
        for burst in 0..self.bursts.len() {
            let burst = u16::try_from(burst).expect("at most one burst for each job");
            let at = start + self.duration(Duration::ZERO, chaos);
            self.agenda.enter(at, What::Submit { burst });
        }
        for fault in self.scenario.faults.clone() {
            if fault.is_injected() || fault == Fault::ServiceFlood {
                for _ in 0..self.number(1, 3) {
                    let at = start + self.duration(Duration::ZERO, chaos);
                    self.agenda.enter(at, What::Inject { fault });
                }
            }
        }
        self.agenda.enter(start + chaos, What::Mend);
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// What must not be.
    pub(super) fn run(&mut self) -> Checked {
        while let Some((at, what)) = self.agenda.next() {
            self.now = at;
            self.happen(what)?;
            if self.throne.closed {
                return self.last_checks();
            }
        }
        Err("nothing more happens, and it is not over".to_owned())
    }

    fn happen(&mut self, what: What) -> Checked {
        match what {
            What::Submit { burst } => self.submit_next(burst),
            What::Abandon { job } => self.abandon(job),
            What::ReachMaster { connection } => self.reach_master(connection),
            What::ReachWorker { connection } => self.reach_worker(connection),
            What::Closed { connection } => self.notice_closed(connection),
            What::Sever { connection } => {
                self.sever(connection);
                Ok(())
            }
            What::HeartbeatsMissed { connection } => {
                self.miss_heartbeats(connection);
                Ok(())
            }
            What::Connect { process, socket } => {
                self.connect(process, socket);
                Ok(())
            }
            What::WakeMaster => self.wake_master(),
            What::WakeWorker { process } => self.wake_worker(process),
            What::HandlerDone { process, execution } => self.handler_done(process, execution),
            What::StartWorker { process } => self.start_worker(process),
            What::ResumeWorker { process, stop } => self.resume_worker(process, stop),
            What::StartMaster => self.start_master(),
            What::ResumeMaster { stop } => self.resume_master(stop),
            What::Inject { fault } => self.inject(fault),
            What::Mend => self.mend(),
            What::Settle => self.settle(),
        }
    }

    fn last_checks(&mut self) -> Checked {
        if let Some(core) = &self.throne.core {
            report::add(&mut self.counters, core.counters());
        }
        let kinds = self.tally.kinds();
        if kinds < 3 {
            return Err(format!("only {kinds} kinds of fault were done"));
        }
        let most = 2000 + 12 * self.ledger.len() as u64 + self.pulses() * 8;
        if self.throne.ticks > most {
            return Err(format!("{} ticks, {most} at most", self.throne.ticks));
        }
        Ok(())
    }

    /// How many heartbeat intervals there were, for all workers together.
    fn pulses(&self) -> u64 {
        let intervals = self.now.as_nanos() / self.scenario.config.heartbeat.as_nanos() as u64;
        intervals * (1 + self.processes.len() as u64)
    }

    /// The trace so far, and how sessions stand.
    pub(super) fn told(&mut self) -> Vec<String> {
        if let Some(core) = &self.throne.core {
            for worker in core.workers(self.now) {
                let (session, state, slots) = (worker.session, worker.state, worker.slots);
                let in_flight = worker.in_flight;
                note!(
                    self,
                    "session {session}: {state:?}, {in_flight} jobs for {slots} slots"
                );
            }
        }
        for shadow in self.shadows.iter() {
            note!(self, "as seen: {shadow:?}");
        }
        self.trace
            .take()
            .map_or_else(Vec::new, |trace| trace.lines.into())
    }

    pub(super) fn report(&self) -> Report {
        Report {
            jobs: self.ledger.len() as u64,
            executions: self.executions.into(),
            steps: self.steps,
            virtual_time: self.now.since(Time::from_nanos(1_000_000_000)),
            faults: self.tally,
            coverage: self.coverage,
            outcomes: self.outcomes,
            counters: self.counters,
        }
    }
}
