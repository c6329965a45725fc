//! Commands, their directions, flags and headers.

use std::collections::BTreeSet;

use bytes::Bytes;
use powerhose::wire::limits::DEFAULT_MAX_BODY;
use powerhose::wire::{
    Command, Flags, FromClient, FromWorker, HEADER_LEN, Header, ToClient, ToWorker, VERSION,
    WireError,
};

use crate::document::{columns, hex_number, name, table};

#[test]
fn commands() {
    let listed: Vec<_> = columns("Commands", [0, 1])
        .into_iter()
        .map(|[number, name]| (hex_number(&number), name))
        .collect();
    let expected: Vec<_> = Command::ALL
        .iter()
        .map(|command| (*command as u8, name(*command)))
        .collect();
    assert_eq!(listed, expected);
}

/// Who sends a message to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    FromWorker,
    ToWorker,
    FromClient,
    ToClient,
}

const DIRECTIONS: [Direction; 4] = [
    Direction::FromWorker,
    Direction::ToWorker,
    Direction::FromClient,
    Direction::ToClient,
];

/// What a message with this header is taken for, if its body is right for the command.
fn probe(direction: Direction, command: u8, flags: u8) -> Result<(), WireError> {
    let mut header = vec![0; HEADER_LEN];
    (header[0], header[1], header[2]) = (VERSION, command, flags);
    (header[3], header[15], header[23], header[27]) = (1, 1, 1, 1);
    let body = match Command::ALL.iter().find(|known| **known as u8 == command) {
        Some(Command::Register | Command::Open | Command::Report) => r"{}",
        Some(Command::Registered) => r#"{"heartbeat_ms":1,"misses":1,"max_body":1}"#,
        Some(Command::Rejected) => r#"{"message":""}"#,
        Some(Command::Opened) => {
            r#"{"heartbeat_ms":1,"misses":1,"max_body":1,"grace_ms":1,"max_jobs":1,"max_bytes":1}"#
        }
        _ => "",
    };
    if flags & Flags::INLINE_BODY != 0 {
        header.extend(body.bytes());
    }
    let mut frames = vec![Bytes::from(header)];
    for flag in [Flags::BODY_FRAME, Flags::METADATA] {
        if flags & flag != 0 {
            frames.push(Bytes::from_static(body.as_bytes()));
        }
    }
    match direction {
        Direction::FromWorker => FromWorker::decode(&mut frames, DEFAULT_MAX_BODY).map(|_| ()),
        Direction::ToWorker => ToWorker::decode(&mut frames, DEFAULT_MAX_BODY).map(|_| ()),
        Direction::FromClient => FromClient::decode(&mut frames).map(|_| ()),
        Direction::ToClient => ToClient::decode(&mut frames).map(|_| ()),
    }
}

/// Whether the master sends a command in this direction, as the text below the table of commands says.
fn master_sends(direction: Direction, command: &str) -> bool {
    match command {
        "REGISTERED" | "JOB" | "CANCEL" => direction == Direction::ToWorker,
        "OPENED" | "REPLY" | "REPORT" => direction == Direction::ToClient,
        _ => true,
    }
}

#[test]
fn directions_and_flags_of_commands() {
    for row in table("Commands") {
        let command = hex_number(&row[0]);
        let takes_body = row[4] != "none";
        let allowed: Vec<u8> = (row[5].split_whitespace())
            .filter(|flag| *flag != "none")
            .map(hex_number)
            .collect();
        for direction in DIRECTIONS {
            let letter = match direction {
                Direction::FromWorker => "W",
                Direction::FromClient => "C",
                Direction::ToWorker | Direction::ToClient => "M",
            };
            let goes = row[2].split(", ").any(|from| from == letter)
                && (letter != "M" || master_sends(direction, &row[1]));
            let body = if takes_body { Flags::INLINE_BODY } else { 0 };
            match probe(direction, command, body) {
                Ok(()) => assert!(goes, "{row:?} is not {direction:?}"),
                Err(WireError::UnknownCommand { .. }) => {
                    assert!(!goes, "{row:?} is {direction:?}");
                    continue;
                }
                Err(error) => panic!("{row:?} {direction:?}: {error}"),
            }
            for flag in [Flags::INLINE_BODY, Flags::BODY_FRAME, Flags::METADATA] {
                // Metadata comes beside a body.
                let flags = if flag == Flags::METADATA {
                    flag | body
                } else {
                    flag
                };
                let outcome = probe(direction, command, flags);
                if allowed.contains(&flag) {
                    assert_eq!(outcome, Ok(()), "{row:?} with flag {flag:#04x}");
                } else {
                    assert_eq!(
                        outcome,
                        Err(WireError::Flags { flags }),
                        "{row:?} with flag {flag:#04x}"
                    );
                }
            }
        }
    }
}

#[test]
fn reserved_commands_are_unknown() {
    let mut reserved = BTreeSet::new();
    for [what] in columns("Reserved", [0]) {
        let Some(what) = what.strip_prefix("command") else {
            continue;
        };
        let numbers: Vec<u8> = (what.split_whitespace())
            .filter(|word| word.starts_with("0x"))
            .map(hex_number)
            .collect();
        match (what.contains("from"), &numbers[..]) {
            (true, [from]) => reserved.extend(*from..=u8::MAX),
            (false, [from, to]) => reserved.extend(*from..=*to),
            (false, [one]) => reserved.extend([*one]),
            other => panic!("{what:?} gives {other:?}"),
        }
    }
    let known: BTreeSet<u8> = Command::ALL.iter().map(|command| *command as u8).collect();
    assert!(reserved.is_disjoint(&known));
    assert_eq!(reserved.len() + known.len(), 256, "every number has a use");
    for command in reserved {
        for direction in DIRECTIONS {
            assert_eq!(
                probe(direction, command, 0),
                Err(WireError::UnknownCommand { command })
            );
        }
    }
}

#[test]
fn flags() {
    let listed: Vec<_> = columns("Flags", [0, 1])
        .into_iter()
        .map(|[bit, name]| (hex_number(&bit), name))
        .collect();
    let expected = [
        (Flags::INLINE_BODY, "INLINE_BODY".to_owned()),
        (Flags::BODY_FRAME, "BODY_FRAME".to_owned()),
        (Flags::METADATA, "METADATA".to_owned()),
    ];
    assert_eq!(listed, expected);
    let known = listed.iter().fold(0, |known, (bit, _)| known | bit);
    for flags in 0..=u8::MAX {
        let outcome = probe(Direction::FromWorker, Command::Heartbeat as u8, flags);
        if flags & !known != 0 {
            assert_eq!(outcome, Err(WireError::Flags { flags }));
        }
    }
}

#[test]
fn header() {
    let rows = columns("Header", [0, 1, 2]);
    let mut at = 0;
    for [offset, length, field] in &rows {
        let length: usize = length.parse().expect("a length");
        assert_eq!(offset.parse(), Ok(at), "the offset of {field}");
        // A header with ones in this field, read by the codec.
        let mut bytes = [0; HEADER_LEN];
        (bytes[0], bytes[1]) = (VERSION, Command::Job as u8);
        let plain = Header::parse(&bytes).expect("a header");
        bytes[at..at + length].fill(1);
        let ones = |length: usize| (0..length).fold(0_u64, |ones, _| ones << 8 | 1);
        let marked = Header::parse(&bytes).expect("a header");
        let expected = match field.as_str() {
            "version" => plain,
            "command" => Header {
                command: Command::Register,
                ..plain
            },
            "flags" => Header {
                flags: Flags {
                    inline_body: true,
                    ..plain.flags
                },
                ..plain
            },
            "attempt" => Header {
                attempt: 1,
                ..plain
            },
            "time" => Header {
                time: u32::try_from(ones(length)).expect("four bytes"),
                ..plain
            },
            "session" => Header {
                session: ones(length),
                ..plain
            },
            "job" => Header {
                job: ones(length),
                ..plain
            },
            "service" => Header {
                service: u16::try_from(ones(length)).expect("two bytes"),
                ..plain
            },
            "code" => Header {
                code: u16::try_from(ones(length)).expect("two bytes"),
                ..plain
            },
            other => panic!("no field {other:?}"),
        };
        assert_eq!(marked, expected, "{field}");
        at += length;
    }
    assert_eq!(at, HEADER_LEN);
    assert_eq!(rows.len(), 9);
}
