//! Running estimates of how long a service takes. They forget, since workloads change.

use std::time::Duration;

/// The mean of recent samples.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mean {
    nanos: Option<u64>,
}

impl Mean {
    pub(super) fn record(&mut self, sample: Duration) {
        let sample = nanos(sample);
        self.nanos = Some(match self.nanos {
            None => sample,
            Some(mean) if sample >= mean => mean + (sample - mean) / 16,
            Some(mean) => mean - (mean - sample) / 16,
        });
    }

    pub(super) fn get(&self) -> Option<Duration> {
        self.nanos.map(Duration::from_nanos)
    }
}

/// A high quantile of recent samples: it jumps half-way up to a larger sample and sinks by a sixty-fourth of the
/// distance to a smaller one, so that about one sample in thirty holds it up.
///
/// Prefetching is judged by this and not by the mean: one long job among many short ones must not have others waiting
/// behind it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HighQuantile {
    nanos: u64,
    samples: u32,
}

/// Before this many samples nothing is known.
const ENOUGH: u32 = 8;

impl HighQuantile {
    pub(super) fn record(&mut self, sample: Duration) {
        let sample = nanos(sample);
        if sample >= self.nanos {
            self.nanos += (sample - self.nanos).div_ceil(2);
        } else {
            self.nanos -= (self.nanos - sample) / 64;
        }
        self.samples = self.samples.saturating_add(1);
    }

    pub(super) fn get(&self) -> Option<Duration> {
        (self.samples >= ENOUGH).then(|| Duration::from_nanos(self.nanos))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
