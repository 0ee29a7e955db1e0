//! A suite of tests for all stores: each function is a test of each store.

pub(crate) mod life;
pub(crate) mod model;
pub(crate) mod names;
pub(crate) mod pages;
pub(crate) mod quota;
pub(crate) mod support;
pub(crate) mod visibility;
pub(crate) mod writes;

/// Creates a test for each function of the suite. `$store` evaluates to an empty store and a value that keeps it alive; each
/// test gets the attributes in brackets. With `@quota`, the tests are those for a store with a quota of four agents.
macro_rules! suite {
    ([$($attribute:tt)*] $store:expr) => {
        suite! { @all [$($attribute)*] $store;
            life::each_transition_is_allowed_or_rejected_by_state,
            life::resuming_does_not_bypass_approval,
            life::a_decision_needs_an_approval_for_this_agent_and_tenant,
            life::rejects_a_decision_on_an_agent_that_changed_since,
            life::rejects_a_transition_of_an_agent_that_changed_since,
            life::a_tombstone_is_readable_by_its_tenant_and_immutable,
            life::a_heartbeat_does_not_change_the_revision,
            life::rejects_every_operation_without_a_tenant,
            names::registering_is_idempotent_by_name_and_content,
            names::a_deleted_agent_frees_its_name,
            names::two_tenants_can_use_the_same_name,
            names::a_tenant_cannot_take_a_shared_name,
            names::the_platform_cannot_share_a_name_of_a_tenant_and_learns_which,
            names::sharing_again_checks_names_again,
            names::one_of_many_concurrent_registrations_is_new,
            names::conflicts_within_the_tenant_are_reported_first,
            names::the_same_id_in_two_tenants_is_two_agents,
            names::a_taken_id_is_replaced_by_another_one,
            names::an_agent_is_shared_under_its_stored_name,
            pages::pages_contain_each_agent_once,
            pages::lists_and_counts_apply_the_same_filters,
            pages::a_search_returns_active_agents_with_the_capability,
            pages::paging_continues_while_agents_are_added_and_deleted,
            pages::a_cursor_of_another_tenant_is_only_a_position,
            visibility::lists_counts_and_searches_return_only_visible_agents,
            visibility::foreign_agents_are_reported_like_absent_ones,
            visibility::every_read_agrees_on_what_the_platform_shares,
            visibility::only_the_platform_can_share,
            visibility::shared_agents_are_read_only,
            writes::an_update_requires_the_current_revision,
            writes::one_of_many_concurrent_updates_succeeds,
            writes::an_update_of_a_foreign_agent_changes_nothing,
            writes::a_replacement_keeps_tenant_name_and_creation_time,
            writes::concurrent_transitions_all_succeed,
            writes::concurrent_changes_of_any_revision_all_succeed,
            writes::concurrent_transitions_are_never_refused_as_unavailable,
            writes::a_failed_or_empty_change_stores_nothing,
            writes::a_change_keeps_what_no_change_may_touch,
            writes::content_of_maximum_length_round_trips,
            writes::a_restored_agent_is_unchanged,
            writes::one_of_many_concurrent_restores_is_first,
            model::a_store_matches_the_model,
        }
    };
    (@quota [$($attribute:tt)*] $store:expr) => {
        suite! { @all [$($attribute)*] $store;
            quota::concurrent_registrations_use_different_tombstones,
            quota::existing_agents_are_reported_before_a_full_store,
            quota::a_restored_tombstone_does_not_displace_itself,
        }
    };
    (@all $attributes:tt $store:expr; $($module:ident::$test:ident,)+) => {
        $(suite! { @test $attributes $store; $module $test })+
    };
    (@test [$($attribute:tt)*] $store:expr; $module:ident $test:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        $($attribute)*
        async fn $test() {
            let (store, _kept) = $store.await;
            crate::suite::$module::$test(&crate::suite::support::Subject::new(store)).await;
        }
    };
}

pub(crate) use suite;
