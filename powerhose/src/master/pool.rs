//! Who gets the next job: workers in order of load, grouped by the services that they offer.
//!
//! A worker that changes moves within one group, however many services it offers; a job looks at the first worker of
//! each group that offers its service. Neither takes longer for more workers.

use super::order::{Links, Order, Rank};
use super::services::ServiceIndex;

/// A place in the table of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct GroupIndex(usize);

/// What a worker can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    /// A slot is free.
    Free(Rank),
    /// All slots are taken, but it is quick enough to have more sent ahead.
    Prefetch(Rank),
}

/// The workers that offer exactly the same services.
#[derive(Debug, Default)]
pub(super) struct Group {
    services: Vec<ServiceIndex>,
    members: usize,
    free: Order,
    prefetch: Order,
}

#[derive(Debug, Default)]
pub(super) struct Pool {
    groups: Vec<Group>,
    links: Links,
    stamp: u64,
}

impl Pool {
    /// The group of the workers that offer `services`, one member more. True if it is new to these services.
    pub(super) fn join(&mut self, services: &[ServiceIndex]) -> (GroupIndex, bool) {
        let mut services = services.to_vec();
        services.sort_unstable();
        let known = self
            .groups
            .iter()
            .position(|group| group.members > 0 && group.services == services);
        let (index, new) = match known {
            Some(index) => (index, false),
            None => {
                let group = Group {
                    services,
                    ..Group::default()
                };
                match self.groups.iter().position(|group| group.members == 0) {
                    Some(index) => {
                        self.groups[index] = group;
                        (index, true)
                    }
                    None => {
                        self.groups.push(group);
                        (self.groups.len() - 1, true)
                    }
                }
            }
        };
        self.groups[index].members += 1;
        (GroupIndex(index), new)
    }

    /// One member less. True if it was the last one.
    pub(super) fn leave(&mut self, group: GroupIndex) -> bool {
        let group = &mut self.groups[group.0];
        group.members -= 1;
        group.members == 0
    }

    /// A number larger than all before.
    pub(super) fn stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    /// Gives a worker a place in the order. Its rank must have the latest [`stamp`](Self::stamp).
    pub(super) fn place(&mut self, group: GroupIndex, placement: Placement) {
        let group = &mut self.groups[group.0];
        match placement {
            Placement::Free(rank) => group.free.insert(&mut self.links, rank),
            Placement::Prefetch(rank) => group.prefetch.insert(&mut self.links, rank),
        }
    }

    pub(super) fn displace(&mut self, group: GroupIndex, placement: Placement) {
        let group = &mut self.groups[group.0];
        match placement {
            Placement::Free(rank) => group.free.remove(&mut self.links, rank),
            Placement::Prefetch(rank) => group.prefetch.remove(&mut self.links, rank),
        }
    }

    /// How many workers have a place in the order.
    pub(super) fn placed(&self) -> usize {
        let placed = |group: &Group| group.free.len() + group.prefetch.len();
        self.groups.iter().map(placed).sum()
    }

    /// The best worker with a free slot.
    pub(super) fn best_free(&self, groups: &[GroupIndex]) -> Option<Rank> {
        groups
            .iter()
            .filter_map(|group| self.groups[group.0].free.first(&self.links))
            .min()
    }

    /// The best worker that can have a job sent ahead.
    pub(super) fn best_prefetch(&self, groups: &[GroupIndex]) -> Option<Rank> {
        groups
            .iter()
            .filter_map(|group| self.groups[group.0].prefetch.first(&self.links))
            .min()
    }
}
