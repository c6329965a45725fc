//! `protocol.md` and the code say the same: its tables against the constants, in both directions, and its worked exchange
//! against the codec.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use powerhose::master::{Config, WorkerState};
use powerhose::wire::limits::DEFAULT_MAX_BODY;
use powerhose::wire::{
    CancelReason, Command, DisconnectReason, Flags, FromClient, FromWorker, HEADER_LEN, Header,
    JobKey, OutcomeCode, RejectReason, Reply, ResultCode, Submit, ToClient, ToWorker, VERSION,
    WireError,
};
use powerhose::{Exit, Started};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn document() -> String {
    read(&repository().join("protocol.md"))
}

/// The text under a heading, up to the next one of any level.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let start = (document.match_indices(heading))
        .map(|(at, _)| at)
        .find(|at| {
            document[..*at].ends_with("# ") && document[at + heading.len()..].starts_with('\n')
        })
        .unwrap_or_else(|| panic!("no heading {heading:?}"));
    let text = &document[start + heading.len()..];
    text.find("\n#").map_or(text, |end| &text[..end])
}

/// The rows of the tables in a text, without their heads. Backticks are taken off.
fn rows(text: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_rule = |line: &str| line.starts_with("|---");
    (lines.iter().enumerate())
        .filter(|(at, line)| {
            line.starts_with('|')
                && !is_rule(line)
                && !lines.get(at + 1).is_some_and(|next| is_rule(next))
        })
        .map(|(_, line)| {
            line.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().replace('`', ""))
                .collect()
        })
        .collect()
}

fn table(heading: &str) -> Vec<Vec<String>> {
    let rows = rows(section(&document(), heading));
    assert!(!rows.is_empty(), "no table under {heading:?}");
    rows
}

/// Columns `columns` of the table under a heading.
fn columns<const N: usize>(heading: &str, columns: [usize; N]) -> Vec<[String; N]> {
    (table(heading).iter())
        .map(|row| columns.map(|column| row[column].clone()))
        .collect()
}

fn hex_number(text: &str) -> u8 {
    let digits = text
        .strip_prefix("0x")
        .unwrap_or_else(|| panic!("{text:?}"));
    u8::from_str_radix(digits, 16).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// The name of a command as the document writes it.
fn name(command: Command) -> String {
    format!("{command:?}").to_uppercase()
}

#[test]
fn codes() {
    fn check<T: Copy>(heading: &str, all: &[T], code: fn(T) -> u16, name: fn(T) -> &'static str) {
        let expected: Vec<_> = all
            .iter()
            .map(|value| [code(*value).to_string(), name(*value).to_owned()])
            .collect();
        assert_eq!(columns(heading, [0, 1]), expected, "{heading}");
    }
    check(
        "Result codes",
        ResultCode::ALL,
        ResultCode::to_wire,
        ResultCode::name,
    );
    check(
        "Reject reasons",
        RejectReason::ALL,
        RejectReason::to_wire,
        RejectReason::name,
    );
    check(
        "Cancel reasons",
        CancelReason::ALL,
        CancelReason::to_wire,
        CancelReason::name,
    );
    check(
        "Disconnect reasons",
        DisconnectReason::ALL,
        DisconnectReason::to_wire,
        DisconnectReason::name,
    );
    check(
        "Outcome codes",
        OutcomeCode::ALL,
        OutcomeCode::to_wire,
        OutcomeCode::name,
    );
}

/// What the table says of whose fault an outcome is and whether the work was started is what the library says.
#[test]
fn faults_of_outcomes() {
    for [number, fault, started] in columns("Outcome codes", [0, 6, 5]) {
        let code = OutcomeCode::from_wire(number.parse().expect("a number")).expect("in the table");
        if matches!(code, OutcomeCode::Ok | OutcomeCode::Withdrawn) {
            assert_eq!(fault, "-");
            continue;
        }
        for started in started.split(" or ") {
            let reply = Reply {
                sequence: 1,
                code,
                started: match started {
                    "0" => Started::No,
                    "1" => Started::Maybe,
                    "2" => Started::Finished,
                    other => panic!("{other:?} is not in the table"),
                },
                attempts: 1,
                detail: 1,
                body: Bytes::new(),
            };
            let started = reply.started;
            let error = reply.into_outcome("").expect_err("an error");
            assert_eq!(
                format!("{:?}", error.fault()).to_lowercase(),
                fault,
                "{code:?}"
            );
            assert_eq!(error.started(), started, "{code:?}");
        }
    }
}

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

#[test]
fn errors() {
    let every = [
        WireError::ShortHeader { len: 0 },
        WireError::Version { version: 0 },
        WireError::UnknownCommand { command: 0 },
        WireError::Flags { flags: 0 },
        WireError::Frames {
            got: 0,
            announced: 0,
        },
        WireError::Field {
            field: "",
            why: String::new(),
        },
        WireError::TooLarge {
            part: "",
            len: 0,
            limit: 0,
        },
    ];
    // A variant that is missing above does not compile here.
    for error in &every {
        match error {
            WireError::ShortHeader { .. }
            | WireError::Version { .. }
            | WireError::UnknownCommand { .. }
            | WireError::Flags { .. }
            | WireError::Frames { .. }
            | WireError::Field { .. }
            | WireError::TooLarge { .. } => {}
        }
    }
    let expected: Vec<_> = every
        .iter()
        .map(|error| vec![error.code(), error.reject_reason().name()])
        .collect();
    let listed: Vec<_> = table("Errors")
        .into_iter()
        .filter(|row| row.len() == 3)
        .map(|row| vec![row[0].clone(), row[2].clone()])
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn exit_codes() {
    let rejected = |reason: &RejectReason| Exit::Rejected {
        reason: *reason,
        message: String::new(),
    };
    let exits = [
        Exit::Drained,
        Exit::MaxJobs,
        Exit::MaxAge,
        Exit::MasterLost,
        Exit::Stopped,
    ];
    let exits = (exits.into_iter()).chain(RejectReason::ALL.iter().map(rejected));
    let codes: BTreeSet<String> = exits.map(|exit| exit.code().to_string()).collect();
    let listed: BTreeSet<String> = (columns("Exit codes", [0]).into_iter())
        .map(|[code]| code)
        .collect();
    assert_eq!(listed, codes);
}

/// A quantity as the document or the source writes it.
#[derive(Debug, PartialEq, Eq)]
enum Quantity {
    Number(u64),
    Time(Duration),
}

/// Reads `16 MiB`, `1,024`, `107 bytes`, `50 ms`.
fn documented(text: &str) -> Quantity {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number: u64 = number
        .replace(',', "")
        .parse()
        .unwrap_or_else(|error| panic!("{text:?}: {error}"));
    match unit {
        "" | "bytes" => Quantity::Number(number),
        "KiB" => Quantity::Number(number << 10),
        "MiB" => Quantity::Number(number << 20),
        "ms" => Quantity::Time(Duration::from_millis(number)),
        "s" => Quantity::Time(Duration::from_secs(number)),
        _ => panic!("{text:?}: no such unit"),
    }
}

/// Reads the value of a constant in the source: a product of numbers, or a duration.
fn in_source(expression: &str) -> Quantity {
    let call = |function: &str| {
        let argument = expression.strip_prefix(function)?.strip_prefix('(')?;
        argument.strip_suffix(')').map(product)
    };
    if let Some(seconds) = call("Duration::from_secs") {
        Quantity::Time(Duration::from_secs(seconds))
    } else if let Some(milliseconds) = call("Duration::from_millis") {
        Quantity::Time(Duration::from_millis(milliseconds))
    } else {
        Quantity::Number(product(expression))
    }
}

fn product(expression: &str) -> u64 {
    (expression.split('*'))
        .map(|factor| {
            let factor = factor.trim().replace('_', "");
            factor
                .parse::<u64>()
                .unwrap_or_else(|error| panic!("{expression:?}: {error}"))
        })
        .product()
}

/// The constants of a source file, with the text of their values.
fn constants(source: &str) -> BTreeMap<String, String> {
    (source.lines())
        .filter_map(|line| {
            let (_, declaration) = line.split_once("const ")?;
            let (name, rest) = declaration.split_once(": ")?;
            let (_, value) = rest.strip_suffix(';')?.split_once(" = ")?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn source(file: &str) -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file))
}

/// The settings of the master with their defaults, read from their `Debug` form so that none is forgotten.
fn settings() -> BTreeMap<String, Quantity> {
    let text = format!("{:?}", Config::default());
    let fields = (text.strip_prefix("Config { "))
        .and_then(|text| text.strip_suffix(" }"))
        .expect("a struct");
    (fields.split(", "))
        .map(|field| {
            let (name, value) = field.split_once(": ").expect("a field");
            let quantity = match (value.strip_suffix("ms"), value.strip_suffix('s')) {
                (Some(number), _) => {
                    Quantity::Time(Duration::from_millis(number.parse().expect(value)))
                }
                (None, Some(number)) => {
                    Quantity::Time(Duration::from_secs(number.parse().expect(value)))
                }
                (None, None) => Quantity::Number(value.parse().expect(value)),
            };
            (name.to_owned(), quantity)
        })
        .collect()
}

#[test]
fn limits_defaults_and_timings() {
    const SETTINGS: &str = "master/config.rs";
    let mut listed = BTreeSet::new();
    let mut settings = settings();
    for [name, value, file] in columns("Limits, defaults and timings", [0, 1, 2]) {
        let expected = if file == SETTINGS {
            settings
                .remove(&name)
                .unwrap_or_else(|| panic!("no setting {name}"))
        } else {
            let constants = constants(&source(&file));
            let value = (constants.get(&name)).unwrap_or_else(|| panic!("no {name} in {file}"));
            in_source(value)
        };
        assert_eq!(documented(&value), expected, "{name}");
        assert!(listed.insert((name.clone(), file)), "{name} twice");
    }
    assert!(
        settings.is_empty(),
        "these settings are not in the table: {settings:?}"
    );
    for name in constants(&source("wire/limits.rs")).into_keys() {
        let row = (name, "wire/limits.rs".to_owned());
        assert!(listed.contains(&row), "{} is not in the table", row.0);
    }
}

/// The numbers that the text repeats outside the table of limits.
#[test]
fn numbers_in_the_text() {
    let document = document();
    let limit = |name: &str| {
        let rows = columns("Limits, defaults and timings", [0, 1]);
        let row = rows
            .into_iter()
            .find(|[row, _]| row == name)
            .expect("in the table");
        row[1].clone()
    };
    let prefetch: u64 = limit("DEFAULT_MAX_PREFETCH").parse().expect("a number");
    for (heading, phrase) in [
        (
            "REGISTER",
            format!("1 to {} different names", limit("MAX_SERVICES")),
        ),
        (
            "REGISTER",
            format!(
                "at most {} of the bytes",
                limit_number(&limit("MAX_SERVICE_NAME"))
            ),
        ),
        ("REGISTER", format!("1 to {}: how many", limit("MAX_SLOTS"))),
        ("REGISTER", format!("at most {}.", limit("MAX_RUNNING"))),
        ("REGISTER", format!("at most {}", limit("MAX_LABEL"))),
        ("REGISTER", format!("1 to {}", limit("MAX_SOCKET_PATH"))),
        (
            "Frames",
            format!("a body of up to {}", limit("INLINE_BODY")),
        ),
        ("Frames", format!("header, {},", limit("HEADER_LEN"))),
        (
            "A worker in nine steps",
            format!("up to {} for REGISTERED", limit("REGISTER_TIMEOUT")),
        ),
        ("How jobs come", format!("up to {prefetch} per slot")),
        ("How jobs come", format!("slots × {} jobs", prefetch + 1)),
        (
            "How jobs come",
            format!("comes for {},", limit("recall_after")),
        ),
        ("OPEN", format!("at most {}", limit("MAX_LABEL"))),
        (
            "SUBMIT",
            format!("0 to {} as in", limit("MAX_SERVICE_NAME")),
        ),
        ("SUBMIT", format!("1 to {}; more", limit("MAX_ATTEMPTS"))),
        ("REPORT", format!("of up to {}", limit("MAX_REPORT"))),
        (
            "A client in eight steps",
            format!("up to {} for OPENED", limit("REGISTER_TIMEOUT")),
        ),
        (
            "A client in eight steps",
            format!("every {} of them", limit("ACKNOWLEDGE_REPLIES")),
        ),
        (
            "Resuming a client's session",
            format!("every {} of them", limit("ACKNOWLEDGE_REPLIES")),
        ),
    ] {
        let text = section(&document, heading);
        assert!(
            text.contains(&phrase),
            "{heading:?} does not say {phrase:?}"
        );
    }
}

fn limit_number(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}

#[test]
fn tables_of_states_are_complete() {
    let master: Vec<String> = [
        WorkerState::Active,
        WorkerState::Laggy,
        WorkerState::Draining,
    ]
    .iter()
    .map(|state| format!("{state:?}"))
    .collect();
    let master: Vec<&str> = ["Unknown"]
        .into_iter()
        .chain(master.iter().map(String::as_str))
        .collect();
    let worker = ["Backoff", "Registering", "Active", "Draining"];
    let client = ["Backoff", "Opening", "Open", "Draining"];
    let seen_client = ["Unknown", "Attached", "Away"];
    let document = document();
    for (heading, letter, states) in [
        ("States of a worker", "W", &worker[..]),
        (
            "States of a worker as the master sees them",
            "M",
            &master[..],
        ),
        ("States of a client", "C", &client[..]),
        (
            "States of a client as the master sees them",
            "F",
            &seen_client[..],
        ),
    ] {
        let text = section(&document, heading);
        let head = format!("| | event | {} |", states.join(" | "));
        assert!(text.contains(&head), "{heading:?} has no head {head:?}");
        for (at, row) in rows(text).iter().enumerate() {
            assert_eq!(row[0], format!("{letter}{}", at + 1));
            assert_eq!(row.len(), states.len() + 2, "{row:?}");
            for cell in &row[1..] {
                assert!(!cell.is_empty(), "{row:?}");
                for (arrow, _) in cell.match_indices("→ ") {
                    let target = &cell[arrow + "→ ".len()..];
                    let is_state = |state: &str| target.starts_with(state);
                    assert!(
                        states
                            .iter()
                            .chain(["Exited"].iter())
                            .any(|state| is_state(state)),
                        "{cell:?} leads nowhere"
                    );
                }
            }
        }
    }
}

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
