//! `set` and `clear` emit a debug event; no other operation emits any.

use std::fmt::{Debug, Write};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tenancy::{TenantCell, TenantContext, TenantFutureExt, TenantId};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::support::{alone, panic_silently, tenant};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn push(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// Writes an event as `LEVEL target field=value …`.
impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Line(format!("{} {}", metadata.level(), metadata.target()));
        event.record(&mut line);
        self.push(line.0);
    }

    fn on_new_span(&self, _attributes: &Attributes<'_>, _id: &Id, _context: Context<'_, S>) {
        self.push("a span".to_owned());
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

/// A second subscriber.
///
/// With only one, a thread without a subscriber that reaches an event first disables the event for all threads.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));

/// Returns what `work` logs, at every level.
fn lines(work: impl FnOnce()) -> Vec<String> {
    LazyLock::force(&SECOND);
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(lines.clone()).set_default();
    work();
    drop(subscriber);
    let lines = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
    lines.clone()
}

fn set_line(tenant: TenantId) -> Vec<String> {
    let [debug, target, message, id] = ["DEBUG", "tenancy", "message=tenant context set", "tenant.id="];
    let found = lines(|| TenantContext::set(tenant));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(&format!("{debug} {target}")), "{found:?}");
    assert!(found[0].contains(message) && found[0].contains(&format!("{id}{tenant}")), "{found:?}");
    found
}

#[test]
fn set_is_one_debug_event_with_the_tenant() {
    let _alone = alone();
    assert_eq!(set_line(tenant(1)).len(), 1);
    TenantContext::clear();
}

#[test]
fn clear_is_one_debug_event_without_a_tenant() {
    let _alone = alone();
    TenantContext::set(tenant(2));
    for found in [lines(TenantContext::clear), lines(TenantContext::clear)] {
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("DEBUG tenancy"), "{found:?}");
        assert!(found[0].contains("message=tenant context cleared"), "{found:?}");
        assert!(!found[0].contains(tenant(2).to_text().as_str()), "{found:?}");
    }
}

#[test]
fn cell_logs_like_the_context() {
    let _alone = alone();
    let cell = TenantCell::new();
    let found = lines(|| {
        cell.set(tenant(3));
        cell.clear();
    });
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("set") && found[1].contains("cleared"), "{found:?}");
}

#[test]
fn other_operations_log_nothing() {
    let _alone = alone();
    let found = lines(|| {
        let _ = (TenantContext::get(), TenantContext::get_value(), TenantContext::is_set());
        TenantContext::scope(tenant(4), || assert!(TenantContext::is_set()));
        TenantContext::interrupt(|| assert!(!TenantContext::is_set()));
        TenantContext::bind(|| ())();
        drop(TenantContext::enter(tenant(5)));
        let (outer, inner) = (TenantContext::enter(tenant(6)), TenantContext::enter(tenant(7)));
        drop(outer);
        drop(inner);
        drop(async {}.in_tenant(tenant(8)));
        let _ = std::panic::catch_unwind(|| TenantContext::scope(tenant(9), || panic_silently()));
        let _ = TenantId::parse("not an id");
    });
    assert!(found.is_empty(), "{found:?}");
}

/// A subscriber may read the tenant during an event, to add it to each line.
#[test]
fn subscriber_layer_can_read_the_context() {
    struct Reads(Lines);
    impl<S: Subscriber> Layer<S> for Reads {
        fn on_event(&self, _event: &Event<'_>, _context: Context<'_, S>) {
            self.0.push(format!("{:?}", TenantContext::get_optional()));
        }
    }

    let _alone = alone();
    LazyLock::force(&SECOND);
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(Reads(lines.clone())).set_default();
    TenantContext::set(tenant(10));
    TenantContext::clear();
    drop(subscriber);
    let lines = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
    // The event comes after the change, so the layer sees the new state.
    assert_eq!(*lines, [format!("{:?}", Some(tenant(10))), "None".to_owned()]);
}
