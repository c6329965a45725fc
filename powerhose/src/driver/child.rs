//! Child processes: started so that they do not outlive this one, watched without signals, reaped
//! by their own id.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

use crate::driver::clock::Clock;
use crate::driver::poll::{self, Poll};
use crate::supervisor::ExitCause;
use crate::time::Time;

/// How often a child is looked at that has no pidfd: outside Linux, before Linux 5.3, or when
/// descriptors ran out.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Starts processes of one command.
///
/// Linux ties the parent-death signal to the thread that forked, not to its process:
/// [`launch`](Self::launch) must be called from a thread that lives as long as the children shall.
pub(crate) struct Launcher {
    command: Command,
}

impl Launcher {
    /// Takes a command with program, arguments, environment and output; sets the rest.
    ///
    /// Each process leads a group of its own. A Ctrl-C at the terminal therefore reaches only the
    /// parent, which drains its jobs before it stops its workers; and helpers that a worker started
    /// can be found when it is gone.
    pub(crate) fn new(command: Command) -> Self {
        Self::bound_to(rustix::process::getpid(), command)
    }

    /// The same for a command that is talked to: its standard input, output and error are pipes.
    pub(crate) fn piped(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut launcher = Self::new(command);
        launcher.command.stdin(Stdio::piped());
        launcher
    }

    fn bound_to(parent: Pid, mut command: Command) -> Self {
        command.stdin(Stdio::null()).process_group(0);
        // SAFETY: between fork and exec only async-signal-safe functions may be called and nothing
        // allocated, for another thread may have held any lock. `prepare` makes three plain system
        // calls and builds its errors from numbers.
        #[expect(unsafe_code, reason = "the only hook between fork and exec")]
        unsafe {
            command.pre_exec(move || prepare(parent));
        }
        Self { command }
    }

    /// Starts one process. Returns once its program is loaded.
    pub(crate) fn launch(&mut self) -> io::Result<Child> {
        let inner = self.command.spawn()?;
        let pid = Pid::from_child(&inner);
        Ok(Child {
            inner,
            pid,
            is_reaped: false,
            pidfd: open_pidfd(pid),
        })
    }
}

/// What a child does between fork and exec.
fn prepare(parent: Pid) -> io::Result<()> {
    unblock_signals()?;
    die_with(parent)
}

/// A signal that the program blocks for itself would stay blocked across exec, and `SIGTERM` would
/// go unheard.
fn unblock_signals() -> io::Result<()> {
    let mut none = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset initializes the set it is given; sigprocmask reads it and accepts no
    // place for the old one.
    #[expect(unsafe_code, reason = "no safe wrapper at hand is callable after fork")]
    let result = unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut())
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Arranges to be killed when the parent dies.
///
/// Not asked to end: a worker without its parent has nobody to answer to, and one that ignores the
/// request would be an orphan.
#[cfg(target_os = "linux")]
fn die_with(parent: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the call above; then no signal comes any more.
    if rustix::process::getppid() == Some(parent) {
        Ok(())
    } else {
        Err(Errno::SRCH.into())
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with(_parent: Pid) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn open_pidfd(pid: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_pidfd(_pid: Pid) -> Option<OwnedFd> {
    None
}

/// A process that was started here. Dropping it leaves it running.
#[derive(Debug)]
pub(crate) struct Child {
    inner: std::process::Child,
    pid: Pid,
    /// Its number may be another one's by now.
    is_reaped: bool,
    /// Readable once the process has ended.
    pidfd: Option<OwnedFd>,
}

impl Child {
    pub(crate) fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
        // A stopped process would learn of it only when somebody continues it.
        self.signal(Signal::CONT);
    }

    /// Ends the process.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Ends the process and what it has started.
    pub(crate) fn kill_group(&self) {
        if !self.is_reaped {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// The pipes of a child of [`Launcher::piped`], once.
    pub(crate) fn take_pipes(&mut self) -> Option<(ChildStdin, ChildStdout, ChildStderr)> {
        let Child { inner, .. } = self;
        (inner
            .stdin
            .take()
            .zip(inner.stdout.take())
            .zip(inner.stderr.take()))
        .map(|((input, output), errors)| (input, output, errors))
    }

    /// Waits until the process has ended or the time is over, and reaps it with what is left of its group.
    pub(crate) fn wait_for(&mut self, timeout: Duration) -> Option<ExitCause> {
        let clock = Clock::new();
        loop {
            if let Some(cause) = self.try_reap() {
                self.is_reaped = true;
                return Some(cause);
            }
            let left = timeout.saturating_sub(clock.now().since(Time::ZERO));
            if left.is_zero() {
                return None;
            }
            let mut poll = Poll::default();
            let slept = match &self.pidfd {
                Some(pidfd) => {
                    poll.add(pidfd.as_fd());
                    poll::wait(&mut poll, Some(left)).is_ok()
                }
                None => false,
            };
            if !slept {
                std::thread::sleep(left.min(LOOK_EVERY));
            }
        }
    }

    fn signal(&self, signal: Signal) {
        // It fails only when the process is gone already, which reaping will find out.
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            let _ = rustix::process::pidfd_send_signal(pidfd, signal);
            return;
        }
        let _ = kill_process(self.pid, signal);
    }

    /// Reaps the process if it has ended, together with what is left of its group.
    fn try_reap(&mut self) -> Option<ExitCause> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.pid), options) {
            Ok(None) => return None,
            // While the dead leader is not reaped, its number cannot have become another group's.
            Ok(Some(_)) => {
                let _ = kill_process_group(self.pid, Signal::KILL);
            }
            Err(_) => return Some(ExitCause::Unknown),
        }
        match self.inner.try_wait() {
            Ok(status) => status.map(ExitCause::from),
            Err(_) => Some(ExitCause::Unknown),
        }
    }
}

/// What a [`wait`] brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Woken {
    /// Whether the wake-up descriptor is readable.
    pub(crate) raised: bool,
    /// The children that ended, reaped and taken out of the map.
    pub(crate) ended: Vec<(usize, ExitCause)>,
}

/// Waits until a child ends, `wakeup` is readable or the time is over, whichever comes first.
pub(crate) fn wait(
    children: &mut BTreeMap<usize, Child>,
    wakeup: BorrowedFd<'_>,
    timeout: Option<Duration>,
) -> Woken {
    let (raised, due) = sleep(children, wakeup, timeout);
    let mut ended = Vec::new();
    for key in due {
        let Some(child) = children.get_mut(&key) else {
            continue;
        };
        match child.try_reap() {
            Some(cause) => {
                ended.push((key, cause));
                children.remove(&key);
            }
            // Not ended, or a dead process that a debugger holds back: its pidfd stays readable,
            // and polling it would spin.
            None => child.pidfd = None,
        }
    }
    Woken { raised, ended }
}

/// Sleeps until there is something to do. Returns whether `wakeup` is readable, and which children
/// to look at: those whose pidfd is readable, and those without one.
fn sleep(
    children: &BTreeMap<usize, Child>,
    wakeup: BorrowedFd<'_>,
    timeout: Option<Duration>,
) -> (bool, Vec<usize>) {
    let mut poll = Poll::default();
    let wakeup = poll.add(wakeup);
    let mut watched = Vec::new();
    let mut due = Vec::new();
    for (&key, child) in children {
        match &child.pidfd {
            Some(pidfd) => watched.push((key, poll.add(pidfd.as_fd()))),
            None => due.push(key),
        }
    }
    let limit = if due.is_empty() {
        None
    } else {
        Some(LOOK_EVERY)
    };
    let timeout = timeout.into_iter().chain(limit).min();
    if poll::wait(&mut poll, timeout).is_err() {
        // The system is out of memory or descriptors: from now on look at all of them, without.
        std::thread::sleep(LOOK_EVERY);
        return (true, children.keys().copied().collect());
    }
    let ready = watched
        .into_iter()
        .filter(|&(_, place)| poll.is_ready(place));
    due.extend(ready.map(|(key, _)| key));
    (poll.is_ready(wakeup), due)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn launch(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Launcher::new(command).launch().expect("sh runs")
    }

    /// Waits for one child alone, never woken up.
    fn outcome(child: Child) -> ExitCause {
        let (_silent, wakeup) = UnixStream::pair().expect("a pair");
        let mut children = BTreeMap::from([(4, child)]);
        loop {
            let woken = wait(&mut children, wakeup.as_fd(), None);
            if let [(key, cause)] = woken.ended[..] {
                assert_eq!((key, children.len()), (4, 0));
                return cause;
            }
        }
    }

    #[test]
    fn an_end_is_noticed_with_and_without_a_pidfd() {
        assert_eq!(outcome(launch("exit 3")), ExitCause::Code(3));
        let mut blind = launch("exit 4");
        blind.pidfd = None;
        assert_eq!(outcome(blind), ExitCause::Code(4));
    }

    #[test]
    fn a_child_without_a_pidfd_can_be_told_to_end() {
        let mut blind = launch("exec sleep 1000");
        blind.pidfd = None;
        blind.terminate();
        assert_eq!(
            outcome(blind),
            ExitCause::Signal {
                signal: 15,
                core_dumped: false
            }
        );
    }

    #[test]
    fn a_status_that_somebody_else_took_is_unknown() {
        let child = launch("exit 0");
        rustix::process::waitpid(Some(child.pid), rustix::process::WaitOptions::empty())
            .expect("it is our child");
        assert_eq!(outcome(child), ExitCause::Unknown);
    }

    #[test]
    fn a_wake_up_and_a_timeout_end_the_wait() {
        use std::io::Write;

        let (mut waker, wakeup) = UnixStream::pair().expect("a pair");
        let mut children = BTreeMap::from([(0, launch("exec sleep 1000"))]);
        for (raised, timeout) in [(false, Some(Duration::ZERO)), (true, None)] {
            let woken = wait(&mut children, wakeup.as_fd(), timeout);
            assert_eq!((woken.raised, woken.ended), (raised, vec![]));
            waker.write_all(&[1]).expect("an open pair");
        }
        let child = children.remove(&0).expect("it has not ended");
        child.kill();
        assert_eq!(
            outcome(child),
            ExitCause::Signal {
                signal: 9,
                core_dumped: false
            }
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_child_whose_parent_died_meanwhile_does_not_start() {
        let launched = Launcher::bound_to(Pid::INIT, Command::new("true")).launch();
        let error = launched.expect_err("init is not its parent");
        assert_eq!(error.raw_os_error(), Some(Errno::SRCH.raw_os_error()));
    }

    #[test]
    #[expect(
        unsafe_code,
        reason = "blocks a signal, which has no safe wrapper here"
    )]
    fn a_child_hears_the_signals_that_its_parent_blocks() {
        let mut blocked = std::mem::MaybeUninit::uninit();
        // SAFETY: both functions initialize or read the set they are given; the mask is this
        // thread's own.
        unsafe {
            libc::sigemptyset(blocked.as_mut_ptr());
            libc::sigaddset(blocked.as_mut_ptr(), libc::SIGTERM);
            libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), std::ptr::null_mut());
        }
        let child = launch("exec sleep 1000");
        child.terminate();
        assert_eq!(
            outcome(child),
            ExitCause::Signal {
                signal: 15,
                core_dumped: false
            }
        );
    }
}
