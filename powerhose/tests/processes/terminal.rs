//! A terminal, as far as a program can tell.

use std::{
    fs::{File, OpenOptions},
    io::Read,
    thread::{self, JoinHandle},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

pub(crate) struct Terminal {
    screen: JoinHandle<String>,
}

impl Terminal {
    /// Opens one. The program's end of it, which is to be closed once the program has it.
    pub(crate) fn open() -> (Self, File) {
        let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&own).unwrap();
        unlockpt(&own).unwrap();
        let name = ptsname(&own, Vec::new()).unwrap().into_string().unwrap();
        let programs = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)
            .unwrap();
        let screen = thread::spawn(move || {
            let mut written = Vec::new();
            // The end is an error: nobody holds the other end any more.
            let _ = File::from(own).read_to_end(&mut written);
            String::from_utf8(written).unwrap()
        });
        (Self { screen }, programs)
    }

    /// What was written to it until the last program closed it.
    pub(crate) fn written(self) -> String {
        self.screen.join().unwrap()
    }
}
