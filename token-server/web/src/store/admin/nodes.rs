use crate::store::{
    Store, StoreError,
    database::{Value, transact},
};

/// How often users are taken off a node before the rest stays: to one that is open new ones may always come.
const PASSES: usize = 5;

/// What to change about a node; `None` leaves it as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeChange {
    /// Users it can hold.
    pub capacity: Option<i64>,
    /// Users it may take before places are released again.
    pub available: Option<i64>,
    /// Users it has.
    pub current_load: Option<i64>,
    /// Whether it is out of service: it takes nobody, and nobody's data there is removed.
    pub downed: Option<bool>,
    /// Whether it takes nobody new for a while.
    pub backoff: Option<bool>,
}

impl Store {
    /// Changes a node. Whether there is one of that URL.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn update_node(
        &self,
        service: i64,
        url: &str,
        change: &NodeChange,
    ) -> Result<bool, StoreError> {
        let values = [
            Value::MaybeInt(change.capacity),
            Value::MaybeInt(change.available),
            Value::MaybeInt(change.current_load),
            Value::MaybeInt(change.downed.map(i64::from)),
            Value::MaybeInt(change.backoff.map(i64::from)),
            Value::Int(service),
            Value::Text(url),
        ];
        let sql = self.database.statements().update_node;
        let changed = transact!(self.database, transaction => transaction.execute(sql, &values))?;
        Ok(changed > 0)
    }

    /// Takes all users off a node, and with `remove` the node out of the service. Its users get another
    /// node when they come next. How many there were; `None` when there is no such node. Nobody is left
    /// on a node that was closed before, whoever logs in meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn clear_node(
        &self,
        service: i64,
        url: &str,
        now_ms: i64,
        remove: bool,
    ) -> Result<Option<u64>, StoreError> {
        let node = [Value::Int(service), Value::Text(url)];
        let statements = self.database.statements();
        if !remove {
            // Who has taken a place there is waited for, and found below; who is about to take one finds
            // the node as it is now. To hold the lock for longer would keep new users waiting.
            let lock = statements.lock_node;
            transact!(self.database, transaction => transaction.rows::<(i64,)>(lock, &node))?;
        }
        transact!(self.database, transaction => async {
            let rows: Vec<(i64,)> = transaction.rows(statements.node, &node).await?;
            let Some((id,)) = rows.first().copied() else {
                return Ok(None);
            };
            if remove {
                // First, so that nobody is sent there meanwhile.
                let id = [Value::Int(id)];
                transaction.execute(statements.delete_node, &id).await?;
            }
            let users = [Value::Int(now_ms), Value::Int(id)];
            let mut cleared = 0;
            for _ in 0..PASSES {
                cleared += transaction.execute(statements.unassign, &users).await?;
                // A login that was waited for has left a record that was not there at the start.
                let left: Vec<(i64,)> = transaction.rows(statements.assigned, &users[1..]).await?;
                if left.is_empty() {
                    break;
                }
            }
            Ok(Some(cleared))
        })
    }
}
