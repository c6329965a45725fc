//! One master at a place, and who asks whether it is there.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use crate::support::{PATIENCE, Place, run};

#[test]
fn a_second_master_at_the_same_place_ends_and_names_the_first() {
    let place = Place::new();
    let first = place.master(&[]);
    let (frontend, backend) = (place.frontend(), place.backend());
    let other = format!("{backend}-2");
    // One shared path is enough, whichever.
    for [frontend, backend] in [
        [&frontend, &backend],
        [&frontend, &other],
        [&other, &backend],
    ] {
        let arguments = ["master", "--frontend", frontend, "--backend", backend];
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(69), ""));
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        let named = format!("is in use by process {}: stop that one", first.pid());
        assert!(stderr.contains(&named), "{stderr}");
    }
    assert_eq!(place.report().pid, first.pid(), "the first one is unharmed");
}

#[test]
fn check_asks_the_one_that_runs() {
    let place = Place::new();
    let (frontend, backend) = (place.frontend(), place.backend());
    let check = |more: &[&str]| {
        let arguments = [
            "master",
            "--check",
            "--frontend",
            &frontend,
            "--backend",
            &backend,
        ];
        run(arguments.into_iter().chain(more.iter().copied()))
    };
    let (code, _, stderr) = check(&[]);
    assert_eq!(code, Some(69), "{stderr}");
    assert!(stderr.starts_with(&format!("powerhose: no master answers at {frontend}")));

    let mut master = place.master(&[]);
    let _worker = place.worker();
    let is_running = format!("process {} is running with ", master.pid());
    let (code, stdout, _) = check(&[]);
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with(&is_running), "{stdout}");
    let (code, stdout, _) = check(&["--json"]);
    assert_eq!(code, Some(0));
    let report: powerhose::Report = serde_json::from_str(&stdout).expect("a report");
    assert_eq!(report.pid, master.pid());

    master.signal(Signal::TERM);
    assert_eq!(master.wait(), Some(0));
    assert_eq!(check(&[]).0, Some(69));
}

#[test]
fn the_service_manager_is_told_how_far_it_is() {
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("notify")).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    let told = || {
        let mut state = [0; 256];
        let length = socket.recv(&mut state).expect("a state");
        String::from_utf8(state[..length].to_vec()).expect("text")
    };
    let mut command = place.master_command(&[]);
    let mut master = place.start(command.env("NOTIFY_SOCKET", place.path("notify")));
    assert_eq!(told(), "READY=1");
    assert_eq!(
        place.report().pid,
        master.pid(),
        "it is ready when it says so"
    );
    master.signal(Signal::HUP);
    let reloading = told();
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    let since = since.map(str::parse::<u64>);
    assert!(matches!(since, Some(Ok(1..))), "{reloading}");
    assert_eq!(told(), "READY=1");
    master.signal(Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(master.wait(), Some(0));
}
