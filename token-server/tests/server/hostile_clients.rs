//! What nobody's client sends: it is refused, never the server's failure, and others notice nothing.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    accounts,
    database::{Database, Kind},
    gateway,
    issuer::{Issuer, SigningKey, jwks, now_s},
    process::{PATIENCE, Server, add_node, client, json as body_of},
    vectors::{read, text},
};

/// A server that takes everything that shows who somebody is.
struct Stage {
    server: Server,
    client: reqwest::Client,
    key: SigningKey,
    issuer: Issuer,
    assertion: String,
    access_token: String,
}

impl Stage {
    async fn set(database: &Database) -> Self {
        let (assertions, tokens) = (read("browserid_assertions.json"), read("oauth_jwt.json"));
        let gateway = gateway::start(assertions["documents"].clone()).await;
        let accounts = accounts::start(tokens["jwks"].clone()).await;
        let key = SigningKey::es256("a");
        let issuer = Issuer::start(jwks(&[&key])).await;
        let directory = tempfile::tempdir().unwrap();
        let url = ("database.url", database.url.as_str());
        add_node(directory.path(), &[url]).await;
        let server = Server::start_beside(&[
            url,
            ("browserid.gateway", &gateway),
            ("oauth.server_url", &accounts),
            ("oauth.email_domain", "accounts.example.test"),
            ("issuers.idp.issuer", issuer.url()),
            ("issuers.idp.domain", "idp.example.test"),
            ("issuers.idp.audiences", r#"["token-server"]"#),
        ])
        .await;
        Self {
            server,
            client: client(),
            key,
            issuer,
            assertion: text(&assertions["cases"][0], "assertion").to_owned(),
            access_token: text(&tokens["cases"][0], "token").to_owned(),
        }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.issuer.url(), "sub": "user-1", "aud": "token-server", "exp": now_s() + 600,
        })
    }

    /// A good token, with one claim changed.
    fn token(&self, claim: &str, value: Value) -> Vec<u8> {
        let mut claims = self.claims();
        claims[claim] = value;
        format!("Bearer {}", self.key.sign(&claims)).into_bytes()
    }

    async fn show(&self, authorization: &[u8], header: (&str, &[u8])) -> u16 {
        let request = self.client.get(self.server.url("/1.0/sync/1.5"));
        let request = request
            .header(AUTHORIZATION, authorization)
            .header(header.0, header.1);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = body_of(response).await;
        let what = || {
            let (shown, value) = (authorization.escape_ascii(), header.1.escape_ascii());
            format!("{shown}, {}: {value}: {status} {body}", header.0)
        };
        assert!(status < 500, "{}", what());
        assert_eq!(body["status"].is_string(), status != 200, "{}", what());
        status
    }

    async fn is_well(&self) {
        let authorization = self.token("sub", json!("somebody else"));
        assert_eq!(self.show(&authorization, NO_HEADER).await, 401, "a space");
        let authorization = self.token("sub", json!("somebody-else"));
        assert_eq!(self.show(&authorization, NO_HEADER).await, 200);
        let heartbeat = self.client.get(self.server.url("/__heartbeat__"));
        assert_eq!(heartbeat.send().await.unwrap().status(), 200);
    }
}

const NO_HEADER: (&str, &[u8]) = ("X-Nothing", b"");

/// Texts that are cut, stretched, or hold a strange byte.
fn spoilt(text: &str) -> Vec<Vec<u8>> {
    const STRANGE: &[u8] = b".~=\xff \"{A\t";

    let places = (0..text.len()).step_by(text.len() / 30);
    let cut = places.clone().map(|at| text[..at].into());
    let replaced = places.enumerate().map(|(number, at)| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = STRANGE[number % STRANGE.len()];
        bytes
    });
    let stretched = ["", "~", ".", "=", "~~", ".a.b.c"].map(|end| format!("{text}{end}{text}"));
    cut.chain(replaced)
        .chain(stretched.map(String::into_bytes))
        .collect()
}

fn strange_subjects() -> Vec<Value> {
    let mut subjects: Vec<Value> = [
        "",
        " ",
        "a b",
        "a\0b",
        "a\nb",
        "é",
        "e\u{301}",
        "\u{1f600}",
        "\u{ffff}",
        "\u{202e}",
        "\u{fe0f}",
        "'; DROP TABLE users; --",
        "%",
        "_",
        "\\",
        "\\'",
        "NULL",
        "a@b",
        "@",
        "../../",
        "{uid}",
        "<script>",
    ]
    .map(Value::from)
    .into();
    subjects.extend([238, 239, 5_000].map(|length| Value::from("x".repeat(length))));
    subjects.extend([
        json!("\u{1f600}".repeat(200)),
        json!(i64::MIN),
        json!(1e300),
    ]);
    subjects.extend(strange_values());
    subjects
}

pub(crate) fn strange_values() -> Vec<Value> {
    let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!("1"),
        json!([]),
        json!([7]),
        json!({}),
        json!({ "a": { "b": 1 } }),
        nested(100),
        // As deep as JSON may be, and deeper.
        nested(125),
        nested(126),
        nested(127),
        // Few characters that take much more room elsewhere.
        json!(vec![-0.0; 1500]),
    ]
}

#[tokio::test]
async fn nothing_that_a_client_shows_is_the_servers_fault() {
    for kind in Kind::wanted() {
        let database = Database::make(kind).await;
        let stage = Stage::set(&database).await;
        let good = stage.key.sign(&stage.claims());
        for (scheme, text) in [
            ("BrowserID", &stage.assertion),
            ("Bearer", &stage.access_token),
            ("Bearer", &good),
        ] {
            for spoilt in spoilt(text) {
                let authorization = [scheme.as_bytes(), b" ", &spoilt].concat();
                stage.show(&authorization, NO_HEADER).await;
            }
        }
        // Signed as they should be.
        for value in strange_subjects() {
            stage.show(&stage.token("sub", value), NO_HEADER).await;
        }
        for claim in ["iss", "aud", "exp", "nbf", "iat", "scope"] {
            for value in strange_values() {
                stage.show(&stage.token(claim, value), NO_HEADER).await;
            }
        }
        stage.is_well().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn a_name_that_an_adopted_database_has_no_letters_for_is_refused() {
    let charsets = [
        (Kind::MySql, "latin1"),
        (Kind::MySql, "utf8mb3"),
        (Kind::Postgres, "LATIN1"),
    ];
    let wanted = Kind::wanted();
    for (kind, charset) in charsets {
        if !wanted.contains(&kind) {
            continue;
        }
        let options = match kind {
            Kind::Postgres => {
                format!("ENCODING '{charset}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
            }
            Kind::MySql | Kind::Sqlite => String::new(),
        };
        let database = Database::make_with(kind, &options).await;
        let stage = Stage::set(&database).await;
        if kind == Kind::MySql {
            database
                .script(&format!(
                    "ALTER TABLE users CONVERT TO CHARACTER SET {charset}"
                ))
                .await;
        }
        for (subject, expected) in [
            ("é", 200),
            ("\u{1f600}", 401),
            ("\u{1f600}", 401),
            ("e", 200),
        ] {
            let authorization = stage.token("sub", json!(subject));
            let status = stage.show(&authorization, NO_HEADER).await;
            assert_eq!(status, expected, "{kind:?}, {charset}: {subject}");
        }
        stage.is_well().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn no_header_about_keys_is_the_servers_fault() {
    let state = URL_SAFE_NO_PAD.encode([7; 16]);
    let numbers = [
        "",
        "-1",
        "0",
        "1",
        "+1",
        " 1",
        "1 ",
        "007",
        "0x1",
        "1.5",
        "1e3",
        "\u{661}",
        "\u{ff}",
        "9223372036854775806",
        "9223372036854775807",
        "9223372036854775808",
        "99999999999999999999999",
    ];
    let states = [
        "",
        "-",
        "--",
        "AA",
        "AAA",
        "AAAA=",
        "A",
        "=",
        "AA-_",
        "AA+/",
        "....",
        "\u{ff}",
        &state,
        &state.repeat(2),
        "61626364",
        "DEADBEEF",
    ];
    for kind in Kind::wanted() {
        let database = Database::make(kind).await;
        let stage = Stage::set(&database).await;
        let mut account = 0;
        let mut fresh = || {
            account += 1;
            stage.token("sub", json!(format!("user-{account}")))
        };
        let usual = stage.token("sub", json!("user"));
        for number in numbers {
            for state in states {
                let key_id = format!("{number}-{state}");
                stage.show(&fresh(), ("X-KeyID", key_id.as_bytes())).await;
                // The numbers and states of one account, one after the other.
                stage.show(&usual, ("X-KeyID", key_id.as_bytes())).await;
            }
            stage.show(&fresh(), ("X-KeyID", number.as_bytes())).await;
        }
        for state in states {
            let header = ("X-Client-State", state.as_bytes());
            stage.show(&fresh(), header).await;
            stage.show(&usual, header).await;
        }
        stage.is_well().await;
        database.remove().await;
    }
}

/// The start of the answer to these bytes; nothing if the connection is closed without.
pub(crate) async fn answer_to(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have had enough before it got all of it.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // A reset is an end, too.
    let _ = read.expect("the connection is closed");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_no_request_ends_with_its_connection() {
    let server = Server::start(&[
        ("http.idle_timeout", "300ms"),
        ("http.max_connections", "2"),
    ])
    .await;
    let address = server.running.url().strip_prefix("http://").unwrap();
    let endless = format!("GET / HTTP/1.1\r\nX-Long: {}", "x".repeat(200_000));
    for (bytes, expected) in [
        (
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            "HTTP/1.1 400",
        ),
        (b"GARBAGE\r\n\r\n", "HTTP/1.1 400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "HTTP/1.1 400"),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 400",
        ),
        (endless.as_bytes(), "HTTP/1.1 431"),
        (b"", ""),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", ""),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200"),
    ] {
        let answer = answer_to(address, bytes).await;
        let shown = &bytes[..bytes.len().min(60)];
        assert!(
            answer.starts_with(expected) && answer.is_empty() == expected.is_empty(),
            "{}: {answer}",
            shown.escape_ascii()
        );
    }
    // As many as there may be say half of something; whoever comes next has to wait until they are cut.
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        slow.push(stream);
    }
    let response = client().get(server.url("/__lbheartbeat__"));
    let response = response.timeout(Duration::from_secs(20)).send().await;
    assert_eq!(response.unwrap().status(), 200);
}
