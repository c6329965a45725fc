//! Arguments that make no sense, and those that ask for help.

use std::process::ExitCode;

use clap::error::ErrorKind;

/// Prints help where it was asked for, else one line that names what is wrong and where help is. Returns the program's exit code.
pub(crate) fn answer(error: &clap::Error) -> ExitCode {
    let asks_for_help =
        !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if asks_for_help {
        // Nothing is left to do should the terminal be gone.
        let _ = error.print();
    } else {
        eprintln!("powerhose: {}", line(&error.to_string()));
    }
    if error.use_stderr() {
        sysexits::ExitCode::Usage.into()
    } else {
        ExitCode::SUCCESS
    }
}

/// What clap says in several paragraphs: what is wrong, tips, and the usage of the command that it was about.
fn line(text: &str) -> String {
    let mut paragraphs = text.split("\n\n").map(|paragraph| {
        let words = paragraph.split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    });
    let wrong = paragraphs.next().unwrap_or_default();
    let mut line = wrong.strip_prefix("error: ").unwrap_or(&wrong).to_owned();
    for paragraph in paragraphs {
        if let Some(usage) = paragraph.strip_prefix("Usage: ") {
            let is_command = |word: &&str| !word.starts_with(['<', '[', '-']);
            let command: Vec<&str> = usage.split(' ').take_while(is_command).collect();
            line += &format!("; see `{} --help`", command.join(" "));
        } else if paragraph.starts_with("For more information") && !line.contains("; see ") {
            line += "; see --help";
        } else if let Some(tip) = paragraph.strip_prefix("tip: ") {
            line += &format!("; {tip}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_become_one_line() {
        let text = "error: unexpected argument '--colour' found\n\n  tip: a similar argument exists: '--color'\n\n\
                    Usage: powerhose call [OPTIONS]\n\nFor more information, try '--help'.\n";
        assert_eq!(
            line(text),
            "unexpected argument '--colour' found; a similar argument exists: '--color'; see `powerhose call --help`"
        );
        let text = "error: the following required arguments were not provided:\n  <PROGRAM>...\n\n\
                    Usage: powerhose pool <PROGRAM>...\n";
        assert_eq!(
            line(text),
            "the following required arguments were not provided: <PROGRAM>...; see `powerhose pool --help`"
        );
    }
}
