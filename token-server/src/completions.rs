use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{Cli, failure::Failure, output};

/// Print the completion script of a shell.
///
/// For bash: `source <(token-server completions bash)`.
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "token-server", &mut script);
        output::text(&String::from_utf8_lossy(&script))
    }
}
