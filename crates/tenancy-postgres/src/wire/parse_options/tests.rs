use std::time::Duration;

use proptest::prelude::*;

use super::super::options::{ChannelBinding, ConnectOptions, RootCertificates, SslMode, TargetSessionAttrs};

fn new() -> ConnectOptions {
    ConnectOptions::new()
}

fn at(host: &str) -> ConnectOptions {
    new().host(host)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn accepts_strings_of_libpq() {
    let address = |address: &str, mut options: ConnectOptions| {
        options.host_addresses.push(address.parse().expect("an address"));
        options
    };
    let with = |change: fn(&mut ConnectOptions)| {
        let mut options = at("h");
        change(&mut options);
        options
    };
    let table: Vec<(&str, ConnectOptions)> = vec![
        ("", new()),
        ("  ", new()),
        ("postgres://", new()),
        ("postgresql://", new()),
        ("postgresql://localhost", at("localhost")),
        ("postgresql://localhost:5433", at("localhost").port(5433)),
        ("postgresql://localhost:5432", at("localhost")),
        ("postgresql://localhost:", at("localhost")),
        ("postgresql://localhost/", at("localhost")),
        ("postgresql://localhost/mydb", at("localhost").database("mydb")),
        ("postgresql://user@localhost", at("localhost").user("user")),
        ("postgresql://user:secret@localhost", at("localhost").user("user").password("secret")),
        ("postgresql://user:@localhost", at("localhost").user("user")),
        ("postgresql://:secret@localhost", at("localhost").password("secret")),
        ("postgres://u:p%40ss%2Fw%3Ard@h/d", at("h").user("u").password("p@ss/w:rd").database("d")),
        ("postgres://u:p@ss@h/d", at("h").user("u").password("p@ss").database("d")),
        ("postgres://u:a:b@h", at("h").user("u").password("a:b")),
        ("postgres://u:%ff%fe@h", at("h").user("u").password([0xff, 0xfe])),
        ("postgres://%75ser@h/%64b", at("h").user("user").database("db")),
        (
            "postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
            at("localhost")
                .user("other")
                .database("otherdb")
                .connect_timeout(seconds(10))
                .application_name("myapp"),
        ),
        (
            "postgresql://host1:123,host2:456/somedb?target_session_attrs=any&application_name=myapp",
            at("host1").host("host2").port(123).port(456).database("somedb").application_name("myapp"),
        ),
        ("postgresql://a,b,c:5433/", at("a").host("b").host("c").port(5432).port(5432).port(5433)),
        ("postgresql:///mydb?host=localhost&port=5433", at("localhost").port(5433).database("mydb")),
        (
            "postgresql:///mydb?user=u&host=/var/run/postgresql",
            at("/var/run/postgresql").user("u").database("mydb"),
        ),
        ("postgresql://[2001:db8::1234]/database", at("2001:db8::1234").database("database")),
        ("postgresql://[::1]:5433,[::2]/d", at("::1").host("::2").port(5433).port(5432).database("d")),
        ("postgresql://%2Fvar%2Flib%2Fpostgresql/dbname", at("/var/lib/postgresql").database("dbname")),
        ("postgresql://u@%2Ftmp%2Fx:5433/d", at("/tmp/x").port(5433).user("u").database("d")),
        ("postgresql://h/d?host=other", at("other").database("d")),
        ("postgresql://h/a%2Fb", at("h").database("a/b")),
        ("postgresql://h?sslmode=require", at("h").ssl_mode(SslMode::Require)),
        ("postgresql://h?", at("h")),
        ("postgres://h/d?pgbouncer=true", at("h").database("d").pgbouncer(true)),
        ("postgres://h/d?pgbouncer=false", at("h").database("d")),
        ("postgres://h?ssl=true", at("h").ssl_mode(SslMode::Require)),
        (
            "postgres://h?sslmode=require&channel_binding=require",
            at("h").ssl_mode(SslMode::Require).channel_binding(ChannelBinding::Require),
        ),
        ("postgres://h?options=-c%20statement_timeout%3D5s", at("h").options("-c statement_timeout=5s")),
        ("postgres://h?options=-c statement_timeout=5s", at("h").options("-c statement_timeout=5s")),
        ("postgres://h?application_name=a%26b%3Dc", at("h").application_name("a&b=c")),
        ("postgres://h?application_name=", at("h")),
        (
            "host=localhost port=5432 dbname=mydb connect_timeout=10",
            at("localhost").database("mydb").connect_timeout(seconds(10)),
        ),
        ("host = localhost  port\t=\n5433", at("localhost").port(5433)),
        ("host=localhost password='two words'", at("localhost").password("two words")),
        (r"password='it\'s' user=u", new().password("it's").user("u")),
        (r"password='back\\slash'", new().password(r"back\slash")),
        (r"password=two\ words", new().password("two words")),
        ("password='' user=u", new().user("u")),
        ("user=u password=", new().user("u")),
        ("user=a user=b", new().user("b")),
        ("user=ünï dbname=日本", new().user("ünï").database("日本")),
        ("host=a,b,c port=1,,3", at("a").host("b").host("c").port(1).port(5432).port(3)),
        ("host=a,b port=6432", at("a").host("b").port(6432)),
        ("host=/tmp,localhost", at("/tmp").host("localhost")),
        ("hostaddr=127.0.0.1", address("127.0.0.1", new())),
        ("host=h hostaddr=::1", address("::1", at("h"))),
        ("host=h connect_timeout=0", at("h")),
        ("host=h connect_timeout=-1", at("h")),
        ("host=h keepalives=0", at("h").keepalive(None)),
        ("host=h keepalives=1 keepalives_idle=60", at("h").keepalive(Some(seconds(60)))),
        ("host=h keepalives=0 keepalives_idle=60", at("h").keepalive(None)),
        ("host=h tcp_user_timeout=1500", at("h").tcp_user_timeout(Duration::from_millis(1500))),
        ("host=h sslmode=disable", at("h").ssl_mode(SslMode::Disable)),
        ("host=h sslmode=allow", at("h").ssl_mode(SslMode::Allow)),
        ("host=h sslmode=prefer", at("h")),
        (
            "host=h sslmode=verify-ca sslrootcert=/ca.pem",
            at("h").ssl_mode(SslMode::VerifyCa).ssl_root_cert("/ca.pem"),
        ),
        ("host=h sslmode=verify-full", at("h").ssl_mode(SslMode::VerifyFull)),
        (
            "host=h sslrootcert=system",
            with(|options| {
                options.tls.mode = SslMode::VerifyFull;
                options.tls.root = Some(RootCertificates::System);
            }),
        ),
        ("host=h sslcert=c.pem sslkey=k.pem", at("h").ssl_client_cert("c.pem", "k.pem")),
        (
            "host=h sslmode=require sslnegotiation=direct",
            with(|options| {
                options.tls.mode = SslMode::Require;
                options.tls.is_direct = true;
            }),
        ),
        (
            "host=h keepalives_interval=5 keepalives_count=3",
            with(|options| {
                let keepalive = options.keepalive.as_mut().expect("the default");
                keepalive.interval = Some(Duration::from_secs(5));
                keepalive.retries = Some(3);
            }),
        ),
        (
            "host=h target_session_attrs=read-write",
            at("h").target_session_attrs(TargetSessionAttrs::ReadWrite),
        ),
        ("host=h target_session_attrs=read-only", at("h").target_session_attrs(TargetSessionAttrs::ReadOnly)),
        ("host=h target_session_attrs=primary", at("h").target_session_attrs(TargetSessionAttrs::Primary)),
        ("host=h target_session_attrs=standby", at("h").target_session_attrs(TargetSessionAttrs::Standby)),
        (
            "host=h target_session_attrs=prefer-standby",
            at("h").target_session_attrs(TargetSessionAttrs::PreferStandby),
        ),
        ("host=h load_balance_hosts=random", at("h").load_balance_hosts(true)),
        ("host=h channel_binding=disable", at("h").channel_binding(ChannelBinding::Disable)),
        ("host=h client_encoding=UTF8 gssencmode=disable", at("h")),
        ("host=h fallback_application_name=psql", at("h").application_name("psql")),
        ("host=h application_name=a fallback_application_name=b", at("h").application_name("a")),
    ];
    for (text, expected) in table {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn names_the_parameter_that_is_wrong() {
    let table = [
        ("postgres://h?foo=1", "unknown connection parameter `foo`"),
        ("host=h foo=1", "unknown connection parameter `foo`"),
        ("host=h Foo=1", "unknown connection parameter"),
        ("host=h a_very_long_name_that_nobody_uses=1", "unknown connection parameter"),
        ("password=two words=1", "unknown connection parameter"),
        ("postgres://u:1?word=x@h/d", "unknown connection parameter"),
        ("host=h passfile=/x", "connection parameter `passfile` is not supported"),
        ("host=h require_auth=none", "connection parameter `require_auth` is not supported"),
        ("host=h port=abc", "invalid connection parameter `port`: expected numbers from 1 to 65535"),
        ("host=h port=0", "invalid connection parameter `port`: expected numbers from 1 to 65535"),
        ("host=h port=65536", "invalid connection parameter `port`: expected numbers from 1 to 65535"),
        ("postgres://h:x", "invalid connection parameter `port`: expected numbers from 1 to 65535"),
        (
            "postgres://u:secret/more@h",
            "invalid connection string: `/` or `@` must be percent-encoded before the host",
        ),
        (
            "host=a,b port=1,2,3",
            "invalid connection parameter `port`: expected one port, or as many as hosts",
        ),
        (
            "host=a,b port=5432,5432,5432",
            "invalid connection parameter `port`: expected one port, or as many as hosts",
        ),
        (
            "host=a,b hostaddr=::1",
            "invalid connection parameter `hostaddr`: expected as many addresses as hosts",
        ),
        ("hostaddr=localhost", "invalid connection parameter `hostaddr`: expected IP addresses"),
        (
            "host=h connect_timeout=soon",
            "invalid connection parameter `connect_timeout`: expected a number of seconds",
        ),
        (
            "host=h connect_timeout=1.5",
            "invalid connection parameter `connect_timeout`: expected a number of seconds",
        ),
        (
            "host=h tcp_user_timeout=x",
            "invalid connection parameter `tcp_user_timeout`: expected a number of milliseconds",
        ),
        ("host=h keepalives=yes", "invalid connection parameter `keepalives`: expected 0 or 1"),
        (
            "host=h keepalives_idle=x",
            "invalid connection parameter `keepalives_idle`: expected a number of seconds",
        ),
        (
            "host=h keepalives_retries=x",
            "invalid connection parameter `keepalives_retries`: expected a number",
        ),
        (
            "host=h sslmode=on",
            "invalid connection parameter `sslmode`: expected disable, allow, prefer, require, verify-ca or verify-full",
        ),
        ("postgres://h?ssl=1", "unknown connection parameter `ssl`"),
        (
            "host=h sslmode=verify-ca",
            "invalid connection parameter `sslmode`: expected a file as sslrootcert with verify-ca",
        ),
        (
            "host=h sslmode=require sslrootcert=system",
            "invalid connection parameter `sslmode`: expected verify-full with sslrootcert=system",
        ),
        (
            "host=h sslcert=c.pem",
            "invalid connection parameter `sslcert`: expected sslcert and sslkey together",
        ),
        (
            "host=h sslnegotiation=direct",
            "invalid connection parameter `sslnegotiation`: expected sslmode=require or stricter with direct",
        ),
        (
            "host=h channel_binding=yes",
            "invalid connection parameter `channel_binding`: expected disable, prefer or require",
        ),
        (
            "host=h target_session_attrs=master",
            "invalid connection parameter `target_session_attrs`: expected any, read-write, read-only, primary, standby or prefer-standby",
        ),
        (
            "host=h load_balance_hosts=yes",
            "invalid connection parameter `load_balance_hosts`: expected disable or random",
        ),
        ("postgres://h?pgbouncer=yes", "invalid connection parameter `pgbouncer`: expected true or false"),
        ("host=h client_encoding=LATIN1", "invalid connection parameter `client_encoding`: expected UTF8"),
        (
            "host=h gssencmode=require",
            "invalid connection parameter `gssencmode`: expected disable or prefer",
        ),
        (
            "postgres://[::1",
            "invalid connection parameter `host`: expected an IPv6 address in brackets, and a port after a colon",
        ),
        (
            "postgres://[::1]5432",
            "invalid connection parameter `host`: expected an IPv6 address in brackets, and a port after a colon",
        ),
        ("postgres://h%2", "invalid connection string: `%` is not followed by two hexadecimal digits"),
        ("postgres://h/%zz", "invalid connection string: `%` is not followed by two hexadecimal digits"),
        ("postgres://h/%ff", "invalid connection string: a value is not UTF-8"),
        ("postgres://h/%00", "invalid connection string: a value contains a zero byte"),
        ("postgres://h?sslmode", "invalid connection string: a parameter of the URL has no `=`"),
        ("host", "invalid connection string: a parameter has no `=`"),
        ("host=h password='open", "invalid connection string: a quoted value has no end"),
        ("host=h password=''zq=", "invalid connection string: a quoted value is followed by text"),
        ("host=h password='' zq=", "unknown connection parameter"),
        ("mysql://h", "invalid connection string: a URL begins with postgres:// or postgresql://"),
        ("postgres:/h", "invalid connection string: a parameter has no `=`"),
    ];
    for (text, expected) in table {
        let error = ConnectOptions::parse(text).expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
    }
}

#[test]
fn converts_options_of_tokio_postgres() {
    for text in [
        "postgres://u:p@h1:1,h2:2/d?sslmode=require&connect_timeout=3&target_session_attrs=read-write",
        "host=/tmp user=u keepalives=0 options='-c a=b' application_name=x channel_binding=require",
        "host=h hostaddr=127.0.0.1 user=u tcp_user_timeout=0 keepalives_idle=7 keepalives_interval=8 load_balance_hosts=random",
        "host=h sslmode=require sslnegotiation=direct channel_binding=disable sslmode=require",
        "host=h sslmode=disable target_session_attrs=read-only",
    ] {
        let other: tokio_postgres::Config = text.parse().expect(text);
        assert_eq!(ConnectOptions::from(other), ConnectOptions::parse(text).expect(text), "{text}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let options =
        ConnectOptions::parse("postgres://u:hunter2@h/d?options=-c%20a.b%3Dhunter2").expect("a URL");
    let shown = format!("{options:?} {options:#?}");
    assert!(shown.contains("\"u\"") && !shown.contains("hunter") && !shown.contains("104, 117"), "{shown}");
}

/// Values that no message of the parser contains.
fn secret() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9/?#@:&=% '\\\\,]{0,6}zq[a-z]{3}[a-zA-Z0-9/?#@:&=% '\\\\,]{0,6}"
}

fn parameter() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "host",
        "hostaddr",
        "port",
        "user",
        "password",
        "dbname",
        "options",
        "sslmode",
        "connect_timeout",
        "keepalives",
        "pgbouncer",
        "target_session_attrs",
        "channel_binding",
        "sslrootcert",
        "client_encoding",
        "nonsense",
    ])
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02X}"))
}

proptest! {
    #[test]
    fn errors_never_repeat_a_value(name in parameter(), value in secret(), password in secret()) {
        let quoted = |text: &str| format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"));
        for text in [
            format!("postgres://u:{password}@h/d?{name}={}", encoded(&value)),
            format!("postgres://u:{}@h/d?{name}={}", encoded(&password), encoded(&value)),
            format!("host=h password={} {name}={}", quoted(&password), quoted(&value)),
            format!("host=h {name}={} password={password}", quoted(&value)),
            format!("{name}={} sslmode={}", quoted(&value), quoted(&password)),
        ] {
            match ConnectOptions::parse(&text) {
                Ok(options) => prop_assert!(!format!("{options:?}").contains(&password), "{}", text),
                Err(error) => {
                    let shown = format!("{error} {error:?}");
                    prop_assert!(!shown.contains("zq"), "{}: {}", text, shown);
                }
            }
        }
    }

    #[test]
    fn parses_any_text_without_panic(text in ".{0,60}", prefix in prop::sample::select(vec!["", "postgres://", "host=h "])) {
        let _ = ConnectOptions::parse(&format!("{prefix}{text}"));
    }

    #[test]
    fn reads_a_quoted_or_encoded_password_as_it_is(password in "[^\0]{1,20}") {
        let quoted = password.replace('\\', r"\\").replace('\'', r"\'");
        let expected = ConnectOptions::new().host("h").user("u").password(&password);
        prop_assert_eq!(ConnectOptions::parse(&format!("host=h user=u password='{quoted}'")), Ok(expected.clone()));
        prop_assert_eq!(ConnectOptions::parse(&format!("postgres://u:{}@h", encoded(&password))), Ok(expected));
    }
}
