//! Nodes: which one takes a new user.

use super::{
    Store, StoreError,
    database::{Transaction, Value, transact},
};
use crate::settings::Share;

/// How often places are released before giving up: every release may open only nodes that back off.
const RELEASES: usize = 5;

/// How often a node is picked before giving up: it may be full or closed by the time a place is taken.
const PICKS: usize = 20;

/// A node to add.
#[derive(Clone, Debug, Default)]
pub struct NewNode {
    /// Its URL, without a slash at the end.
    pub url: String,
    /// Users it can hold.
    pub capacity: i64,
    /// Users it may take before places are released again.
    pub available: i64,
    /// Users it has already.
    pub current_load: i64,
    /// Whether it is out of service.
    pub downed: bool,
    /// Whether it takes nobody new for a while.
    pub backoff: bool,
}

impl Store {
    /// The URLs of a service's nodes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn node_urls(&self, service: i64) -> Result<Vec<String>, StoreError> {
        let sql = self.database.statements().node_urls;
        let rows: Vec<(String,)> = self.database.rows(sql, &[Value::Int(service)]).await?;
        Ok(rows.into_iter().map(|(url,)| url).collect())
    }

    /// Adds a node to a service. The node's number.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the service has a node of that URL already, or the database fails. Should the
    /// connection break just when the node is in, it is there already for the next attempt.
    pub async fn add_node(&self, service: i64, node: &NewNode) -> Result<i64, StoreError> {
        transact!(self.database, transaction => insert(transaction, service, node))
    }
}

/// Adds a node to a service: its number.
pub(super) async fn insert(
    transaction: &mut Transaction,
    service: i64,
    node: &NewNode,
) -> Result<i64, StoreError> {
    let values = [
        Value::Int(service),
        Value::Text(&node.url),
        Value::Int(node.available),
        Value::Int(node.current_load),
        Value::Int(node.capacity),
        Value::Int(i64::from(node.downed)),
        Value::Int(i64::from(node.backoff)),
    ];
    let sql = transaction.statements().add_node;
    transaction.insert(sql, &values).await.map_err(|error| {
        if error.is_duplicate() {
            StoreError::NodeExists(node.url.clone())
        } else {
            error
        }
    })
}

/// Takes a place at the best node: its number and URL.
pub(super) async fn allocate(
    transaction: &mut Transaction,
    service: i64,
    release_rate: Share,
) -> Result<(i64, String), StoreError> {
    let statements = transaction.statements();
    let mut releases = 0;
    let mut is_full = false;
    for _ in 0..PICKS {
        let best: Vec<(i64, String)> = transaction
            .rows(statements.best_node, &[Value::Int(service)])
            .await?;
        if let Some((id, url)) = best.into_iter().next() {
            let occupied = transaction
                .execute(statements.occupy, &[Value::Int(id)])
                .await?;
            if occupied > 0 {
                return Ok((id, url));
            }
            // Its last places were taken, or it was closed, since it was picked.
            continue;
        }
        if is_full {
            break;
        }
        let values = [Value::Real(release_rate.get()), Value::Int(service)];
        let released = transaction.execute(statements.release, &values).await?;
        releases += 1;
        // Nothing was left to release, perhaps since others have just done it: one more look is due.
        is_full = released == 0 || releases == RELEASES;
    }
    Err(StoreError::NoNode)
}
