use crate::{
    store::{
        Store, StoreError,
        database::{Value, transact},
        login::lock_account,
    },
    users::RETIRED,
};

impl Store {
    /// A deleted account: its records are marked, and no later login is newer. How many there were.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn retire_user(
        &self,
        service: i64,
        email: &str,
        now_ms: i64,
    ) -> Result<u64, StoreError> {
        let values = [
            Value::Int(now_ms),
            Value::Int(RETIRED),
            Value::Int(service),
            Value::Email(email),
        ];
        let retire = self.database.statements().retire;
        self.change_account(service, email, retire, &values).await
    }

    /// A changed password: logins that are older than `generation` are refused from now on. Numbers
    /// only rise. How many records there were.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn raise_generation(
        &self,
        service: i64,
        email: &str,
        generation: i64,
    ) -> Result<u64, StoreError> {
        let values = [
            Value::Int(generation),
            Value::Int(service),
            Value::Email(email),
            Value::Int(generation),
        ];
        let raise = self.database.statements().raise;
        self.change_account(service, email, raise, &values).await
    }

    /// Changes an account's record in use. How many rows that were.
    async fn change_account(
        &self,
        service: i64,
        email: &str,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        transact!(self.database, transaction => async {
            // A login that is replacing the record would leave the one that it makes as it was.
            lock_account(transaction, service, email).await?;
            transaction.execute(sql, values).await
        })
    }
}
