//! The real program: processes, sockets, a database file, and crypto workers.

mod access_lists;
mod access_tokens;
mod account_events;
mod accounts;
mod administration;
mod applications;
mod assertions;
mod command_line;
#[path = "../../web/tests/web/databases/database.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of the web tier, which use more of it"
)]
mod database;
mod database_outage;
mod dev;
mod first_node;
mod gateway;
mod hostile_clients;
mod hostile_issuers;
mod issuer;
mod issuer_troubles;
mod log;
mod observing;
mod process;
mod purging;
#[path = "../../web/tests/web/databases/relay.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of the web tier, which use more of it"
)]
mod relay;
mod remote_verification;
mod rereading;
mod scenarios;
mod serving;
mod smaller_vectors;
#[path = "../../../powerhose/tests/processes/terminal.rs"]
mod terminal;
mod two_servers;
mod vectors;
mod verdicts;
