//! Errors name the step, and repeat nothing of the token.

use tenancy_token::{TokenErrorKind, Verifier};

use crate::support::*;

#[test]
fn errors_and_debug_output_repeat_no_token_and_no_key() {
    let marker = "Zq7-secret-marker";
    let minted = claims().subject(marker).issuer(marker).id(marker.as_bytes().get(..16).unwrap());
    let secret = *b"Zq7-secret-marker-of-32-bytes!!!";
    let key = tenancy_token::TokenKey::hmac(KID, &secret).unwrap();
    let token = mint(&key, &minted);
    let verified = Verifier::<1>::new("jobs").key(key.clone()).unwrap();
    let verified_token = expect(verified.verify(&token, NOW));
    let error = verifier().verify(&token, NOW).unwrap_err();
    for shown in [
        format!("{key:?}"),
        format!("{minted:?}"),
        format!("{verified:?}"),
        format!("{verified_token:?}"),
        format!("{error:?} {error}"),
    ] {
        assert!(!shown.contains("Zq7") && !shown.contains("90, 113, 55"), "{shown}");
    }
}

#[test]
fn each_kind_has_its_own_message() {
    use TokenErrorKind::*;
    let expired = verifier().verify(&mint(&key(), &claims()), NOW.after(300)).unwrap_err();
    assert_eq!((expired.kind(), expired.to_string().as_str()), (Expired, "token has expired"));
    let malformed = verifier().verify(b"", NOW).unwrap_err();
    assert_eq!(malformed.kind(), Malformed);
    assert_ne!(malformed.to_string(), expired.to_string());
    let error: &dyn std::error::Error = &malformed;
    assert!(error.source().is_none());
}
