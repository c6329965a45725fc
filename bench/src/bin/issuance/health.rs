//! A load balancer that asks for signs of life, from a thread of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Error;
use crate::load::{histogram, is_whole, micros, request};

/// What lies between two questions.
const INTERVAL: Duration = Duration::from_millis(2);

/// What an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until it is told to stop.
pub(crate) struct Prober {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Histogram<u64>, Error>>,
}

impl Prober {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        Self {
            stop,
            thread: thread::spawn(move || probe(address, &told)),
        }
    }

    /// How long the answers took, in microseconds.
    ///
    /// # Errors
    /// An answer that was not 200, or a connection that broke.
    pub(crate) fn stop(self) -> Result<Histogram<u64>, Error> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the prober panicked")?
    }
}

fn probe(address: SocketAddr, stop: &AtomicBool) -> Result<Histogram<u64>, Error> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = request("/__lbheartbeat__", None);
    let mut latencies = histogram();
    let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
    while !stop.load(Ordering::Relaxed) {
        let since = Instant::now();
        stream.write_all(&request)?;
        answer.clear();
        while !is_whole(&answer)? {
            match stream.read(&mut piece)? {
                0 => return Err("the server closed the prober's connection".into()),
                length => answer.extend_from_slice(&piece[..length]),
            }
        }
        latencies.saturating_record(micros(since.elapsed()));
        thread::sleep(INTERVAL);
    }
    Ok(latencies)
}
