use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Instant,
};

use super::{AccessError, LOOK_EVERY, List};

/// A list and the file that it came from.
#[derive(Debug)]
pub(super) struct ListFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    list: List,
    /// Of what was read last, whether it could be understood or not.
    stamp: Option<Stamp>,
    /// What was wrong at the last look.
    complaint: Option<String>,
    looked_at: Instant,
}

/// What changes with the file's content, and with whether it can be read. The time of modification would
/// not do: copies may keep it, and permissions leave it alone.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed_at: (i64, i64),
    bytes: u64,
}

impl ListFile {
    pub(super) fn open(path: &Path) -> Result<Self, AccessError> {
        let stamp = stamp(path).map_err(|error| unreadable(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(State {
                list: read(path)?,
                stamp: Some(stamp),
                complaint: None,
                looked_at: Instant::now(),
            }),
        })
    }

    pub(super) fn contains(&self, issuer: &str, subject: &str) -> bool {
        let mut state = self.state.lock().expect("no panics under this lock");
        if state.looked_at.elapsed() >= LOOK_EVERY {
            state.looked_at = Instant::now();
            self.refresh(&mut state);
        }
        state.list.contains(issuer, subject)
    }

    fn refresh(&self, state: &mut State) {
        let stamp = stamp(&self.path).ok();
        if stamp.is_some() && stamp == state.stamp {
            return;
        }
        let outcome = read(&self.path);
        // What could not be read now may be readable at the next look, though nothing has changed.
        let is_read = !matches!(outcome, Err(AccessError::Unreadable { .. }));
        state.stamp = stamp.filter(|_| is_read);
        match outcome {
            Ok(list) => {
                tracing::info!(path = %self.path.display(), "a list of users has changed");
                state.list = list;
                state.complaint = None;
            }
            // Neither everybody nor nobody: what was meant is not known.
            Err(error) => {
                let complaint = error.to_string();
                if state.complaint.as_ref() != Some(&complaint) {
                    tracing::error!(%error, "a list of users stays as it was");
                    state.complaint = Some(complaint);
                }
            }
        }
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = fs::metadata(path)?;
    Ok(Stamp {
        inode: metadata.ino(),
        changed_at: (metadata.ctime(), metadata.ctime_nsec()),
        bytes: metadata.len(),
    })
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

    #[test]
    fn a_file_that_changes_is_read_again_and_a_broken_one_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allow");
        fs::write(&path, "a.test alice\n").unwrap();
        let file = ListFile::open(&path).unwrap();
        let look = || file.refresh(&mut file.state.lock().unwrap());

        fs::write(&path, "a.test alice\na.test bob\n").unwrap();
        look();
        assert!(file.contains("a.test", "bob"));
        fs::write(&path, "one-word-alone\n").unwrap();
        look();
        assert!(file.contains("a.test", "bob"));
        fs::remove_file(&path).unwrap();
        look();
        assert!(file.contains("a.test", "bob"));
        fs::write(&path, "").unwrap();
        look();
        assert!(
            !file.contains("a.test", "bob"),
            "nobody is on an empty list"
        );
    }

    #[test]
    fn a_file_that_looks_as_old_and_as_long_as_before_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allow");
        fs::write(&path, "a.test alice\n").unwrap();
        let file = ListFile::open(&path).unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();

        let copy = directory.path().join("copy");
        fs::write(&copy, "a.test carol\n").unwrap();
        let opened = fs::File::options().write(true).open(&copy).unwrap();
        opened.set_modified(modified).unwrap();
        fs::rename(&copy, &path).unwrap();
        file.refresh(&mut file.state.lock().unwrap());
        assert!(file.contains("a.test", "carol"));
    }

    #[test]
    fn a_file_that_cannot_be_used_at_the_start_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allow");
        let error = ListFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("allow"), "{error}");
        fs::write(&path, "# users\n\nalone\n").unwrap();
        let error = ListFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
