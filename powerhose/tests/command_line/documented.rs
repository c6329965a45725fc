//! The examples in docs/command-line.md do what they say.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/command-line.md");
    fs::read_to_string(path).expect("the document")
}

/// The code blocks of a language.
fn blocks<'a>(document: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    (document.split(fence.as_str()).skip(1))
        .map(|rest| rest.split_once("```").expect("an end").0)
        .collect()
}

/// A directory in which commands are run, and what they left running.
struct Session {
    directory: TempDir,
    running: Vec<Child>,
}

impl Session {
    fn shell(&self, command: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_powerhose"));
        let folder = program.parent().expect("it is in a folder").display();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("POWERHOSE_") {
                shell.env_remove(name);
            }
        }
        shell
            .args(["-c", command])
            .current_dir(self.directory.path())
            .env("PATH", format!("{folder}:{path}"))
            .env("POWERHOSE_DIR", self.directory.path().join("run"))
            .stdin(Stdio::null());
        shell
    }

    /// Runs a command and returns what it wrote. One that ends with `&` goes on running.
    fn run(&mut self, command: &str) -> String {
        if let Some(command) = command.strip_suffix('&') {
            let mut shell = self.shell(&format!("exec {command}"));
            let shell = shell.stdout(Stdio::null()).stderr(Stdio::null());
            self.running.push(shell.spawn().expect("it starts"));
            return String::new();
        }
        let output = self.shell(&format!("exec 2>&1; {command}")).output();
        String::from_utf8(output.expect("it runs").stdout).expect("text")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether text is as expected, where `[..]` is anything.
fn matches(mut text: &str, expected: &str) -> bool {
    let mut parts = expected.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(rest) = text.strip_prefix(first) else {
        return false;
    };
    text = rest;
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return text.is_empty();
    };
    for part in middle {
        match text.split_once(part) {
            Some((_, rest)) => text = rest,
            None => return false,
        }
    }
    text.ends_with(last)
}

/// Whether the lines are as expected, where `...` at the end is any that follow.
fn all_match(lines: &str, expected: &[&str]) -> bool {
    let lines: Vec<_> = lines.lines().collect();
    let expected = match expected.split_last() {
        Some((&"...", before)) if lines.len() >= before.len() => before,
        _ if lines.len() != expected.len() => return false,
        _ => expected,
    };
    (lines.iter().zip(expected)).all(|(line, expected)| matches(line, expected))
}

#[test]
fn the_examples_do_what_they_say() {
    let mut session = Session {
        directory: tempfile::tempdir().expect("a directory"),
        running: Vec::new(),
    };
    let document = document();
    let blocks = blocks(&document, "console");
    assert!(blocks.len() >= 5, "the document has examples");
    for block in blocks {
        for example in block.split("$ ").filter(|example| !example.is_empty()) {
            let mut lines = example.lines();
            let command = lines.next().unwrap_or_default();
            let expected: Vec<_> = lines.collect();
            let wrote = session.run(command);
            assert!(
                all_match(&wrote, &expected),
                "{command}\nwrote\n{wrote}\nand not\n{}",
                expected.join("\n")
            );
        }
    }
}

#[test]
fn the_settings_are_valid() {
    let document = document();
    let [settings] = blocks(&document, "toml")[..] else {
        panic!("the document has one sample of settings");
    };
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("master.toml");
    // Where nobody listens, and without keys, which are not there.
    let here = format!("ipc://{}/", directory.path().display());
    let (settings, _) = settings.split_once("[security]").expect("keys");
    fs::write(&path, settings.replace("ipc:///run/powerhose/", &here)).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_powerhose"))
        .args(["master", "--check", "--config"])
        .arg(&path)
        .output()
        .expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{stderr}");
    assert!(stderr.contains("operator"), "{stderr}");
}

#[test]
fn the_names_of_keys_in_the_settings_are_those_that_there_are() {
    let document = document();
    let [settings] = blocks(&document, "toml")[..] else {
        panic!("the document has one sample of settings");
    };
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("master.toml");
    fs::write(&path, settings).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_powerhose"))
        .args(["master", "--config"])
        .arg(&path)
        .output()
        .expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(66), "{stderr}");
    assert!(stderr.contains("/etc/powerhose/master.secret"), "{stderr}");
}

#[test]
fn every_command_is_in_the_table() {
    let document = document();
    let output = Command::new(env!("CARGO_BIN_EXE_powerhose"))
        .arg("--help")
        .output()
        .expect("it runs");
    let help = String::from_utf8(output.stdout).expect("text");
    let (_, commands) = help.split_once("Commands:\n").expect("commands");
    let (commands, _) = commands.split_once("\n\n").expect("an end");
    let names =
        (commands.lines()).filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    for name in names.filter(|name| *name != "help") {
        // Further lines of a description are indented more.
        if commands.contains(&format!("\n  {name} ")) || commands.starts_with(&format!("  {name} "))
        {
            let row = format!("| `powerhose {name}");
            assert!(document.contains(&row), "{name} is not in the table");
        }
    }
}
