//! Settings are read at the start, and again when a signal asks for it.

use std::{env, sync::Arc};

use powerhose::service_manager::{self, notify};
use token_server_web::{
    App,
    settings::{Settings, Sources},
};
use tokio::signal::unix::Signal;

use super::{Serve, keys};
use crate::{failure::Failure, nodes};

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

/// Reads the settings again at every signal. Where that fails everything stays as it was.
pub(super) async fn follow(serve: Serve, mut hangups: Signal, app: App) {
    let serve = Arc::new(serve);
    while hangups.recv().await.is_some() {
        tell(service_manager::reloading()).await;
        match read_again(&serve, &app).await {
            Ok(kept) => {
                tracing::info!("read the settings again");
                for setting in kept {
                    tracing::warn!(setting, "has changed: that takes a restart");
                }
            }
            Err(failure) => tracing::error!("the settings stay as they are: {failure}"),
        }
        tell(service_manager::READY.to_owned()).await;
    }
}

/// The manager may let its senders wait; requests must not.
async fn tell(state: String) {
    let told = tokio::task::spawn_blocking(move || notify(&state));
    told.await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
}

async fn read_again(serve: &Arc<Serve>, app: &App) -> Result<Vec<&'static str>, Failure> {
    let reader = Arc::clone(serve);
    // Files may be slow.
    let settings = tokio::task::spawn_blocking(move || reader.read());
    let settings = settings
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    nodes::prepare(app.store(), &settings).await?;
    Ok(app.follow(settings)?)
}
