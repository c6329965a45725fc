//! Sessions with masters: opened, resumed, lost.

use super::jobs::{Place, submission};
use super::link::{Session, State};
use super::{Core, Output};
use crate::error::{ExecuteError, Started};
use crate::time::Time;
use crate::wire::limits::{ACKNOWLEDGE_BYTES, ACKNOWLEDGE_REPLIES, REGISTER_TIMEOUT};
use crate::wire::{
    DisconnectReason, FromClient, Open, Opened, RejectReason, Rejection, Reply, ToClient,
};

impl Core {
    fn send(&mut self, link: usize, message: FromClient) {
        self.outputs.push_back(Output::Send { link, message });
    }

    pub(super) fn message(&mut self, at: usize, message: ToClient, now: Time) {
        let named = message.session();
        let link = &mut self.links[at];
        let held = link.session.as_ref().map_or(0, |session| session.id);
        match (&link.state, message) {
            (State::Opening { .. }, ToClient::Opened { session, terms }) => {
                self.opened(at, session, terms, now);
            }
            (
                State::Opening { .. },
                ToClient::Rejected {
                    reason, rejection, ..
                },
            ) => self.rejected(at, reason, &rejection, now),
            (State::Open | State::Draining, message) if named == held => {
                if let Some(session) = &mut link.session {
                    session.last_heard = now;
                }
                match message {
                    ToClient::Reply { reply, .. } => self.reply(at, reply, now),
                    ToClient::Drain { .. } => {
                        tracing::info!(master = at, "the master is leaving");
                        self.links[at].state = State::Draining;
                        self.leave_if_done(at, now);
                        self.look_around(now);
                    }
                    ToClient::Disconnect { .. } => self.ended(at, now),
                    ToClient::Rejected {
                        reason: RejectReason::UnknownSession,
                        ..
                    } => self.ended(at, now),
                    ToClient::Heartbeat { .. }
                    | ToClient::Opened { .. }
                    | ToClient::Rejected { .. }
                    | ToClient::Report { .. } => {}
                }
            }
            _ => {}
        }
    }

    /// Opens a connection and asks for a session.
    fn connect(&mut self, at: usize, now: Time) {
        let link = &mut self.links[at];
        link.state = State::Opening {
            until: now + REGISTER_TIMEOUT,
        };
        let (session, received) =
            (link.session.as_ref()).map_or((0, 0), |session| (session.id, session.received));
        let open = Open {
            received,
            ..self.config.introduction.clone()
        };
        self.outputs.push_back(Output::Connect { link: at });
        self.send(at, FromClient::Open { session, open });
    }

    fn opened(&mut self, at: usize, id: u64, terms: Opened, now: Time) {
        let link = &mut self.links[at];
        link.state = State::Open;
        link.failures = 0;
        match &mut link.session {
            Some(session) if session.id == id => {
                session.lost = None;
                session.last_heard = now;
                session.next_ping = now + session.heartbeat();
                session.unacknowledged = 0;
                session.unacknowledged_bytes = 0;
                let arrived = terms.submitted;
                session.terms = terms;
                self.complete_resumption(at, arrived, now);
            }
            _ => {
                self.settle(at);
                self.links[at].session = Some(Session::new(id, terms, now));
            }
        }
        tracing::debug!(master = at, "has a session");
        self.look_around(now);
        self.pump(now);
    }

    /// Submits what did not arrive, and withdraws again what is not wanted any more.
    fn complete_resumption(&mut self, at: usize, arrived: u64, now: Time) {
        let Some(session) = &mut self.links[at].session else {
            return;
        };
        let mut messages = Vec::new();
        let mut dropped = Vec::new();
        for (&sequence, in_flight) in &session.in_flight {
            let is_there = sequence <= arrived;
            let job = in_flight.ticket.and_then(|ticket| self.jobs.get(&ticket));
            match job {
                None if is_there => messages.push(FromClient::Withdraw {
                    session: session.id,
                    sequence,
                }),
                None => dropped.push(sequence),
                Some(_) if is_there => {}
                Some(job) => messages.push(FromClient::Submit {
                    session: session.id,
                    submit: submission(&job.new, sequence, job.submissions, now),
                }),
            }
        }
        for sequence in dropped {
            if let Some(in_flight) = session.in_flight.remove(&sequence) {
                session.bytes -= in_flight.bytes;
            }
        }
        for message in messages {
            self.send(at, message);
        }
    }

    fn rejected(&mut self, at: usize, reason: RejectReason, rejection: &Rejection, now: Time) {
        let message = &rejection.message;
        tracing::warn!(
            master = at,
            reason = reason.name(),
            message,
            "refused by the master"
        );
        if reason == RejectReason::UnknownSession {
            self.settle(at);
        }
        self.retreat(at, now);
    }

    fn reply(&mut self, at: usize, reply: Reply, now: Time) {
        let Some(session) = &mut self.links[at].session else {
            return;
        };
        session.received += 1;
        session.unacknowledged += 1;
        session.unacknowledged_bytes += reply.body.len();
        let in_flight = session.in_flight.remove(&reply.sequence);
        if let Some(in_flight) = in_flight {
            session.bytes -= in_flight.bytes;
        }
        if session.unacknowledged >= ACKNOWLEDGE_REPLIES
            || session.unacknowledged_bytes >= ACKNOWLEDGE_BYTES
        {
            self.ping(at, now);
        }
        if let Some(ticket) = in_flight.and_then(|in_flight| in_flight.ticket)
            && let Some(job) = self.forget(ticket)
        {
            let outcome = reply.into_outcome(&job.new.service);
            self.complete(ticket, outcome);
        }
        self.leave_if_done(at, now);
        self.pump(now);
    }

    fn ping(&mut self, at: usize, now: Time) {
        let Some(session) = &mut self.links[at].session else {
            return;
        };
        session.next_ping = now + session.heartbeat();
        session.unacknowledged = 0;
        session.unacknowledged_bytes = 0;
        let message = FromClient::Heartbeat {
            session: session.id,
            received: session.received,
        };
        self.send(at, message);
    }

    /// Parts from a master that is leaving, or that is needed no more, once it owes nothing.
    fn leave_if_done(&mut self, at: usize, now: Time) {
        let is_owed =
            (self.links[at].session.as_ref()).is_some_and(|session| !session.in_flight.is_empty());
        if is_owed {
            return;
        }
        let is_preferred = self.links[..at]
            .iter()
            .any(|link| link.state == State::Open);
        match self.links[at].state {
            State::Draining => {
                self.part(at);
                self.retreat(at, now);
            }
            State::Open if is_preferred => self.part(at),
            _ => {}
        }
    }

    /// Ends a session in order.
    pub(super) fn part(&mut self, at: usize) {
        let link = &mut self.links[at];
        if let (true, Some(session)) = (link.is_up(), &link.session) {
            let session = session.id;
            let reason = DisconnectReason::Shutdown;
            self.send(at, FromClient::Disconnect { session, reason });
        }
        let link = &mut self.links[at];
        link.session = None;
        link.state = State::Idle;
        let farewell = true;
        self.outputs.push_back(Output::Close { link: at, farewell });
    }

    /// The master ended the session.
    fn ended(&mut self, at: usize, now: Time) {
        tracing::debug!(master = at, "the session is over");
        self.settle(at);
        self.retreat(at, now);
        self.pump(now);
    }

    /// A connection broke or was refused.
    pub(super) fn broken(&mut self, at: usize, is_local: bool, now: Time) {
        match self.links[at].state {
            State::Idle | State::Backoff { .. } => {}
            State::Opening { .. } => {
                // Nobody listens there: the master that had the session has ended.
                if is_local {
                    self.settle(at);
                }
                self.retreat(at, now);
                self.pump(now);
            }
            State::Open | State::Draining => self.lose(at, now),
        }
    }

    /// The connection is no good; the session may be.
    fn lose(&mut self, at: usize, now: Time) {
        tracing::warn!(master = at, "lost the connection to the master");
        if let Some(session) = &mut self.links[at].session {
            session.lost = Some(now);
        }
        self.retreat(at, now);
    }

    /// Closes the connection and tries again later, and elsewhere.
    fn retreat(&mut self, at: usize, now: Time) {
        self.links[at].back_off(now, &mut self.random);
        let farewell = false;
        self.outputs.push_back(Output::Close { link: at, farewell });
        self.look_around(now);
    }

    /// Decides what is to become of the jobs of a session that is over.
    fn settle(&mut self, at: usize) {
        let Some(session) = self.links[at].session.take() else {
            return;
        };
        // Backwards, since each goes to the front of the queue.
        for in_flight in session.in_flight.into_values().rev() {
            let Some(ticket) = in_flight.ticket else {
                continue;
            };
            let position = self.waiting.next_front();
            let Some(job) = self.jobs.get_mut(&ticket) else {
                continue;
            };
            let place = Place::Waiting { position };
            job.place = place;
            let may_repeat = !job.new.at_most_once && job.submissions < job.new.attempts;
            self.enqueue(ticket, place, in_flight.bytes);
            if !may_repeat {
                let started = Started::Maybe;
                self.finish(ticket, Err(ExecuteError::MasterLost { started }));
            }
        }
    }

    /// Tries the masters that are wanted, and parts from those that are not.
    pub(super) fn look_around(&mut self, now: Time) {
        let mut is_wanted = true;
        for at in 0..self.links.len() {
            let link = &mut self.links[at];
            if is_wanted {
                if link.state == State::Idle {
                    link.failures = 0;
                    link.state = State::Backoff { until: now };
                }
                // The next one is wanted when this one has been tried in vain, or leaves.
                is_wanted = match link.state {
                    State::Open => false,
                    State::Draining => true,
                    State::Idle | State::Backoff { .. } | State::Opening { .. } => {
                        link.failures > 1
                    }
                };
            } else if link.state == State::Open {
                self.leave_if_done(at, now);
            } else if link.session.is_none() && !matches!(link.state, State::Idle) {
                self.part(at);
            }
        }
    }

    pub(super) fn check_links(&mut self, now: Time) {
        for at in 0..self.links.len() {
            let link = &mut self.links[at];
            let grace_over = (link.session.as_ref())
                .is_some_and(|held| held.lost.is_some_and(|lost| lost + held.grace() <= now));
            if grace_over {
                self.settle(at);
            }
            match self.links[at].state {
                State::Backoff { until } if until <= now => self.connect(at, now),
                State::Opening { until } if until <= now => self.retreat(at, now),
                State::Open | State::Draining => {
                    let due = (self.links[at].session.as_ref())
                        .map(|session| (session.silent_at(), session.next_ping));
                    match due {
                        Some((silent_at, _)) if silent_at <= now => self.lose(at, now),
                        Some((_, ping)) if ping <= now => self.ping(at, now),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        self.look_around(now);
        self.pump(now);
    }

    /// Credits the time during which the whole process was stopped to every master.
    pub(super) fn credit_pause(&mut self, now: Time) {
        let Some(expected) = self.expected else {
            return;
        };
        let gap = now.since(expected);
        for session in self
            .links
            .iter_mut()
            .filter_map(|link| link.session.as_mut())
        {
            if gap > session.heartbeat() / 4 {
                session.last_heard = session.last_heard + gap;
            }
        }
    }
}
