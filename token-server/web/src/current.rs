use std::sync::Arc;

use crate::{
    identity::{Identities, IdentitiesError},
    settings::Settings,
    tokens::KeyRing,
};

/// What requests follow: the settings, and what was made from them. A request sees one of these from its
/// beginning to its end, so that it never signs for the old settings with a key of the new ones.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) settings: Settings,
    pub(crate) identities: Identities,
    pub(crate) key_ring: KeyRing,
}

impl Current {
    pub(crate) fn new(settings: Settings, identities: Identities) -> Self {
        Self {
            key_ring: KeyRing::new(settings.secrets.jwt_keys.clone()),
            settings,
            identities,
        }
    }

    /// What can follow this one, now that the settings were read again.
    pub(crate) fn successor(&self, mut settings: Settings) -> Result<Successor, IdentitiesError> {
        let kept = settings.keep_fixed(&self.settings);
        let identities = self.identities.renewed(&self.settings, &settings)?;
        Ok(Successor {
            current: Arc::new(Self::new(settings, identities)),
            kept,
        })
    }
}

/// Settings that were read again, with all that is made from them, for [`App::follow`](crate::App::follow).
#[derive(Debug)]
pub struct Successor {
    pub(crate) current: Arc<Current>,
    kept: Vec<&'static str>,
}

impl Successor {
    /// The settings, as they will be followed.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.current.settings
    }

    /// The keys that have changed and keep their values until a restart.
    #[must_use]
    pub fn kept(&self) -> &[&'static str] {
        &self.kept
    }
}
