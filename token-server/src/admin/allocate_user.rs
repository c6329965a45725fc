use clap::Args;
use serde_json::json;

use super::options::{AdminOptions, no_node, now_ms};
use crate::failure::Failure;

/// Give a user a node: the best one, or a certain one. A known user is moved there.
///
/// Who is moved gets a new uid, and their data does not move along: clients upload it again.
///
/// Example: `token-server allocate-user 0123abc@api.accounts.firefox.com https://sync1.example.org`
#[derive(Args)]
pub(crate) struct AllocateUser {
    /// The account as the table of users has it: the user's id at the issuer, @, the issuer.
    #[arg(value_parser = account)]
    email: String,

    /// The node's URL. Default: the one with the least load for its capacity.
    node: Option<String>,

    #[command(flatten)]
    options: AdminOptions,
}

/// A name that its column can hold, and that a login can have.
fn account(text: &str) -> Result<String, String> {
    const MAX_CHARS: usize = 255;
    let has_parts = text
        .split_once('@')
        .is_some_and(|(user, issuer)| !user.is_empty() && !issuer.is_empty());
    if !has_parts || text.chars().count() > MAX_CHARS {
        return Err(format!(
            "must be a user's id, @, and an issuer, in {MAX_CHARS} characters"
        ));
    }
    Ok(text.to_owned())
}

impl AllocateUser {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (email, node) = (&self.email, self.node.as_deref());
        let user = self.options.run(async |ground| {
            let user = ground
                .store
                .allocate_user(&ground.service, email, node, now_ms())
                .await?;
            user.ok_or_else(|| no_node(node.unwrap_or_default()))
        })?;
        let value = json!({ "email": email, "uid": user.uid, "node": user.node });
        let text = format!("{email} is user {} of {}", user.uid, user.node);
        self.options.say(&value, &text)
    }
}
