//! What no single value can tell.

use std::collections::HashMap;

use crypto_jobs::JwtAlgorithm;

use super::{Application, Settings, SettingsError, TokenKind, TokenSecrets};

/// Names of identity sources that are not issuers'.
const BROWSERID: &str = "browserid";
const OAUTH: &str = "oauth";

/// Shortest key for HS256, in bytes (RFC 7518, section 3.2).
const MIN_HMAC_KEY_BYTES: usize = 32;

pub(super) fn check(settings: &Settings) -> Result<(), SettingsError> {
    check_issuers(settings)?;
    check_applications(settings)?;
    if let Some(browserid) = &settings.browserid {
        if browserid.algorithms.is_empty() {
            return Err(SettingsError::key(
                "browserid.algorithms",
                "is empty, so no assertion could be accepted",
            ));
        }
        if browserid.documents.stale_for < browserid.documents.fresh_for {
            return Err(SettingsError::key(
                "browserid.documents.stale_for",
                "must not be shorter than browserid.documents.fresh_for",
            ));
        }
        // Else a host that a client names could make this server say that it is unavailable.
        if browserid.documents.timeout >= settings.http.request_timeout {
            return Err(SettingsError::key(
                "browserid.documents.timeout",
                "must be shorter than http.request_timeout",
            ));
        }
    }
    if settings.jwks.stale_for < settings.jwks.fresh_for {
        return Err(SettingsError::key(
            "jwks.stale_for",
            "must not be shorter than jwks.fresh_for",
        ));
    }
    settings.workers.check()
}

fn check_issuers(settings: &Settings) -> Result<(), SettingsError> {
    let mut domains: HashMap<String, String> = HashMap::new();
    if let Some(oauth) = &settings.oauth {
        if oauth.email_domain.is_empty() {
            return Err(SettingsError::key("oauth.email_domain", "is empty"));
        }
        domains.insert(oauth.email_domain.clone(), OAUTH.to_owned());
    }
    for (name, issuer) in &settings.issuers {
        let key = |key: &str| format!("issuers.{name}.{key}");
        if name == BROWSERID || name == OAUTH {
            return Err(SettingsError::key(
                format!("issuers.{name}"),
                "has a name that means something else; choose another one",
            ));
        }
        if issuer.algorithms.is_empty() {
            return Err(SettingsError::key(
                key("algorithms"),
                "is empty, so no token could be accepted",
            ));
        }
        if issuer.audiences.is_empty() {
            return Err(SettingsError::key(
                key("audiences"),
                "is empty: tokens for any other service would be accepted",
            ));
        }
        let located = issuer.jwks_uri.is_some() || issuer.jwks_file.is_some();
        if !located && issuer.configuration().is_none() {
            return Err(SettingsError::key(
                key("jwks_uri"),
                "must be set, since the issuer's name is no address to ask",
            ));
        }
        let Some(domain) = issuer.domain().filter(|domain| !domain.is_empty()) else {
            return Err(SettingsError::key(
                key("domain"),
                "must be set, since the issuer's name has no host in it",
            ));
        };
        if let Some(other) = domains.insert(domain, name.clone()) {
            return Err(SettingsError::key(
                key("domain"),
                format!("is that of {other} too: their users could not be told apart"),
            ));
        }
    }
    Ok(())
}

fn check_token(
    settings: &Settings,
    name: &str,
    application: &Application,
) -> Result<(), SettingsError> {
    let key = |key: &str| format!("applications.{name}.{key}");
    if !application.nodes {
        let Some(endpoint) = &application.endpoint else {
            return Err(SettingsError::key(
                key("endpoint"),
                "must be set where there are no nodes: the table of services isn't asked",
            ));
        };
        if application.init_node_url.is_some() {
            return Err(SettingsError::key(
                key("init_node_url"),
                "names a node, and the application has none",
            ));
        }
        if endpoint.contains("{node}") {
            return Err(SettingsError::key(
                key("endpoint"),
                "names {node}, and the application has none",
            ));
        }
    }
    let token = &application.token;
    if token.format == TokenKind::Tokenlib {
        if token.encrypt {
            return Err(SettingsError::key(
                key("token.encrypt"),
                "is for JWTs; set token.format to \"jwt\"",
            ));
        }
        return Ok(());
    }
    if token.issuer.is_none() && settings.browserid.is_none() {
        return Err(SettingsError::key(
            key("token.issuer"),
            "must be set, since there is no browserid.audience to stand in for it",
        ));
    }
    match token.algorithm {
        // Whoever checks such tokens can make them, so the secret must not be good for anything else.
        JwtAlgorithm::Hs256 => match &application.secret {
            Some(TokenSecrets::Fixed(secrets))
                if secrets
                    .iter()
                    .all(|secret| secret.expose().len() >= MIN_HMAC_KEY_BYTES) =>
            {
                Ok(())
            }
            _ => Err(SettingsError::key(
                key("secret_file"),
                format!(
                    "must be set to a file of {MIN_HMAC_KEY_BYTES} characters or more, since HS256 needs a secret of its own"
                ),
            )),
        },
        _ if settings.secrets.jwt_keys.is_empty() => Err(SettingsError::key(
            "secrets.jwt_key_files",
            format!(
                "is empty, and {} needs a key; make one with: token-server keygen FILE",
                key("token")
            ),
        )),
        _ => Ok(()),
    }
}

fn check_applications(settings: &Settings) -> Result<(), SettingsError> {
    for (name, application) in &settings.applications {
        let key = |key: &str| format!("applications.{name}.{key}");
        let lifetime = application.token_lifetime;
        if lifetime.subsec_nanos() != 0 || lifetime.as_secs() > u64::from(u32::MAX) {
            return Err(SettingsError::key(
                key("token_lifetime"),
                "must be whole seconds, and less than 136 years",
            ));
        }
        check_first_node(name, application)?;
        check_token(settings, name, application)?;
        for source in application.identities.iter().flatten() {
            let known = match source.as_str() {
                BROWSERID => settings.browserid.is_some(),
                OAUTH => settings.oauth.is_some(),
                name => settings.issuers.contains_key(name),
            };
            if !known {
                return Err(SettingsError::key(
                    key("identities"),
                    format!(
                        "names {source:?}, which is not set: [browserid], [oauth] and [issuers.NAME] are"
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// What the tables' columns cannot hold.
fn check_first_node(name: &str, application: &Application) -> Result<(), SettingsError> {
    const MAX_SERVICE_CHARS: usize = 30;
    const MAX_PATTERN_CHARS: usize = 128;

    let key = |key: &str| format!("applications.{name}.{key}");
    if application.init_node_url.is_none() {
        return Ok(());
    }
    if i32::try_from(application.init_node_capacity.get()).is_err() {
        return Err(SettingsError::key(
            key("init_node_capacity"),
            format!("must not be more than {}", i32::MAX),
        ));
    }
    let service = format!("{name}-{}", application.version);
    if service.chars().count() > MAX_SERVICE_CHARS {
        return Err(SettingsError::key(
            key("init_node_url"),
            format!("cannot be used: {service} has more than {MAX_SERVICE_CHARS} characters"),
        ));
    }
    let pattern = application.endpoint.as_deref().unwrap_or_default();
    if pattern.chars().count() > MAX_PATTERN_CHARS {
        return Err(SettingsError::key(
            key("endpoint"),
            format!("must not be longer than {MAX_PATTERN_CHARS} characters"),
        ));
    }
    Ok(())
}
