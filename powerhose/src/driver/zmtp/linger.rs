//! The last messages of a socket that is closed.

use std::os::fd::AsFd;
use std::time::Duration;

use super::connection::Connection;
use super::outlet::Written;
use crate::driver::clock::Clock;
use crate::driver::poll::{Poll, wait};
use crate::time::Time;

/// Until when a closed socket goes on delivering.
pub(super) struct Deadline {
    clock: Clock,
    until: Time,
}

impl Deadline {
    pub(super) fn new(linger: Duration) -> Self {
        let clock = Clock::new();
        let until = clock.now() + linger;
        Self { clock, until }
    }

    fn left(&self) -> Option<Duration> {
        let left = self.until - self.clock.now();
        (!left.is_zero()).then_some(left)
    }

    /// Waits until something can be read. Returns whether it can, and in time.
    pub(super) fn wait_for_input(&self, connection: &Connection) -> bool {
        let Some(left) = self.left() else {
            return false;
        };
        let mut poll = Poll::default();
        let place = poll.add(connection.as_fd());
        wait(&mut poll, Some(left)).is_ok() && poll.is_ready(place)
    }

    /// Writes what waits at these connections, as far as their peers take it in time.
    pub(super) fn write(&self, connections: &mut [&mut Connection]) {
        loop {
            let mut is_done = true;
            for connection in connections.iter_mut().filter(|one| one.has_mail()) {
                is_done &= connection.write() != Written::Some;
            }
            let Some(left) = self.left().filter(|_| !is_done) else {
                return;
            };
            let mut poll = Poll::default();
            for connection in connections.iter().filter(|one| one.has_mail()) {
                poll.add_for_room(connection.as_fd());
            }
            if wait(&mut poll, Some(left)).is_err() {
                return;
            }
        }
    }
}
