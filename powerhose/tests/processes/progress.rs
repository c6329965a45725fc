//! Commands that take their time say how far they are, to people alone.

use std::process::Stdio;

use serde_json::Value;

use crate::{
    support::{Place, powerhose},
    terminal::Terminal,
};

/// Runs it with standard error at a terminal and at a pipe: what the terminal shows.
fn run(arguments: &[&str]) -> String {
    let run = |errors: Stdio| {
        let mut command = powerhose(arguments.iter().copied());
        command.env("TERM", "xterm");
        command.stdout(Stdio::piped()).stderr(errors);
        let child = command.spawn().expect("it starts");
        // The command goes with its end of the terminal.
        drop(command);
        let output = child.wait_with_output().expect("it is ours");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let figures: Result<Value, _> = serde_json::from_slice(&output.stdout);
        assert!(figures.is_ok(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).expect("text")
    };
    let (terminal, errors) = Terminal::open();
    run(errors.into());
    assert_eq!(run(Stdio::piped()), "", "{arguments:?}");
    terminal.written()
}

#[test]
fn calls_that_are_repeated_show_a_bar_at_a_terminal_and_figures_at_a_pipe() {
    let place = Place::new();
    let _master = place.master(&[]);
    let _worker = place.worker();
    let (job, frontend) = (place.write("job", "x"), place.frontend());
    let call = [
        "call",
        "--frontend",
        &frontend,
        "--repeat",
        "30",
        "--json",
        &job,
    ];
    let screen = run(&call);
    assert!(screen.contains("/30 jobs"), "{screen:?}");
}

#[test]
fn a_measurement_shows_a_bar_at_a_terminal_and_figures_at_a_pipe() {
    let place = Place::new();
    let input = place.write("job", "x");
    let bench = [
        "bench",
        "--exec",
        "cat",
        "--per-job",
        "--jobs",
        "30",
        "--json",
    ];
    let screen = run(&[&bench[..], &["--log", "off", "--input", &input]].concat());
    assert!(screen.contains("/30 "), "{screen:?}");
}
