//! Where things are.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn repository() -> &'static Path {
    // The manifest's folder is `tests`, one below the root.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("/"))
}

/// The folder in which cargo builds, whatever its name: this test was built there.
///
/// # Panics
/// If the running program is not in a folder that cargo laid out.
pub fn target() -> PathBuf {
    let program = std::env::current_exe().expect("the running program has a path");
    // target/PROFILE/deps/PROGRAM for a test, target/PROFILE/PROGRAM for a binary.
    let marked = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists());
    marked
        .unwrap_or_else(|| panic!("{program:?} is not below a target folder"))
        .to_owned()
}
