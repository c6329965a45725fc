use std::{os::unix::fs::PermissionsExt, time::Duration};

use sqlx::Connection;
use tempfile::tempdir;
use token_server_web::{
    store::{Login, Store, StoreError, User},
    users::{Claims, ClientStateFault, RETIRED, Refusal},
};

use crate::{nodes::Tables, settings, store};

/// One login after the other of one account, a second apart.
struct Account {
    tables: Tables,
    now_ms: i64,
}

impl Account {
    async fn new() -> Self {
        Self {
            tables: Tables::with_node().await,
            now_ms: 1_000_000,
        }
    }

    async fn log_in(
        &mut self,
        generation: i64,
        keys_changed_at: i64,
        client_state: &str,
    ) -> Result<User, Refusal> {
        self.now_ms += 1000;
        self.log_in_now(generation, keys_changed_at, client_state)
            .await
    }

    async fn log_in_now(
        &self,
        generation: i64,
        keys_changed_at: i64,
        client_state: &str,
    ) -> Result<User, Refusal> {
        let login = Login {
            service: &self.tables.service,
            email: "abc@accounts.test",
            claims: Claims {
                generation,
                keys_changed_at,
                client_state,
            },
            now_ms: self.now_ms,
            allow_new: true,
        };
        self.tables.store.log_in(&login).await.unwrap()
    }
}

fn client_state<T>(fault: ClientStateFault) -> Result<T, Refusal> {
    Err(Refusal::ClientState(fault))
}

#[tokio::test]
async fn a_known_user_keeps_uid_and_node_and_nothing_is_written() {
    let mut account = Account::new().await;
    let first = account.log_in(10, 10, "aaaa").await.unwrap();
    let version = "PRAGMA data_version";
    let before = account.tables.number(version).await;
    for _ in 0..3 {
        assert_eq!(account.log_in(10, 10, "aaaa").await, Ok(first.clone()));
    }
    assert_eq!(account.tables.number(version).await, before);
}

#[tokio::test]
async fn a_generation_rises_and_never_falls() {
    let mut account = Account::new().await;
    let first = account.log_in(0, 0, "").await.unwrap();
    let risen = account.log_in(10, 0, "").await.unwrap();
    assert_eq!((risen.uid, risen.generation), (first.uid, 10));
    assert_eq!(account.log_in(0, 0, "").await.unwrap().generation, 10);
    assert_eq!(account.log_in(9, 0, "").await, Err(Refusal::Generation));
    assert_eq!(account.log_in(11, 0, "").await.unwrap().generation, 11);
    assert_eq!(account.log_in(10, 0, "").await, Err(Refusal::Generation));
}

#[tokio::test]
async fn keys_may_not_be_newer_than_the_generation() {
    let mut account = Account::new().await;
    account.log_in(10, 0, "aaaa").await.unwrap();
    assert_eq!(
        account.log_in(10, 11, "aaaa").await,
        Err(Refusal::KeysChangedAt)
    );
    let first = account.log_in(10, 10, "aaaa").await.unwrap();
    assert_eq!(first.keys_changed_at, 10);
    assert_eq!(
        account.log_in(10, 9, "aaaa").await,
        Err(Refusal::KeysChangedAt)
    );
    assert_eq!(
        account.log_in(10, 0, "aaaa").await,
        Err(Refusal::KeysChangedAt)
    );
}

#[tokio::test]
async fn without_a_generation_new_keys_raise_it() {
    let mut account = Account::new().await;
    let first = account.log_in(0, 7, "aaaa").await.unwrap();
    assert_eq!((first.generation, first.keys_changed_at), (0, 7));
    let second = account.log_in(0, 8, "bbbb").await.unwrap();
    assert_eq!((second.generation, second.keys_changed_at), (8, 8));
    assert_ne!(second.uid, first.uid);
}

#[tokio::test]
async fn a_login_that_is_behind_may_still_bring_newer_keys() {
    let mut account = Account::new().await;
    account.log_in(20, 5, "aaaa").await.unwrap();
    assert_eq!(
        account.log_in(15, 10, "aaaa").await,
        Err(Refusal::Generation)
    );
    assert_eq!(
        account.log_in(20, 9, "aaaa").await,
        Err(Refusal::KeysChangedAt)
    );
    assert_eq!(
        account
            .log_in(20, 10, "aaaa")
            .await
            .unwrap()
            .keys_changed_at,
        10
    );
}

#[tokio::test]
async fn a_new_client_state_gets_a_new_uid_on_the_same_node() {
    let mut account = Account::new().await;
    let first = account.log_in(10, 10, "aaaa").await.unwrap();
    let second = account.log_in(11, 11, "bbbb").await.unwrap();
    assert_ne!(second.uid, first.uid);
    assert_eq!(second.node, first.node);
    assert_eq!(second.client_state, "bbbb");
    let replaced =
        "SELECT count(*) FROM users WHERE replaced_at = 1002000 AND client_state = 'aaaa'";
    assert_eq!(account.tables.number(replaced).await, 1);
    assert_eq!(
        account
            .tables
            .number("SELECT current_load FROM nodes")
            .await,
        1
    );
}

#[tokio::test]
async fn a_client_state_changes_only_with_generation_and_keys() {
    let mut account = Account::new().await;
    account.log_in(10, 10, "aaaa").await.unwrap();
    assert_eq!(
        account.log_in(10, 11, "bbbb").await,
        Err(Refusal::KeysChangedAt),
        "keys newer than the generation come first"
    );
    assert_eq!(
        account.log_in(10, 10, "bbbb").await,
        client_state(ClientStateFault::NoGenerationChange)
    );
    assert_eq!(
        account.log_in(11, 10, "bbbb").await,
        client_state(ClientStateFault::NoKeysChange)
    );
    assert_eq!(
        account.log_in(12, 12, "").await,
        client_state(ClientStateFault::Empty)
    );
    assert!(account.log_in(11, 11, "bbbb").await.is_ok());
}

#[tokio::test]
async fn a_client_state_that_was_given_up_does_not_come_back() {
    let mut account = Account::new().await;
    account.log_in(10, 10, "aaaa").await.unwrap();
    account.log_in(11, 11, "bbbb").await.unwrap();
    assert_eq!(
        account.log_in(12, 12, "aaaa").await,
        client_state(ClientStateFault::Stale)
    );
}

#[tokio::test]
async fn changes_within_one_millisecond_or_with_a_clock_set_back_keep_their_order() {
    let mut account = Account::new().await;
    account.log_in(0, 0, "aaaa").await.unwrap();
    let second = account.log_in_now(0, 0, "bbbb").await.unwrap();
    assert_eq!(account.log_in_now(0, 0, "bbbb").await, Ok(second));
    account.now_ms -= 500_000;
    let third = account.log_in(0, 0, "cccc").await.unwrap();
    assert_eq!(account.log_in(0, 0, "cccc").await, Ok(third));
    let current = "SELECT count(*) FROM users WHERE replaced_at IS NULL";
    assert_eq!(account.tables.number(current).await, 1);
}

#[tokio::test]
async fn a_user_whose_node_is_gone_gets_another_one() {
    let mut account = Account::new().await;
    let first = account.log_in(10, 10, "aaaa").await.unwrap();
    account.tables.add_node("https://node2.test", 10, 10).await;
    account
        .tables
        .execute("DELETE FROM nodes WHERE node = 'https://node1.test'")
        .await;
    let second = account.log_in(10, 10, "aaaa").await.unwrap();
    assert_ne!(second.uid, first.uid);
    assert_eq!(second.node, "https://node2.test");
    assert_eq!((second.generation, second.keys_changed_at), (10, 10));
    assert_eq!(second.client_state, "aaaa");
    assert_eq!(account.log_in(10, 10, "aaaa").await, Ok(second));
}

#[tokio::test]
async fn a_user_who_was_taken_off_a_node_is_allocated_again() {
    let mut account = Account::new().await;
    let first = account.log_in(10, 10, "aaaa").await.unwrap();
    account
        .tables
        .execute("UPDATE users SET replaced_at = 1")
        .await;
    let second = account.log_in(10, 10, "aaaa").await.unwrap();
    assert_ne!(second.uid, first.uid);
    let refused = account.log_in(9, 10, "aaaa").await;
    assert_eq!(
        refused,
        Err(Refusal::Generation),
        "what was known still counts"
    );
}

#[tokio::test]
async fn rows_that_a_race_has_left_unmarked_are_marked() {
    let mut account = Account::new().await;
    account.tables.execute(
        "INSERT INTO users (service, email, nodeid, generation, client_state, created_at) VALUES \
         (1, 'abc@accounts.test', 1, 5, 'aaaa', 100), (1, 'abc@accounts.test', 1, 6, 'bbbb', 90)",
    ).await;
    let user = account.log_in(6, 0, "bbbb").await.unwrap();
    assert_eq!(user.uid, 2, "the generation counts more than the time");
    let marked = "SELECT replaced_at FROM users WHERE uid = 1";
    assert_eq!(account.tables.number(marked).await, 90);
    let stale = account.log_in(7, 7, "aaaa").await;
    assert_eq!(stale, client_state(ClientStateFault::Stale));
}

#[tokio::test]
async fn a_deleted_account_is_not_revived() {
    let mut account = Account::new().await;
    account.log_in(10, 10, "aaaa").await.unwrap();
    account
        .tables
        .execute("UPDATE users SET replaced_at = 5, generation = 9223372036854775807")
        .await;
    assert_eq!(
        account.log_in(11, 10, "aaaa").await,
        Err(Refusal::Generation)
    );
    assert_eq!(
        account.log_in(RETIRED - 1, 10, "aaaa").await,
        Err(Refusal::Generation)
    );
    assert_eq!(account.tables.number("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn accounts_of_other_services_are_strangers() {
    let mut account = Account::new().await;
    account.log_in(10, 10, "aaaa").await.unwrap();
    account.tables.execute("UPDATE users SET service = 2").await;
    let fresh = account.log_in(5, 5, "aaaa").await.unwrap();
    assert_eq!(fresh.generation, 5);
}

#[tokio::test]
async fn new_users_can_be_kept_out_while_known_ones_get_in() {
    let mut account = Account::new().await;
    let known = account.log_in(1, 1, "").await.unwrap();
    let login = |email| Login {
        service: &account.tables.service,
        email,
        claims: Claims {
            generation: 1,
            keys_changed_at: 1,
            client_state: "",
        },
        now_ms: 1,
        allow_new: false,
    };
    let store = &account.tables.store;
    let outcome = store.log_in(&login("abc@accounts.test")).await.unwrap();
    assert_eq!(outcome, Ok(known));
    let outcome = store.log_in(&login("new@accounts.test")).await.unwrap();
    assert_eq!(outcome, Err(Refusal::NewUsersDisabled));
}

#[tokio::test]
async fn a_new_database_is_for_its_owner_alone() {
    let directory = tempdir().unwrap();
    let store = store(directory.path()).await;
    store.ping().await.unwrap();
    for name in ["users.db", "users.db-wal", "users.db-shm"] {
        let metadata = std::fs::metadata(directory.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn an_existing_database_is_used_as_it_is() {
    let directory = tempdir().unwrap();
    store(directory.path()).await.close().await;
    let mut tables = Tables::new().await;
    tables
        .execute("UPDATE services SET pattern = '{node}/elsewhere/{uid}'")
        .await;
    let schema = "SELECT group_concat(sql) FROM sqlite_master";
    let before: String = sqlx::query_scalar(schema)
        .fetch_one(&mut tables.script)
        .await
        .unwrap();
    tables.store.close().await;
    let again = store(tables.directory.path()).await;
    let service = again.service("sync-1.5").await.unwrap().unwrap();
    assert_eq!(
        service.endpoint("sync-1.5", "https://n.test", 7),
        "https://n.test/elsewhere/7"
    );
    let after: String = sqlx::query_scalar(schema)
        .fetch_one(&mut tables.script)
        .await
        .unwrap();
    assert_eq!(after, before);
}

#[tokio::test]
async fn files_that_are_no_token_servers_database_are_refused_by_name() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("users.db");
    let settings = settings(directory.path(), &[]);
    let open = || Store::open(&settings.database, settings.nodes.capacity_release_rate);

    std::fs::write(&path, "this is a letter to my aunt, and it is long enough").unwrap();
    let error = open().await.unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert!(error.to_string().contains("users.db"), "{error}");

    std::fs::remove_file(&path).unwrap();
    let mut other = sqlx::SqliteConnection::connect_with(
        &sqlx::sqlite::SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true),
    )
    .await
    .unwrap();
    sqlx::raw_sql("CREATE TABLE users (name TEXT)")
        .execute(&mut other)
        .await
        .unwrap();
    let error = open().await.unwrap_err();
    assert!(error.to_string().contains("services, nodes"), "{error}");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let settings = settings(std::path::Path::new("/nonexistent"), &[]);
    let error = Store::open(&settings.database, settings.nodes.capacity_release_rate)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("/nonexistent/users.db"),
        "{error}"
    );
}

#[tokio::test]
async fn a_write_waits_for_the_lock_of_another_process() {
    let mut account = Account::new().await;
    account.log_in(1, 1, "").await.unwrap();
    account.tables.execute("BEGIN IMMEDIATE").await;
    let early = Duration::from_millis(100);
    let early = tokio::time::timeout(early, account.log_in_now(2, 2, "")).await;
    assert!(
        early.is_err(),
        "neither made nor refused while the lock is held"
    );
    account.tables.execute("ROLLBACK").await;
    assert_eq!(account.log_in_now(2, 2, "").await.unwrap().generation, 2);
}
