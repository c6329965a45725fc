//! `GET /1.0/{application}/{version}`: an assertion goes in, a token comes out.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderName},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    client_state::ClientState,
    clock::Arrival,
    credentials::Credentials,
    current::Current,
    failure::Failure,
    identity::Identity,
    settings::{Application, Nodes, Settings},
    store::{Login, Service},
    tokens::{Order, Place, Uid},
    users::{Claims, key_number},
};

const X_CLIENT_STATE: HeaderName = HeaderName::from_static("x-client-state");

/// What a name may hold without being taken for a part of the path (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The answer. Its members are in the order in which Mozilla's servers wrote them.
#[derive(Serialize)]
pub(crate) struct Trade {
    id: String,
    key: String,
    uid: Uid,
    api_endpoint: String,
    duration: u64,
    hashalg: &'static str,
    hashed_fxa_uid: String,
    node_type: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Parameters {
    duration: Option<String>,
}

pub(crate) async fn trade(
    State(app): State<App>,
    Extension(current): Extension<Arc<Current>>,
    Extension(arrival): Extension<Arrival>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Trade>, Failure> {
    let Ok(Path((name, version))) = path else {
        return Err(Failure::UnknownApplication);
    };
    let application = find(&current.settings, &name, &version)?;
    let client_state = headers
        .get(X_CLIENT_STATE)
        .map(|value| ClientState::parse(value.as_bytes()))
        .transpose()?
        .unwrap_or_default();
    let credentials = Credentials::from_headers(&headers)?;
    let identity = current
        .identities
        .verify(
            &app,
            application,
            credentials,
            &headers,
            client_state,
            &arrival,
        )
        .await?;
    let admitted = app
        .access()
        .admits(app.store(), &identity.issuer, &identity.subject);
    if !admitted.await {
        return Err(Failure::NotAdmitted);
    }

    let place = if application.nodes {
        place_at_node(&app, &current, application, &name, &identity, &arrival).await?
    } else {
        place_without_nodes(application, &name, &identity)?
    };
    let duration = duration(application, query.ok());
    let order = Order {
        current: &current,
        name: &name,
        application,
        identity: &identity,
        place: &place,
        duration,
    };
    let issued = order.issue(&app, &arrival).await?;
    let (Some(key), Some(hashed_fxa_uid)) = (issued.key, issued.hashed_fxa_uid) else {
        return Err(Failure::Internal(
            "a worker's reply lacks a part of the token",
        ));
    };
    app.metrics().issued(&name);
    Ok(Json(Trade {
        id: issued.token,
        key,
        uid: place.uid,
        api_endpoint: place.endpoint,
        duration,
        hashalg: "sha256",
        hashed_fxa_uid,
        node_type: node_type(&current.settings.nodes, &place.node),
    }))
}

/// The place that the database knows for the user, or finds.
async fn place_at_node(
    app: &App,
    current: &Current,
    application: &Application,
    name: &str,
    identity: &Identity,
    arrival: &Arrival,
) -> Result<Place, Failure> {
    let service_name = format!("{name}-{}", application.version);
    let Some(service) = app.store().service(&service_name).await? else {
        return Err(Failure::UnknownPattern(service_name));
    };
    let login = Login {
        service: &service,
        email: &identity.email,
        claims: Claims {
            generation: identity.generation,
            keys_changed_at: identity.keys_changed_at,
            client_state: identity.client_state.as_str(),
        },
        now_ms: i64::try_from(arrival.now_ms).unwrap_or(i64::MAX),
        allow_new: current.settings.users.allow_new,
    };
    let user = app.store().log_in(&login).await??;
    let endpoint = match &application.endpoint {
        Some(pattern) => Service {
            id: service.id,
            pattern: pattern.clone(),
        }
        .endpoint(&service_name, &user.node, user.uid),
        None => service.endpoint(&service_name, &user.node, user.uid),
    };
    Ok(Place {
        uid: Uid::Number(user.uid),
        endpoint,
        node: user.node,
        key_number: key_number(user.generation, user.keys_changed_at),
    })
}

/// The one place of all users.
fn place_without_nodes(
    application: &Application,
    name: &str,
    identity: &Identity,
) -> Result<Place, Failure> {
    // Not even encoded ones stay what they are in a path.
    if matches!(identity.subject.as_str(), "." | "..") {
        return Err(Failure::Subject);
    }
    let pattern = application.endpoint.as_deref().unwrap_or_default();
    let uid = utf8_percent_encode(&identity.subject, UNRESERVED).to_string();
    Ok(Place {
        uid: Uid::Subject(identity.subject.clone()),
        node: pattern.to_owned(),
        endpoint: pattern
            .replace("{service}", &format!("{name}-{}", application.version))
            .replace("{uid}", &uid),
        key_number: key_number(identity.generation, identity.keys_changed_at),
    })
}

fn find<'a>(settings: &'a Settings, name: &str, version: &str) -> Result<&'a Application, Failure> {
    let application = settings
        .applications
        .get(name)
        .ok_or(Failure::UnknownApplication)?;
    if application.version == version {
        Ok(application)
    } else {
        Err(Failure::UnknownVersion(version.to_owned()))
    }
}

/// What the client asks for where it is less than the application's own; anything else is ignored.
fn duration(application: &Application, query: Option<Query<Parameters>>) -> u64 {
    let own = application.token_lifetime.as_secs();
    query
        .and_then(|Query(parameters)| parameters.duration)
        .and_then(|text| text.trim().parse().ok())
        .filter(|asked| (1..own).contains(asked))
        .unwrap_or(own)
}

fn node_type(settings: &Nodes, node: &str) -> Option<String> {
    let mut types = settings.types.iter();
    let found = types.find(|group| group.pattern.fits(node))?;
    Some(found.label.clone())
}
