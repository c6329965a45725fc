//! `powerhose master`, `worker`, `call` and `status` as processes: what happens to jobs when one of them dies, and who may connect.

mod drain;
mod failover;
mod keys;
mod losses;
mod pool;
mod progress;
mod refusals;
mod reload;
mod single;
mod support;
mod terminal;
