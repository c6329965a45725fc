//! Tells a service manager how far the process is, by systemd's protocol: one datagram to the socket that `NOTIFY_SOCKET` names.

use std::{env, os::unix::net::UnixDatagram};

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

/// Sends a state. Without `NOTIFY_SOCKET` in the environment nobody wants to know, and nothing happens.
pub fn notify(state: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let sent = UnixDatagram::unbound().and_then(|socket| send(&socket, &path, state));
    if let Err(error) = sent {
        tracing::warn!(%error, "cannot reach the socket in NOTIFY_SOCKET");
    }
}

#[cfg(target_os = "linux")]
fn send(socket: &UnixDatagram, path: &std::ffi::OsStr, state: &str) -> std::io::Result<usize> {
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
fn send(socket: &UnixDatagram, path: &std::ffi::OsStr, state: &str) -> std::io::Result<usize> {
    socket.send_to(state.as_bytes(), path)
}
