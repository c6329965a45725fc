//! What both sides of a connection send first (RFC 37, "greeting").

use super::Violation;

/// The length of a greeting in bytes.
pub(super) const LEN: usize = 64;

const SIGNATURE: [u8; 10] = [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F];
const MAJOR: u8 = 3;
const MINOR: u8 = 1;
const MECHANISM: [u8; 20] = *b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Version 3.1, mechanism NULL, where nobody is the server.
pub(super) fn ours() -> [u8; LEN] {
    let mut greeting = [0; LEN];
    greeting[..10].copy_from_slice(&SIGNATURE);
    greeting[10] = MAJOR;
    greeting[11] = MINOR;
    greeting[12..32].copy_from_slice(&MECHANISM);
    greeting
}

/// Whether a peer that greets like this can be talked to. Later versions of ZMTP 3 and above speak 3.1 to those who greet with it.
pub(super) fn check(greeting: &[u8; LEN]) -> Result<(), Violation> {
    // The padding of the signature has no meaning.
    if greeting[0] != SIGNATURE[0] || greeting[9] & 1 == 0 || greeting[10] < MAJOR {
        return Err(Violation::Greeting);
    }
    if greeting[12..32] != MECHANISM {
        return Err(Violation::Mechanism);
    }
    Ok(())
}

/// Whether these first bytes can become a greeting: a peer that sends something else is not waited for.
pub(super) fn may_become(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|&first| first == SIGNATURE[0])
        && bytes.get(9).is_none_or(|&last| last & 1 == 1)
        && bytes.get(10).is_none_or(|&major| major >= MAJOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_is_accepted() {
        assert_eq!(check(&ours()), Ok(()));
        assert!((0..=LEN).all(|len| may_become(&ours()[..len])));
    }

    #[test]
    fn older_versions_and_other_mechanisms_are_not() {
        let mut old = ours();
        old[10] = 1;
        assert_eq!(check(&old), Err(Violation::Greeting));
        assert!(!may_become(&old[..11]));
        let mut curve = ours();
        curve[12..17].copy_from_slice(b"CURVE");
        assert_eq!(check(&curve), Err(Violation::Mechanism));
    }

    #[test]
    fn what_is_no_greeting_is_noticed_early() {
        assert!(!may_become(b"GET / HTTP/1.1"));
    }
}
