//! What becomes of records and of the data at their nodes.

use serde_json::json;
use tokio::net::TcpListener;

use super::{GONE, Node, add, database, load, now_ms, purge, uids};
use crate::{database::Kind, process::closed_door};

#[tokio::test]
async fn old_records_go_with_their_data_and_give_their_places_back() {
    for kind in Kind::wanted() {
        let node = Node::default();
        let url = node.start().await;
        let down = "https://down.test";
        let database = database(kind, &[(&url, false, 4), (down, true, 1)]).await;
        let recently = now_ms() - 60_000;
        add(
            &database,
            &[
                // New keys, same node: the place is still taken.
                ("a@x.test", "aaaa", 5, Some(10), 1),
                ("a@x.test", "bbbb", 10, None, 1),
                // Moved away.
                ("b@x.test", "aaaa", 5, Some(20), 1),
                ("b@x.test", "aaaa", 20, None, 2),
                // A deleted account, after new keys.
                ("c@x.test", "aaaa", 5, Some(30), 1),
                ("c@x.test", "bbbb", 30, Some(31), 1),
                ("d@x.test", "aaaa", 5, Some(10), 2),
                ("e@x.test", "aaaa", 5, Some(10), GONE),
                ("f@x.test", "aaaa", 5, Some(recently), 1),
                // No token can have been made for it.
                ("g@x.test", "a-state", 5, Some(40), 1),
            ],
        )
        .await;
        // The node doesn't know this one.
        node.answer(3, 404);

        let (code, report, messages) = purge(&database, &["--max-per-loop", "2"]).await;
        assert_eq!(code, 0, "{kind:?}: {messages}");
        assert_eq!(node.asked(), [1, 3, 5, 6], "{kind:?}: oldest first");
        assert_eq!(uids(&database).await, [2, 4, 7, 9], "{kind:?}");
        assert_eq!(
            report,
            json!({
                "dry_run": false, "purged": 4, "forgotten": 2, "failed": 0, "skipped": 1,
                "stopped": false,
                "nodes": {
                    &url: { "purged": 4, "failed": 0, "skipped": 0, "problem": null, "downed": false },
                    down: { "purged": 0, "failed": 0, "skipped": 1, "problem": null, "downed": true },
                },
            }),
            "{kind:?}"
        );
        // b's, c's and g's places.
        assert_eq!(load(&database, 1).await, (1, 13), "{kind:?}");
        assert_eq!(load(&database, 2).await, (1, 10), "{kind:?}");

        let (code, report, _) = purge(&database, &["--grace-period", "30s"]).await;
        assert_eq!((code, &report["purged"]), (0, &json!(1)), "{kind:?}");
        assert_eq!(uids(&database).await, [2, 4, 7], "{kind:?}");
        database.remove().await;
    }
}

#[tokio::test]
async fn nodes_that_will_not_remove_data_keep_their_records_and_hold_up_nobody() {
    for kind in Kind::wanted() {
        let (good, strange) = (Node::default(), Node::default());
        let urls = [good.start().await, strange.start().await];
        let (_socket, away) = closed_door();
        let nodes = [
            (away.as_str(), false, 3),
            (&urls[0], false, 3),
            (&urls[1], false, 2),
        ];
        let database = database(kind, &nodes).await;
        add(
            &database,
            &[
                ("a@x.test", "aaaa", 5, Some(10), 1),
                ("b@x.test", "aaaa", 5, Some(10), 1),
                ("c@x.test", "aaaa", 5, Some(10), 1),
                ("d@x.test", "aaaa", 5, Some(10), 2),
                ("e@x.test", "aaaa", 5, Some(10), 2),
                ("f@x.test", "aaaa", 5, Some(10), 3),
                ("g@x.test", "aaaa", 5, Some(10), 3),
            ],
        )
        .await;
        good.answer(4, 500);
        strange.answer(6, 401);

        let (code, report, messages) = purge(&database, &[]).await;
        assert_eq!(code, 69, "{kind:?}: {messages}");
        assert!(messages.contains(&format!("3 at {away}")), "{messages}");
        assert!(messages.contains("another secret"), "{messages}");
        assert_eq!(uids(&database).await, [1, 2, 3, 4, 6, 7], "{kind:?}");
        let what = |url: &str, key: &str| report["nodes"][url][key].as_i64().unwrap();
        // One attempt at a node that isn't there is enough.
        assert_eq!((what(&away, "failed"), what(&away, "skipped")), (1, 2));
        assert_eq!((what(&urls[0], "failed"), what(&urls[0], "purged")), (1, 1));
        assert_eq!(
            (what(&urls[1], "failed"), what(&urls[1], "skipped")),
            (1, 1)
        );
        assert_eq!(load(&database, 1).await, (3, 10), "{kind:?}");
        assert_eq!(load(&database, 2).await, (2, 11), "{kind:?}");

        // What a healthy node refused comes last, a grace period from now.
        let (_, report, _) = purge(&database, &[]).await;
        assert_eq!(report["nodes"].get(&urls[0]), None, "{kind:?}: {report}");
        let (_, report, _) = purge(&database, &["--grace-period", "0s"]).await;
        assert_eq!(report["nodes"][&urls[0]]["failed"], 1, "{kind:?}: {report}");
        database.remove().await;
    }
}

#[tokio::test]
async fn a_node_that_says_nothing_is_asked_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let database = database(Kind::Sqlite, &[(&url, false, 2)]).await;
    let records = ["a@x.test", "b@x.test"].map(|email| (email, "aaaa", 5, Some(10), 1));
    add(&database, &records).await;
    let (code, report, messages) = purge(&database, &["--request-timeout", "300ms"]).await;
    assert_eq!(code, 69, "{messages}");
    assert!(messages.contains("no answer in time"), "{messages}");
    assert_eq!(
        (&report["failed"], &report["skipped"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(uids(&database).await, [1, 2]);
}

#[tokio::test]
async fn data_at_nodes_that_are_down_are_removed_where_they_were_copied_to() {
    for kind in Kind::wanted() {
        let copy = Node::default();
        let url = copy.start().await;
        let nodes = [("https://down.test", true, 3), (&url, false, 1)];
        let database = database(kind, &nodes).await;
        add(
            &database,
            &[
                ("a@x.test", "aaaa", 5, Some(10), 1),
                // Its user has gone on with the same key at the node that has the copies.
                ("b@x.test", "aaaa", 5, Some(10), 1),
                ("b@x.test", "aaaa", 10, None, 2),
            ],
        )
        .await;
        let force = ["--force", "--override-node", &url];
        let (code, report, messages) = purge(&database, &force).await;
        assert_eq!(code, 0, "{messages}");
        assert_eq!(copy.asked(), [1], "{kind:?}");
        assert_eq!(
            (&report["purged"], &report["forgotten"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(uids(&database).await, [3], "{kind:?}");

        add(&database, &[("c@x.test", "aaaa", 5, Some(10), 1)]).await;
        let (code, report, _) = purge(&database, &["--force"]).await;
        assert_eq!((code, &report["forgotten"]), (0, &json!(1)), "{kind:?}");
        assert_eq!(uids(&database).await, [3], "{kind:?}");
        database.remove().await;
    }
}
