//! A program's standard error, line by line into the log.

use std::io::{self, BufRead, BufReader, Read};
use std::process::ChildStderr;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// The longest line of the log; longer ones are broken.
const MAX_LINE: u64 = 4096;

/// How long to wait for the last line of a process that has ended.
const PATIENCE: Duration = Duration::from_secs(1);

/// Gives the last line once the process has closed its standard error.
#[derive(Debug)]
pub(super) struct LastLine(Receiver<String>);

impl LastLine {
    /// The last line that is not blank, if the process has written one.
    pub(super) fn take(&self) -> Option<String> {
        (self.0.recv_timeout(PATIENCE).ok()).filter(|line| !line.is_empty())
    }
}

/// Logs what a process writes, on a thread of its own that ends with the process.
pub(super) fn log(pid: u32, errors: ChildStderr) -> io::Result<LastLine> {
    let (sender, last_line) = sync_channel(1);
    (thread::Builder::new().name("powerhose-stderr".to_owned())).spawn(move || {
        let mut errors = BufReader::new(errors);
        let mut last = String::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            match (errors.by_ref().take(MAX_LINE)).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {
                    let text = printable(&line);
                    if !text.is_empty() {
                        tracing::info!(target: "powerhose::exec", pid, "{text}");
                        last = text;
                    }
                }
            }
        }
        let _ = sender.send(last);
    })?;
    Ok(LastLine(last_line))
}

/// Text from outside, without what a terminal would obey.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let replace = |c: char| match c {
        '\t' => c,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.trim_end().chars().map(replace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        assert_eq!(printable(b"a\tb \x1b[31m\r\n"), "a\tb \u{fffd}[31m");
        assert_eq!(printable(b"\xff\n"), "\u{fffd}");
    }
}
