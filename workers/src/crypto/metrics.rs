//! Hashes that tell users and devices apart in logs without naming them.

use crypto_jobs::Metrics;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Hexadecimal digits that are kept of a hash.
const DIGITS: usize = 32;

/// The hashes of one user at one device, 32 hexadecimal digits each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// Of the account.
    pub fxa_uid: String,
    /// Of the device, and of the account it belongs to.
    pub device_id: String,
}

/// Hashes what `metrics` holds. An unknown device is hashed as the word `none`.
#[must_use]
pub fn hash(metrics: &Metrics) -> Hashes {
    let key = metrics.secret.expose();
    let fxa_uid = keyed_hash(key, &[metrics.fxa_uid.as_bytes()]);
    let device = metrics
        .device_id
        .as_deref()
        .filter(|id| !id.is_empty())
        .unwrap_or("none");
    let device_id = keyed_hash(key, &[fxa_uid.as_bytes(), device.as_bytes()]);
    Hashes { fxa_uid, device_id }
}

fn keyed_hash(key: &[u8], parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    let mut digits = hex(&mac.finalize().into_bytes());
    digits.truncate(DIGITS);
    digits
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            write!(text, "{byte:02x}").expect("strings can always be written to");
            text
        })
}
