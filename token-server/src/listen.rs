use std::{io, net::SocketAddr};

use sysexits::ExitCode;
use tokio::net::TcpListener;

use crate::failure::Failure;

/// Listens on `address`. `remedy` says how the user chooses another one.
pub(crate) async fn listen(address: SocketAddr, remedy: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let code = match error.kind() {
            io::ErrorKind::PermissionDenied => ExitCode::NoPerm,
            _ => ExitCode::Unavailable,
        };
        Failure::new(
            code,
            format!("cannot listen on {address}: {error}; {remedy}"),
        )
    })
}

/// Listens on `address` if nobody else does, or else on any free port of it.
pub(crate) async fn listen_preferably(address: SocketAddr) -> Result<TcpListener, Failure> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(_) => listen(SocketAddr::new(address.ip(), 0), "no port is free").await,
    }
}

/// The address that a listener got.
pub(crate) fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener
        .local_addr()
        .map_err(|error| Failure::system("read a socket's address", &error))
}
