//! The kinds of fault and how often each was done.

use std::fmt;

macro_rules! faults {
    ($($(#[$doc:meta])+ $name:ident = $text:literal;)+) => {
        /// What goes wrong in the virtual world.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fault {
            $($(#[$doc])+ $name,)+
        }

        impl Fault {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

faults! {
    /// A worker's process is killed and started again later.
    WorkerCrash = "worker-crash";
    /// A worker's process is stopped for a while, handlers and all.
    WorkerPause = "worker-pause";
    /// A worker takes many times as long for everything, for a while.
    WorkerSlow = "worker-slow";
    /// A worker is told to drain and started again later.
    WorkerDrain = "worker-drain";
    /// A worker is told to stop at once and started again later.
    WorkerStop = "worker-stop";
    /// The master's process is killed; the next one knows nothing.
    MasterCrash = "master-crash";
    /// The master's process is stopped for a while.
    MasterPause = "master-pause";
    /// The master drains and another one takes its place.
    MasterDrain = "master-drain";
    /// The master fails what it has, and another one takes its place.
    MasterStop = "master-stop";
    /// Everything is stopped for a while, as when a machine is suspended.
    Freeze = "freeze";
    /// A connection breaks and loses what is on the way; the socket connects again by itself.
    ConnectionLoss = "connection-loss";
    /// A connection carries nothing for a while. If that is longer than ZMTP's heartbeats allow, it breaks.
    Partition = "partition";
    /// Messages take many times as long, for a while. Those of different peers overtake each other.
    Delay = "delay";
    /// One message is lost without its connection, which breaks only later.
    Loss = "loss";
    /// Messages come twice.
    Duplication = "duplication";
    /// Something comes that is no message.
    Garbage = "garbage";
    /// A message comes that nobody sent: a well-formed one that makes no sense.
    Stray = "stray";
    /// A write to a connection that is gone seems to succeed.
    LateRefusal = "late-refusal";
    /// A worker's socket cannot be connected to.
    Refusal = "refusal";
    /// Mail for a worker that does not read piles up beyond the bound.
    Overflow = "overflow";
    /// The master is woken later than it asked for.
    LateWake = "late-wake";
    /// A job kills the worker that runs it, each time.
    Poison = "poison";
    /// A job takes far longer than its like.
    LongJob = "long-job";
    /// A caller goes away before its job is done.
    Cancellation = "cancellation";
    /// More jobs come at once than the queue holds.
    Burst = "burst";
    /// Jobs name more services than the master can know.
    ServiceFlood = "service-flood";
}

impl Fault {
    /// Whether it happens for sure once it is injected. The others depend on there being messages at the time.
    pub(super) fn is_sure(self) -> bool {
        self.is_injected() && !matches!(self, Self::Loss | Self::Duplication | Self::Garbage)
    }

    /// Whether it is done at a certain time. The others lie in the nature of jobs, or come about when there is occasion.
    pub(super) fn is_injected(self) -> bool {
        !matches!(
            self,
            Self::LateRefusal
                | Self::Refusal
                | Self::Overflow
                | Self::LateWake
                | Self::Poison
                | Self::LongJob
                | Self::Cancellation
                | Self::Burst
                | Self::ServiceFlood
        )
    }
}

/// How often each kind of fault was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally([u64; Fault::ALL.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; Fault::ALL.len()])
    }
}

impl Tally {
    pub(super) fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// Adds what another run did.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// Every kind with how often it was done.
    pub fn iter(&self) -> impl Iterator<Item = (Fault, u64)> {
        Fault::ALL.iter().copied().zip(self.0)
    }

    /// How many kinds were done at all.
    pub fn kinds(&self) -> usize {
        self.0.iter().filter(|count| **count > 0).count()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for (fault, count) in self.iter() {
            write!(f, "{gap}{} {count}", fault.name())?;
            gap = ", ";
        }
        Ok(())
    }
}
