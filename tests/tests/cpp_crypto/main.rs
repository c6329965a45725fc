//! The C++ crypto worker: what the vectors say, and what the Rust one says, alone and beside it in one pool.

mod cases;
mod pool;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crypto_jobs::{IssueReply, VerifyReply, decode};
use tests::{binaries, cpp};

use self::cases::{list, text, vectors};
use self::pool::{Pool, ask, reply};

/// Compiling it takes a while: once is enough.
fn cpp_worker() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let source = "workers/cpp/samples/crypto/crypto.cpp";
        cpp::compile_with(source, Path::new(env!("CARGO_TARGET_TMPDIR")), &["crypto"])
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs OpenSSL's development package; .ci/run runs it"]
async fn it_issues_the_tokens_of_the_vectors() {
    let pool = Pool::start(&[cpp_worker()]).await;
    let vectors = vectors("tokenlib.json");
    let tokens = list(&vectors["tokens"]);
    assert_eq!(tokens.len(), 20);
    for (case, expected) in cases::tokens().iter().zip(tokens) {
        let body = ask(&pool.runner, case).await.expect("an answer");
        let issued = decode::<IssueReply>(&body)
            .expect("a reply")
            .expect("a token");
        assert_eq!(issued.token, expected["token"], "{}", case.name);
        assert_eq!(
            issued.key,
            expected["derived_secret"].as_str().map(Into::into)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs OpenSSL's development package; .ci/run runs it"]
async fn it_verifies_the_assertions_of_the_vectors() {
    let pool = Pool::start(&[cpp_worker()]).await;
    let vectors = vectors("browserid_assertions.json");
    let mut verdicts = BTreeMap::new();
    // Every assertion comes with all algorithms first.
    for (case, vector) in cases::assertions()
        .iter()
        .step_by(2)
        .zip(list(&vectors["cases"]))
    {
        let body = ask(&pool.runner, case).await.expect("an answer");
        let reply = decode::<VerifyReply>(&body).expect("a reply");
        let expect = text(&vector["expect"]);
        if let Ok(verified) = &reply {
            let result = &vector["result"];
            let Some(email) = result["email"].as_str() else {
                // Its issuer is none that the web tier would have asked.
                continue;
            };
            assert_eq!(verified.email, email, "{}", case.name);
            let claims = |name: &str| result[name].as_object().cloned().unwrap_or_default();
            assert_eq!(verified.idp_claims, claims("idpClaims"), "{}", case.name);
            assert_eq!(verified.user_claims, claims("userClaims"), "{}", case.name);
        }
        *verdicts.entry((expect, reply.is_ok())).or_insert(0) += 1;
    }
    let count = |expect: &str, accepted| {
        let key = (expect.to_owned(), accepted);
        verdicts.get(&key).copied().unwrap_or_default()
    };
    assert_eq!(count("accept", true), 46, "{verdicts:?}");
    assert_eq!(count("accept", false), 0, "{verdicts:?}");
    assert!(count("reject", false) > 60, "{verdicts:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs OpenSSL's development package; .ci/run runs it"]
async fn it_says_what_the_rust_worker_says_alone_and_beside_it() {
    let (cpp, rust) = (cpp_worker(), binaries::binary("crypto-worker"));
    let rust = &*rust;
    let (of_cpp, of_rust) = (Pool::start(&[cpp]).await, Pool::start(&[rust]).await);
    let cases = [
        cases::assertions(),
        cases::odd_requests(),
        cases::odd_assertions(),
        cases::tokens(),
        cases::no_requests(),
    ];
    let cases: Vec<_> = cases.into_iter().flatten().map(Arc::new).collect();
    assert!(cases.len() > 300, "{}", cases.len());
    let mut expected = Vec::new();
    for case in &cases {
        let [said, rust] = [
            reply(&of_cpp.runner, case).await,
            reply(&of_rust.runner, case).await,
        ];
        assert_eq!(said, rust, "{} of {}", case.name, case.service);
        expected.push(rust);
    }

    // Now it is anybody's guess who answers.
    let both = Pool::start(&[cpp, rust, cpp, rust]).await;
    let jobs: Vec<_> = (cases.iter())
        .map(|case| {
            let (runner, case) = (both.runner.clone(), Arc::clone(case));
            tokio::spawn(async move { reply(&runner, &case).await })
        })
        .collect();
    for ((job, case), expected) in jobs.into_iter().zip(&cases).zip(expected) {
        let said = job.await.expect("no panic");
        assert_eq!(said, expected, "{} of {}", case.name, case.service);
    }
    let workers = both.runner.workers().await;
    assert!(
        workers.iter().all(|worker| worker.completed > 0),
        "{workers:?}"
    );
}
