//! The services that workers offer or jobs name, each with its queues.

use std::collections::HashMap;

use super::estimate::Mean;
use super::jobs::{Lane, Origin, ServiceName};
use super::pool::GroupIndex;
use super::queue::Queue;
use super::stats::Latencies;

/// A place in the table of services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ServiceIndex(u32);

/// The most services known at the same time. One that has neither workers nor jobs makes room for another.
pub(super) const MAX_KNOWN: usize = 1024;

#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: ServiceName,
    pub(super) ordinary: Queue,
    pub(super) at_most_once: Queue,
    pub(super) suspects: Queue,
    /// The groups of workers that offer it.
    pub(super) groups: Vec<GroupIndex>,
    /// Workers that offer it and the sum of their slots.
    pub(super) workers: usize,
    pub(super) slots: usize,
    /// Jobs that are waiting or at a worker.
    pub(super) jobs: usize,
    /// Workers kept free of other work until one of the suspects can have them.
    pub(super) reserved: usize,
    pub(super) mean: Mean,
    pub(super) latencies: Latencies,
    pub(super) completed: u64,
    pub(super) failed: u64,
}

impl Service {
    fn new(name: ServiceName) -> Self {
        Self {
            name,
            ordinary: Queue::default(),
            at_most_once: Queue::default(),
            suspects: Queue::default(),
            groups: Vec::new(),
            workers: 0,
            slots: 0,
            jobs: 0,
            reserved: 0,
            mean: Mean::default(),
            latencies: Latencies::default(),
            completed: 0,
            failed: 0,
        }
    }

    pub(super) fn queue(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::Ordinary => &self.ordinary,
            Lane::AtMostOnce => &self.at_most_once,
            Lane::Suspect => &self.suspects,
        }
    }

    pub(super) fn queue_mut(&mut self, lane: Lane) -> &mut Queue {
        match lane {
            Lane::Ordinary => &mut self.ordinary,
            Lane::AtMostOnce => &mut self.at_most_once,
            Lane::Suspect => &mut self.suspects,
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.ordinary.len() + self.at_most_once.len() + self.suspects.len()
    }

    /// How many jobs are sent before the next one of a client.
    pub(super) fn ahead_of(&self, client: Option<Origin>) -> usize {
        let queues = [&self.ordinary, &self.at_most_once, &self.suspects];
        queues.into_iter().map(|queue| queue.ahead_of(client)).sum()
    }

    /// A client has had its turn.
    pub(super) fn had_turn(&mut self, client: Origin) {
        for queue in [&mut self.ordinary, &mut self.at_most_once] {
            queue.had_turn(client);
        }
    }

    fn is_unused(&self) -> bool {
        self.workers == 0 && self.jobs == 0
    }
}

#[derive(Debug, Default)]
pub(super) struct Services {
    table: Vec<Service>,
    by_name: HashMap<ServiceName, ServiceIndex>,
    /// The one asked for last. Callers that hold on to a name mostly ask for it again.
    latest: Option<(ServiceName, ServiceIndex)>,
}

impl Services {
    /// The place of a service, made if needed; `None` if the table is full of services in use.
    pub(super) fn intern(&mut self, name: &ServiceName) -> Option<ServiceIndex> {
        if let Some((latest, index)) = &self.latest
            && ServiceName::ptr_eq(latest, name)
        {
            return Some(*index);
        }
        if let Some(index) = self.by_name.get(name) {
            self.latest = Some((name.clone(), *index));
            return Some(*index);
        }
        let fresh = Service::new(name.clone());
        let index = if self.table.len() < MAX_KNOWN {
            self.table.push(fresh);
            self.table.len() - 1
        } else {
            let index = self.table.iter().position(Service::is_unused)?;
            let old = std::mem::replace(&mut self.table[index], fresh);
            self.by_name.remove(&old.name);
            self.latest = None;
            index
        };
        let index = ServiceIndex(u32::try_from(index).ok()?);
        self.by_name.insert(name.clone(), index);
        Some(index)
    }

    /// Enters a worker with the services of these names; `None` if the table is full of services in use.
    pub(super) fn offer(&mut self, names: &[String], slots: usize) -> Option<Vec<ServiceIndex>> {
        let mut offered = Vec::with_capacity(names.len());
        for name in names {
            let Some(index) = self.intern(&ServiceName::from(name.as_str())) else {
                self.withdraw(&offered, slots);
                return None;
            };
            // At once, or the next name could take its place.
            let service = self.get_mut(index);
            service.workers += 1;
            service.slots += slots;
            offered.push(index);
        }
        Some(offered)
    }

    /// Takes a worker out that offered these services.
    pub(super) fn withdraw(&mut self, offered: &[ServiceIndex], slots: usize) {
        for index in offered {
            let service = self.get_mut(*index);
            service.workers -= 1;
            service.slots -= slots;
        }
    }

    pub(super) fn get(&self, index: ServiceIndex) -> &Service {
        &self.table[index.0 as usize]
    }

    pub(super) fn get_mut(&mut self, index: ServiceIndex) -> &mut Service {
        &mut self.table[index.0 as usize]
    }

    pub(super) fn indices(&self) -> impl Iterator<Item = ServiceIndex> + use<> {
        // The table is limited to far fewer.
        (0..u32::try_from(self.table.len()).unwrap_or(u32::MAX)).map(ServiceIndex)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Service> {
        self.table.iter()
    }
}
