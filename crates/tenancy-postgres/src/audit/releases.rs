//! Known vulnerabilities of the server, by release.
//!
//! The list has the vulnerabilities by which SQL can read or change data without permission, in the server or in the
//! extensions that are released with it. Vulnerabilities of clients, of replication and of authentication are not in
//! the list. Sources: the release notes of Postgres (`doc/src/sgml/release-*.sgml`,
//! <https://www.postgresql.org/support/security/>), and the changelog of Debian's package `postgresql-15` for the
//! releases of November 2026.

use std::time::{Duration, SystemTime};

use super::finding::{Finding, Severity};
use super::kind::FindingKind;

/// The date of the newest release in the list, and its day since 1970-01-01.
const UPDATED: (&str, u64) = ("2026-11-12", 20_769);

const DAY: u64 = 24 * 60 * 60;

/// One date on which minor releases of several versions appeared.
struct Release {
    date: &'static str,
    /// The first fixed minor release of each version that is affected.
    minors: &'static [(i32, i32)],
    /// Vulnerabilities by which SQL reads or changes rows that policies hide.
    policies: &'static [&'static str],
    /// Vulnerabilities by which SQL corrupts or reads memory, or gets the privileges of another role.
    others: &'static [&'static str],
}

const RELEASES: &[Release] = &[
    Release { date: "2022-05-12", minors: &[(14, 3)], policies: &[], others: &["CVE-2022-1552"] },
    Release { date: "2022-08-11", minors: &[(14, 5)], policies: &[], others: &["CVE-2022-2625"] },
    Release {
        date: "2023-05-11",
        minors: &[(14, 8), (15, 3)],
        // Policies for roles are applied to the wrong role after a function is inlined.
        policies: &["CVE-2023-2455"],
        others: &["CVE-2023-2454"],
    },
    Release { date: "2023-08-10", minors: &[(14, 9), (15, 4)], policies: &[], others: &["CVE-2023-39417"] },
    // MERGE did not apply policies of UPDATE and SELECT. Version 14 has no MERGE.
    Release { date: "2023-08-10", minors: &[(15, 4)], policies: &["CVE-2023-39418"], others: &[] },
    Release {
        date: "2023-11-09",
        minors: &[(14, 10), (15, 5), (16, 1)],
        policies: &[],
        others: &["CVE-2023-5868", "CVE-2023-5869"],
    },
    Release {
        date: "2024-02-08",
        minors: &[(14, 11), (15, 6), (16, 2)],
        policies: &[],
        others: &["CVE-2024-0985"],
    },
    // pg_stats_ext shows statistics of columns that the user cannot read.
    Release {
        date: "2024-05-09",
        minors: &[(14, 12), (15, 7), (16, 3)],
        policies: &[],
        others: &["CVE-2024-4317"],
    },
    Release {
        date: "2024-11-14",
        minors: &[(14, 14), (15, 9), (16, 5), (17, 1)],
        // A cached plan applies the policies of another role.
        policies: &["CVE-2024-10976"],
        others: &["CVE-2024-10978", "CVE-2024-10979"],
    },
    Release {
        date: "2025-05-08",
        minors: &[(14, 18), (15, 13), (16, 9), (17, 5)],
        policies: &[],
        others: &["CVE-2025-4207"],
    },
    // Statistics of rows that policies hide, in partitions and inheritance.
    Release {
        date: "2025-08-14",
        minors: &[(14, 19), (15, 14), (16, 10), (17, 6)],
        policies: &[],
        others: &["CVE-2025-8713"],
    },
    Release {
        date: "2025-11-13",
        minors: &[(14, 20), (15, 15), (16, 11), (17, 7), (18, 1)],
        policies: &[],
        others: &["CVE-2025-12817"],
    },
    Release {
        date: "2026-02-12",
        minors: &[(14, 21), (15, 16), (16, 12), (17, 8), (18, 2)],
        policies: &[],
        others: &["CVE-2026-2003", "CVE-2026-2004", "CVE-2026-2005", "CVE-2026-2006"],
    },
    Release { date: "2026-02-12", minors: &[(18, 2)], policies: &[], others: &["CVE-2026-2007"] },
    Release {
        date: "2026-05-14",
        minors: &[(14, 23), (15, 18), (16, 14), (17, 10), (18, 4)],
        policies: &[],
        others: &["CVE-2026-6472", "CVE-2026-6473", "CVE-2026-6474", "CVE-2026-6637"],
    },
    Release { date: "2026-05-14", minors: &[(18, 4)], policies: &[], others: &["CVE-2026-6575"] },
    Release {
        date: "2026-08-13",
        minors: &[(14, 24), (15, 19), (16, 15), (17, 11), (18, 6)],
        policies: &[],
        // CVE-2026-14666: a cached plan applies old policies after a membership or an attribute of a role has changed. The
        // policies of tenants' tables are the same for every role, so that a tenant gains nothing.
        others: &[
            "CVE-2026-14666",
            "CVE-2026-6469",
            "CVE-2026-6470",
            "CVE-2026-14662",
            "CVE-2026-14664",
            "CVE-2026-14668",
            "CVE-2026-14669",
            "CVE-2026-14670",
            "CVE-2026-14671",
            "CVE-2026-14673",
            "CVE-2026-14677",
            "CVE-2026-14678",
            "CVE-2026-14679",
            "CVE-2026-14680",
            "CVE-2026-15741",
            "CVE-2026-15742",
            "CVE-2026-16239",
            "CVE-2026-18024",
        ],
    },
    // The release notes of 17 do not have it.
    Release { date: "2026-08-13", minors: &[(15, 19), (18, 6)], policies: &[], others: &["CVE-2026-14676"] },
    Release { date: "2026-08-13", minors: &[(18, 6)], policies: &[], others: &["CVE-2026-16238"] },
    Release {
        date: "2026-11-12",
        minors: &[(14, 25), (15, 20), (16, 16), (17, 12), (18, 7)],
        // INSERT ... ON CONFLICT DO UPDATE reads, and by the first one also changes, rows that policies hide.
        policies: &["CVE-2026-16237", "CVE-2026-120154"],
        // Apart from CVE-2026-6460, the package's changelog names them without a description.
        others: &[
            "CVE-2026-6460",
            "CVE-2026-6467",
            "CVE-2026-14661",
            "CVE-2026-16240",
            "CVE-2026-18447",
            "CVE-2026-116303",
            "CVE-2026-116304",
            "CVE-2026-116306",
            "CVE-2026-116307",
            "CVE-2026-116308",
            "CVE-2026-116309",
            "CVE-2026-116311",
            "CVE-2026-116312",
            "CVE-2026-116314",
            "CVE-2026-116315",
            "CVE-2026-116316",
            "CVE-2026-116317",
            "CVE-2026-116319",
            "CVE-2026-116320",
            "CVE-2026-116321",
            "CVE-2026-116323",
            "CVE-2026-116326",
            "CVE-2026-116327",
            "CVE-2026-116328",
            "CVE-2026-116330",
            "CVE-2026-116331",
            "CVE-2026-116332",
            "CVE-2026-116335",
            "CVE-2026-116336",
            "CVE-2026-120139",
            "CVE-2026-120141",
            "CVE-2026-120143",
            "CVE-2026-120145",
            "CVE-2026-120146",
            "CVE-2026-120147",
            "CVE-2026-120148",
            "CVE-2026-120149",
            "CVE-2026-120150",
            "CVE-2026-120151",
            "CVE-2026-120153",
        ],
    },
];

/// The days after a release that fixes a bypass of policies, before its absence is a critical finding.
///
/// The delay gives operators time to update the server before an update of this crate stops the service.
const GRACE: u64 = 90;

/// The last day of each version, as the date and the day since 1970-01-01.
const ENDS: &[(i32, &str, u64)] = &[
    (14, "2026-11-12", 20_769),
    (15, "2027-11-11", 21_133),
    (16, "2028-11-09", 21_497),
    (17, "2029-11-08", 21_861),
    (18, "2030-11-14", 22_232),
];

/// Returns the findings about a server version on a date.
pub(super) fn findings(version: &str, number: i32, now: SystemTime) -> Vec<Finding> {
    let (major, minor) = (number / 10_000, number % 10_000);
    let day = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs() / DAY;
    [vulnerable(version, major, minor, day), ended(version, major, day), outdated(day)]
        .into_iter()
        .flatten()
        .collect()
}

fn vulnerable(version: &str, major: i32, minor: i32, day: u64) -> Option<Finding> {
    if major < 14 {
        return Some(finding(Severity::Critical, version, "install version 14 or later"));
    }
    let is_open = |release: &&Release| release.minors.iter().any(|&(of, fixed)| of == major && minor < fixed);
    let open: Vec<_> = RELEASES.iter().filter(is_open).collect();
    let newest = open.last()?;
    let fixed = newest.minors.iter().find(|(of, _)| *of == major).map(|(_, fixed)| *fixed)?;
    let policies: Vec<_> = open.iter().flat_map(|release| release.policies).copied().collect();
    let others: usize = open.iter().map(|release| release.others.len()).sum();
    let names = match (policies.is_empty(), others) {
        (true, _) => open.iter().flat_map(|release| release.others).copied().collect::<Vec<_>>().join(", "),
        (false, 0) => policies.join(", "),
        (false, others) => format!("{}, and {others} others", policies.join(", ")),
    };
    let is_due = |release: &&Release| !release.policies.is_empty() && day > day_of(release.date) + GRACE;
    let severity = if open.iter().any(is_due) { Severity::Critical } else { Severity::Warning };
    Some(finding(
        severity,
        version,
        &format!("install {major}.{fixed} of {} or later, which fixes {names}", newest.date),
    ))
}

/// Returns the number of days from 1970-01-01 to a date (`YYYY-MM-DD`).
fn day_of(date: &str) -> u64 {
    let mut parts = date.split('-').map(|part| part.parse::<u64>().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    let (year, month, day) = (next(), next(), next());
    // Years begin in March, so that the day of a leap year is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.saturating_sub(1), month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    // From the first of March of year 0.
    days.saturating_sub(719_469)
}

fn ended(version: &str, major: i32, day: u64) -> Option<Finding> {
    let (_, date, end) = ENDS.iter().find(|(of, ..)| *of == major)?;
    let remedy = format!("install a newer version: {major} gets no fixes after {date}");
    (day > *end).then(|| finding(Severity::Warning, version, &remedy))
}

fn outdated(day: u64) -> Option<Finding> {
    let remedy = "install the newest version of tenancy-postgres";
    let is_old = day > UPDATED.1 + 365;
    is_old.then(|| Finding {
        kind: FindingKind::VulnerabilityListOld,
        ..finding(Severity::Warning, UPDATED.0, remedy)
    })
}

fn finding(severity: Severity, object: &str, remedy: &str) -> Finding {
    let (object, remedy) = (object.to_owned(), remedy.to_owned());
    let (kind, sql, through, accepted) = (FindingKind::ServerVersion, Vec::new(), None, None);
    Finding { severity, kind, object, remedy, sql, through, accepted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(day: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(day * DAY)
    }

    /// Returns the severities and remedies for a version on the list's date.
    fn of(number: i32) -> Vec<(Severity, String)> {
        let findings = findings("x", number, on(UPDATED.1));
        findings.into_iter().map(|finding| (finding.severity, finding.remedy)).collect()
    }

    #[test]
    fn the_newest_release_of_each_version_has_no_finding() {
        for number in [140_025, 150_020, 160_016, 170_012, 180_007, 190_000] {
            assert_eq!(of(number), [], "{number}");
        }
    }

    #[test]
    fn each_release_before_the_newest_has_a_finding() {
        let newest = RELEASES.last().expect("a release");
        for (major, fixed) in newest.minors {
            for minor in 0..*fixed {
                let [(severity, remedy)] = &of(major * 10_000 + minor)[..] else { panic!("{major}.{minor}") };
                let is_before = |release: &Release| {
                    release.minors.iter().any(|&(of, fixed)| of == *major && minor < fixed)
                        && !release.policies.is_empty()
                };
                let is_due = RELEASES[..RELEASES.len() - 1].iter().any(is_before);
                let expected = if is_due { Severity::Critical } else { Severity::Warning };
                assert_eq!(*severity, expected, "{major}.{minor}");
                assert!(
                    remedy.starts_with(&format!("install {major}.{fixed} of 2026-11-12 or later")),
                    "{remedy}"
                );
            }
        }
        assert_eq!(of(130_023)[0].0, Severity::Critical);
    }

    #[test]
    fn a_way_around_policies_is_critical_after_90_days() {
        let severity = |day| findings("x", 150_019, on(day))[0].severity;
        let released = day_of(RELEASES.last().expect("a release").date);
        assert_eq!(severity(released), Severity::Warning);
        assert_eq!(severity(released + 90), Severity::Warning);
        assert_eq!(severity(released + 91), Severity::Critical);
    }

    #[test]
    fn counts_days_like_the_calendar() {
        for (date, day) in [("1970-01-01", 0), ("2000-02-29", 11_016), ("2000-03-01", 11_017)] {
            assert_eq!(day_of(date), day, "{date}");
        }
        assert_eq!(day_of(UPDATED.0), UPDATED.1);
        assert!(ENDS.iter().all(|(_, date, day)| day_of(date) == *day));
    }

    #[test]
    fn names_what_is_not_fixed() {
        let names = |number| of(number)[0].1.clone();
        assert!(
            names(150_019).ends_with("fixes CVE-2026-16237, CVE-2026-120154, and 40 others"),
            "{}",
            names(150_019)
        );
        assert!(names(150_018).starts_with(&names(150_019)[..20]), "policies come first");
        assert!(names(150_003).contains("CVE-2023-39418"));
        assert!(!names(140_008).contains("CVE-2023-39418"), "version 14 has no MERGE");
        assert!(!names(150_004).contains("CVE-2023-39418"));
    }

    #[test]
    fn a_vulnerability_counts_until_its_release() {
        let count = |name: &str, number: i32| -> usize {
            let (major, minor) = (number / 10_000, number % 10_000);
            let fixes = RELEASES.iter().filter(|release| release.others.contains(&name));
            fixes.filter(|r| r.minors.iter().any(|&(of, fixed)| of == major && minor < fixed)).count()
        };
        for (name, fixes) in [
            ("CVE-2026-6473", [140_023, 150_018, 160_014, 170_010, 180_004]),
            ("CVE-2026-14666", [140_024, 150_019, 160_015, 170_011, 180_006]),
        ] {
            for fixed in fixes {
                assert_eq!((count(name, fixed - 1), count(name, fixed)), (1, 0), "{name}, {fixed}");
            }
        }
    }

    #[test]
    fn warns_when_the_list_is_older_than_a_year() {
        let kinds = |day| -> Vec<_> {
            findings("x", 180_007, on(day)).into_iter().map(|f| (f.severity, f.kind, f.object)).collect()
        };
        assert_eq!(kinds(UPDATED.1 + 365), []);
        let old = (Severity::Warning, FindingKind::VulnerabilityListOld, "2026-11-12".to_owned());
        assert_eq!(kinds(UPDATED.1 + 366), [old]);
    }

    #[test]
    fn warns_when_a_version_gets_no_fixes_any_more() {
        let remedies = |day| findings("14.25", 140_025, on(day)).len();
        assert_eq!((remedies(20_769), remedies(20_770)), (0, 1));
    }

    #[test]
    fn dates_and_days_agree() {
        // Days since 1970-01-01 by the rule of the Gregorian calendar.
        let day = |date: &str| {
            let mut parts = date.split('-').map(|part| part.parse::<i64>().expect("a number"));
            let (year, month, day) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
            let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
            u64::try_from(days - 719_468).expect("after 1970")
        };
        assert_eq!(day("1970-01-01"), 0);
        assert_eq!(day(UPDATED.0), UPDATED.1);
        assert_eq!(RELEASES.last().map(|release| release.date), Some(UPDATED.0));
        for (_, date, end) in ENDS {
            assert_eq!(day(date), *end, "{date}");
        }
        assert!(RELEASES.is_sorted_by_key(|release| day(release.date)));
    }
}
