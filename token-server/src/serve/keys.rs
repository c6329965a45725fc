//! Whether the keys for JWTs are what the applications need. The web tier holds them without knowing what
//! they are.

use crypto_jobs::{DescribeKeysRequest, JwtAlgorithm};
use sysexits::ExitCode;
use token_server_web::settings::{Settings, TokenKind};
use workers::crypto;

use crate::failure::Failure;

pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    let request = DescribeKeysRequest {
        keys: settings.secrets.jwt_keys.clone(),
    };
    let described = crypto::describe_keys(&request).map_err(|unusable| {
        refused(&format!(
            "secrets.jwt_key_files: number {} holds no key for EdDSA, ES256 or RS256; make one with: token-server keygen FILE",
            unusable.index + 1
        ))
    })?;
    for (name, application) in &settings.applications {
        let algorithm = application.token.algorithm;
        if application.token.format != TokenKind::Jwt || algorithm == JwtAlgorithm::Hs256 {
            continue;
        }
        if !described.iter().any(|key| key.algorithm == algorithm) {
            return Err(refused(&format!(
                "applications.{name}.token.algorithm is {algorithm}, and no file of secrets.jwt_key_files holds a key for it; make one with: token-server keygen FILE --algorithm {}",
                algorithm.to_string().to_ascii_lowercase()
            )));
        }
    }
    Ok(())
}

fn refused(message: &str) -> Failure {
    Failure::new(ExitCode::Config, format!("setting {message}"))
}
