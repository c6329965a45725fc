//! Clients: connections that each have one request under way, as `wrk` does it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Error;

/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Latencies up to this are told apart; longer ones count as this.
const LONGEST: Duration = Duration::from_secs(60);

/// What one turn gave.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    /// In microseconds.
    pub(crate) latencies: Histogram<u64>,
}

/// No latencies yet.
pub(crate) fn histogram() -> Histogram<u64> {
    let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
    Histogram::new_with_bounds(1, longest, 3).expect("these bounds are in order")
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A request as it goes over the wire.
pub(crate) fn request(path: &str, authorization: Option<&str>) -> Vec<u8> {
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: token.example.test\r\n");
    if let Some(value) = authorization {
        request += &format!("Authorization: {value}\r\n");
    }
    (request + "\r\n").into_bytes()
}

/// Keeps as many requests under way for about as long as `time`.
///
/// # Errors
/// An answer that is not 200, or a connection that broke.
pub(crate) async fn run(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    time: Duration,
) -> Result<Sample, Error> {
    let start = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(client(address, request.to_vec(), start, time)))
        .collect();
    let mut sum = histogram();
    for client in clients {
        sum.add(client.await??)?;
    }
    Ok(Sample {
        requests: sum.len(),
        elapsed: start.elapsed(),
        latencies: sum,
    })
}

async fn client(
    address: SocketAddr,
    request: Vec<u8>,
    start: Instant,
    time: Duration,
) -> Result<Histogram<u64>, Error> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut latencies = histogram();
    let mut buffer = Vec::with_capacity(MAX_ANSWER);
    while start.elapsed() < time {
        let since = Instant::now();
        stream.write_all(&request).await?;
        buffer.clear();
        while !is_whole(&buffer)? {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err("the server closed a connection".into());
            }
        }
        latencies.saturating_record(micros(since.elapsed()));
    }
    Ok(latencies)
}

/// Whether `answer` is one whole answer.
///
/// # Errors
/// When it is another one than 200.
pub(crate) fn is_whole(answer: &[u8]) -> Result<bool, Error> {
    const LENGTH: &str = "content-length: ";
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = str::from_utf8(&answer[..end])?;
    if !head.starts_with("HTTP/1.1 200 ") {
        let answer = String::from_utf8_lossy(answer);
        return Err(format!("a request was not granted: {answer}").into());
    }
    let length = head.lines().find_map(|line| line.strip_prefix(LENGTH));
    let length: usize = length.ok_or("an answer has no length")?.parse()?;
    Ok(answer.len() >= end + 4 + length)
}
