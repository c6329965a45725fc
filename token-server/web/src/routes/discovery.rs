//! `GET /`: what there is here.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Extension, Json};
use serde::Serialize;

use crate::{current::Current, forwarded::Origin};

/// As Mozilla's server told it.
#[derive(Serialize)]
pub(crate) struct Discovery {
    /// This server's own address.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<String>,
    /// The versions of every application.
    services: BTreeMap<String, [String; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    browserid: Option<BrowserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oauth: Option<OAuth>,
    /// The other issuers of tokens that are accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    issuers: Vec<String>,
}

#[derive(Serialize)]
struct BrowserId {
    allowed_issuers: Option<Vec<String>>,
    trusted_issuers: Vec<String>,
}

#[derive(Serialize)]
struct OAuth {
    default_issuer: String,
    scope: String,
    server_url: String,
}

pub(crate) async fn discovery(
    Extension(current): Extension<Arc<Current>>,
    Extension(proxied): Extension<Origin>,
) -> Json<Discovery> {
    let settings = &current.settings;
    let texts = |hosts: &[crate::settings::IssuerHost]| -> Vec<String> {
        hosts.iter().map(|host| host.as_str().to_owned()).collect()
    };
    let browserid = settings.browserid.as_ref();
    let own = browserid.and_then(|browserid| browserid.origin().map(str::to_owned));
    Json(Discovery {
        auth: own.or(proxied.server),
        services: settings
            .applications
            .iter()
            .map(|(name, application)| (name.clone(), [application.version.clone()]))
            .collect(),
        browserid: settings.browserid.as_ref().map(|browserid| BrowserId {
            allowed_issuers: browserid.allowed_issuers.as_deref().map(texts),
            trusted_issuers: texts(&browserid.trusted_issuers),
        }),
        oauth: settings.oauth.as_ref().map(|oauth| OAuth {
            default_issuer: oauth.email_domain.clone(),
            scope: oauth.scope.clone(),
            server_url: oauth
                .server_url
                .url()
                .as_str()
                .trim_end_matches('/')
                .to_owned(),
        }),
        issuers: settings
            .issuers
            .values()
            .map(|issuer| issuer.issuer.clone())
            .collect(),
    })
}
