mod fake;
mod network;
mod server;

use std::time::{Duration, Instant};

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use self::server::Server;
use super::super::channel::Channel;
use super::super::error::ConnectionError;
use super::super::options::{ChannelBinding, ConnectOptions, SslMode, TargetSessionAttrs};
use super::super::tls::Tls;
#[cfg(feature = "rustls")]
use super::{
    super::dial::{Address, Encryption},
    CancelKey,
};
use super::{Connected, connect};

/// Long enough for a busy machine, so that only a hang reaches it.
const LONG: Duration = Duration::from_secs(20);

async fn start(options: &ConnectOptions) -> Result<Connected, ConnectionError> {
    connect(options, &Tls::of_options(options)?, "").await
}

async fn fails(options: &ConnectOptions) -> ConnectionError {
    start(options).await.err().expect("the connection fails")
}

#[track_caller]
fn code(error: &ConnectionError) -> &str {
    error.server().unwrap_or_else(|| panic!("not an error of the server: {error:?}")).code()
}

/// Runs a statement with one row of one column.
async fn ask(connected: Connected, sql: &str) -> String {
    let (mut channel, _) = channel(connected);
    send(&mut channel, sql).await;
    let mut answer = None;
    loop {
        match channel.receive().await.expect("an answer") {
            Message::DataRow(row) => {
                let range = row.ranges().next().expect("a row").flatten().expect("a value");
                answer = Some(String::from_utf8(row.buffer()[range].to_vec()).expect("text"));
            }
            Message::ReadyForQuery(_) => return answer.expect("a row"),
            _ => {}
        }
    }
}

fn channel(connected: Connected) -> (Channel, super::CancelKey) {
    let mut channel = Channel::new(connected.stream);
    channel.read = connected.read;
    (channel, connected.cancel)
}

async fn send(channel: &mut Channel, sql: &str) {
    let mut message = bytes::BytesMut::new();
    frontend::query(sql, &mut message).expect("a message");
    channel.send(&message).await.expect("sent");
}

#[tokio::test]
#[ignore = "needs Postgres; cargo xtask test runs it"]
async fn starts_sessions_over_a_unix_socket() {
    let server = Server::start();
    let options = ConnectOptions::parse(&server.local().url("postgres", "postgres")).expect("a URL");
    let options = options.application_name("wire").options("-c work_mem=1MB");
    let connected = connect(&options, &Tls::none(), "-c statement_timeout=7s").await.expect("a session");
    assert!(connected.read.is_empty() && connected.cancel.process_id() != 0);
    let settings =
        "SELECT current_setting('work_mem') || current_setting('statement_timeout') || current_user";
    assert_eq!(ask(connected, settings).await, "1MB7spostgres");

    // The mode concerns networks only.
    let strict = options.ssl_mode(SslMode::VerifyFull);
    start(&strict).await.expect("a session without TLS");
}

#[tokio::test]
#[ignore = "needs Postgres; cargo xtask test runs it"]
async fn authenticates_by_every_method() {
    let server = Server::start();
    for user in ["trusting", "cleartext", "hashed", "scram", "scram_for_md5"] {
        let options = server.tcp(user).password("secret").ssl_mode(SslMode::Disable);
        let connected = start(&options).await.expect(user);
        assert_eq!(ask(connected, "SELECT current_user").await, user);
    }
    start(&server.tcp("trusting").ssl_mode(SslMode::Disable)).await.expect("a session without a password");
    for user in ["cleartext", "hashed", "scram"] {
        let without = server.tcp(user).ssl_mode(SslMode::Disable);
        let wrong = fails(&without.clone().password("wrong")).await;
        assert_eq!(code(&wrong), "28P01", "{user}");
        assert!(!format!("{wrong} {wrong:?}").contains("wrong\""), "{wrong:?}");
        let error = fails(&without).await;
        assert!(matches!(error, ConnectionError::Authentication(_)), "{user}: {error:?}");
    }
    let plain = |user: &str| server.tcp(user).password("secret").ssl_mode(SslMode::Disable);
    assert_eq!(code(&fails(&plain("trusting").database("no_such_database")).await), "3D000");
    assert_eq!(code(&fails(&plain("nobody_configured")).await), "28000");
    // No TLS to which the authentication could be bound.
    let bound = plain("scram").channel_binding(ChannelBinding::Require);
    let error = fails(&bound).await;
    assert!(error.to_string().contains("channel_binding=require needs TLS"), "{error}");
}

#[tokio::test]
#[ignore = "needs Postgres; cargo xtask test runs it"]
async fn refuses_a_server_without_tls_if_the_mode_demands_it() {
    let server = Server::start();
    let prefer = server.tcp("scram").password("secret");
    start(&prefer).await.expect("a session without TLS");
    for mode in [SslMode::Require, SslMode::VerifyFull] {
        let options = prefer.clone().ssl_mode(mode);
        let error = fails(&options).await;
        assert!(matches!(error, ConnectionError::Tls(_)), "{error:?}");
        let error = connect(&options, &Tls::none(), "").await.err().expect("no connector");
        let expected = format!(
            "TLS failed: sslmode={} needs a TLS connector, or the feature `rustls` of tenancy-postgres",
            mode.as_str()
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[cfg(feature = "rustls")]
mod with_tls {
    use super::server::Authority;
    use super::*;

    /// Whether the server says that the session uses TLS.
    async fn is_encrypted(options: &ConnectOptions) -> bool {
        let connected = start(options).await.expect("a session");
        assert_eq!(connected.stream.is_encrypted(), {
            let answer =
                ask(connected, "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await;
            answer == "true"
        });
        start(options).await.expect("a session").stream.is_encrypted()
    }

    #[tokio::test]
    #[ignore = "needs Postgres; cargo xtask test runs it"]
    async fn follows_sslmode() {
        let (authority, other) = (Authority::new(), Authority::new());
        let server = Server::with_tls(&authority, "db.test");
        let at = |mode| server.tcp("scram").password("secret").ssl_mode(mode);
        for (mode, expected) in [
            (SslMode::Disable, false),
            (SslMode::Allow, false),
            (SslMode::Prefer, true),
            (SslMode::Require, true),
        ] {
            assert_eq!(is_encrypted(&at(mode)).await, expected, "{mode:?}");
        }
        // The server accepts these users only with TLS, and only without.
        let only = |user: &str, mode| server.tcp(user).password("secret").ssl_mode(mode);
        assert!(is_encrypted(&only("only_tls", SslMode::Allow)).await);
        assert!(!is_encrypted(&only("only_plain", SslMode::Allow)).await);
        assert_eq!(code(&fails(&only("only_tls", SslMode::Disable)).await), "28000");
        assert_eq!(code(&fails(&only("only_plain", SslMode::Require)).await), "28000");

        for mode in [SslMode::VerifyCa, SslMode::VerifyFull, SslMode::Require] {
            let known = at(mode).ssl_root_cert(authority.file());
            start(&known).await.unwrap_or_else(|error| panic!("{mode:?}: {error}"));
            let unknown = at(mode).ssl_root_cert(other.file());
            let error = fails(&unknown).await;
            assert!(matches!(error, ConnectionError::Tls(_)), "{mode:?}: {error:?}");
        }
        // The certificate is not for this name.
        let elsewhere = |mode| server.tcp_as("other.test", "scram").password("secret").ssl_mode(mode);
        let error = fails(&elsewhere(SslMode::VerifyFull).ssl_root_cert(authority.file())).await;
        assert!(matches!(error, ConnectionError::Tls(_)), "{error:?}");
        start(&elsewhere(SslMode::VerifyCa).ssl_root_cert(authority.file()))
            .await
            .expect("the authority is known");
        // The system does not know the authority.
        let error = fails(&at(SslMode::VerifyFull)).await;
        assert!(matches!(error, ConnectionError::Tls(_)), "{error:?}");
    }

    #[tokio::test]
    #[ignore = "needs Postgres; cargo xtask test runs it"]
    async fn binds_authentication_to_the_channel() {
        let authority = Authority::new();
        let server = Server::with_tls(&authority, "db.test");
        let bound = |user: &str| {
            let options = server.tcp(user).password("secret").ssl_mode(SslMode::Require);
            options.channel_binding(ChannelBinding::Require)
        };
        start(&bound("scram")).await.expect("SCRAM-SHA-256-PLUS");
        let unbound = bound("scram").channel_binding(ChannelBinding::Disable);
        start(&unbound).await.expect("SCRAM-SHA-256");
        assert_eq!(code(&fails(&bound("scram").password("wrong")).await), "28P01");
        // Methods that are not bound.
        for user in ["trusting", "cleartext", "hashed"] {
            let error = fails(&bound(user)).await;
            assert!(error.to_string().contains("does not use channel binding"), "{user}: {error}");
        }
    }

    #[tokio::test]
    #[ignore = "needs Postgres; cargo xtask test runs it"]
    async fn channel_binding_reveals_a_man_in_the_middle() {
        let authority = Authority::new();
        let server = Server::with_tls(&authority, "db.test");
        let middle = network::man_in_the_middle(&server, &Authority::new(), false).await;
        let options = server.tcp("scram").password("secret").ssl_mode(SslMode::Require).at(middle);
        // Without channel binding and verification nothing reveals it.
        let unbound = options.clone().channel_binding(ChannelBinding::Disable);
        start(&unbound).await.expect("a session through the middle");
        for binding in [ChannelBinding::Prefer, ChannelBinding::Require] {
            let error = fails(&options.clone().channel_binding(binding)).await;
            assert!(matches!(code(&error), "28000" | "28P01" | "08P01"), "{error:?}");
        }
        let verified = options.ssl_mode(SslMode::VerifyFull).ssl_root_cert(authority.file());
        assert!(matches!(fails(&verified).await, ConnectionError::Tls(_)));
    }

    #[tokio::test]
    #[ignore = "needs Postgres; cargo xtask test runs it"]
    async fn removal_of_the_offer_of_channel_binding_is_noticed() {
        let authority = Authority::new();
        let server = Server::with_tls(&authority, "db.test");
        let middle = network::man_in_the_middle(&server, &Authority::new(), true).await;
        let options = server.tcp("scram").password("secret").ssl_mode(SslMode::Require).at(middle);
        // The server refuses a client that supports channel binding and did not see its offer.
        assert_eq!(code(&fails(&options).await), "28000");
        let required = options.clone().channel_binding(ChannelBinding::Require);
        assert!(matches!(fails(&required).await, ConnectionError::Authentication(_)));
        // A client without channel binding does not notice it.
        start(&options.channel_binding(ChannelBinding::Disable)).await.expect("a session through the middle");
    }

    #[tokio::test]
    #[ignore = "needs Postgres; cargo xtask test runs it"]
    async fn cancels_statements_over_tls() {
        let authority = Authority::new();
        let server = Server::with_tls(&authority, "db.test");
        cancels(&server.tcp("scram").password("secret").ssl_mode(SslMode::Require)).await;
    }

    #[tokio::test]
    #[ignore = "needs Postgres; cargo xtask test runs it"]
    async fn uses_connectors_of_tokio_postgres() {
        let authority = Authority::new();
        let server = Server::with_tls(&authority, "db.test");
        let connector = tokio_postgres_rustls::MakeRustlsConnect::new(authority.client_config());
        let tls = Tls::of_tokio_postgres(connector);
        let options = server.tcp("scram").password("secret").ssl_mode(SslMode::Require);
        let connected = connect(&options, &tls, "").await.expect("a session");
        assert!(connected.stream.is_encrypted());
        let elsewhere = server.tcp_as("other.test", "scram").password("secret").ssl_mode(SslMode::Require);
        let error = connect(&elsewhere, &tls, "").await.err().expect("the connector verifies names");
        assert!(matches!(error, ConnectionError::Tls(_)), "{error:?}");
        let bound = options.channel_binding(ChannelBinding::Require);
        let error = connect(&bound, &tls, "").await.err().expect("a binding that is not supported");
        assert!(error.to_string().contains("not supported by the TLS connector"), "{error}");
    }

    #[tokio::test]
    #[ignore = "needs Postgres; cargo xtask test runs it"]
    async fn names_the_parameter_of_a_file_that_cannot_be_read() {
        let options =
            ConnectOptions::parse("host=h user=u sslmode=verify-full sslrootcert=/no/such/secret.pem");
        let error = fails(&options.expect("options")).await.to_string();
        assert!(error.starts_with("TLS failed: cannot use the file of sslrootcert"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

async fn cancels(options: &ConnectOptions) {
    let tls = Tls::of_options(options).expect("TLS");
    let (mut channel, key) = channel(connect(options, &tls, "").await.expect("a session"));
    let begin = Instant::now();
    send(&mut channel, "SELECT pg_sleep(60)").await;
    // The server ignores a request that arrives before the statement.
    let error = loop {
        key.cancel(&tls).await.expect("a request");
        let answer = tokio::time::timeout(Duration::from_millis(200), async {
            loop {
                if let Err(error) = channel.receive().await {
                    break error;
                }
            }
        });
        match answer.await {
            Ok(error) => break error,
            Err(_) => assert!(begin.elapsed() < LONG, "the statement is not cancelled"),
        }
    };
    assert_eq!(code(&error), "57014");
}

#[tokio::test]
#[ignore = "needs Postgres; cargo xtask test runs it"]
async fn cancels_statements() {
    let server = Server::start();
    let local = ConnectOptions::parse(&server.local().url("postgres", "postgres")).expect("a URL");
    cancels(&local).await;
    cancels(&server.tcp("trusting")).await;
}

#[tokio::test]
#[ignore = "needs Postgres; cargo xtask test runs it"]
async fn tries_hosts_until_a_session_is_as_demanded() {
    let server = Server::start();
    let session = |settings: &str, attrs| {
        let options = server.tcp("trusting").options(settings).target_session_attrs(attrs);
        async move { start(&options).await.map(|_| ()) }
    };
    let read_only = "-c default_transaction_read_only=on";
    for (settings, attrs, is_accepted) in [
        ("", TargetSessionAttrs::ReadWrite, true),
        (read_only, TargetSessionAttrs::ReadWrite, false),
        ("", TargetSessionAttrs::ReadOnly, false),
        (read_only, TargetSessionAttrs::ReadOnly, true),
        (read_only, TargetSessionAttrs::Primary, true),
        ("", TargetSessionAttrs::Standby, false),
        ("", TargetSessionAttrs::PreferStandby, true),
    ] {
        assert_eq!(session(settings, attrs).await.is_ok(), is_accepted, "{settings} {attrs:?}");
    }

    // A host that refuses, one that is silent, one that is starting, and the server.
    let closed = fake::closed_port().await;
    let silent = fake::silent().await;
    let starting = fake::answering(fake::error("57P03")).await;
    let last = server.address();
    let hosts = format!(
        "host={},{},{},{} port={},{},{},{} user=trusting dbname=postgres sslmode=disable connect_timeout=1",
        closed.ip(),
        silent.ip(),
        starting.ip(),
        last.ip(),
        closed.port(),
        silent.port(),
        starting.port(),
        last.port(),
    );
    let options = ConnectOptions::parse(&hosts).expect("options");
    start(&options).await.expect("a session on the last host");
    start(&options.load_balance_hosts(true)).await.expect("a session on the last host, in a random order");

    // A wrong password is final: it would be sent to every host.
    let refusing = fake::answering(fake::error("28P01")).await;
    let hosts = format!(
        "host={},{} port={},{} user=trusting dbname=postgres sslmode=disable",
        refusing.ip(),
        last.ip(),
        refusing.port(),
        last.port()
    );
    assert_eq!(code(&fails(&ConnectOptions::parse(&hosts).expect("options")).await), "28P01");
}

#[tokio::test]
async fn gives_up_on_a_silent_server() {
    for silent in [fake::silent().await, fake::answering(b"R\0\0\0".to_vec()).await] {
        let options =
            fake::options(silent).ssl_mode(SslMode::Disable).connect_timeout(Duration::from_millis(300));
        let begin = Instant::now();
        assert!(matches!(fails(&options).await, ConnectionError::Timeout));
        assert!(begin.elapsed() < LONG);
    }
}

#[tokio::test]
async fn refuses_what_is_not_a_postgres_server() {
    let answers: [&[u8]; 7] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &[0; 64],
        &[0xff; 64],
        // Lengths of 3 and 2^31 - 1, and a message that is not allowed at this point.
        b"R\0\0\0\x03",
        b"R\x7f\xff\xff\xff",
        b"Z\0\0\0\x05I",
    ];
    for answer in answers {
        let options = fake::options(fake::answering(answer.to_vec()).await).ssl_mode(SslMode::Disable);
        let error = fails(&options.connect_timeout(LONG)).await;
        assert!(matches!(error, ConnectionError::Protocol(_)), "{answer:?}: {error:?}");
    }
}

/// What a server sends before TLS is written by everybody on the way.
#[cfg(feature = "rustls")]
#[tokio::test]
async fn trusts_nothing_that_comes_before_tls() {
    for (answer, expected) in [
        (&b"SR\0\0\0\x08\0\0\0\0"[..], "bytes before the TLS handshake"),
        (b"ERROR from the middle", "an error in place of an answer to the request for TLS"),
        (b"X", "not an answer to the request for TLS"),
    ] {
        for mode in [SslMode::Prefer, SslMode::Require, SslMode::VerifyFull] {
            let options = fake::options(fake::answering(answer.to_vec()).await).ssl_mode(mode);
            let error = fails(&options.connect_timeout(LONG)).await;
            assert!(matches!(error, ConnectionError::Protocol(problem) if problem == expected), "{error:?}");
        }
    }
    // Neither the user nor the password is sent to a server that refuses TLS.
    for mode in [SslMode::Require, SslMode::VerifyFull] {
        let (address, received) = fake::recording(b"N".to_vec()).await;
        let error = fails(&fake::options(address).ssl_mode(mode).connect_timeout(LONG)).await;
        assert!(matches!(error, ConnectionError::Tls(_)), "{error:?}");
        assert_eq!(received.await.expect("the client closes"), [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]);
    }
}

/// Whoever can read the key of a session can cancel its statements.
#[cfg(feature = "rustls")]
#[tokio::test]
async fn sends_no_cancel_key_without_tls_if_the_session_uses_tls() {
    let (address, received) = fake::recording(b"N".to_vec()).await;
    let options = fake::options(address).connect_timeout(LONG);
    let tls = Tls::of_options(&options).expect("TLS");
    let address = Address::Tcp { name: "db.test".to_owned(), address };
    let key = CancelKey::new(address, options, Encryption::Always, (1, 2));
    let error = key.cancel(&tls).await.expect_err("no TLS");
    assert!(matches!(error, ConnectionError::Tls(_)), "{error:?}");
    assert_eq!(received.await.expect("the client closes"), [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]);
}

#[tokio::test]
async fn continues_with_an_older_protocol_version() {
    // A server of version 3.0 that does not know an option, authentication, the key, and the end.
    let mut answer = b"v\0\0\0\x12\0\x03\0\0\0\0\0\x01_pq_\0\0".to_vec();
    answer[4] = u8::try_from(answer.len() - 1).expect("short");
    answer.extend(b"N\0\0\0\x0bSNOTE\0\0R\0\0\0\x08\0\0\0\0");
    answer.extend(b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I");
    answer.extend(b"S\0\0\0\x08a\0b\0");
    let options = fake::options(fake::answering(answer).await).ssl_mode(SslMode::Disable);
    let connected = start(&options).await.expect("a session");
    assert_eq!(connected.cancel.process_id(), 1);
    assert_eq!(&connected.read[..], b"S\0\0\0\x08a\0b\0", "what follows is kept");
}

#[tokio::test]
async fn refuses_a_wrong_proof_of_the_server() {
    let ok = fake::message(b'R', &[0, 0, 0, 0]);
    let last =
        |text: &str| [fake::message(b'R', &[b"\0\0\0\x0c", text.as_bytes()].concat()), ok.clone()].concat();
    // The server's first message, what follows the client's proof, and whether the proof is never sent.
    for (first, last) in [
        ("r=another-nonce,s=c2FsdA==,i=4096", Vec::new()),
        // More work than any server needs.
        ("r={nonce}1,s=c2FsdA==,i=2147483647", Vec::new()),
        ("e=other-error", Vec::new()),
        ("\u{fffd}", Vec::new()),
        ("r={nonce}1,s=c2FsdA==,i=1", last("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
        ("r={nonce}1,s=c2FsdA==,i=1", last("e=invalid-proof")),
        ("r={nonce}1,s=c2FsdA==,i=1", last("v=")),
    ] {
        let options = fake::options(fake::scram(first, last).await).ssl_mode(SslMode::Disable);
        let error = fails(&options.connect_timeout(LONG)).await;
        assert!(matches!(error, ConnectionError::Authentication(_)), "{first}: {error:?}");
    }
    // No proof at all.
    let options =
        fake::options(fake::scram("r={nonce}1,s=c2FsdA==,i=1", ok).await).ssl_mode(SslMode::Disable);
    let error = fails(&options.connect_timeout(LONG)).await;
    assert!(matches!(error, ConnectionError::Protocol(_)), "{error:?}");
}

#[tokio::test]
#[ignore = "needs Postgres; cargo xtask test runs it"]
async fn reports_a_connection_that_is_cut_at_any_byte() {
    let server = Server::start();
    for (user, step) in [("trusting", 2), ("scram", 11), ("hashed", 7)] {
        let options = server.tcp(user).password("secret").ssl_mode(SslMode::Disable).connect_timeout(LONG);
        let mut cut = 0;
        loop {
            let proxy = network::cutting(server.address(), cut).await;
            match start(&options.clone().at(proxy)).await {
                Ok(_) => break,
                Err(ConnectionError::Io(_)) => cut += step,
                Err(error) => panic!("{user}, after {cut} bytes: {error:?}"),
            }
            assert!(cut < 5_000, "{user}: the start-up does not end");
        }
        assert!(cut > 300, "{user}: only {cut} bytes");
    }
}

#[tokio::test]
#[ignore = "needs Postgres; cargo xtask test runs it"]
async fn ends_if_any_byte_is_another() {
    let server = Server::start();
    let (mut refused, mut accepted) = (0, 0);
    for byte in 0..450 {
        let proxy = network::garbling(server.address(), byte).await;
        let options = server.tcp("trusting").ssl_mode(SslMode::Disable).at(proxy);
        let options = options.connect_timeout(Duration::from_millis(150));
        match tokio::time::timeout(LONG, start(&options)).await.expect("an end") {
            Ok(_) => accepted += 1,
            Err(_) => refused += 1,
        }
    }
    // A byte in a parameter's value changes nothing that matters here.
    assert!(refused > 60 && accepted > 60, "{refused} refused, {accepted} accepted");
}
