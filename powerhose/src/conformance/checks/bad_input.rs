//! What is no message. A worker counts it, drops it, and goes on.

use super::check;
use crate::conformance::Check;
use crate::conformance::error::Flaw;
use crate::conformance::stage::{CALM, Stage};

pub(super) const CHECKS: &[Check] = &[
    check(
        "bad-version",
        "errors",
        "a message of another version is dropped",
        bad_version,
    ),
    check(
        "unknown-command",
        "errors",
        "a command that is unknown, or goes the other way, is dropped",
        unknown_command,
    ),
    check(
        "bad-flags",
        "errors",
        "reserved, contradicting and misplaced flags are dropped",
        bad_flags,
    ),
    check(
        "bad-frames",
        "errors",
        "a message with more or fewer frames than its flags announce is dropped",
        bad_frames,
    ),
    check(
        "short-header",
        "errors",
        "a frame that is too short for a header is dropped",
        short_header,
    ),
    check(
        "bad-field",
        "errors",
        "a field with a value that it does not have is dropped",
        bad_field,
    ),
];

/// After all of this the worker must go on as if nothing had come: the next thing is the RESULT of the next job.
fn survives(stage: &mut Stage, what: &str) -> Result<(), Flaw> {
    stage.works(&format!(
        "{what} to be dropped, and the RESULT of the next job"
    ))
}

fn bad_version(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    for version in [0, 2, 255] {
        let (_, mut first) = stage.job_header(0x01)?;
        first[0] = version;
        first.extend_from_slice(b"x");
        stage.send_frames(first, &[])?;
        let mut first = stage.header(0x09, 0x00);
        (first[0], first[27]) = (version, 1);
        stage.send_frames(first, &[])?;
        stage.send_frames(vec![version], &[])?;
        survives(stage, &format!("version {version}"))?;
    }
    Ok(())
}

fn unknown_command(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    for command in [0x00, 0x01, 0x06, 0x0a, 0x0f, 0x10, 0x20, 0xff] {
        let first = stage.header(command, 0x00);
        stage.send_frames(first, &[])?;
        survives(stage, &format!("command {command:#04x}"))?;
    }
    Ok(())
}

fn bad_flags(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    for flags in [0x03, 0x08, 0x11, 0x82] {
        let (_, first) = stage.job_header(flags)?;
        let more: &[&[u8]] = if flags & 0x02 == 0 { &[] } else { &[b"x"] };
        stage.send_frames(first, more)?;
        survives(stage, &format!("JOB with flags {flags:#04x}"))?;
    }
    for (command, flags) in [(0x04, 0x01), (0x08, 0x01), (0x09, 0x02), (0x09, 0x04)] {
        let mut first = stage.header(command, flags);
        first[27] = 1;
        let more: &[&[u8]] = if flags == 0x01 { &[] } else { &[b"x"] };
        stage.send_frames(first, more)?;
        survives(
            stage,
            &format!("command {command:#04x} with flags {flags:#04x}"),
        )?;
    }
    Ok(())
}

fn bad_frames(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let cases: [(u8, &[&[u8]]); 5] = [
        (0x01, &[b"superfluous"]),
        (0x02, &[]),
        (0x02, &[b"body", b"superfluous"]),
        (0x04, &[]),
        (0x06, &[b"body"]),
    ];
    for (flags, more) in cases {
        let (_, first) = stage.job_header(flags)?;
        stage.send_frames(first, more)?;
        let frames = 1 + more.len();
        survives(
            stage,
            &format!("JOB with flags {flags:#04x} in {frames} frames"),
        )?;
    }
    let first = stage.header(0x08, 0x00);
    stage.send_frames(first, &[b"superfluous"])?;
    survives(stage, "DRAIN with a second frame")
}

fn short_header(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let drain = stage.header(0x08, 0x00);
    for len in [0, 1, 2, 27] {
        stage.send_frames(drain[..len].to_vec(), &[])?;
        survives(stage, &format!("a frame of {len} bytes"))?;
    }
    Ok(())
}

fn bad_field(stage: &mut Stage) -> Result<(), Flaw> {
    stage.at_work(&CALM)?;
    let (_, mut first) = stage.job_header(0x01)?;
    first[3] = 0;
    first.extend_from_slice(b"x");
    stage.send_frames(first, &[])?;
    survives(stage, "JOB of attempt 0")?;
    let (_, mut first) = stage.job_header(0x00)?;
    first.extend_from_slice(b"unannounced");
    stage.send_frames(first, &[])?;
    survives(
        stage,
        "JOB with bytes behind the header that no flag announces",
    )?;
    for (command, code) in [(0x07, 5), (0x07, 0), (0x09, 0), (0x09, 5)] {
        let mut first = stage.header(command, 0x00);
        (first[3], first[27]) = (1, code);
        stage.send_frames(first, &[])?;
        survives(stage, &format!("command {command:#04x} with code {code}"))?;
    }
    let mut first = stage.header(0x03, 0x02);
    first[27] = 3;
    stage.send_control(first, &[b"{\"message\": "])?;
    survives(stage, "REJECTED with a body that is no JSON")
}
