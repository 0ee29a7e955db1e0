//! The suite, on the stores that need no server.

mod suite;

mod fixed {
    use tenancy_agents::FixedStore;

    use crate::suite::suite;

    suite!(async { (&*Box::leak(Box::new(FixedStore::<128>::new())), ()) });
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use tenancy_agents::store::sqlite::{SCHEMA, SqliteStore};
    use tenancy_sqlite::{Config, Migration, TenantFiles};

    use crate::suite::suite;

    const MIGRATIONS: &[Migration] = &[Migration { version: 1, name: "agents", sql: SCHEMA }];

    suite!(async {
        let folder = tempfile::tempdir().expect("a folder");
        let files = TenantFiles::open(Config::new(folder.path().join("tenants")).migrations(MIGRATIONS));
        (SqliteStore::new(files.expect("files")), folder)
    });
}
