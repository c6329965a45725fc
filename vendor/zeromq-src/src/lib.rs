//! Offers the part of zeromq-src 0.2 that zmq-sys calls, and builds what zeromq-src 0.3 has:
//! libzmq 4.3.5, here always with CURVE (from libsodium) and, on Linux, with eventfd.

use std::path::{Path, PathBuf};

// Without these libzmq signals between its threads over socket pairs: 15 % more latency per hop.
const EVENTFD: &str = "-DZMQ_HAVE_EVENTFD=1 -DZMQ_HAVE_EVENTFD_CLOEXEC=1 \
                       -DZMQ_HAVE_SOCK_CLOEXEC=1 -DZMQ_HAVE_O_CLOEXEC=1";

/// Where a library and its headers are.
#[derive(Debug, Clone)]
pub struct LibLocation {
    include_dir: PathBuf,
    lib_dir: PathBuf,
}

impl LibLocation {
    /// A library in `lib_dir` with headers in `include_dir`.
    pub fn new<L: Into<PathBuf>, I: Into<PathBuf>>(lib_dir: L, include_dir: I) -> Self {
        Self { include_dir: include_dir.into(), lib_dir: lib_dir.into() }
    }

    /// The folder of the headers.
    pub fn include_dir(&self) -> &Path {
        &self.include_dir
    }

    /// The folder of the library.
    pub fn lib_dir(&self) -> &Path {
        &self.lib_dir
    }
}

/// How to build libzmq.
#[derive(Debug, Clone, Default)]
pub struct Build {
    libsodium: Option<LibLocation>,
}

impl Build {
    /// The settings that this crate stands for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses another libsodium than the vendored one. zmq-sys passes `None`, which keeps the vendored one:
    /// libzmq without CURVE would silently lose encryption.
    pub fn with_libsodium(&mut self, location: Option<LibLocation>) -> &mut Self {
        self.libsodium = location;
        self
    }

    /// Builds libzmq and prints the link instructions for cargo.
    pub fn build(&mut self) {
        let sodium = self.libsodium.take().unwrap_or_else(|| {
            LibLocation::new(env!("POWERHOSE_SODIUM_LIB"), env!("POWERHOSE_SODIUM_INCLUDE"))
        });
        if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
            let flags = std::env::var("CXXFLAGS").unwrap_or_default();
            // SAFETY: this runs in zmq-sys's build script, which has one thread and reads the
            // environment only after this line.
            unsafe { std::env::set_var("CXXFLAGS", format!("{flags} {EVENTFD}")) };
        }
        zeromq_src_current::Build::new()
            .with_libsodium(Some(zeromq_src_current::LibLocation::new(
                sodium.lib_dir(),
                sodium.include_dir(),
            )))
            .build();
    }
}
