//! A pgbouncer in transaction mode in front of a test's database.

use bytes::BytesMut;
use tenancy_testkit::PgBouncer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::database::{Database, config};

/// Its only user is `service`.
#[derive(Debug)]
pub(crate) struct Pooler {
    pgbouncer: PgBouncer,
    database: String,
}

impl Pooler {
    /// Starts a pooler whose clients share `pool_size` connections of the server.
    pub(crate) fn start(database: &Database, pool_size: usize) -> Self {
        Self::start_with(database, &[("default_pool_size", &pool_size.to_string())])
    }

    pub(crate) fn start_with(database: &Database, settings: &[(&str, &str)]) -> Self {
        let pgbouncer = PgBouncer::start(&database.server, &["service"], settings).expect("a pooler");
        Self { pgbouncer, database: database.name.clone() }
    }

    pub(crate) fn config(&self) -> tokio_postgres::Config {
        config(&self.pgbouncer.url("service", &self.database))
    }

    /// Leaves prepared statements with these names in a session of the server, as a client does that disconnects.
    pub(crate) async fn prepare(&self, sql: &str, names: &[String]) {
        let socket = self.pgbouncer.folder().join(".s.PGSQL.5432");
        let mut stream = UnixStream::connect(socket).await.expect("a socket");
        let mut messages = Vec::new();
        let startup = format!("\0\x03\0\0user\0service\0database\0{}\0\0", self.database);
        message(&mut messages, None, startup.as_bytes());
        for name in names {
            message(&mut messages, Some(b'P'), format!("{name}\0{sql}\0\0\0").as_bytes());
        }
        message(&mut messages, Some(b'S'), b"");
        stream.write_all(&messages).await.expect("written");
        let (mut answers, mut ready) = (BytesMut::new(), 0);
        while ready < 2 {
            assert_ne!(stream.read_buf(&mut answers).await.expect("an answer"), 0, "it hung up");
            while let Some(header) = answers.get(..5) {
                let length =
                    1 + usize::try_from(u32::from_be_bytes([header[1], header[2], header[3], header[4]]))
                        .expect("a length");
                if answers.len() < length {
                    break;
                }
                let message = answers.split_to(length);
                assert_ne!(message[0], b'E', "{message:?}");
                ready += usize::from(message[0] == b'Z');
            }
        }
    }
}

fn message(out: &mut Vec<u8>, r#type: Option<u8>, body: &[u8]) {
    out.extend(r#type);
    out.extend(u32::try_from(4 + body.len()).expect("a short message").to_be_bytes());
    out.extend(body);
}
