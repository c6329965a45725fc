//! The shared vectors, and the little of a web tier that resolves their issuers.

use std::{collections::HashMap, fs, path::Path};

use crypto_jobs::{
    IssuerFinding, PublicKey, Rejection, SignatureAlgorithm, VerifiedAssertion, VerifyRequest, peek,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Longest chain of delegations that is followed, as in PyBrowserID.
const MAX_DELEGATIONS: usize = 6;

/// Some time in 2027; cases without a clock of their own hold from 2026 to 2099.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

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
    result: Option<Expected>,
}

#[derive(Deserialize)]
pub(crate) struct ExpectHttp {
    pub(crate) status_string: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    email: String,
    issuer: String,
    audience: String,
    #[serde(default)]
    idp_claims: Map<String, Value>,
    #[serde(default)]
    user_claims: Map<String, Value>,
}

impl Case {
    /// The peers have read the same in an assertion that is accepted.
    pub(crate) fn assert_read(&self, verified: &VerifiedAssertion) {
        let expected = self.result.as_ref().unwrap();
        assert_eq!(verified.email, expected.email, "{}", self.id);
        assert_eq!(verified.issuer, expected.issuer, "{}", self.id);
        assert_eq!(verified.audience, expected.audience, "{}", self.id);
        assert_eq!(verified.idp_claims, expected.idp_claims, "{}", self.id);
        assert_eq!(verified.user_claims, expected.user_claims, "{}", self.id);
    }
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

    pub(crate) fn accepted(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(|case| case.expect == "accept")
    }

    /// The job that a web tier makes of a case, or its own reason for making none.
    pub(crate) fn request(&self, case: &Case) -> Result<VerifyRequest, Rejection> {
        let now_ms = case.now_ms.unwrap_or(NOW_MS);
        let peek = peek(&case.assertion, [case.expected_audience.as_str()], now_ms)?;
        let trusted = case.trusted_issuers.as_deref().unwrap_or_default();
        Ok(VerifyRequest {
            assertion: case.assertion.clone(),
            audience: case.expected_audience.clone(),
            now_ms,
            algorithms: SignatureAlgorithm::ALL.into(),
            issuer: self.find(&peek.issuer, &peek.email_host, trusted),
        })
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
