//! Workers by load, those of the same load in the order in which they came to have it.

/// Stands for no worker.
const NOBODY: u32 = u32::MAX;

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

/// Where workers stand in their orders, by their places in the table. Each stands in one order at most.
#[derive(Debug, Default)]
pub(super) struct Links(Vec<Link>);

#[derive(Debug, Clone, Copy)]
struct Link {
    since: u64,
    previous: u32,
    next: u32,
}

/// The workers of one load.
#[derive(Debug, Clone, Copy)]
struct Level {
    load: u32,
    first: u32,
    last: u32,
}

/// Takes and gives in a time that depends on the number of different loads, which are few, not on that of workers.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The least load first; none is empty.
    levels: Vec<Level>,
    len: usize,
}

impl Order {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn first(&self, links: &Links) -> Option<Rank> {
        let level = self.levels.first()?;
        Some(Rank {
            load: level.load,
            since: links.get(level.first).since,
            worker: level.first,
        })
    }

    /// Puts a worker behind all others of its load, so `since` must be larger than theirs.
    pub(super) fn insert(&mut self, links: &mut Links, rank: Rank) {
        let Rank {
            load,
            since,
            worker,
        } = rank;
        let at = self.levels.partition_point(|level| level.load < load);
        let previous = match self.levels.get_mut(at) {
            Some(level) if level.load == load => {
                let last = std::mem::replace(&mut level.last, worker);
                links.get_mut(last).next = worker;
                last
            }
            _ => {
                let (first, last) = (worker, worker);
                self.levels.insert(at, Level { load, first, last });
                NOBODY
            }
        };
        let next = NOBODY;
        links.set(
            worker,
            Link {
                since,
                previous,
                next,
            },
        );
        self.len += 1;
    }

    /// Takes a worker out that was put in with this rank.
    pub(super) fn remove(&mut self, links: &mut Links, rank: Rank) {
        let at = self.levels.partition_point(|level| level.load < rank.load);
        let Link { previous, next, .. } = links.get(rank.worker);
        match previous {
            NOBODY => self.levels[at].first = next,
            previous => links.get_mut(previous).next = next,
        }
        match next {
            NOBODY => self.levels[at].last = previous,
            next => links.get_mut(next).previous = previous,
        }
        if self.levels[at].first == NOBODY {
            self.levels.remove(at);
        }
        self.len -= 1;
    }
}

impl Links {
    fn get(&self, worker: u32) -> Link {
        self.0[worker as usize]
    }

    fn get_mut(&mut self, worker: u32) -> &mut Link {
        &mut self.0[worker as usize]
    }

    fn set(&mut self, worker: u32, link: Link) {
        let place = worker as usize;
        if place >= self.0.len() {
            let (previous, next) = (NOBODY, NOBODY);
            let nowhere = Link {
                since: 0,
                previous,
                next,
            };
            self.0.resize(place + 1, nowhere);
        }
        self.0[place] = link;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever goes in and out, the order is that of the ranks.
        #[test]
        fn it_is_the_order_of_ranks(steps in prop::collection::vec((0_u32..12, 0_u32..5), 0..300)) {
            let mut links = Links::default();
            let mut order = Order::default();
            let mut model: BTreeSet<Rank> = BTreeSet::new();
            for (since, (worker, load)) in (1..).zip(steps) {
                let before = model.iter().copied().find(|rank| rank.worker == worker);
                if let Some(before) = before {
                    order.remove(&mut links, before);
                    model.remove(&before);
                }
                // One load of five means: not in the order any more.
                if load > 0 {
                    let rank = Rank { load, since, worker };
                    order.insert(&mut links, rank);
                    model.insert(rank);
                }
                prop_assert_eq!(order.first(&links), model.first().copied());
                prop_assert_eq!(order.len(), model.len());
            }
            while let Some(first) = model.pop_first() {
                prop_assert_eq!(order.first(&links), Some(first));
                order.remove(&mut links, first);
            }
            prop_assert_eq!(order.len(), 0);
        }
    }
}
