//! A cache that is empty unless changes are received.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tenancy::{Directory, TenantId, TenantStatus};
use tenancy_directory::{CachedDirectory, CachedError};

/// The longest time for which it is cached that an id is unknown. The creation of a tenant is a change like others, so
/// this limits the lookups of ids that nobody creates.
const UNKNOWN: Duration = Duration::from_secs(2);

/// A cache of a directory's answers. While no listener receives changes, every lookup queries the directory.
pub(super) struct InvalidatingCache<D> {
    /// An invalidated lookup that is in progress is not cached: its answer may be older than the change.
    answers: CachedDirectory<D>,
    is_listening: AtomicBool,
}

impl<D: Directory> InvalidatingCache<D> {
    pub(super) fn new(directory: D, max_age: Duration, capacity: usize) -> Self {
        let answers = CachedDirectory::new(directory, capacity);
        let answers = answers.ttl(max_age).unknown_ttl(max_age.min(UNKNOWN));
        Self { answers, is_listening: AtomicBool::new(false) }
    }

    pub(super) fn directory(&self) -> &D {
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
            self.directory().status(tenant).await.map_err(CachedError::Directory)
        }
    }

    pub(super) fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        if self.is_listening() { self.answers.status_now(tenant) } else { Poll::Pending }
    }

    /// Enables the cache until the returned value is dropped. The caller receives every change that is committed after
    /// the call.
    pub(super) fn listen(&self) -> Listening<'_, D> {
        // Lookups that began without a listener.
        self.answers.invalidate_all();
        self.is_listening.store(true, Ordering::SeqCst);
        Listening(self)
    }

    pub(super) fn invalidate(&self, tenant: TenantId) {
        self.answers.invalidate(tenant);
    }
}

impl<D> fmt::Debug for InvalidatingCache<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidatingCache")
            .field("answers", &self.answers)
            .field("is_listening", &self.is_listening)
            .finish()
    }
}

/// Enables the cache until this is dropped: by a return, a panic, or the end of the runtime.
pub(super) struct Listening<'a, D: Directory>(&'a InvalidatingCache<D>);

impl<D: Directory> Listening<'_, D> {
    /// Removes the answer that a notification names, or all of them.
    ///
    /// Every session can send a notification, so it only causes a query.
    pub(super) fn receive(&self, payload: &str) {
        match TenantId::parse(payload) {
            Ok(tenant) => self.0.invalidate(tenant),
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

    /// A directory in which each query waits until the test answers it.
    struct Manual(mpsc::UnboundedSender<oneshot::Sender<Option<TenantStatus>>>);

    impl Directory for Manual {
        type Error = Infallible;

        async fn status(&self, _: TenantId) -> Result<Option<TenantStatus>, Infallible> {
            let (sender, answer) = oneshot::channel();
            self.0.send(sender).expect("the test goes on");
            Ok(answer.await.expect("an answer"))
        }
    }

    struct Test {
        cache: &'static InvalidatingCache<Manual>,
        questions: mpsc::UnboundedReceiver<oneshot::Sender<Option<TenantStatus>>>,
    }

    impl Test {
        fn new() -> Self {
            let (sender, questions) = mpsc::unbounded_channel();
            let cache =
                Box::leak(Box::new(InvalidatingCache::new(Manual(sender), Duration::from_secs(3600), 100)));
            Self { cache, questions }
        }

        /// Starts a lookup, and waits for its query.
        async fn ask(
            &mut self,
            tenant: TenantId,
        ) -> (JoinHandle<Option<TenantStatus>>, oneshot::Sender<Option<TenantStatus>>) {
            let cache = self.cache;
            let asker = tokio::spawn(async move { cache.status(tenant).await.expect("an answer") });
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
    async fn lookup_begun_before_a_change_is_not_cached() {
        for payload in [A.to_string(), String::new(), "all of them".into()] {
            let mut test = Test::new();
            let listening = test.cache.listen();
            let (asker, question) = test.ask(A).await;
            listening.receive(&payload);
            question.send(ACTIVE).expect("it waits");
            assert_eq!(asker.await.expect("it ends"), ACTIVE, "the lookup began before the change");
            assert_eq!(test.cache.status_now(A), Poll::Pending, "{payload}");
            test.learn(A, SUSPENDED).await;
            assert_eq!(test.cache.status_now(A), Poll::Ready(SUSPENDED));
        }
    }

    #[tokio::test]
    async fn lookup_begun_after_a_change_does_not_wait_for_an_older_query() {
        let mut test = Test::new();
        let listening = test.cache.listen();
        let (early, of_before) = test.ask(A).await;
        listening.receive(&A.to_string());
        test.learn(A, SUSPENDED).await;
        of_before.send(ACTIVE).expect("it waits");
        assert_eq!(early.await.expect("it ends"), ACTIVE);
        assert_eq!(test.cache.status_now(A), Poll::Ready(SUSPENDED), "the later answer stays");
    }

    #[tokio::test]
    async fn notification_without_a_tenant_invalidates_all() {
        let mut test = Test::new();
        let listening = test.cache.listen();
        test.learn(A, ACTIVE).await;
        test.learn(B, ACTIVE).await;
        listening.receive(&A.to_string());
        assert_eq!(test.cache.status_now(A), Poll::Pending);
        assert_eq!(test.cache.status_now(B), Poll::Ready(ACTIVE));
        listening.receive("active");
        assert_eq!(test.cache.status_now(B), Poll::Pending);
    }

    #[tokio::test]
    async fn caches_nothing_without_a_listener() {
        let mut test = Test::new();
        for _ in 0..2 {
            test.learn(A, ACTIVE).await;
            assert_eq!(test.cache.status_now(A), Poll::Pending);
        }
        let listening = test.cache.listen();
        test.learn(A, ACTIVE).await;
        let (asker, question) = test.ask(B).await;
        drop(listening);
        assert_eq!(test.cache.status_now(A), Poll::Pending);
        test.learn(A, SUSPENDED).await;
        let _listening = test.cache.listen();
        assert_eq!(test.cache.status_now(A), Poll::Pending);
        question.send(ACTIVE).expect("it waits");
        assert_eq!(asker.await.expect("it ends"), ACTIVE);
        assert_eq!(test.cache.status_now(B), Poll::Pending, "the lookup began under another listener");
    }

    #[tokio::test]
    async fn cache_of_unknown_ids_is_bounded() {
        let source = |_| async { Ok::<_, Infallible>(None) };
        let cache = InvalidatingCache::new(source, Duration::from_secs(3600), 1_000);
        let _listening = cache.listen();
        for number in 2..1_000_000_u128 {
            let tenant = TenantId::from_bytes(number.to_be_bytes()).expect("an id");
            cache.status(tenant).await.expect("an answer");
        }
        let shown = format!("{cache:?}");
        let length = shown.split("len: ").nth(1).and_then(|rest| rest.split(',').next()).expect("a length");
        assert!((1..=1_100).contains(&length.parse().expect("a number")), "{shown}");
    }
}
