//! The suite on each store, and one script for all stores and the model.

mod fixed {
    use tenancy_agents::FixedStore;

    use crate::suite::suite;

    suite!([] async { (&*Box::leak(Box::new(FixedStore::<128>::new())), ()) });
    suite!(@quota [] async { (&*Box::leak(Box::new(FixedStore::<128>::with_quota(4))), ()) });
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use crate::suite::suite;
    use crate::support::files::sqlite_store;

    suite!([] async { sqlite_store() });
    suite!(@quota [] async {
        let (store, folder) = sqlite_store();
        (store.quota(4), folder)
    });
}

#[cfg(feature = "postgres")]
mod postgres {
    use crate::suite::suite;
    use crate::support::database::Database;

    suite!([#[ignore = "needs postgres; cargo xtask test runs it"]] async {
        let database = Database::shared();
        (database.store().await, database)
    });
    suite!(@quota [#[ignore = "needs postgres; cargo xtask test runs it"]] async {
        let database = Database::shared();
        (database.store().await.quota(4), database)
    });
}

#[cfg(all(feature = "postgres", feature = "sqlite"))]
mod together {
    use tenancy_agents::FixedStore;

    use crate::suite::model::{Answers, scripted};
    use crate::suite::support::Subject;
    use crate::support::database::Database;
    use crate::support::files::sqlite_store;

    /// Each answer of each store is the model's, to the id and the millisecond.
    #[tokio::test]
    #[ignore = "needs postgres; cargo xtask test runs it"]
    async fn memory_files_and_postgres_answer_the_same() {
        static MEMORY: FixedStore<512> = FixedStore::new();
        let database = Database::shared();
        let (files, _folder) = sqlite_store();
        let (memory, files) = (Subject::new(&MEMORY), Subject::new(files));
        let postgres = Subject::new(database.store().await);
        let mut answers = Answers::default();
        for (tenant, operation) in scripted(1500) {
            let wanted = answers.of_model(tenant, &operation);
            answers.compare("memory", &memory, tenant, &operation, &wanted).await;
            answers.compare("files", &files, tenant, &operation, &wanted).await;
            answers.compare("postgres", &postgres, tenant, &operation, &wanted).await;
        }
        answers.check_that_all_kinds_were_met();
    }
}
