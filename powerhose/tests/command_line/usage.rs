use std::process::{Command, Output};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = (Command::new(env!("CARGO_BIN_EXE_powerhose")).args(arguments))
        .output()
        .expect("the command runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn wrong_arguments_end_with_the_code_for_usage() {
    let wrong: [(&[&str], &str); 5] = [
        (&["--colour"], "'--colour'"),
        (&["nonsense"], "'nonsense'"),
        (&["pool"], "<PROGRAM>"),
        (&["call", "--timeout", "soon"], "'soon'"),
        (&["worker", "--slots"], "--slots"),
    ];
    for (arguments, name) in wrong {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!(code, Some(64), "{arguments:?}");
        assert!(stdout.is_empty() && stderr.contains(name), "{stderr}");
        assert!(stderr.contains("--help"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let (code, stdout, stderr) = run(&[]);
    assert_eq!(code, Some(64));
    assert!(stdout.is_empty() && stderr.contains("Usage: powerhose"));
}

#[test]
fn a_log_filter_that_is_none_is_named() {
    let (code, _, stderr) = run(&["--log", "powerhose=loud", "completions", "bash"]);
    assert_eq!(code, Some(64));
    assert!(
        stderr.starts_with("powerhose: --log \"powerhose=loud\""),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1);
}

#[test]
fn every_shell_gets_a_completion_script() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, stdout, _) = run(&["completions", shell]);
        assert_eq!(code, Some(0));
        assert!(stdout.contains("powerhose") && stdout.contains("completions"));
    }
}
