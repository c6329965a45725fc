use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use powerhose::security::{KeyPair, PublicKey};

fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_powerhose"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn keys_are_made_once_and_for_their_owner() {
    let directory = tempfile::tempdir().expect("a directory");
    let here = directory.path();
    let (code, stdout, _) = run(here, &["keygen", "master"]);
    assert_eq!(code, Some(0));
    let secret = here.join("master.secret");
    let mode = secret.metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let public: PublicKey = stdout.trim().parse().expect("a key");
    let pair = KeyPair::from_file(&secret).expect("a key");
    assert_eq!(pair.public(), public);
    let written = PublicKey::from_file(here.join("master.public")).expect("a key");
    assert_eq!(written, public);

    let before = std::fs::read(&secret).expect("a file");
    let (code, stdout, stderr) = run(here, &["keygen", "master"]);
    assert_eq!((code, stdout.as_str()), (Some(73), ""));
    assert!(stderr.contains("master.secret"), "{stderr}");
    assert_eq!(std::fs::read(&secret).expect("a file"), before);

    std::fs::write(here.join("other.public"), "").expect("a file");
    let (code, _, stderr) = run(here, &["keygen", "other"]);
    assert_eq!(code, Some(73), "{stderr}");
    assert!(!here.join("other.secret").exists());
}

#[test]
fn bad_key_files_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let here = directory.path();
    assert_eq!(run(here, &["keygen", "a"]).0, Some(0));
    std::fs::write(
        here.join("exposed"),
        std::fs::read(here.join("a.secret")).expect("a file"),
    )
    .expect("a file");
    std::fs::set_permissions(here.join("exposed"), PermissionsExt::from_mode(0o644)).expect("ours");
    std::fs::write(here.join("nonsense"), "a key\n").expect("a file");
    std::fs::set_permissions(here.join("nonsense"), PermissionsExt::from_mode(0o600))
        .expect("ours");
    for (secret, server, expected, named) in [
        ("exposed", "a.public", 77, "exposed"),
        ("nonsense", "a.public", 65, "nonsense"),
        ("missing", "a.public", 66, "missing"),
        ("a.secret", "missing", 66, "missing"),
        ("a.secret", "nonsense", 65, "nonsense"),
    ] {
        let (code, _, stderr) = run(
            here,
            &[
                "worker",
                "--exec",
                "cat",
                "--connect",
                "tcp://127.0.0.1:9",
                "--curve-secret",
                secret,
                "--curve-server",
                server,
            ],
        );
        assert_eq!(code, Some(expected), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(named), "{stderr}");
    }
}
