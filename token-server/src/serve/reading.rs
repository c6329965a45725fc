//! Settings are read at the start, and again when a signal asks for it.

use std::{env, sync::Arc};

use powerhose::service_manager;
use sysexits::ExitCode;
use token_server_web::{
    App,
    settings::{Settings, Sources},
};
use tokio::signal::unix::Signal;

use super::{Serve, keys};
use crate::{failure::Failure, manager::tell, nodes, signals::StopSignals};

impl Serve {
    /// Reads the settings and the files that they name, and checks them.
    pub(super) fn read(&self) -> Result<Settings, Failure> {
        let environment = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut assignments = self.assignments.clone();
        if let Some(address) = self.listen {
            assignments.push(("http.listen".to_owned(), address.to_string()));
        }
        let settings = Settings::load(&Sources {
            file: self.settings.as_deref(),
            environment,
            assignments,
        })?;
        keys::check(&settings)?;
        Ok(settings)
    }
}

/// Reads the settings again at every signal, until the server is told to stop. Where that fails everything
/// stays as it was.
pub(super) async fn follow(serve: Serve, mut hangups: Signal, stops: StopSignals, app: App) {
    let serve = Arc::new(serve);
    let rereading = async {
        while hangups.recv().await.is_some() {
            tell(service_manager::reloading()).await;
            match read_again(&serve, &app).await {
                Ok(()) => tracing::info!("read the settings again"),
                Err(failure) => tracing::error!("the settings stay as they are: {failure}"),
            }
            tell(service_manager::READY).await;
        }
    };
    tokio::select! {
        () = rereading => {}
        () = stops.first() => {}
    }
}

async fn read_again(serve: &Arc<Serve>, app: &App) -> Result<(), Failure> {
    let (reader, reading_app) = (Arc::clone(serve), app.clone());
    // Files may be slow.
    let reading = tokio::task::spawn_blocking(move || {
        let settings = reader.read()?;
        Ok::<_, Failure>(reading_app.succeed(settings)?)
    });
    let successor = match reading.await {
        Ok(outcome) => outcome?,
        Err(panic) => return Err(Failure::new(ExitCode::Software, panic.to_string())),
    };
    // A secret that has to be replaced cannot wait until the database is back.
    if let Err(failure) = nodes::prepare(app.store(), successor.settings()).await {
        tracing::error!("the nodes could not be looked at: {failure}");
    }
    for setting in successor.kept() {
        tracing::warn!(setting, "has changed: that takes a restart");
    }
    app.follow(successor);
    Ok(())
}
