//! `POST /1.0/webhooks/fxa/events`: the accounts server tells of deleted accounts and changed passwords.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
};

use crate::{
    app::App, clock::Arrival, credentials::Credentials, current::Current, failure::Failure,
};

pub(crate) async fn receive(
    State(app): State<App>,
    Extension(current): Extension<Arc<Current>>,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let oauth = current.settings.oauth.as_ref();
    let Some(settings) = oauth.and_then(|oauth| oauth.events.as_ref()) else {
        return Err(Failure::NotFound);
    };
    let Credentials::Bearer(token) = Credentials::from_headers(&headers)? else {
        return Err(Failure::UnsupportedScheme("Bearer"));
    };
    let news = current
        .identities
        .account_news(&app, settings, token, &arrival)
        .await?;
    tracing::info!(
        deleted = news.deleted,
        password_changed = news.password_changed_at.is_some(),
        "account event"
    );
    if settings.metrics_only {
        return Ok(StatusCode::OK);
    }
    let Some(service) = app.store().service(&settings.service).await? else {
        return Err(Failure::UnknownPattern(settings.service.clone()));
    };
    if let Some(time) = news.password_changed_at {
        // Logins after the change carry its time, or a later one.
        let generation = time.saturating_sub(1);
        app.store()
            .raise_generation(service.id, &news.email, generation)
            .await?;
    }
    if news.deleted {
        let now_ms = i64::try_from(arrival.now_ms).unwrap_or(i64::MAX);
        app.store()
            .retire_user(service.id, &news.email, now_ms)
            .await?;
    }
    Ok(StatusCode::OK)
}
