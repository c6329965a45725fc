//! The simulator, as every test run has it: some twenty thousand worlds.

#![forbid(unsafe_code)]

use std::path::Path;

use tests::mutants::MUTANTS;
use tests::simulation::reproductions::REPRODUCTIONS;
use tests::simulation::{Campaign, Progress, Report, run};

const SEEDS: u64 = 20_000;

#[test]
fn nothing_goes_wrong_in_twenty_thousand_worlds_and_nothing_is_left_out() {
    let campaign = Campaign { seeds: 0..SEEDS };
    let report = campaign
        .run(&Progress::default())
        .unwrap_or_else(|failure| panic!("{failure}"));
    println!("{} jobs; faults: {}", report.jobs, report.faults);
    assert!(report.jobs >= 500 * SEEDS);
    assert_eq!(report.left_out(), Vec::<String>::new());
    for (outcome, count) in report.outcomes.iter() {
        assert!(count > 0, "no job ended as {outcome}");
    }
}

#[test]
fn a_seed_gives_the_same_world_again() {
    for seed in 1000..1010 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

#[test]
fn the_defects_that_were_found_stay_away() {
    for reproduction in REPRODUCTIONS {
        if let Err(failure) = run(reproduction.seed) {
            panic!("{failure}\nthis seed once found: {}", reproduction.found);
        }
    }
}

/// The transitions of a table of protocol.md that are possible.
fn documented(heading: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol.md");
    let text = std::fs::read_to_string(path).expect("protocol.md");
    let start = text
        .find(&format!("\n## {heading}\n"))
        .expect("the heading");
    let section = &text[start + 4..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    let mut rows = (section.lines())
        .filter(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(str::trim)
                .collect::<Vec<_>>()
        });
    let head = rows.next().expect("a table");
    let mut transitions = Vec::new();
    for row in rows.skip(1) {
        for (state, cell) in head.iter().zip(&row).skip(2) {
            if *cell != "-" {
                transitions.push(format!("{} {state}", row[0]));
            }
        }
    }
    transitions
}

#[test]
fn the_transitions_looked_for_are_those_of_the_document() {
    let mut expected = documented("States of a worker as the master sees them");
    expected.extend(documented("States of a worker"));
    let known: Vec<String> = Report::default()
        .coverage
        .iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(known, expected);
}

#[test]
fn every_defect_that_can_be_planted_is_hunted() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../powerhose/src/master/mutants.rs");
    let text = std::fs::read_to_string(path).expect("the core's mutants");
    let (_, list) = text.split_once("\nmutants! {").expect("their list");
    let (list, _) = list.split_once("\n}").expect("its end");
    let planted: Vec<_> = (list.lines())
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    let hunted: Vec<_> = MUTANTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(planted, hunted);
}
