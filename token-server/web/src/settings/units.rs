//! Values that are written with more than a number: durations, hosts, URLs, secrets.

use std::{fmt, str::FromStr, time::Duration};

use crypto_jobs::Secret;
use serde::{Deserialize, Deserializer, de};

use super::one_or_more::OneOrMore;

/// Reads a duration that is written with its unit, such as `"5m"` or `"1h 30m"`. Zero is refused: no
/// setting of this server means anything with it.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct WithUnit;

    impl de::Visitor<'_> for WithUnit {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration with its unit, such as \"5m\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            match humantime::parse_duration(text) {
                Ok(Duration::ZERO) => Err(E::custom("must be longer than zero")),
                Ok(duration) => Ok(duration),
                Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
            }
        }
    }

    deserializer.deserialize_any(WithUnit)
}

/// A secret as it may be written in a file or variable. Its errors never quote it.
pub(super) struct WrittenSecret(pub(super) Secret);

impl<'de> Deserialize<'de> for WrittenSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Text {
            fn refuse<E: de::Error>() -> Result<WrittenSecret, E> {
                Err(E::custom("must be text; put it between quotes"))
            }
        }

        impl de::Visitor<'_> for Text {
            type Value = WrittenSecret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<WrittenSecret, E> {
                Ok(WrittenSecret(Secret::from(text)))
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<WrittenSecret, E> {
                Self::refuse()
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<WrittenSecret, E> {
                Self::refuse()
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<WrittenSecret, E> {
                Self::refuse()
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<WrittenSecret, E> {
                Self::refuse()
            }
        }

        deserializer.deserialize_any(Text)
    }
}

/// The origin that assertions must be made for, such as `https://token.example.org`: scheme, host,
/// and the port where it isn't the scheme's own; no path, no trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Audience(String);

impl Audience {
    /// The origin as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Audience {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // Assertions are compared with it literally, so only the one spelling that clients use will do.
        match reqwest::Url::parse(&text) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https")
                    && url.origin().ascii_serialization() == text =>
            {
                Ok(Self(text))
            }
            _ => Err(format!(
                "{text:?} is not an origin such as \"https://token.example.org\""
            )),
        }
    }
}

pub(super) fn audiences<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Audience>, D::Error> {
    let OneOrMore(audiences) = OneOrMore::deserialize(deserializer)?;
    if audiences.is_empty() {
        return Err(de::Error::custom(
            "is empty, so no assertion could be accepted",
        ));
    }
    Ok(audiences)
}

/// Where support documents are asked for instead of at their hosts: `http://host:port`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Gateway(reqwest::Url);

impl Gateway {
    /// The gateway's root.
    #[must_use]
    pub fn url(&self) -> &reqwest::Url {
        &self.0
    }
}

impl FromStr for Gateway {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match reqwest::Url::parse(text) {
            Ok(url)
                if url.scheme() == "http"
                    && url.path() == "/"
                    && url.query().is_none()
                    && url.fragment().is_none()
                    && url.username().is_empty()
                    && url.password().is_none() =>
            {
                Ok(Self(url))
            }
            _ => Err(format!("{text:?} is not of the form \"http://host:port\"")),
        }
    }
}

impl TryFrom<String> for Gateway {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// The address of a server that is asked for something: `https://host/path`, or `http://` where that is
/// meant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HttpUrl(reqwest::Url);

impl HttpUrl {
    /// The address.
    #[must_use]
    pub fn url(&self) -> &reqwest::Url {
        &self.0
    }

    /// The address with a path added to its own.
    #[must_use]
    pub fn join(&self, path: &str) -> reqwest::Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        url
    }
}

impl TryFrom<String> for HttpUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match reqwest::Url::parse(&text) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https")
                    && url.has_host()
                    && url.query().is_none()
                    && url.fragment().is_none()
                    && url.username().is_empty()
                    && url.password().is_none() =>
            {
                Ok(Self(url))
            }
            _ => Err("must be an address such as \"https://idp.example.org/keys\"".to_owned()),
        }
    }
}

/// The host of an issuer, as it stands in certificates: lower-case `host` or `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct IssuerHost(String);

impl IssuerHost {
    /// The host as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IssuerHost {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if crypto_jobs::is_host(&text) {
            Ok(Self(text))
        } else {
            Err(format!(
                "{text:?} is not a lower-case host such as \"accounts.example.org\""
            ))
        }
    }
}

/// A node's URL as the table of nodes has it: without a slash at its end, and no longer than its column.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NodeUrl(String);

impl NodeUrl {
    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const MAX_CHARS: usize = 64;
        let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("must begin with https:// or http://".to_owned());
        }
        if text.ends_with('/') {
            return Err("must not end with a slash: endpoints are made by adding to it".to_owned());
        }
        if text.chars().count() > MAX_CHARS {
            return Err(format!("must not be longer than {MAX_CHARS} characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for NodeUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A shell pattern for the URLs of nodes: `*`, `?` and `[...]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct NodePattern(glob::Pattern);

impl NodePattern {
    /// Whether the pattern fits the whole of a node's URL.
    #[must_use]
    pub fn fits(&self, node: &str) -> bool {
        self.0.matches(node)
    }
}

impl TryFrom<String> for NodePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        glob::Pattern::new(&text)
            .map(Self)
            .map_err(|error| format!("{text:?} is not a pattern: {}", error.msg))
    }
}

/// A share between 0 (excluded) and 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Share(f64);

impl Share {
    /// A tenth.
    pub const TENTH: Self = Self(0.1);

    /// The share of `whole`, rounded up.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "numbers of users are far below 2^53"
    )]
    pub fn of(self, whole: i64) -> i64 {
        (whole as f64 * self.0).ceil() as i64
    }

    /// The share as a number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        if number > 0.0 && number <= 1.0 {
            Ok(Self(number))
        } else {
            Err(format!("{number} is not above 0 and at most 1"))
        }
    }
}
