//! Context v2: tokens and seeds that are bound to parameters of domains, without this crate's sessions.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tenancy::TenantId;
use tenancy_postgres::{
    Finding, FindingKind, Severity, SigningKey, add_key, audit_role, migrations, retire_key,
};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};
use tokio_postgres::{AsyncMessage, Client, Error, NoTls};

use crate::support::orders::{Orders, code, enter_as, outcome};
use crate::support::{A, B, SECRET};

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// Returns the time as Postgres counts it: microseconds since 2000.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(since.as_micros()).expect("a time before the year 294,247") - 946_684_800_000_000
}

/// Computes a token independently of the crate.
pub(crate) fn token(secret: &[u8], tenant: TenantId, key: i32, expires: i64) -> Vec<u8> {
    let half = |label: &[u8]| {
        let mac: Hmac<Sha256> = Hmac::new_from_slice(secret).expect("any length");
        mac.chain_update(label).finalize().into_bytes()
    };
    let mut token = tenant.as_bytes().to_vec();
    token.extend(key.to_be_bytes());
    token.extend(expires.to_be_bytes());
    let mac = Sha256::new()
        .chain_update(half(b"tenancy.entering.v2.a"))
        .chain_update(half(b"tenancy.entering.v2.b"))
        .chain_update(&token)
        .finalize();
    token.extend(mac);
    token
}

pub(crate) fn token_of(tenant: TenantId) -> Vec<u8> {
    token(SECRET, tenant, 1, now() + HOUR)
}

/// The types of the two domains in a database.
#[derive(Debug)]
pub(crate) struct Domains {
    entering: Type,
    leaving: Type,
}

impl Domains {
    pub(crate) async fn of(client: &Client) -> Self {
        let sql = "SELECT 'tenancy.entering'::regtype::oid, 'tenancy.leaving'::regtype::oid";
        let oids = client.query_one(sql, &[]).await.expect("the domains");
        let domain =
            |name: &str, oid, base| Type::new(name.into(), oid, Kind::Domain(base), "tenancy".into());
        Self {
            entering: domain("entering", oids.get(0), Type::BYTEA),
            leaving: domain("leaving", oids.get(1), Type::FLOAT8),
        }
    }

    pub(crate) async fn enter(
        &self,
        client: &Client,
        token: impl Into<Option<Vec<u8>>>,
    ) -> Result<(), Error> {
        bind(client, token.into(), &self.entering).await
    }

    pub(crate) async fn leave(&self, client: &Client, seed: impl Into<Option<f64>>) -> Result<(), Error> {
        bind(client, seed.into().map(|seed| seed.to_be_bytes().to_vec()), &self.leaving).await
    }
}

/// Binds a parameter to an empty statement, so that nothing is executed.
async fn bind(client: &Client, value: Option<Vec<u8>>, kind: &Type) -> Result<(), Error> {
    client.query_typed("", &[(&Binary(value), kind.clone())]).await.map(|rows| assert!(rows.is_empty()))
}

/// A value as its type sends it. `tokio-postgres` converts none to a domain.
#[derive(Debug)]
struct Binary(Option<Vec<u8>>);

impl ToSql for Binary {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let Some(bytes) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Returns the message of a refused token.
async fn refusal(domains: &Domains, client: &Client, token: impl Into<Option<Vec<u8>>>) -> String {
    client.batch_execute("BEGIN").await.expect("a transaction");
    let error = domains.enter(client, token).await.expect_err("a token that is not valid");
    assert_eq!(outcome(client, "SELECT 1").await, "ERROR 25P02", "the transaction is aborted");
    client.batch_execute("ROLLBACK").await.expect("it ends");
    let error = error.as_db_error().expect("the server's");
    assert_eq!(error.code().code(), "42501");
    error.message().to_owned()
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn token_enters_until_the_transaction_ends() {
    let schema = Orders::start().await;
    let service = schema.service().await;
    let domains = Domains::of(&service).await;
    for (tenant, row) in [(A, "1,11"), (B, "2,22")] {
        service.batch_execute("BEGIN").await.expect("a transaction");
        domains.enter(&service, token_of(tenant)).await.expect("entered");
        assert_eq!(outcome(&service, "SELECT tenancy.tenant_id()").await, tenant.to_string());
        assert_eq!(outcome(&service, "SELECT id, amount FROM orders").await, row);
        domains.enter(&service, token_of(tenant)).await.expect("the same tenant again");
        service.batch_execute("COMMIT").await.expect("committed");
        assert_eq!(outcome(&service, "SELECT * FROM orders").await, "ERROR 42501");
    }
    service.batch_execute("BEGIN").await.expect("a transaction");
    domains.enter(&service, token_of(A)).await.expect("entered");
    let insert = "INSERT INTO orders VALUES (3, 33) RETURNING tenant_id";
    assert_eq!(outcome(&service, insert).await, A.to_string());
    let foreign = format!("INSERT INTO orders VALUES (4, 44, '{B}')");
    assert_eq!(outcome(&service, &foreign).await, "ERROR 42501");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn tokens_that_are_not_valid_are_refused() {
    let schema = Orders::start().await;
    let service = schema.service().await;
    let domains = Domains::of(&service).await;
    let good = token_of(A);
    for at in 0..good.len() {
        for bit in [0x01, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= bit;
            let message = refusal(&domains, &service, bad).await;
            let expected = match at {
                16..20 => "tenancy: the key is unknown or retired",
                _ => "tenancy: the signature is not valid",
            };
            assert_eq!(message, expected, "byte {at}");
        }
    }
    for length in [0, 1, 16, 20, 28, 59] {
        assert_ne!(refusal(&domains, &service, good[..length].to_vec()).await, "", "{length} bytes");
    }
    let extended = [&good[..], &[0]].concat();
    assert_eq!(refusal(&domains, &service, extended).await, "tenancy: the signature is not valid");
    assert_eq!(refusal(&domains, &service, None).await, "tenancy: the key is unknown or retired");
    let other_mac = [&good[..28], &token(SECRET, B, 1, now() + HOUR)[28..]].concat();
    assert_eq!(refusal(&domains, &service, other_mac).await, "tenancy: the signature is not valid");
    let other_tenant = [B.as_bytes(), &good[16..]].concat();
    assert_eq!(refusal(&domains, &service, other_tenant).await, "tenancy: the signature is not valid");
    for expires in [now() - 1, 0, -1, i64::MIN] {
        let expired = token(SECRET, A, 1, expires);
        assert_eq!(
            refusal(&domains, &service, expired).await,
            "tenancy: the signature has expired",
            "{expires}"
        );
    }
    let unknown = token(SECRET, A, 2, now() + HOUR);
    assert_eq!(refusal(&domains, &service, unknown).await, "tenancy: the key is unknown or retired");
    let other_secret = token(&[7; 32], A, 1, now() + HOUR);
    assert_eq!(refusal(&domains, &service, other_secret).await, "tenancy: the signature is not valid");
    service.batch_execute("BEGIN").await.expect("a transaction");
    domains.enter(&service, good).await.expect("a good one");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn expiry_and_retirement_hold_in_a_transaction_that_began_before() {
    let schema = Orders::start().await;
    let service = schema.service().await;
    let domains = Domains::of(&service).await;
    service.batch_execute("BEGIN").await.expect("a transaction");
    let soon = token(SECRET, A, 1, now() + 1_000);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let error = domains.enter(&service, soon).await.expect_err("expired");
    assert_eq!(error.as_db_error().expect("the server's").message(), "tenancy: the signature has expired");
    service.batch_execute("ROLLBACK; BEGIN; SELECT 1").await.expect("a transaction");
    retire_key(&schema.operator, 1).await.expect("retired");
    let error = domains.enter(&service, token_of(A)).await.expect_err("retired");
    assert_eq!(
        error.as_db_error().expect("the server's").message(),
        "tenancy: the key is unknown or retired"
    );
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn keys_of_both_generations_stay_in_step() {
    let schema = Orders::start().await;
    let service = schema.service().await;
    let domains = Domains::of(&service).await;
    let enters = async |id: i32, secret: &[u8]| {
        service.batch_execute("BEGIN").await.expect("a transaction");
        let entered = domains.enter(&service, token(secret, A, id, now() + HOUR)).await.is_ok();
        service.batch_execute("ROLLBACK").await.expect("it ends");
        entered
    };
    for (id, length) in [(-2, 32), (3, 64), (i32::MAX, 65), (i32::MIN, 200)] {
        let secret = vec![0x42; length];
        assert!(!enters(id, &secret).await);
        add_key(&schema.operator, &SigningKey::new(id, &secret).expect("a key")).await.expect("added");
        assert!(enters(id, &secret).await, "{id}");
    }
    let secret = [0x42; 64];
    schema.operate("SELECT tenancy.retire_key(3, now() + interval '1 day')").await;
    assert!(enters(3, &secret).await);
    retire_key(&schema.operator, 3).await.expect("retired");
    assert!(!enters(3, &secret).await);
    schema.operate("UPDATE tenancy.keys SET not_after = NULL WHERE id = 3").await;
    assert!(enters(3, &secret).await, "changes by hand count too");
    schema.operate("UPDATE tenancy.keys SET id = 4 WHERE id = 3").await;
    assert!(!enters(3, &secret).await);
    assert!(enters(4, &secret).await);
    schema.operate("DELETE FROM tenancy.keys WHERE id = 4").await;
    assert!(!enters(4, &secret).await);
    schema.operate("TRUNCATE tenancy.keys").await;
    assert!(!enters(1, SECRET).await);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn contexts_cannot_be_forged_replayed_or_changed() {
    let schema = Orders::start().await;
    let service = schema.service().await;
    let domains = Domains::of(&service).await;
    service.batch_execute("BEGIN").await.expect("a transaction");
    domains.enter(&service, token_of(B)).await.expect("entered");
    let of_b = outcome(&service, "SELECT current_setting('tenancy.context')").await;
    let error = domains.enter(&service, token_of(A)).await.expect_err("another tenant");
    assert_eq!(
        error.as_db_error().expect("the server's").message(),
        "tenancy: the transaction is another tenant's"
    );
    service.batch_execute("ROLLBACK").await.expect("it ends");
    let a = A.to_string().replace('-', "");
    for (context, why) in [
        (of_b.clone(), "replayed"),
        (format!("{a}{}", &of_b[32..]), "A with B's MAC"),
        (of_b[..96].to_owned(), "as long as one of v1"),
        (of_b.replace(&of_b[32..40], "00000002"), "an unknown key"),
        ("x".repeat(104), "not hexadecimal"),
        (format!("{a}00000001"), "no MAC"),
        ("\u{e9}".to_owned(), "not ASCII"),
    ] {
        service.batch_execute("BEGIN").await.expect("a transaction");
        domains.enter(&service, token_of(A)).await.expect("entered");
        let sql = format!("SET LOCAL tenancy.context = '{context}'; SELECT * FROM orders");
        assert_eq!(outcome(&service, &sql).await, "ERROR 42501", "{why}");
        service.batch_execute("ROLLBACK").await.expect("it ends");
    }
    for at in 0..of_b.len() {
        service.batch_execute("BEGIN").await.expect("a transaction");
        domains.enter(&service, token_of(B)).await.expect("entered");
        let flip = format!(
            "SELECT set_config('tenancy.context', overlay(c placing \
                CASE substr(c, {0}, 1) WHEN '0' THEN '1' ELSE '0' END from {0}), true) IS NULL \
            FROM current_setting('tenancy.context') c",
            at + 1
        );
        assert_eq!(outcome(&service, &flip).await, "f");
        assert_eq!(outcome(&service, "SELECT * FROM orders").await, "ERROR 42501", "digit {at}");
        service.batch_execute("ROLLBACK").await.expect("it ends");
    }
    for sql in [
        "SELECT tenancy.enter('\\x00'::bytea)",
        "SELECT ''::tenancy.entering",
        "SELECT NULL::tenancy.entering",
        "SELECT * FROM tenancy.secrets",
        "SELECT tenancy.entering_pad('', '')",
        "UPDATE tenancy.secrets SET not_after = 'infinity'",
        "ALTER DOMAIN tenancy.entering DROP CONSTRAINT entering_check",
        "ALTER DOMAIN tenancy.leaving DROP CONSTRAINT leaving_check",
    ] {
        assert_eq!(schema.attack(sql).await, "ERROR 42501", "{sql}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn both_generations_work_beside_each_other() {
    let schema = Orders::start().await;
    let service = schema.service().await;
    let domains = Domains::of(&service).await;
    service.batch_execute(&format!("BEGIN; {}", enter_as(A))).await.expect("v1");
    assert_eq!(outcome(&service, "SELECT id FROM orders; SELECT tenancy.leave()").await, "1;f");
    domains.enter(&service, token_of(A)).await.expect("the same tenant");
    let error = domains.enter(&service, token_of(B)).await.expect_err("another tenant");
    assert_eq!(code(&error), "ERROR 42501");
    service.batch_execute("ROLLBACK; BEGIN").await.expect("a transaction");
    domains.enter(&service, token_of(A)).await.expect("v2");
    assert_eq!(outcome(&service, &format!("{}; SELECT id FROM orders", enter_as(A))).await, ";1");
    assert_eq!(outcome(&service, &enter_as(B)).await, "ERROR 42501");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn leaving_resets_the_session() {
    let schema = Orders::start().await;
    schema.operate("CREATE SEQUENCE numbers; GRANT USAGE ON SEQUENCE numbers TO tenancy_app").await;
    let (service, notices) = with_notices(&schema).await;
    let domains = Domains::of(&service).await;
    let left = "SET search_path = 'x'; SET statement_timeout = '1h'; SET default_transaction_read_only = on; \
        SET client_min_messages = error; SET ROLE tenancy_app; LISTEN tenants; \
        SELECT pg_advisory_lock(7); SELECT nextval('public.numbers'); SELECT setseed(0.25)";
    let drawn = outcome(&schema.operator, "SELECT setseed(0.25); SELECT random()").await;
    service.batch_execute("BEGIN").await.expect("a transaction");
    domains.enter(&service, token_of(A)).await.expect("entered");
    service.batch_execute(left).await.expect("leavings");
    domains.leave(&service, 0.5).await.expect("left");
    service.batch_execute("COMMIT").await.expect("committed");
    let look = "SELECT current_user, current_setting('search_path'), current_setting('statement_timeout'), \
        current_setting('default_transaction_read_only'), current_setting('client_min_messages'); \
        SELECT pg_listening_channels(); SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    assert_eq!(outcome(&service, look).await, "service,\"$user\", public,0,off,notice;0");
    assert_eq!(outcome(&service, "SELECT lastval()").await, "ERROR 55000");
    assert_ne!(format!(";{}", outcome(&service, "SELECT random()").await), drawn, "not what A seeded");
    assert!(notices.lock().expect("notices").is_empty());
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn leaving_checks_deferred_constraints_in_the_tenant() {
    let schema = Orders::start().await;
    schema
        .operate(
            "CREATE TABLE lines (id int PRIMARY KEY, part_of bigint); \
            SELECT tenancy.enable_table('lines'); \
            ALTER TABLE orders ADD UNIQUE (tenant_id, id); \
            ALTER TABLE lines ADD FOREIGN KEY (tenant_id, part_of) REFERENCES orders (tenant_id, id) \
                DEFERRABLE INITIALLY DEFERRED",
        )
        .await;
    let service = schema.service().await;
    let domains = Domains::of(&service).await;
    for (order, expected) in [(1, ""), (2, "ERROR 23503")] {
        service.batch_execute("BEGIN").await.expect("a transaction");
        domains.enter(&service, token_of(A)).await.expect("entered");
        service
            .batch_execute(&format!("INSERT INTO lines VALUES ({order}, {order})"))
            .await
            .expect("deferred");
        let left = domains.leave(&service, 0.5).await;
        assert_eq!(left.map_or_else(|error| code(&error), |()| String::new()), expected, "{order}");
        service.batch_execute("COMMIT").await.expect("it ends");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn leaving_reports_a_session_that_must_be_closed() {
    let schema = Orders::start().await;
    schema.operate(&format!("GRANT TEMPORARY ON DATABASE {} TO tenancy_app", schema.database.name)).await;
    for sql in [
        "CREATE TEMPORARY TABLE orders (id int)",
        "SET client_min_messages = error; CREATE TEMPORARY TABLE orders (id int) ON COMMIT DROP",
        "PREPARE mine AS SELECT 1",
    ] {
        let (service, notices) = with_notices(&schema).await;
        let domains = Domains::of(&service).await;
        service.batch_execute("BEGIN").await.expect("a transaction");
        domains.enter(&service, token_of(A)).await.expect("entered");
        service.batch_execute(sql).await.expect(sql);
        assert!(notices.lock().expect("notices").is_empty());
        domains.leave(&service, 0.5).await.expect("left");
        assert_eq!(notices.lock().expect("notices")[..], ["TN001"], "{sql}");
        service.batch_execute("COMMIT").await.expect("committed");
        let left = "SELECT count(*) FROM pg_prepared_statements WHERE from_sql; \
            SELECT count(*) FROM pg_class WHERE relpersistence = 't'";
        assert_eq!(outcome(&service, left).await, "0;0");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn leaving_works_outside_of_a_tenant_and_rejects_what_is_no_seed() {
    let schema = Orders::start().await;
    let service = schema.service().await;
    let domains = Domains::of(&service).await;
    service.batch_execute("SET statement_timeout = '1h'").await.expect("a setting");
    domains.leave(&service, -0.5).await.expect("left");
    assert_eq!(outcome(&service, "SHOW statement_timeout").await, "0");
    // A positive seed needs the context of a tenant.
    for (seed, expected) in [
        (Some(0.5), "ERROR 42501"),
        (Some(f64::NAN), "ERROR 42501"),
        (None, "ERROR 23514"),
        (Some(-2.0), "ERROR 22023"),
    ] {
        let error = domains.leave(&service, seed).await.expect_err("no seed");
        assert_eq!(code(&error), expected, "{seed:?}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn altered_domains_are_critical_findings() {
    let mut schema = Orders::start().await;
    for (sql, domain) in [
        ("ALTER DOMAIN tenancy.entering DROP CONSTRAINT entering_check", "tenancy.entering"),
        ("ALTER DOMAIN tenancy.leaving DROP CONSTRAINT leaving_check", "tenancy.leaving"),
        ("ALTER DOMAIN tenancy.leaving OWNER TO service", "tenancy.leaving"),
        (
            "ALTER DOMAIN tenancy.leaving DROP CONSTRAINT leaving_check; \
            ALTER DOMAIN tenancy.leaving ADD CHECK (VALUE > 0)",
            "tenancy.leaving",
        ),
    ] {
        schema.operate(&format!("BEGIN; {sql}; COMMIT")).await;
        let findings = audit_role(&mut schema.operator, "service").await.expect("findings");
        let is_found = |finding: &Finding| {
            finding.kind == FindingKind::ContextAltered
                && finding.severity == Severity::Critical
                && finding.object == domain
        };
        assert!(findings.iter().any(is_found), "{sql}: {findings:?}");
        schema.operate(&format!("DROP DOMAIN {domain}; {}", migrations()[4].up)).await;
        let findings = audit_role(&mut schema.operator, "service").await.expect("findings");
        assert!(!findings.iter().any(is_found), "{findings:?}");
    }
}

/// Connects as the service, and returns the SQLSTATEs of the notices that it gets.
async fn with_notices(schema: &Orders) -> (Client, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    let (client, mut connection) =
        schema.database.config("service").connect(NoTls).await.expect("a connection");
    let notices = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = notices.clone();
    tokio::spawn(async move {
        let mut next = std::pin::pin!(std::future::poll_fn(|cx| connection.poll_message(cx)));
        while let Some(Ok(message)) = next.as_mut().await {
            if let AsyncMessage::Notice(notice) = message {
                heard.lock().expect("notices").push(notice.code().code().to_owned());
            }
        }
    });
    (client, notices)
}
