use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Longest client state, in characters.
const MAX_CHARS: usize = 32;

/// The name of a client's encryption key: up to 16 bytes, which clients write in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientState {
    text: String,
    bytes: Vec<u8>,
}

/// The text is no client state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client state has at most 16 bytes, in hexadecimal")]
pub(crate) struct InvalidClientState;

impl ClientState {
    /// Reads the value of an `X-Client-State` header. An empty one is as good as none.
    ///
    /// # Errors
    ///
    /// [`InvalidClientState`] when it is too long or isn't hexadecimal. Older servers let other
    /// letters pass here, only to fail when they made the token.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, InvalidClientState> {
        if text.len() > MAX_CHARS || !text.len().is_multiple_of(2) {
            return Err(InvalidClientState);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let bytes = text
            .chunks_exact(2)
            .map(|pair| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok())
            .collect::<Option<Vec<u8>>>()
            .ok_or(InvalidClientState)?;
        Ok(Self {
            text: text.iter().copied().map(char::from).collect(),
            bytes,
        })
    }

    /// A client state that came as bytes: 1 to 16 of them, written in lower case.
    ///
    /// # Errors
    ///
    /// [`InvalidClientState`] when there are none, or too many.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidClientState> {
        if bytes.is_empty() || bytes.len() > MAX_CHARS / 2 {
            return Err(InvalidClientState);
        }
        Ok(Self {
            text: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            bytes: bytes.to_vec(),
        })
    }

    /// The text as the client wrote it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The identifier of the key: a number that rises with every new key, and its name.
    pub(crate) fn key_id(&self, number: i64) -> String {
        format!("{number:013}-{}", URL_SAFE_NO_PAD.encode(&self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::Value;

    use super::{ClientState, InvalidClientState};

    #[test]
    fn key_ids_pad_the_number_and_encode_the_bytes() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/misc.json");
        let vectors: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let cases = vectors["fxa_kid"].as_array().unwrap();
        assert_eq!(cases.len(), 5);
        for case in cases {
            let state = case["client_state_hex"].as_str().unwrap();
            let state = ClientState::parse(state.as_bytes()).unwrap();
            let number = case["keys_changed_at"].as_i64().unwrap();
            assert_eq!(state.key_id(number), case["fxa_kid"]);
        }
    }

    #[test]
    fn the_text_is_kept_as_written() {
        let state = ClientState::parse(b"AAbb").unwrap();
        assert_eq!(state.as_str(), "AAbb");
    }

    #[test]
    fn anything_but_sixteen_bytes_of_hexadecimal_is_refused() {
        for bad in [
            &b"state!"[..],
            b"abc",
            b"zz",
            b"a_",
            &[b'a'; 34],
            b"\xff\xff",
        ] {
            assert_eq!(ClientState::parse(bad), Err(InvalidClientState));
        }
        assert!(ClientState::parse(&[b'a'; 32]).is_ok());
    }
}
