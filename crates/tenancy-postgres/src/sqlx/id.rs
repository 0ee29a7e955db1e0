//! Tenant ids as parameters and columns of sqlx.

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};
use uuid::Uuid;

use crate::id::PgTenantId;

impl Type<Postgres> for PgTenantId {
    fn type_info() -> PgTypeInfo {
        Uuid::type_info()
    }
}

impl PgHasArrayType for PgTenantId {
    fn array_type_info() -> PgTypeInfo {
        Uuid::array_type_info()
    }
}

impl Encode<'_, Postgres> for PgTenantId {
    fn encode_by_ref(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(Uuid::from(self.0), out)
    }
}

/// Rejects the nil UUID and the one of all ones, which are not tenants.
impl Decode<'_, Postgres> for PgTenantId {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(<Uuid as Decode<Postgres>>::decode(value)?.try_into()?))
    }
}
