use std::{net::IpAddr, sync::Arc};

use reqwest::{
    Client, ClientBuilder, Response, StatusCode, Url,
    header::{ACCEPT, CONTENT_TYPE, HOST},
    redirect,
};

use super::{
    SupportDocument,
    address::{self, PublicResolver},
};
use crate::{outbound, settings::BrowserId};

const PATH: &str = "/.well-known/browserid";

/// Why there is no document of a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The host says that it has none. It counts at once, whatever was known before.
    #[error("the host answered {0}")]
    Absent(u16),
    /// The host answers something that is no support document.
    #[error("the answer {0}")]
    Unusable(&'static str),
    /// The host may not be asked: it has no public address.
    #[error("the host is not a public one")]
    Forbidden,
    /// The host could not be asked.
    #[error("{0}")]
    Unavailable(String),
    /// The host has not been asked: so many others were.
    #[error("too many hosts are being asked")]
    Saturated,
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot set up HTTPS for support documents ({0}); install the system's root certificates, or set browserid.gateway"
)]
pub struct FetcherError(#[source] reqwest::Error);

/// Asks hosts for their documents.
#[derive(Debug)]
pub(super) struct Fetcher {
    client: Client,
    gateway: Option<Url>,
    max_bytes: usize,
}

impl Fetcher {
    pub(super) fn new(settings: &BrowserId) -> Result<Self, FetcherError> {
        let gateway = settings.gateway.as_ref().map(|gateway| {
            let mut url = gateway.url().clone();
            url.set_path(PATH);
            url
        });
        let client = client(gateway.is_some())
            .timeout(settings.documents.timeout)
            .build()
            .map_err(FetcherError)?;
        Ok(Self {
            client,
            gateway,
            max_bytes: settings.documents.max_bytes,
        })
    }

    /// One request, no second attempt.
    pub(super) async fn fetch(&self, host: &str) -> Result<SupportDocument, DocumentError> {
        let request = match &self.gateway {
            Some(url) => self.client.get(url.clone()).header(HOST, host),
            None => self.client.get(direct_url(host)?),
        };
        let response = request
            .header(ACCEPT, "application/json")
            .send()
            .await
            .map_err(unavailable)?;
        let status = response.status();
        // Not that there is no document, only that it isn't to be had now.
        let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        if status.is_client_error() && !later {
            return Err(DocumentError::Absent(status.as_u16()));
        }
        if status.is_server_error() || later {
            return Err(DocumentError::Unavailable(format!(
                "the host answered {status}"
            )));
        }
        if status.is_redirection() {
            return Err(DocumentError::Unusable("is a redirect"));
        }
        if status != StatusCode::OK || !is_json(&response) {
            return Err(DocumentError::Unusable("is not application/json"));
        }
        let body = self.body(response).await?;
        SupportDocument::parse(&body).map_err(DocumentError::Unusable)
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, DocumentError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            if body.len() + chunk.len() > self.max_bytes {
                return Err(DocumentError::Unusable("is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn client(gateway: bool) -> ClientBuilder {
    let client = Client::builder()
        .user_agent(concat!("token-server/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy();
    if gateway {
        // Plain HTTP alone, so a machine without root certificates will do.
        client.tls_certs_only([])
    } else {
        client
            .https_only(true)
            .dns_resolver(Arc::new(PublicResolver))
    }
}

fn direct_url(host: &str) -> Result<Url, DocumentError> {
    let url = Url::parse(&format!("https://{host}{PATH}"))
        .map_err(|_| DocumentError::Unusable("has no address: the host is not a valid one"))?;
    // Numeric hosts don't pass the resolver.
    let numeric = url.host_str().and_then(|host| host.parse::<IpAddr>().ok());
    if numeric.is_some_and(|numeric| !address::is_public(numeric)) {
        return Err(DocumentError::Forbidden);
    }
    Ok(url)
}

fn is_json(response: &Response) -> bool {
    const JSON: &[u8] = b"application/json";
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.as_bytes().get(..JSON.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(JSON))
}

fn unavailable(error: reqwest::Error) -> DocumentError {
    DocumentError::Unavailable(outbound::cause(error))
}
