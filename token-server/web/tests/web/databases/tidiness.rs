//! Tests leave no databases behind.

use std::process::Command;

use super::{
    Database, Kind,
    database::{PREFIX, all_of_tests, on_server, tidy_up},
};

#[tokio::test]
async fn a_test_that_fails_takes_its_database_along() {
    for kind in Kind::wanted() {
        let database = Database::make(kind).await;
        let name = database.name.clone();
        let is_there = all_of_tests(kind).await.contains(&name);
        assert_eq!(is_there, kind != Kind::Sqlite, "{kind:?}");
        let failed = tokio::spawn(async move {
            let _database = database;
            panic!("on purpose, to see what is left");
        });
        assert!(failed.await.unwrap_err().is_panic());
        assert!(
            !all_of_tests(kind).await.contains(&name),
            "{kind:?}: {name}"
        );
    }
}

#[tokio::test]
async fn what_a_killed_process_left_behind_is_removed_and_nothing_else() {
    for kind in Kind::wanted() {
        if kind == Kind::Sqlite {
            // Its files lie in a directory for temporary ones.
            continue;
        }
        let mut process = Command::new("true").spawn().unwrap();
        let dead = format!("{PREFIX}{}_leftover", process.id());
        process.wait().unwrap();
        let made = on_server(kind, format!("CREATE DATABASE {dead}")).await;
        made.unwrap();
        let alive = Database::make(kind).await;
        tidy_up(kind).await;
        let left = all_of_tests(kind).await;
        assert!(!left.contains(&dead), "{kind:?}: {dead}");
        assert!(left.contains(&alive.name), "{kind:?}: {}", alive.name);
        alive.remove().await;
    }
}
