//! The queues that jobs wait in: those of different clients take turns.

use std::collections::VecDeque;

use super::jobs::{JobId, Jobs, Origin};

/// Jobs in order, linked through the table so that any of them leaves in constant time.
#[derive(Debug, Default)]
struct Chain {
    head: Option<JobId>,
    tail: Option<JobId>,
    len: usize,
}

impl Chain {
    fn push_back(&mut self, jobs: &mut Jobs, id: JobId) {
        self.link(jobs, id, self.tail, None);
    }

    fn push_front(&mut self, jobs: &mut Jobs, id: JobId) {
        self.link(jobs, id, None, self.head);
    }

    fn link(&mut self, jobs: &mut Jobs, id: JobId, previous: Option<JobId>, next: Option<JobId>) {
        match previous.and_then(|previous| jobs.get_mut(previous)) {
            Some(job) => job.next = Some(id),
            None => self.head = Some(id),
        }
        match next.and_then(|next| jobs.get_mut(next)) {
            Some(job) => job.previous = Some(id),
            None => self.tail = Some(id),
        }
        if let Some(job) = jobs.get_mut(id) {
            (job.previous, job.next) = (previous, next);
            self.len += 1;
        }
    }

    fn unlink(&mut self, jobs: &mut Jobs, id: JobId) {
        let Some(job) = jobs.get_mut(id) else { return };
        let (previous, next) = (job.previous.take(), job.next.take());
        match previous.and_then(|previous| jobs.get_mut(previous)) {
            Some(job) => job.next = next,
            None => self.head = next,
        }
        match next.and_then(|next| jobs.get_mut(next)) {
            Some(job) => job.previous = previous,
            None => self.tail = previous,
        }
        self.len -= 1;
    }
}

/// The jobs of one origin, of which there is at least one.
#[derive(Debug)]
struct Line {
    origin: Origin,
    chain: Chain,
}

/// A queue of waiting jobs. What was sent before comes first; then the origins of the others take turns, one job each.
///
/// To find an origin's line takes a look at each: as many as clients have jobs in this queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Jobs that were sent before and came back.
    again: Chain,
    /// In the order of their turns.
    lines: VecDeque<Line>,
    len: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All jobs, each origin's in their order.
    pub(super) fn iter<'a>(&'a self, jobs: &'a Jobs) -> impl Iterator<Item = JobId> + use<'a> {
        let lines = self.lines.iter().map(|line| line.chain.head);
        std::iter::once(self.again.head)
            .chain(lines)
            .flat_map(|head| {
                std::iter::successors(head, |id| jobs.get(*id).and_then(|job| job.next))
            })
    }

    /// The job whose turn it is.
    pub(super) fn head(&self) -> Option<JobId> {
        let line = || self.lines.front().and_then(|line| line.chain.head);
        self.again.head.or_else(line)
    }

    /// How many of the jobs that wait here are sent before the next one of an origin.
    pub(super) fn ahead_of(&self, origin: Option<Origin>) -> usize {
        if let ([line], _) = self.lines.as_slices()
            && Some(line.origin) == origin
        {
            return self.len;
        }
        let own = |line: &&Line| Some(line.origin) == origin;
        let own = self.lines.iter().find(own).map_or(0, |line| line.chain.len);
        let before = |line: &Line| line.chain.len.min(own + 1);
        self.again.len + self.lines.iter().map(before).sum::<usize>()
    }

    /// An origin has had its turn, here or in another queue of the service.
    pub(super) fn had_turn(&mut self, origin: Origin) {
        if self.lines.len() < 2 {
            return;
        }
        let at = self.lines.iter().position(|line| line.origin == origin);
        if let Some(line) = at.and_then(|at| self.lines.remove(at)) {
            self.lines.push_back(line);
        }
    }

    /// Puts a job behind the others of its origin.
    pub(super) fn push_back(&mut self, jobs: &mut Jobs, id: JobId) {
        let Some(job) = jobs.get_mut(id) else { return };
        job.comes_again = false;
        let origin = job.origin;
        let at = self.lines.iter().position(|line| line.origin == origin);
        let at = at.unwrap_or_else(|| {
            // It may have waited in another queue for longer than some have in this one.
            let served = jobs.served(origin);
            let before = |line: &Line| jobs.served(line.origin) <= served;
            let at = self.lines.iter().rposition(before).map_or(0, |at| at + 1);
            let chain = Chain::default();
            self.lines.insert(at, Line { origin, chain });
            at
        });
        self.lines[at].chain.push_back(jobs, id);
        self.len += 1;
        jobs.now_waits(id);
    }

    /// Puts a job that was sent before in front of all.
    pub(super) fn push_front(&mut self, jobs: &mut Jobs, id: JobId) {
        let Some(job) = jobs.get_mut(id) else { return };
        job.comes_again = true;
        self.again.push_front(jobs, id);
        self.len += 1;
        jobs.now_waits(id);
    }

    /// Takes a job out.
    pub(super) fn unlink(&mut self, jobs: &mut Jobs, id: JobId) {
        let Some(job) = jobs.get(id) else { return };
        if job.comes_again {
            self.again.unlink(jobs, id);
        } else {
            let origin = job.origin;
            let Some(at) = self.lines.iter().position(|line| line.origin == origin) else {
                return;
            };
            let chain = &mut self.lines[at].chain;
            chain.unlink(jobs, id);
            if chain.len == 0 {
                self.lines.remove(at);
            }
        }
        self.len -= 1;
        jobs.waits_no_more(id);
    }
}
