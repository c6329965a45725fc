//! Tokens of every format, from the real program, taken by other people's libraries as services take them.

mod purging;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::binaries::binary;
use tests::process::{PATIENCE, Process};
use tests::{paths, python};
use token_server_web::settings::{Settings, Sources};
use token_server_web::store::{NewNode, Store};

/// Long enough for HS256.
const SECRET: &str = "a secret that the services and this server share";

/// The applications that have JWTs: name, algorithm, encrypted.
const JWTS: [(&str, &str, bool); 5] = [
    ("ed", "EdDSA", false),
    ("ec", "ES256", false),
    ("rsa", "RS256", false),
    ("mac", "HS256", false),
    ("sealed", "EdDSA", true),
];

struct Server {
    _process: Process,
    url: String,
    directory: TempDir,
}

impl Server {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a folder for the server");
        for algorithm in ["eddsa", "es256", "rs256"] {
            keygen(directory.path(), algorithm, algorithm);
        }
        let mut server = Self::start_in(directory, &["eddsa", "es256", "rs256"]).await;
        add_node(server.directory.path()).await;
        // It has looked for the service before there was a node.
        server.url.push_str("/1.0");
        server
    }

    async fn start_in(directory: TempDir, keys: &[&str]) -> Self {
        let settings = settings(directory.path(), keys);
        let mut command = Command::new(binary("token-server"));
        command
            .args(["serve", "--json", "--settings"])
            .arg(settings);
        command.env("TMPDIR", directory.path());
        command.env_remove("XDG_RUNTIME_DIR");
        let start = move || {
            let mut process = Process::start(&mut command);
            let url = process.expect("sign of readiness", |line| {
                let ready: Value = serde_json::from_str(line).ok()?;
                Some(ready["url"].as_str()?.to_owned())
            });
            (process, url)
        };
        let (process, url) = tokio::task::spawn_blocking(start).await.expect("it starts");
        Self {
            _process: process,
            url,
            directory,
        }
    }

    async fn get(&self, url: &str) -> Value {
        let request = client().get(url);
        let request = request.header(AUTHORIZATION, format!("Bearer {}", access_token()));
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let body = response.bytes().await.expect("a body");
        let body = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(status, 200, "{url}: {body}");
        body
    }
}

fn client() -> reqwest::Client {
    (reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .timeout(PATIENCE)
        .build())
    .expect("a client")
}

fn vectors() -> Value {
    let path = paths::repository().join("tests/vectors/oauth_jwt.json");
    let text = fs::read_to_string(path).expect("the vectors are in the repository");
    serde_json::from_str(&text).expect("the vectors are JSON")
}

fn access_token() -> String {
    let vectors = vectors();
    let token = vectors["cases"][0]["token"].as_str();
    token.expect("a token").to_owned()
}

fn keygen(directory: &Path, name: &str, algorithm: &str) -> Value {
    let output = Command::new(binary("token-server"))
        .args(["keygen", "--json", "--algorithm", algorithm])
        .arg(directory.join(format!("{name}.pem")))
        .output()
        .expect("it runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).expect("a description")
}

/// Writes the settings of a server that trusts the issuer of the vectors.
fn settings(directory: &Path, keys: &[&str]) -> std::path::PathBuf {
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let jwks = write("jwks.json", &vectors()["jwks"].to_string());
    let secret = write("token.secret", SECRET);
    let keys: Vec<_> = keys
        .iter()
        .map(|name| directory.join(format!("{name}.pem")))
        .collect();
    let mut text = format!(
        "[database]\nurl = \"sqlite:{database}\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\n\
         [workers]\ncount = 1\n\
         [secrets]\ntoken_file = {secret:?}\nmetrics = \"for metrics\"\njwt_key_files = {keys:?}\n\
         [issuers.accounts]\nissuer = \"https://accounts.example.test\"\n\
         audiences = [\"5882386c6d801776\"]\njwks_file = {jwks:?}\n\
         [applications.sync]\nversion = \"1.5\"\n\
         [applications.plain]\nversion = \"1\"\nnodes = false\n\
         endpoint = \"https://plain.example.test/{{uid}}\"\n",
        database = directory.join("users.db").display(),
    );
    for (name, algorithm, encrypt) in JWTS {
        text.push_str(&format!(
            "[applications.{name}]\nversion = \"1\"\nnodes = false\n\
             endpoint = \"https://{name}.example.test/{{uid}}\"\nsecret_file = {secret:?}\n\
             [applications.{name}.token]\nformat = \"jwt\"\nalgorithm = \"{algorithm}\"\n\
             issuer = \"https://token.example.test\"\naudience = \"services\"\nencrypt = {encrypt}\n"
        ));
    }
    write("token-server.toml", &text)
}

async fn add_node(directory: &Path) {
    let file = directory.join("token-server.toml");
    let settings = Settings::load(&Sources {
        file: Some(&file),
        ..Sources::default()
    })
    .expect("the settings are fine");
    let store = Store::open(&settings.database, settings.nodes.capacity_release_rate)
        .await
        .expect("a database");
    let service = store.service("sync-1.5").await.expect("it answers");
    let node = NewNode {
        url: "https://node1.example.test".to_owned(),
        capacity: 10,
        available: 10,
        ..NewNode::default()
    };
    let added = store
        .add_node(service.expect("Sync is known").id, &node)
        .await;
    added.expect("a node");
    store.close().await;
}

/// The claims that the libraries find.
fn verify(given: &Value) -> Value {
    let mut child = python::command(&paths::repository().join("tests/python/verify_tokens.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut input = child.stdin.take().expect("it is piped");
    (input.write_all(given.to_string().as_bytes())).expect("Python reads");
    drop(input);
    let output = child.wait_with_output().expect("Python ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).expect("claims")
}

#[tokio::test(flavor = "multi_thread")]
async fn services_accept_tokens_of_every_format() {
    let server = Server::start().await;
    let origin = server.url.trim_end_matches("/1.0");
    let jwks = server.get(&format!("{origin}/.well-known/jwks.json")).await;
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(3), "{jwks}");
    assert!(!jwks.to_string().contains("\"d\""), "no private key");

    let mut answers = Vec::new();
    for path in ["sync/1.5", "plain/1"] {
        answers.push(server.get(&format!("{}/{path}", server.url)).await);
    }
    for (name, ..) in JWTS {
        answers.push(server.get(&format!("{}/{name}/1", server.url)).await);
    }
    let formats = ["tokenlib", "tokenlib", "jwt", "jwt", "jwt", "jwt", "jwe"];
    let tokens: Vec<Value> = (answers.iter().zip(formats))
        .map(|(answer, format)| json!({ "format": format, "id": answer["id"], "key": answer["key"] }))
        .collect();
    let claims = verify(&json!({
        "jwks": jwks,
        "secret": SECRET,
        "issuer": "https://token.example.test",
        "audience": "services",
        "tokens": tokens,
    }));
    let claims = claims.as_array().expect("a list");
    assert_eq!(claims.len(), 7);
    assert_eq!(claims[0]["uid"], 1);
    assert_eq!(
        answers[0]["api_endpoint"],
        "https://node1.example.test/1.5/1"
    );
    let user = "5840a149611da954896f057045c9c538";
    assert_eq!(
        (&claims[1]["uid"], &claims[1]["issuer"]),
        (&json!(user), &json!("https://accounts.example.test"))
    );
    assert_eq!(
        answers[1]["api_endpoint"],
        format!("https://plain.example.test/{user}")
    );
    for (claims, (answer, (name, ..))) in claims[2..].iter().zip(answers[2..].iter().zip(JWTS)) {
        assert_eq!(claims["uid"], user);
        assert_eq!(claims["sub"], format!("{user}@accounts.example.test"));
        assert_eq!(claims["idp"], "https://accounts.example.test");
        assert_eq!(claims["hashed_fxa_uid"], answer["hashed_fxa_uid"]);
        assert_eq!(answer["uid"], user);
        assert_eq!(
            answer["api_endpoint"],
            format!("https://{name}.example.test/{user}")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_key_signs_and_the_others_stay_published() {
    let directory = tempfile::tempdir().expect("a folder for the server");
    for name in ["eddsa", "es256", "rs256", "next"] {
        let algorithm = if name == "next" { "eddsa" } else { name };
        keygen(directory.path(), name, algorithm);
    }
    let kid = |token: &Value| {
        let token = token["id"].as_str().expect("a token");
        header(token)["kid"].as_str().expect("a kid").to_owned()
    };
    let order = ["eddsa", "es256", "rs256"];
    let server = Server::start_in(directory, &order).await;
    let before = kid(&server.get(&format!("{}/1.0/ed/1", server.url)).await);
    let directory = server.directory;

    let server = Server::start_in(directory, &["eddsa", "es256", "rs256", "next"]).await;
    let after = kid(&server.get(&format!("{}/1.0/ed/1", server.url)).await);
    assert_ne!(before, after, "the new key signs");
    let jwks = server
        .get(&format!("{}/.well-known/jwks.json", server.url))
        .await;
    for kid in [before, after] {
        let keys = jwks["keys"].as_array().expect("a list");
        assert!(keys.iter().any(|key| key["kid"] == kid.as_str()), "{kid}");
    }
}

fn header(token: &str) -> Value {
    let (header, _) = token.split_once('.').expect("a token");
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    serde_json::from_slice(&header).expect("a header")
}

#[test]
fn keygen_never_overwrites_and_keeps_its_file_private() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().expect("a folder");
    let made = keygen(directory.path(), "key", "eddsa");
    assert_eq!(made["algorithm"], "EdDSA");
    let path = directory.path().join("key.pem");
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = fs::read(&path).expect("a key");
    let output = Command::new(binary("token-server"))
        .arg("keygen")
        .arg(&path)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(73));
    assert_eq!(fs::read(&path).expect("a key"), before);
}
