//! Jobs and answers behind their lengths.

use bytes::{Buf, Bytes};

use super::call::Limit;
use super::failure::CallError;
use crate::driver::pipes::{Pipes, Turn};

/// The length in front of a job or an answer, big-endian.
const PREFIX: usize = 4;

/// Set in the length of an answer that is a failure; the rest is its message.
const FAILURE: u32 = 1 << 31;

/// Sends a job and receives its answer. `None`: the process has closed its output before an answer was complete.
pub(super) fn exchange(
    pipes: &mut Pipes,
    body: &[u8],
    max_answer: usize,
    limit: &Limit<'_>,
) -> Result<Option<Bytes>, CallError> {
    let length = (u32::try_from(body.len()).ok()).filter(|length| length & FAILURE == 0);
    let Some(length) = length else {
        let message = "the job is too large for a program".into();
        return Err(CallError::Failed { message });
    };
    let mut request = Vec::with_capacity(PREFIX + body.len());
    request.extend(length.to_be_bytes());
    request.extend_from_slice(body);
    let mut unsent = &request[..];
    let mut received = Vec::new();
    let mut answer = None;
    loop {
        let wanted = PREFIX + answer.map_or(0, |(len, _)| len);
        let timeout = limit.check()?;
        let turn = (pipes.turn(&mut unsent, &mut received, wanted, timeout))
            .map_err(|source| CallError::Pipe { source })?;
        if answer.is_none()
            && let Some(prefix) = received.first_chunk()
        {
            answer = Some(announced(*prefix, max_answer)?);
        }
        if let Some((len, failed)) = answer
            && received.len() == PREFIX + len
        {
            if !unsent.is_empty() {
                let why = "it answered before it had read the whole job";
                return Err(CallError::Garbled { why });
            }
            let mut message = Bytes::from(received);
            message.advance(PREFIX);
            return if failed {
                Err(CallError::Failed { message })
            } else {
                Ok(Some(message))
            };
        }
        if turn == Turn::Ended {
            return Ok(None);
        }
    }
}

/// The length of an answer and whether it is a failure.
fn announced(prefix: [u8; PREFIX], limit: usize) -> Result<(usize, bool), CallError> {
    let number = u32::from_be_bytes(prefix);
    let len = (number & !FAILURE) as usize;
    if len > limit {
        return Err(CallError::TooLarge { len, limit });
    }
    Ok((len, number & FAILURE != 0))
}
