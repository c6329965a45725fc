//! Running the simulator on a core that has a defect.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::simulation::{Campaign, Progress};

/// The variable that names the defect to have.
const PLANTED: &str = "POWERHOSE_MUTANT";

/// What came of a hunt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The seeds that were run, up to and with the one that found something.
    pub seeds: u64,
    /// What the last of them found; `None` if the core stood them all.
    pub violation: Option<String>,
}

/// How long a world may take, many thousand times what it needs, before it counts as one without end.
const ENDLESS: Duration = Duration::from_secs(60);

/// Runs the simulator on the core of this very program. What a defect keeps busy for ever is left behind in a thread.
///
/// # Panics
/// If the simulator itself does.
pub fn here(seeds: u64) -> Finding {
    let progress = Arc::new(Progress::default());
    let (tell, told) = mpsc::channel();
    let shared = Arc::clone(&progress);
    thread::spawn(move || {
        let _ = tell.send(run(seeds, &shared));
    });
    let mut runs = 0;
    loop {
        match told.recv_timeout(ENDLESS) {
            Ok(finding) => return finding,
            Err(RecvTimeoutError::Timeout) if progress.runs() > runs => runs = progress.runs(),
            Err(RecvTimeoutError::Timeout) => {
                return Finding {
                    seeds: runs + 1,
                    violation: Some("a world does not come to its end".to_owned()),
                };
            }
            Err(RecvTimeoutError::Disconnected) => panic!("the simulator panicked"),
        }
    }
}

fn run(seeds: u64, progress: &Progress) -> Finding {
    match (Campaign { seeds: 0..seeds }).run(progress) {
        Ok(_) => Finding {
            seeds,
            violation: None,
        },
        Err(failure) => Finding {
            seeds: failure.seed + 1,
            violation: Some(failure.what),
        },
    }
}

/// Has the program with mutants run the simulator on a core with this defect, or without any.
///
/// # Errors
/// If the program does not say what came of it.
pub fn hunt(program: &Path, mutant: Option<&str>, seeds: u64) -> io::Result<Finding> {
    let mut command = Command::new(program);
    command
        .args(["here", "--seeds", &seeds.to_string()])
        .env_remove(PLANTED)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if let Some(mutant) = mutant {
        command.env(PLANTED, mutant);
    }
    let output = command.output()?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let mutant = mutant.unwrap_or("none");
        io::Error::other(format!("mutant {mutant}: {}, {error}", output.status))
    })
}
