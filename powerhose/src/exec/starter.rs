//! Starts the processes, all on one thread: the system ends them with the thread that started them.

use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::errors;
use super::process::Process;
use crate::driver::child::Launcher;
use crate::driver::pipes::Pipes;

/// What a process finds in its environment besides what this one has.
pub(super) type Environment = Vec<(&'static str, String)>;

struct Order {
    environment: Environment,
    reply: SyncSender<io::Result<Process>>,
}

/// The thread that starts processes. Dropping it ends the thread, and with it whatever it has started that still runs.
#[derive(Debug)]
pub(super) struct Starter {
    /// At most one order for each job at work is on its way: whoever sends one waits for the reply.
    orders: Mutex<Option<Sender<Order>>>,
    thread: Option<JoinHandle<()>>,
}

impl Starter {
    pub(super) fn new(command: Vec<String>) -> io::Result<Self> {
        let (orders, received) = channel();
        let thread = (thread::Builder::new().name("powerhose-exec".to_owned()))
            .spawn(move || serve(&command, &received))?;
        Ok(Self {
            orders: Mutex::new(Some(orders)),
            thread: Some(thread),
        })
    }

    /// Starts a process. Returns once its program is loaded.
    pub(super) fn start(&self, environment: Environment) -> io::Result<Process> {
        let gone = || io::Error::other("the thread that starts processes has ended");
        let (reply, started) = sync_channel(1);
        let orders = (self.orders.lock().unwrap_or_else(PoisonError::into_inner)).clone();
        let order = Order { environment, reply };
        (orders.ok_or_else(gone)?.send(order)).map_err(|_| gone())?;
        started.recv().map_err(|_| gone())?
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        (self.orders.lock().unwrap_or_else(PoisonError::into_inner)).take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(command: &[String], orders: &Receiver<Order>) {
    while let Ok(Order { environment, reply }) = orders.recv() {
        let _ = reply.send(start(command, environment));
    }
}

fn start(command: &[String], environment: Environment) -> io::Result<Process> {
    let (program, arguments) =
        (command.split_first()).ok_or_else(|| io::Error::other("there is no command"))?;
    let mut command = Command::new(program);
    command.args(arguments).envs(environment);
    let mut child = Launcher::piped(command).launch()?;
    let (input, output, errors) =
        (child.take_pipes()).ok_or_else(|| io::Error::other("the process has no pipes"))?;
    let last_line = errors::log(child.id(), errors)?;
    Ok(Process::new(child, Pipes::new(input, output)?, last_line))
}

/// Looks for a program as the system will: by its path, or by its name in the folders of `PATH`.
pub(super) fn find(program: &str) -> io::Result<()> {
    if program.contains('/') {
        return Path::new(program).metadata().map(drop);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if found {
        Ok(())
    } else {
        let why = "no such program in the folders of PATH";
        Err(io::Error::new(io::ErrorKind::NotFound, why))
    }
}
