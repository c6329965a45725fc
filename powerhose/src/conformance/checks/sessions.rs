//! What belongs to another session, or to another life of the master.

use std::time::Duration;

use super::check;
use crate::conformance::Check;
use crate::conformance::error::Flaw;
use crate::conformance::stage::{CALM, LIVELY, Stage};
use crate::wire::{CancelReason, DisconnectReason, JobKey, RejectReason, Rejection, ToWorker};

pub(super) const CHECKS: &[Check] = &[
    check(
        "other-session",
        "sessions",
        "messages of another session are dropped",
        other_session,
    ),
    check(
        "unknown-session",
        "reject-reasons",
        "after REJECTED unknown-session the worker registers over a new connection, with session 0",
        unknown_session,
    ),
    check(
        "disconnected",
        "disconnect",
        "after DISCONNECT the worker registers with session 0, and nothing of the old session follows",
        disconnected,
    ),
    check(
        "master-restart",
        "sockets",
        "the next master gets a REGISTER over a connection that carried nothing of the session before",
        master_restart,
    ),
];

fn other_session(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let service = stage.service("conformance")?;
    let waiting = stage.next_key();
    for session in [0, stage.session ^ 1, u64::MAX] {
        let strays = [
            ToWorker::Heartbeat { session },
            ToWorker::Job {
                session,
                key: JobKey {
                    job: 77,
                    attempt: 1,
                },
                service,
                budget_ms: 60_000,
                body: "echo stray".into(),
                metadata: None,
            },
            ToWorker::Cancel {
                session,
                key: waiting,
                reason: CancelReason::Caller,
            },
            ToWorker::Drain { session },
            ToWorker::Disconnect {
                session,
                reason: DisconnectReason::Shutdown,
            },
            rejected(session),
        ];
        for stray in strays {
            let what = format!("{stray:?}");
            stage.send(stray)?;
            stage.works(&format!("a message of another session ({what}) to be dropped, and the RESULT of the next job"))?;
        }
    }
    Ok(())
}

fn rejected(session: u64) -> ToWorker {
    ToWorker::Rejected {
        session,
        reason: RejectReason::UnknownSession,
        rejection: Rejection {
            message: "the conformance kit knows no such session".into(),
            versions: Vec::new(),
        },
    }
}

/// The worker has lost its session. It must come back without it.
fn comes_back(stage: &mut Stage, expected: &str) -> Result<(), Flaw> {
    let before = stage.way();
    let (session, offer) = stage.registration(expected)?;
    if session != 0 || !offer.running.is_empty() {
        let got = format!(
            "REGISTER of session {session:016x} with {} attempts",
            offer.running.len()
        );
        return Err(Flaw::other(format!("{expected}, with session 0"), got));
    }
    if stage.way() == before {
        return Err(Flaw::other(expected, "REGISTER over the same connection"));
    }
    stage.grant(&CALM)?;
    // With one slot this waits for the handler of the session before.
    stage.works("the RESULT of a job of the new session, and none of the old one before it")
}

fn unknown_session(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    stage.send(rejected(stage.session))?;
    comes_back(
        stage,
        "REGISTER over a new connection, after REJECTED unknown-session",
    )
}

fn disconnected(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    stage.occupy(b"sleep 300")?;
    stage.job(b"echo waiting")?;
    stage.send(ToWorker::Disconnect {
        session: stage.session,
        reason: DisconnectReason::Shutdown,
    })?;
    // A worker of one thread reads it when its handler is done, and may have answered before.
    comes_back(stage, "REGISTER over a new connection, after DISCONNECT")
}

fn master_restart(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&LIVELY)?;
    stage.occupy(b"sleep 600")?;
    stage.job(b"echo waiting")?;
    stage.pause(Duration::from_millis(100));
    stage.vanish();
    stage.listen()?;
    let old = stage.session;
    // This master knows nothing of that session.
    stage.answers = false;
    let (named, _) = stage.registration_after(old, &rejected(old))?;
    stage.answers = true;
    if named != 0 && named != old {
        let expected = format!("REGISTER with session 0, or {old:016x} to resume it");
        return Err(Flaw::other(expected, format!("session {named:016x}")));
    }
    stage.grant(&CALM)?;
    stage.works("the RESULT of a job of the new session, and nothing of the old one before it")
}
