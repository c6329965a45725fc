//! Results that are no longer wanted.

use std::collections::HashSet;
use std::time::Duration;

use super::check;
use crate::conformance::Check;
use crate::conformance::error::Flaw;
use crate::conformance::stage::{CALM, Stage};
use crate::wire::{CancelReason, JobKey, ResultCode, ToWorker};

pub(super) const CHECKS: &[Check] = &[
    check(
        "cancel-waiting",
        "cancel-reasons",
        "a waiting job that is cancelled gets RESULT cancelled, and is not started",
        cancel_waiting,
    ),
    check(
        "recall-waiting",
        "cancel-reasons",
        "a waiting job that is recalled gets RESULT returned",
        recall_waiting,
    ),
    check(
        "cancel-running",
        "cancellation",
        "a running job that is cancelled gets one RESULT, and its slot is free again",
        cancel_running,
    ),
    check(
        "recall-running",
        "cancel-reasons",
        "a running job that is recalled goes on",
        recall_running,
    ),
    check(
        "cancel-unknown",
        "cancel",
        "a CANCEL for an attempt that the worker does not hold means nothing",
        cancel_unknown,
    ),
];

fn cancel(stage: &mut Stage, key: JobKey, reason: CancelReason) -> Result<(), Flaw> {
    stage.send(ToWorker::Cancel {
        session: stage.session,
        key,
        reason,
    })
}

/// Waits for one RESULT for each: ok for those that slept, this code for those that waited.
fn settle(
    stage: &mut Stage,
    slept: Vec<JobKey>,
    waited: &[JobKey],
    wanted: ResultCode,
) -> Result<(), Flaw> {
    let mut slept: HashSet<_> = slept.into_iter().collect();
    let mut waited: HashSet<_> = waited.iter().copied().collect();
    let expected = format!("RESULT {} for what waited", wanted.name());
    while !slept.is_empty() || !waited.is_empty() {
        let (key, code, _) = stage.any_result(&expected)?;
        let right = if waited.remove(&key) {
            code == wanted
        } else {
            slept.remove(&key) && code == ResultCode::Ok
        };
        if !right {
            let got = format!("RESULT {} for job {}", code.name(), key.job);
            return Err(Flaw::other(expected, got));
        }
    }
    stage.works("nothing but one RESULT for each job")
}

fn cancel_waiting(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let slept = stage.occupy(b"sleep 300")?;
    let mut waited = Vec::new();
    for reason in [
        CancelReason::Caller,
        CancelReason::Deadline,
        CancelReason::Superseded,
    ] {
        let key = stage.job(b"echo unwanted")?;
        cancel(stage, key, reason)?;
        waited.push(key);
    }
    settle(stage, slept, &waited, ResultCode::Cancelled)
}

fn recall_waiting(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let slept = stage.occupy(b"sleep 300")?;
    let waited = [stage.job(b"echo wanted elsewhere")?];
    cancel(stage, waited[0], CancelReason::Recalled)?;
    settle(stage, slept, &waited, ResultCode::Returned)
}

fn cancel_running(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let mut slept: HashSet<_> = stage.occupy(b"sleep 300")?.into_iter().collect();
    for key in &slept {
        cancel(stage, *key, CancelReason::Caller)?;
    }
    while !slept.is_empty() {
        let (key, _, _) = stage.any_result("one RESULT for each cancelled job")?;
        if !slept.remove(&key) {
            let got = format!("a RESULT for job {}", key.job);
            return Err(Flaw::other("one RESULT for each cancelled job", got));
        }
    }
    stage.works("a RESULT in a slot whose job was cancelled")
}

fn recall_running(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let slept = stage.occupy(b"sleep 300")?;
    // A CANCEL that overtook the start would find the job waiting.
    stage.pause(Duration::from_millis(100));
    for key in &slept {
        cancel(stage, *key, CancelReason::Recalled)?;
    }
    let expected = "RESULT ok for running jobs that were recalled";
    for _ in &slept {
        let (key, code, _) = stage.any_result(expected)?;
        if code != ResultCode::Ok {
            let got = format!("RESULT {} for job {}", code.name(), key.job);
            return Err(Flaw::other(expected, got));
        }
    }
    stage.works("nothing but one RESULT for each job")
}

fn cancel_unknown(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let mut key = stage.next_key();
    cancel(stage, key, CancelReason::Caller)?;
    key.attempt = 7;
    cancel(stage, key, CancelReason::Recalled)?;
    // The same for one that is done.
    let done = stage.job(b"echo x")?;
    stage.result(done, "RESULT")?;
    cancel(stage, done, CancelReason::Deadline)?;
    stage.works("nothing in answer to CANCELs of what the worker does not hold")
}
