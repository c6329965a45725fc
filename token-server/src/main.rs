//! The token server's roles in one binary: `serve`, its `worker` processes, `dev`, which shows the whole
//! trade without any settings, and the commands of those who operate it.

#![forbid(unsafe_code)]

mod admin;
mod completions;
mod dev;
mod failure;
mod keygen;
mod listen;
mod log;
mod manager;
mod nodes;
mod output;
mod pool;
mod serve;
mod service;
mod signals;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Trades an identity assertion for a short-lived service token.
#[derive(Parser)]
#[command(name = "token-server", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    Serve(serve::Serve),
    Worker(worker::Worker),
    Dev(dev::Dev),
    Keygen(keygen::Keygen),
    AddNode(admin::AddNode),
    UpdateNode(admin::UpdateNode),
    RemoveNode(admin::RemoveNode),
    UnassignNode(admin::UnassignNode),
    AllocateUser(admin::AllocateUser),
    CountUsers(admin::CountUsers),
    PurgeOldRecords(admin::PurgeOldRecords),
    Access(admin::Access),
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let usage = error.use_stderr();
            // Nothing is left to do should the terminal be gone.
            let _ = error.print();
            return if usage {
                sysexits::ExitCode::Usage.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let outcome = match cli.role {
        Role::Serve(role) => role.run(),
        Role::Worker(role) => return role.run(),
        Role::Dev(role) => role.run(),
        Role::Keygen(role) => role.run(),
        Role::AddNode(role) => role.run(),
        Role::UpdateNode(role) => role.run(),
        Role::RemoveNode(role) => role.run(),
        Role::UnassignNode(role) => role.run(),
        Role::AllocateUser(role) => role.run(),
        Role::CountUsers(role) => role.run(),
        Role::PurgeOldRecords(role) => role.run(),
        Role::Access(role) => role.run(),
        Role::Completions(role) => role.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("token-server: {failure}");
            failure.code().into()
        }
    }
}
