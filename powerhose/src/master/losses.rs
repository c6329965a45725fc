//! Workers that die together: their jobs wait until it is known who is left.
//!
//! A process or a host takes many workers with it, and they are found one after the other. A suspect that is sent on at once may go to
//! one that is dead already, would be blamed for its death, and after another one be taken for poison.

use std::time::Duration;

use super::Master;
use super::probing::Probing;
use super::timers::Timer;
use super::workers::Exclusive;
use crate::time::Time;

/// How long suspects wait at most, should workers die all the time.
const LONGEST: Duration = Duration::from_secs(1);

/// When workers were lost last, and until when suspects wait because of it.
#[derive(Debug, Default)]
pub(super) struct Losses {
    latest: Option<Time>,
    hold: Option<Hold>,
}

#[derive(Debug, Clone, Copy)]
struct Hold {
    since: Time,
    until: Time,
}

impl Losses {
    /// A worker was lost. One that was lost less than `together` before died with it. Returns when a hold that begins is to be looked
    /// at.
    fn note(&mut self, now: Time, together: Duration) -> Option<Time> {
        let before = self.latest.replace(now)?;
        if now.since(before) >= together {
            return None;
        }
        let until = now + together;
        match &mut self.hold {
            Some(hold) => {
                hold.until = until.min(hold.since + LONGEST);
                None
            }
            None => Some(self.hold.insert(Hold { since: now, until }).until),
        }
    }

    /// Whether suspects wait for more workers to be found dead.
    pub(super) fn hold(&self) -> bool {
        self.hold.is_some()
    }
}

impl Master {
    pub(super) fn note_loss(&mut self, now: Time) {
        let together = Probing::round(self.workers.len());
        if let Some(at) = self.losses.note(now, together) {
            self.timers.arm(at, Timer::Hold);
        }
    }

    /// Sends suspects to workers again, if it is time.
    pub(super) fn check_hold(&mut self, now: Time) {
        let Some(hold) = self.losses.hold else { return };
        if now < hold.until {
            return self.timers.arm(hold.until, Timer::Hold);
        }
        self.losses.hold = None;
        let kept_free = (self.workers.iter())
            .filter(|worker| matches!(worker.exclusive, Some(Exclusive::Reserved(_))))
            .map(|worker| worker.key);
        self.released.extend(kept_free);
    }
}
