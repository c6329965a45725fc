use crate::wire::JobKey;

/// Power of two. The master numbers jobs in sequence: an attempt is remembered until its job is this far behind, more or less.
const PLACES: usize = 1024;

/// No attempt has the number 0.
const EMPTY: JobKey = JobKey { job: 0, attempt: 0 };

/// The attempts taken lately, so that one which is delivered twice is not worked on twice.
///
/// Each job has one place, shared with others: an attempt is forgotten when another job takes its place, and never mistaken for
/// another one. That is cheaper than a set and enough against repetitions, which come soon or not at all.
pub(super) struct Seen(Box<[JobKey]>);

impl Seen {
    pub(super) fn new() -> Self {
        Self(vec![EMPTY; PLACES].into_boxed_slice())
    }

    /// Whether this attempt is new. It is not from now on, and nor are those before it: attempts of a job come in order.
    pub(super) fn insert(&mut self, key: JobKey) -> bool {
        let place = self.place(key);
        let new = place.job != key.job || place.attempt < key.attempt;
        if new {
            *place = key;
        }
        new
    }

    pub(super) fn clear(&mut self) {
        self.0.fill(EMPTY);
    }

    fn place(&mut self, key: JobKey) -> &mut JobKey {
        &mut self.0[key.job as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn key(job: u64, attempt: u8) -> JobKey {
        JobKey { job, attempt }
    }

    #[test]
    fn an_attempt_is_new_once_and_the_next_one_is_new_again() {
        let mut seen = Seen::new();
        assert!(seen.insert(key(7, 1)));
        assert!(!seen.insert(key(7, 1)));
        assert!(seen.insert(key(7, 2)));
        assert!(seen.insert(key(u64::MAX, 1)));
    }

    #[test]
    fn an_attempt_is_not_new_after_a_later_one() {
        let mut seen = Seen::new();
        seen.insert(key(7, 3));
        assert!(!seen.insert(key(7, 2)));
    }

    #[test]
    fn an_attempt_is_forgotten_when_another_job_takes_its_place() {
        let mut seen = Seen::new();
        seen.insert(key(7, 1));
        assert!(seen.insert(key(7 + PLACES as u64, 1)));
        assert!(seen.insert(key(7, 1)));
    }
}
