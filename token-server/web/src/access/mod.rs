//! Who may get tokens at all: lists of users by issuer and subject, read again when their files change.

mod list;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use self::list::List;
pub use self::list::ListError;
use crate::settings;

/// How often a file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The lists of those who are let in and of those who are kept out.
#[derive(Debug)]
pub struct AccessLists {
    allow: Option<ListFile>,
    deny: Option<ListFile>,
}

/// A list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Its file cannot be read.
    #[error("cannot read the list of users {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A line of it is not understood.
    #[error("the list of users {}, {error}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, and what is wrong with it.
        error: ListError,
    },
}

impl AccessLists {
    /// Reads the lists that the settings name.
    ///
    /// # Errors
    ///
    /// [`AccessError`] for a file that cannot be read or understood. Once the lists are in use, such a
    /// file leaves the list as it was.
    pub fn open(settings: &settings::Users) -> Result<Self, AccessError> {
        let open = |path: &Option<PathBuf>| path.as_deref().map(ListFile::open).transpose();
        Ok(Self {
            allow: open(&settings.allow_file)?,
            deny: open(&settings.deny_file)?,
        })
    }

    /// Whether a user may get tokens: not on the one list, and on the other if there is one.
    #[must_use]
    pub fn admits(&self, issuer: &str, subject: &str) -> bool {
        let on = |file: &ListFile| file.contains(issuer, subject);
        !self.deny.as_ref().is_some_and(on) && self.allow.as_ref().is_none_or(on)
    }
}

/// A list and the file that it came from.
#[derive(Debug)]
struct ListFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    list: List,
    stamp: Option<Stamp>,
    looked_at: Instant,
}

/// What changes with the file's content.
type Stamp = (SystemTime, u64);

impl ListFile {
    fn open(path: &Path) -> Result<Self, AccessError> {
        let stamp = stamp(path).map_err(|error| unreadable(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(State {
                list: read(path)?,
                stamp: Some(stamp),
                looked_at: Instant::now(),
            }),
        })
    }

    fn contains(&self, issuer: &str, subject: &str) -> bool {
        let mut state = self.state.lock().expect("no panics under this lock");
        if state.looked_at.elapsed() >= LOOK_EVERY {
            state.looked_at = Instant::now();
            self.refresh(&mut state);
        }
        state.list.contains(issuer, subject)
    }

    fn refresh(&self, state: &mut State) {
        let stamp = stamp(&self.path).ok();
        if stamp == state.stamp {
            return;
        }
        state.stamp = stamp;
        match read(&self.path) {
            Ok(list) => {
                tracing::info!(path = %self.path.display(), "a list of users has changed");
                state.list = list;
            }
            // Neither everybody nor nobody: what was meant is not known.
            Err(error) => tracing::error!(%error, "a list of users stays as it was"),
        }
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.modified()?, metadata.len()))
}

fn read(path: &Path) -> Result<List, AccessError> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
    text.parse().map_err(|error| AccessError::Line {
        path: path.to_owned(),
        error,
    })
}

fn unreadable(path: &Path, error: io::Error) -> AccessError {
    AccessError::Unreadable {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lists(allow: Option<&Path>, deny: Option<&Path>) -> Result<AccessLists, AccessError> {
        AccessLists::open(&settings::Users {
            allow_new: true,
            allow_file: allow.map(Path::to_owned),
            deny_file: deny.map(Path::to_owned),
        })
    }

    #[test]
    fn without_lists_everybody_is_let_in() {
        assert!(lists(None, None).unwrap().admits("a.test", "u"));
    }

    #[test]
    fn who_is_on_both_lists_is_kept_out() {
        let directory = tempfile::tempdir().unwrap();
        let (allow, deny) = (
            directory.path().join("allow"),
            directory.path().join("deny"),
        );
        fs::write(&allow, "a.test *\n").unwrap();
        fs::write(&deny, "* mallory\n").unwrap();
        let lists = lists(Some(&allow), Some(&deny)).unwrap();
        assert!(lists.admits("a.test", "alice"));
        assert!(!lists.admits("a.test", "mallory"));
        assert!(!lists.admits("b.test", "alice"));
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_a_broken_one_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allow");
        fs::write(&path, "a.test alice\n").unwrap();
        let lists = lists(Some(&path), None).unwrap();
        let file = lists.allow.as_ref().unwrap();
        let look = || file.refresh(&mut file.state.lock().unwrap());

        fs::write(&path, "a.test alice\na.test bob\n").unwrap();
        look();
        assert!(lists.admits("a.test", "bob"));
        fs::write(&path, "one-word-alone\n").unwrap();
        look();
        assert!(lists.admits("a.test", "bob"));
        fs::remove_file(&path).unwrap();
        look();
        assert!(lists.admits("a.test", "bob"));
        fs::write(&path, "").unwrap();
        look();
        assert!(!lists.admits("a.test", "bob"), "nobody is on an empty list");
    }

    #[test]
    fn a_file_that_cannot_be_used_at_the_start_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allow");
        let error = lists(Some(&path), None).unwrap_err().to_string();
        assert!(error.contains("allow"), "{error}");
        fs::write(&path, "# users\n\nalone\n").unwrap();
        let error = lists(Some(&path), None).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
