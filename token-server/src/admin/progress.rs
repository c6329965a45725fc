//! What people see of a command that takes long. Nothing where standard error is no terminal.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// How far a command is with so many records.
pub(super) fn bar(records: u64) -> ProgressBar {
    let template = "{wide_bar} {human_pos}/{human_len} records, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    shown(|| ProgressBar::new(records).with_style(style))
}

/// That a command is at work, and for how long, where nobody knows how much there is.
pub(super) fn spinner(work: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    let spinner = shown(|| {
        ProgressBar::new_spinner()
            .with_style(style)
            .with_message(work)
    });
    spinner.tick();
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn shown(bar: impl FnOnce() -> ProgressBar) -> ProgressBar {
    if io::stderr().is_terminal() {
        bar()
    } else {
        ProgressBar::hidden()
    }
}
