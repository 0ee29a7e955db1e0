//! An instance of the service in the test's process.

use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use clap::Parser;
use serde_json::Value;
use tenancy_gateway::app::service;
use tenancy_gateway::backends::Backends;
use tenancy_gateway::config::Config;
use tenancy_gateway::principals::PrincipalsFile;
use tenancy_gateway::service::HttpService;
use tenancy_gateway::shared::SharedRedis;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// A response of an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) fn instance(redis: Option<SharedRedis>, arguments: &[&str]) -> impl HttpService {
    let config = Config::parse_from([&["gateway"], arguments].concat());
    let outside = Backends { redis, ..Backends::default() };
    service(&config, PrincipalsFile::demo().unwrap(), outside, CancellationToken::new().into()).unwrap()
}

/// Sends a request of the operator for a tenant.
pub(crate) async fn ask(service: &impl HttpService, tenant: &str, call: &str, body: &str) -> Answer {
    let (method, path) = call.split_once(' ').expect("a method and a path");
    let request =
        Request::builder().method(method).uri(path).header("Host", "gateway").header("X-Tenant-ID", tenant);
    let request = request.header("Authorization", "Bearer demo-operator");
    let request =
        request.header("Content-Type", "application/json").body(Body::from(body.to_owned())).unwrap();
    let answer = service.clone().oneshot(request).await.unwrap();
    let retry_after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    Answer { status, retry_after, body: String::from_utf8(body.to_vec()).unwrap() }
}

/// Sends `each` requests to each instance; returns the number of those served, and the response to the others.
pub(crate) async fn ask_each<S: HttpService>(
    instances: &[&S],
    tenant: &str,
    each: usize,
) -> (u64, Option<Answer>) {
    let asked = (0..each).flat_map(|_| instances);
    let asked = asked.map(|&instance| ask(instance, tenant, "GET /v1/whoami", ""));
    let answers = futures_util::future::join_all(asked).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let mut refused = answers.into_iter().filter(|answer| answer.status != 200);
    let first = refused.next();
    assert!(refused.all(|answer| Some(answer) == first), "all refusals are the same");
    (served as u64, first)
}

/// Checks that a burst passed, plus at most the one token per second that was added since then.
pub(crate) fn assert_burst(passed: u64, burst: u64, since: Instant) {
    let most = burst + since.elapsed().as_secs();
    assert!((burst..=most).contains(&passed), "{passed}, and not {burst} to {most}");
}
