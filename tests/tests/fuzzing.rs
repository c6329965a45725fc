//! The fuzz targets' functions, on random input of a bounded size in each run.

use proptest::collection::vec;
use proptest::prelude::*;
use tests::fuzzing;

/// A frame that starts like a message, so that more than the first check is reached.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let header = (
        0..=0x17_u8,
        0..8_u8,
        0..3_u8,
        any::<[u8; 20]>(),
        0..3_u16,
        0..10_u16,
    );
    (header, vec(any::<u8>(), 0..64), any::<bool>()).prop_map(
        |((command, flags, attempt, numbers, service, code), body, second)| {
            let mut first = vec![1, command, flags, attempt];
            first.extend(numbers);
            first.extend(service.to_be_bytes());
            first.extend(code.to_be_bytes());
            if !second {
                first.extend(&body);
            }
            let mut data = Vec::new();
            for frame in [Some(first), second.then_some(body)].into_iter().flatten() {
                data.extend(u16::try_from(frame.len()).unwrap_or(u16::MAX).to_be_bytes());
                data.extend(frame);
            }
            data
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn messages_of_workers_are_refused_or_understood(data in prop_oneof![vec(any::<u8>(), 0..200), message()]) {
        fuzzing::from_worker(&data);
    }

    #[test]
    fn messages_of_masters_are_refused_or_understood(data in prop_oneof![vec(any::<u8>(), 0..200), message()]) {
        fuzzing::to_worker(&data);
    }

    #[test]
    fn messages_of_clients_are_refused_or_understood(data in prop_oneof![vec(any::<u8>(), 0..200), message()]) {
        fuzzing::from_client(&data);
    }

    #[test]
    fn messages_to_clients_are_refused_or_understood(data in prop_oneof![vec(any::<u8>(), 0..200), message()]) {
        fuzzing::to_client(&data);
    }

    #[test]
    fn a_master_survives_whatever_happens(data in vec(any::<u8>(), 0..2000)) {
        fuzzing::master(&data);
    }

    #[test]
    fn a_session_survives_whatever_happens(data in vec(any::<u8>(), 0..2000)) {
        fuzzing::session(&data);
    }
}
