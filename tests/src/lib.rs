//! What the whole-system tests share.
#![forbid(unsafe_code)]

pub mod binaries;
pub mod chaos;
pub mod cpp;
pub mod crowd;
mod frames;
pub mod fuzzing;
pub mod many_workers;
pub mod mixed;
pub mod mutants;
pub mod paths;
pub mod process;
pub mod python;
pub mod role_process;
pub mod simulation;
pub mod soak;
pub mod standalone_process;
pub mod usage;
