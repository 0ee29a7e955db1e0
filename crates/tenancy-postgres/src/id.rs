//! Tenant ids as parameters and columns.

use std::error::Error;

use bytes::BytesMut;
use tenancy::TenantId;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use uuid::Uuid;

/// A tenant's id as a parameter or a column of type `uuid`.
///
/// `TenantId` and the traits `ToSql` and `FromSql` belong to other crates, so this type implements them.
///
/// ```
/// use tenancy::TenantId;
/// use tenancy_postgres::PgTenantId;
/// use tokio_postgres::types::ToSql;
///
/// let parameter: &(dyn ToSql + Sync) = &PgTenantId(TenantId::PLATFORM);
/// assert_eq!(TenantId::from(PgTenantId::from(TenantId::PLATFORM)), TenantId::PLATFORM);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PgTenantId(pub TenantId);

impl From<TenantId> for PgTenantId {
    fn from(tenant: TenantId) -> Self {
        Self(tenant)
    }
}

impl From<PgTenantId> for TenantId {
    fn from(PgTenantId(tenant): PgTenantId) -> Self {
        tenant
    }
}

impl ToSql for PgTenantId {
    fn to_sql(&self, r#type: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        Uuid::from(self.0).to_sql(r#type, out)
    }

    accepts!(UUID);
    to_sql_checked!();
}

/// Rejects the nil UUID and the one of all ones, which are not tenants.
impl<'a> FromSql<'a> for PgTenantId {
    fn from_sql(r#type: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Uuid::from_sql(r#type, raw)?.try_into()?))
    }

    accepts!(UUID);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_ids_to_and_from_uuids() {
        let mut bytes = BytesMut::new();
        PgTenantId(TenantId::PLATFORM).to_sql_checked(&Type::UUID, &mut bytes).expect("a uuid");
        assert_eq!(bytes[..], TenantId::PLATFORM.as_bytes()[..]);
        assert_eq!(PgTenantId::from_sql(&Type::UUID, &bytes).expect("an id").0, TenantId::PLATFORM);
        assert!(PgTenantId(TenantId::PLATFORM).to_sql_checked(&Type::TEXT, &mut bytes).is_err());
        assert!(PgTenantId::from_sql(&Type::UUID, &[0; 16]).is_err(), "nil");
        assert!(PgTenantId::from_sql(&Type::UUID, &[0xff; 16]).is_err(), "all ones");
        assert!(PgTenantId::from_sql(&Type::UUID, &[1; 15]).is_err(), "short");
    }
}
