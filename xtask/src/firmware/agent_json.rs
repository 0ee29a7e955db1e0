//! Compares the JSON that the firmware writes with the JSON that servers write.

use std::fmt::Write;

use firmware_agent_json::{Quoted, Rfc3339, write_agent};
use tenancy_agents::{Agent, UnixMillis};

/// 9999-12-30T22:00:00Z.
const LAST: u64 = 253_402_207_200_000;

#[test]
fn escapes_every_character_as_servers_do() {
    for char in '\0'..=char::MAX {
        let text = format!("a{char}b");
        assert_eq!(Quoted(&text).to_string(), servers(&text), "{char:?}");
    }
}

#[test]
fn escapes_quotes() {
    let text = r#"","status":"active","x":"\"#;
    assert_eq!(Quoted(text).to_string(), r#""\",\"status\":\"active\",\"x\":\"\\""#);
}

#[test]
fn writes_times_as_servers_do() {
    // An odd step of about 4 days produces all hours and fractions.
    for time in (0..=LAST).step_by(345_678_901) {
        assert_eq!(format!("\"{}\"", Rfc3339(time)), servers(&UnixMillis(time)));
    }
    for time in [1, 10, 100, 999, 1000, 951_782_399_999, 951_782_400_000, 4_107_542_399_999, LAST] {
        assert_eq!(format!("\"{}\"", Rfc3339(time)), servers(&UnixMillis(time)));
    }
    assert_eq!(Rfc3339(1_767_225_600_010).to_string(), "2026-01-01T00:00:00.01Z");
}

#[test]
fn rejects_times_that_servers_reject() {
    for time in [LAST + 1, u64::MAX] {
        assert!(write!(String::new(), "{}", Rfc3339(time)).is_err());
        assert!(serde_json::to_string(&UnixMillis(time)).is_err());
    }
}

#[test]
fn writes_agents_as_servers_do() {
    let new = r#"{"id":"0192f0c1-2345-7abc-8def-0123456789ab","tenant":"550e8400-e29b-41d4-a716-446655440000",
        "name":"triage","display_name":"\"Triage\"","description":"Sorts\ttickets","version":"1.0.0",
        "tier":"standard","visibility":"private","capabilities":[],"endpoint":"","owner":"","card":null,
        "status":"draft","revision":1,"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z",
        "last_seen_at":null}"#;
    let used = new
        .replace("[]", r#"["chat","mail"]"#)
        .replace(r#""endpoint":"""#, r#""endpoint":"https://agents.example/""#)
        .replace("standard", "premium")
        .replace("private", "shared")
        .replace("draft", "active")
        .replace(r#""last_seen_at":null"#, r#""last_seen_at":"2026-01-01T00:00:00.5Z""#);
    for text in [new, &used] {
        let agent: Agent = serde_json::from_str(text).expect("a valid agent");
        let mut written = String::new();
        write_agent(&agent, &mut written).expect("its times are in range");
        assert_eq!(written, servers(&agent));
    }
}

fn servers(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("the value can be written")
}
