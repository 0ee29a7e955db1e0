//! Messages of the current tenant.

use std::error::Error;
use std::fmt;

use async_nats::jetstream::context::Context;
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use tenancy::{TenantContext, TenantContextNotSetError};
use tenancy_token::{Issuer, MAX_TEXT, MAX_TOKEN, TokenError, encode_text};

use crate::header::TOKEN_HEADER;

/// Publishes messages of the current tenant, each with a token that seals its payload.
///
/// The token does not seal the subject. Use one audience, and so one publisher, for each kind of message.
///
/// ```no_run
/// use std::time::Duration;
/// use tenancy_nats::TenantPublisher;
/// use tenancy_token::{Issuer, TokenKey};
///
/// # async fn example(client: async_nats::Client, secret: [u8; 32]) -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new(TokenKey::hmac(b"2026-12", &secret)?, "invoices", Duration::from_secs(300))?;
/// let invoices = TenantPublisher::new(issuer);
/// // In a tenant, for example in a request's handler.
/// invoices.publish(&client, "invoices", "17".into()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TenantPublisher {
    issuer: Issuer,
}

impl TenantPublisher {
    /// Creates a publisher.
    pub fn new(issuer: Issuer) -> Self {
        Self { issuer }
    }

    /// Returns the headers of a message of the current tenant with this payload, for example for a request.
    ///
    /// # Errors
    ///
    /// [`PublishError::NoTenant`] if no tenant is set, and [`PublishError::Token`] if no token can be minted.
    pub fn headers(&self, payload: &[u8]) -> Result<HeaderMap, PublishError> {
        let tenant = TenantContext::get()?;
        let (mut buffer, mut text) = ([0; MAX_TOKEN], [0; MAX_TEXT]);
        let token = self.issuer.seal(tenant, payload, &mut buffer)?;
        let mut headers = HeaderMap::new();
        headers.insert(TOKEN_HEADER, encode_text(token, &mut text)?);
        Ok(headers)
    }

    /// Publishes a message of the current tenant, which subscribers get at most once.
    ///
    /// # Errors
    ///
    /// As [`headers`](Self::headers): nothing is sent then. [`PublishError::Nats`] if the client failed.
    pub async fn publish(&self, client: &Client, subject: &str, payload: Bytes) -> Result<(), PublishError> {
        let headers = self.headers(&payload)?;
        let published = client.publish_with_headers(subject.to_owned(), headers, payload).await;
        published.map_err(PublishError::nats)
    }

    /// Publishes a job of the current tenant to a stream of JetStream, and waits until the stream has stored it.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish). After [`PublishError::Nats`] the job may be in the stream.
    pub async fn publish_job(
        &self,
        jetstream: &Context,
        subject: &str,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let headers = self.headers(&payload)?;
        let published = jetstream.publish_with_headers(subject.to_owned(), headers, payload).await;
        published.map_err(PublishError::nats)?.await.map_err(PublishError::nats)?;
        Ok(())
    }
}

/// Why a message was not published.
#[derive(Debug)]
#[non_exhaustive]
pub enum PublishError {
    /// No tenant is set.
    NoTenant(TenantContextNotSetError),
    /// No token can be minted.
    Token(TokenError),
    /// The client or the server failed.
    Nats(async_nats::Error),
}

impl PublishError {
    fn nats(error: impl Into<async_nats::Error>) -> Self {
        Self::Nats(error.into())
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTenant(_) => "cannot publish a message without a tenant",
            Self::Token(_) => "cannot mint the token of a message",
            Self::Nats(_) => "cannot publish a message",
        })
    }
}

impl Error for PublishError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::NoTenant(error) => error,
            Self::Token(error) => error,
            Self::Nats(error) => error.as_ref(),
        })
    }
}

impl From<TenantContextNotSetError> for PublishError {
    fn from(error: TenantContextNotSetError) -> Self {
        Self::NoTenant(error)
    }
}

impl From<TokenError> for PublishError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}
