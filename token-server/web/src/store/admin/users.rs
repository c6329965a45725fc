use crate::{
    store::{
        Login, Service, Store, StoreError, User,
        database::{Transaction, Value, transact},
        login, nodes,
    },
    users::{Claims, Record},
};

impl Store {
    /// How many accounts have a record in use that was made by `until_ms`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn count_users(&self, service: i64, until_ms: i64) -> Result<i64, StoreError> {
        let values = [Value::Int(service), Value::Int(until_ms)];
        let sql = self.database.statements().count_users;
        let rows: Vec<(i64,)> = self.database.rows(sql, &values).await?;
        Ok(rows.first().map_or(0, |(count,)| *count))
    }

    /// Gives an account a place at `node`, or else at the best one. A known account is moved there: it
    /// keeps its past and gets a new uid. One that is at that node already stays as it is.
    ///
    /// `None` when there is no such node.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails or no node has room.
    pub async fn allocate_user(
        &self,
        service: &Service,
        email: &str,
        node: Option<&str>,
        now_ms: i64,
    ) -> Result<Option<User>, StoreError> {
        let login = Login {
            service,
            email,
            claims: Claims {
                generation: 0,
                keys_changed_at: 0,
                client_state: "",
            },
            now_ms,
            allow_new: true,
        };
        transact!(self.database, transaction => self.allocate(transaction, &login, node))
    }

    async fn allocate(
        &self,
        transaction: &mut Transaction,
        login: &Login<'_>,
        node: Option<&str>,
    ) -> Result<Option<User>, StoreError> {
        let statements = transaction.statements();
        let history = login::locked_history(transaction, login).await?;
        let service = login.service.id;
        let place = match node {
            Some(url) => {
                let values = [Value::Int(service), Value::Text(url)];
                let rows: Vec<(i64,)> = transaction.rows(statements.node, &values).await?;
                let Some((id,)) = rows.first().copied() else {
                    return Ok(None);
                };
                if let Some(history) = &history
                    && history.current.replaced_at.is_none()
                    && history
                        .current
                        .node
                        .as_ref()
                        .is_some_and(|(own, _)| *own == id)
                {
                    return User::from_record(history.current.clone()).map(Some);
                }
                let id_value = [Value::Int(id)];
                transaction.execute(statements.place, &id_value).await?;
                (id, url.to_owned())
            }
            None => nodes::allocate(transaction, service, self.release_rate).await?,
        };
        let record = match history {
            Some(history) => {
                let moved = Record {
                    node: Some(place),
                    created_at: login::later_than(&history.current, login.now_ms),
                    replaced_at: None,
                    ..history.current
                };
                login::replace(transaction, login, moved).await?
            }
            None => {
                let fresh = Record {
                    uid: 0,
                    node: Some(place),
                    generation: 0,
                    keys_changed_at: 0,
                    client_state: String::new(),
                    created_at: login.now_ms,
                    replaced_at: None,
                };
                login::insert(transaction, login, fresh).await?
            }
        };
        User::from_record(record).map(Some)
    }
}
