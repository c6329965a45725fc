use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use token_server_web::{
    settings::NodeUrl,
    store::{OldRecord, OldRecords},
};

use super::{
    PurgeOldRecords,
    report::Report,
    storage::{Refusal, Storage},
};
use crate::{
    admin::{
        options::{Ground, now_ms},
        progress,
    },
    failure::Failure,
    signals::StopSignals,
};

/// Refusals in a row after which a node is left alone until the next round: they are hardly due to the
/// users.
const MAX_REFUSALS: u32 = 10;

/// One walk through the old records, oldest first.
pub(super) struct Round<'a, 'b> {
    command: &'a PurgeOldRecords,
    ground: &'a Ground,
    storage: &'a mut Storage<'b>,
    signals: &'a StopSignals,
    report: Report,
    /// Nodes that are not asked again in this round.
    left_alone: HashSet<String>,
    /// How often each node has refused since it agreed last.
    refusals: HashMap<String, u32>,
}

impl<'a, 'b> Round<'a, 'b> {
    pub(super) fn new(
        command: &'a PurgeOldRecords,
        ground: &'a Ground,
        storage: &'a mut Storage<'b>,
        signals: &'a StopSignals,
    ) -> Self {
        Self {
            command,
            ground,
            storage,
            signals,
            report: Report::new(command.dryrun),
            left_alone: HashSet::new(),
            refusals: HashMap::new(),
        }
    }

    pub(super) async fn run(mut self) -> Result<Report, Failure> {
        let store = &self.ground.store;
        let old = OldRecords {
            service: self.ground.service.id,
            before_ms: now_ms().saturating_sub(millis(self.command.grace_period)),
            uids: self.command.range_start..=self.command.range_end,
        };
        let bar = progress::bar(store.count_old_records(&old).await?.unsigned_abs());
        let page = self.command.max_per_loop.get();
        let mut last: Option<OldRecord> = None;
        loop {
            let records = store.old_records(&old, last.as_ref(), page).await?;
            for record in &records {
                if self.signals.received() {
                    self.report.stopped = true;
                    return Ok(self.report);
                }
                self.purge(record).await?;
                bar.inc(1);
                let limit = self.command.max_records;
                if limit.is_some_and(|limit| self.report.requests() >= limit.get()) {
                    return Ok(self.report);
                }
            }
            match records.into_iter().next_back() {
                Some(record) => last = Some(record),
                None => return Ok(self.report),
            }
        }
    }

    async fn purge(&mut self, record: &OldRecord) -> Result<(), Failure> {
        let Some(node) = &record.node else {
            return self.forget(record).await;
        };
        if node.downed && !self.command.force {
            self.report.skipped_down(&node.url);
            return Ok(());
        }
        let target = if node.downed {
            self.command.override_node.as_ref().map(NodeUrl::as_str)
        } else {
            Some(node.url.as_str())
        };
        let (Some(target), Some(key_id)) = (target, record.key_id()) else {
            return self.forget(record).await;
        };
        if self.left_alone.contains(target) {
            self.report.skipped(target);
            return Ok(());
        }
        // Data that were copied lie under the user's key, which may be the one in use.
        let (store, service) = (&self.ground.store, self.ground.service.id);
        if target != node.url && store.is_key_in_use(service, record).await? {
            return self.forget(record).await;
        }
        if self.command.dryrun {
            self.report.purged(target);
            return Ok(());
        }
        match self.storage.delete(record, target, key_id).await? {
            Ok(()) => {
                self.refusals.remove(target);
                if store.delete_old_record(service, record).await? {
                    tracing::debug!(uid = record.uid, node = target, "purged");
                    self.report.purged(target);
                }
                Ok(())
            }
            Err(refusal) => self.refused(record, target, &refusal).await,
        }
    }

    /// Removes a record whose data nobody is asked about.
    async fn forget(&mut self, record: &OldRecord) -> Result<(), Failure> {
        let (store, service) = (&self.ground.store, self.ground.service.id);
        if self.command.dryrun || store.delete_old_record(service, record).await? {
            tracing::debug!(uid = record.uid, "removed without asking a node");
            self.report.forgotten();
        }
        Ok(())
    }

    async fn refused(
        &mut self,
        record: &OldRecord,
        node: &str,
        refusal: &Refusal,
    ) -> Result<(), Failure> {
        let problem = match refusal {
            Refusal::Away(problem) => problem.clone(),
            Refusal::Slow => "no answer in time".to_owned(),
            Refusal::Refused(status) => format!("it answered {status}"),
        };
        tracing::warn!(uid = record.uid, node, problem, "an old record stays");
        self.report.failed(node, &problem);
        let refusals = self.refusals.entry(node.to_owned()).or_default();
        *refusals += 1;
        if !matches!(refusal, Refusal::Refused(_)) || *refusals >= MAX_REFUSALS {
            self.left_alone.insert(node.to_owned());
        }
        // Whatever may be this record's own fault must not keep the others behind it waiting.
        if !matches!(refusal, Refusal::Away(_)) {
            self.ground.store.defer_old_record(record, now_ms()).await?;
        }
        Ok(())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
