//! Options and files that make no sense: one line, with the thing, the remedy and a code.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::support::{Place, run};

/// Ends with a code and one line that contains all of these.
fn fails(arguments: &[&str], code: i32, contains: &[&str]) {
    let (ended, stdout, stderr) = run(arguments.iter().copied());
    assert_eq!(ended, Some(code), "{arguments:?}: {stderr}");
    assert_eq!(
        (stdout.as_str(), stderr.lines().count()),
        ("", 1),
        "{stderr}"
    );
    for part in contains {
        assert!(stderr.contains(part), "{stderr}");
    }
}

#[test]
fn leaving_the_machine_takes_keys_or_a_word() {
    let place = Place::new();
    let (frontend, backend) = (place.frontend(), place.backend());
    let anywhere = "tcp://0.0.0.0:*";
    let remedy = [anywhere, "powerhose keygen", "insecure"];
    fails(
        &["master", "--frontend", anywhere, "--backend", &backend],
        78,
        &remedy,
    );
    fails(
        &["master", "--frontend", &frontend, "--backend", anywhere],
        78,
        &remedy,
    );
    let operators = [
        "master",
        "--frontend",
        &frontend,
        "--backend",
        &backend,
        "--operator",
        anywhere,
    ];
    fails(&operators, 78, &remedy);
    let elsewhere = "tcp://master.example:5555";
    let remedy = [elsewhere, "powerhose keygen", "insecure"];
    fails(&["call", "--frontend", elsewhere], 78, &remedy);
    fails(&["status", "--frontend", elsewhere], 78, &remedy);
    fails(
        &["worker", "--exec", "cat", "--connect", elsewhere],
        78,
        &remedy,
    );
    let insecure = ["--frontend", anywhere, "--insecure"];
    let insecure = place.start(&mut place.master_command(&insecure));
    insecure.logs("ready");
    assert!(
        insecure.log().contains("tcp://0.0.0.0:"),
        "{}",
        insecure.log()
    );
}

#[test]
fn endpoints_that_are_none_are_named() {
    let place = Place::new();
    let backend = place.backend();
    for (endpoint, why) in [
        ("udp://127.0.0.1:1", "is no endpoint"),
        ("tcp://127.0.0.1", "has no port"),
        ("ipc://", "names no socket file"),
    ] {
        fails(
            &["master", "--frontend", endpoint, "--backend", &backend],
            64,
            &[endpoint, why],
        );
        fails(&["call", "--frontend", endpoint], 64, &[endpoint, why]);
        fails(&["status", "--frontend", endpoint], 64, &[endpoint, why]);
    }
}

#[test]
fn key_files_are_checked_before_anything_is_done() {
    let place = Place::new();
    assert_eq!(run(["keygen", &place.argument("own")]).0, Some(0));
    let (secret, public) = (place.argument("own.secret"), place.argument("own.public"));
    let list = place.write("list", "# ours\nnonsense\n");
    let missing = place.argument("missing");
    let (frontend, backend) = (place.frontend(), place.backend());
    let master = |more: &[&str], code, contains: &[&str]| {
        let start = ["master", "--frontend", &frontend, "--backend", &backend];
        fails(&[&start[..], more].concat(), code, contains);
    };
    let lists = ["--allow-workers", "--allow-clients", "--allow-operators"];
    for option in lists {
        master(
            &["--curve-secret", &secret, option, &list],
            65,
            &[&list, "line 2"],
        );
        master(
            &["--curve-secret", &secret, option, &missing],
            66,
            &[&missing],
        );
        master(&[option, &public], 78, &[&option[2..], "curve-secret"]);
    }
    master(&["--curve-secret", &missing], 66, &[&missing]);
    fs::set_permissions(&list, Permissions::from_mode(0o600)).expect("it is ours");
    master(&["--curve-secret", &list], 65, &[&list, "line 1"]);
    let roles: [&[&str]; 3] = [
        &["call", "--frontend", &frontend],
        &["status", "--frontend", &frontend],
        &["worker", "--exec", "cat", "--connect", &backend],
    ];
    for role in roles {
        let keys = |secret, server| {
            let keys = ["--curve-secret", secret, "--curve-server", server];
            [role, &keys].concat()
        };
        fails(&keys(&missing, &public), 66, &[&missing]);
        fails(&keys(&secret, &missing), 66, &[&missing]);
        fails(&keys(&secret, &list), 65, &[&list]);
    }
    for mode in [0o640, 0o604, 0o610] {
        fs::set_permissions(&secret, Permissions::from_mode(mode)).expect("it is ours");
        master(&["--curve-secret", &secret], 77, &[&secret, "chmod 600"]);
        for role in roles {
            let keys = ["--curve-secret", &secret, "--curve-server", &public];
            fails(&[role, &keys].concat(), 77, &[&secret, "chmod 600"]);
        }
    }
}

#[test]
fn settings_files_are_checked() {
    let place = Place::new();
    for (content, code, contains) in [
        ("frontends = []", 78, "frontends"),
        ("grace = 5", 78, "grace"),
        ("[security]\ninsecure = true", 78, "insecure"),
        ("log = 'powerhose=loud'", 64, "powerhose=loud"),
    ] {
        let settings = place.write("settings", content);
        fails(&["master", "--config", &settings], code, &[contains]);
    }
    let missing = place.argument("missing");
    fails(&["master", "--config", &missing], 66, &[&missing]);
}
