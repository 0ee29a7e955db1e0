//! Users made, ended and taken on sync connections.

use redis::{ConnectionLike, RedisResult};
use tenancy::TenantId;

use super::plan::{self, Plan};
use super::{TenantAcl, checkout, default_user, server};
use crate::client::TenantRedis;

impl TenantAcl {
    /// Makes the tenant's user on a server, or makes it anew, and sees that the server has it as it was asked.
    ///
    /// `admin` is an operator's connection to that one server: it needs `COMMAND`, `ACL` and `HELLO`. Commands that the
    /// server lacks are left out. Connections that the user has open go on, with another password too:
    /// [`revoke`](Self::revoke) ends them.
    ///
    /// # Errors
    ///
    /// Those of the connection and the server, a version of Redis before 7.0.13, or 7.2.0, and a user that is not as
    /// asked: that one is deleted again. The error names the command that the server allows with a key of nobody.
    pub fn provision(&self, admin: &mut impl ConnectionLike, tenant: TenantId) -> RedisResult<()> {
        server::check_version(&redis::cmd("HELLO").query(admin)?)?;
        let plan = Plan::new(self, tenant, &redis::cmd("COMMAND").query(admin)?)?;
        plan::confirm(&plan.set_user().query(admin)?)?;
        let verified = verify(&plan, admin);
        if verified.is_err() {
            // What it was is the error that counts.
            let _ = plan.delete_user().exec(admin);
        }
        verified
    }

    /// Deletes the tenant's user from a server, and ends its connections. There may be none.
    ///
    /// # Errors
    ///
    /// Those of the connection and the server.
    pub fn revoke(&self, admin: &mut impl ConnectionLike, tenant: TenantId) -> RedisResult<()> {
        plan::delete_user(&self.username(tenant)).query::<u64>(admin).map(drop)
    }

    /// Makes a connection that of the tenant's user, whoever it was of before: for pools, each time that they give
    /// one out.
    ///
    /// The connection must be of one socket, and in no other hand: no clone of a multiplexed one, whose other
    /// owners would become this user too; and none that connects by itself, as `ConnectionManager` does, for it
    /// would be who its client says: [`client`](Self::client) is for those. It must not have subscribed to
    /// anything.
    ///
    /// # Errors
    ///
    /// Those of the connection and the server: a user that is missing, revoked, or of another epoch. And where the
    /// server says afterwards that the connection is another's.
    ///
    /// ```no_run
    /// use tenancy_redis::TenantAcl;
    ///
    /// # fn example(acl: &TenantAcl, pooled: redis::Connection, tenant: tenancy::TenantId) -> redis::RedisResult<()> {
    /// let redis = acl.checkout(pooled, tenant)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn checkout<C: ConnectionLike>(
        &self,
        mut connection: C,
        tenant: TenantId,
    ) -> RedisResult<TenantRedis<C>> {
        plan::confirm(&self.authenticate(tenant).query(&mut connection)?)?;
        let (name,) = checkout::identify().query(&mut connection)?;
        self.check_identity(tenant, &name)?;
        Ok(TenantRedis::dedicated(connection, tenant))
    }

    /// Turns the user `default` off on a server, and ends the connections that it has.
    ///
    /// Each connection is of this user until it names another, and again after `RESET`. The operator's connection
    /// must be of another user, and what else connects as `default` must have one first: other programs, replicas
    /// and sentinels.
    ///
    /// # Errors
    ///
    /// Those of the connection and the server; where `admin` is itself of the user `default`, and then nothing is
    /// changed; and where the server says afterwards that `default` is not off.
    pub fn close_default(admin: &mut impl ConnectionLike) -> RedisResult<()> {
        default_user::check_operator(&default_user::who().query(admin)?)?;
        plan::confirm(&default_user::turn_off().query(admin)?)?;
        default_user::check_off(&default_user::get_default().query(admin)?)?;
        default_user::end_connections().query::<u64>(admin).map(drop)
    }
}

fn verify(plan: &Plan, admin: &mut impl ConnectionLike) -> RedisResult<()> {
    plan.check_user(&plan.get_user().query(admin)?)?;
    plan.check_answers(&plan.ask().query(admin)?)
}
