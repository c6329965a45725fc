//! Hands on where `libsodium-sys-stable` put its library: only a build script sees `DEP_SODIUM_*`,
//! but the library of this crate, which runs inside zmq-sys's build script, needs them.

fn main() {
    for (from, to) in [
        ("DEP_SODIUM_LIB", "POWERHOSE_SODIUM_LIB"),
        ("DEP_SODIUM_INCLUDE", "POWERHOSE_SODIUM_INCLUDE"),
    ] {
        println!("cargo:rerun-if-env-changed={from}");
        let value = std::env::var(from)
            .unwrap_or_else(|_| panic!("libsodium-sys-stable did not report {from}"));
        println!("cargo:rustc-env={to}={value}");
    }
}
