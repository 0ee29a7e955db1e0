//! Streams in tenants, polled by hand and in any order.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_core::{FusedStream, Stream};
use tenancy::{TenantContext, TenantId, TenantStreamExt};

use crate::support::{panic_silently, tenant};

fn poll<S: Stream>(stream: Pin<&mut S>) -> Poll<Option<S::Item>> {
    stream.poll_next(&mut Context::from_waker(Waker::noop()))
}

/// What a stream does in one poll.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Pending,
    Item,
    /// Sets this tenant, or clears, then returns an item.
    Put(Option<u64>),
    /// Opens a scope and a guard, and panics in them or returns an item.
    Nest {
        panics: bool,
    },
    End,
}

/// A stream that follows a list of steps, and reports the tenant that it sees in each poll and in its drop.
struct Planned {
    steps: Vec<Step>,
    seen: Rc<RefCell<Vec<Option<TenantId>>>>,
    drop_panics: bool,
    drops: Rc<Cell<u32>>,
}

impl Planned {
    fn new(steps: &[Step]) -> Self {
        let steps = steps.iter().rev().copied().collect();
        Self { steps, seen: Rc::default(), drop_panics: false, drops: Rc::default() }
    }
}

impl Stream for Planned {
    type Item = Option<TenantId>;

    fn poll_next(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.seen.borrow_mut().push(TenantContext::get_optional());
        match self.steps.pop().unwrap_or(Step::End) {
            Step::Pending => return Poll::Pending,
            Step::End => return Poll::Ready(None),
            Step::Item => {}
            Step::Put(Some(number)) => TenantContext::set(tenant(number)),
            Step::Put(None) => TenantContext::clear(),
            Step::Nest { panics } => TenantContext::scope(tenant(8), || {
                let _guard = TenantContext::enter(tenant(9));
                if panics {
                    panic_silently();
                }
            }),
        }
        Poll::Ready(Some(TenantContext::get_optional()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.steps.len()))
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        self.seen.borrow_mut().push(TenantContext::get_optional());
        self.drops.set(self.drops.get() + 1);
        if self.drop_panics && !std::thread::panicking() {
            panic_silently();
        }
    }
}

#[test]
fn each_poll_and_the_drop_run_in_the_tenant() {
    let planned = Planned::new(&[Step::Pending, Step::Item, Step::Pending, Step::Item]);
    let seen = Rc::clone(&planned.seen);
    {
        let mut stream = pin!(planned.in_tenant(tenant(1)));
        assert!(poll(stream.as_mut()).is_pending());
        assert_eq!(poll(stream.as_mut()), Poll::Ready(Some(Some(tenant(1)))));
        TenantContext::scope(tenant(2), || assert!(poll(stream.as_mut()).is_pending()));
        assert_eq!(TenantContext::get_optional(), None);
    }
    assert_eq!(*seen.borrow(), [Some(tenant(1)); 4]);
    assert_eq!(TenantContext::get_optional(), None);
}

#[test]
fn stream_keeps_what_it_sets_between_polls() {
    let mut stream = pin!(
        Planned::new(&[Step::Put(Some(3)), Step::Item, Step::Put(None), Step::Pending, Step::Item])
            .in_own_context()
    );
    let seen: Vec<_> = (0..6)
        .map(|_| {
            let polled = poll(stream.as_mut());
            assert_eq!(TenantContext::get_optional(), None);
            polled
        })
        .collect();
    let item = |held| Poll::Ready(Some(held));
    let third = Some(tenant(3));
    assert_eq!(seen, [item(third), item(third), item(None), Poll::Pending, item(None), Poll::Ready(None)]);
}

#[test]
fn stream_is_dropped_in_its_tenant_by_the_poll_that_ends_it() {
    let planned = Planned::new(&[Step::Put(Some(4))]);
    let (seen, drops) = (Rc::clone(&planned.seen), Rc::clone(&planned.drops));
    let mut stream = Box::pin(planned.in_tenant(tenant(1)));
    assert_eq!(stream.size_hint(), (0, Some(1)));
    assert!(!stream.is_terminated());
    assert_eq!(poll(stream.as_mut()), Poll::Ready(Some(Some(tenant(4)))));
    assert_eq!(drops.get(), 0);
    assert_eq!(poll(stream.as_mut()), Poll::Ready(None));
    assert_eq!(drops.get(), 1);
    // Polls after the end do not reach the stream.
    assert_eq!(poll(stream.as_mut()), Poll::Ready(None));
    assert!(stream.is_terminated());
    assert_eq!(stream.size_hint(), (0, Some(0)));
    drop(stream);
    assert_eq!(drops.get(), 1);
    assert_eq!(*seen.borrow(), [Some(tenant(1)), Some(tenant(4)), Some(tenant(4))]);
}

#[test]
fn stream_captures_the_current_tenant_when_it_is_wrapped() {
    let stream = TenantContext::scope(tenant(5), || Planned::new(&[Step::Item]).in_current_tenant());
    let mut stream = pin!(stream);
    TenantContext::scope(tenant(6), || {
        assert_eq!(poll(stream.as_mut()), Poll::Ready(Some(Some(tenant(5)))));
    });
    let mut unset = pin!(Planned::new(&[Step::Item]).in_current_tenant());
    TenantContext::scope(tenant(6), || {
        assert_eq!(poll(unset.as_mut()), Poll::Ready(Some(None)));
    });
}

#[test]
fn panics_restore_the_callers_context_and_drop_the_stream_once() {
    for (steps, drop_panics) in
        [(&[Step::Nest { panics: true }][..], false), (&[Step::End], true), (&[Step::Pending], true)]
    {
        let mut planned = Planned::new(steps);
        planned.drop_panics = drop_panics;
        let (seen, drops) = (Rc::clone(&planned.seen), Rc::clone(&planned.drops));
        TenantContext::scope(tenant(7), || {
            let mut stream = Box::pin(planned.in_tenant(tenant(1)));
            let polled = catch_unwind(AssertUnwindSafe(|| poll(stream.as_mut())));
            assert_eq!(polled.is_err(), steps != [Step::Pending]);
            assert_eq!(TenantContext::get(), Ok(tenant(7)));
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(stream)));
            assert_eq!(dropped.is_err(), steps == [Step::Pending]);
            assert_eq!(TenantContext::get(), Ok(tenant(7)));
        });
        assert_eq!(drops.get(), 1, "{steps:?}");
        assert!(seen.borrow().iter().all(|seen| *seen == Some(tenant(1))), "{steps:?}");
    }
}

/// As the drop of a future: on a caller that has another tenant, or none.
#[test]
fn unpolled_stream_is_dropped_in_its_tenant() {
    let planned = Planned::new(&[]);
    let seen = Rc::clone(&planned.seen);
    let stream = planned.in_tenant(tenant(1));
    TenantContext::scope(tenant(2), || drop(stream));
    assert_eq!(*seen.borrow(), [Some(tenant(1))]);
}

#[test]
fn stream_in_a_tenant_adds_16_bytes_and_a_tag() {
    struct Ends(u32);
    impl Stream for Ends {
        type Item = u32;
        fn poll_next(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<u32>> {
            Poll::Ready((self.0 == 0).then_some(0))
        }
    }
    let stream = Ends(1).in_tenant(tenant(1));
    assert_eq!(size_of_val(&stream), 16 + size_of::<Option<Ends>>());
    assert_eq!(poll(pin!(stream)), Poll::Ready(None));
}
