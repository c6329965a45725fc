use crypto_jobs::{MAX_KEY_DIGITS, PublicKey, SignatureAlgorithm};
use num_bigint::BigUint;

use super::{dsa, rsa};

/// A public key whose numbers have been parsed and bounded, ready to verify.
#[derive(Debug)]
pub(super) enum VerifyingKey {
    Rsa(rsa::Key),
    Dsa(dsa::Key),
}

impl VerifyingKey {
    /// `None` when a number is not written as prescribed, or the key has none of the sizes that
    /// BrowserID names.
    pub(super) fn parse(key: &PublicKey) -> Option<Self> {
        match key {
            PublicKey::Rsa { n, e } => rsa::Key::new(number(n, 10)?, number(e, 10)?).map(Self::Rsa),
            PublicKey::Dsa { y, p, q, g } => {
                let hex = |text| number(text, 16);
                dsa::Key::new(&hex(y)?, &hex(p)?, &hex(q)?, &hex(g)?).map(Self::Dsa)
            }
        }
    }

    pub(super) fn algorithm(&self) -> SignatureAlgorithm {
        match self {
            Self::Rsa(key) => key.algorithm(),
            Self::Dsa(key) => key.algorithm(),
        }
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(key) => key.verify(message, signature),
            Self::Dsa(key) => key.verify(message, signature),
        }
    }
}

/// Digits only: the parser underneath would also take a sign and underscores.
fn number(text: &str, radix: u32) -> Option<BigUint> {
    let digits = !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    if !digits || text.len() > MAX_KEY_DIGITS {
        return None;
    }
    BigUint::parse_bytes(text.as_bytes(), radix)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_plain_digits_of_bounded_length() {
        assert_eq!(number("0", 10), Some(0_u32.into()));
        assert_eq!(number("00ff", 16), Some(255_u32.into()));
        for (text, radix) in [
            ("", 10),
            ("+1", 10),
            ("-1", 10),
            ("1_0", 10),
            (" 1", 10),
            ("ff", 10),
            ("0xff", 16),
        ] {
            assert_eq!(number(text, radix), None, "{text:?}");
        }
        assert_eq!(number("\u{663}", 10), None);
        assert_eq!(number(&"1".repeat(641), 10), None);
    }
}
