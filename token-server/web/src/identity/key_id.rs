//! `X-KeyID`: what Bearer tokens don't say about the client's key.

use axum::http::{HeaderMap, HeaderName};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::Identity;
use crate::{client_state::ClientState, failure::Failure};

const X_KEY_ID: HeaderName = HeaderName::from_static("x-keyid");

/// base64url, with padding or without.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Completes a Bearer token's identity with its key: from `X-KeyID`, or else from `X-Client-State`.
pub(super) fn apply(
    identity: &mut Identity,
    headers: &HeaderMap,
    client_state: ClientState,
) -> Result<(), Failure> {
    let Some(value) = headers.get(X_KEY_ID) else {
        identity.client_state = client_state;
        return Ok(());
    };
    let (keys_changed_at, state) = parse(value.as_bytes()).ok_or(Failure::KeyId)?;
    let state = ClientState::from_bytes(&state)?;
    if !client_state.as_str().is_empty() && client_state != state {
        return Err(Failure::ClientStateMismatch);
    }
    identity.keys_changed_at = keys_changed_at;
    identity.client_state = state;
    Ok(())
}

/// `<number>-<base64url>`: when the keys changed, and the name of the key.
fn parse(value: &[u8]) -> Option<(i64, Vec<u8>)> {
    let (number, state) = std::str::from_utf8(value).ok()?.split_once('-')?;
    // The separator leaves no negative ones.
    Some((number.trim().parse().ok()?, BASE64URL.decode(state).ok()?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    #[test]
    fn key_ids_are_read_as_the_vectors_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/misc.json");
        let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let cases = vectors["x_keyid"].as_array().unwrap();
        assert!(cases.len() >= 9);
        for case in cases {
            let text = case["x_keyid"].as_str().unwrap();
            let expected = &case["python"];
            let Some((number, state)) = parse(text.as_bytes()) else {
                assert!(expected["error"].is_string(), "{text}");
                continue;
            };
            assert_eq!(expected["keys_changed_at"], number, "{text}");
            match ClientState::from_bytes(&state) {
                Ok(state) => assert_eq!(expected["client_state"], state.as_str(), "{text}"),
                Err(_) => assert_eq!(expected["length_ok"], false, "{text}"),
            }
        }
    }

    #[test]
    fn numbers_may_be_padded() {
        for text in ["+7-qqo", " 7-qqo", "007-qqo=", "7-qqo="] {
            assert_eq!(
                parse(text.as_bytes()),
                Some((7, vec![0xaa, 0xaa])),
                "{text}"
            );
        }
        for text in [
            "-7-qqo",
            "7.0-qqo",
            "99999999999999999999-qqo",
            "\u{667}-qqo",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
