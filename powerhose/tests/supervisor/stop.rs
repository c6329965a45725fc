use std::time::Duration;

use rustix::process::Signal;

use crate::support::{
    IDLE, LONG, STUBBORN, TIDY, has_ended, is_reaped, line, lines, running, send, shells, until,
};

#[test]
fn a_stop_ends_and_reaps_every_process() {
    let workers = shells(IDLE).count(3).start().expect("sh runs");
    let ids = workers.pids();
    let mut exits = workers.exits();
    let report = workers.stop_blocking(LONG);
    assert_eq!((report.stopped, report.killed), (3, 0));
    assert!(report.is_graceful());
    assert!(ids.iter().all(|&id| is_reaped(id)));
    let told: Vec<_> = std::iter::from_fn(|| exits.next_blocking()).collect();
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|exit| exit.requested));
}

#[test]
fn a_process_that_ignores_the_request_is_killed_after_the_grace() {
    let (output, mut said) = lines();
    let workers = shells(STUBBORN)
        .count(2)
        .stdout(output)
        .start()
        .expect("sh runs");
    let ids = workers.pids();
    assert_eq!(
        (line(&mut said), line(&mut said)),
        ("ready".to_owned(), "ready".to_owned())
    );
    let report = workers.stop_blocking(Duration::from_millis(50));
    assert_eq!((report.stopped, report.killed), (0, 2));
    assert!(!report.is_graceful());
    assert!(ids.iter().all(|&id| is_reaped(id)));
}

#[test]
fn a_process_finishes_its_work_within_the_grace() {
    let (output, mut said) = lines();
    let workers = shells(TIDY).stdout(output).start().expect("sh runs");
    assert_eq!(line(&mut said), "ready");
    assert!(workers.stop_blocking(LONG).is_graceful());
    assert_eq!(line(&mut said), "done");
}

#[test]
fn a_suspended_process_hears_the_request_too() {
    let (output, mut said) = lines();
    let workers = shells(TIDY).stdout(output).start().expect("sh runs");
    assert_eq!(line(&mut said), "ready");
    send(Signal::STOP, workers.pids()[0]);
    assert!(workers.stop_blocking(LONG).is_graceful());
    assert_eq!(line(&mut said), "done");
}

#[test]
fn helpers_go_with_their_process() {
    let (output, mut said) = lines();
    let workers = shells("sleep 1000 & echo $!; wait")
        .stdout(output)
        .start()
        .expect("sh runs");
    let helper: u32 = line(&mut said).parse().expect("a process id");
    workers.stop_blocking(LONG);
    until("the helper has ended", || has_ended(helper));
}

#[test]
fn dropping_the_group_ends_it() {
    let workers = shells(IDLE).count(2).start().expect("sh runs");
    let ids = workers.pids();
    drop(workers);
    assert!(ids.iter().all(|&id| is_reaped(id)));
}

#[test]
fn a_stop_while_processes_crash_and_come_back_leaves_none() {
    for _ in 0..10 {
        let workers = shells("sleep 0.00$(($$ % 7)); exit 1")
            .count(4)
            .start_retries(None)
            .start()
            .expect("sh runs");
        let mut exits = workers.exits();
        let mut seen: Vec<u32> = (0..8).filter_map(|_| exits.next_blocking()?.pid).collect();
        assert!(workers.stop_blocking(LONG).left.is_empty());
        seen.extend(std::iter::from_fn(|| exits.next_blocking()).filter_map(|exit| exit.pid));
        assert!(seen.iter().all(|&id| is_reaped(id)));
    }
}

/// Were the executor's only thread blocked by the stop, the other future could not end the process,
/// and the stop would have to kill it.
#[tokio::test]
async fn an_async_stop_does_not_block_its_executor() {
    let (output, mut said) = lines();
    let workers = shells(STUBBORN).stdout(output).start().expect("sh runs");
    let id = workers.pids()[0];
    assert_eq!(line(&mut said), "ready");
    let (report, ()) = tokio::join!(workers.stop(LONG), async { send(Signal::KILL, id) });
    assert_eq!((report.stopped, report.killed), (1, 0));
    assert!(is_reaped(id));
}

#[tokio::test]
async fn a_stop_that_nobody_waits_for_goes_on() {
    let workers = shells(IDLE).start().expect("sh runs");
    let id = running(&workers, 1)[0];
    let mut exits = workers.exits();
    tokio::select! {
        biased;
        _ = workers.stop(LONG) => panic!("a process ended within no time"),
        () = async {} => {}
    }
    let exit = exits.next().await.expect("the process ends");
    assert_eq!((exit.pid, exit.requested), (Some(id), true));
    assert_eq!(exits.next().await, None);
}
