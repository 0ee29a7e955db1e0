//! One suite for all stores: each function is a test of each.

#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

pub(crate) mod life;
pub(crate) mod model;
pub(crate) mod names;
pub(crate) mod pages;
pub(crate) mod quota;
pub(crate) mod support;
pub(crate) mod visibility;
pub(crate) mod writes;

/// Makes a test of each function of the suite: `$store` gives a store that is empty, and what keeps it there; each test
/// has the attributes in brackets. With `@quota`, of those for a store where a tenant may have four agents.
macro_rules! suite {
    ([$($attribute:tt)*] $store:expr) => {
        suite! { @all [$($attribute)*] $store;
            life::each_step_from_each_state_is_as_the_design_says,
            life::resuming_is_no_way_around_approval,
            life::a_decision_takes_an_approval_for_this_agent_of_this_tenant,
            life::what_was_changed_since_is_not_decided_on,
            life::what_was_changed_since_takes_no_step,
            life::a_tombstone_is_read_by_its_tenant_alone_and_stays_as_it_is,
            life::a_heartbeat_makes_no_revision,
            life::without_a_tenant_nothing_is_done,
            names::registering_is_idempotent_by_name_and_content,
            names::a_name_is_free_again_after_its_agent,
            names::two_tenants_may_use_one_name,
            names::a_tenant_takes_no_name_that_the_platform_shares,
            names::the_platform_takes_no_name_of_a_tenant_and_hears_whose,
            names::sharing_anew_looks_at_names_anew,
            names::of_many_who_register_at_once_one_is_new,
            names::what_the_tenant_has_itself_is_told_first,
            names::an_id_is_the_tenants_own,
            names::an_id_that_is_taken_is_no_name_that_is,
            names::what_is_shared_is_shared_by_the_name_that_it_has,
            pages::pages_follow_each_other_and_show_each_once,
            pages::filters_are_the_same_for_lists_and_counts,
            pages::finding_shows_what_is_in_use_and_has_the_tag,
            pages::a_page_goes_on_while_agents_come_and_go,
            pages::a_foreign_cursor_is_a_place_and_nothing_else,
            visibility::lists_counts_and_searches_show_the_tenants_own,
            visibility::absent_and_foreign_are_the_same_to_every_operation,
            visibility::what_the_platform_shares_is_seen_by_each_read_or_by_none,
            visibility::only_the_platform_has_somebody_to_share_with,
            visibility::what_is_shared_is_read_only,
            writes::an_update_needs_the_revision,
            writes::of_many_who_update_at_once_one_wins,
            writes::an_update_of_a_foreign_agent_changes_nothing,
            writes::a_replacement_changes_no_tenant_name_or_birth,
            writes::steps_at_once_are_all_done,
            writes::the_longest_content_comes_back,
            writes::an_agent_is_put_back_as_it_was,
            writes::of_many_who_put_one_back_at_once_one_is_first,
            model::stores_answer_as_the_model_does,
        }
    };
    (@quota [$($attribute:tt)*] $store:expr) => {
        suite! { @all [$($attribute)*] $store;
            quota::each_of_many_at_once_has_the_room_of_another_tombstone,
            quota::what_is_there_is_told_before_that_there_is_no_room,
            quota::a_tombstone_makes_no_room_for_itself,
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
