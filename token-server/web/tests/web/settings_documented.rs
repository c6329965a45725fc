//! What is published about the settings: the sample, and the list in the operators' guide.

use std::{collections::BTreeMap, fs, path::Path};

use token_server_web::settings::{Settings, SettingsError, TAKE_A_RESTART};

use crate::settings::{file, load};

pub(crate) fn sample() -> String {
    read("deploy/token-server.toml")
}

/// A file of the repository.
fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap()
}

/// Files of secrets that are there, instead of the sample's, which aren't.
fn with_secrets(text: &str, assignments: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let secret = file("a secret from a file");
    let key = file("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let mut text = text.to_owned();
    for name in ["token", "metrics", "notes"] {
        let path = format!("/etc/token-server/{name}.secret");
        assert!(text.contains(&path), "{path}");
        text = text.replace(&path, secret.path().to_str().unwrap());
    }
    let path = "/etc/token-server/jwt-2026.pem";
    assert!(text.contains(path));
    load(
        &text.replace(path, key.path().to_str().unwrap()),
        assignments,
    )
}

/// The lines of the sample that show a default, as settings.
fn with_defaults_spelt_out(text: &str) -> String {
    text.lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(line) if line.split_once(" = ").is_some_and(|(key, _)| is_key(key)) => line,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_key(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn the_published_sample_can_be_used() {
    let settings = with_secrets(&sample(), &[]).unwrap();
    assert_eq!(
        settings.browserid.as_ref().unwrap().origin(),
        Some("https://token.example.org")
    );
    let events = settings.oauth.unwrap().events.unwrap();
    assert_eq!(events.issuer, "https://accounts.example.org/");
}

#[test]
fn the_published_sample_shows_every_default_as_it_is() {
    let mut implied = with_secrets(&sample(), &[]).unwrap();
    let mut spelt_out = with_secrets(&with_defaults_spelt_out(&sample()), &[]).unwrap();
    // Examples, or the machine's own.
    assert!(
        spelt_out
            .browserid
            .as_mut()
            .unwrap()
            .gateway
            .take()
            .is_some()
    );
    let sync = spelt_out.applications.get_mut("sync").unwrap();
    assert!(sync.init_node_url.take().is_some());
    assert!(sync.endpoint.take().is_some());
    assert!(spelt_out.workers.endpoint.take().is_some());
    assert_eq!(spelt_out.nodes.types.drain(..).count(), 1);
    assert!(spelt_out.users.allow_file.take().is_some());
    assert!(spelt_out.users.deny_file.take().is_some());
    spelt_out.workers.count = implied.workers.count;
    // Each was read from a file of its own.
    for settings in [&mut spelt_out, &mut implied] {
        let notes = settings.applications.get_mut("notes").unwrap();
        assert!(notes.secret.is_some() && notes.secret_file.take().is_some());
    }
    assert_eq!(format!("{spelt_out:#?}"), format!("{implied:#?}"));
}

#[test]
fn what_takes_a_restart_is_documented_and_everything_else_is_read_again() {
    let text = read("docs/token-server.md");
    let (_, list) = text.split_once("These take a restart").unwrap();
    let (list, _) = list.split_once("If anything cannot be").unwrap();
    let documented: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    assert_eq!(documented, TAKE_A_RESTART);
    // A new setting belongs here or there.
    let read_again = [
        "applications.",
        "browserid.",
        "http.max_body_bytes",
        "http.request_timeout",
        "http.trusted_proxies",
        "issuers.",
        "jwks.",
        "nodes.types",
        "oauth.",
        "secrets.",
        "users.allow_new",
    ];
    for setting in all_settings() {
        let again = read_again.iter().any(|start| setting.starts_with(start));
        let restart = TAKE_A_RESTART.contains(&setting.as_str());
        assert!(again != restart, "{setting}");
    }
}

/// All settings there are, with `NAME` for what the operator names.
fn all_settings() -> Vec<String> {
    let mut all = Vec::new();
    let mut sections = vec![String::new()];
    while let Some(section) = sections.pop() {
        for key in known_in(&section).unwrap() {
            let key = match (section.as_str(), key.as_str()) {
                ("", "applications") => "applications.notes".to_owned(),
                ("", "issuers") => "issuers.example".to_owned(),
                ("", key) => key.to_owned(),
                (section, key) => format!("{section}.{key}"),
            };
            match known_in(&key) {
                Some(_) => sections.push(key),
                None => all.push(key),
            }
        }
    }
    let general = |key: String| {
        let key = key.replace("applications.notes.", "applications.NAME.");
        key.replace("issuers.example.", "issuers.NAME.")
    };
    all.into_iter().map(general).collect()
}

/// The keys of a section, as the server itself tells them to whoever misspells one. `None` for what is no
/// section.
fn known_in(section: &str) -> Option<Vec<String>> {
    let misspelt = format!("{section}.misspelt");
    let misspelt = misspelt.trim_start_matches('.');
    let error = with_secrets(&sample(), &[(misspelt, "1")])
        .err()?
        .to_string();
    let complaint = format!("setting {misspelt}: is not a setting; known here: ");
    let known = error.strip_prefix(&complaint)?.split(" (from ").next()?;
    Some(known.split(", ").map(str::to_owned).collect())
}

/// The sample's lines, by section as in [`all_settings`].
fn lines_by_section(sample: &str) -> BTreeMap<String, Vec<&str>> {
    let mut sections: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut section = String::new();
    for line in sample.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            let mut parts: Vec<&str> = name.split('.').collect();
            if matches!(parts[0], "applications" | "issuers") {
                parts[1] = "NAME";
            }
            section = parts.join(".");
        }
        sections.entry(section.clone()).or_default().push(line);
    }
    sections
}

#[test]
fn the_published_sample_names_every_setting() {
    let sample = sample();
    let sections = lines_by_section(&sample);
    let all = all_settings();
    assert!(all.len() > 80, "not all: {all:?}");
    for setting in all {
        let (section, key) = setting.rsplit_once('.').unwrap();
        let is_word = |text: &str| {
            text.split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == key)
        };
        assert!(
            sections
                .get(section)
                .is_some_and(|lines| lines.iter().any(|line| is_word(line))),
            "deploy/token-server.toml does not name {setting}"
        );
    }
}

#[test]
fn the_guide_lists_every_setting_with_the_default_that_the_sample_shows() {
    let guide = read("docs/token-server.md");
    let (_, list) = guide.split_once("## All settings").unwrap();
    let mut listed = BTreeMap::new();
    for line in list.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = line.trim_matches('|').split(" | ");
        let mut cell = || cells.next().unwrap().trim().trim_matches('`').to_owned();
        let known = listed.insert(cell(), cell());
        assert_eq!(known, None, "twice: {line}");
    }
    let all = all_settings();
    for setting in &all {
        assert!(
            listed.contains_key(setting),
            "docs/token-server.md does not list {setting}"
        );
    }
    for setting in listed.keys() {
        assert!(all.contains(setting), "{setting} is no setting");
    }

    // Of what is shown with a default in the sample.
    let sample = sample();
    let mut compared = 0;
    for (section, lines) in lines_by_section(&sample) {
        for line in lines.iter().filter_map(|line| line.strip_prefix("# ")) {
            let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| is_key(key)) else {
                continue;
            };
            let default = &listed[&format!("{section}.{key}")];
            // Examples of what has no default that could be written down.
            if default != "none" && default != "one per core" && key != "types" {
                assert_eq!(default, value, "{section}.{key}");
                compared += 1;
            }
        }
    }
    assert!(compared > 40, "only {compared} defaults were found");
}
