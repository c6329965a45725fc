/// What a session counts: everything that is dropped or answered without a handler having run, and what befell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Jobs given to a slot.
    pub started: u64,
    /// Inputs that were no message.
    pub malformed: u64,
    /// Messages of another session, dropped.
    pub foreign: u64,
    /// Messages that mean nothing in the state they came in, dropped.
    pub unexpected: u64,
    /// Jobs that repeated an attempt, dropped.
    pub duplicates: u64,
    /// Jobs beyond what the worker holds, handed back.
    pub overflowed: u64,
    /// Jobs of a service that was not registered.
    pub unknown_service: u64,
    /// Jobs whose time was up before they started.
    pub expired: u64,
    /// Jobs cancelled before they started.
    pub cancelled: u64,
    /// Jobs handed back because the master asked for them or the worker left.
    pub returned: u64,
    /// Results larger than the session allows.
    pub too_large: u64,
    /// Jobs that were lost to a broken connection before they started. The master gives them to somebody else.
    pub forgotten: u64,
    /// Results that came after their session was over, dropped.
    pub unwanted: u64,
    /// Sessions issued.
    pub registered: u64,
    /// Sessions resumed over a new connection.
    pub resumed: u64,
    /// Times the master fell silent.
    pub silences: u64,
    /// Sessions ended by the master.
    pub disconnected: u64,
    /// Registrations refused or not answered.
    pub refused: u64,
}
