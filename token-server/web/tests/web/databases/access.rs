use std::time::{Duration, Instant};

use token_server_web::{
    access::AccessLists,
    settings::Users,
    store::{AccessEntry, AccessList, Store},
};

use super::{Database, Kind, open};

/// Longer than anything takes here unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

fn entry(list: AccessList, issuer: &str, subject: &str) -> AccessEntry {
    AccessEntry {
        list,
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
    }
}

const BOTH: Users = Users {
    allow_new: true,
    allow_file: None,
    deny_file: None,
    allow_table: true,
    deny_table: true,
};

/// Waits until the lists say of a user what they should.
async fn wait(lists: &AccessLists, store: &Store, (issuer, subject): (&str, &str), admitted: bool) {
    let start = Instant::now();
    while lists.admits(store, issuer, subject).await != admitted {
        assert!(start.elapsed() < PATIENCE, "{subject} is not {admitted}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn tables(database: &Database) -> i64 {
    let (schema, name) = match database.kind {
        Kind::Sqlite => ("sqlite_master", "name"),
        Kind::Postgres => ("information_schema.tables", "table_name"),
        // Which is that of all databases.
        Kind::MySql => (
            "information_schema.tables",
            "table_schema = DATABASE() AND table_name",
        ),
    };
    let from = format!("FROM {schema} WHERE {name} = 'token_server_access'");
    database.number("COUNT(*)", &from).await
}

#[tokio::test]
async fn lists_in_the_database_are_made_for_those_who_ask_and_followed_without_a_restart() {
    const ALICE: (&str, &str) = ("a.test", "alice");
    const BOB: (&str, &str) = ("a.test", "bob");
    for kind in Kind::wanted() {
        let database = Database::make(kind).await;
        let store = open(&database).await.unwrap();
        let none = AccessLists::open(&Users::default(), &store).await.unwrap();
        assert!(none.admits(&store, "a.test", "alice").await);
        assert_eq!(tables(&database).await, 0, "{kind:?}: nobody asked for it");

        let lists = AccessLists::open(&BOTH, &store).await.unwrap();
        assert_eq!(tables(&database).await, 1, "{kind:?}");
        assert!(
            !lists.admits(&store, "a.test", "alice").await,
            "an empty list"
        );
        let everybody = entry(AccessList::Allow, "a.test", "*");
        let not_bob = entry(AccessList::Deny, "*", "b?b");
        assert!(
            store.add_access_entry(&everybody).await.unwrap(),
            "{kind:?}"
        );
        assert!(
            !store.add_access_entry(&everybody).await.unwrap(),
            "{kind:?}"
        );
        wait(&lists, &store, ALICE, true).await;
        assert!(lists.admits(&store, "a.test", "bob").await);
        assert!(!lists.admits(&store, "b.test", "alice").await);
        assert!(store.add_access_entry(&not_bob).await.unwrap(), "{kind:?}");
        wait(&lists, &store, BOB, false).await;
        assert!(lists.admits(&store, "a.test", "alice").await);
        assert_eq!(
            store.access_entries().await.unwrap(),
            [everybody, not_bob.clone()]
        );

        // What is not understood changes nothing; an operator's script may write such a thing.
        database
            .script("INSERT INTO token_server_access (list, issuer, subject) VALUES ('deny', 'a.test', '[')")
            .await;
        assert!(
            store.remove_access_entry(&not_bob).await.unwrap(),
            "{kind:?}"
        );
        assert!(
            !store.remove_access_entry(&not_bob).await.unwrap(),
            "{kind:?}"
        );
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert!(!lists.admits(&store, "a.test", "bob").await, "{kind:?}");
        let error = AccessLists::open(&BOTH, &store).await.unwrap_err();
        assert!(error.to_string().contains("\"[\""), "{error}");
        let broken = entry(AccessList::Deny, "a.test", "[");
        assert!(
            store.remove_access_entry(&broken).await.unwrap(),
            "{kind:?}"
        );
        wait(&lists, &store, BOB, true).await;
        store.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn an_entry_in_the_file_or_in_the_table_is_enough_and_who_is_on_both_lists_is_kept_out() {
    let database = Database::make(Kind::Sqlite).await;
    let store = open(&database).await.unwrap();
    let file = |name: &str, text: &str| {
        let path = database.directory().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let settings = Users {
        allow_file: file("allow", "a.test alice\na.test mallory\n"),
        deny_file: file("deny", "* mallory\n"),
        ..BOTH
    };
    store.prepare_access_table().await.unwrap();
    for (list, subject) in [
        (AccessList::Allow, "bob"),
        (AccessList::Allow, "eve"),
        (AccessList::Deny, "eve"),
    ] {
        let entry = entry(list, "a.test", subject);
        assert!(store.add_access_entry(&entry).await.unwrap());
    }
    let lists = AccessLists::open(&settings, &store).await.unwrap();
    for (subject, admitted) in [
        ("alice", true),
        ("bob", true),
        ("mallory", false),
        ("eve", false),
        ("carol", false),
    ] {
        let outcome = lists.admits(&store, "a.test", subject).await;
        assert_eq!(outcome, admitted, "{subject}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_at_once_make_the_table_once() {
    for kind in Kind::wanted() {
        let database = Database::make(kind).await;
        let stores = [
            open(&database).await.unwrap(),
            open(&database).await.unwrap(),
        ];
        let [one, two] = &stores;
        let both = tokio::join!(one.prepare_access_table(), two.prepare_access_table());
        both.0.unwrap();
        both.1.unwrap();
        assert_eq!(tables(&database).await, 1, "{kind:?}");
        for store in stores {
            store.close().await;
        }
        database.remove().await;
    }
}
