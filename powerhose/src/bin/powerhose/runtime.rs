//! Where masters listen if nothing else is said.

use std::env;
use std::path::PathBuf;

/// The private directory of this user's sockets: `$POWERHOSE_DIR`, or `powerhose` in `$XDG_RUNTIME_DIR`, or `/run/powerhose` for root, or
/// `/tmp/powerhose-UID`.
pub(crate) fn directory() -> PathBuf {
    if let Some(directory) = env::var_os("POWERHOSE_DIR").filter(|it| !it.is_empty()) {
        return directory.into();
    }
    if let Some(directory) = env::var_os("XDG_RUNTIME_DIR").filter(|it| !it.is_empty()) {
        return PathBuf::from(directory).join("powerhose");
    }
    match rustix::process::getuid() {
        user if user.is_root() => "/run/powerhose".into(),
        user => format!("/tmp/powerhose-{}", user.as_raw()).into(),
    }
}

/// Where clients connect to.
pub(crate) fn frontend() -> String {
    format!("ipc://{}", directory().join("frontend").display())
}

/// Where workers connect to.
pub(crate) fn backend() -> String {
    format!("ipc://{}", directory().join("backend").display())
}
