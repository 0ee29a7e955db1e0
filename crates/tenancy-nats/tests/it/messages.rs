//! Messages of core NATS.

use async_nats::{Client, Subscriber};
use futures_util::StreamExt;
use tenancy::{TenantContext, TenantFutureExt};
use tenancy_nats::{PublishError, TenantSubscriber};
use tenancy_testkit::NatsServer;
use tenancy_token::{JobOutcome, TokenErrorKind};

use crate::support::{A, B, claims, hostile, key, mint, publisher, verifier, with_tokens};

type Outcome = JobOutcome<&'static str>;

struct Subject {
    _server: NatsServer,
    client: Client,
    messages: Subscriber,
    subscriber: TenantSubscriber<1>,
}

impl Subject {
    async fn start() -> Self {
        let server = NatsServer::start().expect("a server");
        let client = async_nats::connect(server.url()).await.expect("a connection");
        let messages = client.subscribe("jobs").await.expect("a subscription");
        client.flush().await.expect("a server");
        Self { _server: server, client, messages, subscriber: TenantSubscriber::new(verifier(), 100) }
    }

    async fn run(&mut self, handler: impl AsyncFnOnce() -> Result<(), &'static str>) -> Outcome {
        let message = self.messages.next().await.expect("a message");
        let outcome = self.subscriber.run(&message, handler).await;
        assert!(!TenantContext::is_set(), "a message left a context");
        outcome
    }
}

async fn forbidden() -> Result<(), &'static str> {
    panic!("a message ran")
}

#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn message_runs_in_its_tenant() {
    let mut subject = Subject::start().await;
    for tenant in [A, B] {
        publisher().publish(&subject.client, "jobs", "a job".into()).in_tenant(tenant).await.expect("sent");
        let outcome = subject.run(async || {
            tokio::task::yield_now().await;
            if TenantContext::get() == Ok(tenant) { Ok(()) } else { Err("another tenant") }
        });
        assert_eq!(outcome.await, Outcome::Completed);
    }
}

#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn message_without_a_tenant_is_an_error_at_the_sender() {
    let mut subject = Subject::start().await;
    let error = publisher().publish(&subject.client, "jobs", "of nobody".into()).await.unwrap_err();
    assert!(matches!(error, PublishError::NoTenant(_)), "{error:?}");
    publisher().publish(&subject.client, "jobs", "of a".into()).in_tenant(A).await.expect("sent");
    assert_eq!(subject.messages.next().await.expect("a message").payload, "of a");
}

#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn messages_without_a_valid_token_never_run() {
    let mut subject = Subject::start().await;
    for (headers, payload, kind) in hostile() {
        subject.client.publish_with_headers("jobs", headers, payload).await.expect("sent");
        assert_eq!(subject.run(forbidden).await, Outcome::Rejected(kind.into()));
    }
    subject.client.publish("jobs", "a job".into()).await.expect("sent");
    assert_eq!(subject.run(forbidden).await, Outcome::Rejected(TokenErrorKind::Malformed.into()));
}

#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn copy_of_a_message_does_not_run() {
    let mut subject = Subject::start().await;
    let token = mint(&key(), &claims(A).payload(b"a job"));
    for expected in [Outcome::Completed, Outcome::Rejected(TokenErrorKind::Replayed.into())] {
        let headers = with_tokens(&[&token]);
        subject.client.publish_with_headers("jobs", headers, "a job".into()).await.expect("sent");
        assert_eq!(subject.run(async || Ok(())).await, expected);
    }
}

#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn failure_and_panic_leave_no_context() {
    let mut subject = Subject::start().await;
    for _ in 0..2 {
        publisher().publish(&subject.client, "jobs", "a job".into()).in_tenant(A).await.expect("sent");
    }
    let failed = subject.run(async || {
        TenantContext::set(B);
        Err("broken")
    });
    assert_eq!(failed.await, Outcome::Failed("broken"));
    let panicked = subject.run(async || {
        std::mem::forget(TenantContext::enter(B));
        std::panic::resume_unwind(Box::new("on purpose"))
    });
    assert_eq!(panicked.await, Outcome::Panicked);
}
