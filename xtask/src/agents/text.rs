//! What the device writes of texts and times, held against what hosts write.

#[path = "../../../examples/firmware/cortex-m/src/bin/http/json.rs"]
mod json;
#[path = "../../../examples/firmware/cortex-m/src/bin/http/rfc3339.rs"]
mod rfc3339;

use std::fmt::Write;

use tenancy_agents::UnixMillis;

use json::Quoted;
use rfc3339::Rfc3339;

/// 9999-12-30T22:00:00Z.
const LAST: u64 = 253_402_207_200_000;

#[test]
fn every_character_is_escaped_as_hosts_do() {
    for char in '\0'..=char::MAX {
        let text = format!("a{char}b");
        assert_eq!(Quoted(&text).to_string(), hosts(&text), "{char:?}");
    }
}

#[test]
fn a_text_cannot_end_its_quotes() {
    let text = r#"","status":"active","x":"\"#;
    assert_eq!(Quoted(text).to_string(), r#""\",\"status\":\"active\",\"x\":\"\\""#);
}

#[test]
fn times_are_as_hosts_write_them() {
    // A step of about 4 days, odd, so that all hours and fractions come.
    for time in (0..=LAST).step_by(345_678_901) {
        assert_eq!(format!("\"{}\"", Rfc3339(time)), hosts(&UnixMillis(time)));
    }
    for time in [1, 10, 100, 999, 1000, 951_782_399_999, 951_782_400_000, 4_107_542_399_999, LAST] {
        assert_eq!(format!("\"{}\"", Rfc3339(time)), hosts(&UnixMillis(time)));
    }
    assert_eq!(Rfc3339(1_767_225_600_010).to_string(), "2026-01-01T00:00:00.01Z");
}

#[test]
fn behind_the_last_time_of_hosts_there_is_none() {
    for time in [LAST + 1, u64::MAX] {
        assert!(write!(String::new(), "{}", Rfc3339(time)).is_err());
        assert!(serde_json::to_string(&UnixMillis(time)).is_err());
    }
}

fn hosts(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("it can be written")
}
