//! The worked exchanges, byte by byte.

use bytes::Bytes;
use powerhose::wire::limits::DEFAULT_MAX_BODY;
use powerhose::wire::{FromClient, FromWorker, Header, JobKey, Submit, ToClient, ToWorker};

use crate::document::{document, name, section};

/// A block of the worked exchange: its direction, its command and its bytes.
fn exchange(heading: &str) -> Vec<(String, String, Bytes)> {
    let document = document();
    let text = section(&document, heading);
    (text.split("```hex ").skip(1))
        .map(|block| {
            let (info, rest) = block.split_once('\n').expect("a line");
            let (direction, command) = info.split_once(' ').expect("direction and command");
            let (lines, _) = rest.split_once("```").expect("the end of the block");
            let digits: String = (lines.lines())
                .filter_map(|line| line.split(';').next())
                .flat_map(str::chars)
                .filter(|char| !char.is_whitespace())
                .collect();
            let bytes = (0..digits.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex"))
                .collect();
            (direction.to_owned(), command.to_owned(), bytes)
        })
        .collect()
}

#[test]
fn the_worked_exchange_is_what_the_codec_reads_and_writes() {
    let mut story = Vec::new();
    for (direction, command, bytes) in exchange("A worked exchange") {
        let header = Header::parse(&bytes).expect("a header");
        assert_eq!(name(header.command), command);
        let mut first = Vec::new();
        let (rest, line) = match direction.as_str() {
            "worker-to-master" => {
                let message =
                    FromWorker::decode(&mut [bytes.clone()], DEFAULT_MAX_BODY).expect("a message");
                let line = told_by_worker(&message);
                (message.encode(&mut first), line)
            }
            "master-to-worker" => {
                let message =
                    ToWorker::decode(&mut [bytes.clone()], DEFAULT_MAX_BODY).expect("a message");
                let line = told_by_master(&message);
                (message.encode(&mut first), line)
            }
            other => panic!("no direction {other:?}"),
        };
        assert_eq!((rest.body, rest.metadata), (None, None));
        assert_eq!(first, bytes, "{command}");
        story.push(line);
    }
    assert_eq!(
        story,
        [
            "register square over 0",
            "registered 5eed0123456789ab",
            "heartbeat",
            "heartbeat",
            "job 100000000/1 for 2000 ms: 12",
            "result 100000000/1 ok: 144",
            "drain",
            "job 200000000/1 for 1500 ms: 13",
            "drain",
            "result 200000000/1 returned: ",
            "disconnect drained",
        ]
    );
}

#[test]
fn the_clients_exchange_is_what_the_codec_reads_and_writes() {
    let mut story = Vec::new();
    for (direction, command, bytes) in exchange("A client's exchange") {
        let header = Header::parse(&bytes).expect("a header");
        assert_eq!(name(header.command), command);
        let mut first = Vec::new();
        let (rest, line) = match direction.as_str() {
            "client-to-master" => {
                let message = FromClient::decode(&mut [bytes.clone()]).expect("a message");
                let line = told_by_client(&message);
                (message.encode(&mut first), line)
            }
            "master-to-client" => {
                let message = ToClient::decode(&mut [bytes.clone()]).expect("a message");
                let line = told_to_client(&message);
                (message.encode(&mut first), line)
            }
            other => panic!("no direction {other:?}"),
        };
        assert_eq!((rest.body, rest.metadata), (None, None));
        assert_eq!(first, bytes, "{command}");
        story.push(line);
    }
    assert_eq!(
        story,
        [
            "open over 0",
            "opened 5eed0123456789ab",
            "submit 1 to square within 2000 ms, 3 attempts: 12",
            "reply 1 ok: 144",
            "submit 2 to charge within 2000 ms, once within Some(250): ",
            "withdraw 2",
            "reply 2 withdrawn: ",
            "heartbeat, 2 received",
            "heartbeat",
            "disconnect shutdown",
        ]
    );
}

fn told_by_client(message: &FromClient) -> String {
    match message {
        FromClient::Open { session, .. } => format!("open over {session}"),
        FromClient::Heartbeat { received, .. } => format!("heartbeat, {received} received"),
        FromClient::Submit {
            submit:
                Submit {
                    sequence,
                    budget_ms,
                    attempts,
                    at_most_once,
                    attempt_timeout_ms,
                    service,
                    body,
                    ..
                },
            ..
        } => {
            let how = if *at_most_once {
                format!("once within {attempt_timeout_ms:?}")
            } else {
                format!("{attempts} attempts")
            };
            let body = String::from_utf8_lossy(body);
            let service = service.as_str();
            format!("submit {sequence} to {service} within {budget_ms} ms, {how}: {body}")
        }
        FromClient::Withdraw { sequence, .. } => format!("withdraw {sequence}"),
        FromClient::Disconnect { reason, .. } => format!("disconnect {}", reason.name()),
        FromClient::Status => "status".into(),
    }
}

fn told_to_client(message: &ToClient) -> String {
    match message {
        ToClient::Opened { session, .. } => format!("opened {session:x}"),
        ToClient::Heartbeat { .. } => "heartbeat".into(),
        ToClient::Reply { reply, .. } => format!(
            "reply {} {}: {}",
            reply.sequence,
            reply.code.name(),
            String::from_utf8_lossy(&reply.body)
        ),
        other => format!("{other:?}"),
    }
}

fn told_by_worker(message: &FromWorker) -> String {
    match message {
        FromWorker::Register { session, register } => {
            format!("register {} over {session}", register.services.join(" "))
        }
        FromWorker::Heartbeat { .. } => "heartbeat".into(),
        FromWorker::Result {
            key: JobKey { job, attempt },
            code,
            body,
            ..
        } => format!(
            "result {job:x}/{attempt} {}: {}",
            code.name(),
            String::from_utf8_lossy(body)
        ),
        FromWorker::Drain { .. } => "drain".into(),
        FromWorker::Disconnect { reason, .. } => format!("disconnect {}", reason.name()),
    }
}

fn told_by_master(message: &ToWorker) -> String {
    match message {
        ToWorker::Registered { session, .. } => format!("registered {session:x}"),
        ToWorker::Heartbeat { .. } => "heartbeat".into(),
        ToWorker::Drain { .. } => "drain".into(),
        ToWorker::Job {
            key: JobKey { job, attempt },
            budget_ms,
            body,
            ..
        } => format!(
            "job {job:x}/{attempt} for {budget_ms} ms: {}",
            String::from_utf8_lossy(body)
        ),
        other => format!("{other:?}"),
    }
}
