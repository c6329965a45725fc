use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::PathBuf};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
};
use clap::{Args, ValueEnum};
use crypto_jobs::{DescribeKeysRequest, KeyDescription, Secret};
use pem::{EncodeConfig, LineEnding, Pem};
use serde::Serialize;
use sysexits::ExitCode;
use workers::crypto;

use crate::{failure::Failure, output};

/// Make a private key to sign JWTs with.
///
/// The file is PKCS#8 in PEM, readable by its owner alone, and must not exist yet. Append it to the
/// setting secrets.jwt_key_files: the last key of the list that fits an application signs, all of them
/// are published at /.well-known/jwks.json. To change keys without refusing anyone, first publish the
/// new one before the old one, then, when services have fetched it, put it last.
#[derive(Args)]
pub(crate) struct Keygen {
    /// Where the key goes.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// What the key signs with.
    #[arg(short, long, value_enum, default_value = "eddsa")]
    algorithm: Algorithm,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Algorithm {
    /// Ed25519: small and fast.
    #[value(name = "eddsa")]
    EdDsa,
    /// ECDSA over P-256.
    Es256,
    /// RSA of 2048 bits, for services that know nothing else.
    Rs256,
}

#[derive(Serialize)]
struct Made<'a> {
    file: &'a PathBuf,
    #[serde(flatten)]
    description: &'a KeyDescription,
}

impl Keygen {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let key = self.algorithm.generate()?;
        let description = describe(&key)?;
        self.write(&key)?;
        if self.json {
            return output::json(&Made {
                file: &self.file,
                description: &description,
            });
        }
        output::text(&format!(
            "{}: a key for {}, called {}\n",
            self.file.display(),
            description.algorithm,
            description.kid
        ))
    }

    fn write(&self, key: &Secret) -> Result<(), Failure> {
        let failure = |error: std::io::Error| {
            Failure::new(
                ExitCode::CantCreat,
                format!("cannot write {}: {error}", self.file.display()),
            )
        };
        let pem = Pem::new("PRIVATE KEY", key.expose());
        let text = pem::encode_config(&pem, EncodeConfig::new().set_line_ending(LineEnding::LF));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.file)
            .map_err(failure)?;
        file.write_all(text.as_bytes()).map_err(failure)?;
        file.sync_all().map_err(failure)
    }
}

impl Algorithm {
    /// A new key, as PKCS#8.
    fn generate(self) -> Result<Secret, Failure> {
        let failed = |_| Failure::new(ExitCode::Software, "cannot make a key");
        let der = match self {
            Self::EdDsa => {
                let pair = Ed25519KeyPair::generate().map_err(failed)?;
                pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
            }
            Self::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
                let pair = pair.map_err(failed)?;
                pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
            }
            Self::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
                let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(failed)?;
                der.as_ref().to_vec()
            }
        };
        Ok(Secret::from(der))
    }
}

fn describe(key: &Secret) -> Result<KeyDescription, Failure> {
    let request = DescribeKeysRequest {
        keys: vec![key.clone()],
    };
    let described = crypto::describe_keys(&request).ok();
    described
        .and_then(|keys| keys.into_iter().next())
        .ok_or_else(|| Failure::new(ExitCode::Software, "the new key cannot be used"))
}
