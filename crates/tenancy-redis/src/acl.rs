//! A Redis user for each tenant.

#[cfg(feature = "tokio")]
mod aio;
mod checkout;
mod default_user;
mod plan;
mod server;
mod sync;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use redis::{Client, RedisResult};
use sha2::{Digest, Sha256};
use tenancy::{TenantId, TenantPrefix};

use crate::table;

/// A Redis user for each tenant: the server itself then keeps a connection within its tenant.
///
/// A user's keys and channels are those that begin with the tenant's prefix, and its commands are those that
/// [`TenantRedis`](crate::TenantRedis) allows. `KEYS` and `SCAN` are not among them, for a pattern of keys does not
/// hold them ([redis/redis#8152]), and scripts are where they are [asked for](Self::scripts). So what gets hold of
/// the connection itself, or a script that names a key it does not declare, stays within the tenant as well.
///
/// An operator's connection makes the user, once for each server: an ACL is not replicated, and outlives a restart
/// only by `ACL SAVE` or `CONFIG REWRITE`. After that a [`client`](Self::client) of the tenant's own connects as
/// the user, or a pool's connection becomes it at each [`checkout`](Self::checkout).
///
/// ```no_run
/// use redis::Client;
/// use tenancy_redis::{TenantAcl, TenantRedis};
///
/// # fn example(secret: &[u8], tenant: tenancy::TenantId) -> redis::RedisResult<()> {
/// let acl = TenantAcl::new(secret, 1);
///
/// let mut operator = Client::open("redis://operator:password@127.0.0.1/")?.get_connection()?;
/// acl.provision(&mut operator, tenant)?;
///
/// let client = acl.client(&Client::open("redis://127.0.0.1/")?, tenant)?;
/// let redis = TenantRedis::dedicated(client.get_connection()?, tenant);
/// # Ok(())
/// # }
/// ```
///
/// The server must be Redis 7.0.13 or later, 7.2.1 or later, or any later line, or Valkey: `SORT_RO` reads any key
/// before that (CVE-2023-41053). [`provision`](Self::provision) checks the version, and asks the server about each granted
/// command with a key of nobody. `flush_tenant` and `usage` need an operator's connection, as they send `SCAN`. The server
/// refuses such a user more than isolation needs:
///
/// - `GEORADIUS`, `GEORADIUSBYMEMBER` (`GEOSEARCH` and the forms with `_RO` do the same) and `PFMERGE`: in some of
///   their forms the server writes a key that it has not held against the user's pattern.
/// - `SORT` with `BY` a pattern or with `GET`: for these it wants a user who may read every key.
/// - `PSUBSCRIBE` with any pattern but the one of all the tenant's channels, to the letter.
///
/// `RESET` makes any connection one of the user `default` again, and so does `AUTH`, who may do everything as long as
/// nobody changes it: [`close_default`](Self::close_default). And an ACL that version 7.0 has saved names categories of commands:
/// after an upgrade of the server they may have more in them, so provision again.
///
/// [redis/redis#8152]: https://github.com/redis/redis/issues/8152
#[derive(Clone)]
pub struct TenantAcl {
    mac: Hmac<Sha256>,
    epoch: u64,
    scripts: bool,
}

/// What redis-rs and a [checkout](TenantAcl::checkout) send beside the tenant's commands. The patterns hold the
/// channels, and the keys in each database.
const CONNECTION: &[&str] = &[
    "multi",
    "exec",
    "discard",
    "subscribe",
    "psubscribe",
    "unsubscribe",
    "punsubscribe",
    "select",
    "client|setinfo",
    "acl|whoami",
];

impl TenantAcl {
    /// The fewest bytes of a secret.
    pub const MIN_SECRET: usize = 32;

    /// Users whose passwords are made of a secret and an epoch.
    ///
    /// The secret is random, and the same in each process that connects. Another epoch changes all passwords, each
    /// when its tenant is [provisioned](Self::provision) again.
    ///
    /// # Panics
    ///
    /// Where the secret has fewer than [`MIN_SECRET`](Self::MIN_SECRET) bytes: who knows one password could try
    /// them all.
    pub fn new(secret: &[u8], epoch: u64) -> Self {
        assert!(secret.len() >= Self::MIN_SECRET, "a secret of fewer than {} bytes", Self::MIN_SECRET);
        let mac = Hmac::new_from_slice(secret).expect("HMAC takes a key of any length");
        Self { mac, epoch, scripts: false }
    }

    /// The users may run scripts, and load them: for [`TrustedScripts`](crate::TrustedScripts). In a script too, a
    /// user has no other keys and commands than its own.
    #[must_use]
    pub fn scripts(self) -> Self {
        Self { scripts: true, ..self }
    }

    /// The name of a tenant's user: `t-` and 32 hexadecimal digits.
    pub fn username(&self, tenant: TenantId) -> String {
        let prefix = prefix(tenant);
        format!("t-{}", &prefix[2..prefix.len() - 1])
    }

    /// The password of a tenant's user: 64 hexadecimal digits, the HMAC-SHA256 of the tenant's 16 bytes and the
    /// epoch's 8, the highest first.
    pub fn password(&self, tenant: TenantId) -> String {
        let mac = self.mac.clone().chain_update(tenant.as_bytes()).chain_update(self.epoch.to_be_bytes());
        hex(&mac.finalize().into_bytes())
    }

    /// What follows `ACL SETUSER` and the [name](Self::username): the password's hash, not the password itself.
    ///
    /// These are for a server of version 7.2 or later, because a server that lacks one of the commands refuses all rules.
    /// They have only commands that Redis 7.0, Redis 8.2 and Valkey 9.1 share; [`provision`](Self::provision) adds those
    /// that only the server at hand has, and omits those that it lacks.
    pub fn rules(&self, tenant: TenantId) -> Vec<String> {
        let connection = CONNECTION.iter().map(|&name| name.to_owned());
        self.rules_of(tenant, table::common_grants(self.scripts).chain(connection))
    }

    /// A client of the same address that connects as the tenant's user, and so does each connection of its that
    /// connects again.
    ///
    /// # Errors
    ///
    /// As [`Client::open`].
    pub fn client(&self, client: &Client, tenant: TenantId) -> RedisResult<Client> {
        let connection = client.get_connection_info().clone();
        let user = connection.redis_settings().clone();
        let user = user.set_username(self.username(tenant)).set_password(self.password(tenant));
        Client::open(connection.set_redis_settings(user))
    }

    fn rules_of(&self, tenant: TenantId, commands: impl Iterator<Item = String>) -> Vec<String> {
        let prefix = prefix(tenant);
        let scope = [
            // Whatever the user was before.
            "reset".to_owned(),
            "on".to_owned(),
            format!("#{}", self.password_hash(tenant)),
            format!("~{prefix}*"),
            "resetchannels".to_owned(),
            format!("&{prefix}*"),
            "-@all".to_owned(),
        ];
        scope.into_iter().chain(commands.map(|command| format!("+{command}"))).collect()
    }

    fn grants(&self) -> impl Iterator<Item = String> + use<> {
        table::grants(self.scripts).chain(CONNECTION.iter().map(|&name| name.to_owned()))
    }

    /// As the server keeps it: what an operator's connection sends, or the server's errors repeat, is no password.
    fn password_hash(&self, tenant: TenantId) -> String {
        hex(&Sha256::digest(self.password(tenant)))
    }
}

/// The secret is not shown.
impl fmt::Debug for TenantAcl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TenantAcl");
        shown.field("epoch", &self.epoch).field("scripts", &self.scripts).finish_non_exhaustive()
    }
}

fn prefix(tenant: TenantId) -> String {
    let prefix = TenantPrefix::<b':'>::new(tenant);
    prefix.as_bytes().iter().copied().map(char::from).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenancy::tenant_id;

    const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
    const SECRET: &[u8; 32] = b"an example of a secret, 32 bytes";

    #[test]
    fn names_and_passwords_are_those_of_other_programs() {
        let acl = TenantAcl::new(SECRET, 1);
        assert_eq!(acl.username(ACME), "t-550e8400e29b41d4a716446655440000");
        // Of Python's hmac and hashlib.
        assert_eq!(acl.password(ACME), "b5b573d4d23c0a0b2b49321f8420532b8c2a98513cdcfc8b2cef7d2987715261");
        assert_eq!(acl.rules(ACME)[2], "#d9f047c86754cac08e87279a877d880a4ba072ce70a057f0ad33b7b03ead92c3");
    }

    #[test]
    fn another_tenant_epoch_or_secret_has_another_password() {
        let acl = TenantAcl::new(SECRET, 1);
        let mut other = *SECRET;
        other[31] ^= 1;
        let passwords = [
            acl.password(ACME),
            acl.password(TenantId::PLATFORM),
            TenantAcl::new(SECRET, 2).password(ACME),
            TenantAcl::new(&other, 1).password(ACME),
        ];
        for (at, password) in passwords.iter().enumerate() {
            assert!(!passwords[..at].contains(password), "{at}");
        }
    }

    #[test]
    fn rules_begin_from_nothing_and_name_own_keys_and_channels_alone() {
        let rules = TenantAcl::new(SECRET, 1).rules(ACME);
        let prefix = "t:550e8400e29b41d4a716446655440000:*";
        assert_eq!(rules[..2], ["reset", "on"]);
        assert_eq!(rules[3..7], [&format!("~{prefix}"), "resetchannels", &format!("&{prefix}"), "-@all"]);
        for rule in &rules[7..] {
            let name = rule.strip_prefix('+').expect("a command");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_|".contains(&byte)), "{rule}");
        }
        assert!(!rules.contains(&"+eval".to_owned()));
        assert!(TenantAcl::new(SECRET, 1).scripts().rules(ACME).contains(&"+eval".to_owned()));
    }

    #[test]
    fn a_client_keeps_its_address_and_settings() {
        let acl = TenantAcl::new(SECRET, 1);
        let operator =
            Client::open("redis://operator:password@example.org:7000/3?protocol=resp3").expect("an address");
        let client = acl.client(&operator, ACME).expect("a client");
        let (before, after) = (operator.get_connection_info(), client.get_connection_info());
        assert_eq!(before.addr().to_string(), after.addr().to_string());
        let (before, after) = (before.redis_settings(), after.redis_settings());
        assert_eq!((before.db(), before.protocol()), (after.db(), after.protocol()));
        assert_eq!(after.username(), Some(&*acl.username(ACME)));
        assert_eq!(after.password(), Some(&*acl.password(ACME)));
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", TenantAcl::new(SECRET, 1));
        assert_eq!(shown, "TenantAcl { epoch: 1, scripts: false, .. }");
    }

    #[test]
    #[should_panic(expected = "a secret of fewer than 32 bytes")]
    fn a_short_secret_is_a_panic() {
        let _ = TenantAcl::new(&SECRET[1..], 1);
    }
}
