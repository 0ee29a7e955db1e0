//! The figures `token/…`: `cargo xtask bench token`.

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bench_harness::{Table, Timed, peer, subject};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use jsonwebtoken::crypto::{CryptoProvider, KeyUtils, aws_lc, rust_crypto};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use tenancy::{TenantContext, TenantFutureExt, TenantId, TenantStatus};
use tenancy_token::{Claims, MAX_TEXT, MAX_TOKEN, TokenKey, UnixSeconds, Verifier, encode_text};
use tenancy_tower::{SnapshotDirectory, TenantLayer, TenantSource, holder_of_token};
use tower::{Layer, Service};

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

    /// What a hand-written layer does: it reads the header, verifies the token, and sets the tenant.
    fn serve(&self, request: &Request<()>) -> Response<()> {
        let value = request.headers().get(AUTHORIZATION).expect("a field").to_str().expect("a text");
        let token = value.strip_prefix("Bearer ").expect("a token");
        let decoded = jsonwebtoken::decode::<JwtClaims>(token, &self.decoding, &self.validation);
        let claims = decoded.expect("the token is accepted").claims;
        finish(handler().in_tenant(TenantId::parse(&claims.tenant).expect("a tenant")))
    }

    fn mint(&self) {
        let token = jsonwebtoken::encode(&Header::default(), black_box(&self.claims), &self.encoding);
        black_box(token.expect("a token"));
    }
}

/// The handler of the row `token/http`.
fn handler() -> impl Future<Output = Response<()>> {
    poll_fn(|_| {
        assert!(TenantContext::is_set());
        Poll::Ready(Response::new(()))
    })
}

/// Runs a future that is never pending.
fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing waits"),
    }
}

fn request(value: &HeaderValue) -> Request<()> {
    let mut request = Request::new(());
    request.headers_mut().insert(AUTHORIZATION, value.clone());
    request
}

/// A service that is [`handler`].
#[derive(Clone)]
struct Handler;

impl Service<Request<()>> for Handler {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(finish(handler())))
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

    let directory: SnapshotDirectory = [(TenantId::PLATFORM, TenantStatus::Active)].into_iter().collect();
    let layer = TenantLayer::builder()
        .directory(directory)
        .source(TenantSource::token(verifier.clone()))
        .authorize(holder_of_token())
        .build();
    let mut service = layer.layer(Handler);
    let value = |token: &str| format!("Bearer {token}").parse::<HeaderValue>().expect("a value");
    let ours = value(encode_text(token, &mut [0; MAX_TEXT]).expect("its text"));
    let theirs = &value(&jwt.token);
    let by = |name, uses_aws_lc| {
        peer(name, move |_| {
            USES_AWS_LC.store(uses_aws_lc, Ordering::Relaxed);
            black_box(jwt.serve(&request(black_box(theirs))));
        })
    };
    table.row(
        "token/http",
        subject(|_| {
            let response = finish(service.call(request(black_box(&ours)))).expect("infallible");
            assert!(black_box(response).status().is_success());
        }),
        [
            by("hand-written layer, aws-lc", true).target(0.6),
            by("hand-written layer, rust-crypto", false).target(0.6),
        ],
    );
}
