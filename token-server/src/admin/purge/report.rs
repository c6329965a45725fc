use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// What became of the old records in one round.
#[derive(Default, Serialize)]
pub(super) struct Report {
    /// Nothing was done: the numbers say what would have been.
    dry_run: bool,
    /// Records that are gone, with what their nodes stored.
    purged: u64,
    /// Records that are gone without a node being asked.
    forgotten: u64,
    /// Records that stay, since their nodes would not remove the data.
    failed: u64,
    /// Records that stay, since their nodes were not asked.
    skipped: u64,
    /// A signal ended the round early.
    pub(super) stopped: bool,
    nodes: BTreeMap<String, Node>,
}

#[derive(Default, Serialize)]
struct Node {
    purged: u64,
    failed: u64,
    skipped: u64,
    /// Why records stay.
    problem: Option<String>,
    /// The operator knows of it.
    downed: bool,
}

impl Report {
    pub(super) fn new(dry_run: bool) -> Self {
        Self {
            dry_run,
            ..Self::default()
        }
    }

    pub(super) fn purged(&mut self, node: &str) {
        self.purged += 1;
        self.node(node).purged += 1;
    }

    pub(super) fn forgotten(&mut self) {
        self.forgotten += 1;
    }

    pub(super) fn failed(&mut self, node: &str, problem: &str) {
        self.failed += 1;
        let node = self.node(node);
        node.failed += 1;
        node.problem = Some(problem.to_owned());
    }

    pub(super) fn skipped(&mut self, node: &str) {
        self.skipped += 1;
        self.node(node).skipped += 1;
    }

    pub(super) fn skipped_down(&mut self, node: &str) {
        self.skipped(node);
        self.node(node).downed = true;
    }

    /// Requests that nodes were asked, or would have been.
    pub(super) fn requests(&self) -> u64 {
        self.purged + self.failed
    }

    /// The nodes that did not do their part, with their problems. `None` when all did.
    pub(super) fn trouble(&self) -> Option<String> {
        let lines: Vec<String> = self.problems().collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    fn problems(&self) -> impl Iterator<Item = String> {
        self.nodes.iter().filter_map(|(url, node)| {
            let stay = node.failed + node.skipped;
            let problem = node.problem.as_ref()?;
            Some(format!("{stay} at {url} ({problem})"))
        })
    }

    fn node(&mut self, url: &str) -> &mut Node {
        self.nodes.entry(url.to_owned()).or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            purged, forgotten, ..
        } = self;
        if self.dry_run {
            write!(
                f,
                "{purged} records would be purged, {forgotten} removed without asking a node"
            )?;
        } else {
            write!(
                f,
                "purged {purged} records, removed {forgotten} without asking a node"
            )?;
        }
        let downed = self.nodes.values().filter(|node| node.downed);
        let downed: u64 = downed.map(|node| node.skipped).sum();
        if downed > 0 {
            write!(f, "\n{downed} stay at nodes that are marked as down")?;
        }
        for problem in self.problems() {
            write!(f, "\nstay: {problem}")?;
        }
        if self.stopped {
            f.write_str("\nstopped before the end")?;
        }
        Ok(())
    }
}
