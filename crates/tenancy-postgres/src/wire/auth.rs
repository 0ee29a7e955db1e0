//! Authentication: cleartext, MD5 and SCRAM-SHA-256.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{self, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;

use super::channel::Channel;
use super::error::ConnectionError;
use super::options::ChannelBinding;

/// The credentials of the client.
pub(super) struct Credentials<'a> {
    pub(super) user: &'a str,
    pub(super) password: Option<&'a [u8]>,
    pub(super) binding: ChannelBinding,
    /// The hash of the server's certificate, if the connection uses TLS and the connector knows it.
    pub(super) server_end_point: Option<Vec<u8>>,
    pub(super) is_encrypted: bool,
}

impl Credentials<'_> {
    fn password(&self) -> Result<&[u8], ConnectionError> {
        self.password
            .ok_or(ConnectionError::Authentication("the server demands a password, and none is configured"))
    }

    /// Refuses an authentication that is not bound to the channel, if the options demand it.
    fn without_binding(&self) -> Result<(), ConnectionError> {
        match self.binding {
            ChannelBinding::Disable | ChannelBinding::Prefer => Ok(()),
            ChannelBinding::Require if !self.is_encrypted => {
                Err(ConnectionError::Authentication("channel_binding=require needs TLS"))
            }
            ChannelBinding::Require if self.server_end_point.is_none() => {
                Err(ConnectionError::Authentication(
                    "channel_binding=require is not supported by the TLS connector or the server's certificate",
                ))
            }
            ChannelBinding::Require => Err(ConnectionError::Authentication(
                "the server does not use channel binding, and channel_binding=require demands it",
            )),
        }
    }
}

/// Authenticates after the start-up message.
pub(super) async fn authenticate(
    channel: &mut Channel,
    credentials: Credentials<'_>,
) -> Result<(), ConnectionError> {
    let answer = match channel.receive().await? {
        Message::AuthenticationOk => return credentials.without_binding(),
        Message::AuthenticationCleartextPassword => {
            credentials.without_binding()?;
            credentials.password()?.to_vec()
        }
        Message::AuthenticationMd5Password(body) => {
            credentials.without_binding()?;
            md5_hash(credentials.user.as_bytes(), credentials.password()?, body.salt()).into_bytes()
        }
        Message::AuthenticationSasl(body) => {
            scram(channel, credentials, &body).await?;
            return authenticated(channel).await;
        }
        Message::AuthenticationKerberosV5
        | Message::AuthenticationScmCredential
        | Message::AuthenticationGss
        | Message::AuthenticationSspi => {
            return Err(ConnectionError::Authentication("the server demands a method that is not supported"));
        }
        _ => return Err(ConnectionError::Protocol("not a request for authentication")),
    };
    send(channel, |buffer| frontend::password_message(&answer, buffer)).await?;
    authenticated(channel).await
}

async fn authenticated(channel: &mut Channel) -> Result<(), ConnectionError> {
    match channel.receive().await? {
        Message::AuthenticationOk => Ok(()),
        _ => Err(ConnectionError::Protocol("authentication does not end")),
    }
}

async fn scram(
    channel: &mut Channel,
    mut credentials: Credentials<'_>,
    body: &AuthenticationSaslBody,
) -> Result<(), ConnectionError> {
    let (mut has_scram, mut has_plus) = (false, false);
    let mut mechanisms = body.mechanisms();
    while let Some(mechanism) =
        mechanisms.next().map_err(|_| ConnectionError::Protocol("a malformed list of mechanisms"))?
    {
        has_scram |= mechanism == SCRAM_SHA_256;
        has_plus |= mechanism == SCRAM_SHA_256_PLUS;
    }
    let is_wanted = credentials.binding != ChannelBinding::Disable;
    let (mechanism, binding) = if has_plus && is_wanted && credentials.server_end_point.is_some() {
        let hash = credentials.server_end_point.take().unwrap_or_default();
        (SCRAM_SHA_256_PLUS, sasl::ChannelBinding::tls_server_end_point(hash))
    } else if has_scram {
        credentials.without_binding()?;
        // The server refuses `unrequested` if it supports channel binding: its offer was removed on the way then.
        let is_supported = is_wanted && credentials.server_end_point.is_some();
        let binding = if is_supported {
            sasl::ChannelBinding::unrequested()
        } else {
            sasl::ChannelBinding::unsupported()
        };
        (SCRAM_SHA_256, binding)
    } else {
        return Err(ConnectionError::Authentication("the server demands a mechanism that is not supported"));
    };
    let mut scram = ScramSha256::new(credentials.password()?, binding);
    send(channel, |buffer| frontend::sasl_initial_response(mechanism, scram.message(), buffer)).await?;
    let Message::AuthenticationSaslContinue(body) = channel.receive().await? else {
        return Err(ConnectionError::Protocol("SCRAM does not continue"));
    };
    scram
        .update(body.data())
        .map_err(|_| ConnectionError::Authentication("the server's SCRAM message is invalid"))?;
    send(channel, |buffer| frontend::sasl_response(scram.message(), buffer)).await?;
    let Message::AuthenticationSaslFinal(body) = channel.receive().await? else {
        return Err(ConnectionError::Protocol("SCRAM does not end"));
    };
    // The server proves that it knows the password.
    scram
        .finish(body.data())
        .map_err(|_| ConnectionError::Authentication("the server's SCRAM proof is wrong"))
}

async fn send(
    channel: &mut Channel,
    write: impl FnOnce(&mut BytesMut) -> std::io::Result<()>,
) -> Result<(), ConnectionError> {
    let mut buffer = BytesMut::new();
    write(&mut buffer)?;
    channel.send(&buffer).await
}
