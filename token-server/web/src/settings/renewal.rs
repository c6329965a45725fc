//! Which settings a running server can change.

use super::Settings;

/// Takes these keys over from other settings; the names of those that differed.
macro_rules! keep {
    ($read:ident, $running:ident: $($section:ident.$key:ident),+ $(,)?) => {{
        let mut kept = Vec::new();
        $(
            if $read.$section.$key != $running.$section.$key {
                kept.push(concat!(stringify!($section), ".", stringify!($key)));
                $read.$section.$key = $running.$section.$key.clone();
            }
        )+
        kept
    }};
}

impl Settings {
    /// Puts back what a running server cannot change: its sockets, the database, the workers, the log.
    /// The keys that had other values.
    pub(crate) fn keep_fixed(&mut self, running: &Self) -> Vec<&'static str> {
        // Of the program that runs, though another one may have been installed meanwhile.
        self.http.version.clone_from(&running.http.version);
        keep!(self, running:
            http.listen,
            http.idle_timeout,
            http.drain_timeout,
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
        )
    }
}
