//! The start of a session.

use std::hash::{BuildHasher, RandomState};
use std::{env, io};

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::auth::{Credentials, authenticate};
use super::cancel::CancelKey;
use super::channel::Channel;
use super::dial::{Address, Encryption, dial, within};
use super::error::ConnectionError;
use super::options::{ConnectOptions, SslMode, TargetSessionAttrs};
use super::session_attrs::is_accepted;
use super::stream::Stream;
use super::tls::Tls;

/// The SQLSTATE of a server that does not accept connections yet, or any more (`cannot_connect_now`).
const CANNOT_CONNECT_NOW: &str = "57P03";

/// The SQLSTATE of a connection that the server's configuration refuses (`invalid_authorization_specification`).
const NOT_AUTHORIZED: &str = "28000";

/// A session that waits for its first statement.
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    /// Bytes that were read after the end of the start-up.
    pub(crate) read: BytesMut,
    pub(crate) cancel: CancelKey,
}

/// Starts a session on the first host that accepts one.
///
/// `extra_options` are appended to the options of the session (`-c name=value`).
///
/// The next address is tried if one cannot be reached, does not answer in time, is not ready, or has another kind of
/// session than demanded. Other errors are final: a wrong password, a database that does not exist, a certificate that
/// cannot be verified.
pub(crate) async fn connect(
    options: &ConnectOptions,
    tls: &Tls,
    extra_options: &str,
) -> Result<Connected, ConnectionError> {
    let login = Login::new(options, extra_options)?;
    let mut targets = options.targets()?;
    if options.balances_load {
        shuffle(&mut targets);
    }
    let rounds: &[TargetSessionAttrs] = match options.target_session_attrs {
        TargetSessionAttrs::PreferStandby => &[TargetSessionAttrs::Standby, TargetSessionAttrs::Any],
        TargetSessionAttrs::Any => &[TargetSessionAttrs::Any],
        TargetSessionAttrs::ReadWrite => &[TargetSessionAttrs::ReadWrite],
        TargetSessionAttrs::ReadOnly => &[TargetSessionAttrs::ReadOnly],
        TargetSessionAttrs::Primary => &[TargetSessionAttrs::Primary],
        TargetSessionAttrs::Standby => &[TargetSessionAttrs::Standby],
    };
    let mut last = None;
    for &attrs in rounds {
        for target in &targets {
            let lookup = async { Ok(target.addresses().await?) };
            let mut addresses = match within(options.connect_timeout, lookup).await {
                Ok(addresses) => addresses,
                Err(error) => {
                    last = Some(error);
                    continue;
                }
            };
            if options.balances_load {
                shuffle(&mut addresses);
            }
            for address in &addresses {
                let attempt = login.connect(address, options, attrs, tls);
                match within(options.connect_timeout, attempt).await {
                    Ok(connected) => return Ok(connected),
                    Err(error) if is_final(&error) => return Err(error),
                    Err(error) => last = Some(error),
                }
            }
        }
    }
    let no_address = || io::Error::new(io::ErrorKind::NotFound, "the host has no address").into();
    Err(last.unwrap_or_else(no_address))
}

/// Whether another host cannot be better.
fn is_final(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::Io(_) | ConnectionError::Timeout | ConnectionError::Protocol(_) => false,
        ConnectionError::Server(error) => error.code() != CANNOT_CONNECT_NOW,
        ConnectionError::Authentication(_) | ConnectionError::Tls(_) | ConnectionError::Copy => true,
    }
}

/// What is sent to each host.
struct Login {
    user: String,
    message: BytesMut,
}

impl Login {
    fn new(options: &ConnectOptions, extra_options: &str) -> Result<Self, ConnectionError> {
        let user = match &options.user {
            Some(user) => user.clone(),
            None => user_of_environment()?,
        };
        let session = match (options.options.as_deref(), extra_options) {
            (None, extra) => extra.to_owned(),
            (Some(own), "") => own.to_owned(),
            (Some(own), extra) => format!("{own} {extra}"),
        };
        let mut parameters = vec![
            ("user", user.as_str()),
            ("database", options.database.as_deref().unwrap_or(&user)),
            ("client_encoding", "UTF8"),
        ];
        parameters.extend(options.application_name.as_deref().map(|name| ("application_name", name)));
        if !session.is_empty() {
            parameters.push(("options", &session));
        }
        let mut message = BytesMut::new();
        frontend::startup_message(parameters, &mut message)?;
        Ok(Self { user, message })
    }

    async fn connect(
        &self,
        address: &Address,
        options: &ConnectOptions,
        attrs: TargetSessionAttrs,
        tls: &Tls,
    ) -> Result<Connected, ConnectionError> {
        let mode = options.tls.mode;
        match self.start(address, options, mode.encryption(), attrs, tls).await {
            // The server demands TLS.
            Err(ConnectionError::Server(error))
                if mode == SslMode::Allow && error.code() == NOT_AUTHORIZED && tls.connector().is_some() =>
            {
                self.start(address, options, Encryption::Always, attrs, tls).await
            }
            result => result,
        }
    }

    async fn start(
        &self,
        address: &Address,
        options: &ConnectOptions,
        encryption: Encryption,
        attrs: TargetSessionAttrs,
        tls: &Tls,
    ) -> Result<Connected, ConnectionError> {
        let dialed = dial(address, options, encryption, tls).await?;
        let credentials = Credentials {
            user: &self.user,
            password: options.password.as_deref(),
            binding: options.channel_binding,
            server_end_point: dialed.server_end_point,
            is_encrypted: dialed.stream.is_encrypted(),
        };
        let used = if dialed.stream.is_encrypted() { Encryption::Always } else { Encryption::Never };
        let mut channel = Channel::new(dialed.stream);
        channel.send(&self.message).await?;
        authenticate(&mut channel, credentials).await?;
        let mut key = (0, 0);
        loop {
            match channel.receive().await? {
                Message::BackendKeyData(body) => key = (body.process_id(), body.secret_key()),
                Message::ParameterStatus(_) => {}
                Message::ReadyForQuery(_) => break,
                _ => return Err(ConnectionError::Protocol("not a message of the start-up")),
            }
        }
        if !is_accepted(&mut channel, attrs).await? {
            let problem = "the session is not what target_session_attrs demands";
            return Err(io::Error::other(problem).into());
        }
        let without_password = ConnectOptions { password: None, ..options.clone() };
        let cancel = CancelKey::new(address.clone(), without_password, used, key);
        Ok(Connected { stream: channel.stream, read: channel.read, cancel })
    }
}

fn user_of_environment() -> Result<String, ConnectionError> {
    let set = |name| env::var(name).ok().filter(|user| !user.is_empty());
    let user = ["PGUSER", "USER", "USERNAME"].into_iter().find_map(set);
    user.ok_or_else(|| {
        let problem = "no user is configured, and the environment has neither PGUSER nor USER";
        io::Error::new(io::ErrorKind::InvalidInput, problem).into()
    })
}

/// Brings the items into a random order. The randomness is only good enough to spread load.
fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let random = RandomState::new().hash_one(last);
        let chosen = usize::try_from(random % (last as u64 + 1)).unwrap_or(last);
        items.swap(last, chosen);
    }
}

#[cfg(test)]
mod tests;
