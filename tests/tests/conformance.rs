//! The conformance kit: it passes workers that keep the protocol, in three languages, and names the clause that a defect breaks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tests::binaries::binary;
use tests::{cpp, paths, python};

/// What the kit says of a worker: the outcome of each check, and the reason if it failed.
fn verdicts(worker: &str, only: &[&str]) -> BTreeMap<String, (String, String)> {
    let mut kit = Command::new(binary("powerhose"));
    kit.args([
        "conformance",
        "--json",
        "--patience",
        "30s",
        "--jobs",
        "2",
        "--worker",
        worker,
    ]);
    for check in only {
        kit.args(["--only", check]);
    }
    let output = kit.output().expect("the kit runs");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "no report ({error}): {}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let failed = report["failed"] != 0;
    assert_eq!(output.status.code(), Some(i32::from(failed)), "{report}");
    let checks = report["checks"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (checks.iter())
        .map(|verdict| {
            (
                text(&verdict["check"]),
                (text(&verdict["outcome"]), text(&verdict["reason"])),
            )
        })
        .collect()
}

/// The worker passes every check; it skips these alone.
fn passes(worker: &str, skipped: &[&str]) {
    let verdicts = verdicts(worker, &[]);
    assert!(verdicts.len() > 40, "only {} checks ran", verdicts.len());
    for (check, (outcome, reason)) in verdicts {
        let expected = if skipped.contains(&check.as_str()) {
            "skipped"
        } else {
            "passed"
        };
        assert_eq!(outcome, expected, "{check}: {reason}");
    }
}

/// The worker fails this check, for a reason that says this.
fn fails(worker: &str, check: &str, says: &str) {
    let verdicts = verdicts(worker, &[check]);
    let (outcome, reason) = &verdicts[check];
    assert_eq!(outcome, "failed", "{worker} passes {check}");
    assert!(
        reason.contains(says),
        "{worker} fails {check}, but for: {reason}"
    );
    assert!(reason.contains("expected"), "{reason}");
}

/// The command line of a Python program of the repository, with arguments.
fn python_program(script: &str, arguments: &str) -> String {
    let command = python::command(&paths::repository().join(script));
    let words = command.get_args().map(|word| word.to_string_lossy());
    let words: Vec<_> = std::iter::once(command.get_program().to_string_lossy())
        .chain(words)
        .collect();
    let package = python::package();
    format!(
        "env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={} {} {{endpoint}} {arguments}",
        package.display(),
        words.join(" ")
    )
}

/// The bare worker, with a bug if one is named.
fn python_worker(bug: &str) -> String {
    python_program("tests/tests/conformance/worker.py", bug)
}

#[test]
fn the_rust_worker_keeps_the_protocol() {
    let worker = binary("conformance-worker");
    passes(&format!("{} --connect {{endpoint}}", worker.display()), &[]);
}

#[test]
fn the_rust_worker_keeps_the_protocol_with_several_slots_and_its_own_socket() {
    let worker = binary("conformance-worker");
    let line = format!(
        "{} --connect {{endpoint}} --slots 3 --own-socket {{socket}}",
        worker.display()
    );
    passes(&line, &[]);
}

#[test]
fn a_worker_of_bare_pyzmq_keeps_the_protocol() {
    passes(&python_worker(""), &["gives-up"]);
}

#[test]
fn the_python_worker_keeps_the_protocol() {
    let sample = "workers/python/samples/conformance.py";
    passes(&python_program(sample, ""), &[]);
    passes(&python_program(sample, "2 {socket}"), &[]);
}

#[test]
fn the_cpp_worker_keeps_the_protocol() {
    let folder = tempfile::tempdir().expect("a directory");
    let worker = cpp::compile("workers/cpp/samples/conformance.cpp", folder.path());
    passes(&format!("{} {{endpoint}}", worker.display()), &[]);
    passes(
        &format!("{} {{endpoint}} 3 {{socket}}", worker.display()),
        &[],
    );
}

#[test]
fn defects_of_python_workers_are_found() {
    for (bug, check, says) in [
        ("answers-heartbeats", "pings-unanswered", "got HEARTBEAT"),
        ("hears-every-session", "other-session", "another session"),
        ("ignores-cancel", "cancel-waiting", "RESULT ok"),
        ("starts-expired", "expired", "RESULT expired"),
        ("drops-on-sigterm", "sigterm-busy", "DISCONNECT drained"),
        ("leaves-at-once", "sigterm-idle", "DISCONNECT drained"),
        ("sends-too-large", "too-large", "RESULT too-large"),
        ("keeps-its-socket", "unknown-session", "same connection"),
    ] {
        fails(&python_worker(bug), check, says);
    }
}

#[test]
fn defects_of_cpp_workers_are_found() {
    let folder = tempfile::tempdir().expect("a directory");
    let worker = cpp::compile("tests/tests/conformance/broken.cpp", folder.path());
    for (bug, check, says) in [
        ("own-routing-id", "no-routing-id", "routing id"),
        ("no-backoff", "backoff", "a delay between"),
        ("dies-of-rejection", "rejected-for-now", "ended"),
        ("inline-only", "body-forms", "RESULT"),
        ("wrong-attempt", "attempts", "attempt"),
    ] {
        fails(
            &format!("{} {{endpoint}} {bug}", worker.display()),
            check,
            says,
        );
    }
}

#[test]
fn the_cpp_codec_reads_the_golden_frames() {
    let vectors = paths::repository().join("tests/vectors/wire");
    let files = [vectors.join("messages.json"), vectors.join("refused.json")];
    cpp_program_succeeds("workers/cpp/tests/codec.cpp", &files);
}

#[test]
fn the_cpp_sdk_keeps_the_rules_of_ipc_paths() {
    let folder = tempfile::tempdir().expect("a directory");
    cpp_program_succeeds("workers/cpp/tests/claim.cpp", &[folder.path().into()]);
}

/// Compiles a test program of the C++ SDK and runs it.
fn cpp_program_succeeds(source: &str, arguments: &[PathBuf]) {
    let folder = tempfile::tempdir().expect("a directory");
    let output = Command::new(cpp::compile(source, folder.path()))
        .args(arguments)
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
