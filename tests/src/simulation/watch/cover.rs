//! Which transitions of protocol.md's table an event led to.

use powerhose::master::Action;
use powerhose::wire::{CancelReason, DisconnectReason, ToWorker};

use super::{Glance, Kind};
use crate::simulation::world::{Checked, World};

impl World {
    /// Finds the transitions of protocol.md's table.
    pub(super) fn cover(&mut self, glance: &Glance, actions: &[Action], drained: bool) -> Checked {
        let mut several = drained;
        if drained {
            for shadow in self.shadows.iter().filter(|shadow| shadow.before.is_some()) {
                self.coverage.count_master(21, shadow.before);
            }
        }
        let mut rows: Vec<(u64, usize)> = Vec::new();
        for action in actions {
            let Action::Send { message, .. } = action else {
                continue;
            };
            let row = match message {
                ToWorker::Cancel { reason, .. } => match reason {
                    CancelReason::Caller => 19,
                    CancelReason::Deadline => 18,
                    CancelReason::Superseded if matches!(glance.event, Kind::Tick) => 17,
                    CancelReason::Superseded => continue,
                    CancelReason::Recalled => 20,
                },
                ToWorker::Disconnect {
                    reason: DisconnectReason::Silent,
                    ..
                } => 14,
                _ => continue,
            };
            rows.push((message.session(), row));
        }
        // Setting a worker aside takes waiting jobs back: that is one transition.
        let set_aside: Vec<u64> = (rows.iter())
            .filter(|(_, row)| matches!(row, 17 | 18))
            .map(|(session, _)| *session)
            .collect();
        rows.retain(|(session, row)| *row != 20 || !set_aside.contains(session));
        rows.sort_unstable();
        rows.dedup();
        several |= rows.windows(2).any(|pair| pair[0].0 == pair[1].0);
        several |= matches!(glance.event, Kind::Other);
        for (session, row) in rows {
            let Some(shadow) = self.shadows.by_session(session) else {
                continue;
            };
            let (before, after) = (shadow.before, shadow.state);
            if several {
                self.coverage.count_master(row, before);
            } else {
                self.coverage.master(row, before, after)?;
            }
        }
        self.cover_event(glance, actions, drained)
    }

    fn cover_event(&mut self, glance: &Glance, actions: &[Action], drained: bool) -> Checked {
        let before = glance.before;
        let (row, after) = match &glance.event {
            Kind::Register { peer, row, .. } => {
                let refused = actions.iter().any(|action| {
                    matches!(
                        action,
                        Action::Send {
                            message: ToWorker::Rejected { .. },
                            ..
                        }
                    )
                });
                let after = self.shadows.holder(*peer).and_then(|shadow| shadow.state);
                (if refused { 5 } else { *row }, after)
            }
            Kind::Of { session, row } => {
                let shadow = self.shadows.by_session(*session);
                (*row, shadow.and_then(|shadow| shadow.state))
            }
            Kind::StrayResult => {
                for row in 7..=9 {
                    self.coverage.master(row, None, None)?;
                }
                return Ok(());
            }
            Kind::Malformed { peer } => {
                let after = self.shadows.by_peer(*peer).and_then(|shadow| shadow.state);
                (12, after)
            }
            Kind::Unreachable { session } => {
                let shadow = self.shadows.by_session(*session);
                (13, shadow.and_then(|shadow| shadow.state))
            }
            Kind::Tick => {
                self.cover_silence();
                return Ok(());
            }
            Kind::Submit | Kind::Cancel(_) | Kind::Other => return Ok(()),
        };
        if drained {
            self.coverage.count_master(row, before);
            return Ok(());
        }
        self.coverage.master(row, before, after)
    }

    /// A worker that has jobs may be silent.
    fn cover_silence(&mut self) {
        let limit = self.scenario.config.heartbeat * self.scenario.config.misses;
        for shadow in self.shadows.iter() {
            let silent = self.now.since(shadow.heard) >= limit;
            if silent && !shadow.in_flight.is_empty() && shadow.before == shadow.state {
                self.coverage.count_master(15, shadow.before);
            }
        }
    }
}
