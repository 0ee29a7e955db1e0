//! Numbers of requests, in the format of `OpenMetrics`.

mod tenants;

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tenancy::TenantId;

use tenants::TenantCounters;

/// The media type of the format.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The upper bounds of the histogram of durations, in milliseconds.
const BOUNDS: [u64; 10] = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000];
/// The classes of statuses: 1xx to 5xx.
const CLASSES: usize = 5;
/// The default number of tenants with a series of their own.
const TENANTS: usize = 20;

/// Numbers of requests.
#[derive(Debug)]
pub struct Metrics {
    classes: [AtomicU64; CLASSES],
    cancelled: AtomicU64,
    in_progress: AtomicU64,
    durations: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
    tenants: Mutex<TenantCounters>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::with_tenants(TENANTS)
    }
}

impl Metrics {
    /// Creates numbers of 0, with a maximum number of tenants that have a series of their own.
    pub fn with_tenants(maximum: usize) -> Self {
        Self {
            classes: Default::default(),
            cancelled: AtomicU64::new(0),
            in_progress: AtomicU64::new(0),
            durations: Default::default(),
            microseconds: AtomicU64::new(0),
            tenants: Mutex::new(TenantCounters::new(maximum)),
        }
    }

    /// Records that a request has begun.
    pub(crate) fn begin(&self) {
        self.in_progress.fetch_add(1, Relaxed);
    }

    /// Records that a request has ended, with its status unless it was cancelled.
    pub(crate) fn end(&self, status: Option<StatusCode>, duration: Duration) {
        self.in_progress.fetch_sub(1, Relaxed);
        let class = status.and_then(|status| self.classes.get(usize::from(status.as_u16() / 100) - 1));
        class.unwrap_or(&self.cancelled).fetch_add(1, Relaxed);
        let millis = duration.as_millis();
        let bucket = BOUNDS.iter().position(|bound| millis <= u128::from(*bound)).unwrap_or(BOUNDS.len());
        if let Some(bucket) = self.durations.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(micros, Relaxed);
    }

    /// Records an authorized request of a tenant.
    pub(crate) fn tenant(&self, tenant: TenantId) {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).count(tenant);
    }

    /// Returns the numbers as text.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        let load = |number: &AtomicU64| number.load(Relaxed);
        text.push_str(
            "# TYPE gateway_requests counter\n# HELP gateway_requests Requests by class of status.\n",
        );
        for (class, number) in self.classes.iter().enumerate() {
            line(text, format_args!("gateway_requests_total{{status=\"{}xx\"}} {}", class + 1, load(number)));
        }
        line(text, format_args!("gateway_requests_total{{status=\"cancelled\"}} {}", load(&self.cancelled)));
        text.push_str("# TYPE gateway_requests_in_progress gauge\n");
        line(text, format_args!("gateway_requests_in_progress {}", load(&self.in_progress)));
        text.push_str("# TYPE gateway_request_duration_seconds histogram\n# UNIT gateway_request_duration_seconds seconds\n");
        let mut sum = 0;
        for (number, bound) in self.durations.iter().zip(BOUNDS.map(Some).into_iter().chain([None])) {
            sum += load(number);
            let bound =
                bound.map_or("+Inf".to_owned(), |millis| format!("{}.{:03}", millis / 1000, millis % 1000));
            line(text, format_args!("gateway_request_duration_seconds_bucket{{le=\"{bound}\"}} {sum}"));
        }
        let micros = load(&self.microseconds);
        line(text, format_args!("gateway_request_duration_seconds_count {sum}"));
        line(
            text,
            format_args!(
                "gateway_request_duration_seconds_sum {}.{:06}",
                micros / 1_000_000,
                micros % 1_000_000
            ),
        );
        text.push_str(
            "# TYPE gateway_tenant_requests counter\n# HELP gateway_tenant_requests Authorized requests of the busiest \
             tenants since each of them has a series; other counts all others.\n",
        );
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.select();
        for (tenant, number) in tenants.iter() {
            line(text, format_args!("gateway_tenant_requests_total{{tenant=\"{tenant}\"}} {number}"));
        }
        line(text, format_args!("gateway_tenant_requests_total{{tenant=\"other\"}} {}", tenants.others()));
        text.push_str("# EOF\n");
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_openmetrics() {
        let metrics = Metrics::with_tenants(1);
        metrics.begin();
        metrics.begin();
        metrics.begin();
        metrics.end(Some(StatusCode::OK), Duration::from_millis(2));
        metrics.end(None, Duration::from_secs(40));
        metrics.tenant(TenantId::PLATFORM);
        let text = metrics.to_text();
        for expected in [
            "gateway_requests_total{status=\"2xx\"} 1\n",
            "gateway_requests_total{status=\"5xx\"} 0\n",
            "gateway_requests_total{status=\"cancelled\"} 1\n",
            "gateway_requests_in_progress 1\n",
            "gateway_request_duration_seconds_bucket{le=\"0.001\"} 0\n",
            "gateway_request_duration_seconds_bucket{le=\"0.003\"} 1\n",
            "gateway_request_duration_seconds_bucket{le=\"+Inf\"} 2\n",
            "gateway_request_duration_seconds_count 2\n",
            "gateway_request_duration_seconds_sum 40.002000\n",
            "gateway_tenant_requests_total{tenant=\"00000000-0000-0000-0000-000000000001\"} 1\n",
            "gateway_tenant_requests_total{tenant=\"other\"} 0\n",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
