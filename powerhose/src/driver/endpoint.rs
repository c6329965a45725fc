//! Where a master listens and a worker connects: `ipc://` paths and `tcp://` addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The longest path of an ipc socket in bytes: the system's address structure holds one more for the final zero.
#[cfg(target_os = "linux")]
pub(crate) const MAX_IPC_PATH: usize = 107;
/// The longest path of an ipc socket in bytes: the system's address structure holds one more for the final zero.
#[cfg(not(target_os = "linux"))]
pub(crate) const MAX_IPC_PATH: usize = 103;

/// An address that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket file, by its absolute path.
    Ipc(PathBuf),
    /// A port of an address; port 0 is any free one.
    Tcp(SocketAddr),
    /// A port of a host to connect to, whose address (IPv4) is looked up for each connection.
    Host(String, u16),
}

/// How far away the other end of a tcp connection may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// On this machine.
    Loopback,
    /// Anywhere: connections are encrypted and authenticated, or somebody said that they need not be.
    Anywhere,
}

impl Reach {
    pub(crate) fn new(is_encrypted: bool, is_insecure: bool) -> Self {
        if is_encrypted || is_insecure {
            Self::Anywhere
        } else {
            Self::Loopback
        }
    }
}

/// Why an address cannot be used. Each message says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Neither `ipc://` nor `tcp://`.
    #[error("{endpoint:?} is no endpoint: write ipc:///path/of/socket or tcp://127.0.0.1:port")]
    Scheme {
        /// What was given.
        endpoint: String,
    },
    /// The path of an ipc endpoint is empty, a pattern, an abstract name, or holds what no address can.
    #[error("{endpoint:?} names no socket file: write ipc:// and an absolute path")]
    Path {
        /// What was given.
        endpoint: String,
    },
    /// The path of an ipc endpoint does not fit the system's address structure.
    #[error(
        "the ipc path {path:?} has {len} bytes, at most {MAX_IPC_PATH} are possible: choose a shorter one, such as one in $XDG_RUNTIME_DIR"
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        len: usize,
    },
    /// A tcp endpoint without a numeric port, or `*` where one listens.
    #[error(
        "{endpoint:?} has no port: write tcp://127.0.0.1:port, or :* to listen on any free one"
    )]
    Port {
        /// What was given.
        endpoint: String,
    },
    /// The host of a tcp endpoint to listen at is no address, or that of one to connect to no name either.
    #[error("{endpoint:?} names no host: write an IP address, or * to listen at all of them")]
    NoAddress {
        /// What was given.
        endpoint: String,
    },
    /// The host of a tcp endpoint is not a loopback address, there is no CURVE, and nobody said that there need be none.
    #[error(
        "{endpoint:?} leaves this machine unencrypted and open to anyone: set up CURVE (powerhose keygen), use 127.0.0.1 or [::1], or say that it shall be insecure"
    )]
    NotLoopback {
        /// What was given.
        endpoint: String,
    },
}

impl EndpointError {
    /// The exit status that `sysexits.h` has for it: 78 where a setting is missing that makes the endpoint safe, 64 where it makes no
    /// sense.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotLoopback { .. } => 78,
            _ => 64,
        }
    }
}

impl Endpoint {
    /// Understands an address to listen at.
    ///
    /// # Errors
    /// [`EndpointError`], with the remedy in its message.
    pub(crate) fn to_bind(endpoint: &str, reach: Reach) -> Result<Self, EndpointError> {
        Self::parse(endpoint, true, reach)
    }

    /// Understands an address to connect to.
    ///
    /// # Errors
    /// [`EndpointError`], with the remedy in its message.
    pub(crate) fn to_connect(endpoint: &str, reach: Reach) -> Result<Self, EndpointError> {
        Self::parse(endpoint, false, reach)
    }

    fn parse(endpoint: &str, to_bind: bool, reach: Reach) -> Result<Self, EndpointError> {
        if let Some(path) = endpoint.strip_prefix("ipc://") {
            Self::ipc(endpoint, path)
        } else if let Some(address) = endpoint.strip_prefix("tcp://") {
            Self::tcp(endpoint, address, to_bind, reach)
        } else {
            Err(EndpointError::Scheme {
                endpoint: endpoint.to_owned(),
            })
        }
    }

    fn ipc(endpoint: &str, path: &str) -> Result<Self, EndpointError> {
        let no_file = || EndpointError::Path {
            endpoint: endpoint.to_owned(),
        };
        // libzmq gives a leading `*` and `@` meanings of their own.
        if path.starts_with(['*', '@']) || path.ends_with('/') || path.contains('\0') {
            return Err(no_file());
        }
        let path = std::path::absolute(path).map_err(|_| no_file())?;
        if path.to_str().is_none() || path.file_name().is_none() {
            return Err(no_file());
        }
        let len = path.as_os_str().len();
        if len > MAX_IPC_PATH {
            return Err(EndpointError::PathTooLong { path, len });
        }
        Ok(Self::Ipc(path))
    }

    fn tcp(
        endpoint: &str,
        address: &str,
        to_bind: bool,
        reach: Reach,
    ) -> Result<Self, EndpointError> {
        let no_port = || EndpointError::Port {
            endpoint: endpoint.to_owned(),
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(no_port)?;
        let port = match port {
            "*" if to_bind => 0,
            port => (port.parse().ok())
                .filter(|&port| port != 0)
                .ok_or_else(no_port)?,
        };
        let ip: Option<IpAddr> = match host {
            "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
            "*" if to_bind => Some(Ipv4Addr::UNSPECIFIED.into()),
            host => (host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']')))
            .unwrap_or(host)
            .parse()
            .ok(),
        };
        match ip {
            Some(ip) if ip.is_loopback() || reach == Reach::Anywhere => {
                Ok(Self::Tcp(SocketAddr::new(ip, port)))
            }
            None if reach == Reach::Anywhere && !to_bind && is_host_name(host) => {
                Ok(Self::Host(host.to_owned(), port))
            }
            None if reach == Reach::Anywhere => Err(EndpointError::NoAddress {
                endpoint: endpoint.to_owned(),
            }),
            _ => Err(EndpointError::NotLoopback {
                endpoint: endpoint.to_owned(),
            }),
        }
    }

    /// The directory of an ipc endpoint.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Ipc(path) => path.parent(),
            Self::Tcp(_) | Self::Host(..) => None,
        }
    }

    /// Whether libzmq must be told to use IPv6.
    pub(crate) fn is_ipv6(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.is_ipv6())
    }
}

/// As libzmq wants it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipc(path) => write!(f, "ipc://{}", path.display()),
            Self::Tcp(address) if address.port() == 0 => {
                let any = address.to_string();
                write!(f, "tcp://{}:*", any.strip_suffix(":0").unwrap_or(&any))
            }
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Host(name, port) => write!(f, "tcp://{name}:{port}"),
        }
    }
}

fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(allowed)
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_understood_is_written_the_same() {
        for endpoint in [
            "ipc:///run/powerhose/backend",
            "tcp://127.0.0.1:5555",
            "tcp://127.0.0.1:*",
            "tcp://[::1]:5555",
            "tcp://[::1]:*",
        ] {
            let parsed = Endpoint::to_bind(endpoint, Reach::Loopback).expect(endpoint);
            assert_eq!(parsed.to_string(), endpoint);
        }
    }

    #[test]
    fn a_relative_path_is_made_absolute() {
        let endpoint = Endpoint::to_bind("ipc://some.sock", Reach::Loopback).expect("a path");
        let here = std::env::current_dir().expect("a directory");
        assert_eq!(endpoint, Endpoint::Ipc(here.join("some.sock")));
    }

    #[test]
    fn a_path_that_does_not_fit_is_refused_with_its_length() {
        let fits = format!("ipc:///{}", "a".repeat(MAX_IPC_PATH - 1));
        assert!(Endpoint::to_bind(&fits, Reach::Loopback).is_ok());
        let error =
            Endpoint::to_bind(&format!("{fits}b"), Reach::Loopback).expect_err("one byte more");
        assert!(error.to_string().contains("has 108 bytes") || !cfg!(target_os = "linux"));
        assert!(matches!(error, EndpointError::PathTooLong { len, .. } if len == MAX_IPC_PATH + 1));
    }

    #[test]
    fn what_names_no_socket_file_is_refused() {
        for endpoint in [
            "ipc://",
            "ipc://*",
            "ipc://@name",
            "ipc:///",
            "ipc:///tmp/",
            "ipc:///a\0b",
        ] {
            let error = Endpoint::to_bind(endpoint, Reach::Loopback).expect_err(endpoint);
            assert!(
                matches!(error, EndpointError::Path { .. }),
                "{endpoint}: {error}"
            );
        }
    }

    #[test]
    fn only_loopback_is_allowed() {
        for endpoint in [
            "tcp://*:5555",
            "tcp://0.0.0.0:1",
            "tcp://10.0.0.1:1",
            "tcp://example.org:1",
            "tcp://[::]:1",
        ] {
            let error = Endpoint::to_bind(endpoint, Reach::Loopback).expect_err(endpoint);
            assert!(
                matches!(error, EndpointError::NotLoopback { .. }),
                "{endpoint}: {error}"
            );
        }
        assert!(Endpoint::to_bind("tcp://localhost:1", Reach::Loopback).is_ok());
    }

    #[test]
    fn with_encryption_any_address_is_allowed() {
        for endpoint in ["tcp://0.0.0.0:1", "tcp://10.0.0.1:1", "tcp://[::]:*"] {
            let parsed = Endpoint::to_bind(endpoint, Reach::Anywhere).expect(endpoint);
            assert_eq!(parsed.to_string(), endpoint);
        }
        let all = Endpoint::to_bind("tcp://*:1", Reach::Anywhere).expect("an address");
        assert_eq!(all.to_string(), "tcp://0.0.0.0:1");
        let named = "tcp://master.example:1";
        let parsed = Endpoint::to_connect(named, Reach::Anywhere).expect("a name");
        assert_eq!(parsed.to_string(), named);
        let error = Endpoint::to_bind(named, Reach::Anywhere).expect_err("a name is no address");
        assert!(matches!(error, EndpointError::NoAddress { .. }));
        assert!(Endpoint::to_connect("tcp://a;b:1", Reach::Anywhere).is_err());
    }

    #[test]
    fn a_port_is_needed_and_any_port_only_to_listen() {
        for endpoint in [
            "tcp://127.0.0.1",
            "tcp://127.0.0.1:",
            "tcp://127.0.0.1:0",
            "tcp://127.0.0.1:65536",
        ] {
            let error = Endpoint::to_bind(endpoint, Reach::Loopback).expect_err(endpoint);
            assert!(
                matches!(error, EndpointError::Port { .. }),
                "{endpoint}: {error}"
            );
        }
        let error = Endpoint::to_connect("tcp://127.0.0.1:*", Reach::Loopback)
            .expect_err("no port to connect to");
        assert!(matches!(error, EndpointError::Port { .. }));
    }

    #[test]
    fn other_schemes_are_refused() {
        for endpoint in ["", "inproc://x", "/tmp/x", "IPC:///tmp/x"] {
            let error = Endpoint::to_bind(endpoint, Reach::Loopback).expect_err(endpoint);
            assert!(
                matches!(error, EndpointError::Scheme { .. }),
                "{endpoint}: {error}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_understood_or_refused_and_what_is_understood_stays_the_same(
            endpoint in "(ipc://|tcp://)?[ -~]{0,40}",
        ) {
            if let Ok(parsed) = Endpoint::to_bind(&endpoint, Reach::Loopback) {
                proptest::prop_assert_eq!(Endpoint::to_bind(&parsed.to_string(), Reach::Loopback), Ok(parsed));
            }
        }
    }
}
