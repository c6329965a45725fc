//! The document, and how it is read.

use std::path::{Path, PathBuf};

use powerhose::wire::Command;

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn document() -> String {
    read(&repository().join("protocol.md"))
}

/// The text under a heading, up to the next one of any level.
pub(crate) fn section<'a>(document: &'a str, heading: &str) -> &'a str {
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
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
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

pub(crate) fn table(heading: &str) -> Vec<Vec<String>> {
    let rows = rows(section(&document(), heading));
    assert!(!rows.is_empty(), "no table under {heading:?}");
    rows
}

/// Columns `columns` of the table under a heading.
pub(crate) fn columns<const N: usize>(heading: &str, columns: [usize; N]) -> Vec<[String; N]> {
    (table(heading).iter())
        .map(|row| columns.map(|column| row[column].clone()))
        .collect()
}

pub(crate) fn hex_number(text: &str) -> u8 {
    let digits = text
        .strip_prefix("0x")
        .unwrap_or_else(|| panic!("{text:?}"));
    u8::from_str_radix(digits, 16).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// The name of a command as the document writes it.
pub(crate) fn name(command: Command) -> String {
    format!("{command:?}").to_uppercase()
}
