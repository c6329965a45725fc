//! Workers in the order of their ranks.

/// The order among workers: least loaded first, then the one that has had this load for the longest time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Jobs in flight per slot, in 1/65,536.
    pub(super) load: u32,
    /// A number that grows with each change of any worker.
    pub(super) since: u64,
    /// The worker's place in the table.
    pub(super) worker: u32,
}

/// Where each worker stands in the one ranking that it is in, by its place in the table.
#[derive(Debug, Default)]
pub(super) struct Standings(Vec<u32>);

impl Standings {
    fn set(&mut self, worker: u32, at: usize) {
        let worker = worker as usize;
        if self.0.len() <= worker {
            self.0.resize(worker + 1, 0);
        }
        // A ranking has no more members than there are numbers of workers.
        self.0[worker] = u32::try_from(at).unwrap_or(u32::MAX);
    }

    fn get(&self, worker: u32) -> Option<usize> {
        self.0.get(worker as usize).map(|at| *at as usize)
    }
}

/// A binary heap that any member can leave in logarithmic time. Unlike a tree it allocates nothing while members come and go, which
/// they do twice for each job.
#[derive(Debug, Default)]
pub(super) struct Ranking(Vec<Rank>);

impl Ranking {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The best one.
    pub(super) fn first(&self) -> Option<Rank> {
        self.0.first().copied()
    }

    /// Adds a worker that is in no ranking.
    pub(super) fn insert(&mut self, rank: Rank, standings: &mut Standings) {
        self.0.push(rank);
        standings.set(rank.worker, self.0.len() - 1);
        self.rise(self.0.len() - 1, standings);
    }

    /// Takes a worker out, if it is here with this rank.
    pub(super) fn remove(&mut self, rank: Rank, standings: &mut Standings) {
        let Some(at) = standings.get(rank.worker) else {
            return;
        };
        if self.0.get(at) != Some(&rank) {
            return;
        }
        self.0.swap_remove(at);
        if let Some(moved) = self.0.get(at) {
            standings.set(moved.worker, at);
            let at = self.rise(at, standings);
            self.sink(at, standings);
        }
    }

    fn rise(&mut self, mut at: usize, standings: &mut Standings) -> usize {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.0[parent] <= self.0[at] {
                break;
            }
            self.exchange(at, parent, standings);
            at = parent;
        }
        at
    }

    fn sink(&mut self, mut at: usize, standings: &mut Standings) {
        loop {
            let children = (2 * at + 1..self.0.len()).take(2);
            let Some(child) = children.min_by_key(|child| self.0[*child]) else {
                return;
            };
            if self.0[at] <= self.0[child] {
                return;
            }
            self.exchange(at, child, standings);
            at = child;
        }
    }

    fn exchange(&mut self, one: usize, other: usize, standings: &mut Standings) {
        self.0.swap(one, other);
        standings.set(self.0[one].worker, one);
        standings.set(self.0[other].worker, other);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_an_ordered_set(steps in prop::collection::vec((0..20_u32, 0..5_u32), 0..200)) {
            let mut standings = Standings::default();
            let (mut ranking, mut model) = (Ranking::default(), BTreeSet::new());
            let mut ranks: [Option<Rank>; 20] = [None; 20];
            for (since, (worker, load)) in (0..).zip(steps) {
                let place = &mut ranks[worker as usize];
                match place.take() {
                    Some(rank) => {
                        ranking.remove(rank, &mut standings);
                        // Once more does no harm.
                        ranking.remove(rank, &mut standings);
                        model.remove(&rank);
                    }
                    None => {
                        let rank = Rank { load, since, worker };
                        ranking.insert(rank, &mut standings);
                        model.insert(rank);
                        *place = Some(rank);
                    }
                }
                prop_assert_eq!(ranking.first(), model.first().copied());
                prop_assert_eq!(ranking.len(), model.len());
            }
            while let Some(rank) = ranking.first() {
                prop_assert_eq!(Some(rank), model.pop_first());
                ranking.remove(rank, &mut standings);
            }
            prop_assert!(model.is_empty());
        }
    }
}
