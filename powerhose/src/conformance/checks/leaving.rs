//! The end of a worker.

use std::collections::HashMap;
use std::time::Duration;

use super::check;
use crate::conformance::Check;
use crate::conformance::error::Flaw;
use crate::conformance::stage::{CALM, LIVELY, Stage};
use crate::wire::{DisconnectReason, FromWorker, JobKey, ResultCode, ToWorker};

pub(super) const CHECKS: &[Check] = &[
    check(
        "drain-idle",
        "draining",
        "after DRAIN a worker without jobs sends DISCONNECT drained and exits with 0",
        drain_idle,
    ),
    check(
        "drain-busy",
        "draining",
        "after DRAIN every job gets its RESULT, later ones RESULT returned, then DISCONNECT drained",
        drain_busy,
    ),
    check(
        "sigterm-idle",
        "draining",
        "after SIGTERM a worker sends DRAIN, hands back a JOB that crossed it, and after the master's DRAIN sends DISCONNECT drained and exits with 0",
        sigterm_idle,
    ),
    check(
        "sigterm-busy",
        "draining",
        "after SIGTERM a running job is finished, waiting and later ones come back as RESULT returned",
        sigterm_busy,
    ),
    check(
        "sigterm-unanswered",
        "draining",
        "after SIGTERM a worker without jobs whose DRAIN is not answered sends DISCONNECT drained all the same, and exits with 0",
        sigterm_unanswered,
    ),
    check(
        "sigterm-alone",
        "states-of-a-worker",
        "after SIGTERM a worker without a master exits with 0",
        sigterm_alone,
    ),
];

fn drain(stage: &mut Stage) -> Result<(), Flaw> {
    stage.send(ToWorker::Drain {
        session: stage.session,
    })
}

fn drain_idle(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    drain(stage)?;
    stage.farewell()
}

/// What becomes of the worker's DRAIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announced {
    /// None is due.
    No,
    /// It is answered, after a job that was on its way.
    Answered,
    Unanswered,
}

/// Waits for a RESULT for each job, of one of the codes allowed for it, then for the good-bye.
fn settle(
    stage: &mut Stage,
    mut held: HashMap<JobKey, &'static [ResultCode]>,
    announced: Announced,
) -> Result<(), Flaw> {
    let mut owes_drain = announced != Announced::No;
    let expected = "a RESULT for each job before DISCONNECT drained";
    // DISCONNECT follows the RESULTs, and two connections have no common order.
    let ordered = !stage.takes_jobs_itself();
    loop {
        let letter = stage.next(expected)?;
        match &letter.message {
            Ok(FromWorker::Result { key, code, .. })
                if held.remove(key).is_some_and(|codes| codes.contains(code)) => {}
            Ok(FromWorker::Drain { .. }) if owes_drain => {
                owes_drain = false;
                if announced == Announced::Answered {
                    held.insert(stage.job(b"echo crossed")?, &[ResultCode::Returned]);
                    drain(stage)?;
                }
            }
            Ok(FromWorker::Disconnect {
                reason: DisconnectReason::Drained,
                ..
            }) if held.is_empty() && !(owes_drain && ordered) => return stage.exits_with(0),
            _ => {
                let left: Vec<u64> = held.keys().map(|key| key.job).collect();
                let expected = match owes_drain {
                    true => format!("DRAIN, and {expected} (jobs {left:?})"),
                    false => format!("{expected} (jobs {left:?})"),
                };
                return Err(Flaw::other(expected, letter.to_string()));
            }
        }
    }
}

fn drain_busy(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let mut held: HashMap<_, &'static [ResultCode]> = HashMap::new();
    for key in stage.occupy(b"sleep 300")? {
        held.insert(key, &[ResultCode::Ok]);
    }
    let waiting = stage.job(b"echo waiting")?;
    held.insert(waiting, &[ResultCode::Ok, ResultCode::Returned]);
    drain(stage)?;
    let late = stage.job(b"echo late")?;
    held.insert(late, &[ResultCode::Returned]);
    settle(stage, held, Announced::No)
}

fn sigterm_idle(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    stage.terminate();
    settle(stage, HashMap::new(), Announced::Answered)
}

fn sigterm_unanswered(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    stage.terminate();
    settle(stage, HashMap::new(), Announced::Unanswered)
}

fn sigterm_busy(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let mut held: HashMap<_, &'static [ResultCode]> = HashMap::new();
    for key in stage.occupy(b"sleep 1500")? {
        held.insert(key, &[ResultCode::Ok]);
    }
    let waiting = stage.job(b"echo waiting")?;
    held.insert(waiting, &[ResultCode::Returned]);
    // Nothing tells that the handlers have started.
    stage.pause(Duration::from_millis(700));
    stage.terminate();
    settle(stage, held, Announced::Answered)
}

fn sigterm_alone(stage: &mut Stage) -> Result<(), Flaw> {
    stage.welcome(&LIVELY)?;
    stage.works("a RESULT")?;
    stage.vanish();
    // Long enough for the worker to notice, and to be at its tries or between them.
    stage.pause(Duration::from_millis(900));
    stage.terminate();
    stage.exits_with(0)
}
