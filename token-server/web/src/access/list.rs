use std::str::FromStr;

use glob::{MatchOptions, Pattern};

/// Users, by patterns for issuer and subject: `*`, `?` and `[...]`.
#[derive(Debug)]
pub(super) struct List(Vec<(Pattern, Pattern)>);

/// A line that is not understood.
#[derive(Debug, thiserror::Error)]
#[error("line {number}: {reason}")]
pub struct ListError {
    number: usize,
    reason: String,
}

impl List {
    /// A list of patterns for issuer and subject.
    pub(super) fn from_patterns<'a>(
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, String> {
        let entries = entries.into_iter();
        entries
            .map(|(issuer, subject)| patterns(issuer, subject))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn contains(&self, issuer: &str, subject: &str) -> bool {
        let options = MatchOptions {
            case_sensitive: true,
            require_literal_separator: false,
            require_literal_leading_dot: false,
        };
        self.0.iter().any(|(issuers, subjects)| {
            issuers.matches_with(issuer, options) && subjects.matches_with(subject, options)
        })
    }
}

impl FromStr for List {
    type Err = ListError;

    /// A user a line: issuer, white space, subject. Empty lines and those that begin with `#` say
    /// nothing.
    fn from_str(text: &str) -> Result<Self, ListError> {
        let lines = text.lines().map(str::trim).enumerate();
        lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(index, line)| {
                entry(line).map_err(|reason| ListError {
                    number: index + 1,
                    reason,
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn entry(line: &str) -> Result<(Pattern, Pattern), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [issuer, subject] = words[..] else {
        return Err(format!("{line:?} is not an issuer and a subject"));
    };
    patterns(issuer, subject)
}

fn patterns(issuer: &str, subject: &str) -> Result<(Pattern, Pattern), String> {
    let pattern = |text| {
        Pattern::new(text).map_err(|error| format!("{text:?} is not a pattern: {}", error.msg))
    };
    Ok((pattern(issuer)?, pattern(subject)?))
}

/// Whether a list can have an entry with these patterns.
///
/// # Errors
///
/// What is wrong with one of them.
pub fn check_patterns(issuer: &str, subject: &str) -> Result<(), String> {
    patterns(issuer, subject).map(drop)
}
