//! `[workers]`: processes of the server's own, or a standalone master.

use powerhose::security::KeyPair;
use tempfile::TempDir;

use crate::{
    settings::{GOOD, complaint, file, load},
    settings_documented::sample,
};

const MASTER: (&str, &str) = ("workers.master", "ipc:///run/powerhose/frontend");

/// A key pair in files: the secret one, and the public one.
fn keys(directory: &TempDir) -> [String; 2] {
    let [secret, public] = ["own.secret", "own.public"].map(|name| directory.path().join(name));
    KeyPair::generate().unwrap().save(&secret, &public).unwrap();
    [secret, public].map(|path| path.to_str().unwrap().to_owned())
}

#[test]
fn workers_are_the_servers_own_unless_a_master_is_named() {
    assert!(load(GOOD, &[]).unwrap().workers.client().is_none());
    let one = load(GOOD, &[MASTER]).unwrap().workers;
    assert_eq!(one.master, ["ipc:///run/powerhose/frontend"]);
    assert!(one.client().is_some());
    let list = r#"["ipc:///run/one/frontend", "tcp://127.0.0.1:5556"]"#;
    let two = load(GOOD, &[("workers.master", list)]).unwrap().workers;
    assert_eq!(
        two.master,
        ["ipc:///run/one/frontend", "tcp://127.0.0.1:5556"]
    );
    // The same file can serve both, by one setting more.
    let counted = load(GOOD, &[MASTER, ("workers.count", "0")])
        .unwrap()
        .workers;
    assert!(counted.client().is_some());
}

#[test]
fn a_master_that_cannot_be_is_refused_with_the_remedy() {
    let directory = TempDir::new().unwrap();
    let [secret, public] = keys(&directory);
    let elsewhere = ("workers.master", "tcp://master.example:5556");
    let own = ("workers.curve_secret_file", secret.as_str());
    let server = ("workers.curve_server_file", public.as_str());
    let exposed = ("workers.curve_secret_file", public.as_str());
    let missing = ("workers.curve_server_file", "/nonexistent/master.public");
    let junk = file("not a key");
    let junk = ("workers.curve_server_file", junk.path().to_str().unwrap());
    for (assignments, words) in [
        (
            &[("workers.master", "[]")][..],
            ["workers.master", "names no master"],
        ),
        (&[("workers.master", "junk")], ["workers.master", "ipc://"]),
        (
            &[("workers.master", "ipc://")],
            ["workers.master", "absolute path"],
        ),
        (&[("workers.master", "17")], ["workers.master", "quotes"]),
        (
            &[elsewhere],
            ["workers.master", "workers.curve_secret_file"],
        ),
        (
            &[MASTER, ("workers.endpoint", "ipc:///run/token-server/w")],
            ["workers.master", "workers.endpoint"],
        ),
        (
            &[elsewhere, own],
            ["workers.curve_server_file", "public key"],
        ),
        (
            &[elsewhere, server],
            ["workers.curve_secret_file", "powerhose keygen"],
        ),
        (
            &[elsewhere, exposed, server],
            ["workers.curve_secret_file", "chmod 600"],
        ),
        (
            &[elsewhere, own, missing],
            ["workers.curve_server_file", "/nonexistent/master.public"],
        ),
        (
            &[elsewhere, own, junk],
            ["workers.curve_server_file", "40 characters"],
        ),
        (&[own, server], ["workers.master", "must be set"]),
        (
            &[("workers.insecure", "true")],
            ["workers.master", "must be set"],
        ),
    ] {
        let line = complaint(assignments);
        for word in words {
            assert!(line.contains(word), "{word} is not in: {line}");
        }
    }
    for fine in [
        &[elsewhere, own, server][..],
        &[elsewhere, ("workers.insecure", "true")],
        &[MASTER, own, server],
    ] {
        let settings = load(GOOD, fine).unwrap();
        let shown = format!("{settings:?}");
        let secret = std::fs::read_to_string(&secret).unwrap();
        assert!(!shown.contains(secret.trim()), "a secret key is shown");
    }
}

#[test]
fn the_published_sample_shows_how_a_master_is_named() {
    let shown: Vec<String> = sample()
        .lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .filter(|line| line.contains(" = "))
        .map(str::to_owned)
        .collect();
    let keys = TempDir::new().unwrap();
    let [secret, public] = self::keys(&keys);
    let text = format!("{GOOD}\n[workers]\n{}", shown.join("\n"))
        .replace("/etc/token-server/curve.secret", &secret)
        .replace("/etc/token-server/master.public", &public);
    let workers = load(&text, &[]).unwrap().workers;
    assert!(workers.client().is_some() && workers.curve.is_some() && !workers.insecure);
}
