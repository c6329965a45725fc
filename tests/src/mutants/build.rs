//! The build whose core can have a defect.
//!
//! Cargo has a variable for a program to call in place of rustc, for the packages of the workspace alone. So nothing but those
//! that contain the core or depend on it is compiled again, and what comes of it is kept apart from the other build.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::paths;

/// Tells a program that cargo calls it in place of rustc.
const AS_RUSTC: &str = "POWERHOSE_MUTANTS_AS_RUSTC";

/// Whether cargo called this program in place of rustc.
pub fn is_called_as_rustc() -> bool {
    env::var_os(AS_RUSTC).is_some()
}

/// Becomes rustc, with one cfg more.
///
/// # Errors
/// Why there is no rustc to become.
pub fn become_rustc(mut args: impl Iterator<Item = OsString>) -> io::Error {
    let Some(rustc) = args.next() else {
        return io::Error::other("cargo did not say which rustc to call");
    };
    (Command::new(rustc).args(args))
        .args(["--cfg", "powerhose_mutants"])
        .exec()
}

/// Builds the binary `mutants` with the cfg, in the profile of this program, and returns its path.
///
/// # Errors
/// If it cannot be built; cargo has told why on standard error.
pub fn build() -> io::Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(paths::repository())
        .args([
            "build",
            "--locked",
            "--package",
            "tests",
            "--bin",
            "mutants",
        ])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(paths::target())
        .env("RUSTC_WORKSPACE_WRAPPER", env::current_exe()?)
        .env(AS_RUSTC, "1")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let built = cargo.output()?;
    if !built.status.success() {
        return Err(io::Error::other("the core with mutants cannot be built"));
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = (messages.lines())
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back();
    executable.ok_or_else(|| io::Error::other("cargo built no program"))
}
