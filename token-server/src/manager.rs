//! What the service manager is told.

use powerhose::service_manager::notify;

/// Tells it. It may let its senders wait; requests must not.
pub(crate) async fn tell(state: impl Into<String>) {
    let state = state.into();
    let told = tokio::task::spawn_blocking(move || notify(&state));
    told.await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
}
