//! The numbers of the protocol: limits, defaults and timings. protocol.md's table is checked against this file.

use std::time::Duration;

/// The longest name of a service, in bytes.
pub const MAX_SERVICE_NAME: usize = 64;
/// The most services that one worker offers.
pub const MAX_SERVICES: usize = 64;
/// The most slots that one worker offers.
pub const MAX_SLOTS: u16 = 1024;
/// The largest body of a control command (JSON), in bytes. The largest valid REGISTER fits into it.
pub const MAX_CONTROL_BODY: usize = 256 * 1024;
/// The longest name of a host or of an implementation, in bytes.
pub const MAX_LABEL: usize = 255;
/// The longest path of a worker's own socket, in bytes: what a unix socket's address holds.
pub const MAX_SOCKET_PATH: usize = 107;
/// The largest body of a REPORT (JSON), in bytes.
pub const MAX_REPORT: usize = 4 * 1024 * 1024;
/// The largest metadata frame, in bytes.
pub const MAX_METADATA: usize = 8 * 1024;
/// The largest body of a job or a result unless the master is set otherwise, in bytes.
pub const DEFAULT_MAX_BODY: usize = 16 * 1024 * 1024;
/// The largest body that a sender of this implementation puts into the header's frame, in bytes. Receivers accept any.
pub const INLINE_BODY: usize = 1024;
/// The most frames of a message, not counting the routing id.
pub const MAX_FRAMES: usize = 3;
/// The most jobs that a resuming REGISTER may list.
pub const MAX_RUNNING: usize = 4096;

/// How often a worker pings unless the master says otherwise.
pub const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(1);
/// The number of silent heartbeat intervals after which a peer counts as lost.
pub const DEFAULT_MISSES: u32 = 3;
/// How long a worker waits for the answer to REGISTER before it opens a new connection.
pub const REGISTER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a worker that has nothing left to do waits for the master's answer to DRAIN before it leaves all the same.
pub const DRAIN_PATIENCE: Duration = Duration::from_secs(1);
/// How often a worker or client may REGISTER or OPEN over connections of its session, in the long run.
pub const REGISTER_INTERVAL: Duration = Duration::from_secs(1);
/// How often it may at once.
pub const REGISTER_BURST: u32 = 10;
/// How often sessions may begin in the long run, at the backend and at the frontend each.
pub const SESSION_INTERVAL: Duration = Duration::from_millis(1);
/// How many sessions may begin at once, unless the master is set to have more workers or clients.
pub const SESSION_BURST: u32 = 4096;
/// The first delay before a worker reconnects; it doubles with each failure.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(50);
/// The longest delay before a worker reconnects.
pub const BACKOFF_LIMIT: Duration = Duration::from_secs(5);
/// How long a worker tries to reach a master before it gives up and exits.
pub const DEFAULT_RECONNECT_LIMIT: Duration = Duration::from_secs(60);
/// The most jobs that a worker may hold, per slot, beyond those it is working on.
pub const DEFAULT_MAX_PREFETCH: u16 = 128;
/// The most attempts of one job.
pub const MAX_ATTEMPTS: u8 = 3;

/// How long a master keeps the session and the jobs of a client whose connection is gone, unless it is set otherwise.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(5);
/// The most jobs of one client that have not been replied to, unless the master is set otherwise.
pub const DEFAULT_CLIENT_JOBS: usize = 16384;
/// The most bytes of their payloads, unless the master is set otherwise.
pub const DEFAULT_CLIENT_BYTES: usize = 64 * 1024 * 1024;
/// A client tells how many REPLYs it has received at least after so many of them.
pub const ACKNOWLEDGE_REPLIES: u64 = 256;
/// A client tells how many REPLYs it has received at least after so many bytes of results.
pub const ACKNOWLEDGE_BYTES: usize = 1024 * 1024;
