//! The tenants of the program `http`, and the header lines that every server of this repository is tested with.

use tenancy_testkit::header_cases::{self, Ids};

pub(crate) const ACTIVE: [&str; 2] =
    ["550e8400-e29b-41d4-a716-446655440000", "6ba7b810-9dad-41d1-80b4-00c04fd430c8"];
pub(crate) const SUSPENDED: &str = "7d444840-9dc0-41d1-b245-5ffdce74fad2";
/// An id that no tenant has.
pub(crate) const UNKNOWN: &str = "11111111-1111-4111-8111-111111111111";

/// The key of the device's tokens, as the build's environment gives it to the program `http`.
pub(crate) const TOKEN_KEY_HEX: &str = "7465737473206f6e6c793a20746865206b6579206f6620746865206465766963";

/// The same key.
pub(crate) const TOKEN_KEY: &[u8; 32] = b"tests only: the key of the devic";

/// Header lines of a request, and the status of the response.
pub(crate) struct Case {
    /// Where the case comes from, for messages.
    pub(crate) origin: String,
    pub(crate) status: u16,
    pub(crate) fields: Vec<u8>,
}

/// Returns the shared cases, and those that only the device rejects, because its memory is small.
pub(crate) fn cases() -> Vec<Case> {
    let ids = Ids { one: ACTIVE[0], other: ACTIVE[1], suspended: SUSPENDED, unknown: UNKNOWN };
    let shared = header_cases::cases(ids).into_iter().map(|case| Case {
        origin: format!("line {} of the header cases", case.line),
        status: case.status,
        fields: case.fields,
    });
    let too_large = [
        format!("X-Tenant-ID: {}\r\n", "a".repeat(5_000)),
        "A: b\r\n".repeat(30),
        format!("{}X-Tenant-ID: {}\r\n", "A: b\r\n".repeat(24), ACTIVE[0]),
    ];
    let too_large = too_large.map(|fields| Case {
        origin: "too large for the device".to_owned(),
        status: 431,
        fields: fields.into_bytes(),
    });
    shared.chain(too_large).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_key_are_equal() {
        assert_eq!(TOKEN_KEY_HEX.len(), 64);
        for (at, byte) in TOKEN_KEY.iter().enumerate() {
            assert_eq!(u8::from_str_radix(&TOKEN_KEY_HEX[2 * at..2 * at + 2], 16), Ok(*byte));
        }
    }

    /// The device has 1 kB and 20 lines for a request head, some of which the client's own lines use.
    #[test]
    fn shared_cases_fit_into_the_memory_of_the_device() {
        for Case { origin, fields, .. } in cases().into_iter().filter(|case| case.status != 431) {
            assert!(fields.len() < 900, "{origin}: {} bytes", fields.len());
            let lines = fields.split(|byte| *byte == b'\n').count();
            assert!(lines <= 20, "{origin}: {lines} lines");
        }
    }
}
