use crypto_jobs::{DescribeKeysRequest, JwtAlgorithm, KeyDescription, Secret};
use tokio::sync::OnceCell;

use crate::{clock::Arrival, failure::Failure, jobs::Crypto};

/// The private keys that JWTs are signed with. This tier can't tell what they are; a worker can, and is
/// asked once.
#[derive(Debug)]
pub(crate) struct KeyRing {
    keys: Vec<Secret>,
    described: OnceCell<Vec<KeyDescription>>,
}

impl KeyRing {
    /// The newest key is the last one.
    pub(crate) fn new(keys: Vec<Secret>) -> Self {
        Self {
            keys,
            described: OnceCell::new(),
        }
    }

    /// What may be known of the keys, in their order.
    pub(crate) async fn describe(
        &self,
        crypto: &Crypto,
        arrival: &Arrival,
    ) -> Result<&[KeyDescription], Failure> {
        if self.keys.is_empty() {
            return Ok(&[]);
        }
        let ask = || async {
            let request = DescribeKeysRequest {
                keys: self.keys.clone(),
            };
            crypto
                .describe_keys(&request, arrival)
                .await?
                .map_err(|unusable| {
                    tracing::error!(
                        number = unusable.index + 1,
                        "a file of secrets.jwt_key_files holds no key for EdDSA, ES256 or RS256"
                    );
                    Failure::Internal("a key for JWTs cannot be used")
                })
        };
        let described = self.described.get_or_try_init(ask).await?;
        Ok(described)
    }

    /// The newest key for `algorithm`.
    pub(crate) async fn newest(
        &self,
        algorithm: JwtAlgorithm,
        crypto: &Crypto,
        arrival: &Arrival,
    ) -> Result<Secret, Failure> {
        let described = self.describe(crypto, arrival).await?;
        let mut keys = self.keys.iter().zip(described).rev();
        let found = keys.find(|(_, description)| description.algorithm == algorithm);
        found.map(|(key, _)| key.clone()).ok_or_else(|| {
            tracing::error!(%algorithm, "no file of secrets.jwt_key_files holds a key for it");
            Failure::Internal("there is no key for an application's JWTs")
        })
    }
}
