//! Decides who may connect: answers libzmq's questions about the keys of those who try (ZeroMQ RFC 27, ZAP).

use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use bytes::Bytes;

use super::curve::Domain;
use super::frames;
use super::poll::{Poll, wait};
use crate::security::{CurveServer, PublicKey};

/// Where libzmq looks for whom to ask.
const ENDPOINT: &str = "inproc://zeromq.zap.01";

/// The most refused keys that are remembered, each of which is logged once.
const MAX_REMEMBERED: usize = 1024;

/// The thread that answers, for all sockets of a context. When it has ended nobody new is admitted. Dropping this ends it.
pub(crate) struct ZapHandler {
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
    is_dead: Arc<AtomicBool>,
}

/// Says so when the thread ends without having been told to. It is gone before the thread's socket: whoever is refused for want of an
/// answer finds it said.
struct Watch(Arc<AtomicBool>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
        if thread::panicking() {
            tracing::error!(
                "the thread that checks keys has died: nobody new is admitted over tcp until the master is restarted"
            );
        }
    }
}

impl ZapHandler {
    /// Starts to answer. To be called before any other socket of the context is made: libzmq asks whoever is there.
    ///
    /// # Errors
    /// What the system refused, or that somebody answers already.
    pub(crate) fn start(context: &zmq::Context, server: CurveServer) -> io::Result<Self> {
        let socket = context.socket(zmq::ROUTER)?;
        socket.set_linger(0)?;
        socket.bind(ENDPOINT)?;
        let (stop, stopped) = UnixStream::pair()?;
        let is_dead = Arc::new(AtomicBool::new(false));
        let dies = Arc::clone(&is_dead);
        let thread =
            (thread::Builder::new().name("powerhose-zap".to_owned())).spawn(move || {
                let _watch = Watch(dies);
                serve(&socket, &stopped, &server);
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            is_dead,
        })
    }

    /// Whether nobody answers any more.
    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Acquire)
    }
}

impl Drop for ZapHandler {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &zmq::Socket, stopped: &UnixStream, server: &CurveServer) {
    let mut refused = HashSet::new();
    let mut frame = zmq::Message::new();
    loop {
        let mut question = Vec::new();
        while frames::receive(socket, &mut frame).is_some() {
            question.push(Bytes::copy_from_slice(&frame));
            if frame.get_more() {
                continue;
            }
            if let Some(answer) = answer(&question, server, &mut refused) {
                // The asking connection may be gone by now.
                let _ = socket.send_multipart(answer, zmq::DONTWAIT);
            }
            question.clear();
        }
        let mut poll = Poll::default();
        let stop = poll.add(stopped.as_fd());
        poll.add(frames::fd(socket));
        if wait(&mut poll, None).is_err() {
            thread::sleep(std::time::Duration::from_millis(10));
        }
        if poll.is_ready(stop) {
            return;
        }
    }
}

/// The answer to a question. `None`: it was none, and gets none; libzmq then lets nobody in.
fn answer(
    question: &[Bytes],
    server: &CurveServer,
    refused: &mut HashSet<(PublicKey, &'static str)>,
) -> Option<Vec<Vec<u8>>> {
    let [
        asker @ ..,
        empty,
        version,
        request,
        domain,
        address,
        _id,
        mechanism,
        key,
    ] = question
    else {
        return None;
    };
    if !empty.is_empty() || version != "1.0" {
        return None;
    }
    let domain = (Domain::ALL.into_iter()).find(|known| *domain == known.name());
    let key = (mechanism == "CURVE")
        .then(|| key.as_ref().try_into().ok().map(PublicKey))
        .flatten();
    let admitted = match (domain, key) {
        (Some(domain), Some(key)) => {
            let list = match domain {
                Domain::Backend => &server.workers,
                Domain::Frontend => &server.clients,
                Domain::Operator => &server.operators,
            };
            // Whoever has the master's own secret key may ask how it is.
            let is_own = domain != Domain::Backend && key == server.keys.public();
            let admits = is_own || list.admits(&key);
            if !admits && refused.len() < MAX_REMEMBERED && refused.insert((key, domain.name())) {
                let (address, domain) = (String::from_utf8_lossy(address), domain.name());
                tracing::warn!(%key, %address, domain, "refused a key that is not on the list");
            }
            admits
        }
        _ => false,
    };
    let (code, text) = if admitted {
        ("200", "OK")
    } else {
        ("400", "not on the list")
    };
    let mut answer: Vec<Vec<u8>> = asker.iter().map(|frame| frame.to_vec()).collect();
    answer.extend([b"".to_vec(), b"1.0".to_vec(), request.to_vec()]);
    answer.extend([code, text, "", ""].map(|part| part.as_bytes().to_vec()));
    Some(answer)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::driver::endpoint::{Endpoint, Reach};
    use crate::driver::frames::{Parcel, Sending};
    use crate::driver::libzmq::{Dealer, Router};
    use crate::driver::monitor::Monitor;
    use crate::driver::socket::Options;
    use crate::security::{AllowList, CurveClient, KeyPair};
    use crate::wire::FromWorker;

    const OPTIONS: Options = Options {
        max_frame: 1024,
        linger: Duration::ZERO,
        heartbeat: None,
    };

    /// A socket that admits one key, which `connect` has.
    struct Door {
        context: zmq::Context,
        router: Router,
        monitor: Monitor,
        bound: Endpoint,
        client: CurveClient,
        parcel: Parcel,
    }

    impl Door {
        /// With a handler, if `handler` makes one.
        fn open<T>(handler: impl FnOnce(&zmq::Context, CurveServer) -> T) -> (Self, T) {
            let context = zmq::Context::new();
            let pair = || KeyPair::generate().expect("libzmq has CURVE");
            let (server, client) = (pair(), pair());
            let (public, listed) = (server.public(), AllowList::keys([client.public()]));
            let server = CurveServer::new(server).workers(listed);
            let handler = handler(&context, server.clone());
            let mut router = Router::new(&context, &OPTIONS).expect("a socket");
            let monitor = router.monitor(&context, "test").expect("a socket");
            (router.encrypt(&server, Domain::Backend)).expect("libzmq has CURVE");
            let any = Endpoint::to_bind("tcp://127.0.0.1:*", Reach::Loopback).expect("an endpoint");
            let bound = router.bind(&any).expect("a free port");
            let door = Self {
                bound: Endpoint::to_connect(&bound, Reach::Loopback).expect("it was bound"),
                context,
                router,
                monitor,
                client: CurveClient::new(client, public),
                parcel: Parcel::default(),
            };
            (door, handler)
        }

        fn connect(&mut self) -> Dealer {
            let client = Some(&self.client);
            let dealer = Dealer::connect(&self.context, &self.bound, &OPTIONS, client);
            let mut dealer = dealer.expect("a socket");
            self.send(&mut dealer);
            dealer
        }

        fn send(&mut self, dealer: &mut Dealer) {
            (self.parcel).for_master(FromWorker::Heartbeat { session: 1 });
            assert_eq!(dealer.send(&mut self.parcel), Sending::Sent);
        }

        fn receives(&mut self) {
            eventually("a message", || {
                self.router.receive(&mut Vec::new()).is_some()
            });
        }

        fn refuses(&mut self) {
            eventually("a refusal", || {
                let news = self.monitor.take();
                news.refused + news.not_listed > 0
            });
            assert!(self.router.receive(&mut Vec::new()).is_none());
        }
    }

    fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
        let mut turns = 0..6000;
        while !is_so() {
            assert!(turns.next().is_some(), "never came: {what}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn when_the_handler_has_died_nobody_new_is_admitted() {
        let (mut door, handler) =
            Door::open(|context, server| ZapHandler::start(context, server).expect("it starts"));
        let mut admitted = door.connect();
        door.receives();
        assert!(!handler.is_dead());
        door.monitor.take();
        drop(handler);

        // Its key is on the list, but there is nobody to say so.
        let _refused = door.connect();
        door.refuses();
        door.send(&mut admitted);
        door.receives();
    }

    #[test]
    fn without_a_handler_nobody_is_admitted() {
        let (mut door, ()) = Door::open(|_, _| ());
        let _refused = door.connect();
        door.refuses();
    }
}
