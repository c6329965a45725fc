use std::{collections::BTreeMap, fs, path::Path};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    util::nest,
    value::{Dict, Map, Value},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    Application, BrowserId, Database, Http, Issuer, Jwks, Log, Metrics, Nodes, OAuth, Settings,
    SettingsError, TokenSecrets, Users, Workers, application::default_applications, check,
    secrets::WrittenSecrets, token, version,
};

/// Every environment variable that begins like this is a setting: sections and keys are separated by
/// two underscores, `TOKEN_SERVER__BROWSERID__AUDIENCE`.
const ENVIRONMENT_PREFIX: &str = "TOKEN_SERVER__";

/// Where settings come from. Later ones win: file, environment, assignments.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// A TOML file.
    pub file: Option<&'a Path>,
    /// The process's environment; variables that are not settings are ignored.
    pub environment: Vec<(String, String)>,
    /// `browserid.gateway=http://127.0.0.1:8080` and the like, from the command line.
    pub assignments: Vec<(String, String)>,
}

/// The settings as they are written, before files of secrets are read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    http: Http,
    database: Database,
    browserid: Option<BrowserId>,
    oauth: Option<OAuth>,
    #[serde(default)]
    issuers: BTreeMap<String, Issuer>,
    #[serde(default)]
    jwks: Jwks,
    #[serde(default = "default_applications")]
    applications: BTreeMap<String, Application>,
    #[serde(default)]
    users: Users,
    #[serde(default)]
    nodes: Nodes,
    #[serde(default)]
    workers: Workers,
    #[serde(default)]
    metrics: Metrics,
    #[serde(default)]
    log: Log,
    #[serde(default)]
    secrets: WrittenSecrets,
}

impl Settings {
    /// Reads and checks the settings.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] with the first key that is unknown, missing or unusable, or the file that
    /// cannot be read. Values of secrets are never quoted.
    pub fn load(sources: &Sources<'_>) -> Result<Self, SettingsError> {
        let mut figment = Figment::new();
        if let Some(path) = sources.file {
            figment = figment.merge(TomlFile::read(path)?);
        }
        let variables = sources
            .environment
            .iter()
            .filter_map(|(name, value)| Assignment::from_variable(name, value));
        let assignments = sources
            .assignments
            .iter()
            .map(|(key, value)| Assignment::from_command_line(key, value));
        for assignment in variables.chain(assignments) {
            figment = figment.merge(assignment);
        }
        let written: Written = figment.extract().map_err(SettingsError::from)?;
        written.resolve()
    }
}

impl Written {
    fn resolve(self) -> Result<Settings, SettingsError> {
        if self.browserid.is_none() && self.oauth.is_none() && self.issuers.is_empty() {
            return Err(SettingsError::key(
                "browserid.audience",
                "is not set, and neither is oauth.server_url or an issuer in [issuers.NAME]: nobody could show who they are",
            ));
        }
        let secrets = self.secrets;
        let mut settings = Settings {
            http: self.http,
            database: self.database,
            browserid: self.browserid,
            oauth: self.oauth,
            issuers: self.issuers,
            jwks: self.jwks,
            applications: self.applications,
            users: self.users,
            nodes: self.nodes,
            workers: self.workers,
            metrics: self.metrics,
            log: self.log,
            secrets: secrets.resolve()?,
        };
        for application in settings.applications.values_mut() {
            if let Some(path) = &application.secret_file {
                let secret = token::read_secret(path)?;
                application.secret = Some(TokenSecrets::Fixed(vec![secret]));
            }
        }
        settings.workers.read_keys()?;
        settings.http.version = version::read(settings.http.version_file.as_deref())?;
        check::check(&settings)?;
        Ok(settings)
    }
}

/// A settings file that has been read and is known to be TOML.
struct TomlFile {
    source: String,
    data: Map<Profile, Dict>,
}

impl TomlFile {
    fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| SettingsError::Unreadable {
                path: path.to_owned(),
                error,
            })?;
        let data = Toml::string(&text)
            .data()
            .map_err(|error| SettingsError::Syntax {
                path: path.to_owned(),
                message: without_excerpt(&error.to_string()),
            })?;
        Ok(Self {
            source: path.display().to_string(),
            data,
        })
    }
}

/// TOML's complaint on one line, without the excerpt of the file: that may show a secret.
fn without_excerpt(message: &str) -> String {
    message
        .lines()
        .filter(|line| !line.contains('|') && !line.trim().is_empty())
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(": ")
}

impl Provider for TomlFile {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(self.data.clone())
    }
}

/// One key with dots and its value, in TOML's notation or as plain text.
struct Assignment<'a> {
    source: String,
    key: String,
    value: &'a str,
}

impl<'a> Assignment<'a> {
    /// `None` for a variable that is no setting.
    fn from_variable(name: &str, value: &'a str) -> Option<Self> {
        let key = name.strip_prefix(ENVIRONMENT_PREFIX)?;
        Some(Self {
            source: format!("environment variable {name}"),
            key: key.to_ascii_lowercase().replace("__", "."),
            value,
        })
    }

    fn from_command_line(key: &str, value: &'a str) -> Self {
        Self {
            source: "the command line".to_owned(),
            key: key.to_owned(),
            value,
        }
    }
}

impl Provider for Assignment<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let Ok(value) = self.value.parse::<Value>();
        let nested = nest(&self.key, value).into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(nested))
    }
}
