//! Tokens for the device: what it accepts, and what it rejects.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tenancy::TenantId;
use tenancy_token::{Claims, MAX_TEXT, MAX_TOKEN, TokenKey, UnixSeconds, encode_text};

use super::client::{get, get_response, status};
use super::fixtures::{ACTIVE, SUSPENDED, TOKEN_KEY, UNKNOWN};
use super::program::Program;
use super::server;

const LIFETIME: u64 = 3600;

fn now() -> Result<UnixSeconds> {
    UnixSeconds::now().context("the clock is before 1970")
}

fn key(secret: &[u8; 32]) -> Result<TokenKey> {
    Ok(TokenKey::hmac(b"device", secret)?)
}

/// Returns the field with a token of these claims.
fn field(key: &TokenKey, claims: &Claims<'_>) -> Result<String> {
    let mut buffer = [0; MAX_TOKEN];
    let token = key.mint(claims, &mut buffer)?;
    Ok(format!("Authorization: Bearer {}\r\n", encode_text(token, &mut [0; MAX_TEXT])?))
}

/// Returns the field with a token of a tenant, as the device accepts it.
fn valid(tenant: &str) -> Result<String> {
    let claims = Claims::new(tenant.parse()?, "device", now()?.after(LIFETIME));
    field(&key(TOKEN_KEY)?, &claims.issued_at(now()?).id(b"12345678"))
}

pub(crate) fn test(port: u16) -> Result<()> {
    let [one, other] = ACTIVE;
    let tenant: TenantId = one.parse()?;
    let (now, later) = (now()?, now()?.after(LIFETIME));
    let own = key(TOKEN_KEY)?;
    let good = valid(one)?;
    let header = |tenant: &str| format!("X-Tenant-ID: {tenant}\r\n");
    let forged = field(&key(&[8; 32])?, &Claims::new(tenant, "device", later))?;
    let expired = field(&own, &Claims::new(tenant, "device", UnixSeconds(now.0.saturating_sub(1))))?;
    let early = field(&own, &Claims::new(tenant, "device", later).not_before(later))?;
    let elsewhere = field(&own, &Claims::new(tenant, "gateway", later))?;
    let sealed = field(&own, &Claims::new(tenant, "device", later).payload(b"a job"))?;
    let cut = format!("{}\r\n", &good[..good.len() - 6]);
    let cases = [
        ("a token", good.clone(), 200),
        ("a token and the same tenant in the header", format!("{good}{}", header(one)), 200),
        ("a token and another tenant in the header", format!("{good}{}", header(other)), 400),
        ("a token and a malformed header", format!("{good}{}", header("acme")), 400),
        ("a token of a suspended tenant", valid(SUSPENDED)?, 403),
        ("a token of an unknown tenant", valid(UNKNOWN)?, 404),
        ("a forged token", forged.clone(), 401),
        ("a forged token and a header", format!("{forged}{}", header(one)), 401),
        ("an expired token", expired, 401),
        ("a token that is not valid yet", early, 401),
        ("a token for another receiver", elsewhere, 401),
        ("a token that seals a payload", sealed, 401),
        ("a token that is cut", cut, 401),
        ("two tokens", format!("{good}{good}"), 401),
        ("a scheme without a token", "Authorization: Bearer\r\n".to_owned(), 400),
        ("another scheme and a header", format!("Authorization: Basic YTpi\r\n{}", header(one)), 200),
        ("another scheme alone", "Authorization: Basic YTpi\r\n".to_owned(), 400),
    ];
    for (name, fields, expected) in &cases {
        let response = get_response(port, fields.as_bytes()).with_context(|| (*name).to_owned())?;
        let got = status(&response);
        ensure!(got == Some(*expected), "{name} got {got:?}, not {expected}");
        let names_tenant = response.windows(one.len()).any(|part| part == one.as_bytes());
        ensure!(names_tenant == (*expected == 200), "{name}: wrong mention of the tenant");
    }
    println!("    {} requests with tokens, each with its status", cases.len());
    Ok(())
}

/// Starts the device without a clock. It rejects all tokens, and still accepts headers.
pub(crate) fn test_without_a_clock(program: &Program, elf: &Path) -> Result<()> {
    let (mut device, port) = server::start(program, elf, None, &["-append", "clock=unknown"])?;
    let check = || -> Result<()> {
        let got = get(port, valid(ACTIVE[0])?.as_bytes())?;
        ensure!(got == 503, "a token got {got} from a device without a clock, not 503");
        let got = get(port, format!("X-Tenant-ID: {}\r\n", ACTIVE[0]).as_bytes())?;
        ensure!(got == 200, "a header got {got} from a device without a clock, not 200");
        println!("    503 for a token while the time is unknown");
        Ok(())
    };
    let result = check();
    device.child.kill();
    result
}
