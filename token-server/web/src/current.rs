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
    pub(crate) fn new(settings: Settings, identities: Identities) -> Arc<Self> {
        Arc::new(Self {
            key_ring: KeyRing::new(settings.secrets.jwt_keys.clone()),
            settings,
            identities,
        })
    }

    /// What follows this one, now that the settings were read again, and the keys of those that it keeps
    /// because they take a restart.
    pub(crate) fn successor(
        &self,
        mut settings: Settings,
    ) -> Result<(Arc<Self>, Vec<&'static str>), IdentitiesError> {
        let kept = settings.keep_fixed(&self.settings);
        let identities = self.identities.renewed(&self.settings, &settings)?;
        Ok((Self::new(settings, identities), kept))
    }
}
