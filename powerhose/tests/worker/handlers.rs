//! What handlers see of jobs, and what the master sees of handlers.

use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use powerhose::wire::{CancelReason, DisconnectReason, FromWorker, JobKey, ResultCode, ToWorker};
use powerhose::{Bytes, JobError};

use crate::support::{MAX_BODY, PATIENCE, SESSION, both_ways, echo, run};

#[test]
fn a_job_arrives_whole_and_its_result_goes_back() {
    both_ways(|master| {
        let (seen, sees) = mpsc::channel();
        let worker = run(master
            .worker()
            .service("verify")
            .service("issue")
            .handler(move |job| {
                let metadata = job.metadata().cloned();
                let facts = (
                    job.service().to_owned(),
                    job.attempt(),
                    job.remaining(),
                    metadata,
                );
                seen.send(facts).expect("the test listens");
                Ok(job.into_body())
            }));
        let (peer, register) = master.register();
        assert_eq!(register.services, ["verify", "issue"]);
        assert_eq!(register.slots, 1);
        assert_eq!(register.pid, std::process::id());
        assert!(!register.host.is_empty());

        let bodies = [Bytes::new(), "payload".into(), vec![7; 5000].into()];
        for (job, body) in (1..).zip(bodies) {
            let key = JobKey { job, attempt: 2 };
            master.send(
                &peer,
                ToWorker::Job {
                    session: SESSION,
                    key,
                    service: 1,
                    budget_ms: 30_000,
                    body: body.clone(),
                    metadata: Some("trace".into()),
                },
            );
            match master.receive().1 {
                FromWorker::Result {
                    session,
                    key: of,
                    code,
                    body: result,
                    ..
                } => assert_eq!(
                    (session, of, code, result),
                    (SESSION, key, ResultCode::Ok, body)
                ),
                other => panic!("expected RESULT, got {other:?}"),
            }
            let (service, attempt, remaining, metadata) =
                sees.recv_timeout(PATIENCE).expect("a job");
            assert_eq!((&*service, attempt), ("issue", 2));
            assert!(Duration::ZERO < remaining && remaining <= Duration::from_secs(30));
            assert_eq!(metadata, Some("trace".into()));
        }
        worker.stopper.drain();
        worker.exit();
    });
}

#[test]
fn a_handler_that_fails_panics_or_gives_up_fails_its_job_alone() {
    both_ways(|master| {
        let worker = run(master.worker().handler(|job| match &job.body()[..] {
            b"fail" => Err(JobError::new("the reason")),
            b"error" => Ok(String::from_utf8(vec![0xff])?.into()),
            b"panic" => panic!("the {}", "panic"),
            b"panic oddly" => std::panic::panic_any(7),
            b"give up" => Err(JobError::cancelled()),
            _ => Ok(job.into_body()),
        }));
        let (peer, _) = master.register();
        let not_text = String::from_utf8(vec![0xff])
            .expect_err("no text")
            .to_string();
        let cases: [(&'static str, ResultCode, &str); 6] = [
            ("fail", ResultCode::Failed, "the reason"),
            ("error", ResultCode::Failed, &not_text),
            ("panic", ResultCode::Panicked, "the panic"),
            ("panic oddly", ResultCode::Panicked, ""),
            ("give up", ResultCode::Cancelled, ""),
            ("still there", ResultCode::Ok, "still there"),
        ];
        for (job, (body, code, message)) in (1..).zip(cases) {
            master.job(&peer, job, body);
            let message = Bytes::copy_from_slice(message.as_bytes());
            assert_eq!(master.receive_result(), (job, code, message));
        }
        worker.stopper.drain();
        worker.exit();
    });
}

#[test]
fn each_slot_works_on_a_job_of_its_own() {
    both_ways(|master| {
        let all_at_once = Arc::new(Barrier::new(3));
        let worker = run(master.worker().slots(3).handler(move |job| {
            all_at_once.wait();
            Ok(job.into_body())
        }));
        let (peer, register) = master.register();
        assert_eq!(register.slots, 3);
        for job in 1..=6 {
            master.job(&peer, job, "");
        }
        let mut done: Vec<_> = (0..6).map(|_| master.receive_result().0).collect();
        done.sort_unstable();
        assert_eq!(done, [1, 2, 3, 4, 5, 6]);
        worker.stopper.drain();
        worker.exit();
    });
}

#[test]
fn many_small_jobs_are_all_answered_once() {
    const JOBS: u64 = 5_000;
    for slots in [1, 4] {
        both_ways(|master| {
            let worker = run(master.worker().slots(slots).handler(echo));
            let (peer, _) = master.register();
            let mut answered = vec![false; JOBS as usize];
            let mut sent = 0;
            for done in 0..JOBS {
                while sent < JOBS && sent < done + 100 {
                    master.job(&peer, sent, "small");
                    sent += 1;
                }
                let (job, code, body) = master.receive_result();
                assert_eq!((code, &body[..]), (ResultCode::Ok, &b"small"[..]));
                let twice = std::mem::replace(&mut answered[job as usize], true);
                assert!(!twice, "job {job} was answered twice");
            }
            worker.stopper.drain();
            assert_eq!(master.receive_farewell(), (0, DisconnectReason::Drained));
            worker.exit();
        });
    }
}

#[test]
fn short_and_long_jobs_in_turn_are_all_answered() {
    const JOBS: u64 = 60;
    both_ways(|master| {
        let worker = run(master.worker().handler(|job| {
            // Around the time after which the worker's other thread takes over the sockets, and well below and above.
            let time = match &job.body()[..] {
                b"long" => 8,
                b"even" => 5,
                _ => 0,
            };
            std::thread::sleep(Duration::from_millis(time));
            Ok(job.into_body())
        }));
        let (peer, _) = master.register();
        let body = |job| ["short", "even", "short", "long"][job as usize % 4];
        // One at a time, so that each finds the worker asleep, and then all at once.
        for job in 0..JOBS {
            master.job(&peer, job, body(job));
            assert_eq!(master.receive_result().2, body(job));
        }
        for job in JOBS..2 * JOBS {
            master.job(&peer, job, body(job));
        }
        for job in JOBS..2 * JOBS {
            assert_eq!(
                master.receive_result(),
                (job, ResultCode::Ok, body(job).into())
            );
        }
        worker.stopper.drain();
        worker.exit();
    });
}

#[test]
fn a_handler_sees_that_its_job_is_cancelled() {
    both_ways(|master| {
        let (started, starts) = mpsc::channel();
        let worker = run(master.worker().handler(move |job| {
            started.send(job.is_cancelled()).expect("the test listens");
            while !job.is_cancelled() {
                std::thread::yield_now();
            }
            Err(JobError::cancelled())
        }));
        let (peer, _) = master.register();
        for job in 1..=2 {
            master.job(&peer, job, "");
            assert_eq!(starts.recv_timeout(PATIENCE), Ok(false));
            master.cancel(&peer, job, CancelReason::Caller);
            assert_eq!(
                master.receive_result(),
                (job, ResultCode::Cancelled, Bytes::new())
            );
        }
        worker.stopper.drain();
        worker.exit();
    });
}

#[test]
fn a_job_is_cancelled_when_its_time_is_over() {
    both_ways(|master| {
        let worker = run(master.worker().handler(|job| {
            while !job.is_cancelled() {
                std::thread::yield_now();
            }
            assert_eq!(job.remaining(), Duration::ZERO);
            Err(JobError::cancelled())
        }));
        let (peer, _) = master.register();
        let budget = Duration::from_millis(50);
        master.job_of(&peer, SESSION, 1, budget, Bytes::new());
        assert_eq!(master.receive_result().1, ResultCode::Cancelled);
        worker.stopper.drain();
        worker.exit();
    });
}

#[test]
fn a_job_that_has_waited_too_long_is_not_started() {
    both_ways(|master| {
        let started = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&started);
        let worker = run(master.worker().handler(move |job| {
            log.lock().expect("no panic").push(job.body().clone());
            // Longer than the other job has, however late that comes.
            std::thread::sleep(Duration::from_millis(300));
            Ok(job.into_body())
        }));
        let (peer, _) = master.register();
        master.job(&peer, 1, "long");
        master.job_of(&peer, SESSION, 2, Duration::from_millis(20), "short".into());
        assert_eq!(master.receive_result().1, ResultCode::Ok);
        assert_eq!(
            master.receive_result(),
            (2, ResultCode::Expired, Bytes::new())
        );
        assert_eq!(*started.lock().expect("no panic"), ["long"]);
        worker.stopper.drain();
        worker.exit();
    });
}

#[test]
fn a_result_above_the_limit_stays_here() {
    both_ways(|master| {
        let worker = run(master.worker().handler(|job| {
            let len: usize = std::str::from_utf8(job.body())?.parse()?;
            Ok(vec![0; len].into())
        }));
        let (peer, _) = master.register();
        for (job, len, code) in [
            (1, "10000", ResultCode::Ok),
            (2, "10001", ResultCode::TooLarge),
        ] {
            master.job(&peer, job, len);
            let (of, got, body) = master.receive_result();
            assert_eq!((of, got), (job, code));
            assert!(body.len() as u64 <= MAX_BODY);
        }
        worker.stopper.drain();
        worker.exit();
    });
}

#[test]
fn an_overrun_is_logged_and_told_while_the_handler_runs() {
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    both_ways(|master| {
        let log = Log::default();
        let logged = log.clone();
        let lines = move || {
            let log = logged.0.lock().expect("no panic");
            let log = String::from_utf8_lossy(&log).into_owned();
            (log.lines().filter(|line| line.contains("overruns")))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let read = lines.clone();
        let (told, tells) = mpsc::channel();
        let worker = master
            .worker()
            .service("slow")
            .overrun(Duration::from_millis(20))
            .on_overrun(move |overrun| {
                told.send(overrun.clone()).expect("the test listens");
                panic!("what is told of an overrun may fail");
            })
            .handle_signals(false)
            .handler(move |job| {
                crate::support::wait_until("the overrun is logged", || !read().is_empty());
                Ok(job.into_body())
            })
            .build()
            .expect("valid settings");
        let stopper = worker.stopper();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(log)
            .finish();
        let thread =
            std::thread::spawn(|| tracing::subscriber::with_default(subscriber, || worker.run()));
        let (peer, _) = master.register();
        master.job(&peer, 77, "");
        assert_eq!(master.receive_result().1, ResultCode::Ok);
        let overrun = tells.recv_timeout(PATIENCE).expect("it is told");
        assert_eq!(
            (&*overrun.service, overrun.job, overrun.attempt),
            ("slow", 77, 1)
        );
        assert!(overrun.running >= Duration::from_millis(20));
        assert!(tells.try_recv().is_err(), "once for each job");
        let lines = lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        for part in ["WARN", "job=77", "attempt=1", "\"slow\""] {
            assert!(lines[0].contains(part), "{part} is missing in {}", lines[0]);
        }
        stopper.drain();
        thread.join().expect("no panic").expect("no error");
    });
}
