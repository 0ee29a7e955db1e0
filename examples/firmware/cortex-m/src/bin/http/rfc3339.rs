//! Moments as RFC 3339 has them.

use core::fmt;

const DAY: u64 = 24 * 60 * 60 * 1000;
/// The last that hosts write, 26 hours before a year has five digits: RFC 3339 has four.
const LAST: u64 = 253_402_207_200_000;

/// Milliseconds since 1970, in UTC. A fraction has no zero at its end, and without one there is no point.
pub(crate) struct Rfc3339(pub(crate) u64);

impl fmt::Display for Rfc3339 {
    /// Fails for what is later.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(time) = *self;
        if time > LAST {
            return Err(fmt::Error);
        }
        let (year, month, day) = date(time / DAY);
        let seconds = time % DAY / 1000;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match time % 1000 {
            0 => {}
            milli if milli % 100 == 0 => write!(f, ".{}", milli / 100)?,
            milli if milli % 10 == 0 => write!(f, ".{:02}", milli / 10)?,
            milli => write!(f, ".{milli:03}")?,
        }
        f.write_str("Z")
    }
}

/// The date of a day since 1970 (Hinnant, `civil_from_days`): years are counted from March, so that the day that a
/// leap year has more is the last.
fn date(days: u64) -> (u64, u64, u64) {
    // From 0000-03-01, in eras of 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}
