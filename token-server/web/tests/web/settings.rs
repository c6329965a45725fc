use std::{fs, io::Write as _, path::Path};

use crypto_jobs::TokenSecret;
use tempfile::NamedTempFile;
use token_server_web::settings::{DatabaseUrl, Settings, SettingsError, Sources, TokenSecrets};

pub(crate) const GOOD: &str = r#"
    [database]
    url = "sqlite:/var/lib/token-server/users.db"
    [browserid]
    audience = "https://token.example.org"
    [secrets]
    token = "a-token-secret"
    metrics = "a-metrics-secret"
"#;

pub(crate) fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

pub(crate) fn load(text: &str, assignments: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let file = file(text);
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Settings::load(&Sources {
        file: Some(file.path()),
        environment: Vec::new(),
        assignments: assignments.iter().map(owned).collect(),
    })
}

/// The one line that an operator gets to read.
pub(crate) fn complaint(assignments: &[(&str, &str)]) -> String {
    let line = load(GOOD, assignments).unwrap_err().to_string();
    assert!(!line.contains('\n'), "more than one line: {line}");
    line
}

#[test]
fn the_least_that_must_be_set_is_enough() {
    let settings = load(GOOD, &[]).unwrap();
    let DatabaseUrl::Sqlite(path) = settings.database.url else {
        panic!("another kind of database");
    };
    assert_eq!(path.to_str(), Some("/var/lib/token-server/users.db"));
    assert!(settings.http.listen.ip().is_loopback());
    assert_eq!(settings.applications["sync"].version, "1.5");
    assert_eq!(settings.applications["sync"].token_lifetime.as_secs(), 300);
}

#[test]
fn whatever_has_no_default_is_asked_for_by_name() {
    for (section, line, key) in [
        (
            "database",
            "url = \"sqlite:/var/lib/token-server/users.db\"",
            "database.url",
        ),
        (
            "browserid",
            "audience = \"https://token.example.org\"",
            "browserid.audience",
        ),
        ("secrets", "token = \"a-token-secret\"", "secrets.token"),
        (
            "secrets",
            "metrics = \"a-metrics-secret\"",
            "secrets.metrics",
        ),
    ] {
        let without = GOOD.replace(line, "");
        assert_ne!(without, GOOD, "{section}");
        let error = load(&without, &[]).unwrap_err().to_string();
        assert!(error.contains(key), "{key} is not named in: {error}");
    }
}

#[test]
fn unknown_keys_are_named_with_their_section() {
    assert!(complaint(&[("browserid.gatway", "http://a:1")]).contains("browserid.gatway"));
    assert!(complaint(&[("browserid.documents.ttl", "1h")]).contains("browserid.documents.ttl"));
    assert!(
        complaint(&[("applications.sync.lifetime", "1h")]).contains("applications.sync.lifetime")
    );
    let line = complaint(&[("colour", "blue")]);
    assert!(
        line.starts_with("setting colour: is not a setting"),
        "{line}"
    );
}

#[test]
fn bad_values_are_named_with_their_key_and_source() {
    for (key, value) in [
        ("http.listen", "localhost"),
        ("http.max_connections", "0"),
        ("database.url", "mongodb://somewhere"),
        ("database.connections", "0"),
        ("browserid.audience", "https://token.example.org/path"),
        ("browserid.audience", "[]"),
        (
            "browserid.audience",
            "[\"https://token.example.org\", \"elsewhere\"]",
        ),
        ("browserid.gateway", "https://gateway.example.org"),
        ("browserid.gateway", "http://gateway.example.org/path"),
        ("browserid.trusted_issuers", "[\"Accounts.Example.org\"]"),
        ("browserid.algorithms", "[\"HS256\"]"),
        ("browserid.algorithms", "[]"),
        ("nodes.capacity_release_rate", "0.0"),
        ("nodes.capacity_release_rate", "1.5"),
        ("log.format", "xml"),
    ] {
        let line = complaint(&[(key, value)]);
        assert!(line.contains(key), "{key} is not named in: {line}");
    }
    let line = complaint(&[("http.listen", "localhost")]);
    assert!(line.contains("the command line"), "no source in: {line}");
}

#[test]
fn durations_need_their_unit() {
    for bad in ["5", "\"5\"", "5 parsecs", "0s", "-1s", "0"] {
        let line = complaint(&[("http.request_timeout", bad)]);
        assert!(line.contains("http.request_timeout"), "{bad}: {line}");
    }
    let settings = load(GOOD, &[("http.request_timeout", "1m 30s")]).unwrap();
    assert_eq!(settings.http.request_timeout.as_secs(), 90);
    let line = complaint(&[
        ("applications.sync.version", "\"1.5\""),
        ("applications.sync.token_lifetime", "1500ms"),
    ]);
    assert!(line.contains("applications.sync.token_lifetime"), "{line}");
}

#[test]
fn what_one_value_cannot_tell_is_checked_too() {
    let line = complaint(&[("browserid.documents.stale_for", "1m")]);
    assert!(line.contains("browserid.documents.stale_for"), "{line}");
    for (documents, request) in [("10s", "10s"), ("5s", "4s")] {
        let line = complaint(&[
            ("browserid.documents.timeout", documents),
            ("http.request_timeout", request),
        ]);
        for key in ["browserid.documents.timeout", "http.request_timeout"] {
            assert!(line.contains(key), "{line}");
        }
    }
    let line = complaint(&[("workers.count", "0")]);
    assert!(line.contains("workers.endpoint"), "{line}");
}

#[test]
fn the_environment_wins_over_the_file_and_the_command_line_over_both() {
    let file = file(&format!(
        "{GOOD}\n[http]\nlisten = \"127.0.0.1:1\"\nmax_body_bytes = 1"
    ));
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let sources = Sources {
        file: Some(file.path()),
        environment: vec![
            variable("TOKEN_SERVER__HTTP__LISTEN", "127.0.0.1:2"),
            variable("TOKEN_SERVER__HTTP__MAX_BODY_BYTES", "2"),
            variable("TOKEN_SERVER_SETTINGS", "is no setting"),
            variable("PATH", "/bin"),
        ],
        assignments: vec![variable("http.listen", "127.0.0.1:3")],
    };
    let settings = Settings::load(&sources).unwrap();
    assert_eq!(settings.http.listen.port(), 3);
    assert_eq!(settings.http.max_body_bytes, 2);
}

#[test]
fn a_misspelt_variable_is_refused_by_its_name() {
    let file = file(GOOD);
    let name = "TOKEN_SERVER__HTTP__LISTNE".to_owned();
    let error = Settings::load(&Sources {
        file: Some(file.path()),
        environment: vec![(name.clone(), "127.0.0.1:2".to_owned())],
        assignments: Vec::new(),
    })
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("http.listne") && error.contains(&name),
        "{error}"
    );
}

#[test]
fn secrets_come_from_files_without_their_last_newline() {
    let secret = file("a secret from a file\n");
    let settings = load(
        &GOOD.replace("token = \"a-token-secret\"", ""),
        &[("secrets.token_file", secret.path().to_str().unwrap())],
    )
    .unwrap();
    let TokenSecrets::Fixed(secrets) = &settings.secrets.token else {
        panic!("one secret for all nodes");
    };
    assert_eq!(secrets[0].expose(), b"a secret from a file");
}

#[test]
fn secrets_are_refused_when_they_are_doubled_empty_or_not_there() {
    let secret = file("");
    let path = secret.path().to_str().unwrap();
    assert!(complaint(&[("secrets.token_file", path)]).contains("secrets.token_file"));
    let without = GOOD.replace("token = \"a-token-secret\"", "");
    let error = load(&without, &[("secrets.token_file", path)]).unwrap_err();
    assert!(
        error.to_string().contains("secrets.token: is empty"),
        "{error}"
    );
    let error = load(&without, &[("secrets.token_file", "/nonexistent")]).unwrap_err();
    assert!(matches!(&error, SettingsError::Unreadable { .. }));
    assert!(error.to_string().contains("/nonexistent"), "{error}");
}

#[test]
fn secrets_are_never_shown() {
    let settings = load(GOOD, &[]).unwrap();
    let shown = format!("{settings:?}");
    assert!(!shown.contains("a-token-secret") && !shown.contains("a-metrics-secret"));
    // Not even when they are taken for a number.
    let line = complaint(&[("secrets.token", "31415926")]);
    assert!(
        line.contains("secrets.token") && !line.contains("31415926"),
        "{line}"
    );
    let error = load(&GOOD.replace("\"a-token-secret\"", "\"a-token-secret"), &[]).unwrap_err();
    let line = error.to_string();
    assert!(matches!(error, SettingsError::Syntax { .. }));
    assert!(
        !line.contains("a-token-secret") && !line.contains('\n'),
        "{line}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let missing = Path::new("/nonexistent/token-server.toml");
    let error = Settings::load(&Sources {
        file: Some(missing),
        ..Sources::default()
    })
    .unwrap_err();
    assert!(
        error.to_string().contains("/nonexistent/token-server.toml"),
        "{error}"
    );
    assert!(fs::metadata(missing).is_err());
}

/// The settings that `assignments` make of good ones without their token secret.
fn with_token_secrets(assignments: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    load(&GOOD.replace("token = \"a-token-secret\"", ""), assignments)
}

/// The fixed secret that signs for a node, as text.
fn signs_for(settings: &Settings, node: &str) -> Option<String> {
    match settings.secrets.token.newest(node)? {
        TokenSecret::Fixed(secret) => String::from_utf8(secret.expose().to_vec()).ok(),
        TokenSecret::PerNode { .. } => panic!("a derived secret"),
    }
}

#[test]
fn of_several_secrets_the_last_one_signs() {
    let settings = with_token_secrets(&[("secrets.token", r#"["old", "new"]"#)]).unwrap();
    assert_eq!(signs_for(&settings, "anything").as_deref(), Some("new"));
    let (old, new) = (file("old\n"), file("new\n"));
    let paths = format!("[{:?}, {:?}]", old.path(), new.path());
    let settings = with_token_secrets(&[("secrets.token_file", &paths)]).unwrap();
    assert_eq!(signs_for(&settings, "anything").as_deref(), Some("new"));
    assert!(with_token_secrets(&[("secrets.token", "[]")]).is_err());
}

#[test]
fn nodes_can_have_secrets_of_their_own() {
    let nodes = file("# comment\nhttps://a.test,200:second,100:first\nhttps://b.test,7:other\n");
    let path = nodes.path().to_str().unwrap();
    let settings = with_token_secrets(&[("secrets.nodes_file", path)]).unwrap();
    assert_eq!(
        signs_for(&settings, "https://a.test").as_deref(),
        Some("second")
    );
    assert_eq!(
        signs_for(&settings, "https://b.test").as_deref(),
        Some("other")
    );
    assert_eq!(signs_for(&settings, "https://c.test"), None);
    for broken in [
        "",
        "https://a.test",
        "https://a.test,first",
        "https://a.test,x:first",
    ] {
        let nodes = file(broken);
        let path = nodes.path().to_str().unwrap();
        let line = with_token_secrets(&[("secrets.nodes_file", path)])
            .unwrap_err()
            .to_string();
        assert!(line.contains(path) && !line.contains("first"), "{line}");
    }
}

#[test]
fn nodes_secrets_can_be_derived() {
    let master = file("a master secret of some length");
    let path = master.path().to_str().unwrap();
    let settings = with_token_secrets(&[("secrets.master_file", path)]).unwrap();
    let Some(TokenSecret::PerNode { node, .. }) = settings.secrets.token.newest("https://a.test")
    else {
        panic!("derived by the workers");
    };
    assert_eq!(node, "https://a.test");
    let twice = [("secrets.master_file", path), ("secrets.token_file", path)];
    assert!(
        with_token_secrets(&twice)
            .unwrap_err()
            .to_string()
            .contains("twice")
    );
    let short = file("short");
    let path = short.path().to_str().unwrap();
    let error = with_token_secrets(&[("secrets.master_file", path)]).unwrap_err();
    assert!(error.to_string().contains("secrets.master_file"), "{error}");
}

#[test]
fn applications_and_issuers_that_cannot_work_are_refused() {
    let notes = [
        ("applications.notes.version", "\"1\""),
        ("applications.notes.nodes", "false"),
        ("applications.notes.endpoint", "https://notes.test/{uid}"),
        ("applications.notes.token.format", "jwt"),
    ];
    let idp = [
        ("issuers.idp.issuer", "https://idp.test"),
        ("issuers.idp.audiences", r#"["us"]"#),
    ];
    for (base, key, value, named) in [
        (&notes[..], "log.filter", "info", "secrets.jwt_key_files"),
        (
            &notes[..3],
            "applications.notes.token.encrypt",
            "true",
            "token.encrypt",
        ),
        (
            &notes[..2],
            "log.filter",
            "info",
            "applications.notes.endpoint",
        ),
        (
            &notes[..3],
            "applications.notes.endpoint",
            "https://{node}/",
            "{node}",
        ),
        (
            &notes[..3],
            "applications.notes.init_node_url",
            "https://node1.test",
            "init_node_url",
        ),
        (
            &notes[..1],
            "applications.notes.init_node_url",
            "https://node1.test/",
            "slash",
        ),
        (
            &notes[..],
            "applications.notes.token.algorithm",
            "HS256",
            "applications.notes.secret_file",
        ),
        (
            &notes[..3],
            "applications.notes.identities",
            r#"["nobody"]"#,
            "nobody",
        ),
        (
            &idp[..],
            "issuers.idp.audiences",
            "[]",
            "issuers.idp.audiences",
        ),
        (
            &idp[..],
            "issuers.idp.algorithms",
            r#"["none"]"#,
            "issuers.idp.algorithms",
        ),
        (
            &idp[..],
            "issuers.idp.algorithms",
            r#"["HS256"]"#,
            "issuers.idp.algorithms",
        ),
        (
            &idp[..],
            "issuers.idp.issuer",
            "urn:idp",
            "issuers.idp.jwks_uri",
        ),
        (
            &idp[..],
            "issuers.idp.jwks_uri",
            "ftp://idp.test",
            "issuers.idp.jwks_uri",
        ),
        (&idp[..1], "log.filter", "info", "audiences"),
        (&idp[..], "jwks.stale_for", "1s", "jwks.stale_for"),
    ] {
        let mut assignments = base.to_vec();
        assignments.push((key, value));
        let line = complaint(&assignments);
        assert!(line.contains(named), "{named} is not named in: {line}");
    }
    let mut same = idp.to_vec();
    same.extend([
        ("issuers.other.issuer", "https://idp.test/other"),
        ("issuers.other.audiences", r#"["us"]"#),
    ]);
    assert!(complaint(&same).contains("issuers.other.domain"));
    assert!(load(GOOD, &idp).is_ok());
}

#[test]
fn hs256_takes_only_a_long_secret_of_the_applications_own() {
    let jwt = [
        ("applications.notes.version", "\"1\""),
        ("applications.notes.nodes", "false"),
        ("applications.notes.endpoint", "https://notes.test/{uid}"),
        ("applications.notes.token.format", "jwt"),
        ("applications.notes.token.algorithm", "HS256"),
    ];
    let (long, short) = (file(&"x".repeat(32)), file(&"x".repeat(31)));
    let [long, short] = [&long, &short].map(|file| file.path().to_str().unwrap());
    let own = |path| [("applications.notes.secret_file", path)];
    let with = |more: &[(&str, &str)]| {
        let mut all = jwt.to_vec();
        all.extend(more);
        with_token_secrets(&all)
    };

    let shared = [("secrets.token_file", long)];
    assert!(with(&[shared[0], own(long)[0]]).is_ok());
    for refused in [
        vec![shared[0], own(short)[0]],
        // A secret that signs other things, too.
        vec![shared[0]],
        // Secrets that are derived from the nodes' master secret.
        vec![("secrets.master_file", long)],
    ] {
        let error = with(&refused).unwrap_err().to_string();
        assert!(
            error.contains("applications.notes.secret_file") && error.contains("HS256"),
            "{error}"
        );
    }
}

#[test]
fn a_version_file_that_cannot_be_used_is_named() {
    for content in ["", "[]", "\"1.0\"", "{"] {
        let broken = file(content);
        let path = broken.path().to_str().unwrap();
        let line = complaint(&[("http.version_file", path)]);
        assert!(line.contains(path) && line.contains("JSON"), "{line}");
    }
    let line = complaint(&[("http.version_file", "/nonexistent/version.json")]);
    assert!(line.contains("/nonexistent/version.json"), "{line}");
}
