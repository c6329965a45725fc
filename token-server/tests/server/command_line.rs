use std::{net::TcpListener, path::Path, process::Output};

use tempfile::tempdir;

use crate::process::{needed, program};

/// Runs the program to its end: exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = program().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn serve(directory: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let settings: Vec<String> = needed(directory)
        .into_iter()
        .map(|(key, value)| format!("--set={key}={value}"))
        .collect();
    let mut arguments = vec!["serve"];
    arguments.extend(settings.iter().map(String::as_str));
    arguments.extend(more);
    run(&arguments)
}

/// One line, from this program, with these words in it.
fn assert_line(stderr: &str, words: &[&str]) {
    assert_eq!(stderr.lines().count(), 1, "more than a line: {stderr}");
    assert!(stderr.starts_with("token-server: "), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word} is not in: {stderr}");
    }
}

#[test]
fn a_missing_setting_is_named_and_ends_with_the_code_for_settings() {
    let (code, _, stderr) = run(&["serve", "--set", "database.url=sqlite:/tmp/x"]);
    assert_eq!(code, Some(78));
    assert_line(&stderr, &["browserid"]);
}

#[test]
fn a_wrong_setting_is_named_with_its_source() {
    let directory = tempdir().unwrap();
    let (code, _, stderr) = serve(directory.path(), &["--set", "http.request_timeout=10"]);
    assert_eq!(code, Some(78));
    assert_line(&stderr, &["http.request_timeout", "unit", "command line"]);
}

#[test]
fn keys_that_the_applications_cannot_use_are_refused_by_the_check() {
    let directory = tempdir().unwrap();
    let [eddsa, broken] = ["eddsa.pem", "broken.pem"].map(|name| directory.path().join(name));
    assert_eq!(run(&["keygen", eddsa.to_str().unwrap()]).0, Some(0));
    let empty = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    std::fs::write(&broken, empty).unwrap();
    let check = |key: &Path, algorithm: &str| {
        let keys = format!(r#"secrets.jwt_key_files=["{}"]"#, key.display());
        let token = format!(
            r#"applications.files={{version="1", nodes=false, endpoint="https://x", token={{format="jwt", algorithm="{algorithm}"}}}}"#
        );
        serve(
            directory.path(),
            &["--check", "--set", &keys, "--set", &token],
        )
    };
    let (code, stdout, _) = check(&eddsa, "EdDSA");
    assert_eq!((code, &*stdout), (Some(0), "the settings are fine\n"));
    let (code, _, stderr) = check(&eddsa, "ES256");
    assert_eq!(code, Some(78));
    let words = [
        "applications.files.token.algorithm",
        "ES256",
        "token-server keygen",
    ];
    assert_line(&stderr, &words);
    let (code, _, stderr) = check(&broken, "EdDSA");
    assert_eq!(code, Some(78));
    assert_line(&stderr, &["secrets.jwt_key_files", "number 1"]);
}

#[test]
fn an_issuers_keys_that_cannot_be_used_are_refused_by_the_check() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("jwks.json");
    std::fs::write(&file, "{").unwrap();
    let issuer = format!(
        r#"issuers.idp={{issuer="https://idp.test", audiences=["x"], jwks_file="{}"}}"#,
        file.display()
    );
    let (code, _, stderr) = serve(directory.path(), &["--check", "--set", &issuer]);
    assert_eq!(code, Some(65), "{stderr}");
    assert_line(&stderr, &["jwks.json"]);
}

#[test]
fn a_settings_file_that_is_not_there_is_named() {
    let (code, _, stderr) = run(&["serve", "--settings", "/nonexistent/settings.toml"]);
    assert_eq!(code, Some(66));
    assert_line(&stderr, &["/nonexistent/settings.toml"]);
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = tempdir().unwrap();
    let (code, _, stderr) = serve(directory.path(), &["--listen", &address]);
    assert_eq!(code, Some(69));
    assert_line(&stderr, &[&address, "--listen"]);

    let port = taken.local_addr().unwrap().port().to_string();
    let (code, _, stderr) = run(&["dev", "--once", "--port", &port]);
    assert_eq!(code, Some(69));
    assert_line(&stderr, &[&address, "--port"]);
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let directory = tempdir().unwrap();
    let url = "--set=database.url=sqlite:/nonexistent/users.db";
    let (code, _, stderr) = serve(directory.path(), &["--listen=127.0.0.1:0", url]);
    assert_eq!(code, Some(73));
    assert_line(&stderr, &["/nonexistent/users.db", "database.url"]);
}

#[test]
fn a_master_that_cannot_be_is_named_with_the_remedy() {
    let directory = tempdir().unwrap();
    let master = "--set=workers.master=tcp://master.example:5556";
    let keys = [
        master,
        "--set=workers.curve_secret_file=/nonexistent/own.secret",
        "--set=workers.curve_server_file=/nonexistent/master.public",
    ];
    for (arguments, code, words) in [
        (
            &["--set=workers.master=junk"][..],
            78,
            ["workers.master", "ipc://"],
        ),
        (
            &[master],
            78,
            ["workers.master", "workers.curve_secret_file"],
        ),
        (
            &keys,
            66,
            ["workers.curve_secret_file", "/nonexistent/own.secret"],
        ),
    ] {
        let (found, _, stderr) = serve(directory.path(), arguments);
        assert_eq!(found, Some(code), "{stderr}");
        assert_line(&stderr, &words);
    }
}

#[test]
fn wrong_arguments_end_with_the_code_for_usage() {
    let (code, _, stderr) = run(&["serve", "--colour", "blue"]);
    assert_eq!(code, Some(64));
    assert!(stderr.contains("--colour"), "{stderr}");
    let (code, ..) = run(&["serve", "--set", "nonsense"]);
    assert_eq!(code, Some(64));
}

#[test]
fn settings_can_be_checked_without_serving() {
    let directory = tempdir().unwrap();
    let (code, stdout, stderr) = serve(directory.path(), &["--check"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stdout, "the settings are fine\n");
    assert_eq!(
        directory.path().read_dir().unwrap().count(),
        0,
        "nothing was made"
    );
}

#[test]
fn every_shell_gets_a_completion_script() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, stdout, _) = run(&["completions", shell]);
        assert_eq!(code, Some(0));
        assert!(
            stdout.contains("token-server") && stdout.contains("completions"),
            "{shell}"
        );
    }
}
