//! What the kit waits for.

use std::time::Duration;

use bytes::Bytes;

use super::error::Flaw;
use super::letter::{Letter, Way};
use super::process::{self, Process};
use super::stage::{LOOK, Stage};
use crate::driver::poll::{Poll, wait};
use crate::driver::socket::Origin;
use crate::time::Time;
use crate::wire::{DisconnectReason, FromWorker, JobKey, Register, ResultCode, ToWorker};

/// How long the last messages of a worker that has ended may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Stage {
    /// Waits for the worker's REGISTER over a new connection.
    pub(super) fn registration(&mut self, expected: &str) -> Result<(u64, Register), Flaw> {
        let until = self.clock.now() + self.patience;
        loop {
            let letter = self.letter(expected, until)?;
            let connection = match letter.way {
                Way::Master(connection) => connection,
                // What the old session still had to say.
                Way::Own => continue,
                Way::Named(_) => return Err(Flaw::other(expected, letter.to_string())),
            };
            match &letter.message {
                Ok(FromWorker::Register { session, register }) => {
                    let found = (*session, register.clone());
                    self.connection = Some(connection);
                    self.own = None;
                    self.offer = Some(found.1.clone());
                    return Ok(found);
                }
                // What the old connection still had to say.
                Ok(_) if self.connection == Some(connection) => {}
                _ => return Err(Flaw::other(expected, letter.to_string())),
            }
        }
    }

    /// Waits for a REGISTER to a master that does not know the worker's session. A worker of one thread may not have noticed yet that the
    /// master is another one: what it says in that session is refused, as a master does. Its REGISTER needs a connection of its own.
    pub(super) fn registration_after(
        &mut self,
        old: u64,
        refusal: &ToWorker,
    ) -> Result<(u64, Register), Flaw> {
        let expected = "REGISTER over a connection of its own to the next master";
        let until = self.clock.now() + self.patience;
        let mut refused = None;
        loop {
            let letter = self.letter(expected, until)?;
            let Way::Master(connection) = letter.way else {
                return Err(Flaw::other(expected, letter.to_string()));
            };
            match &letter.message {
                Ok(FromWorker::Register { session, register }) if refused != Some(connection) => {
                    let found = (*session, register.clone());
                    self.connection = Some(connection);
                    self.offer = Some(found.1.clone());
                    return Ok(found);
                }
                Ok(message) if message.session() == old => {
                    refused = Some(connection);
                    self.connection = refused;
                    self.send(refusal.clone())?;
                }
                _ => return Err(Flaw::other(expected, letter.to_string())),
            }
        }
    }

    /// Waits for the RESULT of an attempt. It must be the next thing that comes.
    pub(super) fn result(
        &mut self,
        wanted: JobKey,
        expected: &str,
    ) -> Result<(ResultCode, Bytes), Flaw> {
        let (key, code, body) = self.any_result(expected)?;
        if key != wanted {
            return Err(Flaw::other(
                format!(
                    "{expected} (job {}, attempt {})",
                    wanted.job, wanted.attempt
                ),
                format!("RESULT for job {}, attempt {}", key.job, key.attempt),
            ));
        }
        Ok((code, body))
    }

    /// Waits for a RESULT of the present session. It must be the next thing that comes.
    pub(super) fn any_result(
        &mut self,
        expected: &str,
    ) -> Result<(JobKey, ResultCode, Bytes), Flaw> {
        let letter = self.next(expected)?;
        match letter.message {
            Ok(FromWorker::Result {
                key, code, body, ..
            }) => Ok((key, code, body)),
            _ => Err(Flaw::other(expected, letter.to_string())),
        }
    }

    /// Waits for the next message that is no HEARTBEAT. It must be of the present session and come over its connection.
    pub(super) fn next(&mut self, expected: &str) -> Result<Letter, Flaw> {
        let until = self.clock.now() + self.patience;
        loop {
            let letter = self.letter(expected, until)?;
            if matches!(letter.message, Ok(FromWorker::Heartbeat { .. })) {
                continue;
            }
            return self.of_session(letter, expected);
        }
    }

    /// Waits for the worker's next HEARTBEAT, which must be the next thing that comes.
    pub(super) fn heartbeat(&mut self, expected: &str) -> Result<(), Flaw> {
        let letter = self.letter(expected, self.clock.now() + self.patience)?;
        let letter = self.of_session(letter, expected)?;
        match letter.message {
            Ok(FromWorker::Heartbeat { .. }) => Ok(()),
            _ => Err(Flaw::other(expected, letter.to_string())),
        }
    }

    fn of_session(&self, letter: Letter, expected: &str) -> Result<Letter, Flaw> {
        let here = match letter.way {
            Way::Master(connection) => self.connection == Some(connection),
            Way::Own => true,
            Way::Named(_) => false,
        };
        match &letter.message {
            Ok(message) if here && message.session() == self.session => Ok(letter),
            _ => Err(Flaw::other(
                format!("{expected}, in session {:016x}", self.session),
                letter.to_string(),
            )),
        }
    }

    /// The next message of any kind; HEARTBEATs of the session are answered if that is the stage's habit.
    pub(super) fn letter(&mut self, expected: &str, until: Time) -> Result<Letter, Flaw> {
        let mut ended = None;
        let letter = loop {
            if let Some(letter) = self.receive() {
                break letter;
            }
            let now = self.clock.now();
            if now >= until {
                return Err(self.nothing(expected));
            }
            if let Some(status) = self.process.as_mut().and_then(Process::ended) {
                // What it sent last may still be on its way through libzmq's threads.
                let silent = *ended.get_or_insert(now + LAST_WORDS);
                if now >= silent {
                    return Err(Flaw::Ended {
                        expected: expected.into(),
                        how: process::describe(status),
                    });
                }
            }
            let mut poll = Poll::default();
            self.deliver();
            let router = self.router.as_ref();
            let router = router.map(|router| (router, router.watch(&mut poll)));
            if let Some(own) = &self.own {
                own.watch(&mut poll);
            }
            wait(&mut poll, Some(LOOK.min(until - now)))
                .map_err(|error| Flaw::kit("cannot wait", &error))?;
            if let Some((router, places)) = router {
                router.note(&poll, places);
            }
        };
        if let Err(error) = &letter.message {
            let expected = format!("{expected}, in a message of the protocol");
            return Err(Flaw::other(expected, format!("{letter}: {error}")));
        }
        if self.answers
            && let Ok(FromWorker::Heartbeat { session }) = &letter.message
            && *session == self.session
        {
            self.send(ToWorker::Heartbeat {
                session: self.session,
            })?;
        }
        Ok(letter)
    }

    fn receive(&mut self) -> Option<Letter> {
        let mut frames = Vec::new();
        if let Some(own) = &mut self.own
            && own.receive(&mut frames)
        {
            return Some(Letter::new(Way::Own, frames));
        }
        let origin = self.router.as_mut()?.receive(&mut frames)?;
        let way = match origin {
            Origin::Connection(connection) => Way::Master(connection),
            Origin::Foreign(peer) => Way::Named(peer),
        };
        Some(Letter::new(way, frames))
    }

    /// Waits for the worker's good-bye and its end.
    pub(super) fn farewell(&mut self) -> Result<(), Flaw> {
        let expected = "DISCONNECT drained";
        let letter = self.next(expected)?;
        match letter.message {
            Ok(FromWorker::Disconnect {
                reason: DisconnectReason::Drained,
                ..
            }) => self.exits_with(0),
            _ => Err(Flaw::other(expected, letter.to_string())),
        }
    }
}
