//! The suite, on the stores that need no server.

mod suite;

mod fixed {
    use tenancy_agents::FixedStore;

    use crate::suite::suite;

    suite!([] async { (&*Box::leak(Box::new(FixedStore::<128>::new())), ()) });
    suite!(@quota [] async { (&*Box::leak(Box::new(FixedStore::<128>::with_quota(4))), ()) });
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use crate::suite::suite;
    use crate::suite::support::sqlite_store;

    suite!([] async { sqlite_store() });
    suite!(@quota [] async {
        let (store, folder) = sqlite_store();
        (store.quota(4), folder)
    });
}
