use std::net::Ipv4Addr;

/// Longest address, in bytes (RFC 5321's limit for a path, less its brackets).
const MAX_EMAIL_BYTES: usize = 254;

/// Longest host name, in bytes (RFC 1035, without the root).
const MAX_NAME_BYTES: usize = 253;

/// The host (and port) of an address that BrowserID allows, or `None`.
///
/// ASCII only, and the host in the one spelling that URL parsers leave alone: what names an account
/// must have a single form.
pub(crate) fn email_host(email: &str) -> Option<&str> {
    if email.len() > MAX_EMAIL_BYTES {
        return None;
    }
    let (local, host) = email.split_once('@')?;
    let local_is_fine = !local.is_empty()
        && local
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&b));
    (local_is_fine && is_host(host)).then_some(host)
}

/// Whether `text` is a host as BrowserID names issuers: lower-case `host` or `host:port`, never a
/// path, user or scheme. Such a text can be put into `https://{text}/.well-known/browserid`.
#[must_use]
pub fn is_host(text: &str) -> bool {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let port_is_fine = port.is_none_or(|port| {
        port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
    });
    let label_is_fine = |label: &str| {
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        !label.is_empty() && label.bytes().all(fine)
    };
    let name_is_fine = name.len() <= MAX_NAME_BYTES && name.split('.').all(label_is_fine);
    // A name that ends in a number is an IPv4 address to URL parsers, in whichever notation.
    let last_label = name.rsplit('.').next().unwrap_or_default();
    let numeric = match last_label.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => last_label.bytes().all(|b| b.is_ascii_digit()),
    };
    port_is_fine && name_is_fine && (!numeric || name.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_plain_lower_case_names_with_or_without_a_port() {
        for host in [
            "example.test",
            "a",
            "a-b_c.test",
            "127.0.0.1",
            "127.0.0.1:10443",
            "x.test:0",
        ] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "",
            ".",
            "a..b",
            "a.",
            "Example.test",
            "ex\u{e4}mple.test",
            "a b",
            "a/b",
            "a?b",
            "a#b",
            "user@a",
            "a:",
            "a:x",
            "a:+1",
            "a:65536",
            "a:1:2",
            "[::1]",
            "a\n",
            "a\0",
            "1.2.3",
            "127.1",
            "0x7f.0.0.1",
            "127.0.0.0x1",
            "a.256",
            "010.0.0.1",
        ] {
            // An address in another notation would be looked up under another name than it has here.
            assert!(!is_host(host), "{host:?}");
        }
        assert!(!is_host(&"a".repeat(254)));
    }

    #[test]
    fn emails_have_one_at_between_a_local_part_and_a_host() {
        assert_eq!(email_host("a.b+c@example.test:80"), Some("example.test:80"));
        assert_eq!(email_host("!#$%&'*+/=?^_`{|}~.-@a"), Some("a"));
        for email in [
            "", "@", "a@", "@a", "a", "a@b@c", "a b@c", "a\n@b", "a@b\n", "\u{e4}@b", "a\0@b",
        ] {
            assert_eq!(email_host(email), None, "{email:?}");
        }
        let longest = format!("{}@a", "x".repeat(252));
        assert_eq!(email_host(&longest), Some("a"));
        assert_eq!(email_host(&format!("x{longest}")), None);
    }
}
