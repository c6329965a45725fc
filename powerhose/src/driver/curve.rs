//! CURVE on libzmq's sockets, and the key material in libzmq's forms.
#![allow(
    unsafe_code,
    reason = "the zmq crate has neither the option that enforces domains nor the public key of a secret one"
)]

use std::ffi::{CString, c_char, c_int};

use zeroize::{Zeroize, Zeroizing};

use crate::security::{CurveClient, CurveServer};

/// Length of a key in Z85.
const ENCODED: usize = 40;

/// `ZMQ_ZAP_ENFORCE_DOMAIN`: without a handler nobody is admitted. The bindings lack it.
const ZAP_ENFORCE_DOMAIN: c_int = 93;

unsafe extern "C" {
    /// Derives a public key, in Z85 as is the secret one. The bindings lack it.
    fn zmq_curve_public(public: *mut c_char, secret: *const c_char) -> c_int;
}

/// What a socket is for; each has its own list of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    /// Where workers register.
    Backend,
    /// Where clients hand in jobs.
    Frontend,
    /// Where consoles connect.
    Operator,
}

impl Domain {
    pub(crate) const ALL: [Self; 3] = [Self::Backend, Self::Frontend, Self::Operator];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Frontend => "frontend",
            Self::Operator => "operator",
        }
    }
}

pub(crate) fn is_available() -> bool {
    zmq::has("curve") == Some(true)
}

/// Has a socket encrypt and authenticate whatever connects to where it is bound from now on.
pub(crate) fn serve(
    socket: &mut zmq::Socket,
    server: &CurveServer,
    domain: Domain,
) -> zmq::Result<()> {
    socket.set_curve_server(true)?;
    socket.set_curve_secretkey(server.keys.secret())?;
    socket.set_zap_domain(domain.name())?;
    let on: c_int = 1;
    // SAFETY: the socket is open, and the option takes an int, which is what it is given a pointer to and the size of.
    let result = unsafe {
        zmq_sys::zmq_setsockopt(
            socket.as_mut_ptr(),
            ZAP_ENFORCE_DOMAIN,
            (&raw const on).cast(),
            size_of::<c_int>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(super::frames::last_error())
    }
}

/// Has a socket encrypt whatever it connects to from now on.
pub(crate) fn join(socket: &zmq::Socket, client: &CurveClient) -> zmq::Result<()> {
    socket.set_curve_serverkey(&client.server.0)?;
    socket.set_curve_publickey(&client.keys.public().0)?;
    socket.set_curve_secretkey(client.keys.secret())
}

/// A new public key and its secret one; `None` without CURVE.
pub(crate) fn generate() -> Option<([u8; 32], Zeroizing<[u8; 32]>)> {
    let mut pair = zmq::CurveKeyPair::new().ok()?;
    let secret = Zeroizing::new(pair.secret_key);
    pair.secret_key.zeroize();
    Some((pair.public_key, secret))
}

/// The public key that belongs to a secret one; `None` without CURVE.
pub(crate) fn public_of(secret: &[u8; 32]) -> Option<[u8; 32]> {
    let secret = Zeroizing::new(CString::new(encode(secret)).ok()?.into_bytes_with_nul());
    let mut public = [0_u8; ENCODED + 1];
    // SAFETY: libzmq reads 40 characters and their final zero, and writes as many, which is what both buffers hold.
    let result = unsafe {
        zmq_curve_public(
            public.as_mut_ptr().cast::<c_char>(),
            secret.as_ptr().cast::<c_char>(),
        )
    };
    let text = std::str::from_utf8(public.get(..ENCODED)?).ok()?;
    (result == 0).then(|| decode(text).map(|key| *key))?
}

/// A key in Z85.
pub(crate) fn encode(key: &[u8; 32]) -> String {
    // It fails only for lengths that are no multiple of four.
    zmq::z85_encode(key).unwrap_or_default()
}

/// The key that a text in Z85 stands for.
pub(crate) fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    const OTHERS: &[u8] = b".-:+=^!/*?&<>()[]{}@%$#";
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || OTHERS.contains(&byte);
    if text.len() != ENCODED || !text.bytes().all(is_digit) {
        return None;
    }
    let decoded = Zeroizing::new(zmq::z85_decode(text).ok()?);
    let key: &[u8; 32] = decoded.as_slice().try_into().ok()?;
    // What encodes differently was beyond the 32 bits of a group.
    let again = Zeroizing::new(encode(key));
    (*again == text).then(|| Zeroizing::new(*key))
}
