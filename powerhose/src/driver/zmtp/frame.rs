//! Frames (RFC 37, "framing"): flags, a length of one or eight bytes, as many bytes.

use super::Violation;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// The longest head of a frame in bytes.
pub(super) const MAX_HEAD: usize = 9;

/// What comes before the bytes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) is_command: bool,
    /// Whether more frames of the same message follow.
    pub(super) more: bool,
    /// The bytes that follow this head.
    pub(super) len: u64,
    /// The length of the head itself.
    pub(super) size: usize,
}

impl Head {
    /// Reads the head at the beginning of `bytes`; `None` if it is not all there.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let Some((&flags, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let is_command = flags & COMMAND != 0;
        let more = flags & MORE != 0;
        if flags & !(MORE | LONG | COMMAND) != 0 || (is_command && more) {
            return Err(Violation::Flags);
        }
        let (len, size) = if flags & LONG == 0 {
            match rest.first() {
                Some(&len) => (u64::from(len), 2),
                None => return Ok(None),
            }
        } else {
            match rest.first_chunk() {
                Some(len) => (u64::from_be_bytes(*len), MAX_HEAD),
                None => return Ok(None),
            }
        };
        Ok(Some(Self {
            is_command,
            more,
            len,
            size,
        }))
    }
}

/// Writes the head of a message's frame.
pub(super) fn write_head(into: &mut Vec<u8>, len: usize, more: bool) {
    put(into, len, if more { MORE } else { 0 });
}

/// Writes a command.
pub(super) fn write_command(into: &mut Vec<u8>, name: &str, data: &[u8]) {
    put(into, 1 + name.len() + data.len(), COMMAND);
    // The names of commands are the constants of a room nearby.
    into.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    into.extend_from_slice(name.as_bytes());
    into.extend_from_slice(data);
}

fn put(into: &mut Vec<u8>, len: usize, flags: u8) {
    match u8::try_from(len) {
        Ok(short) => into.extend_from_slice(&[flags, short]),
        Err(_) => {
            into.push(flags | LONG);
            into.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_head_that_was_written_is_read(len in 0_usize..1 << 40, more: bool) {
            let mut bytes = Vec::new();
            write_head(&mut bytes, len, more);
            let head = Head { is_command: false, more, len: len as u64, size: bytes.len() };
            prop_assert_eq!(Head::read(&bytes), Ok(Some(head)));
            for cut in 0..bytes.len() {
                prop_assert_eq!(Head::read(&bytes[..cut]), Ok(None));
            }
        }

        #[test]
        fn any_bytes_are_a_head_or_none(bytes: [u8; MAX_HEAD]) {
            if let Ok(Some(head)) = Head::read(&bytes) {
                prop_assert!(head.size <= MAX_HEAD);
            }
        }
    }

    #[test]
    fn unknown_flags_are_a_violation() {
        assert_eq!(Head::read(&[8, 0]), Err(Violation::Flags));
        assert_eq!(Head::read(&[COMMAND | MORE, 0]), Err(Violation::Flags));
    }
}
