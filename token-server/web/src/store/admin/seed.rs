use crate::store::{
    NewNode, Store, StoreError,
    database::{Transaction, Value, transact},
    nodes,
};

/// What came of giving a service its first node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// It had none, and has this one now.
    Added,
    /// It had this one already.
    Known,
    /// It has others, and they are all that it has.
    HasOthers,
}

impl Store {
    /// Gives a service its first node, and its row in the table of services where that is missing. Of
    /// several servers that do so at once, one does.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn seed(
        &self,
        service: &str,
        pattern: &str,
        node: &NewNode,
    ) -> Result<Seeded, StoreError> {
        transact!(self.database, transaction => seed(transaction, service, pattern, node))
    }
}

async fn seed(
    transaction: &mut Transaction,
    service: &str,
    pattern: &str,
    node: &NewNode,
) -> Result<Seeded, StoreError> {
    let statements = transaction.statements();
    let id = match number(transaction, service).await? {
        Some(id) => id,
        None => {
            let values = [Value::Text(service), Value::Text(pattern)];
            transaction.execute(statements.add_service, &values).await?;
            let id = number(transaction, service).await?;
            id.ok_or(StoreError::Unexpected(sqlx::Error::RowNotFound))?
        }
    };
    if let Some(lock) = statements.lock_nodes {
        transaction.execute(lock, &[Value::Int(id)]).await?;
    }
    let values = [Value::Int(id), Value::Text(&node.url)];
    let known: Vec<(i64,)> = transaction.rows(statements.node, &values).await?;
    let all: Vec<(i64,)> = transaction
        .rows(statements.count_nodes, &[Value::Int(id)])
        .await?;
    match (known.is_empty(), all.first()) {
        (false, _) => Ok(Seeded::Known),
        (true, Some((0,))) => {
            nodes::insert(transaction, id, node).await?;
            Ok(Seeded::Added)
        }
        (true, _) => Ok(Seeded::HasOthers),
    }
}

async fn number(transaction: &mut Transaction, service: &str) -> Result<Option<i64>, StoreError> {
    let sql = transaction.statements().service;
    let rows: Vec<(i64, String)> = transaction.rows(sql, &[Value::Text(service)]).await?;
    Ok(rows.first().map(|(id, _)| *id))
}
