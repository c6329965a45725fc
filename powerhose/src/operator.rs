//! Asks a standalone master how it is.

use std::time::Duration;

use crate::driver::clock::Clock;
use crate::driver::context::{TooFewDescriptors, context};
use crate::driver::endpoint::{Endpoint, EndpointError, Reach};
use crate::driver::frames::Parcel;
use crate::driver::poll::{Poll, wait};
use crate::driver::socket::{Dealer, Options};
use crate::report::Report;
use crate::security::{self, CurveClient, KeyError};
use crate::wire::limits::MAX_REPORT;
use crate::wire::{FromClient, ToClient};

/// Why a master did not say how it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The endpoint makes no sense.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Keys cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Nothing came in time.
    #[error("no master answers at {endpoint} within {within:?}: is one running there{}?", match has_keys {
        true => ", and does it admit this key",
        false => "",
    })]
    Silent {
        /// The endpoint.
        endpoint: String,
        /// How long was waited.
        within: Duration,
        /// Whether it was asked with keys, which it may have refused.
        has_keys: bool,
    },
    /// Something else than a master of this protocol answers.
    #[error("what answers at {endpoint} does not report: {why}")]
    Stranger {
        /// The endpoint.
        endpoint: String,
        /// What it said.
        why: String,
    },
    /// The system has no socket to spare.
    #[error("cannot open a connection: {0}")]
    Resources(#[from] std::io::Error),
    /// The process may open too few files.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
}

impl AskError {
    /// The exit status that `sysexits.h` has for it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Endpoint(error) => error.exit_code(),
            Self::Key(error) => error.exit_code(),
            Self::Silent { .. } => 69,
            Self::Stranger { .. } => 76,
            Self::Resources(_) | Self::Descriptors(_) => 71,
        }
    }
}

/// A question to a standalone master: how are you?
#[derive(Debug, Clone)]
#[must_use = "nothing is asked before `ask`"]
pub struct Inquiry {
    endpoint: String,
    curve: Option<CurveClient>,
    insecure: bool,
}

impl Inquiry {
    /// For the master that answers operators at an endpoint: its frontend, or its endpoint for operators if it has one.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            curve: None,
            insecure: false,
        }
    }

    /// The keys for tcp: the connection is then encrypted, and the master proves who it is. Default none.
    pub fn curve(mut self, keys: CurveClient) -> Self {
        self.curve = Some(keys);
        self
    }

    /// Allows tcp to other hosts without keys: whoever is on the way can read and change everything. Default no.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Asks. Blocks until the master answers or the time is over.
    ///
    /// # Errors
    /// [`AskError`], which names the endpoint.
    pub fn ask(&self, within: Duration) -> Result<Report, AskError> {
        if self.curve.is_some() && !security::is_available() {
            return Err(KeyError::Unavailable.into());
        }
        let reach = Reach::new(self.curve.is_some(), self.insecure);
        let address = Endpoint::to_connect(&self.endpoint, reach)?;
        let options = Options {
            max_frame: 2 * MAX_REPORT as u64,
            linger: Duration::ZERO,
            heartbeat: None,
        };
        let context = context(1)?;
        let mut dealer = Dealer::connect(&context, &address, &options, self.curve.as_ref())?;
        let mut parcel = Parcel::default();
        parcel.for_master_of_client(FromClient::Status);
        dealer.send(&mut parcel);
        let clock = Clock::new();
        let until = clock.now() + within;
        let mut frames = Vec::new();
        loop {
            frames.clear();
            if dealer.receive(&mut frames) {
                match self.read(&mut frames) {
                    Some(answer) => return answer,
                    None => continue,
                }
            }
            let now = clock.now();
            if now >= until {
                return Err(AskError::Silent {
                    endpoint: self.endpoint.clone(),
                    within,
                    has_keys: self.curve.is_some(),
                });
            }
            dealer.flush(now);
            let again = dealer.next_deadline().map_or(until, |at| at.min(until));
            let mut poll = Poll::default();
            dealer.watch(&mut poll);
            wait(&mut poll, Some(again - now))?;
        }
    }

    /// The answer in a message, if it is one.
    fn read(&self, frames: &mut [bytes::Bytes]) -> Option<Result<Report, AskError>> {
        let stranger = |why: String| {
            Err(AskError::Stranger {
                endpoint: self.endpoint.clone(),
                why,
            })
        };
        Some(match ToClient::decode(frames) {
            Ok(ToClient::Report { body }) => {
                serde_json::from_slice(&body).or_else(|error| stranger(error.to_string()))
            }
            Ok(ToClient::Rejected { rejection, .. }) => stranger(rejection.message),
            Ok(_) => return None,
            Err(error) => stranger(error.to_string()),
        })
    }
}

impl Report {
    /// Asks the master at an endpoint of this machine, without keys. Blocks until it answers or the time is over.
    ///
    /// # Errors
    /// [`AskError`], which names the endpoint.
    pub fn ask(endpoint: &str, within: Duration) -> Result<Self, AskError> {
        Inquiry::new(endpoint).ask(within)
    }
}
