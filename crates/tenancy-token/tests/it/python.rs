//! Python's `cwt` and `pycose` accept the tokens of this crate, and this crate accepts theirs.
//!
//! `cargo xtask test` installs both and sets `TENANCY_TOKEN_PYTHON` to the interpreter that finds them. Without the
//! variable the test does nothing.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tenancy_token::{Claims, TokenKey, UnixSeconds, Verified, Verifier};

use crate::support::*;

/// 2100-01-01. `cwt` compares with the system's time, so the token must not have expired.
const EXPIRES_AT: UnixSeconds = UnixSeconds(4_102_444_800);
const PAST: UnixSeconds = UnixSeconds(1_764_547_200);
/// A time at which all tokens are valid, also those to which `cwt` adds the current time as their first valid time.
const BEFORE_EXPIRY: UnixSeconds = UnixSeconds(EXPIRES_AT.0 - 1);
const ID: &[u8] = b"0123456789ab";
const JOB: &[u8] = b"{\"invoice\":17}";
const OPTIONAL: u32 = 6;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn from_hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("a text of hexadecimal digits");
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits")).collect()
}

/// A combination of optional claims: one bit for each.
#[derive(Clone, Copy)]
struct Combination(u32);

impl Combination {
    fn has(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }

    fn claims(self) -> Claims<'static> {
        let mut claims = Claims::new(TENANT, "jobs", EXPIRES_AT);
        if self.has(0) {
            claims = claims.issuer("cloud");
        }
        if self.has(1) {
            claims = claims.subject("device \u{fc}");
        }
        if self.has(2) {
            claims = claims.not_before(PAST);
        }
        if self.has(3) {
            claims = claims.issued_at(PAST);
        }
        if self.has(4) {
            claims = claims.id(ID);
        }
        if self.has(5) {
            claims = claims.payload(JOB);
        }
        claims
    }

    /// The same claims for Python: label, type and value.
    fn described(self) -> Value {
        let digest = <sha2::Sha256 as sha2::Digest>::digest(JOB);
        let optional = [
            json!([1, "text", "cloud"]),
            json!([2, "text", "device \u{fc}"]),
            json!([5, "integer", PAST.0]),
            json!([6, "integer", PAST.0]),
            json!([7, "bytes", hex(ID)]),
            json!([-70_002, "bytes", hex(&digest)]),
        ];
        let present = (0..).zip(optional).filter(|(bit, _)| self.has(*bit)).map(|(_, claim)| claim);
        let required = [
            json!([3, "text", "jobs"]),
            json!([4, "integer", EXPIRES_AT.0]),
            json!([-70_001, "bytes", hex(TENANT.as_bytes())]),
        ];
        present.chain(required).collect()
    }

    /// Checks that a token of `minter` has exactly these claims.
    fn check(self, verifier: &Verifier<1>, token: &[u8], minter: &str) {
        let sealed = self.has(5);
        let read = |sealed| {
            if sealed {
                verifier.open(token, JOB, BEFORE_EXPIRY)
            } else {
                verifier.verify(token, BEFORE_EXPIRY)
            }
        };
        let read_claims: Verified<'_> = read(sealed).unwrap_or_else(|error| panic!("{minter}: {error}"));
        assert!(read(!sealed).is_err(), "{minter}");
        assert_eq!((read_claims.tenant(), read_claims.expires_at()), (TENANT, EXPIRES_AT));
        assert_eq!(read_claims.issuer(), self.has(0).then_some("cloud"));
        assert_eq!(read_claims.subject(), self.has(1).then_some("device \u{fc}"));
        assert_eq!(read_claims.id(), self.has(4).then_some(ID));
        match read_claims.issued_at() {
            // `cwt` adds the current time.
            Some(time) if !self.has(3) => assert!(minter == "cwt" && time > PAST, "{minter}"),
            time => assert_eq!(time, self.has(3).then_some(PAST), "{minter}"),
        }
    }
}

struct Case {
    combination: Combination,
    verifier: Verifier<1>,
    described: Value,
}

fn cases() -> Vec<Case> {
    let secrets = [
        ("hmac", TokenKey::hmac(KID, &SECRET)),
        #[cfg(feature = "ed25519")]
        ("ed25519", TokenKey::ed25519(KID, &SECRET)),
    ];
    let algorithms = secrets.into_iter().map(|(algorithm, key)| (algorithm, key.expect("a key")));
    let combinations =
        algorithms.flat_map(|key| (0..1 << OPTIONAL).map(move |bits| (key.clone(), Combination(bits))));
    combinations
        .map(|((algorithm, key), combination)| Case {
            combination,
            described: json!({
                "algorithm": algorithm, "kid": hex(KID), "key": hex(&SECRET), "claims": combination.described(),
                "token": hex(&mint(&key, &combination.claims())),
            }),
            verifier: Verifier::new("jobs").key(key).expect("room for a key"),
        })
        .collect()
}

#[test]
#[ignore = "needs Python's cwt and pycose"]
fn python_reads_and_writes_the_same_tokens() {
    let Some(python) = env::var_os("TENANCY_TOKEN_PYTHON") else { return };
    let cases = cases();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/tokens.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut input = child.stdin.take().expect("a pipe");
    let lines: Vec<_> = cases.iter().map(|case| case.described.to_string() + "\n").collect();
    // In a thread: both pipes can be full at the same time.
    let writer = std::thread::spawn(move || input.write_all(lines.concat().as_bytes()));
    let output = child.wait_with_output().expect("the interpreter ends");
    let _ = writer.join().expect("no panic");
    assert!(output.status.success(), "the script failed, see above");
    let printed = String::from_utf8(output.stdout).expect("text");
    assert_eq!(printed.lines().count(), cases.len());
    for (case, line) in cases.iter().zip(printed.lines()) {
        let tokens: Value = serde_json::from_str(line).expect("a JSON object");
        for minter in ["cwt", "protected", "unprotected"] {
            case.combination.check(&case.verifier, &from_hex(&tokens[minter]), minter);
        }
    }
    println!("{} combinations, {} tokens of Python", cases.len(), 3 * cases.len());
}
