//! Commands (RFC 37): READY and ERROR of the handshake, PING and PONG after it.

use super::frame::write_command;
use super::{Role, Violation};

/// The longest command in bytes. libzmq sends a few dozen.
pub(super) const MAX_LEN: u64 = 4096;

/// The longest context of a PING, which comes back in its PONG.
const MAX_CONTEXT: usize = 16;

/// A command of a peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Ready {
        socket_type: &'a [u8],
        identity: &'a [u8],
    },
    Error,
    Ping {
        context: &'a [u8],
    },
    Pong,
    /// One that says nothing to these sockets, such as SUBSCRIBE.
    Other,
}

impl<'a> Command<'a> {
    /// Reads the bytes of a command's frame.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Violation> {
        let (name, data) = short(bytes)?;
        Ok(match name {
            b"READY" => ready(data)?,
            b"ERROR" => Self::Error,
            b"PING" => {
                // A time to live comes first. That the peer lives, the end of its connection tells.
                let context = data.get(2..).ok_or(Violation::Command)?;
                if context.len() > MAX_CONTEXT {
                    return Err(Violation::Command);
                }
                Self::Ping { context }
            }
            b"PONG" => Self::Pong,
            _ => Self::Other,
        })
    }
}

/// The properties of READY: names with a length of one byte, values with one of four.
fn ready(mut data: &[u8]) -> Result<Command<'_>, Violation> {
    let (mut socket_type, mut identity) = (&[][..], &[][..]);
    while !data.is_empty() {
        let (name, rest) = short(data)?;
        let (len, rest) = rest.split_first_chunk().ok_or(Violation::Command)?;
        let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| Violation::Command)?;
        let (value, rest) = rest.split_at_checked(len).ok_or(Violation::Command)?;
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            socket_type = value;
        } else if name.eq_ignore_ascii_case(b"Identity") {
            identity = value;
        }
        data = rest;
    }
    Ok(Command::Ready {
        socket_type,
        identity,
    })
}

/// Splits off a string with a length of one byte.
fn short(bytes: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    let (&len, rest) = bytes.split_first().ok_or(Violation::Command)?;
    rest.split_at_checked(len.into()).ok_or(Violation::Command)
}

/// Writes READY of a socket without an identity.
pub(super) fn write_ready(into: &mut Vec<u8>, role: Role) {
    let mut data = Vec::with_capacity(48);
    for (name, value) in [("Socket-Type", role.name()), ("Identity", b"")] {
        data.push(name.len() as u8);
        data.extend_from_slice(name.as_bytes());
        data.extend_from_slice(&(value.len() as u32).to_be_bytes());
        data.extend_from_slice(value);
    }
    write_command(into, "READY", &data);
}

/// Writes a PING without a time to live.
pub(super) fn write_ping(into: &mut Vec<u8>) {
    write_command(into, "PING", &[0, 0]);
}

/// Writes the answer to a PING.
pub(super) fn write_pong(into: &mut Vec<u8>, context: &[u8]) {
    write_command(into, "PONG", context);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::driver::zmtp::frame::Head;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes);
        let head = Head::read(&bytes).expect("a head").expect("all of it");
        assert!(head.is_command);
        assert_eq!(head.size + head.len as usize, bytes.len());
        bytes.split_off(head.size)
    }

    #[test]
    fn what_is_written_is_read() {
        for role in [Role::Dealer, Role::Router] {
            let bytes = written(|into| write_ready(into, role));
            let ready = Command::Ready {
                socket_type: role.name(),
                identity: b"",
            };
            assert_eq!(Command::read(&bytes), Ok(ready));
        }
        let ping = written(write_ping);
        assert_eq!(Command::read(&ping), Ok(Command::Ping { context: b"" }));
        let pong = written(|into| write_pong(into, b"again"));
        assert_eq!(Command::read(&pong), Ok(Command::Pong));
    }

    #[test]
    fn names_of_properties_ignore_case() {
        let ready = b"\x05READY\x0bsocket-type\0\0\0\x03REQ\x08IDENTITY\0\0\0\x01x";
        let expected = Command::Ready {
            socket_type: b"REQ",
            identity: b"x",
        };
        assert_eq!(Command::read(ready), Ok(expected));
    }

    #[test]
    fn a_context_beyond_the_limit_is_a_violation() {
        let mut ping = b"\x04PING\0\0".to_vec();
        ping.extend([7; MAX_CONTEXT]);
        assert!(matches!(Command::read(&ping), Ok(Command::Ping { .. })));
        ping.push(7);
        assert_eq!(Command::read(&ping), Err(Violation::Command));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_command_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Command::read(&bytes);
        }

        #[test]
        fn a_cut_ready_is_no_command(cut in 6_usize..) {
            let bytes = written(|into| write_ready(into, Role::Dealer));
            let cut = cut % bytes.len();
            // Between two properties it is one with fewer of them.
            if cut > 6 && cut != 6 + 12 + 4 + 6 {
                prop_assert_eq!(Command::read(&bytes[..cut]), Err(Violation::Command));
            }
        }
    }
}
