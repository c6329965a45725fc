//! Every check finds what it is there to find, and nothing in evidence of which there is nothing wrong.

use std::time::Duration;

use super::super::evidence::{Ending, Evidence};
use super::super::journal::{Detection, Entry, Execution, Outcome};
use super::super::payload::JobName;
use super::super::service::{Counted, Report};
use super::*;

/// The life that is killed and the one that ends in order.
const FIRST: u32 = 1;
const LAST: u32 = 2;

fn submitted(job: u64, attempts: u8) -> Entry {
    Entry::Submitted { job, attempts }
}

fn ended(job: u64, outcome: Outcome) -> Entry {
    let waited = Duration::from_millis(job);
    Entry::Ended {
        job,
        outcome,
        waited,
    }
}

fn execution(life: u32, job: u64, attempt: u8) -> Execution {
    let name = JobName { life, job };
    Execution { name, attempt }
}

fn killed(noticed: u64, ended: u64) -> Entry {
    Entry::Killed(Detection {
        noticed: Duration::from_millis(noticed),
        ended: Duration::from_millis(ended),
    })
}

fn not_started() -> Outcome {
    Outcome::Failed {
        code: "no-workers".into(),
        not_started: true,
    }
}

/// A run in which everything is as it should be.
fn sound() -> Evidence {
    let mut evidence = Evidence::default();
    let report = Report {
        counted: Counted {
            submitted: 5,
            completed: 3,
            failed: 1,
            cancelled: 1,
            redispatched: 2,
            pauses: 1,
        },
        ..Report::default()
    };
    evidence.lives.insert(FIRST, Ending::Killed(report));
    evidence.lives.insert(LAST, Ending::InOrder(report));
    for entry in [submitted(0, 3), ended(0, Outcome::Ok), submitted(1, 3)] {
        evidence.enter(FIRST, entry);
    }
    evidence.execute(execution(FIRST, 0, 1));
    for (job, attempts, outcome) in [
        (0, 3, Outcome::Ok),
        (1, 1, Outcome::Ok),
        (2, 3, not_started()),
        (3, 3, Outcome::Cancelled),
        // It ended before the master learned that its caller had gone.
        (4, 3, Outcome::Cancelled),
    ] {
        evidence.enter(LAST, submitted(job, attempts));
        evidence.enter(LAST, ended(job, outcome));
    }
    for (job, attempt) in [(0, 1), (0, 2), (0, 4), (1, 3), (4, 1)] {
        evidence.execute(execution(LAST, job, attempt));
    }
    evidence.enter(LAST, killed(2, 1));
    evidence.enter(LAST, Entry::Stopped);
    evidence.enter(LAST, Entry::Drained);
    evidence.enter(LAST, Entry::Paused);
    evidence
}

#[track_caller]
fn assert_found(doctor: impl Fn(&mut Evidence), what: &str) {
    let mut evidence = sound();
    doctor(&mut evidence);
    let found = violations(&evidence);
    assert!(
        found.iter().any(|violation| violation.contains(what)),
        "{what:?} is not among {found:?}"
    );
}

#[test]
fn sound_evidence_has_no_violations() {
    assert_eq!(violations(&sound()), Vec::<String>::new());
}

#[test]
fn a_job_that_never_ends_is_found() {
    assert_found(
        |evidence| evidence.enter(LAST, submitted(5, 3)),
        "life 2: 1 jobs never had an outcome",
    );
}

#[test]
fn more_open_jobs_than_were_under_way_are_found() {
    assert_found(
        |evidence| (2..300).for_each(|job| evidence.enter(FIRST, submitted(job, 3))),
        "life 1: 299 jobs have no outcome",
    );
}

#[test]
fn a_second_outcome_is_found() {
    assert_found(
        |evidence| evidence.enter(FIRST, ended(0, Outcome::Ok)),
        "job 0 of life 1 has more than one outcome",
    );
}

#[test]
fn an_execution_too_many_is_found() {
    assert_found(
        |evidence| evidence.execute(execution(LAST, 0, 3)),
        "job 0 of life 2 was started more often than allowed",
    );
    assert_found(
        |evidence| evidence.execute(execution(LAST, 1, 4)),
        "job 1 of life 2 was started more often than allowed",
    );
}

#[test]
fn an_attempt_started_twice_is_found() {
    assert_found(
        |evidence| evidence.execute(execution(FIRST, 0, 1)),
        "job 0 of life 1 had one attempt started twice",
    );
}

#[test]
fn work_on_a_job_that_nobody_submitted_is_found() {
    assert_found(
        |evidence| evidence.execute(execution(LAST, 9, 1)),
        "job 9 of life 2 was submitted other than once",
    );
}

#[test]
fn a_wrong_result_is_found() {
    assert_found(
        |evidence| evidence.enter(FIRST, ended(1, Outcome::Wrong)),
        "job 1 of life 1 has a result that is not its own",
    );
}

#[test]
fn a_result_without_work_is_found() {
    assert_found(
        |evidence| evidence.enter(FIRST, ended(1, Outcome::Ok)),
        "job 1 of life 1 has a result although nobody worked on it",
    );
}

#[test]
fn work_that_the_error_denies_is_found() {
    assert_found(
        |evidence| evidence.execute(execution(LAST, 2, 1)),
        "job 2 of life 2 was started although its error denies it",
    );
}

#[test]
fn counters_that_do_not_add_up_are_found() {
    fn miscount(change: impl Fn(&mut Counted)) -> impl Fn(&mut Evidence) {
        move |evidence| {
            if let Some(Ending::InOrder(report)) = evidence.lives.get_mut(&LAST) {
                change(&mut report.counted);
            }
        }
    }
    let what = "life 2: the master counted";
    assert_found(miscount(|counted| counted.submitted += 1), what);
    assert_found(miscount(|counted| counted.completed += 1), what);
    assert_found(
        miscount(|counted| {
            counted.completed -= 2;
            counted.cancelled += 2;
        }),
        what,
    );
    assert_found(
        miscount(|counted| {
            counted.failed -= 1;
            counted.cancelled += 1;
        }),
        what,
    );
}

#[test]
fn an_unnoticed_death_is_found() {
    assert_found(
        |evidence| evidence.enter(FIRST, Entry::Undetected),
        "1 workers were killed and never missed",
    );
}

#[test]
fn a_pause_that_the_master_missed_is_found() {
    assert_found(
        |evidence| evidence.enter(LAST, Entry::Paused),
        "life 2: the master was stopped",
    );
}

#[test]
fn a_worker_that_stays_is_found() {
    assert_found(
        |evidence| evidence.enter(FIRST, Entry::Undrained),
        "1 workers were told to leave and stayed",
    );
}

#[test]
fn many_violations_of_a_kind_are_told_in_few_lines() {
    let mut evidence = sound();
    for job in 100..200 {
        evidence.execute(execution(LAST, job, 1));
    }
    let found = violations(&evidence);
    assert!(found.len() < 100, "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("90 more jobs")));
}

#[test]
fn a_run_is_summed_up() {
    let summary = Summary::new(&sound(), 30, 7);
    assert_eq!((summary.jobs, summary.cut_off), (6, 1));
    assert_eq!((summary.kills, summary.stops, summary.drains), (1, 1, 1));
    assert_eq!((summary.service_restarts, summary.service_pauses), (1, 1));
    assert_eq!(summary.redispatched, 4);
    assert_eq!(summary.executions.total, 6);
    assert_eq!(summary.executions.max_per_job, 3);
    assert!((summary.success_rate - 0.75).abs() < 1e-9);
    assert!((summary.detection_ms.p50 - 2.0).abs() < 1e-9);
    assert!((summary.reaction_ms.p50 - 1.0).abs() < 1e-9);
    assert!((summary.longest_wait_ms - 4.0).abs() < 1e-9);
}

#[test]
fn every_shortfall_is_told() {
    let enough = Summary {
        jobs: 50_000,
        kills: 100,
        success_rate: 0.99,
        detection_ms: Spread {
            p50: 5.0,
            max: 1000.0,
        },
        reaction_ms: Spread {
            p50: 1.0,
            max: 100.0,
        },
        ..Summary::new(&sound(), 30, 7)
    };
    assert_eq!(enough.shortfalls(), Vec::<String>::new());
    let falls_short = |change: fn(&mut Summary), what: &str| {
        let mut summary = enough.clone();
        change(&mut summary);
        let [shortfall] = &summary.shortfalls()[..] else {
            panic!("{what:?} is not the one of {:?}", summary.shortfalls());
        };
        assert!(shortfall.contains(what), "{shortfall:?}");
    };
    falls_short(|summary| summary.jobs -= 1, "only 49999 jobs");
    falls_short(|summary| summary.kills -= 1, "only 99 kills");
    falls_short(|summary| summary.success_rate = 0.98, "98.00 %");
    falls_short(|summary| summary.detection_ms.p50 = 5.1, "p50 is 5.1 ms");
    falls_short(
        |summary| summary.reaction_ms.max = 101.0,
        "reaction max is 101.0 ms",
    );
    let shorter = Summary {
        seconds: 15,
        jobs: 25_000,
        kills: 50,
        ..enough
    };
    assert_eq!(shorter.shortfalls(), Vec::<String>::new());
}
