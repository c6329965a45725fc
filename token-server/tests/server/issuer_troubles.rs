//! What clients see while an issuer of JWTs has its troubles.

use std::time::{Duration, Instant};

use crate::{
    access_tokens::{claims, server_trusting, show},
    issuer::{Issuer, Mood, SigningKey, jwks, jwks_after},
    process::Server,
};

const IN_TIME: Duration = Duration::from_millis(200);

/// One server, its issuer, and the table of what has come of it so far.
struct Observer {
    issuer: Issuer,
    server: Server,
    table: Vec<String>,
}

impl Observer {
    /// What a client gets that shows a token signed with `key`, and how often, at least, the issuer is asked
    /// for its keys meanwhile.
    async fn expect(
        &mut self,
        trouble: (&str, Mood),
        state: &str,
        key: &SigningKey,
        (expected, least): (u16, usize),
    ) {
        let (what, mood) = trouble;
        self.issuer.set(mood);
        // The last answer is no longer fresh, and the issuer may be asked again.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let (questions, started) = (self.issuer.questions(), Instant::now());
        let (status, body) = show(&self.server, &key.sign(&claims(&self.issuer))).await;
        let questions = self.issuer.questions() - questions;
        self.table.push(format!(
            "{what:<32} {state:<18} {status:>6} {questions:>9} {:>8}",
            started.elapsed().as_millis()
        ));
        let table = self.table.join("\n");
        assert_eq!(status, expected, "{what}, {state}: {body}\n{table}");
        assert!(questions >= least, "{what}, {state}: not asked\n{table}");
    }
}

#[tokio::test]
async fn clients_of_a_server_that_knows_the_keys_notice_no_trouble_of_the_issuer() {
    let (old, new) = (SigningKey::es256("old"), SigningKey::eddsa("new"));
    let issuer = Issuer::start(Mood::Fails).await;
    let server = server_trusting(&issuer, &[("jwks.timeout", "2s")]).await;
    let heading = format!(
        "{:<32} {:<18} {:>6} {:>9} {:>8}",
        "the issuer", "the server", "status", "questions", "ms"
    );
    let mut observer = Observer {
        issuer,
        server,
        table: vec![heading],
    };
    let troubles = [
        ("answers 502", Mood::Fails, 1),
        ("talks garbage", Mood::TalksGarbage, 1),
        ("says nothing", Mood::SaysNothing, 1),
        ("refuses connections", Mood::RefusesConnections, 0),
    ];
    for (what, mood, asked) in troubles.clone() {
        let state = "knows no keys";
        let expected = (503, asked);
        observer.expect((what, mood), state, &old, expected).await;
    }
    let slow = |keys: &[&SigningKey]| ("answers slowly, but in time", jwks_after(IN_TIME, keys));
    observer
        .expect(slow(&[&old]), "knows no keys", &old, (200, 1))
        .await;
    for (what, mood, asked) in troubles {
        let state = "knows the keys";
        let expected = (200, asked);
        observer.expect((what, mood), state, &old, expected).await;
    }
    observer
        .expect(slow(&[&old]), "knows the keys", &old, (200, 1))
        .await;
    let (both, later) = (jwks(&[&old, &new]), jwks(&[&new]));
    for (what, mood, state, key, status) in [
        ("adds a key, uses it", &both, "knows the old key", &new, 200),
        ("still uses the old one", &both, "knows both", &old, 200),
        ("withdraws the old key", &later, "knows both", &new, 200),
        (
            "has withdrawn the key in use",
            &later,
            "knows the new key",
            &old,
            401,
        ),
    ] {
        let trouble = (what, mood.clone());
        observer.expect(trouble, state, key, (status, 1)).await;
    }
    println!("{}", observer.table.join("\n"));
}

#[tokio::test]
async fn keys_without_names_may_be_replaced_as_well() {
    let (old, new) = (SigningKey::eddsa(""), SigningKey::eddsa(""));
    let stranger = SigningKey::eddsa("");
    let issuer = Issuer::start(jwks(&[&old])).await;
    let server = server_trusting(&issuer, &[("jwks.fresh_for", "1h")]).await;
    let show = async |key: &SigningKey| show(&server, &key.sign(&claims(&issuer))).await.0;
    assert_eq!(show(&old).await, 200);
    assert_eq!(show(&new).await, 401);
    issuer.set(jwks(&[&new]));
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(show(&new).await, 200, "it is the issuer's by now");
    assert_eq!(show(&old).await, 401);
    assert_eq!(show(&stranger).await, 401);
    issuer.set(Mood::Fails);
    assert_eq!(show(&stranger).await, 401, "the keys are known");
    assert_eq!(show(&new).await, 200);
}
