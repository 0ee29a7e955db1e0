//! The connection that hears of changes.

use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tenancy::Directory;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Socket};

use super::invalidating_cache::{InvalidatingCache, Listening};
use crate::tenants::DirectoryError;

const LISTEN: &str = "LISTEN tenancy_tenants";
/// Gives a row where this session listens.
const LISTENS: &str = "SELECT FROM pg_catalog.pg_listening_channels() AS channel WHERE channel OPERATOR(pg_catalog.=) 'tenancy_tenants'";

/// How long a connection, or its answer, is waited for.
const ANSWER: Duration = Duration::from_secs(10);
/// How often it is asked: a server that went without a word is noticed after this and [`ANSWER`].
const HEARTBEAT: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A connection that listens.
pub(super) struct Listener<S> {
    client: Client,
    connection: Connection<Socket, S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Listener<S> {
    /// Connects, and waits until the server says that it listens.
    pub(super) async fn open<T>(config: &Config, tls: T) -> Result<Self, DirectoryError>
    where
        T: MakeTlsConnect<Socket, Stream = S>,
        T::TlsConnect: TlsConnect<Socket, Stream = S>,
    {
        let opened = async {
            let (client, connection) = config.connect(tls).await?;
            let mut listener = Self { client, connection };
            listener.begin().await?;
            Ok(listener)
        };
        timeout(ANSWER, opened).await.unwrap_or(Err(DirectoryError::Timeout))
    }

    async fn begin(&mut self) -> Result<(), tokio_postgres::Error> {
        let begun = pin!(self.client.batch_execute(LISTEN));
        // What is heard meanwhile needs no look: all is forgotten after it.
        let broken = pin!(hear(&mut self.connection, |_| ()));
        match select(begun, broken).await {
            Either::Left((begun, _)) => begun,
            // It is closed, so this does not wait.
            Either::Right(((), begun)) => begun.await,
        }
    }

    /// Until the connection breaks.
    async fn run<D: Directory>(&mut self, listening: &Listening<'_, D>) {
        let heard = pin!(hear(&mut self.connection, |payload| listening.receive(payload)));
        select(heard, pin!(heartbeat(&self.client))).await;
    }
}

/// Listens for ever; connects again where the connection breaks.
pub(super) async fn listen<T, D>(
    mut listener: Listener<T::Stream>,
    cache: Arc<InvalidatingCache<D>>,
    config: Config,
    tls: T,
) where
    T: MakeTlsConnect<Socket> + Clone,
    T::Stream: AsyncRead + AsyncWrite + Unpin,
    D: Directory,
{
    loop {
        listener.run(&cache.listen()).await;
        // The server may still think that it listens.
        drop(listener);
        listener = open_again(&config, &tls).await;
    }
}

async fn open_again<T>(config: &Config, tls: &T) -> Listener<T::Stream>
where
    T: MakeTlsConnect<Socket> + Clone,
    T::Stream: AsyncRead + AsyncWrite + Unpin,
{
    let mut wait = FIRST_WAIT;
    loop {
        sleep(jittered(wait)).await;
        if let Ok(listener) = Listener::open(config, tls.clone()).await {
            return listener;
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Hands on the payloads, until the connection ends.
async fn hear<S>(connection: &mut Connection<Socket, S>, mut each: impl FnMut(&str))
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(notification) = message {
            each(notification.payload());
        }
    }
}

/// Ends where the server does not answer, or this is no session that listens.
async fn heartbeat(client: &Client) {
    loop {
        sleep(HEARTBEAT).await;
        let answer = timeout(ANSWER, client.query_typed(LISTENS, &[])).await;
        if !answer.is_ok_and(|rows| rows.is_ok_and(|rows| !rows.is_empty())) {
            return;
        }
    }
}

/// From half of it to all of it, so that services do not come back at the same time.
fn jittered(wait: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1_000;
    wait / 2 + wait * u32::try_from(random).unwrap_or_default() / 2_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_over_half_of_them() {
        let waits: Vec<_> = (0..1_000).map(|_| jittered(LONGEST_WAIT)).collect();
        assert!(waits.iter().all(|wait| *wait >= LONGEST_WAIT / 2 && *wait <= LONGEST_WAIT));
        assert!(waits.iter().any(|wait| *wait < LONGEST_WAIT * 6 / 10));
        assert!(waits.iter().any(|wait| *wait > LONGEST_WAIT * 9 / 10));
    }
}
