//! Hands on where libzmq and libsodium were built, for the tests that compile C++ against them: only build scripts are told.

use std::path::Path;
use std::{env, fs};

fn main() {
    let told = |name: &str| {
        println!("cargo:rerun-if-env-changed={name}");
        env::var(name).unwrap_or_else(|_| panic!("zmq-sys did not report {name}"))
    };
    println!(
        "cargo:rustc-env=DEP_ZMQ_INCLUDE={}",
        told("DEP_ZMQ_INCLUDE")
    );
    println!("cargo:rustc-env=DEP_ZMQ_LIB={}", told("DEP_ZMQ_LIB"));
    // libsodium is a dependency of zmq-sys's build script alone, which tells nobody but the linker: cargo keeps what it said.
    let output = Path::new(&told("DEP_ZMQ_OUT")).with_file_name("output");
    let output = fs::read_to_string(&output).unwrap_or_else(|error| panic!("{output:?}: {error}"));
    let sodium = (output.lines())
        .filter_map(|line| line.strip_prefix("cargo:rustc-link-search="))
        .find(|folder| Path::new(folder).join("libsodium.a").exists())
        .expect("zmq-sys links a libsodium that cargo built");
    println!("cargo:rustc-env=SODIUM_LIB={sodium}");
}
