//! The CPU time of processes.

use std::error::Error;
use std::time::Duration;

use procfs::process::Process;

/// The CPU time, system calls included, that `processes` have used so far.
///
/// # Errors
/// A process that is gone.
pub fn cpu_time(processes: &[u32]) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    let mut ticks = 0;
    for &pid in processes {
        let stat = Process::new(i32::try_from(pid)?)?.stat()?;
        ticks += stat.utime + stat.stime;
    }
    Ok(Duration::from_secs_f64(
        ticks as f64 / procfs::ticks_per_second() as f64,
    ))
}
