//! The list of tenants, for the platform.

use maud::{Markup, html};
use tenancy::{TenantRecord, TenantStatus};
use tenancy_agents::AgentStatus;

use super::super::model::{Counts, TenantsPage, words};
use super::super::paths::HOME;
use super::super::query::ListQuery;

/// Returns a table of tenants with the numbers of their own agents.
pub(super) fn section(page: &TenantsPage, wanted: ListQuery) -> Markup {
    let link = |tenants_after| ListQuery { tenants_after, ..wanted };
    html! {
        section aria-labelledby="tenants" {
            h2 #tenants { "Tenants" }
            div.scroll role="region" aria-labelledby="tenants-caption" tabindex="0" {
                table {
                    caption #tenants-caption { "All tenants, and their own agents" }
                    thead {
                        tr {
                            th scope="col" { "Tenant" }
                            th scope="col" { "Status" }
                            @for status in states() { th.number scope="col" { (words(status)) } }
                            th.number scope="col" { "all" }
                        }
                    }
                    tbody { @for (record, counts) in &page.tenants { (row(record, counts.as_ref())) } }
                }
            }
            @if wanted.tenants_after.is_some() || page.next.is_some() {
                nav.pages aria-label="Pages of tenants" {
                    @if wanted.tenants_after.is_some() {
                        a #first-tenants href={ (HOME) (link(None)) } { "First page" }
                    }
                    @if page.next.is_some() {
                        a #next-tenants href={ (HOME) (link(page.next)) } { "Next page" }
                    }
                }
            }
        }
    }
}

fn row(record: &TenantRecord, counts: Option<&Counts>) -> Markup {
    let status = match record.status() {
        TenantStatus::Active => "active",
        TenantStatus::Deleted => "deleted",
        _ => "suspended",
    };
    html! {
        tr {
            th scope="row" { span.name { (record.slug()) } span.more { code { (record.id()) } } }
            td { span class={ "status " (status) } { (status) } }
            @if let Some(counts) = counts {
                @for (_, count) in counts.each().filter(|(status, _)| is_shown(*status)) { td.number { (count) } }
                td.number { strong { (counts.present()) } }
            } @else {
                td.number colspan=(states().count() + 1) { "cannot be read" }
            }
        }
    }
}

fn states() -> impl Iterator<Item = AgentStatus> {
    AgentStatus::ALL.into_iter().filter(|status| is_shown(*status))
}

fn is_shown(status: AgentStatus) -> bool {
    status != AgentStatus::Deleted
}
