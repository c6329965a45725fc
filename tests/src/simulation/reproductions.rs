//! Seeds that once failed, with what they found. They are run again by every test run.

/// A seed and the defect that it found.
#[derive(Debug, Clone, Copy)]
pub struct Reproduction {
    /// The seed.
    pub seed: u64,
    /// What was wrong, in the core or in the simulator itself.
    pub found: &'static str,
}

/// Every defect that the simulator has found so far.
pub const REPRODUCTIONS: &[Reproduction] = &[
    Reproduction {
        seed: 23_485,
        found: "a stray job sent while a worker resumed its session came twice, and the second time it was started",
    },
    Reproduction {
        seed: 47_909,
        found: "a worker sent results of its own socket over the master's latest connection, which was one for its killed predecessor",
    },
    Reproduction {
        seed: 9_784,
        found: "a job that was asked back in its last attempt was not held to be a suspect when its worker was lost",
    },
    Reproduction {
        seed: 2_799,
        found: "of two workers that had been kept free for suspects one was sent jobs ahead while the other had free slots",
    },
    Reproduction {
        seed: 40_210,
        found: "a worker whose new registration ended the last job of a draining master was registered by a master that had ended",
    },
];
