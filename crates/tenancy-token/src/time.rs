//! Points in time, in seconds.

/// A point in time: the seconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// This is the `NumericDate` of RFC 8392, section 2. Fractions of a second and times before 1970 are not supported.
///
/// ```
/// use tenancy_token::UnixSeconds;
///
/// let now = UnixSeconds(1_796_083_200);
/// assert_eq!(now.after(300), UnixSeconds(1_796_083_500));
/// assert!(now < now.after(1));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// Returns the time this many seconds later, or the last representable time.
    #[must_use]
    pub const fn after(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Returns the system's time, or `None` if the system's clock is before 1970.
    ///
    /// A program without a known time cannot verify tokens: reject them all.
    #[cfg(feature = "std")]
    #[cfg_attr(docsrs, doc(cfg(feature = "std")))]
    pub fn now() -> Option<Self> {
        let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        elapsed.ok().map(|elapsed| Self(elapsed.as_secs()))
    }
}
