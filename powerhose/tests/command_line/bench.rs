use std::process::Command;

use serde_json::Value;

#[test]
fn the_figures_are_those_of_the_program() {
    let directory = tempfile::tempdir().expect("a directory");
    let input = directory.path().join("job");
    std::fs::write(&input, "hello").expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_powerhose"))
        .args(["bench", "--exec", "sh -c 'sleep 0.05; cat'", "--per-job"])
        .args(["--jobs", "10", "--json", "--input"])
        .arg(&input)
        .output()
        .expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for way in ["direct", "offloaded_one_at_a_time", "offloaded"] {
        let figures = &report[way];
        assert_eq!(figures["jobs"], 10);
        let p50 = figures["p50_us"].as_f64().expect("a number");
        assert!((50e3..60e6).contains(&p50), "{way}: {p50}");
    }
    assert!(report["hand_over"]["jobs_per_second"].as_f64() > Some(100.0));
    assert_eq!(report["worth_it"], true, "{report}");
}

#[test]
fn a_program_that_fails_is_no_measurement() {
    let directory = tempfile::tempdir().expect("a directory");
    let input = directory.path().join("job");
    std::fs::write(&input, "hello").expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_powerhose"))
        .args([
            "bench",
            "--exec",
            "sh -c 'echo no >&2; exit 3'",
            "--per-job",
        ])
        .args(["--log", "off", "--input"])
        .arg(&input)
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(69));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.ends_with("the program failed: no\n"), "{stderr}");
}
