//! Finding a master.

use std::time::Duration;

use super::check;
use crate::conformance::Check;
use crate::conformance::error::Flaw;
use crate::conformance::letter::Way;
use crate::conformance::stage::{CALM, Stage};
use crate::wire::limits::{BACKOFF_FIRST, BACKOFF_LIMIT};
use crate::wire::{HEADER_LEN, RejectReason, Rejection, ToWorker};

pub(super) const CHECKS: &[Check] = &[
    check(
        "register",
        "register",
        "the first message is REGISTER with session 0 and a JSON body within the limits",
        register,
    ),
    check(
        "unused-fields",
        "header",
        "the header of REGISTER holds 0 in the fields that REGISTER does not use",
        unused_fields,
    ),
    check(
        "no-routing-id",
        "sockets",
        "the worker leaves its routing id to libzmq",
        no_routing_id,
    ),
    check(
        "register-again",
        "losing-the-master",
        "a REGISTER that nobody answers is sent again over a new connection",
        register_again,
    ),
    check(
        "unknown-members",
        "commands",
        "members of REGISTERED that the worker does not know are ignored",
        unknown_members,
    ),
    check(
        "second-registered",
        "states-of-a-worker",
        "a REGISTERED that nobody asked for changes nothing",
        second_registered,
    ),
    check(
        "rejected-for-now",
        "reject-reasons",
        "after REJECTED too-many-workers, draining and unknown-session the worker registers again",
        rejected_for_now,
    ),
    check(
        "rejected-for-good",
        "exit-codes",
        "after REJECTED malformed, unsupported-version, unknown-command and too-large the worker exits with 76",
        rejected_for_good,
    ),
    check(
        "rejected-registration",
        "exit-codes",
        "after REJECTED invalid-registration the worker exits with 78",
        rejected_registration,
    ),
    check(
        "backoff",
        "losing-the-master",
        "the delays between tries grow, each to twice the one before",
        backoff,
    ),
    check(
        "jitter",
        "losing-the-master",
        "the delays between tries vary at random",
        jitter,
    ),
    check(
        "gives-up",
        "exit-codes",
        "without a master the worker exits with 69 after its limit",
        gives_up,
    ),
];

fn register(stage: &mut Stage) -> Result<(), Flaw> {
    stage.start()?;
    let (session, _) = stage.registration("REGISTER")?;
    if session != 0 {
        let got = format!("session {session:016x}");
        return Err(Flaw::other("REGISTER with session 0", got));
    }
    stage.service("conformance")?;
    stage.service("echo")?;
    Ok(())
}

fn unused_fields(stage: &mut Stage) -> Result<(), Flaw> {
    stage.start()?;
    let letter = stage.letter("REGISTER", stage.clock.now() + stage.patience)?;
    let fields = letter
        .frames
        .first()
        .and_then(|first| first.get(3..HEADER_LEN));
    if fields.is_some_and(|fields| fields.iter().all(|byte| *byte == 0)) {
        return Ok(());
    }
    let expected = "attempt, time, session, job, service and code to be 0";
    Err(Flaw::other(expected, letter.to_string()))
}

fn no_routing_id(stage: &mut Stage) -> Result<(), Flaw> {
    stage.start()?;
    let letter = stage.letter("REGISTER", stage.clock.now() + stage.patience)?;
    match &letter.way {
        Way::Named(id) => Err(Flaw::other(
            "a connection without a routing id of its own",
            format!("routing id {id:?}"),
        )),
        _ => Ok(()),
    }
}

fn register_again(stage: &mut Stage) -> Result<(), Flaw> {
    stage.start()?;
    let letter = stage.letter("REGISTER", stage.clock.now() + stage.patience)?;
    let expected = "REGISTER again, over a new connection";
    let (session, _) = stage.registration(expected)?;
    if session != 0 {
        return Err(Flaw::other(expected, format!("session {session:016x}")));
    }
    if stage.way() == Some(letter.way) {
        return Err(Flaw::other(expected, "REGISTER over the same connection"));
    }
    stage.grant(&CALM)?;
    stage.works("a RESULT in the session granted at last")
}

fn unknown_members(stage: &mut Stage) -> Result<(), Flaw> {
    stage.start()?;
    stage.registration("REGISTER")?;
    let first = stage.header(0x02, 0x02);
    let body = br#" {"x-colour": {"deep": [1, null, "\u00e9"]}, "max_body": 1000, "misses": 3, "heartbeat_ms": 10000} "#;
    stage.send_control(first, &[body])?;
    stage.connect_own()?;
    stage.works("a RESULT after a REGISTERED with a member of a later version")
}

fn second_registered(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    stage.repeat_grant(&CALM)?;
    stage.send(ToWorker::Registered {
        session: stage.session ^ 0xff,
        terms: CALM,
    })?;
    stage.works("a RESULT in the first session, after a REGISTERED that nobody asked for")
}

fn reject(stage: &mut Stage, reason: RejectReason) -> Result<(), Flaw> {
    stage.send(ToWorker::Rejected {
        session: 0,
        reason,
        rejection: Rejection {
            message: "the conformance kit refuses this worker".into(),
            versions: vec![1],
        },
    })
}

fn rejected_for_now(stage: &mut Stage) -> Result<(), Flaw> {
    stage.start()?;
    stage.registration("REGISTER")?;
    for reason in [
        RejectReason::TooManyWorkers,
        RejectReason::Draining,
        RejectReason::UnknownSession,
    ] {
        reject(stage, reason)?;
        stage.registration(&format!("REGISTER after REJECTED {}", reason.name()))?;
    }
    stage.grant(&CALM)?;
    stage.works("a RESULT in the session granted at last")
}

fn rejected_for_good(stage: &mut Stage) -> Result<(), Flaw> {
    for reason in [
        RejectReason::UnsupportedVersion,
        RejectReason::Malformed,
        RejectReason::UnknownCommand,
        RejectReason::TooLarge,
    ] {
        stage.start()?;
        stage.registration("REGISTER")?;
        reject(stage, reason)?;
        stage.exits_with(76)?;
    }
    Ok(())
}

fn rejected_registration(stage: &mut Stage) -> Result<(), Flaw> {
    stage.start()?;
    stage.registration("REGISTER")?;
    reject(stage, RejectReason::InvalidRegistration)?;
    stage.exits_with(78)
}

/// Refuses the worker again and again: how long it waited each time, in units of the whole delay.
fn waits(stage: &mut Stage, tries: u32) -> Result<Vec<f64>, Flaw> {
    stage.start()?;
    stage.registration("REGISTER")?;
    let mut waits = Vec::new();
    for tried in 0..tries {
        let refused = stage.clock.now();
        reject(stage, RejectReason::TooManyWorkers)?;
        stage.registration("REGISTER after REJECTED too-many-workers")?;
        let whole = (BACKOFF_FIRST * 2_u32.pow(tried)).min(BACKOFF_LIMIT);
        waits.push((stage.clock.now() - refused).as_secs_f64() / whole.as_secs_f64());
    }
    Ok(waits)
}

fn backoff(stage: &mut Stage) -> Result<(), Flaw> {
    // Clocks and timers round.
    const HALF: f64 = 0.49;
    for (tried, wait) in waits(stage, 6)?.into_iter().enumerate() {
        let whole: Duration = BACKOFF_FIRST * (1 << tried);
        if wait < HALF {
            return Err(Flaw::other(
                format!(
                    "a delay between {:?} and {whole:?} before try {}",
                    whole / 2,
                    tried + 2
                ),
                format!("{:?}", whole.mul_f64(wait)),
            ));
        }
    }
    Ok(())
}

fn jitter(stage: &mut Stage) -> Result<(), Flaw> {
    // The first ones are so short that the machine's own delays blur them.
    let waits = waits(stage, 6)?.split_off(2);
    let least = waits.iter().copied().fold(f64::INFINITY, f64::min);
    let most = waits.iter().copied().fold(0.0, f64::max);
    if most - least < 0.015 {
        return Err(Flaw::other(
            "delays that are at random between half and all of 200, 400, 800, 1600 ms",
            format!("the same part of each: {waits:.3?}"),
        ));
    }
    Ok(())
}

fn gives_up(stage: &mut Stage) -> Result<(), Flaw> {
    stage.vanish();
    stage.launch(Some("1s"))?;
    match stage.exits_with(69) {
        Err(Flaw::Nothing { within, .. }) => Err(Flaw::NotOffered(format!(
            "it still looks for a master after {within:?}: it does not read POWERHOSE_RECONNECT_LIMIT"
        ))),
        outcome => outcome,
    }
}
