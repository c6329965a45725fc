//! The project's own programs, built if they are not up to date.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::paths;

/// The path of one of the project's binaries, in the profile of the running test.
///
/// The first call of a process has cargo build all of them: a test must not run yesterday's.
///
/// # Panics
/// If they cannot be built, with cargo's own words.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let packages = ["powerhose", "token-server", "workers"];
        build(&packages.map(|package| ["--package", package]).concat())
    });
    let path = folder.join(name);
    assert!(
        path.exists(),
        "no package of the workspace has a binary {name:?}"
    );
    path
}

/// The same for an example of the `powerhose` package.
///
/// # Panics
/// If it cannot be built, with cargo's own words.
pub fn example(name: &str) -> PathBuf {
    let folder = build(&["--package", "powerhose", "--example", name]);
    folder.join("examples").join(name)
}

/// Has cargo build something, and returns the folder of the profile.
fn build(what: &[&str]) -> PathBuf {
    let release = !cfg!(debug_assertions);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(paths::repository());
    // What cargo tells a test of its own package would make ring's build script, which reads it, run again, and again without it.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo.args(["build", "--quiet", "--locked"]).args(what);
    cargo.arg("--target-dir").arg(paths::target());
    if release {
        cargo.arg("--release");
    }
    let built = cargo.output().expect("cargo runs");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    paths::target().join(if release { "release" } else { "debug" })
}
