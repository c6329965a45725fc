//! Who is asking, and under which address, where proxies stand in between. Only those proxies are
//! believed that the settings name: anyone can write these headers.

use std::net::{IpAddr, SocketAddr};

use axum::http::{
    HeaderMap, HeaderName,
    header::{FORWARDED, HOST},
};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Most steps of a request's way that are looked at.
const MAX_HOPS: usize = 16;

/// The address of whoever connected. The listener puts it into every request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What is known about a request's way here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The nearest address that is no proxy of ours. `None` when even that is not known.
    pub(crate) client: Option<IpAddr>,
    /// This server's own origin as the client knows it: `https://token.example.org`.
    pub(crate) server: Option<String>,
}

/// One step of the way, as a proxy tells it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hop {
    from: Option<IpAddr>,
    proto: Option<String>,
    host: Option<String>,
}

impl Origin {
    /// Reads `Forwarded` (RFC 7239), or where there is none the headers that were there before it.
    pub(crate) fn of(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let is_ours = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
        let peer = peer.map(|peer| peer.ip().to_canonical());
        let own_host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let direct = Self {
            client: peer,
            server: own_host.and_then(|host| origin("http", host)),
        };
        if !peer.is_some_and(is_ours) {
            return direct;
        }
        let hops = if headers.contains_key(FORWARDED) {
            forwarded(headers)
        } else {
            x_forwarded(headers)
        };
        let mut found = direct;
        // The last one was written by the proxy that connected, and so on as long as they are ours.
        for hop in hops.into_iter().rev().take(MAX_HOPS) {
            let host = hop.host.as_deref().or(own_host);
            let proto = hop.proto.as_deref();
            if hop.host.is_some() || proto.is_some() {
                found.server = host.and_then(|host| origin(proto.unwrap_or("http"), host));
            }
            found.client = hop.from;
            if !hop.from.is_some_and(is_ours) {
                break;
            }
        }
        found
    }
}

/// `None` for what is no host or no scheme: it would be told to others.
fn origin(proto: &str, host: &str) -> Option<String> {
    let proto = ["http", "https"]
        .into_iter()
        .find(|known| proto.eq_ignore_ascii_case(known))?;
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let is_host = !host.is_empty() && host.len() <= 255 && host.bytes().all(fine);
    is_host.then(|| format!("{proto}://{host}"))
}

fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let lines = headers.get_all(FORWARDED).iter();
    let text: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    let elements = text.iter().flat_map(|line| split(line, ','));
    elements
        .map(|element| {
            let mut hop = Hop::default();
            for pair in split(element, ';') {
                let Some((name, value)) = pair.split_once('=') else {
                    continue;
                };
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => hop.from = address(value),
                    "proto" => hop.proto = Some(value.to_owned()),
                    "host" => hop.host = Some(value.to_owned()),
                    _ => {}
                }
            }
            hop
        })
        .collect()
}

/// Splits at `separator`, except between quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c: char| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

fn x_forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let list = |name: &HeaderName| -> Vec<String> {
        let lines = headers.get_all(name).iter();
        let lines = lines.filter_map(|line| line.to_str().ok());
        lines
            .flat_map(|line| line.split(',').map(|word| word.trim().to_owned()))
            .collect()
    };
    let hops = list(&X_FORWARDED_FOR).into_iter().map(|from| Hop {
        from: address(&from),
        ..Hop::default()
    });
    let mut hops: Vec<Hop> = hops.collect();
    if hops.is_empty() {
        return hops;
    }
    // Proxies set these once, or append in step with the addresses; the last is the nearest one's.
    let count = hops.len();
    if let Some(last) = hops.get_mut(count - 1) {
        last.proto = list(&X_FORWARDED_PROTO).pop();
        last.host = list(&X_FORWARDED_HOST).pop();
    }
    hops
}

/// An address with or without a port, IPv6 in brackets or not. `None` for `unknown` and hidden ones.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address: IpAddr = bare().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, headers: &[(&'static str, &'static str)]) -> Origin {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let trusted = [
            "127.0.0.1/32".parse().unwrap(),
            "10.0.0.0/8".parse().unwrap(),
        ];
        let peer = format!("{peer}:1").parse().unwrap();
        Origin::of(Some(peer), &headers, &trusted)
    }

    fn expect(origin: &Origin, client: &str, server: &str) {
        assert_eq!(origin.client, client.parse().ok(), "{origin:?}");
        assert_eq!(origin.server.as_deref(), Some(server), "{origin:?}");
    }

    #[test]
    fn strangers_are_not_believed() {
        let claims = [
            ("host", "real.test"),
            ("forwarded", "for=1.2.3.4;host=evil.test;proto=https"),
            ("x-forwarded-for", "1.2.3.4"),
        ];
        expect(
            &of("203.0.113.5", &claims),
            "203.0.113.5",
            "http://real.test",
        );
    }

    #[test]
    fn our_proxies_tell_whom_they_speak_for() {
        let told = [
            ("host", "127.0.0.1:5000"),
            (
                "forwarded",
                r#"for="[2001:db8::7]:443";proto=https;host="token.test""#,
            ),
        ];
        expect(&of("127.0.0.1", &told), "2001:db8::7", "https://token.test");
        let told = [
            ("host", "token.test"),
            ("x-forwarded-for", "203.0.113.5"),
            ("x-forwarded-proto", "https"),
        ];
        expect(&of("127.0.0.1", &told), "203.0.113.5", "https://token.test");
        let told = [("host", "token.test")];
        expect(&of("127.0.0.1", &told), "127.0.0.1", "http://token.test");
    }

    #[test]
    fn what_comes_before_the_first_stranger_was_written_by_strangers() {
        let told = [
            ("host", "token.test"),
            ("x-forwarded-for", "1.1.1.1, 203.0.113.5, 10.1.1.1"),
        ];
        expect(&of("127.0.0.1", &told), "203.0.113.5", "http://token.test");
        let told = [
            ("host", "token.test"),
            (
                "forwarded",
                "for=1.1.1.1;host=evil.test, for=203.0.113.5;host=good.test;proto=https, for=10.1.1.1",
            ),
        ];
        expect(&of("127.0.0.1", &told), "203.0.113.5", "https://good.test");
    }

    #[test]
    fn nonsense_is_no_address_and_no_host() {
        let told = [
            ("host", "token.test"),
            ("forwarded", r#"for=unknown;host="a/b";proto=https"#),
        ];
        let origin = of("127.0.0.1", &told);
        assert_eq!(
            origin,
            Origin {
                client: None,
                server: None
            }
        );
        for text in ["unknown", "_hidden", "", "1.2.3", "[::1", "a.test"] {
            assert_eq!(address(text), None, "{text}");
        }
        for text in ["1.2.3.4", "1.2.3.4:80", "::ffff:1.2.3.4"] {
            assert_eq!(address(text), "1.2.3.4".parse().ok(), "{text}");
        }
    }
}
