//! Jobs and their results.

use std::collections::HashSet;

use bytes::Bytes;

use super::check;
use crate::conformance::Check;
use crate::conformance::error::Flaw;
use crate::conformance::stage::{CALM, Stage};
use crate::wire::limits::DEFAULT_MAX_PREFETCH;
use crate::wire::{FromWorker, JobKey, Registered, ResultCode, ToWorker};

pub(super) const CHECKS: &[Check] = &[
    check(
        "job",
        "job",
        "a job gets its RESULT, with its own job and attempt",
        job,
    ),
    check(
        "attempts",
        "header",
        "job numbers of 64 bits and attempts up to 250 come back as they were",
        attempts,
    ),
    check(
        "body-forms",
        "frames",
        "a body of any size is read behind the header and in a frame of its own",
        body_forms,
    ),
    check(
        "repeated",
        "errors",
        "a JOB that comes a second time is no obstacle",
        repeated,
    ),
    check(
        "metadata",
        "frames",
        "metadata after either form of a body is no obstacle",
        metadata,
    ),
    check(
        "services",
        "job",
        "the index of the service chooses the handler",
        services,
    ),
    check(
        "unknown-service",
        "result-codes",
        "a job of a service that the worker did not offer gets RESULT unknown-service",
        unknown_service,
    ),
    check(
        "failure",
        "result-codes",
        "a handler's failure gets RESULT failed, with what it said",
        failure,
    ),
    check(
        "too-large",
        "result-codes",
        "a result above max_body gets RESULT too-large; one of max_body does not",
        too_large,
    ),
    check(
        "elapsed",
        "header",
        "the time in RESULT is how long the handler ran, in microseconds",
        elapsed,
    ),
    check(
        "expired",
        "deadlines",
        "a job whose budget is 0 gets RESULT expired",
        expired,
    ),
    check(
        "expired-waiting",
        "deadlines",
        "a job whose budget runs out while it waits gets RESULT expired",
        expired_waiting,
    ),
    check(
        "prefetched",
        "how-jobs-come",
        "slots times 129 jobs at once all get done, and one RESULT each",
        prefetched,
    ),
];

fn job(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)
}

fn attempts(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let service = stage.service("echo")?;
    for (job, attempt) in [(u64::MAX, 1), (1 << 32, 250), (1 << 63, 2)] {
        let key = JobKey { job, attempt };
        stage.send(ToWorker::Job {
            session: stage.session,
            key,
            service,
            budget_ms: u32::MAX,
            body: Bytes::from_static(b"x"),
            metadata: None,
        })?;
        let (code, body) = stage.result(key, "the RESULT of this very attempt")?;
        is_echo("x", code, &body)?;
    }
    Ok(())
}

fn repeated(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let (session, service) = (stage.session, stage.service("echo")?);
    let job = |key, body: &'static [u8]| ToWorker::Job {
        session,
        key,
        service,
        budget_ms: 60_000,
        body: Bytes::from_static(body),
        metadata: None,
    };
    let (twice, once) = (stage.next_key(), stage.next_key());
    stage.send(job(twice, b"twice"))?;
    stage.send(job(twice, b"twice"))?;
    stage.send(job(once, b"once"))?;
    let mut missing = HashSet::from([twice, once]);
    while !missing.is_empty() {
        let expected = "a RESULT of the JOB that came twice, and one of the next JOB";
        let (key, code, body) = stage.any_result(expected)?;
        is_echo(if key == twice { "twice" } else { "once" }, code, &body)?;
        missing.remove(&key);
    }
    Ok(())
}

fn is_echo(sent: &str, code: ResultCode, body: &Bytes) -> Result<(), Flaw> {
    if code == ResultCode::Ok && body == sent {
        return Ok(());
    }
    Err(Flaw::other(
        format!("RESULT ok with the {} bytes that were sent", sent.len()),
        format!("RESULT {} with {} bytes", code.name(), body.len()),
    ))
}

/// Sends a body in the form that the flags say.
fn in_form(stage: &mut Stage, flags: u8, body: &str, metadata: Option<&str>) -> Result<(), Flaw> {
    let (key, mut first) = stage.job_header(flags)?;
    let mut more: Vec<&[u8]> = Vec::new();
    match flags & 0x03 {
        0x01 => first.extend_from_slice(body.as_bytes()),
        0x02 => more.push(body.as_bytes()),
        _ => {}
    }
    more.extend(metadata.map(str::as_bytes));
    stage.send_frames(first, &more)?;
    let what = format!(
        "RESULT for a body of {} bytes with flags {flags:#04x}",
        body.len()
    );
    let (code, result) = stage.result(key, &what)?;
    is_echo(body, code, &result)
}

fn body_forms(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    in_form(stage, 0x00, "", None)?;
    for len in [0, 1, 1023, 1024, 1025, 100_000] {
        let body = "b".repeat(len);
        in_form(stage, 0x01, &body, None)?;
        in_form(stage, 0x02, &body, None)?;
    }
    Ok(())
}

fn metadata(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let metadata = Some("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    in_form(stage, 0x04, "", metadata)?;
    in_form(stage, 0x05, "inline", metadata)?;
    in_form(stage, 0x06, "in a frame", metadata)
}

fn services(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let echo = stage.service("echo")?;
    let other = stage.service("conformance")?;
    for (service, answer) in [(echo, "echo one"), (other, "one")] {
        let key = stage.job_for(service, 60_000, Bytes::from_static(b"echo one"))?;
        let (code, body) = stage.result(key, "the answer of the service that the job names")?;
        is_echo(answer, code, &body)?;
    }
    Ok(())
}

fn unknown_service(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let beyond = stage.offer.as_ref().map_or(0, |offer| offer.services.len());
    for service in [u16::try_from(beyond).unwrap_or(u16::MAX), u16::MAX] {
        let key = stage.job_for(service, 60_000, Bytes::from_static(b"echo x"))?;
        ends_as(stage, key, ResultCode::UnknownService)?;
    }
    stage.works("a RESULT after unknown services")
}

/// Waits for a RESULT of this code.
pub(super) fn ends_as(stage: &mut Stage, key: JobKey, wanted: ResultCode) -> Result<Bytes, Flaw> {
    let expected = format!("RESULT {} for job {}", wanted.name(), key.job);
    let (code, body) = stage.result(key, &expected)?;
    if code == wanted {
        return Ok(body);
    }
    let got = format!(
        "RESULT {} with body {:?}",
        code.name(),
        body.slice(..body.len().min(64))
    );
    Err(Flaw::other(expected, got))
}

fn failure(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let key = stage.job(b"fail out of paper")?;
    let body = ends_as(stage, key, ResultCode::Failed)?;
    if !String::from_utf8_lossy(&body).contains("out of paper") {
        return Err(Flaw::other(
            "`out of paper` in the body",
            format!("{body:?}"),
        ));
    }
    stage.works("a RESULT after a failure")
}

fn too_large(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&Registered {
        max_body: 4000,
        ..CALM
    })?;
    let key = stage.job(b"large 4000")?;
    let body = ends_as(stage, key, ResultCode::Ok)?;
    if body.len() != 4000 {
        return Err(Flaw::other("4000 bytes", format!("{} bytes", body.len())));
    }
    let key = stage.job(b"large 4001")?;
    let body = ends_as(stage, key, ResultCode::TooLarge)?;
    if !body.is_empty() {
        return Err(Flaw::other(
            "no body with too-large",
            format!("{} bytes", body.len()),
        ));
    }
    stage.works("a RESULT after one that was too large")
}

fn elapsed(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    stage.job(b"sleep 100")?;
    let letter = stage.next("RESULT")?;
    match letter.message {
        // Timers round; a millisecond is a thousand microseconds all the same.
        Ok(FromWorker::Result { elapsed_us, .. }) if elapsed_us < 90_000 => Err(Flaw::other(
            "at least 100,000 µs for a handler that slept 100 ms",
            format!("{elapsed_us}: {letter}"),
        )),
        Ok(FromWorker::Result { elapsed_us, .. })
            if u128::from(elapsed_us) > stage.patience.as_micros() =>
        {
            Err(Flaw::other(
                "100 ms in microseconds",
                format!("{elapsed_us}: {letter}"),
            ))
        }
        Ok(FromWorker::Result { .. }) => Ok(()),
        _ => Err(Flaw::other("RESULT", letter.to_string())),
    }
}

fn expired(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let service = stage.service("conformance")?;
    let key = stage.job_for(service, 0, Bytes::from_static(b"echo x"))?;
    ends_as(stage, key, ResultCode::Expired)?;
    stage.works("a RESULT after an expired job")
}

fn expired_waiting(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let service = stage.service("conformance")?;
    let mut slept: HashSet<JobKey> = stage.occupy(b"sleep 400")?.into_iter().collect();
    let late = stage.job_for(service, 100, Bytes::from_static(b"echo late"))?;
    let mut expired = false;
    while !expired || !slept.is_empty() {
        let (key, code, _) = stage.any_result("RESULT expired for the job that waited too long")?;
        match code {
            ResultCode::Expired if key == late && !expired => expired = true,
            ResultCode::Ok if slept.remove(&key) => {}
            _ => {
                return Err(Flaw::other(
                    "RESULT ok for the jobs that slept, expired for the one behind",
                    format!("RESULT {} for job {}", code.name(), key.job),
                ));
            }
        }
    }
    Ok(())
}

fn prefetched(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let count = usize::from(stage.slots()) * (1 + usize::from(DEFAULT_MAX_PREFETCH));
    let mut wanted = HashSet::new();
    for _ in 0..count {
        wanted.insert(stage.job(b"echo x")?);
    }
    while !wanted.is_empty() {
        let (key, code, _) = stage.any_result("one RESULT ok for each job")?;
        if code != ResultCode::Ok || !wanted.remove(&key) {
            let got = format!(
                "RESULT {} for job {}, again or unasked",
                code.name(),
                key.job
            );
            return Err(Flaw::other("one RESULT ok for each job", got));
        }
    }
    stage.works("nothing but one RESULT for each job")
}
