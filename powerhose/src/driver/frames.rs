//! Frames in and out of libzmq without copying what is large.
#![allow(
    unsafe_code,
    reason = "the zmq crate can neither move a shared buffer into a message nor lend a socket's descriptor"
)]

use std::ffi::{CString, c_int, c_void};
use std::io;
use std::mem;
use std::os::fd::BorrowedFd;

use bytes::Bytes;
use rustix::io::Errno;

use crate::wire::limits::{INLINE_BODY, MAX_FRAMES};
use crate::wire::{Encoded, FromClient, FromWorker, HEADER_LEN, ToClient, ToWorker};

/// Frames up to this length are copied. That is cheaper than to share them, and a received frame that is shared would hold on to
/// libzmq's whole 8 KiB buffer. A header with the largest inline body is still copied.
const COPY_LIMIT: usize = HEADER_LEN + INLINE_BODY;

/// An encoded message, on its way out. One is reused for all messages that go out at once.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    first: Vec<u8>,
    rest: Encoded,
}

impl Parcel {
    /// Encodes a message from the master to a worker.
    pub(crate) fn for_worker(&mut self, message: ToWorker) {
        self.rest = message.encode(&mut self.first);
    }

    /// Encodes a message from the master to a client.
    pub(crate) fn for_client(&mut self, message: ToClient) {
        self.rest = message.encode(&mut self.first);
    }

    /// Encodes a message from a client to the master.
    pub(crate) fn for_master_of_client(&mut self, message: FromClient) {
        self.rest = message.encode(&mut self.first);
    }

    /// The length of the message in bytes.
    pub(crate) fn len(&self) -> usize {
        let frame = |frame: &Option<Bytes>| frame.as_ref().map_or(0, Bytes::len);
        self.first.len() + frame(&self.rest.body) + frame(&self.rest.metadata)
    }

    /// Its frames: the first one, and those that may follow.
    pub(super) fn frames(&mut self) -> (&[u8], [&mut Option<Bytes>; 2]) {
        let Encoded { body, metadata } = &mut self.rest;
        (&self.first, [body, metadata])
    }

    /// Encodes a message from a worker to the master.
    pub(crate) fn for_master(&mut self, message: FromWorker) {
        self.rest = message.encode(&mut self.first);
    }

    /// Takes frames as they are, which need not be a message: the first one and at most two more.
    #[cfg(feature = "cli")]
    pub(crate) fn unchecked(&mut self, first: Vec<u8>, more: &[&[u8]]) {
        let mut more = more.iter().map(|frame| Bytes::copy_from_slice(frame));
        self.first = first;
        self.rest = Encoded {
            body: more.next(),
            metadata: more.next(),
        };
    }
}

/// What became of a message that was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// libzmq has it. Whether the peer will get it is another question.
    Sent,
    /// There is no room now; the message is unchanged.
    WouldBlock,
    /// There is no such connection; the message is gone.
    Unreachable,
}

/// Sends a message, preceded by the routing id where the socket needs one. Never blocks.
///
/// libzmq reserves room for a whole message when it takes the first frame. So only that one is refused for want of room; a
/// later one fails only when the connection breaks in between, and libzmq then drops the message as a whole.
pub(super) fn send(
    socket: &mut zmq::Socket,
    routing_id: Option<&[u8]>,
    parcel: &mut Parcel,
) -> Sending {
    let mut begun = false;
    if let Some(id) = routing_id {
        match Frame::copied(id).send(socket, true) {
            Ok(()) => begun = true,
            Err(error) => return refused(error, begun),
        }
    }
    let Encoded { body, metadata } = &mut parcel.rest;
    let follows = body.is_some() || metadata.is_some();
    if let Err(error) = Frame::copied(&parcel.first).send(socket, follows) {
        return refused(error, begun);
    }
    let body = body.take();
    let metadata = metadata.take();
    let follows = metadata.is_some();
    let rest = body.map(|body| (body, follows));
    for (frame, follows) in rest.into_iter().chain(metadata.map(|frame| (frame, false))) {
        if Frame::from(frame).send(socket, follows).is_err() {
            return Sending::Unreachable;
        }
    }
    Sending::Sent
}

fn refused(error: i32, begun: bool) -> Sending {
    if error == Errno::AGAIN.raw_os_error() && !begun {
        Sending::WouldBlock
    } else {
        Sending::Unreachable
    }
}

/// A frame that libzmq has not taken yet.
struct Frame(zmq_sys::zmq_msg_t);

impl Frame {
    fn copied(bytes: &[u8]) -> Self {
        let mut message = zmq_sys::zmq_msg_t::default();
        // SAFETY: it initializes `message`, which nobody else knows.
        let result = unsafe { zmq_sys::zmq_msg_init_size(&raw mut message, bytes.len()) };
        assert_eq!(result, 0, "out of memory");
        // SAFETY: the message was just initialized with room for as many bytes, and its memory is its own.
        unsafe {
            let room = zmq_sys::zmq_msg_data(&raw mut message).cast::<u8>();
            room.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        Self(message)
    }

    /// Shares the bytes with libzmq, which lets go of them once they are sent, on a thread of its own.
    fn shared(bytes: Bytes) -> Self {
        let mut message = zmq_sys::zmq_msg_t::default();
        let (data, len) = (bytes.as_ptr(), bytes.len());
        let owner = Box::into_raw(Box::new(bytes));
        // SAFETY: `data` and `len` describe memory that lives and does not change as long as `owner`, which `release` drops. libzmq
        // reads a message that it sends and never writes to it. It calls `release` once, from any thread: `Bytes` is `Send`.
        let result = unsafe {
            zmq_sys::zmq_msg_init_data(
                &raw mut message,
                data.cast_mut().cast(),
                len,
                Some(release),
                owner.cast(),
            )
        };
        assert_eq!(result, 0, "out of memory");
        Self(message)
    }

    fn send(mut self, socket: &mut zmq::Socket, more: bool) -> Result<(), i32> {
        let flags: c_int = zmq::DONTWAIT | if more { zmq::SNDMORE } else { 0 };
        let socket = socket.as_mut_ptr();
        loop {
            // SAFETY: the frame is initialized; the socket is open and exclusively borrowed. What libzmq takes, it leaves empty
            // but initialized, so that dropping the frame is right in either case.
            let result = unsafe { zmq_sys::zmq_msg_send(&raw mut self.0, socket, flags) };
            if result >= 0 {
                return Ok(());
            }
            let error = errno();
            if error != Errno::INTR.raw_os_error() {
                return Err(error);
            }
        }
    }
}

impl From<Bytes> for Frame {
    fn from(bytes: Bytes) -> Self {
        if bytes.len() <= COPY_LIMIT {
            Self::copied(&bytes)
        } else {
            Self::shared(bytes)
        }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        // SAFETY: every constructor initializes the message, and nothing closes it but this.
        unsafe { zmq_sys::zmq_msg_close(&raw mut self.0) };
    }
}

/// Drops the `Bytes` that a frame shared. libzmq calls it when it has no more use for them.
unsafe extern "C" fn release(_data: *mut c_void, owner: *mut c_void) {
    // SAFETY: `owner` is the box of `Frame::shared`, which nobody else drops.
    drop(unsafe { Box::from_raw(owner.cast::<Bytes>()) });
}

/// Receives one frame, if there is one, and tells whether more frames of its message follow.
pub(super) fn receive(socket: &zmq::Socket, frame: &mut zmq::Message) -> Option<bool> {
    loop {
        match socket.recv(frame, zmq::DONTWAIT) {
            Ok(()) => return Some(frame.get_more()),
            Err(zmq::Error::EINTR) => {}
            // EAGAIN. The others mean a socket that is no socket, or a context that is closing under it, which owning both rules out.
            Err(_) => return None,
        }
    }
}

/// Receives the frames of a message, of which the first one is there. More than a message may have are dropped but for one, so that the
/// codec sees that they are too many.
pub(super) fn receive_rest(socket: &zmq::Socket, frame: &mut zmq::Message, into: &mut Vec<Bytes>) {
    loop {
        let more = frame.get_more();
        if into.len() <= MAX_FRAMES {
            into.push(take(frame));
        }
        if !more || receive(socket, frame).is_none() {
            return;
        }
    }
}

/// The bytes of a received frame.
fn take(frame: &mut zmq::Message) -> Bytes {
    struct Received(zmq::Message);

    impl AsRef<[u8]> for Received {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    if frame.len() <= COPY_LIMIT {
        Bytes::copy_from_slice(frame)
    } else {
        Bytes::from_owner(Received(mem::replace(frame, zmq::Message::new())))
    }
}

/// The descriptor of a socket, to be polled as [`poll`](super::poll) says.
pub(super) fn fd(socket: &zmq::Socket) -> BorrowedFd<'_> {
    let fd = (socket.get_fd())
        .unwrap_or_else(|error| unreachable!("an open socket has a descriptor: {error}"));
    // SAFETY: libzmq keeps the descriptor open as long as the socket, which stays borrowed.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Listens at an endpoint. The zmq crate's own `bind` panics on system errors that it doesn't know, such as a read-only file system.
///
/// # Errors
/// What the system said.
pub(super) fn bind(socket: &mut zmq::Socket, endpoint: &str) -> io::Result<()> {
    let endpoint = CString::new(endpoint)?;
    // SAFETY: the socket is open and exclusively borrowed; the string ends with a zero and outlives the call.
    match unsafe { zmq_sys::zmq_bind(socket.as_mut_ptr(), endpoint.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::from_raw_os_error(errno())),
    }
}

/// Has a socket tell nobody any more what happens to its connections.
pub(super) fn stop_monitor(socket: &mut zmq::Socket) {
    // It fails only for a socket that is none.
    // SAFETY: the socket is open and exclusively borrowed; no endpoint is how libzmq is asked for this.
    unsafe { zmq_sys::zmq_socket_monitor(socket.as_mut_ptr(), std::ptr::null(), 0) };
}

/// What libzmq says about the last call on this thread that failed.
pub(super) fn last_error() -> zmq::Error {
    zmq::Error::from_raw(errno())
}

/// Why the last call into libzmq on this thread failed.
fn errno() -> i32 {
    // SAFETY: it reads a thread-local number.
    unsafe { zmq_sys::zmq_errno() }
}
