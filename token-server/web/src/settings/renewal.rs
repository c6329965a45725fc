//! Which settings a running server can change.

use super::Settings;

/// Defines which keys stay.
macro_rules! fixed {
    ($($section:ident.$key:ident),+ $(,)?) => {
        /// The keys that a running server cannot change: its sockets, the database, the workers, the lists
        /// of users, the metrics, the log.
        pub const TAKE_A_RESTART: &[&str] = &[
            $(concat!(stringify!($section), ".", stringify!($key))),+
        ];

        impl Settings {
            /// Takes these keys' values over from other settings. The names of those that differed.
            fn keep(&mut self, running: &Self) -> Vec<&'static str> {
                let mut kept = Vec::new();
                $(
                    if self.$section.$key != running.$section.$key {
                        kept.push(concat!(stringify!($section), ".", stringify!($key)));
                        self.$section.$key = running.$section.$key.clone();
                    }
                )+
                kept
            }
        }
    };
}

fixed!(
    http.listen,
    http.idle_timeout,
    http.drain_timeout,
    http.max_header_bytes,
    http.max_connections,
    http.version_file,
    database.url,
    database.connections,
    database.busy_timeout,
    database.connection_timeout,
    database.statement_timeout,
    users.allow_file,
    users.deny_file,
    users.allow_table,
    users.deny_table,
    nodes.capacity_release_rate,
    workers.count,
    workers.endpoint,
    workers.master,
    workers.curve_secret_file,
    workers.curve_server_file,
    workers.insecure,
    metrics.shared,
    metrics.listen,
    log.filter,
    log.format,
);

impl Settings {
    /// Puts back what [takes a restart](TAKE_A_RESTART). The keys that had other values.
    pub(crate) fn keep_fixed(&mut self, running: &Self) -> Vec<&'static str> {
        // Of the program that runs, though another one may have been installed meanwhile.
        self.http.version.clone_from(&running.http.version);
        self.keep(running)
    }
}
