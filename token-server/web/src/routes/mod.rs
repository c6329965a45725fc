pub(crate) mod discovery;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod jwks;
pub(crate) mod token;
