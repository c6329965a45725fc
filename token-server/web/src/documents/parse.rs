use crypto_jobs::{MAX_ISSUER_KEYS, PublicKey};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A support document, as far as this server needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SupportDocument {
    /// The host signs for its addresses with one of these keys; at least one, at most
    /// [`MAX_ISSUER_KEYS`].
    Issuer(Vec<PublicKey>),
    /// Another host signs for this one's addresses.
    Delegated(String),
    /// The host has switched BrowserID off.
    Disabled,
}

impl SupportDocument {
    /// Reads a document. `disabled` counts before `authority`, and that before keys.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let document: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|_| "is not a JSON object")?;
        match document.get("disabled") {
            Some(Value::Bool(true)) => return Ok(Self::Disabled),
            Some(Value::Bool(false)) | None => {}
            Some(_) => return Err("has a 'disabled' that is neither true nor false"),
        }
        match document.get("authority") {
            Some(Value::String(host)) if crypto_jobs::is_host(host) => {
                return Ok(Self::Delegated(host.clone()));
            }
            Some(_) => return Err("has an 'authority' that is not a host"),
            None => {}
        }
        for path in ["authentication", "provisioning"] {
            match document.get(path) {
                Some(Value::String(text)) if text.starts_with('/') => {}
                _ => return Err("lacks the path of 'authentication' or 'provisioning'"),
            }
        }
        let listed = document.get("keys").and_then(Value::as_array);
        let keys: Vec<PublicKey> = document
            .get("public-key")
            .into_iter()
            .chain(listed.into_iter().flatten().filter(|key| may_sign(key)))
            // A key in a notation that BrowserID doesn't have, or one that is too long for a job, must not
            // spoil the others.
            .filter_map(|key| PublicKey::deserialize(key).ok())
            .filter(PublicKey::is_bounded)
            .take(MAX_ISSUER_KEYS)
            .collect();
        if keys.is_empty() {
            return Err("has no key");
        }
        Ok(Self::Issuer(keys))
    }
}

fn may_sign(key: &Value) -> bool {
    matches!(key.get("use").map(Value::as_str), None | Some(Some("sig")))
}

#[cfg(test)]
mod tests {
    use crypto_jobs::MAX_KEY_DIGITS;

    use super::SupportDocument;

    const KEY: &str = r#"{"algorithm":"RS","n":"15","e":"3"}"#;

    fn parse(text: &str) -> Result<SupportDocument, &'static str> {
        SupportDocument::parse(text.as_bytes())
    }

    fn issuer(members: &str) -> Result<SupportDocument, &'static str> {
        parse(&format!(
            r#"{{"authentication":"/in","provisioning":"/cert",{members}}}"#
        ))
    }

    #[test]
    fn a_document_with_a_key_and_both_paths_makes_an_issuer() {
        let Ok(SupportDocument::Issuer(keys)) = issuer(&format!(r#""public-key":{KEY}"#)) else {
            panic!("a complete document");
        };
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn keys_meant_for_encryption_or_in_a_foreign_notation_are_left_out() {
        let foreign = r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#;
        let encryption = r#"{"algorithm":"RS","n":"21","e":"3","use":"enc"}"#;
        let signing = r#"{"algorithm":"RS","n":"35","e":"3","use":"sig"}"#;
        let document = issuer(&format!(
            r#""public-key":{KEY},"keys":[{foreign},{encryption},{signing}]"#
        ));
        let Ok(SupportDocument::Issuer(keys)) = document else {
            panic!("two keys are good");
        };
        assert_eq!(keys.len(), 2);
    }

    #[test]
    fn numbers_too_long_for_any_key_make_none() {
        for (digits, is_key) in [(MAX_KEY_DIGITS, true), (MAX_KEY_DIGITS + 1, false)] {
            let number = "7".repeat(digits);
            for key in [
                format!(r#"{{"algorithm":"RS","n":"{number}","e":"3"}}"#),
                format!(r#"{{"algorithm":"RS","n":"3","e":"{number}"}}"#),
                format!(r#"{{"algorithm":"DS","y":"3","p":"3","q":"3","g":"{number}"}}"#),
            ] {
                assert_eq!(issuer(&format!(r#""public-key":{key}"#)).is_ok(), is_key);
            }
        }
    }

    #[test]
    fn a_document_without_a_key_or_path_is_refused() {
        assert!(issuer(r#""keys":[]"#).is_err());
        assert!(parse(&format!(r#"{{"public-key":{KEY}}}"#)).is_err());
        let relative = r#""provisioning":"cert""#;
        assert!(issuer(&format!(r#""public-key":{KEY},{relative}"#)).is_err());
    }

    #[test]
    fn disabled_must_be_a_boolean() {
        assert_eq!(
            parse(r#"{"disabled":true,"authority":"a.test"}"#),
            Ok(SupportDocument::Disabled)
        );
        assert!(parse(r#"{"disabled":"true"}"#).is_err());
        assert!(parse(r#"{"disabled":0}"#).is_err());
        assert!(issuer(&format!(r#""disabled":false,"public-key":{KEY}"#)).is_ok());
    }

    #[test]
    fn an_authority_must_be_a_bare_host() {
        assert_eq!(
            parse(r#"{"authority":"id.example.test:8443"}"#),
            Ok(SupportDocument::Delegated(
                "id.example.test:8443".to_owned()
            ))
        );
        for bad in [
            "https://id.test",
            "id.test/path",
            "user@id.test",
            "ID.test",
            "",
        ] {
            let document = serde_json::json!({ "authority": bad }).to_string();
            assert!(parse(&document).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        for bad in ["", "I AM NOT { JSON", "[]", "null", "{\"a\":1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
