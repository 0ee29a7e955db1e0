//! The suite, on the stores that need no server.

mod suite;

mod fixed {
    use tenancy_agents::FixedStore;

    use crate::suite::suite;

    suite!([] async { (&*Box::leak(Box::new(FixedStore::<128>::new())), ()) });
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use crate::suite::suite;
    use crate::suite::support::sqlite_store;

    suite!([] async { sqlite_store() });
}
