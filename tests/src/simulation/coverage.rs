//! Which transitions of protocol.md's state tables a run went through.

use powerhose::master::WorkerState;
use powerhose::worker::session::State;

/// The rows of each table.
const ROWS: usize = 21;

/// What a row of a table allows, state by state: the states that may follow, each by its first letter. Nothing may follow
/// where protocol.md has a dash.
type Row = [&'static str; 4];

/// "States of a worker as the master sees them": Unknown, Active, Laggy, Draining.
const MASTER: [Row; ROWS] = [
    ["A", "A", "LA", "DA"],
    ["", "A", "LA", "D"],
    ["", "A", "A", "A"],
    ["A", "A", "A", "A"],
    ["U", "U", "U", "U"],
    ["U", "A", "L", "D"],
    ["U", "A", "L", "D"],
    ["U", "A", "LA", "D"],
    ["U", "A", "L", "D"],
    ["U", "D", "D", "D"],
    ["U", "U", "U", "U"],
    ["U", "A", "L", "D"],
    ["", "U", "U", "U"],
    ["", "U", "", "U"],
    ["", "A", "L", "D"],
    ["", "U", "U", "U"],
    ["", "L", "L", "D"],
    ["", "L", "L", "D"],
    ["", "A", "L", "D"],
    ["", "A", "L", "D"],
    ["", "U", "U", "U"],
];

/// "States of a worker": Backoff, Registering, Active, Draining. Exited is the fifth state that may follow.
const WORKER: [Row; ROWS] = [
    ["R", "", "", ""],
    ["", "BDE", "", ""],
    ["E", "E", "", ""],
    ["B", "ADE", "A", "D"],
    ["B", "ADE", "A", "D"],
    ["B", "RBDE", "B", "DE"],
    ["B", "BDE", "A", "D"],
    ["B", "E", "A", "D"],
    ["B", "R", "A", "D"],
    ["B", "R", "AD", "D"],
    ["B", "R", "A", "DE"],
    ["B", "R", "A", "D"],
    ["B", "R", "DE", "DE"],
    ["B", "R", "B", "DE"],
    ["B", "R", "A", "D"],
    ["B", "R", "A", "D"],
    ["BE", "RE", "ADE", "DE"],
    ["BDE", "RDE", "D", "DE"],
    ["E", "E", "E", "E"],
    ["", "", "A", "D"],
    ["", "", "B", "BDE"],
];

const MASTER_STATES: [&str; 4] = ["Unknown", "Active", "Laggy", "Draining"];
const WORKER_STATES: [&str; 4] = ["Backoff", "Registering", "Active", "Draining"];

/// The state of a worker as the master sees it: `None` is Unknown.
pub(super) type Seen = Option<WorkerState>;

fn column(state: Seen) -> usize {
    match state {
        None => 0,
        Some(WorkerState::Active) => 1,
        Some(WorkerState::Laggy) => 2,
        Some(WorkerState::Draining) => 3,
    }
}

/// How often each transition was gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    master: [[u64; 4]; ROWS],
    worker: [[u64; 4]; ROWS],
}

impl Coverage {
    /// A transition of the master's table, by the number of its row from 1.
    pub(super) fn master(&mut self, row: usize, before: Seen, after: Seen) -> Result<(), String> {
        self.count_master(row, before);
        let allowed = MASTER[row - 1][column(before)];
        if allowed.contains(['U', 'A', 'L', 'D'][column(after)]) {
            return Ok(());
        }
        let [before, after] = [before, after].map(|state| MASTER_STATES[column(state)]);
        Err(format!("M{row} {before} led to {after}"))
    }

    /// The same, where several transitions happened at once, so that there is no telling what each led to.
    pub(super) fn count_master(&mut self, row: usize, before: Seen) {
        self.master[row - 1][column(before)] += 1;
    }

    /// A transition of the worker's table, by the number of its row from 1.
    pub(super) fn worker(&mut self, row: usize, before: State, after: State) -> Result<(), String> {
        self.count_worker(row, before);
        let allowed = match before {
            State::Exited => "",
            _ => WORKER[row - 1][before as usize],
        };
        if allowed.contains(['B', 'R', 'A', 'D', 'E'][after as usize]) {
            return Ok(());
        }
        Err(format!("W{row} {before:?} led to {after:?}"))
    }

    /// The same, where several transitions happened at once.
    pub(super) fn count_worker(&mut self, row: usize, before: State) {
        if before != State::Exited {
            self.worker[row - 1][before as usize] += 1;
        }
    }

    /// Adds what another run went through.
    pub fn add(&mut self, other: &Self) {
        let mine = self.master.iter_mut().chain(&mut self.worker).flatten();
        let theirs = other.master.iter().chain(&other.worker).flatten();
        for (mine, theirs) in mine.zip(theirs) {
            *mine += theirs;
        }
    }

    /// Every transition that protocol.md knows, as it names it, with how often it was gone through.
    pub fn iter(&self) -> impl Iterator<Item = (String, u64)> {
        table('M', &MASTER, &MASTER_STATES, &self.master).chain(table(
            'W',
            &WORKER,
            &WORKER_STATES,
            &self.worker,
        ))
    }

    /// The transitions that were never gone through.
    pub fn missing(&self) -> Vec<String> {
        self.iter()
            .filter(|(_, count)| *count == 0)
            .map(|(name, _)| name)
            .collect()
    }
}

fn table(
    letter: char,
    rows: &'static [Row; ROWS],
    states: &'static [&str; 4],
    counts: &[[u64; 4]; ROWS],
) -> impl Iterator<Item = (String, u64)> {
    let cell = move |row: usize, state: usize, count| {
        let possible = !rows[row][state].is_empty();
        possible.then(|| (format!("{letter}{} {}", row + 1, states[state]), count))
    };
    let cells = (counts.iter().enumerate())
        .flat_map(|(row, counts)| (counts.iter().enumerate()).map(move |(s, n)| (row, s, *n)));
    cells.filter_map(move |(row, state, count)| cell(row, state, count))
}
