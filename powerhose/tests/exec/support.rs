use std::time::Duration;

/// How long anything may take before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A worker in Python as `docs/exec-workers.md` has it. What it does with a job depends on the job.
pub(crate) const PYTHON: &str = r#"
import os, struct, subprocess, sys, time
jobs, answers = sys.stdin.buffer, sys.stdout.buffer
while head := jobs.read(4):
    job = jobs.read(*struct.unpack(">I", head))
    failure = 0
    if job == b"fail":
        failure, answer = 1 << 31, b"as asked"
    elif job == b"crash":
        os.abort()
    elif job == b"exit":
        sys.exit(3)
    elif job == b"pid":
        answer = b"%d" % os.getpid()
    elif job == b"print":
        print("Hello, world"); sys.stdout.flush(); continue
    elif job.startswith(b"hang "):
        helper = subprocess.Popen(["sleep", "1000"])
        with open(job[5:] + b".new", "w") as file:
            file.write(f"{os.getpid()} {helper.pid}")
        os.rename(job[5:] + b".new", job[5:])
        time.sleep(1000)
    else:
        answer = job.upper()
    answers.write(struct.pack(">I", len(answer) | failure) + answer)
    answers.flush()
"#;

/// Waits until something is so.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    const PAUSE: Duration = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(waited < PATIENCE, "{what} did not come to pass");
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

/// Whether a process runs; one that has ended and waits for its parent does not.
pub(crate) fn runs(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    !state.starts_with(['Z', 'X'])
}

/// The process ids that a hanging job wrote.
pub(crate) fn pids(path: &std::path::Path) -> Vec<u32> {
    let text = until("the job's start", || std::fs::read_to_string(path).ok());
    (text.split(' ').map(str::parse).collect::<Result<_, _>>()).expect("numbers")
}
