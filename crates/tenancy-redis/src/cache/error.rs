//! Why a cache can't say.

use std::any::Any;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use redis::RedisError;
use tenancy::TenantContextNotSetError;

use crate::refusal::Refusal;
use crate::refused::refusal;

/// Why a cache can't say, or keep, what it was asked for; `E` is what a loader fails with.
#[derive(Debug)]
#[non_exhaustive]
pub enum CacheError<E: ?Sized = Infallible> {
    /// The context has no tenant.
    NoTenant(TenantContextNotSetError),
    /// The loader failed: the caller's, or that of whom it waited for.
    Load(Arc<E>),
    /// The value can't be written.
    Encode(EncodeError),
    /// The crate refuses the command, or its reply.
    Refused(Refusal),
    /// Redis failed, or did not answer in time.
    Redis(RedisError),
}

/// An error of a loader of any type.
pub(super) type Shared = CacheError<dyn Any + Send + Sync>;

impl<E: Send + Sync + 'static> CacheError<E> {
    /// The same for those who wait.
    pub(super) fn share(&self) -> Shared {
        match self.clone() {
            Self::Load(error) => CacheError::Load(error),
            Self::NoTenant(error) => CacheError::NoTenant(error),
            Self::Encode(error) => CacheError::Encode(error),
            Self::Refused(refusal) => CacheError::Refused(refusal),
            Self::Redis(error) => CacheError::Redis(error),
        }
    }
}

impl Shared {
    /// The error, if it is of that type.
    pub(super) fn downcast<E: Send + Sync + 'static>(self) -> Option<CacheError<E>> {
        Some(match self {
            Self::Load(error) => CacheError::Load(error.downcast().ok()?),
            Self::NoTenant(error) => CacheError::NoTenant(error),
            Self::Encode(error) => CacheError::Encode(error),
            Self::Refused(refusal) => CacheError::Refused(refusal),
            Self::Redis(error) => CacheError::Redis(error),
        })
    }
}

/// Not derived: `E` has no need to be `Clone`.
impl<E: ?Sized> Clone for CacheError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::NoTenant(error) => Self::NoTenant(*error),
            Self::Load(error) => Self::Load(Arc::clone(error)),
            Self::Encode(error) => Self::Encode(error.clone()),
            Self::Refused(refusal) => Self::Refused(*refusal),
            Self::Redis(error) => Self::Redis(error.clone()),
        }
    }
}

impl<E: fmt::Display + ?Sized> fmt::Display for CacheError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTenant(error) => error.fmt(f),
            Self::Load(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Redis(error) => error.fmt(f),
        }
    }
}

impl<E: Error + ?Sized> Error for CacheError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoTenant(error) => error.source(),
            Self::Load(error) => error.source(),
            Self::Encode(error) => error.source(),
            Self::Refused(refusal) => refusal.source(),
            Self::Redis(error) => error.source(),
        }
    }
}

impl<E: ?Sized> From<TenantContextNotSetError> for CacheError<E> {
    fn from(error: TenantContextNotSetError) -> Self {
        Self::NoTenant(error)
    }
}

impl<E: ?Sized> From<EncodeError> for CacheError<E> {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl<E: ?Sized> From<Refusal> for CacheError<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: ?Sized> From<RedisError> for CacheError<E> {
    fn from(error: RedisError) -> Self {
        match refusal(&error) {
            Some(refusal) => Self::Refused(refusal),
            None => Self::Redis(error),
        }
    }
}

/// A value can't be written as JSON or postcard.
#[derive(Clone, Debug)]
pub struct EncodeError(Arc<dyn Error + Send + Sync>);

impl EncodeError {
    pub(super) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value can't be encoded")
    }
}

impl Error for EncodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_the_same_error_for_those_of_its_type() {
        let error = CacheError::Load(Arc::new("down".to_owned()));
        assert_eq!(error.to_string(), "down");
        assert!(error.share().downcast::<&str>().is_none());
        let Some(CacheError::Load(shared)) = error.share().downcast::<String>() else { panic!("another") };
        assert!(matches!(error, CacheError::Load(error) if Arc::ptr_eq(&error, &shared)));
        let refused = CacheError::<String>::Refused(Refusal::Reply).share().downcast::<u8>();
        assert!(matches!(refused, Some(CacheError::Refused(Refusal::Reply))));
    }

    #[test]
    fn a_refusal_in_an_error_of_redis_is_a_refusal() {
        let refused = CacheError::<Infallible>::from(RedisError::from(Refusal::Blocking));
        assert!(matches!(refused, CacheError::Refused(Refusal::Blocking)));
        let failed = CacheError::<Infallible>::from(RedisError::from(std::io::Error::other("reset")));
        assert!(matches!(failed, CacheError::Redis(_)));
    }
}
