//! The suite on Postgres, and one script for all three stores and the model.

mod common;
mod suite;

mod postgres {
    use crate::common::own_pg_store;
    use crate::suite::suite;

    suite!([#[ignore = "needs postgres; cargo xtask test runs it"]] own_pg_store());
    suite!(@quota [#[ignore = "needs postgres; cargo xtask test runs it"]] async {
        let (store, server) = own_pg_store().await;
        (store.quota(4), server)
    });
}

mod together {
    use tenancy_agents::FixedStore;

    use crate::common::own_pg_store;
    use crate::suite::model::{Answers, scripted};
    use crate::suite::support::{Subject, sqlite_store};

    /// Each answer of each store is the model's, to the id and the millisecond.
    #[tokio::test]
    #[ignore = "needs postgres; cargo xtask test runs it"]
    async fn the_same_operations_get_the_same_answers_of_all_three() {
        static MEMORY: FixedStore<512> = FixedStore::new();
        let ((postgres, _server), (files, _folder)) = (own_pg_store().await, sqlite_store());
        let (memory, files, postgres) = (Subject::new(&MEMORY), Subject::new(files), Subject::new(postgres));
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
