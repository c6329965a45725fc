//! The checks, by the part of the protocol that they are about.

mod bad_input;
mod cancelling;
mod jobs;
mod leaving;
mod liveness;
mod registering;
mod sessions;

use super::Check;
use super::error::Flaw;
use super::stage::Stage;

/// Every check, in the order of a worker's life.
pub const CHECKS: &[&[Check]] = &[
    registering::CHECKS,
    jobs::CHECKS,
    liveness::CHECKS,
    cancelling::CHECKS,
    bad_input::CHECKS,
    sessions::CHECKS,
    leaving::CHECKS,
];

const fn check(
    name: &'static str,
    clause: &'static str,
    promise: &'static str,
    run: fn(&mut Stage) -> Result<(), Flaw>,
) -> Check {
    Check {
        name,
        promise,
        clause,
        run,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// A heading as links name it.
    fn anchor(heading: &str) -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        (kept.chars())
            .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-')
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    }

    #[test]
    fn each_check_has_a_name_of_its_own_and_a_heading_of_the_protocol() {
        let protocol = include_str!("../../../../protocol.md");
        let headings: HashSet<String> = (protocol.lines())
            .filter(|line| line.starts_with('#'))
            .map(anchor)
            .collect();
        let mut names = HashSet::new();
        for check in CHECKS.iter().copied().flatten() {
            assert!(names.insert(check.name), "{} occurs twice", check.name);
            assert!(
                headings.contains(check.clause),
                "protocol.md#{}",
                check.clause
            );
        }
    }
}
