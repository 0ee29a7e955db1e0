//! The page as HTML. Each text of a tenant is put in by `maud`, which escapes it: nothing here is `PreEscaped`.

mod agents;
mod tenants;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;
use tenancy_agents::AgentStatus;

use super::home::Home;
use super::{HOME, SCRIPT, SIGN_IN, SIGN_OUT, STYLE};

/// A document.
pub(super) struct Html(Markup);

/// What a problem tells people.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Told {
    title: String,
    detail: String,
}

impl Told {
    /// What the API says of it is for who writes header fields.
    pub(super) fn unknown_token() -> Self {
        let detail = "It is the one that your programs call this service with.".to_owned();
        Self { title: "This token is not known".to_owned(), detail }
    }
}

impl Default for Told {
    fn default() -> Self {
        Self { title: "Something broke".to_owned(), detail: String::new() }
    }
}

/// The form of who is not signed in, and why it is there again.
pub(super) fn sign_in(told: Option<&Told>) -> Html {
    let main = html! {
        main.narrow {
            h1 { "Sign in" }
            @if let Some(told) = told { (alert(told)) }
            form method="post" action=(SIGN_IN) {
                label for="token" { "Token" }
                input #token type="password" name="token" autocomplete="current-password" required
                    autofocus;
                label for="tenant" { "Tenant" }
                input #tenant type="text" name="tenant" autocomplete="off" autocapitalize="none" spellcheck="false"
                    required aria-describedby="tenant-hint";
                p.hint #tenant-hint { "Its name, or its id." }
                button type="submit" { "Sign in" }
            }
        }
    };
    document("Sign in", None, &main)
}

/// For who is signed in, and gets nothing for it.
pub(super) fn refused(told: &Told) -> Html {
    let main = html! {
        main.narrow data-refresh {
            h1 { "Not to be shown" }
            (alert(told))
            p { a #again href=(HOME) { "Try again" } }
        }
    };
    document("Not to be shown", Some(&sign_out()), &main)
}

/// The page of who is signed in.
pub(super) fn home(home: &Home) -> Html {
    let tenant = home.slug.clone().unwrap_or_else(|| home.tenant.to_string());
    let who = html! {
        p.who { strong { (home.principal) } " for " strong { (tenant) } }
        (sign_out())
    };
    let main = html! {
        main data-refresh {
            @if let Some(page) = &home.tenants {
                h1 { "Tenants and agents" }
                (tenants::section(page, home.wanted))
                section aria-labelledby="agents" { h2 #agents { "Agents of " (tenant) } (agents::list(home)) }
            } @else {
                h1 { "Agents of " (tenant) }
                (agents::list(home))
            }
        }
    };
    document(&format!("Agents of {tenant}"), Some(&who), &main)
}

fn alert(told: &Told) -> Markup {
    html! {
        div.alert role="alert" {
            p { strong { (told.title) "." } }
            @if !told.detail.is_empty() { p { (told.detail) } }
        }
    }
}

fn sign_out() -> Markup {
    html! {
        form method="post" action=(SIGN_OUT) { button.quiet type="submit" { "Sign out" } }
    }
}

fn document(title: &str, who: Option<&Markup>, main: &Markup) -> Html {
    Html(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · gateway" }
                link rel="stylesheet" href=(STYLE);
                script src=(SCRIPT) defer {}
            }
            body {
                header {
                    p.brand { "gateway" }
                    @if let Some(who) = who { (who) }
                }
                (main)
            }
        }
    })
}

/// A status in words.
fn words(status: AgentStatus) -> &'static str {
    match status {
        AgentStatus::Draft => "draft",
        AgentStatus::PendingApproval => "pending approval",
        AgentStatus::Active => "active",
        AgentStatus::Rejected => "rejected",
        AgentStatus::Suspended => "suspended",
        AgentStatus::Deprecated => "deprecated",
        AgentStatus::Deleted => "deleted",
    }
}

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        ([(CONTENT_TYPE, kind)], self.0.into_string()).into_response()
    }
}
