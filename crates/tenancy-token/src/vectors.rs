//! Example messages of the standards: the layer below the rules for claims, and why the rules reject each message.
//!
//! The messages are those of RFC 8392, appendix A, of RFC 9052, appendix C, and of the COSE working group's
//! collection, <https://github.com/cose-wg/Examples>. None of them is a token of this crate: none has a tenant.

use std::vec::Vec;

use crate::cose::{Algorithm, Covered};
use crate::error::TokenErrorKind;
use crate::key::TokenKey;
use crate::time::UnixSeconds;
use crate::verifier::Verifier;

extern crate std;

/// RFC 8392, appendix A.2.2: the 256-bit symmetric key, whose id is `Symmetric256`.
const CWT_KEY: &str = "403697de87af64611c1d32a05dab0fe1fcb715a86ab435f1ec99192d79569388";
/// The key `our-secret` of the COSE working group.
const COSE_KEY: &str = "849b57219dae48de646d07dbb533566e976686457c1491be3a76dcea6c427188";
/// RFC 8032, section 7.1, test 1: the public key, which the COSE working group calls `11`.
#[cfg(feature = "ed25519")]
const ED25519_KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/// RFC 8392, appendix A.1: the claims of most examples.
const CWT_CLAIMS: &str = "a70175636f61703a2f2f61732e6578616d706c652e636f6d02656572696b77037818636f61703a2f2f6c\
    696768742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f007420b71";
/// "This is the content." as a byte string.
const CONTENT: &str = "54546869732069732074686520636f6e74656e742e";

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hmac(kid: &[u8], secret: &str) -> TokenKey {
    TokenKey::hmac(kid, &bytes(secret)).unwrap()
}

/// Returns the step at which a message is rejected, by a verifier that has all keys of the examples.
fn rejected(message: &str) -> TokenErrorKind {
    let verifier = Verifier::<3>::new("coap://light.example.com")
        .key(hmac(b"Symmetric256", CWT_KEY))
        .and_then(|verifier| verifier.key(hmac(b"our-secret", COSE_KEY)));
    #[cfg(feature = "ed25519")]
    let verifier = verifier.and_then(|verifier| {
        verifier.key(TokenKey::ed25519_public(b"11", &bytes(ED25519_KEY).try_into().unwrap())?)
    });
    // The examples of RFC 8392 are valid at this time.
    verifier.unwrap().verify(&bytes(message), UnixSeconds(1_443_944_945)).unwrap_err().kind()
}

/// The code that a message has below the rules, computed by this crate.
fn code(key: &TokenKey, protected: &str, payload: &str) -> Vec<u8> {
    let covered = Covered { protected: &bytes(protected), payload: &bytes(payload) };
    key.sign(&covered).map(|signed| signed.as_bytes().to_vec()).unwrap()
}

#[test]
fn covers_what_the_examples_cover() {
    // HMAC-ENC-01, field `ToMac_hex`.
    let covered = Covered { protected: &bytes("43a10105"), payload: &bytes(CONTENT) };
    let expected = "84644d41433043a101054054546869732069732074686520636f6e74656e742e";
    assert_eq!(covered.parts(Algorithm::Hmac256).concat(), bytes(expected));
    // EdDSA-01, field `ToBeSign_hex`.
    #[cfg(feature = "ed25519")]
    {
        let covered = Covered { protected: &bytes("45a201270300"), payload: &bytes(CONTENT) };
        let expected = "846a5369676e61747572653145a2012703004054546869732069732074686520636f6e74656e742e";
        assert_eq!(covered.parts(Algorithm::EdDsa).concat(), bytes(expected));
    }
}

#[test]
fn computes_the_code_of_the_hmac_256_example() {
    let key = hmac(b"our-secret", COSE_KEY);
    let expected = bytes("a1a848d3471f9d61ee49018d244c824772f223ad4f935293f1789fc3a08d8c58");
    assert_eq!(code(&key, "43a10105", CONTENT), expected);
    let covered = Covered { protected: &bytes("43a10105"), payload: &bytes(CONTENT) };
    assert_eq!(key.verify(&covered, &expected), Ok(()));
}

/// These examples use HMAC 256/64, whose code is the start of that of HMAC 256/256.
#[test]
fn computes_the_codes_of_the_hmac_64_examples() {
    let a_4 = &code(&hmac(b"1", CWT_KEY), "43a10104", &std::format!("5850{CWT_CLAIMS}"))[..8];
    assert_eq!(a_4, bytes("093101ef6d789200"), "RFC 8392, appendix A.4");
    let a_7 = &code(&hmac(b"1", CWT_KEY), "43a10104", "4ba106fb41d584367c200000")[..8];
    assert_eq!(a_7, bytes("b8816f34c0542892"), "RFC 8392, appendix A.7");
    let enc_05 = &code(&hmac(b"1", COSE_KEY), "43a10104", CONTENT)[..8];
    assert_eq!(enc_05, bytes("11f9e357975fb849"), "HMAC-ENC-05");
}

#[cfg(feature = "ed25519")]
#[test]
fn computes_the_signature_of_the_ed25519_example() {
    let seed = bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let key = TokenKey::ed25519(b"11", &seed.try_into().unwrap()).unwrap();
    let expected = bytes(
        "7142fd2ff96d56db85bee905a76ba1d0b7321a95c8c4d3607c5781932b7afb8711497dfa751bf40b58b3bcc32300b1487f3d\
         b34085eef013bf08f4a44d6fef0d",
    );
    assert_eq!(code(&key, "45a201270300", CONTENT), expected);
    let public = TokenKey::ed25519_public(b"11", &bytes(ED25519_KEY).try_into().unwrap()).unwrap();
    let covered = Covered { protected: &bytes("45a201270300"), payload: &bytes(CONTENT) };
    assert_eq!(public.verify(&covered, &expected), Ok(()));
}

#[test]
fn rejects_each_example_for_its_own_reason() {
    use TokenErrorKind::{Algorithm, Malformed, Signature};
    let claims = CWT_CLAIMS;
    let code = "5820a1a848d3471f9d61ee49018d244c824772f223ad4f935293f1789fc3a08d8c58";
    let es256 = "58405427c1ff28d23fbad1f29c4c7c6a555e601d6fa29f9179bc3d7438bacaca5acd08c8d4d4f96131680c429a01\
        f85951ecee743a52b9b63632c57209120e1c9e30";
    let a_4 = std::format!("d83dd18443a10104a1044c53796d6d65747269633235365850{claims}48093101ef6d789200");
    let cases = [
        // ES256 is not supported. Its key id, AsymmetricECDSA256, is also too long.
        ("RFC 8392 A.3", Malformed, std::format!(
            "d28443a10126a104524173796d6d657472696345434453413235365850{claims}{es256}"
        )),
        ("RFC 8392 A.3, a shorter key id", Algorithm, std::format!("d28443a10126a10441315850{claims}{es256}")),
        // HMAC 256/64, a short code, is not supported.
        ("RFC 8392 A.4", Algorithm, a_4.clone()),
        ("RFC 8392 A.4 as HMAC 256/256", Signature, a_4.replace("43a10104", "43a10105")),
        // Encrypted messages.
        ("RFC 8392 A.5", Malformed, "d08343a1010aa2044c53796d6d6574726963313238054d99a0d7846e762c49ff\
            e8a63e0b5858b918a11fd81e438b7f973d9e2e119bcb22424ba0f38a80f27562f400ee1d0d6c0fdb559c02421fd384fc2e\
            be22d7071378b0ea7428fff157444d45f7e6afcda1aae5f6495830c58627087fc5b4974f319a8707a635dd643b".into()),
        ("RFC 8392 A.6, as in the collection", Malformed, "d08343a1010aa1054d86bbd41cc32604396324b7f38058a37243\
            9fbff538aa7b601ebfb29454050a3c99fd13b27216d084556496c7355c4bb462510f8e0e8479dbe08722d620e96bcb7764\
            d75140d96220f062679b46b897e7abe0c325dc2c96d8bb2c8334e3b92a42c0078983e753c054e647ad5387ed149f802f52\
            b5a95ebf5f153c4fd64854ab7531e082b7f22721f939d257c94f8bc248e1d9cf04f9dd4e5de7ab62df37842fabec230a65\
            7d4abf7162bc786345ebb8eb3af0".into()),
        ("RFC 8392 A.7", Algorithm, "d18443a10104a1044c53796d6d65747269633235364ba106fb41d584367c20000048b881\
            6f34c0542892".into()),
        // ES256.
        ("RFC 9052 C.2.1", Algorithm, std::format!("d28443a10126a104423131{CONTENT}58408eb33e4ca31d1c465ab05aac34\
            cc6b23d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36")),
        // AES-MAC, and no key id.
        ("RFC 9052 C.6.1", Malformed, std::format!("d18443a1010fa0{CONTENT}48726043745027214f")),
        ("RFC 9052 C.6.1, with a key id", Algorithm, std::format!(
            "d18443a1010fa1044a6f75722d736563726574{CONTENT}48726043745027214f"
        )),
        ("HMAC-ENC-01, no key id", Malformed, std::format!("d18443a10105a0{CONTENT}{code}")),
        // The code is right, so the content is read, and is not a map.
        ("HMAC-ENC-01, with a key id", Malformed, std::format!(
            "d18443a10105a1044a6f75722d736563726574{CONTENT}{code}"
        )),
        ("HMAC-ENC-01, a key id that is not covered", Signature, std::format!(
            "d18443a10105a1044c53796d6d6574726963323536{CONTENT}{code}"
        )),
        ("mac-fail-01, another tag", Malformed, std::format!(
            "d903e08443a10105a1044a6f75722d736563726574{CONTENT}{code}"
        )),
        ("mac-fail-02, another code", Signature, std::format!(
            "d18443a10105a1044a6f75722d736563726574{CONTENT}{}", code.replace("8c58", "8c59")
        )),
        ("mac-fail-03, an unknown algorithm", Algorithm, std::format!(
            "d18445a1013903e6a1044a6f75722d736563726574{CONTENT}{code}"
        )),
        ("mac-fail-04, an algorithm's name", Algorithm, std::format!(
            "d1844aa10167556e6b6e6f776ea1044a6f75722d736563726574{CONTENT}{code}"
        )),
        ("mac-fail-06, another header parameter", Malformed, std::format!(
            "d18445a201050300a1044a6f75722d736563726574{CONTENT}{code}"
        )),
        ("mac-pass-01, an algorithm that is not protected", Malformed, std::format!(
            "d18441a0a10105{CONTENT}5820176dce14c1e57430c13658233f41dc89aa4fa0ff9b8783f23b0ef51ca6b026bc"
        )),
        ("mac-pass-03, no tag", Malformed, std::format!(
            "8440a10105{CONTENT}5820176dce14c1e57430c13658233f41dc89aa4fa0ff9b8783f23b0ef51ca6b026bc"
        )),
        ("EdDSA-01, a content type", Malformed, std::format!("d28445a201270300a104423131{CONTENT}58407142fd2ff96d56db85bee905a76ba1d0b7321a95c8c4d3607c5781932b7afb8711497dfa751bf40b58\
            b3bcc32300b1487f3db34085eef013bf08f4a44d6fef0d")),
    ];
    for (name, expected, message) in cases {
        assert_eq!(rejected(&message), expected, "{name}");
    }
}
