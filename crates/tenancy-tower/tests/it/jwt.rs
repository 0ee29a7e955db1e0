//! JSON Web Tokens: an outer middleware verifies the token, and the layer reads the tenant from its claims.

use axum::body::Body;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::Deserialize;
use serde_json::{Value, json};
use tenancy::TenantId;
use tenancy_tower::{TenantLayer, TenantSource, claim_equals};
use tower::{Layer, Service, ServiceExt};

use crate::support::{directory, echo, tenant, text};

const SECRET: &[u8] = b"a secret of these tests alone, 32 bytes";

/// The claims of a verified token.
#[derive(Clone, Debug, Deserialize)]
struct Claims {
    /// `None` if the claim is missing, null, or no tenant id.
    #[serde(default, deserialize_with = "tenant_or_none")]
    tenant: Option<TenantId>,
}

fn tenant_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<TenantId>, D::Error> {
    let claim = Value::deserialize(deserializer)?;
    Ok(claim.as_str().and_then(|text| text.parse().ok()))
}

/// Verifies the token of a request, and puts its claims into the extensions.
fn authenticated(mut request: Request<Body>) -> Result<Request<Body>, StatusCode> {
    let header = request.headers().get(AUTHORIZATION).ok_or(StatusCode::UNAUTHORIZED)?;
    let token =
        header.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    let validation = Validation::new(Algorithm::HS256);
    let key = DecodingKey::from_secret(SECRET).expect("a key");
    let verified = decode::<Claims>(token, &key, &validation).map_err(|_| StatusCode::UNAUTHORIZED)?;
    request.extensions_mut().insert(verified.claims);
    Ok(request)
}

async fn answer<S, B>(service: S, secret: &[u8], claims: &Value, header: Option<TenantId>) -> (u16, String)
where
    S: Service<Request<Body>, Response = Response<B>, Error: std::fmt::Debug>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let key = EncodingKey::from_secret(secret).expect("a key");
    let token = encode(&Header::default(), claims, &key).expect("a token");
    let mut request = Request::get("/").header(AUTHORIZATION, format!("Bearer {token}"));
    if let Some(tenant) = header {
        request = request.header("X-Tenant-ID", tenant.to_string());
    }
    match authenticated(request.body(Body::empty()).expect("a request")) {
        Ok(request) => {
            let response = service.oneshot(request).await.expect("a response");
            (response.status().as_u16(), text(response).await)
        }
        Err(status) => (status.as_u16(), String::new()),
    }
}

/// 2100-01-01.
const LATER: u64 = 4_102_444_800;

#[tokio::test]
async fn a_header_must_name_the_tenant_of_the_token() {
    let layer = TenantLayer::builder()
        .directory(directory())
        .authorize(claim_equals(|claims: &Claims| claims.tenant))
        .build();
    let own = tenant(1).to_string();
    for (claims, header, status) in [
        (json!({ "exp": LATER, "tenant": own }), Some(tenant(1)), 200),
        (json!({ "exp": LATER, "tenant": own }), Some(tenant(2)), 403),
        (json!({ "exp": LATER, "tenant": own }), None, 400),
        (json!({ "exp": LATER }), Some(tenant(1)), 403),
        (json!({ "exp": LATER, "tenant": null }), Some(tenant(1)), 403),
        (json!({ "exp": LATER, "tenant": [own] }), Some(tenant(1)), 403),
        (json!({ "exp": LATER, "tenant": { "id": own } }), Some(tenant(1)), 403),
        (json!({ "exp": LATER, "tenant": "acme" }), Some(tenant(1)), 403),
        (json!({ "exp": 1, "tenant": own }), Some(tenant(1)), 401),
    ] {
        let (found, seen) = answer(layer.layer(echo()), SECRET, &claims, header).await;
        assert_eq!(found, status, "{claims}");
        assert_eq!(found == 200, seen == own, "{claims}");
    }
    let claims = json!({ "exp": LATER, "tenant": own });
    assert_eq!(answer(layer.layer(echo()), b"another secret", &claims, Some(tenant(1))).await.0, 401);
}

#[tokio::test]
async fn the_token_alone_can_name_the_tenant() {
    let layer = TenantLayer::builder()
        .directory(directory())
        .authorize(claim_equals(|claims: &Claims| claims.tenant))
        .source(TenantSource::claim(|claims: &Claims| claims.tenant))
        .build();
    let claims = json!({ "exp": LATER, "tenant": tenant(1).to_string() });
    // The layer does not read the header, so the header changes nothing.
    let (status, seen) = answer(layer.layer(echo()), SECRET, &claims, Some(tenant(2))).await;
    assert_eq!((status, seen), (200, tenant(1).to_string()));
    for claims in [json!({ "exp": LATER }), json!({ "exp": LATER, "tenant": ["x"] })] {
        assert_eq!(answer(layer.layer(echo()), SECRET, &claims, None).await.0, 400, "{claims}");
    }
}
