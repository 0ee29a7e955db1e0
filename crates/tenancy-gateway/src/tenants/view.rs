//! A tenant as JSON.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tenancy::{TenantId, TenantRecord, TenantSlug, TenantStatus};
use utoipa::ToSchema;

/// A tenant, as in responses to the platform and in the principals file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Tenant)]
#[serde(deny_unknown_fields)]
pub struct TenantView {
    #[schema(value_type = Uuid)]
    id: TenantId,
    #[schema(value_type = String)]
    #[serde(serialize_with = "write_slug", deserialize_with = "read_slug")]
    slug: TenantSlug,
    status: StatusView,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = TenantStatus)]
#[serde(rename_all = "lowercase")]
enum StatusView {
    Active,
    Suspended,
    Deleted,
}

fn write_slug<S: Serializer>(slug: &TenantSlug, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(slug.as_str())
}

fn read_slug<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TenantSlug, D::Error> {
    TenantSlug::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

impl From<TenantView> for TenantRecord {
    fn from(view: TenantView) -> Self {
        let status = match view.status {
            StatusView::Active => TenantStatus::Active,
            StatusView::Suspended => TenantStatus::Suspended,
            StatusView::Deleted => TenantStatus::Deleted,
        };
        Self::new(view.id, view.slug, status)
    }
}

impl From<TenantRecord> for TenantView {
    fn from(record: TenantRecord) -> Self {
        let status = match record.status() {
            TenantStatus::Active => StatusView::Active,
            TenantStatus::Deleted => StatusView::Deleted,
            // And whatever state there will be besides: nothing is done in it.
            _ => StatusView::Suspended,
        };
        Self { id: record.id(), slug: record.slug(), status }
    }
}
