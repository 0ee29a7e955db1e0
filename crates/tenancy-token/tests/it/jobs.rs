//! Jobs run in the tenant of their token, and leave no context behind.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tenancy::TenantContext;
use tenancy_token::{Issuer, JobVerifier, MAX_TOKEN, TokenErrorKind};

use crate::support::*;

fn sealed(payload: &[u8]) -> Vec<u8> {
    let issuer = Issuer::new(key(), "jobs", Duration::from_secs(60)).unwrap();
    issuer.seal(TENANT, payload, &mut [0; MAX_TOKEN]).unwrap().to_vec()
}

/// Polls a future until it is ready. No context may be left after a poll.
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(!TenantContext::is_set(), "a poll left a context");
        if let Poll::Ready(output) = polled {
            return output;
        }
    }
}

/// Is pending once.
async fn pause() {
    let mut is_first = true;
    poll_fn(|_| if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }).await;
}

#[test]
fn job_runs_in_the_tenant_of_its_token() {
    let token = sealed(b"a job");
    let jobs = JobVerifier::new(verifier());
    let verified = expect(jobs.open(&token, b"a job"));
    let seen = finish(verified.run(async {
        let before = TenantContext::get_optional();
        pause().await;
        (before, TenantContext::get_optional())
    }));
    assert_eq!(seen, Ok((Some(TENANT), Some(TENANT))));
}

#[test]
fn panic_ends_the_job_and_leaves_no_context() {
    let token = sealed(b"a job");
    let jobs = JobVerifier::new(verifier());
    let verified = expect(jobs.open(&token, b"a job"));
    for at_start in [true, false] {
        let ended = finish(verified.run(async {
            if !at_start {
                pause().await;
            }
            TenantContext::set(OTHER);
            std::panic::resume_unwind(Box::new("on purpose"));
        }));
        let error: tenancy_token::JobPanicked = ended.unwrap_err();
        assert_eq!(error.to_string(), "the job panicked");
    }
}

#[test]
fn cancelled_job_is_dropped_in_its_tenant_and_leaves_no_context() {
    struct OnDrop<'s>(&'s mut Option<tenancy::TenantId>);
    impl Drop for OnDrop<'_> {
        fn drop(&mut self) {
            *self.0 = TenantContext::get_optional();
        }
    }
    let token = sealed(b"a job");
    let jobs = JobVerifier::new(verifier());
    let verified = expect(jobs.open(&token, b"a job"));
    let mut dropped_in = None;
    {
        let seen = OnDrop(&mut dropped_in);
        let mut job = Box::pin(verified.run(async move {
            let _seen = seen;
            TenantContext::set(OTHER);
            pause().await;
        }));
        assert!(job.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(job);
    }
    assert_eq!(dropped_in, Some(OTHER), "the job's own context");
    assert!(!TenantContext::is_set());
}

#[test]
fn job_without_a_valid_token_does_not_open() {
    let jobs = JobVerifier::new(verifier());
    let token = sealed(b"a job");
    assert_eq!(kind(jobs.open(&token, b"another job")), TokenErrorKind::Payload);
    assert_eq!(kind(jobs.open(&token[1..], b"a job")), TokenErrorKind::Malformed);
    assert_eq!(kind(jobs.open(&mint(&key(), &claims()), b"a job")), TokenErrorKind::Expired);
    assert_eq!(kind(jobs.open(b"", b"a job")), TokenErrorKind::Malformed);
}
