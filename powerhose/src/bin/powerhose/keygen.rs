use std::path::PathBuf;

use clap::Args;
use powerhose::security::KeyPair;
use serde::Serialize;

use crate::failure::Failure;
use crate::output;

/// Make a key pair for CURVE, which encrypts and authenticates tcp
///
/// Writes NAME.secret, which only its owner may read, and NAME.public, and prints the public key.
/// Both hold a key in Z85. Neither file is ever overwritten. A master, each worker and each
/// client has a pair of its own. The public key goes to whoever is to trust it: a master's to its
/// workers and clients, theirs into the list that the master admits, one on each line.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Example:
  powerhose keygen worker-1 >> workers.allow"
)]
pub(crate) struct Keygen {
    /// The path of both files, without .secret and .public
    name: PathBuf,

    /// Print the public key and the names of the files as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Made {
    public: String,
    secret_file: PathBuf,
    public_file: PathBuf,
}

impl Keygen {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let file = |ending| {
            let mut path = self.name.clone().into_os_string();
            path.push(ending);
            PathBuf::from(path)
        };
        let keys = KeyPair::generate()?;
        let made = Made {
            public: keys.public().to_string(),
            secret_file: file(".secret"),
            public_file: file(".public"),
        };
        keys.save(&made.secret_file, &made.public_file)?;
        if self.json {
            output::json(&made)
        } else {
            output::text(&format!("{}\n", made.public))
        }
    }
}
