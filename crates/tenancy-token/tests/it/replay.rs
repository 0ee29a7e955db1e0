//! Each token once.

use tenancy_token::{Claims, ReplayGuard, TokenErrorKind, UnixSeconds, Verifier};

use crate::support::*;

/// A token with this id that expires this many seconds after `NOW`.
fn token(id: &[u8], lifetime: u64) -> Vec<u8> {
    mint(&key(), &Claims::new(TENANT, "jobs", NOW.after(lifetime)).id(id))
}

fn accept<const N: usize>(
    guard: &mut ReplayGuard<N>,
    token: &[u8],
    now: UnixSeconds,
) -> Option<TokenErrorKind> {
    // At a time at which the token is valid: the guard decides on its own.
    guard.accept(&expect(verifier().verify(token, NOW)), now).err().map(|error| error.kind())
}

#[test]
fn accepts_a_token_once() {
    let mut guard = ReplayGuard::<4>::new();
    let (one, two) = (token(b"11111111", 300), token(b"22222222", 300));
    assert_eq!(accept(&mut guard, &one, NOW), None);
    assert_eq!(accept(&mut guard, &one, NOW), Some(TokenErrorKind::Replayed));
    assert_eq!(accept(&mut guard, &two, NOW), None);
    assert_eq!(accept(&mut guard, &one, NOW.after(299)), Some(TokenErrorKind::Replayed));
    // The optional tag changes the bytes of a token, but not its identity.
    let tagged = [&[0xd8, 61], &two[..]].concat();
    assert_eq!(accept(&mut guard, &tagged, NOW), Some(TokenErrorKind::Replayed));
}

#[test]
fn ids_that_are_padded_alike_are_different() {
    let mut guard = ReplayGuard::<4>::new();
    assert_eq!(accept(&mut guard, &token(&[0; 8], 300), NOW), None);
    assert_eq!(accept(&mut guard, &token(&[0; 9], 300), NOW), None);
    assert_eq!(accept(&mut guard, &token(&[0; 16], 300), NOW), None);
    assert_eq!(accept(&mut guard, &token(&[0; 9], 300), NOW), Some(TokenErrorKind::Replayed));
}

#[test]
fn tenants_do_not_affect_the_ids_of_others() {
    let mut guard = ReplayGuard::<4>::new();
    let other = mint(&key(), &Claims::new(OTHER, "jobs", NOW.after(300)).id(b"11111111"));
    assert_eq!(accept(&mut guard, &other, NOW), None);
    assert_eq!(accept(&mut guard, &token(b"11111111", 300), NOW), None);
}

#[test]
fn rejects_tokens_without_an_id() {
    let mut guard = ReplayGuard::<4>::new();
    assert_eq!(accept(&mut guard, &mint(&key(), &claims()), NOW), Some(TokenErrorKind::Replayed));
}

#[test]
fn full_guard_rejects_new_tokens_until_one_expires() {
    let mut guard = ReplayGuard::<2>::new();
    let [one, two, three] =
        [(b"11111111", 10), (b"22222222", 20), (b"33333333", 30)].map(|(id, life)| token(id, life));
    assert_eq!(accept(&mut guard, &one, NOW), None);
    assert_eq!(accept(&mut guard, &two, NOW), None);
    assert_eq!(accept(&mut guard, &three, NOW), Some(TokenErrorKind::Full));
    assert_eq!(accept(&mut guard, &one, NOW), Some(TokenErrorKind::Replayed));
    assert_eq!(accept(&mut guard, &three, NOW.after(9)), Some(TokenErrorKind::Full));
    assert_eq!(accept(&mut guard, &three, NOW.after(10)), None);
    assert_eq!(accept(&mut guard, &two, NOW.after(10)), Some(TokenErrorKind::Replayed));
    assert_eq!(accept(&mut ReplayGuard::<0>::new(), &one, NOW), Some(TokenErrorKind::Full));
}

#[test]
fn forgets_nothing_that_a_clock_makes_valid_again() {
    let mut guard = ReplayGuard::<2>::new();
    let [one, two] = [(b"11111111", 10), (b"22222222", 300)].map(|(id, life)| token(id, life));
    assert_eq!(accept(&mut guard, &one, NOW), None);
    // The clock is ahead for a while; the entry is overwritten or not, and the clock goes back.
    assert_eq!(accept(&mut guard, &two, NOW.after(60)), None);
    assert_eq!(accept(&mut guard, &one, NOW), Some(TokenErrorKind::Expired));
}

#[test]
fn remembers_ids_as_long_as_the_leeway_accepts_them() {
    let mut guard = ReplayGuard::<1>::new();
    let verifier = Verifier::<1>::new("jobs").key(key()).unwrap().leeway(30);
    let token = token(b"11111111", 10);
    let late = NOW.after(39);
    assert!(guard.accept(&expect(verifier.verify(&token, NOW)), NOW).is_ok());
    // Another token does not replace it while it is still accepted.
    let another = mint(&key(), &claims().id(b"22222222"));
    let full = guard.accept(&expect(verifier.verify(&another, NOW)), NOW.after(39));
    assert_eq!(kind(full), TokenErrorKind::Full);
    let again = guard.accept(&expect(verifier.verify(&token, late)), late);
    assert_eq!(kind(again), TokenErrorKind::Replayed);
    assert_eq!(kind(verifier.verify(&token, NOW.after(40))), TokenErrorKind::Expired);
}
