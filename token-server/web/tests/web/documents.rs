use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    http::{HeaderName, StatusCode, header::CONTENT_TYPE},
    response::Redirect,
};
use crypto_jobs::{IssuerFinding, Peek};
use serde_json::{Value, json};
use token_server_web::documents::{DocumentError, Documents, SupportDocument};
use tokio::task::JoinSet;

use crate::{gateway::Gateway, settings};

const JSON: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];

/// Longer than anything takes here unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

const HOST: &str = "accounts.example.test";

fn issuer() -> Value {
    json!({
        "authentication": "/sign-in",
        "provisioning": "/provision",
        "public-key": { "algorithm": "RS", "n": "15", "e": "3" },
    })
}

fn documents(gateway: &Gateway, assignments: &[(&str, &str)]) -> Documents {
    let url = gateway.url();
    let mut all = vec![("browserid.gateway", url.as_str())];
    all.extend(assignments);
    let settings = settings(Path::new("/nonexistent"), &all);
    Documents::new(settings.browserid.as_ref().unwrap()).unwrap()
}

fn peek(issuer: &str, email_host: &str) -> Peek {
    Peek {
        audience: "https://token.example.test".to_owned(),
        issuer: issuer.to_owned(),
        email_host: email_host.to_owned(),
    }
}

#[tokio::test]
async fn the_gateway_is_asked_once_with_the_name_of_the_host() {
    let gateway = Gateway::start().await;
    gateway.publish("127.0.0.1:10443", issuer());
    let documents = documents(&gateway, &[]);
    for _ in 0..3 {
        let document = documents.get("127.0.0.1:10443").await.unwrap();
        assert!(matches!(*document, SupportDocument::Issuer(_)));
    }
    assert_eq!(gateway.requests(), 1);
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_fetch() {
    let gateway = Gateway::start().await;
    gateway.publish(HOST, issuer());
    let gate = gateway.hold();
    let documents = Arc::new(documents(&gateway, &[]));
    let mut askers = JoinSet::new();
    for _ in 0..50 {
        let documents = Arc::clone(&documents);
        askers.spawn(async move { documents.get(HOST).await });
    }
    // Held by the one that asks; only then all the others can be behind it.
    gate.notify_one();
    for outcome in askers.join_all().await {
        assert!(outcome.is_ok(), "{outcome:?}");
    }
    assert_eq!(gateway.requests(), 1);
}

#[tokio::test]
async fn one_who_gives_up_waiting_does_not_spoil_it_for_the_others() {
    let gateway = Gateway::start().await;
    gateway.publish(HOST, issuer());
    let gate = gateway.hold();
    let documents = Arc::new(documents(&gateway, &[]));
    let leader = tokio::spawn({
        let documents = Arc::clone(&documents);
        async move { documents.get(HOST).await }
    });
    while gateway.requests() == 0 {
        tokio::task::yield_now().await;
    }
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    gate.notify_one();
    assert!(documents.get(HOST).await.is_ok());
    assert_eq!(gateway.requests(), 1, "the answer was waited for");
}

#[tokio::test]
async fn answers_that_are_no_document_are_refused() {
    let gateway = Gateway::start().await;
    gateway.set("garbage.test", || (JSON, "I AM NOT { JSON"));
    gateway.set("text.test", || issuer().to_string());
    gateway.set("redirect.test", || {
        Redirect::temporary("/.well-known/browserid")
    });
    gateway.set("large.test", || {
        (JSON, format!("[{}0]", "0,".repeat(40_000)))
    });
    gateway.set("empty.test", || StatusCode::NO_CONTENT);
    let documents = documents(&gateway, &[]);
    for host in [
        "garbage.test",
        "text.test",
        "redirect.test",
        "large.test",
        "empty.test",
    ] {
        let outcome = documents.get(host).await;
        assert!(
            matches!(outcome, Err(DocumentError::Unusable(_))),
            "{host}: {outcome:?}"
        );
    }
    assert_eq!(
        documents.get("nowhere.test").await,
        Err(DocumentError::Absent(404))
    );
}

#[tokio::test]
async fn content_types_may_have_parameters_and_any_case() {
    let gateway = Gateway::start().await;
    gateway.set(HOST, || {
        (
            [(CONTENT_TYPE, "Application/JSON; charset=utf-8")],
            issuer().to_string(),
        )
    });
    assert!(documents(&gateway, &[]).get(HOST).await.is_ok());
}

#[tokio::test]
async fn a_host_that_keeps_us_waiting_is_given_up() {
    let gateway = Gateway::start().await;
    let _gate = gateway.hold();
    let documents = documents(&gateway, &[("browserid.documents.timeout", "50ms")]);
    let outcome = documents.get(HOST).await;
    assert!(
        matches!(outcome, Err(DocumentError::Unavailable(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_failure_is_not_repeated_at_once() {
    let gateway = Gateway::start().await;
    gateway.set(HOST, || StatusCode::BAD_GATEWAY);
    let documents = documents(&gateway, &[]);
    for _ in 0..3 {
        let outcome = documents.get(HOST).await;
        assert!(
            matches!(outcome, Err(DocumentError::Unavailable(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(gateway.requests(), 1);
}

#[tokio::test]
async fn a_stale_document_serves_while_its_host_fails() {
    let gateway = Gateway::start().await;
    gateway.publish(HOST, issuer());
    let lifetimes = [
        ("browserid.documents.fresh_for", "1ns"),
        ("browserid.documents.retry_after", "1ns"),
    ];
    let documents = documents(&gateway, &lifetimes);
    let first = documents.get(HOST).await.unwrap();
    for (number, status) in [500, 503, 408, 429].into_iter().enumerate() {
        let status = StatusCode::from_u16(status).unwrap();
        gateway.set(HOST, move || status);
        assert_eq!(documents.get(HOST).await.as_ref(), Ok(&first), "{status}");
        assert_eq!(gateway.requests(), 2 + number, "it was asked for");
    }
    gateway.publish(HOST, json!({ "disabled": true }));
    assert_eq!(
        *documents.get(HOST).await.unwrap(),
        SupportDocument::Disabled
    );
    gateway.set(HOST, || StatusCode::NOT_FOUND);
    assert_eq!(documents.get(HOST).await, Err(DocumentError::Absent(404)));
}

#[tokio::test]
async fn without_a_gateway_private_addresses_are_not_asked() {
    let settings = settings(Path::new("/nonexistent"), &[]);
    let documents = Documents::new(settings.browserid.as_ref().unwrap()).unwrap();
    for host in [
        "127.0.0.1",
        "10.0.0.1:443",
        "169.254.169.254",
        "192.168.1.1:8443",
    ] {
        assert_eq!(
            documents.get(host).await,
            Err(DocumentError::Forbidden),
            "{host}"
        );
    }
    let outcome = documents.get("localhost").await;
    assert!(
        matches!(&outcome, Err(DocumentError::Unavailable(text)) if text.contains("public address")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn an_issuer_speaks_for_its_own_host() {
    let gateway = Gateway::start().await;
    gateway.publish(HOST, issuer());
    let documents = documents(&gateway, &[]);
    let finding = documents.find_issuer(&peek(HOST, HOST)).await;
    assert!(
        matches!(finding, IssuerFinding::Known { .. }),
        "{finding:?}"
    );
    let finding = documents.find_issuer(&peek(HOST, "elsewhere.test")).await;
    assert!(matches!(finding, IssuerFinding::Untrusted), "{finding:?}");
}

#[tokio::test]
async fn a_trusted_issuer_speaks_for_every_host() {
    let gateway = Gateway::start().await;
    gateway.publish(HOST, issuer());
    let trusted = format!("[\"{HOST}\"]");
    let documents = documents(&gateway, &[("browserid.trusted_issuers", &trusted)]);
    let finding = documents.find_issuer(&peek(HOST, "elsewhere.test")).await;
    assert!(
        matches!(finding, IssuerFinding::Known { .. }),
        "{finding:?}"
    );
    assert_eq!(gateway.requests(), 1, "only the issuer was asked");
}

#[tokio::test]
async fn an_issuer_that_is_not_allowed_is_not_even_asked() {
    let gateway = Gateway::start().await;
    gateway.publish("other.test", issuer());
    let allowed = format!("[\"{HOST}\"]");
    let documents = documents(&gateway, &[("browserid.allowed_issuers", &allowed)]);
    let finding = documents
        .find_issuer(&peek("other.test", "other.test"))
        .await;
    assert!(matches!(finding, IssuerFinding::Untrusted), "{finding:?}");
    assert_eq!(gateway.requests(), 0);
}

#[tokio::test]
async fn delegations_are_followed_six_times_and_never_in_circles() {
    let gateway = Gateway::start().await;
    gateway.publish(HOST, issuer());
    for hop in 0..7 {
        let next = match hop {
            6 => HOST.to_owned(),
            hop => format!("hop{}.test", hop + 1),
        };
        gateway.publish(&format!("hop{hop}.test"), json!({ "authority": next }));
    }
    gateway.publish("a.test", json!({ "authority": "b.test" }));
    gateway.publish("b.test", json!({ "authority": "a.test" }));
    gateway.publish("self.test", json!({ "authority": "self.test" }));
    let documents = documents(&gateway, &[]);
    for (host, known) in [
        ("hop6.test", true),
        ("hop1.test", true),
        ("hop0.test", false),
        ("a.test", false),
        ("self.test", false),
    ] {
        let finding = documents.find_issuer(&peek(HOST, host)).await;
        assert_eq!(
            matches!(finding, IssuerFinding::Known { .. }),
            known,
            "{host}: {finding:?}"
        );
    }
}

#[tokio::test]
async fn slow_hosts_share_the_time_of_one_and_are_remembered_for_the_next_request() {
    let gateway = Gateway::start().await;
    gateway.publish(HOST, issuer());
    for hop in 0..5 {
        let next = match hop {
            4 => HOST.to_owned(),
            hop => format!("hop{}.test", hop + 1),
        };
        gateway.publish(&format!("hop{hop}.test"), json!({ "authority": next }));
    }
    // Each is fast enough alone.
    gateway.slow_down(Duration::from_millis(200));
    let settings = [
        ("browserid.documents.timeout", "700ms"),
        ("browserid.documents.retry_after", "1ns"),
    ];
    let documents = documents(&gateway, &settings);
    let peek = peek(HOST, "hop0.test");
    let finding = documents.find_issuer(&peek).await;
    assert!(matches!(finding, IssuerFinding::Untrusted), "{finding:?}");
    // A question that somebody gave up goes on, so the chain gets shorter.
    tokio::time::timeout(PATIENCE, async {
        loop {
            match documents.find_issuer(&peek).await {
                IssuerFinding::Known { .. } => break,
                IssuerFinding::Untrusted | IssuerFinding::Unusable => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await
    .expect("it did not hang");
}

#[tokio::test]
async fn a_request_with_no_time_left_does_not_spoil_a_good_host_for_the_others() {
    let gateway = Gateway::start().await;
    gateway.publish(HOST, issuer());
    gateway.publish("slow.test", json!({ "authority": HOST }));
    gateway.slow_down(Duration::from_millis(600));
    let documents = documents(&gateway, &[("browserid.documents.timeout", "1s")]);
    let finding = documents.find_issuer(&peek(HOST, "slow.test")).await;
    assert!(
        matches!(finding, IssuerFinding::Unusable | IssuerFinding::Untrusted),
        "{finding:?}"
    );
    let document = documents.get(HOST).await;
    assert!(document.is_ok(), "{document:?}");
    assert_eq!(gateway.requests(), 2);
}

#[tokio::test]
async fn a_clients_hosts_use_up_no_time_of_an_issuer_that_the_operator_named() {
    let gateway = Gateway::start().await;
    gateway.publish(HOST, issuer());
    gateway.publish("slow.test", json!({ "authority": HOST }));
    let gate = gateway.hold();
    let allowed = format!("[\"{HOST}\"]");
    let documents = documents(&gateway, &[("browserid.allowed_issuers", &allowed)]);
    let finding =
        tokio::spawn(async move { documents.find_issuer(&peek(HOST, "slow.test")).await });
    while gateway.requests() < 2 {
        assert!(!finding.is_finished(), "one was asked after the other");
        tokio::task::yield_now().await;
    }
    gate.notify_waiters();
    let finding = finding.await.unwrap();
    assert!(
        matches!(finding, IssuerFinding::Known { .. }),
        "{finding:?}"
    );
}

#[tokio::test]
async fn who_gets_no_place_to_ask_in_time_hears_that_it_is_our_fault() {
    let gateway = Gateway::start().await;
    let _gate = gateway.hold();
    let settings = [
        ("browserid.documents.timeout", "500ms"),
        ("browserid.documents.max_fetches", "1"),
    ];
    let documents = Arc::new(documents(&gateway, &settings));
    let mut strangers = JoinSet::new();
    for number in 0..20 {
        let documents = Arc::clone(&documents);
        strangers.spawn(async move {
            let host = format!("slow{number}.test");
            documents.find_issuer(&peek(&host, &host)).await
        });
    }
    let findings = tokio::time::timeout(PATIENCE, strangers.join_all()).await;
    let findings = findings.expect("it did not hang");
    let unavailable = |finding: &&IssuerFinding| matches!(finding, IssuerFinding::Unavailable);
    let refused = findings.iter().filter(unavailable).count();
    assert!((10..20).contains(&refused), "{findings:?}");
}

#[tokio::test]
async fn an_issuer_that_delegates_or_is_disabled_signs_nothing() {
    let gateway = Gateway::start().await;
    gateway.publish("delegating.test", json!({ "authority": HOST }));
    gateway.publish("disabled.test", json!({ "disabled": true }));
    let documents = documents(&gateway, &[]);
    for host in ["delegating.test", "disabled.test", "absent.test"] {
        let finding = documents.find_issuer(&peek(host, host)).await;
        assert!(
            matches!(finding, IssuerFinding::Unusable),
            "{host}: {finding:?}"
        );
    }
}

#[tokio::test]
async fn an_outage_is_the_clients_fault_unless_the_operator_named_the_issuer() {
    let gateway = Gateway::start().await;
    for host in [HOST, "stranger.test"] {
        gateway.set(host, || StatusCode::SERVICE_UNAVAILABLE);
    }
    let trusted = format!("[\"{HOST}\"]");
    let documents = documents(&gateway, &[("browserid.trusted_issuers", &trusted)]);
    let finding = documents.find_issuer(&peek(HOST, HOST)).await;
    assert!(matches!(finding, IssuerFinding::Unavailable), "{finding:?}");
    let finding = documents
        .find_issuer(&peek("stranger.test", "stranger.test"))
        .await;
    assert!(matches!(finding, IssuerFinding::Unusable), "{finding:?}");
}

#[tokio::test]
async fn slow_strangers_do_not_hold_up_an_issuer_that_the_operator_named() {
    let gateway = Gateway::start().await;
    gateway.publish(HOST, issuer());
    let _gate = gateway.hold();
    let trusted = format!("[\"{HOST}\"]");
    let settings = [
        ("browserid.trusted_issuers", trusted.as_str()),
        ("browserid.documents.max_fetches", "1"),
    ];
    let documents = Arc::new(documents(&gateway, &settings));
    let mut strangers = JoinSet::new();
    for number in 0..5 {
        let documents = Arc::clone(&documents);
        strangers.spawn(async move { documents.get(&format!("slow{number}.test")).await });
    }
    while gateway.requests() == 0 {
        tokio::task::yield_now().await;
    }
    gateway.release();
    let document = tokio::time::timeout(Duration::from_secs(5), documents.get(HOST)).await;
    assert!(document.expect("it did not hang").is_ok());
}
