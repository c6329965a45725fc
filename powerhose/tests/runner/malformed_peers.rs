use powerhose::Bytes;
use powerhose::wire::{FromWorker, RejectReason, ToWorker};

use crate::support::{Bare, Bench, PATIENCE, register};

#[tokio::test]
async fn garbage_from_one_peer_is_answered_and_harms_no_other() {
    let bench = Bench::new();
    let _echo = bench.echo(register()).await;
    let endpoint = bench.runner.endpoints()[0].clone();
    let garbage = std::thread::spawn(move || {
        let vandal = Bare::connect(&endpoint);
        let header = |command: u8| {
            let mut header = vec![0; 28];
            (header[0], header[1]) = (1, command);
            Bytes::from(header)
        };
        let cases = [
            (vec![Bytes::new()], RejectReason::Malformed),
            (vec![Bytes::from("short")], RejectReason::UnsupportedVersion),
            (vec![header(0xee)], RejectReason::UnknownCommand),
            (vec![header(4), header(4)], RejectReason::Malformed),
            (vec![Bytes::from("\u{1}xx")], RejectReason::Malformed),
            (vec![header(4); 1000], RejectReason::Malformed),
        ];
        for (frames, expected) in cases {
            vandal.send_frames(frames.clone());
            match vandal.receive() {
                ToWorker::Rejected { reason, .. } => assert_eq!(reason, expected, "{frames:?}"),
                other => panic!("{frames:?} was answered by {other:?}"),
            }
        }
    });
    for number in 0..500_u16 {
        let body = Bytes::copy_from_slice(&number.to_be_bytes());
        assert_eq!(bench.runner.execute(body.clone()).await, Ok(body));
    }
    tokio::task::spawn_blocking(move || garbage.join().expect("as expected"))
        .await
        .expect("no panic");
    assert_eq!(bench.runner.stats().await.counters.malformed, 6);
}

#[tokio::test]
async fn a_peer_that_chose_its_routing_id_is_refused() {
    let bench = Bench::new();
    let endpoint = bench.runner.endpoints()[0].clone();
    let socket = zmq::Context::new().socket(zmq::DEALER).expect("a socket");
    socket.set_identity(b"worker-1").expect("a routing id");
    socket.connect(&endpoint).expect("a listener");
    let stranger = Bare::from_socket(socket);
    let register = register();
    stranger.send(FromWorker::Register {
        session: 0,
        register,
    });
    let answer = tokio::task::spawn_blocking(move || stranger.receive());
    let answer = answer.await.expect("no panic");
    let ToWorker::Rejected {
        reason, rejection, ..
    } = answer
    else {
        panic!("not refused: {answer:?}")
    };
    assert_eq!(reason, RejectReason::InvalidRegistration);
    assert!(rejection.message.contains("ZMQ_ROUTING_ID"));
    assert_eq!(bench.runner.stats().await.counters.foreign, 1);
    bench.runner.shutdown(PATIENCE).await;
}
