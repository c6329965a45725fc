use crypto_jobs::{Jwk, MAX_JWT_KEYS, UnverifiedJwt};
use serde_json::Value;

/// Most keys that are kept of one set. Issuers publish two or three.
const MAX_KEYS: usize = 64;

/// The keys that an issuer publishes, as far as signatures can be verified with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySet(Vec<Jwk>);

impl KeySet {
    /// Reads a JWK Set. Members that are of no use here are passed over; a set without any that is
    /// useful is none.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let set: Value = serde_json::from_slice(bytes).map_err(|_| "is not JSON")?;
        let Some(keys) = set.get("keys").and_then(Value::as_array) else {
            return Err("has no list of keys");
        };
        let keys: Vec<Jwk> = keys
            .iter()
            .filter_map(Jwk::from_json)
            .take(MAX_KEYS)
            .collect();
        if keys.is_empty() {
            return Err("has no key to verify signatures with");
        }
        Ok(Self(keys))
    }

    /// The keys that may have signed `token`: those of its `kid` where both have one, and of its
    /// algorithm. Empty when the set has none.
    pub(super) fn select(&self, token: &UnverifiedJwt<'_>) -> Vec<Jwk> {
        let named = |key: &&Jwk| match (&key.kid, &token.kid) {
            (Some(own), Some(asked)) => own == asked,
            _ => true,
        };
        self.0
            .iter()
            .filter(named)
            .filter(|key| key.fits(token.algorithm))
            .take(MAX_JWT_KEYS)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header))
    }

    fn names(set: &KeySet, header: &str) -> Vec<Option<String>> {
        let token = token(header);
        let keys = set.select(&UnverifiedJwt::parse(&token).unwrap());
        keys.into_iter().map(|key| key.kid).collect()
    }

    #[test]
    fn a_kid_selects_its_key_and_those_without_one() {
        let set = br#"{"keys":[
            {"kty":"RSA","n":"AQ","e":"AQAB","kid":"a"},
            {"kty":"RSA","n":"AQ","e":"AQAB","kid":"b"},
            {"kty":"EC","crv":"P-256","x":"AQ","y":"AQ","kid":"c"},
            {"kty":"RSA","n":"AQ","e":"AQAB"},
            {"kty":"oct","k":"AQ"}, {"kty":"RSA"}, 7
        ]}"#;
        let set = KeySet::parse(set).unwrap();
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(
            names(&set, r#"{"alg":"RS256","kid":"b"}"#),
            [some("b"), None]
        );
        assert_eq!(names(&set, r#"{"alg":"ES256","kid":"c"}"#), [some("c")]);
        assert_eq!(names(&set, r#"{"alg":"ES256"}"#), [some("c")]);
        assert_eq!(
            names(&set, r#"{"alg":"PS256"}"#),
            [some("a"), some("b"), None]
        );
        assert!(names(&set, r#"{"alg":"ES384"}"#).is_empty());
    }

    #[test]
    fn what_holds_no_key_is_no_set() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"keys":{}}"#,
            r#"{"keys":[]}"#,
            r#"{"keys":[{"kty":"oct"}]}"#,
        ] {
            assert!(KeySet::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
