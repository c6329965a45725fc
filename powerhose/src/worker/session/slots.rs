use crate::time::Time;
use crate::wire::JobKey;

/// The job in a slot.
pub(super) struct Running {
    pub(super) key: JobKey,
    pub(super) service: u16,
    pub(super) started: Time,
    /// Whether its session lives: only then may its result be sent.
    pub(super) wanted: bool,
    /// Whether its handler was told that it is cancelled.
    pub(super) cancelled: bool,
    /// Whether it was reported for overrunning its time.
    pub(super) reported: bool,
}

/// The slots of a worker, each with at most one job.
pub(super) struct Slots {
    places: Vec<Option<Running>>,
    /// A stack: the slot that was busy last has the warmest caches.
    free: Vec<u16>,
}

impl Slots {
    pub(super) fn new(count: u16) -> Self {
        Self {
            places: (0..count).map(|_| None).collect(),
            free: (0..count).rev().collect(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    pub(super) fn any_free(&self) -> bool {
        !self.free.is_empty()
    }

    pub(super) fn all_free(&self) -> bool {
        self.free.len() == self.places.len()
    }

    /// Puts a job into a free slot.
    pub(super) fn occupy(&mut self, running: Running) -> Option<u16> {
        let slot = self.free.pop()?;
        self.places[usize::from(slot)] = Some(running);
        Some(slot)
    }

    /// Takes the job out of a slot.
    pub(super) fn release(&mut self, slot: u16) -> Option<Running> {
        let running = self.places.get_mut(usize::from(slot))?.take()?;
        self.free.push(slot);
        Some(running)
    }

    /// The busy slots.
    pub(super) fn busy(&self) -> impl Iterator<Item = &Running> {
        self.places.iter().flatten()
    }

    /// The busy slots with their numbers.
    pub(super) fn busy_mut(&mut self) -> impl Iterator<Item = (u16, &mut Running)> {
        (0..)
            .zip(&mut self.places)
            .filter_map(|(slot, place)| Some((slot, place.as_mut()?)))
    }
}
