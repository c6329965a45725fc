use std::{net::TcpListener, path::Path};

use reqwest::header::AUTHORIZATION;
use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Running, client, json, program, wait_until_gone};

#[test]
fn one_trade_prints_the_claims_and_timings() {
    let output = program()
        .args(["dev", "--once", "--json"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let traded: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(traded["claims"]["uid"], 1);
    assert_eq!(traded["answer"]["hashalg"], "sha256");
    let timings = &traded["timings"];
    let total = timings["total_us"].as_u64().unwrap();
    for job in ["verify_job", "issue_job"] {
        let work = timings[job]["work_us"].as_u64().unwrap();
        assert!((1..total).contains(&work), "{job}: {timings}");
    }
    // Two RSA signatures take longer than that on any machine.
    let verifying = timings["verify_job"]["work_us"].as_u64().unwrap();
    assert!(verifying >= 10, "{timings}");
}

#[test]
fn one_trade_reads_well_too() {
    let output = program()
        .args(["dev", "--once", "--workers", "1"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for words in [
        "fxa_uid",
        "hashed_fxa_uid",
        "verify job",
        "issue job",
        "whole request",
    ] {
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
}

#[tokio::test]
async fn the_printed_assertion_is_traded_until_ctrl_c_which_leaves_nothing_behind() {
    let mut command = program();
    command.arg("dev");
    let running = Running::start(command);
    let directory = running.ready["directory"].as_str().unwrap().to_owned();
    assert!(Path::new(&directory).is_dir());
    let workers = running.worker_pids();
    assert_eq!(workers.len(), 2);

    let authorization = running.ready["authorization"].as_str().unwrap();
    for _ in 0..2 {
        let response = client()
            .get(running.url())
            .header(AUTHORIZATION, authorization)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        let body: Value = json(response).await;
        assert_eq!(body["uid"], 1, "the same user both times");
    }

    running.signal(Signal::INT);
    let (status, _) = running.wait();
    assert!(status.success(), "{status}");
    for worker in workers {
        wait_until_gone(worker);
    }
    assert!(
        !Path::new(&directory).exists(),
        "{directory} is still there"
    );
}

#[test]
fn a_taken_usual_port_is_no_hindrance() {
    // Taken by us or by anyone.
    let _taken = TcpListener::bind("127.0.0.1:5000");
    let mut command = program();
    command.arg("dev");
    let running = Running::start(command);
    assert!(!running.url().contains(":5000/"), "{}", running.url());
}
