//! The page as HTML. `maud` escapes all texts of tenants: nothing here is `PreEscaped`.

mod agents;
mod tenants;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use super::model::Home;
use super::paths::{HOME, SCRIPT, SIGN_IN, SIGN_OUT, STYLE};

/// A document.
pub(super) struct Html(Markup);

/// A problem as shown to users.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct ErrorMessage {
    title: String,
    detail: String,
}

impl ErrorMessage {
    /// Returns the message for an unknown token. The API's message is about header fields.
    pub(super) fn unknown_token() -> Self {
        let detail = "Enter the token that your programs use for this service.".to_owned();
        Self { title: "This token is not known".to_owned(), detail }
    }
}

impl Default for ErrorMessage {
    fn default() -> Self {
        Self { title: "Something went wrong".to_owned(), detail: String::new() }
    }
}

/// Returns the form to sign in, with the error of the previous attempt.
pub(super) fn sign_in(error: Option<&ErrorMessage>) -> Html {
    let main = html! {
        main.narrow {
            h1 { "Sign in" }
            @if let Some(error) = error { (alert(error)) }
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

/// Returns the page of a signed-in user whose request was rejected.
pub(super) fn refused(error: &ErrorMessage) -> Html {
    let main = html! {
        main.narrow data-refresh {
            h1 { "Not available" }
            (alert(error))
            p { a #again href=(HOME) { "Try again" } }
        }
    };
    document("Not available", Some(&sign_out()), &main)
}

/// Returns the page of a signed-in user.
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

fn alert(error: &ErrorMessage) -> Markup {
    html! {
        div.alert role="alert" {
            p { strong { (error.title) "." } }
            @if !error.detail.is_empty() { p { (error.detail) } }
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

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        ([(CONTENT_TYPE, kind)], self.0.into_string()).into_response()
    }
}
