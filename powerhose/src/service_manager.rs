//! Tells a service manager how far the process is, by systemd's protocol: one datagram to the socket that `NOTIFY_SOCKET` names.

use std::{env, ffi::OsStr, io, os::unix::net::UnixDatagram, time::Duration};

/// What a manager that is behind with its reading gets to make room.
const PATIENCE: Duration = Duration::from_secs(1);

/// Requests are answered from now on.
pub const READY: &str = "READY=1";

/// Settings are being read again; [`READY`] follows. It says when that began, without which a manager would not wait.
pub fn reloading() -> String {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
    format!("RELOADING=1\nMONOTONIC_USEC={micros}")
}

/// The process is on its way out.
pub const STOPPING: &str = "STOPPING=1";

/// Sends a state. Without `NOTIFY_SOCKET` in the environment nobody wants to know, and nothing happens. A
/// manager that reads nothing holds the caller up for a second at most, and is not told.
pub fn notify(state: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = tell(&path, state) {
        tracing::warn!(%error, "cannot reach the socket in NOTIFY_SOCKET");
    }
}

fn tell(path: &OsStr, state: &str) -> io::Result<usize> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    send(&socket, path, state)
}

#[cfg(target_os = "linux")]
fn send(socket: &UnixDatagram, path: &OsStr, state: &str) -> io::Result<usize> {
    use std::os::{
        linux::net::SocketAddrExt,
        unix::{ffi::OsStrExt, net::SocketAddr},
    };
    // A name that begins with @ lies outside the file system.
    match path.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.send_to_addr(state.as_bytes(), &SocketAddr::from_abstract_name(name)?),
        None => socket.send_to(state.as_bytes(), path),
    }
}

#[cfg(not(target_os = "linux"))]
fn send(socket: &UnixDatagram, path: &OsStr, state: &str) -> io::Result<usize> {
    socket.send_to(state.as_bytes(), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_that_reads_nothing_does_not_hold_the_process_up() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let _unread = UnixDatagram::bind(&path).expect("a socket");
        let full = (0..100_000).find_map(|_| tell(path.as_os_str(), READY).err());
        let full = full.expect("the system keeps less than that");
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock, "{full}");
    }
}
