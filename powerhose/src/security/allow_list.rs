use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::KeyError;
use super::key::PublicKey;

/// The largest file of keys, in bytes: some hundred thousand of them.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Public keys that are admitted. By default there are none.
///
/// A file holds a key on each line, which may be followed by a space and whose it is. Blank lines, and lines that begin with `#` and
/// a space, are comments. It is read again when it has changed, at the next connection; while it cannot be read, or holds something
/// that is no key, the keys before stay in force and the log says so. A connection that was admitted stays when its key is
/// taken off the list.
#[derive(Clone, Debug, Default)]
pub struct AllowList(Arc<Source>);

#[derive(Debug)]
enum Source {
    Fixed(HashSet<PublicKey>),
    File {
        path: PathBuf,
        known: Mutex<Known>,
    },
    /// Panics when it is asked.
    #[cfg(test)]
    Broken,
}

impl Default for Source {
    fn default() -> Self {
        Self::Fixed(HashSet::new())
    }
}

#[derive(Debug)]
struct Known {
    keys: HashSet<PublicKey>,
    /// What the file looked like when it was read last, or could not be.
    seen: Option<Stamp>,
}

/// Tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    len: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            len: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl AllowList {
    /// These keys.
    pub fn keys(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self(Source::Fixed(keys.into_iter().collect()).into())
    }

    /// The keys in a file, as they are now and as they will be.
    ///
    /// # Errors
    /// [`KeyError`], which names the file and the line.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self, KeyError> {
        let path = path.into();
        let (keys, stamp) = read(&path)?;
        let known = Mutex::new(Known {
            keys,
            seen: Some(stamp),
        });
        Ok(Self(Source::File { path, known }.into()))
    }

    /// Reads the file at once instead of at the next connection, and says how many keys are on the list. While it fails, the keys
    /// before stay in force.
    ///
    /// # Errors
    /// [`KeyError`], which names the file and the line.
    pub fn read_again(&self) -> Result<usize, KeyError> {
        match &*self.0 {
            Source::Fixed(keys) => Ok(keys.len()),
            Source::File { path, known } => {
                let (keys, stamp) = read(path)?;
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                known.keys = keys;
                known.seen = Some(stamp);
                Ok(known.keys.len())
            }
            #[cfg(test)]
            Source::Broken => Ok(0),
        }
    }

    /// Whether a key is on the list.
    pub fn admits(&self, key: &PublicKey) -> bool {
        match &*self.0 {
            Source::Fixed(keys) => keys.contains(key),
            Source::File { path, known } => {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                known.refresh(path);
                known.keys.contains(key)
            }
            #[cfg(test)]
            Source::Broken => panic!("a list of keys that is broken on purpose"),
        }
    }

    /// A list that whoever looks at it dies of.
    #[cfg(test)]
    pub(crate) fn broken() -> Self {
        Self(Source::Broken.into())
    }
}

impl Known {
    fn refresh(&mut self, path: &Path) {
        let now = path.metadata().ok().map(|metadata| Stamp::of(&metadata));
        if now == self.seen {
            return;
        }
        self.seen = now;
        match read(path) {
            Ok((keys, stamp)) => {
                tracing::debug!(?path, keys = keys.len(), "read the list of keys again");
                self.keys = keys;
                self.seen = Some(stamp);
            }
            Err(error) => tracing::error!(%error, "the list of keys stays as it was"),
        }
    }
}

fn read(path: &Path) -> Result<(HashSet<PublicKey>, Stamp), KeyError> {
    let failed = |source| KeyError::File {
        what: "read",
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.len() > MAX_FILE {
        let why = io::Error::new(io::ErrorKind::FileTooLarge, "more than 16 MiB of keys");
        return Err(failed(why));
    }
    let mut text = String::new();
    (file.by_ref().take(MAX_FILE).read_to_string(&mut text)).map_err(failed)?;
    let lines = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim()));
    let keys = lines
        .filter(|(_, line)| !line.is_empty() && *line != "#" && !line.starts_with("# "))
        .map(|(line, text)| {
            let key = text.split_whitespace().next().unwrap_or_default();
            key.parse().map_err(|_| KeyError::NoKeyIn {
                path: path.to_owned(),
                line,
            })
        })
        .collect::<Result<_, _>>()?;
    Ok((keys, Stamp::of(&metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::KeyPair;

    fn key() -> PublicKey {
        KeyPair::generate().expect("libzmq has CURVE").public()
    }

    #[test]
    fn a_file_is_read_again_when_it_has_changed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("workers");
        let (a, b) = (key(), key());
        std::fs::write(&path, format!("# ours\n\n{a} of host a\n")).expect("a file");
        let list = AllowList::file(&path).expect("a list");
        assert!(list.admits(&a) && !list.admits(&b));
        std::fs::write(&path, format!("{a}\n{b}\n#\n")).expect("a file");
        assert!(list.admits(&a) && list.admits(&b));
        std::fs::write(&path, format!("{b}\n")).expect("a file");
        assert!(!list.admits(&a) && list.admits(&b));
        std::fs::write(&path, format!("{a}\n{b}\n")).expect("a file");
        assert_eq!(list.read_again().expect("keys"), 2);
    }

    #[test]
    fn what_cannot_be_read_changes_nothing_once_running_and_is_an_error_at_the_start() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("workers");
        let a = key();
        std::fs::write(&path, format!("{a}\n")).expect("a file");
        let list = AllowList::file(&path).expect("a list");
        std::fs::write(&path, format!("{a}\nnonsense\n")).expect("a file");
        assert!(list.admits(&a));
        let error = AllowList::file(&path).expect_err("a line is no key");
        assert!(error.to_string().contains("line 2"), "{error}");
        let error = list.read_again().expect_err("a line is no key");
        assert!(error.to_string().contains("line 2"), "{error}");
        std::fs::remove_file(&path).expect("it is there");
        assert!(list.admits(&a));
        assert_eq!(AllowList::file(&path).expect_err("no file").exit_code(), 66);
    }
}
