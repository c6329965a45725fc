//! How the command is used.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;

use super::{GONE, Node, add, command, database, load, purge, uids};
use crate::{
    database::{Database, Kind},
    process::{PATIENCE, Running, needed, program},
    terminal::Terminal,
};

#[tokio::test]
async fn a_dry_run_asks_nobody_and_changes_nothing() {
    for kind in Kind::wanted() {
        let node = Node::default();
        let url = node.start().await;
        let database = database(kind, &[(&url, false, 2)]).await;
        add(
            &database,
            &[
                ("a@x.test", "aaaa", 5, Some(10), 1),
                ("b@x.test", "aaaa", 5, Some(10), GONE),
            ],
        )
        .await;
        let (code, report, messages) = purge(&database, &["--dryrun"]).await;
        assert_eq!(code, 0, "{messages}");
        assert_eq!(report["dry_run"], true);
        assert_eq!(
            (&report["purged"], &report["forgotten"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(node.asked(), [0_i64; 0]);
        assert_eq!(uids(&database).await, [1, 2], "{kind:?}");
        assert_eq!(load(&database, 1).await, (2, 10), "{kind:?}");
        database.remove().await;
    }
}

#[tokio::test]
async fn commands_that_share_the_work_have_their_own_uids() {
    for kind in Kind::wanted() {
        let node = Node::default();
        let url = node.start().await;
        let database = database(kind, &[(&url, false, 4)]).await;
        for email in ["a@x.test", "b@x.test", "c@x.test", "d@x.test"] {
            add(&database, &[(email, "aaaa", 5, Some(10), 1)]).await;
        }
        // Page by page, so that the range counts for what follows, too.
        let range = [
            "--range-start",
            "2",
            "--range-end",
            "3",
            "--max-per-loop",
            "1",
        ];
        let (code, report, messages) = purge(&database, &range).await;
        assert_eq!((code, &report["purged"]), (0, &json!(2)), "{messages}");
        assert_eq!(uids(&database).await, [1, 4], "{kind:?}");
        let (_, report, _) = purge(&database, &["--range-end", "1"]).await;
        assert_eq!(report["purged"], 1, "{kind:?}");
        assert_eq!(uids(&database).await, [4], "{kind:?}");
        let (code, _, messages) =
            purge(&database, &["--range-start", "2", "--range-end", "1"]).await;
        assert_eq!(code, 64, "{messages}");
        database.remove().await;
    }
}

#[tokio::test]
async fn people_are_shown_how_far_it_is_and_pipes_get_the_report_alone() {
    const REPORT: &str = "purged 2 records, removed 0 without asking a node\n";
    let node = Node::default();
    let url = node.start().await;
    let database = database(Kind::Sqlite, &[(&url, false, 2)]).await;
    let old = ["a@x.test", "b@x.test"].map(|email| (email, "aaaa", 5, Some(10), 1));
    let run = async |errors: Stdio| {
        add(&database, &old).await;
        let mut command = command(&database, &["--oneshot"]);
        command.env("TERM", "xterm").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(errors);
        let run = tokio::task::spawn_blocking(move || command.spawn().unwrap().wait_with_output());
        let output = run.await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), REPORT);
        String::from_utf8(output.stderr).unwrap()
    };

    let (terminal, errors) = Terminal::open();
    run(errors.into()).await;
    let screen = terminal.written();
    assert!(screen.contains("/2 records"), "{screen:?}");
    let wiped = screen.rsplit("\u{1b}[2K").next().unwrap();
    assert!(
        !wiped.contains("records"),
        "it is wiped at the end: {screen:?}"
    );

    assert_eq!(run(Stdio::piped()).await, "");
}

#[tokio::test]
async fn people_are_shown_that_users_are_being_taken_off_a_node() {
    let database = database(Kind::Sqlite, &[("https://one.test", false, 2)]).await;
    let run = async |errors: Stdio| {
        let mut command = program();
        command.args(["unassign-node", "https://one.test"]);
        for (key, value) in needed(database.directory()) {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command.env("TERM", "xterm").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(errors);
        let run = tokio::task::spawn_blocking(move || command.spawn().unwrap().wait_with_output());
        let output = run.await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with("cleared https://one.test"), "{said}");
        String::from_utf8(output.stderr).unwrap()
    };
    let (terminal, errors) = Terminal::open();
    run(errors.into()).await;
    let screen = terminal.written();
    assert!(
        screen.contains("taking users off https://one.test"),
        "{screen:?}"
    );
    let wiped = screen.rsplit("\u{1b}[2K").next().unwrap();
    assert!(
        !wiped.contains("users"),
        "it is wiped at the end: {screen:?}"
    );
    assert_eq!(run(Stdio::piped()).await, "");
}

#[tokio::test]
async fn a_round_makes_no_more_requests_than_it_may() {
    let node = Node::default();
    let url = node.start().await;
    let database = database(Kind::Sqlite, &[(&url, false, 5)]).await;
    for email in ["a@x.test", "b@x.test", "c@x.test", "d@x.test", "e@x.test"] {
        add(&database, &[(email, "aaaa", 5, Some(10), 1)]).await;
    }
    let limits = ["--max-records", "2", "--max-per-loop", "1"];
    let (code, report, _) = purge(&database, &limits).await;
    assert_eq!((code, &report["purged"]), (0, &json!(2)));
    assert_eq!(uids(&database).await, [3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_follow_each_other_until_a_signal_comes() {
    let node = Node::default();
    let url = node.start().await;
    let database = database(Kind::Sqlite, &[(&url, false, 2)]).await;
    let command = command(&database, &["--purge-interval", "50ms"]);
    // The report of the first round is on its first line.
    let running = tokio::task::spawn_blocking(|| Running::start(command));
    let running = running.await.unwrap();
    assert_eq!(running.ready["purged"], 0);
    add(&database, &[("a@x.test", "aaaa", 5, Some(10), 1)]).await;
    let start = Instant::now();
    while node.asked().is_empty() {
        assert!(start.elapsed() < PATIENCE, "no second round");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running.signal(Signal::TERM);
    let (status, reports) = tokio::task::spawn_blocking(|| running.wait())
        .await
        .unwrap();
    assert!(status.success(), "{status}");
    let purged = reports
        .lines()
        .filter(|line| line.contains("\"purged\":1,"));
    assert_eq!(purged.count(), 1, "{reports}");
    assert_eq!(uids(&database).await, [0_i64; 0]);
}

#[tokio::test]
async fn a_service_whose_tokens_nodes_cannot_read_is_refused() {
    let database = Database::make(Kind::Sqlite).await;
    let secret = database.directory().join("sync.secret");
    std::fs::write(&secret, "thirty-two characters or more of it").unwrap();
    let settings = [
        "applications.sync.version=\"1.5\"".to_owned(),
        "applications.sync.token.format=jwt".to_owned(),
        "applications.sync.token.algorithm=HS256".to_owned(),
        format!("applications.sync.secret_file={}", secret.display()),
    ];
    let jwt: Vec<&str> = settings
        .iter()
        .flat_map(|setting| ["--set", setting])
        .collect();
    let (code, _, messages) = purge(&database, &jwt).await;
    assert_eq!(code, 78, "{messages}");
    assert!(
        messages.contains("sync-1.5") && messages.contains("--service"),
        "{messages}"
    );

    let (code, _, messages) = purge(&database, &["--override-node", "https://a.test"]).await;
    assert_eq!(code, 64, "{messages}");
    assert!(messages.contains("--force"), "{messages}");
}
