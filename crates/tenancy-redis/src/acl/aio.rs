//! The same on async connections.

use redis::RedisResult;
use redis::aio::ConnectionLike;
use tenancy::TenantId;

use super::plan::{self, Plan};
use super::{TenantAcl, checkout, default_user, server};
use crate::client::TenantRedis;

impl TenantAcl {
    /// [`provision`](Self::provision) on an async connection.
    ///
    /// # Errors
    ///
    /// As [`provision`](Self::provision).
    pub async fn provision_async(
        &self,
        admin: &mut impl ConnectionLike,
        tenant: TenantId,
    ) -> RedisResult<()> {
        server::check_version(&redis::cmd("HELLO").query_async(admin).await?)?;
        let plan = Plan::new(self, tenant, &redis::cmd("COMMAND").query_async(admin).await?)?;
        plan::confirm(&plan.set_user().query_async(admin).await?)?;
        let verified = verify(&plan, admin).await;
        if verified.is_err() {
            // What it was is the error that counts.
            let _ = plan.delete_user().exec_async(admin).await;
        }
        verified
    }

    /// [`revoke`](Self::revoke) on an async connection.
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke).
    pub async fn revoke_async(&self, admin: &mut impl ConnectionLike, tenant: TenantId) -> RedisResult<()> {
        plan::delete_user(&self.username(tenant)).query_async::<u64>(admin).await.map(drop)
    }

    /// [`checkout`](Self::checkout) of an async connection.
    ///
    /// # Errors
    ///
    /// As [`checkout`](Self::checkout).
    pub async fn checkout_async<C: ConnectionLike>(
        &self,
        mut connection: C,
        tenant: TenantId,
    ) -> RedisResult<TenantRedis<C>> {
        plan::confirm(&self.authenticate(tenant).query_async(&mut connection).await?)?;
        let (name,) = checkout::identify().query_async(&mut connection).await?;
        self.check_identity(tenant, &name)?;
        Ok(TenantRedis::dedicated(connection, tenant))
    }

    /// [`close_default`](Self::close_default) on an async connection.
    ///
    /// # Errors
    ///
    /// As [`close_default`](Self::close_default).
    pub async fn close_default_async(admin: &mut impl ConnectionLike) -> RedisResult<()> {
        default_user::check_operator(&default_user::who().query_async(admin).await?)?;
        plan::confirm(&default_user::turn_off().query_async(admin).await?)?;
        default_user::check_off(&default_user::get_default().query_async(admin).await?)?;
        default_user::end_connections().query_async::<u64>(admin).await.map(drop)
    }
}

async fn verify(plan: &Plan, admin: &mut impl ConnectionLike) -> RedisResult<()> {
    plan.check_user(&plan.get_user().query_async(admin).await?)?;
    plan.check_answers(&plan.ask().query_async(admin).await?)
}
