//! The `Authorization` header.

use axum::http::{HeaderMap, header::AUTHORIZATION};

use crate::failure::Failure;

/// What a client shows, by scheme.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials<'a> {
    /// A BrowserID assertion.
    BrowserId(&'a str),
    /// A token of OAuth.
    Bearer(&'a str),
    /// Something that no server of this kind takes.
    Other,
}

impl<'a> Credentials<'a> {
    /// Reads the header: a scheme in any case, white space, and the rest of the line.
    pub(crate) fn from_headers(headers: &'a HeaderMap) -> Result<Self, Failure> {
        let value = headers
            .get(AUTHORIZATION)
            .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
            .ok_or(Failure::NoCredentials)?
            .trim_ascii();
        let (scheme, rest) = value
            .split_once(|c: char| c.is_ascii_whitespace())
            .ok_or(Failure::NoCredentials)?;
        let rest = rest.trim_ascii_start();
        Ok(if scheme.eq_ignore_ascii_case("BrowserID") {
            Self::BrowserId(rest)
        } else if scheme.eq_ignore_ascii_case("Bearer") {
            Self::Bearer(rest)
        } else {
            Self::Other
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

    use super::Credentials;
    use crate::failure::Failure;

    fn headers(value: &'static [u8]) -> HeaderMap {
        let value = HeaderValue::from_bytes(value).unwrap();
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }

    #[test]
    fn the_scheme_is_read_in_any_case_and_with_any_white_space() {
        for value in [
            &b"BrowserID a~b"[..],
            b"browserid   a~b",
            b"BROWSERID\ta~b ",
        ] {
            let headers = headers(value);
            let credentials = Credentials::from_headers(&headers).unwrap();
            assert_eq!(credentials, Credentials::BrowserId("a~b"));
        }
    }

    #[test]
    fn the_rest_of_the_line_belongs_to_the_assertion() {
        let headers = headers(b"BrowserID a b c");
        let credentials = Credentials::from_headers(&headers).unwrap();
        assert_eq!(credentials, Credentials::BrowserId("a b c"));
    }

    #[test]
    fn one_word_or_none_or_junk_is_no_credential() {
        for value in [&b""[..], b"BrowserID", b"BrowserID ", b"BrowserID \xff"] {
            let headers = headers(value);
            let outcome = Credentials::from_headers(&headers);
            assert!(matches!(outcome, Err(Failure::NoCredentials)), "{value:?}");
        }
        let outcome = HeaderMap::new();
        assert!(Credentials::from_headers(&outcome).is_err());
    }

    #[test]
    fn tokens_of_oauth_are_told_from_other_schemes() {
        let read = |value| format!("{:?}", Credentials::from_headers(&headers(value)).unwrap());
        assert_eq!(read(b"bearer  a.b.c"), r#"Bearer("a.b.c")"#);
        assert_eq!(read(b"Basic dXNlcjpwYXNz"), "Other");
    }
}
