//! SIGHUP: what is read again.

use powerhose::ExecuteError;
use rustix::process::Signal;

use crate::support::{PATIENCE, Place};

#[test]
fn the_log_filter_and_the_limits_are_read_again() {
    let place = Place::new();
    let settings = place.write("settings", "log = 'error'\ngrace = '1s'\n");
    let mut master = place.master(&["--config", &settings]);
    assert_eq!(master.log(), "", "nothing that would be logged at error");
    place.write(
        "settings",
        "log = 'info'\ngrace = '2s'\nmax_queue_jobs = 1\n",
    );
    master.signal(Signal::HUP);
    master.logs("read the settings again");
    master.logs("has changed: that takes a restart");
    assert!(master.log().contains("grace"), "{}", master.log());

    // Without workers, jobs wait.
    let client = place.client();
    let runtime = (tokio::runtime::Builder::new_multi_thread().enable_all()).build();
    let outcomes = runtime.expect("an executor").block_on(async {
        let job = || client.job("x").timeout(PATIENCE / 30).execute();
        let (first, second) = tokio::join!(job(), job());
        [first, second]
    });
    let overloaded =
        |outcome: &&Result<_, _>| matches!(outcome, Err(ExecuteError::Overloaded { .. }));
    assert_eq!(
        outcomes.iter().filter(overloaded).count(),
        1,
        "{outcomes:?}"
    );

    place.write("settings", "log = 'info'\nmax_queue = 5\n");
    master.signal(Signal::HUP);
    master.logs("the settings stay as they are");
    assert!(master.log().contains("max_queue"), "{}", master.log());
    place.write("settings", "log = 'error'\n");
    master.signal(Signal::HUP);
    let before = master.log().lines().count();
    master.signal(Signal::TERM);
    assert_eq!(master.wait(), Some(0));
    let after = master.log().lines().count();
    assert!(
        after <= before + 2,
        "it has become silent: {}",
        master.log()
    );
}

#[test]
fn what_the_command_line_says_stays_and_the_rest_is_read() {
    let place = Place::new();
    let settings = place.write("settings", "log = 'error'\n");
    let options = ["--log", "info", "--config", &settings];
    let mut master = place.master(&options);
    assert!(master.log().contains("ready"), "{}", master.log());
    place.write("settings", "log = 'off'\ndrain = '7s'\n");
    master.signal(Signal::HUP);
    master.logs("read the settings again");
    master.signal(Signal::TERM);
    assert_eq!(master.wait(), Some(0));
    assert!(master.log().contains("grace=7s"), "{}", master.log());
}
