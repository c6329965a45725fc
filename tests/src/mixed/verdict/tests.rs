use serde_json::json;

use super::super::plan::Plan;
use super::*;

const CLIENTS: [u32; 4] = [1, 2, 3, 4];
const WORKERS: [u32; 6] = [11, 12, 13, 14, 15, 16];

/// Jobs of each part; the first and the second of each ten, of which the first must not be started twice.
const STEADY: u64 = 20;
const WORKERS_KILLED: u64 = 4000;
const MASTER_KILLED: u64 = 6000;

fn report(pid: u32, workers: &[u32]) -> Report {
    let quantiles = json!({"count": 0, "p50_us": 0, "p90_us": 0, "p99_us": 0, "max_us": 0});
    let workers = workers.iter().map(|pid| {
        json!({
            "session": "", "pid": pid, "host": "", "implementation": "", "services": [""], "slots": 1, "in_flight": 0, "state": "idle",
            "age_ms": 0, "silence_ms": 0, "completed": 9, "failed": 0,
            "queue": quantiles, "transit": quantiles, "service": quantiles,
        })
    });
    let clients = CLIENTS.iter().map(|pid| {
        json!({
            "session": "", "pid": pid, "host": "", "implementation": "", "state": "attached", "jobs": 0, "age_ms": 0, "silence_ms": 0,
            "submitted": 0, "replied": 0,
        })
    });
    serde_json::from_value(json!({
        "implementation": "", "pid": pid, "phase": "serving", "uptime_ms": 0, "frontends": [], "backends": [], "jobs": 0, "waiting": 0,
        "waiting_bytes": 0, "counters": {"workers_lost": 3, "redispatched": 2}, "services": [], "omitted": 0,
        "workers": workers.collect::<Vec<_>>(), "clients": clients.collect::<Vec<_>>(),
    }))
    .expect("a report")
}

/// A run in which all went well.
fn good() -> (Observed, [u64; 6]) {
    let mut evidence = Evidence::new(Plan::new(4000));
    for number in 0..evidence.plan.total() {
        evidence.ended(number, "ok", false);
        evidence.started(number, 1);
    }
    // A job that went to another worker, and one that could not.
    evidence.started(WORKERS_KILLED + 1, 2);
    set(&mut evidence, WORKERS_KILLED, "worker-lost", &[1]);
    // The same with another master.
    evidence.started(MASTER_KILLED + 1, 1);
    set(&mut evidence, MASTER_KILLED, "master-lost", &[1]);
    set(&mut evidence, MASTER_KILLED + 10, "master-lost", &[]);
    let observed = Observed {
        evidence,
        clients: CLIENTS.into(),
        first_master: report(21, &WORKERS[3..]),
        second_master: report(22, &WORKERS[3..]),
    };
    (observed, [900, 600, 500, 900, 600, 500])
}

fn set(evidence: &mut Evidence, number: u64, outcome: &str, attempts: &[u8]) {
    let place = usize::try_from(number).expect("few jobs");
    evidence.jobs[place] = Record::default();
    evidence.ended(number, outcome, attempts.is_empty());
    for attempt in attempts {
        evidence.started(number, *attempt);
    }
}

fn judge(observed: &Observed, steady: [u64; 6]) -> Vec<String> {
    let languages = [Language::Rust, Language::Python, Language::Cpp];
    let workers = (WORKERS
        .into_iter()
        .zip(steady)
        .zip(languages.into_iter().cycle()))
    .map(|((pid, steady), language)| WorkerSummary {
        language,
        pid,
        is_killed: !WORKERS[3..].contains(&pid),
        executions: [steady, 10, 10],
    })
    .collect();
    let summary = Summary::new(observed, workers, [1.0; 3]);
    complaints(observed, &summary)
}

/// Spoils a run and expects this complaint.
fn spoilt(says: &str, spoil: impl FnOnce(&mut Observed, &mut [u64; 6])) {
    let (mut observed, mut steady) = good();
    spoil(&mut observed, &mut steady);
    let found = judge(&observed, steady);
    assert!(
        found.iter().any(|complaint| complaint.contains(says)),
        "{says}: {found:?}"
    );
}

#[test]
fn a_good_run_has_no_complaints() {
    let (observed, steady) = good();
    assert_eq!(judge(&observed, steady), Vec::<String>::new());
}

#[test]
fn what_must_not_become_of_a_job_is_found() {
    let job = |number: u64, outcome: &'static str, attempts: &'static [u8]| {
        move |observed: &mut Observed, _: &mut [u64; 6]| {
            set(&mut observed.evidence, number, outcome, attempts);
        }
    };
    spoilt("wrong result", job(STEADY, "wrong", &[1]));
    spoilt("steady: 1 jobs failed", job(STEADY, "worker-lost", &[1]));
    spoilt(
        "steady: 1 jobs were started twice",
        job(STEADY + 1, "ok", &[1, 2]),
    );
    spoilt("without having been started", job(STEADY, "ok", &[]));
    spoilt(
        "workers killed: 1 jobs failed",
        job(WORKERS_KILLED + 1, "worker-lost", &[1]),
    );
    spoilt(
        "workers killed: 1 jobs failed",
        job(WORKERS_KILLED, "master-lost", &[1]),
    );
    spoilt("same attempt", job(WORKERS_KILLED + 2, "ok", &[1, 1]));
    spoilt(
        "although they must not",
        job(MASTER_KILLED, "master-lost", &[1, 1]),
    );
    spoilt(
        "more often than they may",
        job(MASTER_KILLED + 1, "ok", &[1, 2, 1, 2]),
    );
    spoilt(
        "master killed: 1 jobs failed",
        job(MASTER_KILLED + 1, "master-lost", &[1]),
    );
}

#[test]
fn a_job_without_an_outcome_or_with_two_is_found() {
    spoilt("have no outcome", |observed, _| {
        observed.evidence.jobs[7].outcomes.clear();
    });
    spoilt("several outcomes", |observed, _| {
        observed.evidence.ended(7, "ok", false);
    });
    spoilt("their error denies it", |observed, _| {
        observed.evidence.started(MASTER_KILLED + 10, 1);
    });
    spoilt("lines name jobs", |observed, _| {
        observed.evidence.started(1 << 40, 1);
    });
}

#[test]
fn a_worker_that_did_too_little_is_found() {
    spoilt("the mean is", |_, steady| steady[4] = 300);
}

#[test]
fn a_run_that_shows_nothing_is_found() {
    spoilt("the master missed 2", |observed, _| {
        observed
            .first_master
            .counters
            .insert("workers_lost".to_owned(), 2);
    });
    spoilt("at a worker that was killed", |observed, _| {
        observed.first_master.counters.clear();
        set(&mut observed.evidence, WORKERS_KILLED, "ok", &[1]);
    });
    spoilt("at the master that was killed", |observed, _| {
        set(&mut observed.evidence, MASTER_KILLED, "ok", &[1]);
        set(&mut observed.evidence, MASTER_KILLED + 10, "ok", &[1]);
    });
    spoilt("the master was not killed", |observed, _| {
        observed.first_master.pid = 22;
    });
    spoilt("have not come back", |observed, _| {
        observed.second_master.clients.pop();
    });
    spoilt("did nothing for the second master", |observed, _| {
        observed.second_master.workers[0].completed = 0;
    });
}
