//! What a token says, as its receiver reads it.

use tenancy::TenantId;

use crate::cbor::{Int, Reader};
use crate::claims::{
    AUDIENCE, EXPIRES_AT, ID, ISSUED_AT, ISSUER, NOT_BEFORE, PAYLOAD, SUBJECT, TENANT, is_id,
};
use crate::error::TokenErrorKind::{self, Malformed};
use crate::time::UnixSeconds;

/// The claims of a token whose signature was checked.
#[derive(Clone, Copy)]
pub(crate) struct Received<'t> {
    /// Not a `TenantId` yet: other claims are checked first.
    pub(crate) tenant: [u8; 16],
    pub(crate) audience: &'t str,
    pub(crate) expires_at: UnixSeconds,
    pub(crate) issuer: Option<&'t str>,
    pub(crate) subject: Option<&'t str>,
    pub(crate) id: Option<&'t [u8]>,
    pub(crate) issued_at: Option<UnixSeconds>,
    pub(crate) not_before: Option<UnixSeconds>,
    pub(crate) payload: Option<&'t [u8; 32]>,
}

impl<'t> Received<'t> {
    /// Reads the map of claims. Their order is not significant.
    pub(crate) fn read(claims: &'t [u8]) -> Result<Self, TokenErrorKind> {
        let mut reader = Reader::new(claims);
        let count = reader.map()?;
        let first = reader.clone();
        let (mut issuer, mut subject, mut audience) = (None, None, None);
        let (mut expires_at, mut not_before, mut issued_at) = (None, None, None);
        let (mut id, mut tenant, mut payload) = (None, None, None);
        for index in 0..count {
            match reader.integer()? {
                ISSUER => once(&mut issuer, reader.text()?)?,
                SUBJECT => once(&mut subject, reader.text()?)?,
                AUDIENCE => once(&mut audience, reader.text()?)?,
                EXPIRES_AT => once(&mut expires_at, UnixSeconds(reader.unsigned()?))?,
                NOT_BEFORE => once(&mut not_before, UnixSeconds(reader.unsigned()?))?,
                ISSUED_AT => once(&mut issued_at, UnixSeconds(reader.unsigned()?))?,
                ID => once(&mut id, Some(reader.bytes()?).filter(|id| is_id(id)).ok_or(Malformed)?)?,
                TENANT => once(&mut tenant, fixed::<16>(reader.bytes()?)?)?,
                PAYLOAD => once(&mut payload, fixed::<32>(reader.bytes()?)?)?,
                unknown => {
                    reader.integer_or_string()?;
                    is_new(first.clone(), index, unknown)?;
                }
            }
        }
        reader.end()?;
        Ok(Self {
            tenant: *tenant.ok_or(Malformed)?,
            audience: audience.ok_or(Malformed)?,
            expires_at: expires_at.ok_or(Malformed)?,
            issuer,
            subject,
            id,
            issued_at,
            not_before,
            payload,
        })
    }

    /// Returns the tenant, which is not one of the two reserved ids.
    pub(crate) fn tenant(&self) -> Result<TenantId, TokenErrorKind> {
        TenantId::from_bytes(self.tenant).map_err(|_| TokenErrorKind::Tenant)
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), TokenErrorKind> {
    if place.replace(value).is_some() { Err(Malformed) } else { Ok(()) }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], TokenErrorKind> {
    bytes.try_into().map_err(|_| Malformed)
}

/// Checks that none of the first `count` claims has this label.
///
/// The claims are read again, because their labels are not stored. Only the holder of a key can cause many reads, and the
/// length of a token limits them.
fn is_new(mut claims: Reader<'_>, count: u64, label: Int) -> Result<(), TokenErrorKind> {
    for _ in 0..count {
        if claims.integer()? == label {
            return Err(Malformed);
        }
        claims.integer_or_string()?;
    }
    Ok(())
}
