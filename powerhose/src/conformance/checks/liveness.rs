//! Signs of life.

use super::check;
use crate::conformance::Check;
use crate::conformance::error::Flaw;
use crate::conformance::stage::{CALM, LIVELY, Stage};
use crate::wire::{FromWorker, ToWorker};

pub(super) const CHECKS: &[Check] = &[
    check(
        "pings",
        "heartbeat",
        "the worker pings every heartbeat_ms",
        pings,
    ),
    check(
        "pings-unanswered",
        "heartbeat",
        "a HEARTBEAT from the master is not answered",
        pings_unanswered,
    ),
    check(
        "silent-master",
        "liveness",
        "a master that is silent for too long is looked for over a new connection",
        silent_master,
    ),
    check(
        "any-sign",
        "liveness",
        "any message of the session is a sign of the master's life",
        any_sign,
    ),
    check(
        "long-job",
        "liveness",
        "a job that takes longer than the worker may be silent is done, and the session goes on",
        long_job,
    ),
];

fn pings(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&LIVELY)?;
    for _ in 0..3 {
        stage.heartbeat("HEARTBEAT")?;
    }
    stage.works("a RESULT between pings")
}

fn pings_unanswered(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    for _ in 0..5 {
        stage.send(ToWorker::Heartbeat {
            session: stage.session,
        })?;
    }
    let key = stage.job(b"echo x")?;
    let expected = "RESULT, and no answer to HEARTBEAT before it";
    let letter = stage.letter(expected, stage.clock.now() + stage.patience)?;
    match &letter.message {
        Ok(FromWorker::Result { key: of, .. }) if *of == key => Ok(()),
        _ => Err(Flaw::other(expected, letter.to_string())),
    }
}

fn silent_master(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&LIVELY)?;
    let session = stage.session;
    stage.answers = false;
    let before = stage.way();
    let expected = "REGISTER over a new connection, after 450 ms of silence";
    let (named, _) = stage.registration(expected)?;
    if stage.way() == before {
        return Err(Flaw::other(expected, "REGISTER over the same connection"));
    }
    if named != 0 && named != session {
        let expected = format!("session 0, or {session:016x} to resume it");
        return Err(Flaw::other(expected, format!("session {named:016x}")));
    }
    stage.answers = true;
    stage.grant(&CALM)?;
    stage.works("a RESULT in the new session")
}

fn any_sign(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&LIVELY)?;
    stage.answers = false;
    // Twice as long as the silence that is allowed, at the pace of the worker's own pings.
    for _ in 0..6 {
        stage.heartbeat("HEARTBEAT, for the jobs show that the master lives")?;
        stage.works("a RESULT, for the jobs show that the master lives")?;
    }
    Ok(())
}

fn long_job(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&LIVELY)?;
    stage.occupy(b"sleep 1200")?;
    for _ in 0..stage.slots() {
        stage.any_result("RESULT of a job that takes 1.2 s, in the same session")?;
    }
    stage.works("a RESULT in the same session, after a long job")?;
    stage.heartbeat("HEARTBEAT in the same session, after a long job")
}
