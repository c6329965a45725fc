//! Decoding is total: whatever the frames, there is a message or an error, and what is read can be written again.

use bytes::Bytes;
use powerhose::wire::{Command, Flags, HEADER_LEN, VERSION};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::round_trip;
use crate::support::{Message, from_client, from_worker, to_client, to_worker};

/// What can happen to the frames of a valid message.
#[derive(Debug, Clone)]
enum Mutation {
    Flip {
        at: Index,
        bit: u8,
    },
    Set {
        at: Index,
        to: u8,
    },
    /// A value worth trying in one of the header's fields.
    Field {
        at: usize,
        to: Vec<u8>,
    },
    Cut {
        at: Index,
    },
    Extend {
        with: Vec<u8>,
    },
    DropFrame {
        at: Index,
    },
    AddFrame {
        at: Index,
        frame: Vec<u8>,
    },
    SwapFrames {
        a: Index,
        b: Index,
    },
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let fields: &[(usize, usize)] = &[
        (0, 1),
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 4),
        (8, 8),
        (16, 8),
        (24, 2),
        (26, 2),
    ];
    let field = (
        prop::sample::select(fields),
        prop_oneof![Just(0), Just(1), Just(0xff), any::<u8>()],
    )
        .prop_map(|((at, len), byte)| {
            let mut to = vec![if byte == 0xff { 0xff } else { 0 }; len];
            to[len - 1] = byte;
            Mutation::Field { at, to }
        });
    prop_oneof![
        4 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip { at, bit }),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, to)| Mutation::Set { at, to }),
        4 => field,
        1 => any::<Index>().prop_map(|at| Mutation::Cut { at }),
        1 => vec(any::<u8>(), 1..40).prop_map(|with| Mutation::Extend { with }),
        1 => any::<Index>().prop_map(|at| Mutation::DropFrame { at }),
        1 => (any::<Index>(), vec(any::<u8>(), 0..40))
            .prop_map(|(at, frame)| Mutation::AddFrame { at, frame }),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Mutation::SwapFrames { a, b }),
    ]
}

impl Mutation {
    /// Applies itself; `which` picks the frame where one must be.
    fn apply(self, frames: &mut Vec<Vec<u8>>, which: Index) {
        if frames.is_empty() {
            return;
        }
        let count = frames.len();
        let frame = &mut frames[which.index(count)];
        match self {
            Self::Flip { at, bit } if !frame.is_empty() => {
                let at = at.index(frame.len());
                frame[at] ^= 1 << bit;
            }
            Self::Set { at, to } if !frame.is_empty() => {
                let at = at.index(frame.len());
                frame[at] = to;
            }
            Self::Flip { .. } | Self::Set { .. } => {}
            Self::Field { at, to } => {
                if let Some(field) = frames[0].get_mut(at..at + to.len()) {
                    field.copy_from_slice(&to);
                }
            }
            Self::Cut { at } => frame.truncate(at.index(frame.len() + 1)),
            Self::Extend { with } => frame.extend(with),
            Self::DropFrame { at } => {
                frames.remove(at.index(count));
            }
            Self::AddFrame { at, frame } => frames.insert(at.index(count + 1), frame),
            Self::SwapFrames { a, b } => frames.swap(a.index(count), b.index(count)),
        }
    }
}

/// Reads the frames in every direction. What is read is written and read again to the same message.
fn decode_all(frames: &[Bytes]) -> [bool; 4] {
    let messages = [
        from_worker(frames).map(Message::FromWorker),
        to_worker(frames).map(Message::ToWorker),
        from_client(frames).map(Message::FromClient),
        to_client(frames).map(Message::ToClient),
    ];
    messages.map(|message| match message {
        Ok(message) => {
            let again = message.clone().encode();
            assert_eq!(message.decode_alike(&again), Ok(message));
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    })
}

fn header_like() -> impl Strategy<Value = Vec<u8>> {
    let command = prop_oneof![
        prop::sample::select(Command::ALL).prop_map(|command| command as u8),
        any::<u8>(),
    ];
    let flags = prop_oneof![0..8_u8, any::<u8>()];
    (command, flags, vec(any::<u8>(), 0..64)).prop_map(|(command, flags, rest)| {
        let mut frame = vec![VERSION, command, flags];
        frame.extend(rest);
        frame
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn arbitrary_frames_are_a_message_or_an_error(
        frames in vec(prop_oneof![vec(any::<u8>(), 0..80), header_like()], 0..5)
    ) {
        let frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
        decode_all(&frames);
    }

    #[test]
    fn mutated_messages_are_a_message_or_an_error(
        message in round_trip::any_message(),
        mutations in vec((mutation(), any::<Index>()), 1..4),
    ) {
        let mut frames: Vec<Vec<u8>> = message.encode().iter().map(|frame| frame.to_vec()).collect();
        for (mutation, which) in mutations {
            mutation.apply(&mut frames, which);
        }
        let frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
        decode_all(&frames);
    }
}

#[test]
fn every_combination_of_command_flags_and_frames_is_a_message_or_an_error() {
    let mut read = [0; 4];
    for command in 0..=u8::MAX {
        for flags in 0..=u8::MAX {
            for frames in 1..=4_usize {
                let mut first = vec![0; HEADER_LEN];
                (first[0], first[1], first[2]) = (VERSION, command, flags);
                (first[3], first[15], first[23], first[27]) = (1, 1, 1, 1);
                if flags & Flags::INLINE_BODY != 0 {
                    first.extend(b"{}");
                }
                let mut all = vec![Bytes::from(first)];
                all.resize(frames, Bytes::from_static(b"{}"));
                for (read, is_message) in read.iter_mut().zip(decode_all(&all)) {
                    *read += usize::from(is_message);
                }
            }
        }
    }
    // From a worker: REGISTER with two kinds of body, RESULT with three, HEARTBEAT, DRAIN and DISCONNECT with none.
    // To a worker: JOB with three kinds and metadata or not, HEARTBEAT, CANCEL, DRAIN and DISCONNECT with none; `{}` is
    // no body for the others.
    // From a client: OPEN with two kinds of body, HEARTBEAT, WITHDRAW, DISCONNECT and STATUS with none; the 1 in the code field
    // of SUBMIT is an option, so that it comes with three kinds and metadata or not.
    // To a client: REPLY and REPORT with three kinds, HEARTBEAT, DRAIN and DISCONNECT with none.
    assert_eq!(read, [2 + 3 + 3, 3 * 2 + 4, 2 + 4 + 3 * 2, 3 + 3 + 3]);
}
