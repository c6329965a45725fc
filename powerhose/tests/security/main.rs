//! CURVE and its keys, on real sockets.

mod admission;
mod keygen;
mod reach;
mod support;
