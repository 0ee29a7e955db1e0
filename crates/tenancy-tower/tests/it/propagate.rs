//! Outbound requests name the tenant only to listed hosts.

use std::convert::Infallible;

use http::Request;
use tenancy::TenantContext;
use tenancy_tower::PropagateTenantLayer;
use tower::{Layer, Service};

use crate::support::tenant;

/// Returns the tenant header's values in a request to a target after the layer.
fn sent(layer: &PropagateTenantLayer, target: &str, own: &[&str]) -> Vec<String> {
    let mut values = Vec::new();
    let mut client = layer.layer(tower::service_fn(|request: Request<()>| {
        let sent = request.headers().get_all("x-tenant-id").iter();
        values.extend(sent.map(|value| value.to_str().unwrap().to_owned()));
        std::future::ready(Ok::<_, Infallible>(()))
    }));
    let mut request = Request::get(target).body(()).unwrap();
    for value in own {
        request.headers_mut().append("X-Tenant-ID", value.parse().unwrap());
    }
    _ = client.call(request);
    drop(client);
    values
}

#[test]
fn names_the_tenant_to_listed_hosts() {
    let layer =
        PropagateTenantLayer::to(["agents.internal", "billing.internal:8443", "tls.internal:443", "[::1]"]);
    let id = tenant(1).to_string();
    TenantContext::scope(tenant(1), || {
        for target in [
            "http://agents.internal/",
            "http://AGENTS.internal:8080/",
            "https://billing.internal:8443/x",
            "https://tls.internal/",
            "http://[::1]:80/",
        ] {
            assert_eq!(sent(&layer, target, &[]), [id.as_str()], "{target}");
            // Existing values are replaced.
            assert_eq!(sent(&layer, target, &["acme", "globex"]), [id.as_str()], "{target}");
        }
    });
}

#[test]
fn removes_the_header_for_other_hosts() {
    let layer = PropagateTenantLayer::to(["agents.internal", "billing.internal:8443", "tls.internal:443"]);
    TenantContext::scope(tenant(1), || {
        for target in [
            "http://evil.com/",
            "http://agents.internal@evil.com/",
            "http://agents.internal:80@evil.com/",
            "http://agents.internal.evil.com/",
            "http://xagents.internal/",
            "http://evil.com/agents.internal",
            "https://billing.internal/",
            "https://billing.internal:84430/",
            "http://tls.internal/",
            "https://tls.internal:99999/",
            "https://tls.internal:/",
            "/agents.internal",
        ] {
            // A forwarded request may already have the header.
            let value = tenant(2).to_string();
            if let Ok(_uri) = target.parse::<http::Uri>() {
                assert!(sent(&layer, target, &[]).is_empty(), "{target}");
                assert!(sent(&layer, target, &[&value]).is_empty(), "{target}");
            }
        }
    });
}

#[test]
fn removes_the_header_without_a_tenant() {
    let layer = PropagateTenantLayer::to(["agents.internal"]);
    assert!(sent(&layer, "http://agents.internal/", &["acme"]).is_empty());
}

#[test]
fn connected_client_names_the_tenant_without_a_host() {
    let layer = PropagateTenantLayer::to_connected();
    TenantContext::scope(tenant(1), || {
        assert_eq!(sent(&layer, "/grpc.health.v1.Health/Check", &[]), [tenant(1).to_string()]);
        assert!(sent(&layer, "http://agents.internal/", &[]).is_empty());
    });
}

/// An invalid port must not permit every port.
#[test]
fn rejects_invalid_ports() {
    for host in
        ["billing.internal:99999", "billing.internal:http", "billing.internal:8443x", "billing.internal:"]
    {
        assert!(std::panic::catch_unwind(|| PropagateTenantLayer::to([host])).is_err(), "{host}");
    }
}

#[test]
#[should_panic(expected = "without a user")]
fn rejects_hosts_with_a_user() {
    assert!(std::panic::catch_unwind(|| PropagateTenantLayer::to(["agents@agents"])).is_err());
    let _ = PropagateTenantLayer::to(["user@agents.internal"]);
}
