//! A program of its own, because the global allocator belongs to the process.
//!
//! Nothing in this crate allocates, not even for hostile input.

use std::fmt::{self, Write};
use std::hint::black_box;

use tenancy::TenantId;
use tenancy_testkit::allocations::{CountingAllocator, count};
use tenancy_token::{
    Claims, MAX_TEXT, MAX_TOKEN, ReplayGuard, TimeFloor, TokenKey, UnixSeconds, Verifier, decode_text,
    encode_text,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const NOW: UnixSeconds = UnixSeconds(1_796_083_200);

/// Accepts text, and stores nothing.
struct Sink;

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        black_box(text);
        Ok(())
    }
}

#[test]
fn counter_counts_an_allocation() {
    assert_eq!(count(|| drop(black_box(Box::new(1)))), 1);
}

/// Mints and verifies with this key.
fn whole_life(key: &TokenKey) {
    let claims = Claims::new(TenantId::PLATFORM, "jobs", NOW.after(300))
        .issuer("cloud")
        .subject("device")
        .id(b"12345678")
        .issued_at(NOW)
        .payload(b"job");
    let (mut buffer, mut text, mut decoded) = ([0; MAX_TOKEN], [0; MAX_TEXT], [0; MAX_TOKEN]);
    let token = key.mint(&claims, &mut buffer).expect("a token");
    let text = encode_text(token, &mut text).expect("a large enough buffer");
    let token = decode_text(text, &mut decoded).expect("a token");
    let verifier = Verifier::<2>::new("jobs").key(key.clone()).expect("room for a key");
    let opened = verifier.open(token, b"job", NOW).expect("the token is accepted");
    let (mut guard, mut floor) = (ReplayGuard::<4>::new(), TimeFloor::new());
    assert!(guard.accept(&opened, NOW).is_ok() && guard.accept(&opened, NOW).is_err());
    assert!(floor.observe(&opened));
    // The context has tests of its own: the first use of a feature of it may register a thread.
    assert_eq!(opened.tenant(), TenantId::PLATFORM);
    for at in 0..token.len() {
        let error = verifier.verify(&token[..at], NOW).expect_err("not a whole token");
        write!(Sink, "{error} {error:?}").expect("a sink accepts all text");
    }
}

#[test]
fn minting_and_verifying_allocates_nothing() {
    let key = TokenKey::hmac(b"1", &[7; 32]).expect("a key");
    assert_eq!(count(|| whole_life(&key)), 0);
    #[cfg(feature = "ed25519")]
    {
        let key = TokenKey::ed25519(b"1", &[7; 32]).expect("a key");
        assert_eq!(count(|| whole_life(&key)), 0);
    }
}

#[test]
fn hostile_input_allocates_nothing() {
    let verifier = Verifier::<1>::new("jobs").key(TokenKey::hmac(b"1", &[7; 32]).unwrap()).unwrap();
    let huge = vec![0x9f; 1 << 20];
    let text = "A".repeat(1 << 20);
    let allocations = count(|| {
        assert!(verifier.verify(black_box(&huge), NOW).is_err());
        assert!(
            verifier
                .verify(black_box(&[0xd1, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), NOW)
                .is_err()
        );
        assert!(decode_text(black_box(&text), &mut [0; MAX_TOKEN]).is_err());
    });
    assert_eq!(allocations, 0);
}
