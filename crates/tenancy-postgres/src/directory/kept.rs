//! What was learned, kept for as long as somebody listens.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tenancy::{TenantId, TenantStatus};
use tenancy_tower::{Cached, CachedError, Directory};

/// A new tenant says so, so this is for who asks for ids that nobody has.
const UNKNOWN: Duration = Duration::from_secs(2);

/// A source's answers, of which none is given while nobody listens for changes.
pub(super) struct Kept<D> {
    /// One that is asked for loses its place when it is forgotten: an answer that was asked for before a change was
    /// heard of is not kept after it.
    answers: Cached<D>,
    is_listening: AtomicBool,
}

impl<D: Directory> Kept<D> {
    pub(super) fn new(source: D, max_age: Duration, capacity: usize) -> Self {
        let answers = Cached::new(source, capacity).ttl(max_age).unknown_ttl(max_age.min(UNKNOWN));
        Self { answers, is_listening: AtomicBool::new(false) }
    }

    pub(super) fn source(&self) -> &D {
        self.answers.directory()
    }

    pub(super) fn is_listening(&self) -> bool {
        self.is_listening.load(Ordering::SeqCst)
    }

    pub(super) async fn status(
        &self,
        tenant: TenantId,
    ) -> Result<Option<TenantStatus>, CachedError<D::Error>> {
        if self.is_listening() {
            self.answers.status(tenant).await
        } else {
            self.source().status(tenant).await.map_err(CachedError::Directory)
        }
    }

    pub(super) fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        if self.is_listening() { self.answers.status_now(tenant) } else { Poll::Pending }
    }

    /// Answers are kept until this is dropped. Whoever calls it hears of each change from before the call on.
    pub(super) fn listen(&self) -> Listening<'_, D> {
        // What was asked for while nobody listened goes first.
        self.answers.invalidate_all();
        self.is_listening.store(true, Ordering::SeqCst);
        Listening(self)
    }

    pub(super) fn forget(&self, tenant: TenantId) {
        self.answers.invalidate(tenant);
    }
}

impl<D> fmt::Debug for Kept<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("answers", &self.answers)
            .field("is_listening", &self.is_listening)
            .finish()
    }
}

/// Somebody listens, until this is dropped: by a return, a panic, or the end of the runtime.
pub(super) struct Listening<'a, D: Directory>(&'a Kept<D>);

impl<D: Directory> Listening<'_, D> {
    /// Anybody can send this: it makes the source be asked again, and says nothing.
    pub(super) fn hear(&self, payload: &str) {
        match TenantId::parse(payload) {
            Ok(tenant) => self.0.forget(tenant),
            Err(_) => self.0.answers.invalidate_all(),
        }
    }
}

impl<D: Directory> Drop for Listening<'_, D> {
    fn drop(&mut self) {
        self.0.is_listening.store(false, Ordering::SeqCst);
        self.0.answers.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tenancy::tenant_id;
    use tokio::sync::{mpsc, oneshot};
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    use super::*;

    const A: TenantId = tenant_id!("aaaaaaaa-0000-4000-8000-00000000000a");
    const B: TenantId = tenant_id!("bbbbbbbb-0000-4000-8000-00000000000b");
    const ACTIVE: Option<TenantStatus> = Some(TenantStatus::Active);
    const SUSPENDED: Option<TenantStatus> = Some(TenantStatus::Suspended);

    /// Each question waits until the test answers it.
    struct Asked(mpsc::UnboundedSender<oneshot::Sender<Option<TenantStatus>>>);

    impl Directory for Asked {
        type Error = Infallible;

        async fn status(&self, _: TenantId) -> Result<Option<TenantStatus>, Infallible> {
            let (sender, answer) = oneshot::channel();
            self.0.send(sender).expect("the test goes on");
            Ok(answer.await.expect("an answer"))
        }
    }

    struct Test {
        kept: &'static Kept<Asked>,
        questions: mpsc::UnboundedReceiver<oneshot::Sender<Option<TenantStatus>>>,
    }

    impl Test {
        fn new() -> Self {
            let (sender, questions) = mpsc::unbounded_channel();
            let kept = Box::leak(Box::new(Kept::new(Asked(sender), Duration::from_hours(1), 100)));
            Self { kept, questions }
        }

        /// Somebody asks, and the question is on its way.
        async fn ask(
            &mut self,
            tenant: TenantId,
        ) -> (JoinHandle<Option<TenantStatus>>, oneshot::Sender<Option<TenantStatus>>) {
            let kept = self.kept;
            let asker = tokio::spawn(async move { kept.status(tenant).await.expect("an answer") });
            let question = timeout(Duration::from_secs(30), self.questions.recv()).await;
            (asker, question.expect("it is asked").expect("the source is there"))
        }

        async fn learn(&mut self, tenant: TenantId, status: Option<TenantStatus>) {
            let (asker, question) = self.ask(tenant).await;
            question.send(status).expect("it waits");
            assert_eq!(asker.await.expect("it ends"), status);
        }
    }

    #[tokio::test]
    async fn an_answer_that_was_asked_for_before_a_change_is_not_kept_after_it() {
        for payload in [A.to_string(), String::new(), "all of them".into()] {
            let mut test = Test::new();
            let listening = test.kept.listen();
            let (asker, question) = test.ask(A).await;
            listening.hear(&payload);
            question.send(ACTIVE).expect("it waits");
            assert_eq!(asker.await.expect("it ends"), ACTIVE, "it asked before");
            assert_eq!(test.kept.status_now(A), Poll::Pending, "{payload}");
            test.learn(A, SUSPENDED).await;
            assert_eq!(test.kept.status_now(A), Poll::Ready(SUSPENDED));
        }
    }

    #[tokio::test]
    async fn who_asks_after_a_change_does_not_wait_for_an_answer_from_before() {
        let mut test = Test::new();
        let listening = test.kept.listen();
        let (early, of_before) = test.ask(A).await;
        listening.hear(&A.to_string());
        test.learn(A, SUSPENDED).await;
        of_before.send(ACTIVE).expect("it waits");
        assert_eq!(early.await.expect("it ends"), ACTIVE);
        assert_eq!(test.kept.status_now(A), Poll::Ready(SUSPENDED), "the later answer stays");
    }

    #[tokio::test]
    async fn a_change_is_of_one_tenant_unless_it_names_none() {
        let mut test = Test::new();
        let listening = test.kept.listen();
        test.learn(A, ACTIVE).await;
        test.learn(B, ACTIVE).await;
        listening.hear(&A.to_string());
        assert_eq!(test.kept.status_now(A), Poll::Pending);
        assert_eq!(test.kept.status_now(B), Poll::Ready(ACTIVE));
        listening.hear("active");
        assert_eq!(test.kept.status_now(B), Poll::Pending);
    }

    #[tokio::test]
    async fn nothing_is_kept_while_nobody_listens() {
        let mut test = Test::new();
        for _ in 0..2 {
            test.learn(A, ACTIVE).await;
            assert_eq!(test.kept.status_now(A), Poll::Pending);
        }
        let listening = test.kept.listen();
        test.learn(A, ACTIVE).await;
        let (asker, question) = test.ask(B).await;
        drop(listening);
        assert_eq!(test.kept.status_now(A), Poll::Pending);
        test.learn(A, SUSPENDED).await;
        let _listening = test.kept.listen();
        assert_eq!(test.kept.status_now(A), Poll::Pending);
        question.send(ACTIVE).expect("it waits");
        assert_eq!(asker.await.expect("it ends"), ACTIVE);
        assert_eq!(test.kept.status_now(B), Poll::Pending, "it was asked for in another time");
    }

    #[tokio::test]
    async fn ids_that_nobody_has_take_no_more_memory_than_others() {
        let source = |_| async { Ok::<_, Infallible>(None) };
        let kept = Kept::new(source, Duration::from_hours(1), 1_000);
        let _listening = kept.listen();
        for number in 2..1_000_000_u128 {
            let tenant = TenantId::from_bytes(number.to_be_bytes()).expect("an id");
            kept.status(tenant).await.expect("an answer");
        }
        let shown = format!("{kept:?}");
        let length = shown.split("len: ").nth(1).and_then(|rest| rest.split(',').next()).expect("a length");
        assert!((1..=1_100).contains(&length.parse().expect("a number")), "{shown}");
    }
}
