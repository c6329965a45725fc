//! What a master says of itself when it is asked.

use std::time::Duration;

use bytes::Bytes;

use super::front::Front;
use super::listen::Listening;
use super::{Driver, MESSAGES_PER_TURN, host, stats};
use crate::report::{Report, Scene};
use crate::time::Time;
use crate::wire::ToClient;

/// A report is made at most this often; who asks in between gets the one before.
const REPORT_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Reports {
    frontends: Vec<String>,
    operators: Vec<String>,
    backends: Vec<String>,
    started: Time,
    latest: Option<(Time, Bytes)>,
}

impl Reports {
    pub(super) fn new(listening: &Listening, started: Time) -> Self {
        Self {
            frontends: listening.frontends().to_vec(),
            operators: listening.operator_endpoints().to_vec(),
            backends: listening.endpoints().to_vec(),
            started,
            latest: None,
        }
    }
}

impl Driver {
    /// Answers those who asked at the socket for operators.
    pub(super) fn answer_operators(&mut self, now: Time) {
        let Some(mut desk) = self.desk.take() else {
            return;
        };
        let mut wanted = Vec::new();
        desk.receive(MESSAGES_PER_TURN, |connection| wanted.push(connection));
        for connection in wanted {
            let body = self.report(now);
            desk.send(connection, ToClient::Report { body });
        }
        self.desk = Some(desk);
    }

    /// Answers a client's connection.
    pub(super) fn report_to(&mut self, connection: u64, now: Time) {
        let body = self.report(now);
        if let Some(front) = &mut self.front {
            front.report(connection, body, now);
        }
    }

    fn report(&mut self, now: Time) -> Bytes {
        if let Some((made, body)) = &self.reports.latest
            && now.since(*made) < REPORT_EVERY
        {
            return body.clone();
        }
        let scene = Scene {
            host: &host(),
            is_draining: self.shutdown.is_some(),
            uptime: now.since(self.reports.started),
            frontends: &self.reports.frontends,
            operators: &self.reports.operators,
            backends: &self.reports.backends,
        };
        let front = self.front.as_ref();
        let counters = front.map(Front::counters).unwrap_or_default();
        let clients = front.map(|front| front.core.clients(now));
        let stats = stats(&self.core, &self.sockets);
        let workers = self.core.workers(now);
        let clients = clients.unwrap_or_default();
        let body = Report::new(&scene, &stats, &workers, &clients, &counters).into_json();
        self.reports.latest = Some((now, body.clone()));
        body
    }
}
