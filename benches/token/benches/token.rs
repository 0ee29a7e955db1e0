//! The figures `token/…`: `cargo xtask bench token`.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use bench_harness::{Table, Timed, peer, subject};
use jsonwebtoken::crypto::{CryptoProvider, KeyUtils, aws_lc, rust_crypto};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use tenancy::TenantId;
use tenancy_token::{Claims, MAX_TOKEN, TokenKey, UnixSeconds, Verifier};

const SECRET: [u8; 32] = [7; 32];
const ID: &[u8] = b"12345678";
/// 2100-01-01: the peer compares with the system's time.
const EXPIRES_AT: UnixSeconds = UnixSeconds(4_102_444_800);

/// The same claims for the peer.
#[derive(Serialize, Deserialize)]
struct JwtClaims {
    aud: String,
    exp: u64,
    jti: String,
    tenant: String,
}

/// Which of its backends the peer uses: a process can install only one.
static USES_AWS_LC: AtomicBool = AtomicBool::new(false);

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| (backend().signer_factory)(algorithm, key),
    verifier_factory: |algorithm, key| (backend().verifier_factory)(algorithm, key),
    key_utils: KeyUtils::new_unimplemented(),
};

fn backend() -> &'static CryptoProvider {
    if USES_AWS_LC.load(Ordering::Relaxed) {
        &aws_lc::DEFAULT_PROVIDER
    } else {
        &rust_crypto::DEFAULT_PROVIDER
    }
}

/// Times the peer with each of its backends.
fn both(body: fn(&Jwt), jwt: &Jwt) -> [Timed<'_>; 2] {
    let by = |name, uses_aws_lc| {
        peer(name, move |_| {
            USES_AWS_LC.store(uses_aws_lc, Ordering::Relaxed);
            body(jwt);
        })
    };
    [by("jsonwebtoken, aws-lc", true), by("jsonwebtoken, rust-crypto", false)]
}

struct Jwt {
    claims: JwtClaims,
    validation: Validation,
    token: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Jwt {
    fn new() -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&["jobs"]);
        let claims = JwtClaims {
            aud: "jobs".into(),
            exp: EXPIRES_AT.0,
            jti: "MTIzNDU2Nzg".into(),
            tenant: TenantId::PLATFORM.to_text().as_str().into(),
        };
        let encoding = EncodingKey::from_secret(&SECRET).expect("a secret");
        let token = jsonwebtoken::encode(&Header::default(), &claims, &encoding).expect("a token");
        let decoding = DecodingKey::from_secret(&SECRET).expect("a secret");
        Self { claims, validation, token, encoding, decoding }
    }

    /// Verifies the token, and parses the tenant, which this format carries as text.
    fn verify(&self) {
        let decoded =
            jsonwebtoken::decode::<JwtClaims>(black_box(&self.token), &self.decoding, &self.validation);
        let claims = decoded.expect("the token is accepted").claims;
        black_box(TenantId::parse(&claims.tenant).expect("a tenant"));
    }

    fn mint(&self) {
        let token = jsonwebtoken::encode(&Header::default(), black_box(&self.claims), &self.encoding);
        black_box(token.expect("a token"));
    }
}

fn main() {
    PROVIDER.install_default().expect("the first provider");
    let table = Table::from_args();
    let jwt = &Jwt::new();
    let key = &TokenKey::hmac(b"k1", &SECRET).expect("a key");
    let claims = Claims::new(TenantId::PLATFORM, "jobs", EXPIRES_AT).id(ID);
    let mut buffer = [0; MAX_TOKEN];
    let token = key.mint(&claims, &mut buffer).expect("a token");
    let verifier = Verifier::<2>::new("jobs").key(key.clone()).expect("room for a key");
    let now = UnixSeconds::now().expect("a clock");

    let [aws_lc, rust_crypto] = both(Jwt::verify, jwt);
    table.row(
        "token/verify",
        subject(|_| _ = black_box(verifier.verify(black_box(token), now).expect("the token is accepted"))),
        [aws_lc.target(0.5), rust_crypto.target(0.5)],
    );
    table.row(
        "token/mint",
        subject(|_| {
            let mut buffer = [0; MAX_TOKEN];
            let claims = Claims::new(TenantId::PLATFORM, "jobs", black_box(EXPIRES_AT)).id(ID);
            _ = black_box(key.mint(&claims, &mut buffer).expect("a token"));
        }),
        both(Jwt::mint, jwt),
    );
}
