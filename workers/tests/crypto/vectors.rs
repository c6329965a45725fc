//! The shared vectors, and the little of a web tier that resolves their issuers.

use std::{collections::HashMap, fs, path::Path};

use crypto_jobs::{IssuerFinding, PublicKey};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Longest chain of delegations that is followed, as in PyBrowserID.
const MAX_DELEGATIONS: usize = 6;

pub(crate) fn load<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/vectors")
        .join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[derive(Deserialize)]
pub(crate) struct Assertions {
    documents: HashMap<String, Document>,
    pub(crate) keys: HashMap<String, HashMap<String, Value>>,
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Document {
    status: u16,
    content_type: String,
    body: Value,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) assertion: String,
    pub(crate) expected_audience: String,
    pub(crate) trusted_issuers: Option<Vec<String>>,
    pub(crate) allowed_issuers: Option<Vec<String>>,
    pub(crate) now_ms: Option<u64>,
    pub(crate) expect: String,
    pub(crate) expect_http: Option<ExpectHttp>,
    pub(crate) result: Option<Expected>,
}

#[derive(Deserialize)]
pub(crate) struct ExpectHttp {
    pub(crate) status_string: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Expected {
    pub(crate) email: String,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    #[serde(default)]
    pub(crate) idp_claims: Map<String, Value>,
    #[serde(default)]
    pub(crate) user_claims: Map<String, Value>,
}

impl Assertions {
    pub(crate) fn load() -> Self {
        load("browserid_assertions.json")
    }

    pub(crate) fn case(&self, id: &str) -> &Case {
        self.cases
            .iter()
            .find(|case| case.id == id)
            .unwrap_or_else(|| panic!("no case {id}"))
    }

    /// What a web tier would find out about `issuer` for an address at `email_host`.
    pub(crate) fn find(&self, issuer: &str, email_host: &str, trusted: &[String]) -> IssuerFinding {
        let authority_reaches_issuer = || {
            let mut host = email_host;
            for _ in 0..MAX_DELEGATIONS {
                match self
                    .document(host)
                    .and_then(|document| document["authority"].as_str())
                {
                    Some(authority) if authority == issuer => return true,
                    Some(authority) => host = authority,
                    None => return false,
                }
            }
            false
        };
        let may_vouch = issuer == email_host
            || trusted.iter().any(|host| host == issuer)
            || authority_reaches_issuer();
        if !may_vouch {
            return IssuerFinding::Untrusted;
        }
        let key = self
            .document(issuer)
            .and_then(|document| document.get("public-key"));
        match key.map(|key| serde_json::from_value::<PublicKey>(key.clone())) {
            Some(Ok(key)) => IssuerFinding::Known { keys: vec![key] },
            _ => IssuerFinding::Unusable,
        }
    }

    fn document(&self, host: &str) -> Option<&Value> {
        let document = self.documents.get(host)?;
        let fine = document.status == 200
            && document.content_type.starts_with("application/json")
            && document.body.is_object();
        fine.then_some(&document.body)
    }
}
