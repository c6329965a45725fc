//! What BrowserID's signed objects and JWTs have in common: three segments of base64url between dots.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// The segments of one JWS in compact form (RFC 7515, section 7.1), decoded. Of a JSON member that
/// occurs twice the last one counts; more than 128 levels of nesting are refused.
pub(crate) struct Compact<'a> {
    pub(crate) header: Map<String, Value>,
    pub(crate) payload: Map<String, Value>,
    /// The text that was signed: header and payload segments with the dot between them.
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// `None` for anything else.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        Some(Self {
            header: json_object(header)?,
            payload: json_object(payload)?,
            signed,
            signature: base64url(signature)?,
        })
    }
}

fn json_object(segment: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&base64url(segment)?).ok()
}

fn base64url(segment: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(segment).ok()
}
