//! Every outcome of a job survives the way to a client.

use std::time::Duration;

use bytes::Bytes;
use powerhose::wire::{OutcomeCode, Reply};
use powerhose::{ExecuteError, Started};

fn every_error() -> Vec<ExecuteError> {
    let message = Bytes::from_static(b"why");
    let mut errors = vec![
        ExecuteError::Overloaded {
            retry_after: Duration::from_millis(250),
        },
        ExecuteError::NoWorkers {
            service: "square".into(),
        },
        ExecuteError::WorkerLost { attempts: 3 },
        ExecuteError::AttemptsTimedOut { attempts: 2 },
        ExecuteError::Poison { deaths: 2 },
        ExecuteError::Failed {
            message: message.clone(),
        },
        ExecuteError::Panicked { message },
        ExecuteError::InvalidService {
            service: "square".into(),
        },
        ExecuteError::Overrun,
        ExecuteError::Abandoned,
    ];
    for started in [Started::No, Started::Maybe] {
        errors.push(ExecuteError::DeadlineExceeded { started });
        errors.push(ExecuteError::ShuttingDown { started });
        errors.push(ExecuteError::MasterLost { started });
    }
    for what in ["payload", "metadata", "result"] {
        errors.push(ExecuteError::TooLarge { what, limit: 4096 });
    }
    errors
}

#[test]
fn errors_arrive_as_they_left() {
    for error in every_error() {
        let reply = Reply::new(7, Err(error.clone()));
        assert_eq!(reply.started, error.started(), "{error:?}");
        assert_eq!(reply.sequence, 7);
        assert_eq!(reply.into_outcome("square"), Err(error));
    }
}

#[test]
fn results_arrive_as_they_left() {
    let reply = Reply::new(7, Ok("144".into()));
    assert_eq!(reply.started, Started::Finished);
    assert_eq!(reply.into_outcome(""), Ok("144".into()));
}

#[test]
fn every_code_but_withdrawn_is_that_of_an_error() {
    let mut used: Vec<_> = every_error()
        .into_iter()
        .map(|error| Reply::new(1, Err(error)).code)
        .chain([OutcomeCode::Ok, OutcomeCode::Withdrawn])
        .collect();
    used.sort_by_key(|code| code.to_wire());
    used.dedup();
    assert_eq!(used, OutcomeCode::ALL);
}

#[test]
fn names_of_codes_are_those_of_errors() {
    for error in every_error() {
        let name = Reply::new(1, Err(error.clone())).code.name();
        assert!(name.ends_with(error.code()), "{name} is {error:?}");
    }
}
