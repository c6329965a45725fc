//! The right to listen at an ipc path.
//!
//! libzmq removes whatever file it finds at the path before it binds, so a second master would silently steal the first one's
//! workers. Whoever binds holds the lock on `PATH.lock` from before the bind until the socket is closed; the system
//! releases it when the process dies, however it dies.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// Why an ipc path cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Another process listens there, or this one already does.
    #[error("{path:?} is in use{}: stop that one or choose another path", match .pid {
        Some(pid) => format!(" by process {pid}"),
        None => String::new(),
    })]
    InUse {
        /// The path.
        path: PathBuf,
        /// The process that holds it, if it is one of Powerhose's.
        pid: Option<u32>,
    },
    /// There is something else than a socket at the path.
    #[error("{path:?} exists and is not a socket: move it away or choose another path")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// Others could replace the socket by theirs.
    #[error(
        "others may replace files in {directory:?}: chmod go-w it or choose a private directory"
    )]
    Exposed {
        /// The directory.
        directory: PathBuf,
    },
    /// The system refused.
    #[error("cannot {what} {path:?}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// An ipc path that only this process may bind, until this is dropped. Drop it after the socket is closed.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    _lock: Lock,
}

impl Claim {
    /// Takes the path: makes its directory (for this user only) if it is missing, takes the lock, and removes the socket that a
    /// process left behind which did not close it.
    ///
    /// # Errors
    /// [`ClaimError`]; it names the path.
    pub(crate) fn new(path: &Path) -> Result<Self, ClaimError> {
        if let Some(directory) = path.parent() {
            prepare(directory)?;
        }
        let lock = Lock::take(path)?;
        remove_stale(path)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // libzmq leaves it. What cannot be removed, the next one finds stale.
        let _ = fs::remove_file(&self.path);
    }
}

fn prepare(directory: &Path) -> Result<(), ClaimError> {
    let failed = |what, source| ClaimError::Io {
        what,
        path: directory.to_owned(),
        source,
    };
    (DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory))
    .map_err(|error| failed("create", error))?;
    let mode = (directory
        .metadata()
        .map_err(|error| failed("look at", error))?)
    .mode();
    // With the sticky bit, as on /tmp, others cannot rename or remove what is ours.
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        return Err(ClaimError::Exposed {
            directory: directory.to_owned(),
        });
    }
    Ok(())
}

/// The lock on `PATH.lock`, whose file is removed while it is held.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn take(guarded: &Path) -> Result<Self, ClaimError> {
        let mut path = guarded.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let failed = |what, source| ClaimError::Io {
            what,
            path: path.clone(),
            source,
        };
        loop {
            let mut file = (OpenOptions::new().read(true).write(true).create(true))
                .truncate(false)
                .mode(0o600)
                .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
                .open(&path)
                .map_err(|error| failed("open", error))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    let mut holder = String::new();
                    let _ = file.read_to_string(&mut holder);
                    return Err(ClaimError::InUse {
                        path: guarded.to_owned(),
                        pid: holder.trim().parse().ok(),
                    });
                }
                Err(error) => return Err(failed("lock", error.into())),
            }
            // The holder before may have removed the file between our open and our lock. Then somebody else could make and lock
            // a new one, so only the lock on the file that is there now counts.
            let ours = file.metadata().map_err(|error| failed("look at", error))?;
            let is_there = fs::symlink_metadata(&path)
                .is_ok_and(|found| (found.dev(), found.ino()) == (ours.dev(), ours.ino()));
            if is_there {
                write_pid(&mut file).map_err(|error| failed("write", error))?;
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Removes the socket at the path if nobody listens there. To be called under the lock.
fn remove_stale(path: &Path) -> Result<(), ClaimError> {
    let failed = |what, source| ClaimError::Io {
        what,
        path: path.to_owned(),
        source,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at", error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ClaimError::NotASocket {
                path: path.to_owned(),
            });
        }
        Ok(_) => {}
    }
    // A program that knows nothing of the lock may listen there.
    if UnixStream::connect(path).is_ok() {
        return Err(ClaimError::InUse {
            path: path.to_owned(),
            pid: None,
        });
    }
    fs::remove_file(path).map_err(|error| failed("remove", error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    #[test]
    fn a_path_can_be_claimed_once_and_again_after_its_release() {
        let directory = directory();
        let path = directory.path().join("backend");
        let claim = Claim::new(&path).expect("it is free");
        match Claim::new(&path) {
            Err(ClaimError::InUse { path: named, pid }) => {
                assert_eq!((named, pid), (path.clone(), Some(std::process::id())));
            }
            other => panic!("claimed twice: {other:?}"),
        }
        drop(claim);
        drop(Claim::new(&path).expect("it is free again"));
        assert_eq!(fs::read_dir(&directory).expect("readable").count(), 0);
    }

    #[test]
    fn a_missing_directory_is_made_for_this_user_only() {
        let directory = directory();
        let path = directory.path().join("a/b/backend");
        let _claim = Claim::new(&path).expect("it is free");
        let made = fs::metadata(directory.path().join("a/b")).expect("it was made");
        assert_eq!(made.mode() & 0o777, 0o700);
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let directory = directory();
        let set =
            |mode| fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).expect("ours");
        set(0o770);
        let path = directory.path().join("backend");
        assert!(matches!(Claim::new(&path), Err(ClaimError::Exposed { .. })));
        set(0o1777);
        Claim::new(&path).expect("the sticky bit protects our files");
    }

    #[test]
    fn a_stale_socket_is_removed() {
        let directory = directory();
        let path = directory.path().join("backend");
        drop(UnixListener::bind(&path).expect("a socket"));
        assert!(path.exists());
        let _claim = Claim::new(&path).expect("nobody listens");
        assert!(!path.exists());
    }

    #[test]
    fn a_listener_that_knows_no_lock_is_left_alone() {
        let directory = directory();
        let path = directory.path().join("backend");
        let _listener = UnixListener::bind(&path).expect("a socket");
        let error = Claim::new(&path).expect_err("somebody listens");
        assert!(
            matches!(error, ClaimError::InUse { pid: None, .. }),
            "{error}"
        );
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let directory = directory();
        let path = directory.path().join("backend");
        fs::write(&path, "precious").expect("writable");
        let error = Claim::new(&path).expect_err("not ours to remove");
        assert!(matches!(error, ClaimError::NotASocket { .. }), "{error}");
        assert_eq!(fs::read(&path).expect("still there"), b"precious");
    }
}
