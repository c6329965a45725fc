//! The one place where unsafe code is: it hands byte strings to AWS-LC's `DSA_do_verify` and frees
//! what was allocated for it.

#![allow(
    unsafe_code,
    reason = "AWS-LC verifies DSA ten times faster than the pure Rust crates, but speaks C"
)]

use std::ptr::{self, NonNull};

use aws_lc_sys as c;

/// A DSA public key, its numbers big-endian.
pub(super) struct PublicKey {
    pub(super) p: Vec<u8>,
    pub(super) q: Vec<u8>,
    pub(super) g: Vec<u8>,
    pub(super) y: Vec<u8>,
}

/// Whether (`r`, `s`) is the key's signature of `digest`. Out of memory counts as no.
pub(super) fn verify(key: &PublicKey, digest: &[u8], r: &[u8], s: &[u8]) -> bool {
    check(key, digest, r, s).unwrap_or(false)
}

fn check(key: &PublicKey, digest: &[u8], r: &[u8], s: &[u8]) -> Option<bool> {
    let dsa = Dsa::new(key)?;
    let signature = Signature::new(r, s)?;
    // SAFETY: `digest` is readable for the length given, both handles are live and fully set, and the
    // call keeps none of the pointers.
    let verdict = unsafe {
        c::DSA_do_verify(
            digest.as_ptr(),
            digest.len(),
            signature.0.as_ptr(),
            dsa.0.as_ptr(),
        )
    };
    if verdict != 1 {
        // SAFETY: takes no arguments; it empties this thread's queue of errors.
        unsafe { c::ERR_clear_error() };
    }
    Some(verdict == 1)
}

/// A number owned by this side.
struct Number(NonNull<c::BIGNUM>);

impl Number {
    fn new(big_endian: &[u8]) -> Option<Self> {
        // SAFETY: the slice is readable for its length; with a null third argument the call
        // allocates the number that it returns, or returns null.
        let number =
            unsafe { c::BN_bin2bn(big_endian.as_ptr(), big_endian.len(), ptr::null_mut()) };
        NonNull::new(number).map(Self)
    }

    /// Gives the number away to whoever frees it from now on.
    fn into_raw(self) -> *mut c::BIGNUM {
        let number = self.0.as_ptr();
        std::mem::forget(self);
        number
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: allocated by `BN_bin2bn` and owned by nobody else.
        unsafe { c::BN_free(self.0.as_ptr()) };
    }
}

/// A key handle with all its numbers.
struct Dsa(NonNull<c::DSA>);

impl Dsa {
    fn new(key: &PublicKey) -> Option<Self> {
        // SAFETY: takes no arguments; returns a fresh handle or null.
        let dsa = Self(NonNull::new(unsafe { c::DSA_new() })?);
        let (p, q, g) = (
            Number::new(&key.p)?,
            Number::new(&key.q)?,
            Number::new(&key.g)?,
        );
        let y = Number::new(&key.y)?;
        // SAFETY: the handle is live and the numbers are owned here. The call fails only when one of
        // the handle's numbers would stay null, and none does; so it takes over all three.
        let taken =
            unsafe { c::DSA_set0_pqg(dsa.0.as_ptr(), p.into_raw(), q.into_raw(), g.into_raw()) };
        debug_assert_eq!(taken, 1);
        // SAFETY: as above; a null private key leaves that member unset.
        let taken = unsafe { c::DSA_set0_key(dsa.0.as_ptr(), y.into_raw(), ptr::null_mut()) };
        debug_assert_eq!(taken, 1);
        Some(dsa)
    }
}

impl Drop for Dsa {
    fn drop(&mut self) {
        // SAFETY: allocated by `DSA_new`, owned by nobody else; frees the numbers it took over.
        unsafe { c::DSA_free(self.0.as_ptr()) };
    }
}

/// A signature handle with both its numbers.
struct Signature(NonNull<c::DSA_SIG>);

impl Signature {
    fn new(r: &[u8], s: &[u8]) -> Option<Self> {
        // SAFETY: takes no arguments; returns a fresh handle or null.
        let signature = Self(NonNull::new(unsafe { c::DSA_SIG_new() })?);
        let (r, s) = (Number::new(r)?, Number::new(s)?);
        // SAFETY: the handle is live and the numbers are owned here. The call fails only for null
        // numbers; so it takes over both.
        let taken = unsafe { c::DSA_SIG_set0(signature.0.as_ptr(), r.into_raw(), s.into_raw()) };
        debug_assert_eq!(taken, 1);
        Some(signature)
    }
}

impl Drop for Signature {
    fn drop(&mut self) {
        // SAFETY: allocated by `DSA_SIG_new`, owned by nobody else; frees the numbers it took over.
        unsafe { c::DSA_SIG_free(self.0.as_ptr()) };
    }
}
