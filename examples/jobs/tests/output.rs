//! The program prints what ran, and what did not.

use std::process::Command;

#[test]
fn only_requests_and_jobs_with_valid_tokens_run() {
    let output = Command::new(env!("CARGO_BIN_EXE_example-jobs")).output().expect("the program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("a text");
    // The worker runs jobs beside each other.
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    let expected = [
        "sender: cannot sign a task without a tenant",
        "service: 400 Bad Request, because a proxy changed X-Tenant-ID",
        "service: 400 Bad Request, because the client had no tenant",
        "service: 401 Unauthorized, because another key signed the request",
        "service: invoice 17 accepted for acme",
        "service: invoice 17 accepted for globex",
        "worker: a job failed: malformed token: not a deterministic CBOR Web Token with the required claims",
        "worker: a job failed: payload and token do not match",
        "worker: sends invoice 17 of acme",
        "worker: sends invoice 17 of globex",
        "worker: sends invoice 19 of acme",
    ];
    assert_eq!(lines, expected);
}
