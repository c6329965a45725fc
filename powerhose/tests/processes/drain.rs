//! A master that is told to end.

use rustix::process::Signal;

use crate::support::{Place, powerhose, run, until};

#[test]
fn jobs_in_flight_end_and_new_ones_are_refused() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let mut master = place.master(&[]);
        let _worker = place.worker();
        let (frontend, job) = (place.frontend(), place.write("job", "wait"));
        let mut first = place.start(&mut powerhose(["call", "--frontend", &frontend, &job]));
        place.is_started("wait");
        master.signal(signal);
        until("the master drains", || {
            (place.report().phase == "draining").then_some(())
        });
        let late = place.write("late", "late");
        let arguments = ["call", "--frontend", &frontend, "--timeout", "1s", &late];
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(69), ""), "{stderr}");
        place.go();
        assert_eq!(first.wait(), Some(0), "{}", first.log());
        assert_eq!(master.wait(), Some(0), "{}", master.log());
        assert_eq!(place.journal(), ["wait"]);
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let place = Place::new();
    let mut master = place.master(&["--drain", "1h"]);
    let _worker = place.worker();
    let (frontend, job) = (place.frontend(), place.write("job", "wait"));
    let mut call = place.start(&mut powerhose(["call", "--frontend", &frontend, &job]));
    place.is_started("wait");
    master.signal(Signal::TERM);
    master.logs("draining");
    master.signal(Signal::TERM);
    assert_eq!(master.wait(), Some(0), "{}", master.log());
    assert_eq!(call.wait(), Some(69), "{}", call.log());
}

#[test]
fn what_is_not_done_within_the_grace_fails() {
    let place = Place::new();
    let mut master = place.master(&["--drain", "300ms"]);
    let _worker = place.worker();
    let (frontend, job) = (place.frontend(), place.write("job", "wait"));
    let mut call = place.start(&mut powerhose(["call", "--frontend", &frontend, &job]));
    place.is_started("wait");
    master.signal(Signal::TERM);
    assert_eq!(master.wait(), Some(0), "{}", master.log());
    assert_eq!(call.wait(), Some(69), "{}", call.log());
    assert!(call.log().contains("shutting down"), "{}", call.log());
}
