//! What the kit sends: messages, and what is none.

use super::error::Flaw;
use super::process::{self, Process};
use super::stage::{LOOK, Stage};
use crate::driver::frames::{Parcel, Sending};
use crate::wire::{HEADER_LEN, JobKey, ToWorker, VERSION};

impl Stage {
    /// A header of the present session.
    pub(super) fn header(&self, command: u8, flags: u8) -> Vec<u8> {
        let mut header = vec![0; HEADER_LEN];
        header[..3].copy_from_slice(&[VERSION, command, flags]);
        header[8..16].copy_from_slice(&self.session.to_be_bytes());
        header
    }

    /// The header of a new job for the service `echo`.
    pub(super) fn job_header(&mut self, flags: u8) -> Result<(JobKey, Vec<u8>), Flaw> {
        let key = self.next_key();
        let service = self.service("echo")?;
        let mut header = self.header(0x05, flags);
        header[3] = key.attempt;
        header[4..8].copy_from_slice(&60_000_u32.to_be_bytes());
        header[16..24].copy_from_slice(&key.job.to_be_bytes());
        header[24..26].copy_from_slice(&service.to_be_bytes());
        Ok((key, header))
    }

    /// Sends a message where the protocol says: jobs, and what must not overtake them, to the worker's own socket, if it has one.
    pub(super) fn send(&mut self, message: ToWorker) -> Result<(), Flaw> {
        let own = matches!(
            message,
            ToWorker::Job { .. } | ToWorker::Cancel { .. } | ToWorker::Drain { .. }
        );
        let mut parcel = Parcel::default();
        parcel.for_worker(message);
        self.post(parcel, own)
    }

    /// Sends frames as they are: the first one, and at most two more. They go where jobs go.
    pub(super) fn send_frames(&mut self, first: Vec<u8>, more: &[&[u8]]) -> Result<(), Flaw> {
        let mut parcel = Parcel::default();
        parcel.unchecked(first, more);
        self.post(parcel, true)
    }

    /// The same over the connection to the master.
    pub(super) fn send_control(&mut self, first: Vec<u8>, more: &[&[u8]]) -> Result<(), Flaw> {
        let mut parcel = Parcel::default();
        parcel.unchecked(first, more);
        self.post(parcel, false)
    }

    /// Writes what was sent.
    pub(super) fn deliver(&mut self) {
        let now = self.clock.now();
        if let Some(own) = &mut self.own {
            own.flush(now);
        }
        if let Some(router) = &mut self.router {
            router.flush(now);
        }
    }

    fn post(&mut self, mut parcel: Parcel, own: bool) -> Result<(), Flaw> {
        let until = self.clock.now() + self.patience;
        loop {
            let sending = match (&mut self.own, &mut self.router, self.connection) {
                (Some(dealer), _, _) if own => dealer.send(&mut parcel),
                (_, Some(router), Some(connection)) => router.send(connection, &mut parcel),
                _ => Sending::Unreachable,
            };
            match sending {
                Sending::Sent => {
                    self.deliver();
                    return Ok(());
                }
                Sending::WouldBlock if self.clock.now() < until => {
                    std::thread::sleep(LOOK);
                    self.deliver();
                }
                _ => {
                    let expected = "the worker to keep its connection and read what is sent";
                    let status = self.process.as_mut().and_then(Process::ended);
                    return Err(match status {
                        Some(status) => Flaw::Ended {
                            expected: expected.into(),
                            how: process::describe(status),
                        },
                        None => Flaw::other(expected, "a closed or full connection"),
                    });
                }
            }
        }
    }
}
