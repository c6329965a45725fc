//! Limits, defaults, timings, and the numbers that the text repeats.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use powerhose::master::Config;

use crate::document::{columns, document, read, section};

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
