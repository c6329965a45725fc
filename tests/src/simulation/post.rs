//! How messages travel, and how connections come and go.

use std::time::Duration;

use powerhose::Time;
use powerhose::master::{Event, Peer};
use powerhose::wire::{FromWorker, ToWorker, WireError};
use powerhose::worker::session::{Input, State};
use rand::RngExt;

use super::agenda::What;
use super::faults::Fault;
use super::network::{Connection, MasterEnd, Pipe, Received};
use super::scenario::between;
use super::world::{Checked, World, note};
use crate::frames::written;

impl World {
    pub(super) fn duration(&mut self, least: Duration, most: Duration) -> Duration {
        between(&mut self.random, (least, most))
    }

    pub(super) fn number(&mut self, least: u32, most: u32) -> u32 {
        self.random.random_range(least..=most)
    }

    pub(super) fn one_in(&mut self, many: u32) -> bool {
        self.random.random_ratio(1, many)
    }

    /// How long the next message takes.
    fn latency(&mut self) -> Duration {
        let latency = between(&mut self.random, self.scenario.latency);
        if self.weather.slow_until > self.now && self.one_in(2) {
            latency * self.weather.slowness
        } else {
            latency
        }
    }

    // --- from the worker

    /// What a session sends goes over its DEALER, the result of a job from its own socket to where that came from, and the
    /// last word to where the last result went.
    pub(super) fn send_up(&mut self, place: u8, message: FromWorker) {
        let state = self.process(place).state();
        if let FromWorker::Heartbeat { .. } = message {
            self.coverage.count_worker(20, state);
        }
        let process = self.process(place);
        let connection = match message {
            FromWorker::Result { session, key, .. } => {
                if session == process.held_session() {
                    process.held = process.held.saturating_sub(1);
                }
                process.last_route = process.routes.remove(&key);
                process.last_route
            }
            FromWorker::Disconnect { .. } => process.last_route,
            _ => None,
        };
        match connection.or(process.connection) {
            Some(number) if self.network.get(number).worker_end => {
                self.transmit_up(number, message);
            }
            _ => match self.process(place).connection {
                Some(number) => self.transmit_up(number, message),
                None => self.process(place).outbox.push_back(message),
            },
        }
    }

    fn transmit_up(&mut self, number: u32, message: FromWorker) {
        if self.is_lost(number) {
            note!(self, "lost: {message:?}");
            return;
        }
        let message = if self.scenario.as_bytes {
            self.through_bytes_up(message)
        } else {
            message
        };
        self.push_up(number, Ok(message), false);
        if self.is_garbled() {
            self.push_up(number, Err(garbage()), false);
        }
    }

    pub(super) fn push_up(&mut self, number: u32, content: Received<FromWorker>, echo: bool) {
        let arrival = self.now + self.latency();
        let arrival = self.network.get(number).up.push(content, echo, arrival);
        self.agenda
            .enter(arrival, What::ReachMaster { connection: number });
    }

    pub(super) fn reach_master(&mut self, number: u32) -> Checked {
        let (now, reign) = (self.now, self.throne.reign);
        let connection = self.network.get(number);
        if connection.blocked_until > now {
            let at = connection.blocked_until;
            self.agenda
                .enter(at, What::ReachMaster { connection: number });
            return Ok(());
        }
        let Some(letter) = connection.up.pop(now) else {
            return Ok(());
        };
        let readable = matches!(connection.master_end, MasterEnd::Open | MasterEnd::Forsaken);
        if connection.reign != reign || !readable {
            return Ok(());
        }
        let peer = connection.peer;
        if connection.worker_end && !letter.echo && self.is_echoed() {
            self.push_up(number, letter.content.clone(), true);
        }
        self.tell_master(match letter.content {
            Ok(message) => Event::Message { peer, message },
            Err(error) => Event::Malformed { peer, error },
        })
    }

    // --- from the master

    pub(super) fn send_down(&mut self, number: u32, message: ToWorker) {
        if self.is_lost(number) {
            note!(self, "lost: {message:?}");
            return;
        }
        let message = if self.scenario.as_bytes {
            self.through_bytes_down(message)
        } else {
            message
        };
        self.push_down(number, Ok(message), false);
        if self.is_garbled() {
            self.push_down(number, Err(garbage()), false);
        }
        let now = self.now;
        let connection = self.network.get(number);
        let (place, blocked) = (connection.process, connection.blocked_until > now);
        let unread = connection.down.len() + self.processes[usize::from(place)].inbox.len();
        let reads = !blocked && self.process(place).stopped.is_none();
        if !reads && unread > self.scenario.outbox {
            let connection = self.network.get(number);
            connection.down.clear();
            let peer = connection.peer;
            self.tally.count(Fault::Overflow);
            self.throne.aftermath.push_back(Event::Overflow { peer });
        }
    }

    pub(super) fn push_down(&mut self, number: u32, content: Received<ToWorker>, echo: bool) {
        let arrival = self.now + self.latency();
        let arrival = self.network.get(number).down.push(content, echo, arrival);
        self.agenda
            .enter(arrival, What::ReachWorker { connection: number });
    }

    pub(super) fn reach_worker(&mut self, number: u32) -> Checked {
        let now = self.now;
        let connection = self.network.get(number);
        if connection.blocked_until > now {
            let at = connection.blocked_until;
            self.agenda
                .enter(at, What::ReachWorker { connection: number });
            return Ok(());
        }
        let Some(letter) = connection.down.pop(now) else {
            return Ok(());
        };
        let place = connection.process;
        let (life, socket) = (connection.life, connection.socket);
        let (own, open) = (connection.is_own_socket(), connection.worker_end);
        let process = self.process(place);
        if !process.is_alive() || process.life != life || !(own || process.socket == socket) {
            return Ok(());
        }
        if open && !letter.echo && self.is_echoed() {
            self.push_down(number, letter.content.clone(), true);
        }
        let process = self.process(place);
        if process.stopped.is_some() {
            process.inbox.push((number, letter.content));
            return Ok(());
        }
        self.receive(place, number, letter.content)
    }

    /// A worker's process reads what came over a connection.
    pub(super) fn receive(
        &mut self,
        place: u8,
        number: u32,
        received: Received<ToWorker>,
    ) -> Checked {
        let connection = self.network.get(number);
        let (own, socket) = (connection.is_own_socket(), connection.socket);
        let hung_up = connection.master_end == MasterEnd::Gone;
        let process = self.process(place);
        if own {
            // What the master has hung up on is void, and nothing is read without a session.
            if hung_up {
                return Ok(());
            }
            if !matches!(process.state(), State::Active | State::Draining) {
                process.own_inbox.push_back((number, received));
                return Ok(());
            }
            if let Ok(ToWorker::Job { session, key, .. }) = &received
                && *session == process.held_session()
            {
                process.routes.insert(*key, number);
            }
        } else if process.socket != socket {
            return Ok(());
        }
        self.drive(
            place,
            match received {
                Ok(message) => Input::Message(message),
                Err(error) => Input::Malformed(error),
            },
        )?;
        while matches!(self.process(place).state(), State::Active | State::Draining)
            && let Some((number, received)) = self.process(place).own_inbox.pop_front()
        {
            self.receive(place, number, received)?;
        }
        Ok(())
    }

    // --- connections

    /// A worker's socket reaches the master, or tries again.
    pub(super) fn connect(&mut self, place: u8, socket: u32) {
        let again = self.now + self.duration(Duration::from_millis(20), Duration::from_millis(150));
        let nobody = self.throne.core.is_none();
        let process = self.process(place);
        if !process.is_alive() || process.socket != socket || process.connection.is_some() {
            return;
        }
        if nobody || process.stopped.is_some() {
            let connect = What::Connect {
                process: place,
                socket,
            };
            self.agenda.enter(again, connect);
            return;
        }
        self.throne.next_peer += 1;
        let peer = Peer::Backend(self.throne.next_peer);
        let number = self.new_connection(place, socket, peer);
        note!(self, "worker {place} is connected as {peer:?}");
        let process = self.process(place);
        process.connection = Some(number);
        let asks = |message: &FromWorker| matches!(message, FromWorker::Register { .. });
        let asks = process.outbox.iter().any(asks);
        for message in std::mem::take(&mut process.outbox) {
            self.transmit_up(number, message);
        }
        if asks && self.one_in(3) {
            self.haunt_registration(place, number);
        } else {
            self.haunt_worker(place);
        }
    }

    fn new_connection(&mut self, place: u8, socket: u32, peer: Peer) -> u32 {
        let (life, reign) = (self.process(place).life, self.throne.reign);
        self.network.add(Connection {
            peer,
            process: place,
            life,
            socket,
            reign,
            up: Pipe::default(),
            down: Pipe::default(),
            master_end: MasterEnd::Open,
            worker_end: true,
            blocked_until: Time::ZERO,
            blocked_since: Time::ZERO,
        })
    }

    /// The master connects to a worker's own socket.
    pub(super) fn connect_to_worker(&mut self, socket: u32, path: &str) -> Checked {
        let place = path
            .rsplit('-')
            .next()
            .and_then(|number| number.parse().ok());
        let place: u8 = place.ok_or_else(|| format!("there is no path {path}"))?;
        let peer = Peer::Socket(socket);
        let number = self.new_connection(place, 0, peer);
        let refuses = self.scenario.faults.contains(&Fault::Refusal) && self.one_in(3);
        if refuses {
            self.tally.count(Fault::Refusal);
            self.throne.aftermath.push_back(Event::Unreachable { peer });
        }
        let alive = self.process(place).is_alive();
        if !alive || refuses {
            let connection = self.network.get(number);
            connection.worker_end = false;
            connection.master_end = MasterEnd::Gone;
        }
        Ok(())
    }

    /// A worker closes its socket and opens another one.
    pub(super) fn open(&mut self, place: u8) {
        let soon = self.now + self.duration(Duration::from_micros(20), Duration::from_millis(2));
        let process = self.process(place);
        process.socket += 1;
        process.outbox.clear();
        process.own_inbox.clear();
        process.routes.clear();
        process.last_route = None;
        let socket = process.socket;
        if let Some(number) = process.connection.take() {
            self.forsake(number);
        }
        let connect = What::Connect {
            process: place,
            socket,
        };
        self.agenda.enter(soon, connect);
    }

    fn forsake(&mut self, number: u32) {
        let rest = (self.network.get(number)).forsake(self.now, &mut self.random);
        let at = rest + self.duration(Duration::ZERO, Duration::from_millis(1));
        self.agenda.enter(at, What::Closed { connection: number });
    }

    /// A worker's process is gone, and its ends of connections with it.
    pub(super) fn forsake_all(&mut self, place: u8) {
        let mine: Vec<u32> = (self.network.iter_mut())
            .filter(|(_, connection)| connection.process == place && connection.worker_end)
            .map(|(number, _)| number)
            .collect();
        for number in mine {
            self.forsake(number);
        }
    }

    /// The line of a connection breaks.
    pub(super) fn sever(&mut self, number: u32) {
        let connection = self.network.get(number);
        if !connection.worker_end || connection.master_end != MasterEnd::Open {
            return;
        }
        note!(self, "connection {number} breaks");
        let place = self.network.get(number).process;
        let rest = (self.network.get(number)).sever(self.now, &mut self.random);
        let at = rest + self.duration(Duration::ZERO, Duration::from_millis(2));
        self.agenda.enter(at, What::Closed { connection: number });
        self.reconnect(place, number);
    }

    /// The socket of a worker connects again by itself, without its session knowing.
    fn reconnect(&mut self, place: u8, number: u32) {
        let again = self.now + self.duration(Duration::from_millis(5), Duration::from_millis(200));
        let process = self.process(place);
        if process.connection == Some(number) {
            process.connection = None;
            let connect = What::Connect {
                process: place,
                socket: process.socket,
            };
            self.agenda.enter(again, connect);
        }
    }

    /// The master's process is gone, and its ends of connections with it.
    pub(super) fn hang_up_everywhere(&mut self) {
        let reign = self.throne.reign;
        let mut broken = Vec::new();
        for (number, connection) in self.network.iter_mut() {
            if connection.reign == reign && connection.master_end != MasterEnd::Gone {
                broken.push((connection.process, number));
                connection.hang_up(&mut self.random);
            }
        }
        for (place, number) in broken {
            self.reconnect(place, number);
        }
    }

    /// From now on a connection may carry nothing: if that lasts, ZMTP's heartbeats will tell.
    pub(super) fn expect_heartbeats(&mut self, number: u32) {
        let at = self.now + self.scenario.heartbeats_missed;
        let missed = What::HeartbeatsMissed { connection: number };
        self.agenda.enter(at, missed);
    }

    pub(super) fn miss_heartbeats(&mut self, number: u32) {
        let (now, patience) = (self.now, self.scenario.heartbeats_missed);
        let connection = self.network.get(number);
        let place = connection.process;
        let blocked =
            connection.blocked_until > now && now.since(connection.blocked_since) >= patience;
        let stopped = self.process(place).stopped;
        let stopped = stopped.is_some_and(|since| now.since(since) >= patience);
        // The thread that waits for them is stopped together with the master's process.
        if (blocked || stopped) && self.throne.stopped.is_none() {
            if blocked {
                self.network.get(number).up.clear();
            }
            self.sever(number);
        }
    }

    // --- weather

    fn is_lost(&mut self, number: u32) -> bool {
        if self.weather.lossy_until <= self.now || !self.one_in(10) {
            return false;
        }
        self.tally.count(Fault::Loss);
        let at = self.now + self.duration(Duration::ZERO, Duration::from_millis(1500));
        self.agenda.enter(at, What::Sever { connection: number });
        let place = self.network.get(number).process;
        self.process(place).tainted = true;
        true
    }

    fn is_echoed(&mut self) -> bool {
        let echoed = self.weather.echoing_until > self.now && self.one_in(5);
        if echoed {
            self.tally.count(Fault::Duplication);
        }
        echoed
    }

    fn is_garbled(&mut self) -> bool {
        let garbled = self.weather.garbled_until > self.now && self.one_in(10);
        if garbled {
            self.tally.count(Fault::Garbage);
        }
        garbled
    }

    fn through_bytes_up(&mut self, message: FromWorker) -> FromWorker {
        let mut frames = written(|first| message.clone().encode(first));
        let read = FromWorker::decode(&mut frames, self.scenario.config.max_body);
        assert_eq!(read.as_ref(), Ok(&message), "what is written is read");
        message
    }

    fn through_bytes_down(&mut self, message: ToWorker) -> ToWorker {
        let mut frames = written(|first| message.clone().encode(first));
        let read = ToWorker::decode(&mut frames, self.scenario.config.max_body);
        assert_eq!(read.as_ref(), Ok(&message), "what is written is read");
        message
    }
}

/// What the decoder says of something that is no message.
fn garbage() -> WireError {
    WireError::ShortHeader { len: 3 }
}
