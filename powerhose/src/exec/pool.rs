//! The processes of a program.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::builder::{Mode, ProgramBuilder};
use super::call::{Call, Limit};
use super::failure::CallError;
use super::process::{Handle, Process};
use super::starter::Starter;
use super::stream;
use crate::ExitCause;
use crate::driver::clock::Clock;
use crate::driver::pipes::Turn;
use crate::time::Time;

/// How long processes may take to end after their input was closed, where nobody says otherwise.
const GRACE: Duration = Duration::from_secs(1);

/// The first delay before a process is started whose predecessors died, one after the other, without an answer to any job.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);

/// The longest such delay.
const BACKOFF_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Pool {
    settings: ProgramBuilder,
    clock: Clock,
    state: Mutex<State>,
    starter: Starter,
}

#[derive(Debug, Default)]
struct State {
    /// Processes that wait for a job.
    idle: Vec<Process>,
    /// Those that work on one.
    busy: BTreeMap<u32, Handle>,
    is_closed: bool,
    /// Deaths since a process last answered.
    deaths: u32,
    /// Until when none is started.
    not_before: Time,
}

impl Pool {
    pub(super) fn start(settings: ProgramBuilder, slots: u16) -> io::Result<Self> {
        let pool = Self {
            starter: Starter::new(settings.command.clone())?,
            settings,
            clock: Clock::new(),
            state: Mutex::default(),
        };
        if pool.settings.mode == Mode::Stream {
            for _ in 0..slots {
                let process = pool.starter.start(Vec::new())?;
                pool.state().idle.push(process);
            }
        }
        Ok(pool)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn call(&self, call: &Call<'_>) -> Result<Bytes, CallError> {
        let limit = Limit::new(call, self.settings.job_timeout);
        match self.settings.mode {
            Mode::Stream => self.call_stream(call, &limit),
            Mode::PerJob => self.call_once(call, &limit),
        }
    }

    fn call_stream(&self, call: &Call<'_>, limit: &Limit<'_>) -> Result<Bytes, CallError> {
        let mut process = self.take(limit)?;
        self.begin(&process)?;
        let max_answer = self.settings.max_answer;
        let answer = stream::exchange(&mut process.pipes, call.body, max_answer, limit);
        self.end(&process);
        match answer {
            Ok(Some(answer)) => {
                self.put_back(process);
                Ok(answer)
            }
            Err(error @ CallError::Failed { .. }) => {
                self.put_back(process);
                Err(error)
            }
            Ok(None) => {
                let cause = process.reap();
                tracing::warn!(pid = process.id, %cause, "the program ended over a job");
                self.bury();
                Err(CallError::Died { cause })
            }
            Err(error) => {
                process.handle.kill();
                tracing::warn!(pid = process.id, why = %error, "killed the program over a job");
                self.replace();
                Err(error)
            }
        }
    }

    fn call_once(&self, call: &Call<'_>, limit: &Limit<'_>) -> Result<Bytes, CallError> {
        let environment = vec![
            ("POWERHOSE_SERVICE", call.service.to_owned()),
            ("POWERHOSE_ATTEMPT", call.attempt.to_string()),
            ("POWERHOSE_TIMEOUT_MS", call.timeout.as_millis().to_string()),
        ];
        let started = self.starter.start(environment);
        let mut process = started.map_err(|source| CallError::NotStarted { source })?;
        self.begin(&process)?;
        let answer = self.run_once(&mut process, call.body, limit);
        self.end(&process);
        if answer.is_err() {
            process.handle.kill();
        }
        let answer = answer?;
        match process.reap() {
            ExitCause::Code(0) => Ok(answer),
            ExitCause::Code(code) => {
                let line = process.last_line.take();
                let message = line.unwrap_or_else(|| format!("exit code {code}")).into();
                Err(CallError::Failed { message })
            }
            cause => Err(CallError::Died { cause }),
        }
    }

    /// Hands the whole job to a process and receives all that it writes.
    fn run_once(
        &self,
        process: &mut Process,
        body: &[u8],
        limit: &Limit<'_>,
    ) -> Result<Bytes, CallError> {
        let max = self.settings.max_answer;
        let mut unsent = body;
        let mut received = Vec::new();
        loop {
            if unsent.is_empty() {
                process.pipes.close_input();
            }
            let timeout = limit.check()?;
            let turn = (process.pipes)
                .turn(&mut unsent, &mut received, max.saturating_add(1), timeout)
                .map_err(|source| CallError::Pipe { source })?;
            if received.len() > max {
                let len = received.len();
                return Err(CallError::TooLarge { len, limit: max });
            }
            if turn == Turn::Ended {
                return Ok(received.into());
            }
        }
    }

    /// A process that is ready for a job. Starts one if there is none, after a delay if those before it died young.
    fn take(&self, limit: &Limit<'_>) -> Result<Process, CallError> {
        loop {
            let idle = self.state().idle.pop();
            let Some(mut process) = idle else { break };
            if process.is_ready() {
                return Ok(process);
            }
            let cause = process.handle.kill();
            tracing::warn!(pid = process.id, %cause, "the program ended, or wrote, without a job");
            self.bury();
        }
        let wait = self.state().not_before.since(self.clock.now());
        limit.pause(wait)?;
        (self.starter.start(Vec::new())).map_err(|source| CallError::NotStarted { source })
    }

    fn begin(&self, process: &Process) -> Result<(), CallError> {
        let mut state = self.state();
        if state.is_closed {
            drop(state);
            process.handle.kill();
            return Err(CallError::GivenUp);
        }
        state.busy.insert(process.id, process.handle.clone());
        Ok(())
    }

    fn end(&self, process: &Process) {
        self.state().busy.remove(&process.id);
    }

    fn put_back(&self, process: Process) {
        self.state().deaths = 0;
        self.keep(process);
    }

    fn keep(&self, process: Process) {
        let mut state = self.state();
        if state.is_closed {
            drop(state);
            process.handle.kill();
        } else {
            state.idle.push(process);
        }
    }

    /// Takes note of a process that died. The first death may be the job's fault; more look like the program's.
    fn bury(&self) {
        let mut state = self.state();
        state.deaths = state.deaths.saturating_add(1);
        let Some(doublings) = state.deaths.checked_sub(2) else {
            drop(state);
            return self.replace();
        };
        let factor = 2_u32.saturating_pow(doublings.min(16));
        let delay = BACKOFF_FIRST.saturating_mul(factor).min(BACKOFF_LIMIT);
        state.not_before = self.clock.now() + delay;
    }

    /// Has a process ready for the next job.
    fn replace(&self) {
        match self.starter.start(Vec::new()) {
            Ok(process) => self.keep(process),
            Err(error) => tracing::error!(%error, "the program cannot be started again"),
        }
    }

    pub(super) fn close(&self, grace: Duration) {
        let (mut idle, busy) = {
            let mut state = self.state();
            state.is_closed = true;
            (mem::take(&mut state.idle), mem::take(&mut state.busy))
        };
        for handle in busy.values() {
            handle.kill();
        }
        for process in &mut idle {
            process.pipes.close_input();
        }
        let clock = Clock::new();
        for process in &idle {
            let left = (Time::ZERO + grace).since(clock.now());
            if process.handle.wait_for(left).is_none() {
                process.handle.kill();
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close(GRACE);
    }
}
