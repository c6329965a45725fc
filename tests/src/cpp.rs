//! C++ programs of the repository, compiled against the libzmq that cargo built: nothing but a compiler is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::paths;

/// Compiles one source file of the repository with the C++ SDK at hand and returns the program, which is put into `folder`.
///
/// # Panics
/// If there is no `g++`, or it finds fault with the source; warnings are faults.
pub fn compile(source: &str, folder: &Path) -> PathBuf {
    compile_with(source, folder, &[])
}

/// The same with further libraries of the system, such as `crypto`.
///
/// # Panics
/// The same.
pub fn compile_with(source: &str, folder: &Path, libraries: &[&str]) -> PathBuf {
    let root = paths::repository();
    let source = root.join(source);
    let name = source.file_stem().expect("a file with a name");
    let program = folder.join(name);
    let include = |folder: &str| format!("-I{}", root.join(folder).display());
    let compiled = Command::new("g++")
        .args([
            "-std=c++17",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
        ])
        .arg(include("workers/cpp/include"))
        .args(["-isystem", env!("DEP_ZMQ_INCLUDE")])
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .arg(concat!("-L", env!("DEP_ZMQ_LIB")))
        .arg(concat!("-L", env!("SODIUM_LIB")))
        .args(["-lzmq", "-lsodium", "-pthread"])
        .args(libraries.iter().map(|name| format!("-l{name}")))
        .output()
        .expect("g++ is there: on Debian and Ubuntu `apt-get install g++`");
    assert!(
        compiled.status.success(),
        "{}: {}",
        source.display(),
        String::from_utf8_lossy(&compiled.stderr)
    );
    program
}
