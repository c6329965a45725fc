//! What the numbers that come with a login mean for the account's record. Pure rules: the store
//! brings the records and carries out the changes.
//!
//! An account has one record at a time. A record that is *replaced* stays for a while so that its data
//! can be removed from its node, and so that its client state is known as one that was given up.

mod history;
mod rules;

pub use history::{History, Record};
pub use rules::{Change, Claims, ClientStateFault, Refusal, change, settle};

/// The generation of an account that was deleted. No login is newer.
pub const RETIRED: i64 = i64::MAX;

/// What rises with every new key of a user's. Providers that know no change of keys still have the
/// generation rise with new keys.
#[must_use]
pub fn key_number(generation: i64, keys_changed_at: i64) -> i64 {
    match keys_changed_at {
        0 => generation,
        number => number,
    }
}
