//! Hands CPU work from an I/O-bound service to worker processes in any language over ZeroMQ.

mod client;
#[cfg(feature = "cli")]
pub mod conformance;
mod driver;
mod error;
pub mod exec;
mod execute;
pub mod master;
mod operator;
mod report;
mod runner;
pub mod security;
pub mod service_manager;
mod standalone;
mod supervisor;
mod time;
pub mod wire;
pub mod worker;

pub use bytes::Bytes;
pub use client::{Client, ClientBuilder};
pub use driver::claim::ClaimError;
pub use driver::context::TooFewDescriptors;
pub use driver::endpoint::EndpointError;
pub use error::{ExecuteError, Fault, Started};
pub use execute::{Execute, JobBuilder};
pub use operator::{AskError, Inquiry};
pub use report::{ClientReport, Quantiles, Report, ServiceReport, Times, WorkerReport};
pub use runner::{JobRunner, JobRunnerBuilder, ShutdownReport, StartError, WaitError};
pub use standalone::{Limits, StandaloneBuilder, StandaloneMaster};
pub use supervisor::{
    AfterExit, ExitCause, Exits, Output, ProcessExit, ProcessSnapshot, ProcessState, SpawnError,
    StopReport, Workers, WorkersBuilder,
};
pub use time::Time;
pub use worker::{Exit, Job, JobError, Overrun, Stopper, Worker, WorkerBuilder, WorkerError};
