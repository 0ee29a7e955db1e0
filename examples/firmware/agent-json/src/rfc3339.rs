//! Timestamps in the format of RFC 3339.

use core::fmt;

const DAY: u64 = 24 * 60 * 60 * 1000;
/// The last timestamp that servers write: 9999-12-30T22:00:00Z. RFC 3339 has four digits for the year, and the limit
/// leaves room for every time zone.
const LAST: u64 = 253_402_207_200_000;

/// Displays milliseconds since 1970 as a UTC timestamp.
///
/// The fraction has no trailing zeros, and is omitted if it is zero. Formatting fails for timestamps after
/// 9999-12-30T22:00:00Z.
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339(pub u64);

impl fmt::Display for Rfc3339 {
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

/// Returns year, month and day for a number of days since 1970 (Howard Hinnant's `civil_from_days`).
///
/// The calculation starts each year in March, so that a leap day is the last day of its year.
fn date(days: u64) -> (u64, u64, u64) {
    // Days since 0000-03-01, split into eras of 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::fmt::Write;
    use std::string::{String, ToString};

    use super::*;

    #[test]
    fn formats_dates_and_times() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_000, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (951_868_800_000, "2000-03-01T00:00:00Z"),
            (1_767_225_599_000, "2025-12-31T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (LAST, "9999-12-30T22:00:00Z"),
        ];
        for (time, text) in cases {
            assert_eq!(Rfc3339(time).to_string(), text);
        }
    }

    #[test]
    fn omits_trailing_zeros_of_the_fraction() {
        for (milli, fraction) in [(1, ".001"), (10, ".01"), (100, ".1"), (120, ".12"), (999, ".999")] {
            assert_eq!(Rfc3339(milli).to_string(), std::format!("1970-01-01T00:00:00{fraction}Z"));
        }
    }

    #[test]
    fn fails_after_the_last_timestamp() {
        for time in [LAST + 1, u64::MAX] {
            assert!(write!(String::new(), "{}", Rfc3339(time)).is_err());
        }
    }
}
