//! Python with the packages that the tests need: a virtual environment in cargo's target folder, made on first use.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::paths;

/// A command that runs a script with every package of `tests/requirements.txt` at hand. What it prints comes out line by line.
///
/// The first call on a machine takes a while: it downloads the packages. Other tests and processes wait for it.
///
/// # Panics
/// If there is no Python 3 or the packages cannot be installed; the message says what to do.
pub fn command(script: &Path) -> Command {
    let mut command = interpreter();
    command.arg(script);
    command
}

/// The same for a module, as `python -m` runs it, with the project's own Python package at hand.
///
/// # Panics
/// As [`command`].
pub fn module(name: &str) -> Command {
    let mut command = interpreter();
    command.env("PYTHONPATH", package()).args(["-m", name]);
    command
}

/// The folder of the project's own Python package.
pub fn package() -> PathBuf {
    paths::repository().join("workers/python")
}

/// The interpreter that has every package of `tests/requirements.txt`.
fn interpreter() -> Command {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    let interpreter = INTERPRETER.get_or_init(|| {
        Environment {
            python: "python3",
            requirements: paths::repository().join("tests/requirements.txt"),
            folder: paths::target().join("python-venv"),
        }
        .prepare()
        .unwrap_or_else(|failure| panic!("{failure}"))
    });
    let mut command = Command::new(interpreter);
    shield(&mut command)
        .env("PYTHONUNBUFFERED", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A virtual environment that is to be.
struct Environment<'a> {
    /// The interpreter that it is made of.
    python: &'a str,
    /// What is to be installed.
    requirements: PathBuf,
    /// Where it is to be. A lock file stands beside it.
    folder: PathBuf,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(
        "the tests need Python 3.9 or later, and {python} is not to be had ({why}): install it, on Debian and Ubuntu with \
         `apt-get install python3 python3-venv`"
    )]
    NoPython { python: String, why: String },
    #[error(
        "{python} cannot make a virtual environment: install its venv module, on Debian and Ubuntu with \
         `apt-get install python3-venv`; it said:\n{output}"
    )]
    NoVenv { python: String, output: String },
    #[error(
        "pip could not install {requirements}: it needs a package index, PyPI unless PIP_INDEX_URL names another; it \
         said:\n{output}"
    )]
    NoPackages {
        requirements: PathBuf,
        output: String,
    },
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
}

impl Environment<'_> {
    /// Makes the environment unless it is there already, and returns its interpreter.
    fn prepare(&self) -> Result<PathBuf, Failure> {
        let requirements = fs::read(&self.requirements).map_err(file(&self.requirements))?;
        let fingerprint = fingerprint(&self.identify()?, &requirements);
        let interpreter = self.folder.join("bin/python");
        let stamp = self.folder.join("stamp");

        let lock = self.folder.with_extension("lock");
        if let Some(parent) = lock.parent() {
            fs::create_dir_all(parent).map_err(file(parent))?;
        }
        // Held until the end of this function, or of this process.
        let guard = File::create(&lock).map_err(file(&lock))?;
        guard.lock().map_err(file(&lock))?;

        if fs::read_to_string(&stamp).is_ok_and(|text| text == fingerprint) {
            return Ok(interpreter);
        }
        // Another one, or one whose making was interrupted.
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(file(&self.folder)(error));
            }
            _ => {}
        }
        self.make(&interpreter)?;
        fs::write(&stamp, fingerprint).map_err(file(&stamp))?;
        Ok(interpreter)
    }

    /// What the interpreter says of itself: an environment does not outlive it.
    fn identify(&self) -> Result<Vec<u8>, Failure> {
        let absent = |why| Failure::NoPython {
            python: self.python.to_owned(),
            why,
        };
        let script = "import sys; assert sys.version_info >= (3, 9), sys.version; print(sys.version, sys.base_prefix)";
        let output = (shield(&mut Command::new(self.python)))
            .args(["-c", script])
            .output()
            .map_err(|error| absent(error.to_string()))?;
        if !output.status.success() {
            return Err(absent(said(&output)));
        }
        Ok(output.stdout)
    }

    fn make(&self, interpreter: &Path) -> Result<(), Failure> {
        eprintln!("making a Python environment in {}", self.folder.display());
        let output = (shield(&mut Command::new(self.python)))
            .args(["-m", "venv"])
            .arg(&self.folder)
            .output();
        match output {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                return Err(Failure::NoVenv {
                    python: self.python.to_owned(),
                    output: said(&output),
                });
            }
            Err(error) => return Err(file(Path::new(self.python))(error)),
        }
        eprintln!("installing {}", self.requirements.display());
        let output = (shield(&mut Command::new(interpreter)))
            .args(["-m", "pip", "install", "--quiet", "--no-input"])
            .args(["--disable-pip-version-check", "--requirement"])
            .arg(&self.requirements)
            .output()
            .map_err(file(interpreter))?;
        if !output.status.success() {
            return Err(Failure::NoPackages {
                requirements: self.requirements.clone(),
                output: said(&output),
            });
        }
        eprintln!("the Python environment is ready");
        Ok(())
    }
}

/// Keeps packages that the user has elsewhere out of the way.
fn shield(command: &mut Command) -> &mut Command {
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME")
}

fn fingerprint(python: &[u8], requirements: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(python)
        .chain_update(requirements)
        .finalize();
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn file(path: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::File {
        path: path.to_owned(),
        error,
    }
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn environment<'a>(root: &Path, python: &'a str, requirements: &str) -> Environment<'a> {
        let path = root.join("requirements.txt");
        fs::write(&path, requirements).expect("a file");
        Environment {
            python,
            requirements: path,
            folder: root.join("python-venv"),
        }
    }

    #[test]
    fn a_missing_python_is_a_failure_with_the_remedy() {
        let root = tempfile::tempdir().expect("a directory");
        let failure = environment(root.path(), "python-that-is-not-there", "")
            .prepare()
            .expect_err("there is none");
        assert!(matches!(failure, Failure::NoPython { .. }));
        let text = failure.to_string();
        assert!(text.contains("apt-get install python3"), "{text}");
        assert!(!root.path().join("python-venv").exists());
    }

    #[test]
    fn a_program_that_is_no_python_is_a_failure_with_the_remedy() {
        let root = tempfile::tempdir().expect("a directory");
        let failure = (environment(root.path(), "false", "").prepare()).expect_err("no Python");
        assert!(matches!(failure, Failure::NoPython { .. }), "{failure}");
    }

    #[test]
    fn one_of_many_makes_the_environment_and_the_others_wait() {
        let root = tempfile::tempdir().expect("a directory");
        let environment = environment(root.path(), "python3", "# nothing\n");
        let made: Vec<_> = thread::scope(|scope| {
            let prepare = || {
                let interpreter = environment.prepare().expect("an environment");
                // Made anew, the environment would lose this file.
                let witness = environment
                    .folder
                    .join(format!("{:?}", thread::current().id()));
                fs::write(&witness, "").expect("a file");
                (interpreter, witness)
            };
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(prepare)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect()
        });
        for (interpreter, witness) in &made {
            assert!(interpreter.exists());
            assert!(witness.exists(), "the environment was made twice");
        }

        fs::write(&environment.requirements, "# nothing else\n").expect("a file");
        environment.prepare().expect("an environment");
        assert!(
            !made[0].1.exists(),
            "other requirements, and the same environment"
        );
    }

    #[test]
    fn what_pip_cannot_install_is_a_failure_and_leaves_no_stamp() {
        let root = tempfile::tempdir().expect("a directory");
        let environment = environment(root.path(), "python3", "./a-folder-that-is-not-there\n");
        let failure = environment.prepare().expect_err("there is no such folder");
        assert!(matches!(failure, Failure::NoPackages { .. }), "{failure}");
        let text = failure.to_string();
        assert!(text.contains("a-folder-that-is-not-there"), "{text}");
        assert!(!environment.folder.join("stamp").exists());
    }
}
