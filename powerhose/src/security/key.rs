use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::str::FromStr;

use zeroize::{Zeroize, Zeroizing};

use super::error::KeyError;
use crate::driver::curve;

/// The largest file that is read for a key.
const MAX_FILE: u64 = 4096;

/// A public key. It is written in Z85, 40 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub(crate) [u8; 32]);

impl PublicKey {
    /// Reads the file that `powerhose keygen` writes beside the secret one.
    ///
    /// # Errors
    /// [`KeyError`], which names the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let text = read(File::open(path), path)?;
        (text.trim().parse()).map_err(|_| KeyError::NoKeyIn {
            path: path.to_owned(),
            line: 1,
        })
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// ```
    /// use powerhose::security::PublicKey;
    ///
    /// let text = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    /// assert_eq!(text.parse::<PublicKey>()?.to_string(), text);
    /// assert!("a key".parse::<PublicKey>().is_err());
    /// # Ok::<(), powerhose::security::KeyError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, KeyError> {
        curve::decode(text)
            .map(|key| Self(*key))
            .ok_or(KeyError::NotAKey)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&curve::encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret key and the public one that belongs to it. The secret is never shown, and wiped from memory when this is dropped.
pub struct KeyPair {
    public: PublicKey,
    secret: Zeroizing<[u8; 32]>,
}

impl KeyPair {
    /// Makes a new pair.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`].
    pub fn generate() -> Result<Self, KeyError> {
        let (public, secret) = curve::generate().ok_or(KeyError::Unavailable)?;
        Ok(Self {
            public: PublicKey(public),
            secret,
        })
    }

    /// Reads a file that holds a secret key in Z85, such as `powerhose keygen` writes. Nobody but its owner may be able to read it.
    ///
    /// # Errors
    /// [`KeyError`], which names the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let file = File::open(path);
        if let Ok(metadata) = file.as_ref().map(File::metadata)
            && metadata.is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
        {
            let path = path.to_owned();
            return Err(KeyError::Exposed { path });
        }
        let text = read(file, path)?;
        Self::from_secret(&text).map_err(|error| match error {
            KeyError::NotAKey => KeyError::NoKeyIn {
                path: path.to_owned(),
                line: 1,
            },
            other => other,
        })
    }

    /// Takes a secret key in Z85.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`], or [`KeyError::Unavailable`].
    pub fn from_secret(text: &str) -> Result<Self, KeyError> {
        let secret = curve::decode(text.trim()).ok_or(KeyError::NotAKey)?;
        let public = curve::public_of(&secret).ok_or(KeyError::Unavailable)?;
        Ok(Self {
            public: PublicKey(public),
            secret,
        })
    }

    /// The key that others may know.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Writes the secret key to one file, which only its owner may read, and the public one to another. Overwrites neither.
    ///
    /// # Errors
    /// [`KeyError::File`]. Then neither file is left behind that was not there before.
    pub fn save(&self, secret: &Path, public: &Path) -> Result<(), KeyError> {
        let mut text = Zeroizing::new(curve::encode(&self.secret));
        text.push('\n');
        write(secret, 0o600, &text)?;
        let saved = write(public, 0o644, &format!("{}\n", self.public));
        if saved.is_err() {
            let _ = std::fs::remove_file(secret);
        }
        saved
    }
}

fn read(file: std::io::Result<File>, path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    let read = file.and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(source) => {
            text.zeroize();
            Err(KeyError::File {
                what: "read",
                path: path.to_owned(),
                source,
            })
        }
    }
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), KeyError> {
    let failed = |source| KeyError::File {
        what: "create",
        path: path.to_owned(),
        source,
    };
    let mut file = (OpenOptions::new().write(true).create_new(true).mode(mode))
        .open(path)
        .map_err(failed)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(|source| {
        let _ = std::fs::remove_file(path);
        failed(source)
    })
}
