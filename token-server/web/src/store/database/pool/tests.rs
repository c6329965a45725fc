use sqlx::{Connection, Sqlite, sqlite::SqlitePoolOptions};

use super::{super::lease::within, *};

/// Longer than anything takes here unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

async fn pool() -> Pool<Sqlite> {
    let options = SqlitePoolOptions::new().max_connections(1);
    let pool = options.connect("sqlite::memory:").await.unwrap();
    Pool::new(pool, PATIENCE, None)
}

/// Connections between two pieces of work, and those that sqlx's pool has back.
fn whereabouts(pool: &Pool<Sqlite>) -> (usize, usize) {
    let spares = pool.shared.spares().idle.len();
    (spares, pool.shared.pool.num_idle())
}

async fn until(pool: &Pool<Sqlite>, expected: (usize, usize)) {
    let reached = async {
        while whereabouts(pool) != expected {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = timeout(PATIENCE, reached).await;
    waited.unwrap_or_else(|_| panic!("{:?}", whereabouts(pool)));
}

async fn ask(lease: &mut Lease<Sqlite>, sql: &'static str) -> Result<(), StoreError> {
    within!(lease, connection => sqlx::query(sql).execute(connection)).map(drop)
}

#[tokio::test]
async fn a_connection_goes_to_whoever_comes_next_and_back_after_a_while() {
    let pool = pool().await;
    ask(
        &mut pool.lease().await.unwrap(),
        "CREATE TEMP TABLE mark (x)",
    )
    .await
    .unwrap();
    assert_eq!(whereabouts(&pool), (1, 0));
    let mut same = pool.lease().await.unwrap();
    assert_eq!(whereabouts(&pool), (0, 0));
    ask(&mut same, "SELECT x FROM mark").await.unwrap();
    drop(same);
    until(&pool, (0, 1)).await;
    let again = pool.lease().await.unwrap();
    drop(again);
    assert_eq!(whereabouts(&pool), (1, 0), "its time begins anew");
    until(&pool, (0, 1)).await;
}

#[tokio::test]
async fn a_connection_whose_database_complained_is_asked_whether_it_lives() {
    let pool = pool().await;
    let mut lease = pool.lease().await.unwrap();
    let complaint = ask(&mut lease, "SELECT x FROM nowhere").await;
    assert!(complaint.is_err());
    ask(&mut lease, "SELECT 1").await.unwrap();
    drop(lease);
    assert_eq!(whereabouts(&pool).0, 0, "nobody gets it unasked");
    until(&pool, (0, 1)).await;
}

#[tokio::test]
async fn a_connection_with_work_begun_is_closed() {
    for owes in [true, false] {
        let pool = pool().await;
        let mut lease = pool.lease().await.unwrap();
        if owes {
            let (_, connection) = lease.work();
            connection.ping().await.unwrap();
        } else {
            lease.set_in_transaction(true);
        }
        drop(lease);
        assert_eq!(whereabouts(&pool), (0, 0));
        assert_eq!(pool.shared.pool.size(), 0);
        // There is a place for another one.
        ask(&mut pool.lease().await.unwrap(), "SELECT 1")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_closed_pool_keeps_and_lends_nothing() {
    let pool = pool().await;
    let lease = pool.lease().await.unwrap();
    let shared = Arc::clone(&pool.shared);
    let closing = tokio::spawn(async move { pool.close().await });
    while !shared.places.is_closed() {
        sleep(Duration::from_millis(1)).await;
    }
    drop(lease);
    closing.await.unwrap();
    let pool = Pool { shared };
    assert!(pool.shared.spares().idle.is_empty());
    assert_eq!(pool.shared.pool.size(), 0);
    assert!(matches!(
        pool.lease().await,
        Err(StoreError::Unavailable(_))
    ));
}
