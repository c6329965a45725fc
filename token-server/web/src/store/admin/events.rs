use crate::{
    store::{Store, StoreError, database::Value},
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
        let mut transaction = self.database.begin().await?;
        let sql = transaction.statements().retire;
        let retired = transaction.execute(sql, &values).await?;
        transaction.commit().await?;
        Ok(retired)
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
        let mut transaction = self.database.begin().await?;
        let sql = transaction.statements().raise;
        let raised = transaction.execute(sql, &values).await?;
        transaction.commit().await?;
        Ok(raised)
    }
}
