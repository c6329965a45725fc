//! The `powerhose` command as its users meet it.

mod bench;
mod documented;
mod help;
mod usage;
