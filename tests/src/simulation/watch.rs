//! The onlooker: sees every event that the core is given and every action it takes, and knows what must not be.

mod cover;

use std::time::Duration;

use powerhose::master::{Action, Event, Peer, Ticket, WorkerState};
use powerhose::wire::{
    CancelReason, DisconnectReason, FromWorker, JobKey, Register, RejectReason, ResultCode,
    ToWorker,
};

use super::coverage::Seen;
use super::faults::Fault;
use super::ledger::{Standing, ticket_in};
use super::scenario::SERVICES;
use super::shadow::{Shadow, Shot};
use super::world::{Checked, World};

/// What was so before an event.
pub(super) struct Glance {
    event: Kind,
    /// The worker that the event is about.
    before: Seen,
    waiting: (usize, usize),
}

/// An event, as far as protocol.md's table tells it from others.
enum Kind {
    Register {
        peer: Peer,
        register: Register,
        row: usize,
    },
    /// Something about a session, by the number of its row.
    Of {
        session: u64,
        row: usize,
    },
    /// RESULT of an unknown session: the master cannot tell which of three rows it is.
    StrayResult,
    Malformed {
        peer: Peer,
    },
    /// The connection of this session is gone.
    Unreachable {
        session: u64,
    },
    Submit,
    /// The caller of this attempt went away, or of one that no worker has.
    Cancel(Option<(u64, JobKey)>),
    Tick,
    Other,
}

impl World {
    /// Notes what is so before the event, and what the event tells of sessions.
    pub(super) fn look_before(&mut self, event: &Event) -> Result<Glance, String> {
        let now = self.now;
        let mut before = None;
        let event = match event {
            Event::Message { peer, message } => {
                let named = self.shadows.by_session(message.session());
                if let Some(shadow) = named {
                    before = shadow.state;
                    if !matches!(message, FromWorker::Disconnect { .. }) {
                        shadow.heard = now;
                        shadow.credit = Duration::ZERO;
                    }
                }
                match message {
                    FromWorker::Register { session, register } => {
                        let (row, state) = self.row_of_register(*peer, *session, register);
                        before = state;
                        Kind::Register {
                            peer: *peer,
                            register: register.clone(),
                            row,
                        }
                    }
                    FromWorker::Result { .. } if before.is_none() => Kind::StrayResult,
                    FromWorker::Result {
                        session,
                        key,
                        code,
                        elapsed_us,
                        ..
                    } => Kind::Of {
                        session: *session,
                        row: self.row_of_result(*session, *key, *code, *elapsed_us),
                    },
                    FromWorker::Heartbeat { session } => about(*session, 6),
                    FromWorker::Drain { session } => about(*session, 10),
                    FromWorker::Disconnect { session, .. } => about(*session, 11),
                }
            }
            Event::Malformed { peer, .. } => {
                before = self.shadows.by_peer(*peer).and_then(|shadow| shadow.state);
                Kind::Malformed { peer: *peer }
            }
            Event::Unreachable { peer } => match self.shadows.holder(*peer) {
                Some(shadow) => {
                    before = shadow.state;
                    let session = shadow.session;
                    Kind::Unreachable { session }
                }
                None => Kind::Other,
            },
            Event::Overflow { peer } => match self.shadows.holder(*peer) {
                Some(shadow) => {
                    before = shadow.state;
                    about(shadow.session, 16)
                }
                None => Kind::Other,
            },
            Event::Submit { ticket, .. } => {
                self.ledger.arrive(place(*ticket)?);
                Kind::Submit
            }
            Event::Cancel { ticket } => {
                let ticket = place(*ticket)?;
                if self.ledger.get(ticket).standing == Standing::Open {
                    let whereabouts = self.whereabouts(ticket);
                    self.ledger.close(ticket, Standing::Abandoned);
                    self.tally.count(Fault::Cancellation);
                    Kind::Cancel(whereabouts)
                } else {
                    Kind::Other
                }
            }
            Event::Tick => Kind::Tick,
            Event::Disconnection | Event::Exited { .. } | Event::Drain | Event::Stop => Kind::Other,
        };
        Ok(Glance {
            event,
            before,
            waiting: self.waiting(),
        })
    }

    /// The session that has a job, with the attempt that somebody waits for.
    fn whereabouts(&mut self, ticket: u32) -> Option<(u64, JobKey)> {
        let (session, attempt) = self.ledger.get(ticket).at?;
        let shadow = self.shadows.by_session(session)?;
        let mut shots = shadow.in_flight.iter();
        let shot = shots.find(|shot| shot.ticket == ticket && shot.key.attempt == attempt)?;
        Some((session, shot.key))
    }

    fn row_of_register(&mut self, peer: Peer, session: u64, register: &Register) -> (usize, Seen) {
        let here = self.shadows.by_peer(peer).and_then(|shadow| shadow.state);
        match self.shadows.by_session(session) {
            _ if session == 0 => (1, here),
            None => (4, here),
            Some(shadow) if !same_offer(&shadow.register, register) => (3, shadow.state),
            Some(shadow) if shadow.peer == peer => (1, shadow.state),
            Some(shadow) => (2, shadow.state),
        }
    }

    fn row_of_result(
        &mut self,
        session: u64,
        key: JobKey,
        code: ResultCode,
        elapsed_us: u32,
    ) -> usize {
        let Some(shadow) = self.shadows.by_session(session) else {
            return 9;
        };
        let Some(place) = shadow.in_flight.iter().position(|shot| shot.key == key) else {
            return 9;
        };
        let shot = shadow.in_flight.remove(place);
        let ran = matches!(
            code,
            ResultCode::Ok
                | ResultCode::Failed
                | ResultCode::Panicked
                | ResultCode::TooLarge
                | ResultCode::Overrun
        );
        if ran {
            shadow.measured += 1;
            shadow.latest = Duration::from_micros(elapsed_us.into());
        }
        let job = self.ledger.get(shot.ticket);
        if code == ResultCode::Returned {
            job.used -= 1;
        }
        let wanted = job.standing == Standing::Open && job.at == Some((session, key.attempt));
        if wanted { 7 } else { 8 }
    }

    fn waiting(&self) -> (usize, usize) {
        self.throne
            .core
            .as_ref()
            .map_or((0, 0), |core| (core.waiting(), core.waiting_bytes()))
    }

    /// Looks at what the core did about the event.
    pub(super) fn look_after(&mut self, glance: &Glance, actions: &[Action]) -> Checked {
        if let Kind::Unreachable { session } = glance.event {
            self.suspect(session);
        }
        if let Some(core) = &self.throne.core {
            for shadow in self.shadows.iter_mut() {
                shadow.state = core.worker_state(shadow.session);
            }
        }
        let mut drained = false;
        let mut connected = None;
        for action in actions {
            match action {
                Action::Connect { socket, .. } => connected = Some(Peer::Socket(*socket)),
                Action::Send {
                    peer,
                    message: ToWorker::Registered { session, .. },
                } => {
                    if let Kind::Register { register, .. } = &glance.event {
                        self.admit(*peer, *session, register, connected);
                    }
                }
                Action::Send {
                    message:
                        ToWorker::Job {
                            session,
                            key,
                            service,
                            budget_ms,
                            body,
                            ..
                        },
                    ..
                } => self.watch_job(*session, *key, *service, *budget_ms, body)?,
                Action::Send {
                    message:
                        ToWorker::Cancel {
                            session,
                            key,
                            reason,
                        },
                    ..
                } => self.call_off(*session, *key, *reason),
                Action::Send {
                    message:
                        ToWorker::Disconnect {
                            session,
                            reason: DisconnectReason::Silent,
                        },
                    ..
                } => self.watch_silence(*session)?,
                Action::Complete { ticket, result } => {
                    let late = self.excuse();
                    self.ledger.complete(*ticket, result, self.now, late)?;
                    self.count_outcome(result);
                }
                Action::Drained => drained = true,
                _ => {}
            }
        }
        if drained {
            self.watch_drained()?;
        }
        self.cover(glance, actions, drained)?;
        let unusual: Vec<Peer> = (self.shadows.iter_mut())
            .filter(|shadow| shadow.has_become_unusual())
            .map(|shadow| shadow.peer)
            .collect();
        for peer in unusual {
            self.haunt_master(peer);
        }
        for shadow in self.shadows.iter_mut() {
            shadow.before = shadow.state;
        }
        self.shadows.bury();
        match &glance.event {
            Kind::Submit => self.watch_queue(glance.waiting),
            Kind::Cancel(Some((session, key))) => must_cancel(actions, *session, *key),
            Kind::StrayResult | Kind::Of { row: 6 | 10, .. } if glance.before.is_none() => {
                must_turn_away(actions)
            }
            _ => Ok(()),
        }
    }

    /// A session begins, or moves to another connection.
    fn admit(&mut self, peer: Peer, session: u64, register: &Register, socket: Option<Peer>) {
        let now = self.now;
        if let Some(shadow) = self.shadows.by_session(session) {
            if shadow.peer != peer {
                (shadow.peer, shadow.socket) = (peer, socket);
                let held = |shot: &Shot| {
                    (register.running.iter())
                        .any(|held| (held.job, held.attempt) == (shot.key.job, shot.key.attempt))
                };
                shadow.in_flight.retain(held);
            }
            return;
        }
        let core = self.throne.core.as_ref();
        let state = core.and_then(|core| core.worker_state(session));
        let services = (register.services.iter())
            .filter_map(|name| SERVICES.iter().position(|known| known == name))
            .filter_map(|place| u8::try_from(place).ok())
            .collect();
        self.shadows.add(Shadow {
            session,
            peer,
            socket,
            register: register.clone(),
            services,
            in_flight: Vec::new(),
            before: None,
            state,
            heard: now,
            credit: Duration::ZERO,
            measured: 0,
            latest: Duration::ZERO,
        });
    }

    /// The connection of a worker is gone: its jobs are suspects from now on.
    fn suspect(&mut self, session: u64) {
        let Some(shadow) = self.shadows.by_session(session) else {
            return;
        };
        for shot in &shadow.in_flight {
            let job = self.ledger.get(shot.ticket);
            if job.standing == Standing::Open && job.at == Some((session, shot.key.attempt)) {
                self.ledger.suspect(shot.ticket);
            }
        }
    }

    /// A job goes out.
    fn watch_job(
        &mut self,
        session: u64,
        key: JobKey,
        service: u16,
        budget_ms: u32,
        body: &[u8],
    ) -> Checked {
        let ticket = ticket_in(body).ok_or("a job has no ticket")?;
        let job = self.ledger.get(ticket);
        job.check_send(session, key, budget_ms, self.now)
            .map_err(|why| format!("job {ticket} was sent as {key:?}, but {why}"))?;
        let (suspected, at_most_once, wanted) = (job.suspected, job.at_most_once, job.service);
        let suspects_wait = self.ledger.any_suspects();
        let slots_elsewhere = !suspects_wait
            && self.shadows.iter().any(|shadow| {
                shadow.session != session
                    && shadow.state == Some(WorkerState::Active)
                    && shadow.in_flight.len() < shadow.slots()
                    && !shadow.has_suspect()
                    && shadow.services.contains(&wanted)
            });
        let Some(shadow) = self.shadows.by_session(session) else {
            return Err(format!("job {ticket} was sent to nobody"));
        };
        shadow
            .check_room(
                suspected,
                at_most_once,
                slots_elsewhere,
                &self.scenario.config,
            )
            .map_err(|why| format!("job {ticket} was sent to session {session}, but {why}"))?;
        if shadow.has_suspect() {
            return Err(format!(
                "job {ticket} was sent where a suspect is to be alone"
            ));
        }
        let offered = shadow.register.services.get(usize::from(service));
        if offered.is_none_or(|name| name != SERVICES[usize::from(wanted)]) {
            return Err(format!(
                "job {ticket} was sent to a worker that does not offer its service"
            ));
        }
        shadow.in_flight.push(Shot {
            key,
            ticket,
            suspected,
        });
        Ok(())
    }

    fn call_off(&mut self, session: u64, key: JobKey, reason: CancelReason) {
        let Some(shadow) = self.shadows.by_session(session) else {
            return;
        };
        if let Some(shot) = shadow.in_flight.iter().find(|shot| shot.key == key) {
            let job = self.ledger.get(shot.ticket);
            if job.at == Some((session, key.attempt)) {
                job.call_off(reason);
            }
        }
    }

    /// A worker is said to be silent.
    fn watch_silence(&mut self, session: u64) -> Checked {
        let limit = self.scenario.config.heartbeat * self.scenario.config.misses;
        let now = self.now;
        let Some(shadow) = self.shadows.by_session(session) else {
            return Err(format!("session {session} is silent and unknown"));
        };
        if !shadow.in_flight.is_empty() {
            return Err(format!(
                "session {session} has jobs and was dropped for its silence"
            ));
        }
        let silent = now.since(shadow.heard).saturating_sub(shadow.credit);
        if silent < limit {
            return Err(format!(
                "session {session} was dropped after {silent:?} of silence"
            ));
        }
        Ok(())
    }

    /// How late an outcome may be.
    fn excuse(&self) -> Duration {
        if self.throne.resumed == self.now {
            Duration::MAX
        } else {
            self.scenario.late_wake
        }
    }

    fn watch_drained(&mut self) -> Checked {
        if self.ledger.open() > 0 {
            return Err(format!("drained with {} jobs left", self.ledger.open()));
        }
        self.throne.leaving = true;
        self.succeed();
        Ok(())
    }

    /// The queue may be full of jobs that came back, but no new one goes into a full one.
    fn watch_queue(&self, before: (usize, usize)) -> Checked {
        let (jobs, bytes) = self.waiting();
        let config = &self.scenario.config;
        if jobs > before.0 && jobs > config.max_queue_jobs {
            return Err(format!("{jobs} jobs wait"));
        }
        if bytes > before.1 && bytes > config.max_queue_bytes {
            return Err(format!("{bytes} bytes wait"));
        }
        Ok(())
    }

    /// The master's process was stopped for so long.
    pub(super) fn credit_shadows(&mut self, slept: Duration) {
        // It notices a stop by a pulse that is late by a quarter of a heartbeat, and they are a quarter apart.
        let noticed = slept.saturating_sub(self.scenario.config.heartbeat / 2);
        for shadow in self.shadows.iter_mut() {
            shadow.credit += noticed;
        }
    }
}

fn place(ticket: Ticket) -> Result<u32, String> {
    u32::try_from(ticket.0).map_err(|error| error.to_string())
}

fn about(session: u64, row: usize) -> Kind {
    Kind::Of { session, row }
}

pub(super) fn same_offer(one: &Register, other: &Register) -> bool {
    one.services == other.services && one.slots == other.slots && one.socket == other.socket
}

/// A caller went away: the worker that has its job must be told.
fn must_cancel(actions: &[Action], session: u64, key: JobKey) -> Checked {
    let told = actions.iter().any(|action| {
        matches!(action, Action::Send { message: ToWorker::Cancel { session: whose, key: what, reason: CancelReason::Caller }, .. }
            if *whose == session && *what == key)
    });
    if told {
        Ok(())
    } else {
        Err(format!(
            "the caller of {key:?} went away and session {session} was not told"
        ))
    }
}

/// A message named a session that there is not: its sender must be told to register again.
fn must_turn_away(actions: &[Action]) -> Checked {
    let told = actions.iter().any(|action| {
        matches!(
            action,
            Action::Send {
                message: ToWorker::Rejected {
                    reason: RejectReason::UnknownSession,
                    ..
                },
                ..
            }
        )
    });
    if told {
        Ok(())
    } else {
        Err("the sender of an unknown session was not told so".to_owned())
    }
}
