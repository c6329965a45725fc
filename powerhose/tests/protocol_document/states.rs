//! The tables of states.

use powerhose::master::WorkerState;

use crate::document::{document, rows, section};

#[test]
fn tables_of_states_are_complete() {
    let master: Vec<String> = [
        WorkerState::Active,
        WorkerState::Laggy,
        WorkerState::Draining,
    ]
    .iter()
    .map(|state| format!("{state:?}"))
    .collect();
    let master: Vec<&str> = ["Unknown"]
        .into_iter()
        .chain(master.iter().map(String::as_str))
        .collect();
    let worker = ["Backoff", "Registering", "Active", "Draining"];
    let client = ["Backoff", "Opening", "Open", "Draining"];
    let seen_client = ["Unknown", "Attached", "Away"];
    let document = document();
    for (heading, letter, states) in [
        ("States of a worker", "W", &worker[..]),
        (
            "States of a worker as the master sees them",
            "M",
            &master[..],
        ),
        ("States of a client", "C", &client[..]),
        (
            "States of a client as the master sees them",
            "F",
            &seen_client[..],
        ),
    ] {
        let text = section(&document, heading);
        let head = format!("| | event | {} |", states.join(" | "));
        assert!(text.contains(&head), "{heading:?} has no head {head:?}");
        for (at, row) in rows(text).iter().enumerate() {
            assert_eq!(row[0], format!("{letter}{}", at + 1));
            assert_eq!(row.len(), states.len() + 2, "{row:?}");
            for cell in &row[1..] {
                assert!(!cell.is_empty(), "{row:?}");
                for (arrow, _) in cell.match_indices("→ ") {
                    let target = &cell[arrow + "→ ".len()..];
                    let is_state = |state: &str| target.starts_with(state);
                    assert!(
                        states
                            .iter()
                            .chain(["Exited"].iter())
                            .any(|state| is_state(state)),
                        "{cell:?} leads nowhere"
                    );
                }
            }
        }
    }
}
