//! The page in a browser, as users see it.

use serde_json::{Value, json};

use super::chromium::{Browser, Tab};
use crate::support::agents::{active, register};
use crate::support::process::{Gateway, wait_for};
use crate::support::{ALICE, BOB, OPERATOR, Who};

fn open<'b>(browser: &'b Browser, gateway: &Gateway) -> Tab<'b> {
    let tab = browser.tab();
    tab.go(&format!("http://{}/", gateway.address));
    tab
}

/// Fills in the sign-in form and sends it.
fn sign_in(tab: &Tab<'_>, principal: &str, tenant: &str) {
    tab.type_into("token", &format!("demo-{principal}"));
    tab.type_into("tenant", tenant);
    tab.press_enter();
}

/// Checks that no script of a tenant's text has run.
fn assert_nothing_ran(tab: &Tab<'_>) {
    assert_eq!(tab.value("typeof window.hostile"), Some(json!("undefined")));
}

fn hostile(who: Who, gateway: &Gateway) {
    let markup = "<img src=x onerror='window.hostile=1'><script>window.hostile=1</script>";
    let agent = json!({ "name": "hostile", "display_name": markup, "description": format!("\">{markup}") });
    register(gateway, who, &agent);
}

#[test]
#[ignore = "needs chromium; cargo xtask test runs it"]
fn two_tenants_in_one_browser_see_only_their_own() {
    let (gateway, browser) = (Gateway::start(), Browser::start());
    let (alice, bob) = (open(&browser, &gateway), open(&browser, &gateway));
    sign_in(&alice, "alice", "acme");
    sign_in(&bob, "bob", "globex");
    alice.with("Agents of acme");
    bob.with("Agents of globex");
    register(&gateway, ALICE, &json!({ "name": "of-acme", "description": "acme knows" }));
    register(&gateway, BOB, &json!({ "name": "of-globex", "description": "globex knows" }));
    active(&gateway, OPERATOR, &json!({ "name": "of-all", "visibility": "shared" }));
    let html = |tab: &Tab<'_>| tab.value("document.documentElement.outerHTML").unwrap().to_string();
    for (tab, own, other) in [(&alice, "acme", "globex"), (&bob, "globex", "acme")] {
        tab.reload();
        // This agent was registered last, so a page that shows it shows all.
        let text = tab.with("of-all");
        assert!(text.contains(&format!("of-{own}")) && text.contains(&format!("{own} knows")), "{text}");
        assert!(text.contains("shared by the platform"), "{text}");
        assert!(!html(tab).contains(other), "{}", html(tab));
    }
    // Scripts cannot read the cookie.
    assert_eq!(alice.value("document.cookie"), Some(json!("")));
    let click = "document.querySelector('header button').click()";
    alice.value(click);
    alice.with("Its name, or its id.");
    assert!(bob.text().contains("of-globex"));
}

#[test]
#[ignore = "needs chromium; cargo xtask test runs it"]
fn new_agents_appear_without_a_reload() {
    let (gateway, browser) = (Gateway::start(), Browser::start());
    let tab = open(&browser, &gateway);
    sign_in(&tab, "alice", "acme");
    tab.with("There are no agents yet");
    tab.value("window.marker = 1; document.getElementById('filter-draft').focus()");
    register(&gateway, ALICE, &json!({ "name": "newcomer" }));
    tab.with("newcomer");
    assert_eq!(tab.value("window.marker"), Some(json!(1)), "it is the same document");
    assert_eq!(
        tab.value("document.activeElement.id"),
        Some(json!("filter-draft")),
        "who was there is there still"
    );
    hostile(ALICE, &gateway);
    tab.with("onerror");
    assert_nothing_ran(&tab);
}

#[test]
#[ignore = "needs chromium; cargo xtask test runs it"]
fn hostile_text_is_escaped_and_the_policy_blocks_scripts() {
    let (gateway, browser) = (Gateway::start(), Browser::start());
    hostile(ALICE, &gateway);
    let tab = open(&browser, &gateway);
    sign_in(&tab, "alice", "acme");
    let text = tab.with("hostile");
    assert!(text.contains("<script>window.hostile=1</script>"), "{text}");
    assert_eq!(tab.value("document.images.length"), Some(json!(0)));
    assert_nothing_ran(&tab);
    // Inserts markup as if the escaping were missing.
    tab.value("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hostile=1\">')");
    tab.value(
        "document.head.append(Object.assign(document.createElement('script'), { text: 'window.hostile=1' }))",
    );
    let loaded = wait_for(|| tab.value("document.images[0].complete").filter(|it| *it == Value::Bool(true)));
    assert!(loaded.is_some());
    assert_nothing_ran(&tab);
}

#[test]
#[ignore = "needs chromium; cargo xtask test runs it"]
fn page_works_without_javascript() {
    let (gateway, browser) = (Gateway::start(), Browser::start());
    active(&gateway, ALICE, &json!({ "name": "used" }));
    register(&gateway, ALICE, &json!({ "name": "begun" }));
    let tab = browser.tab();
    tab.ask("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    tab.go(&format!("http://{}/", gateway.address));
    sign_in(&tab, "alice", "globex");
    tab.with("Token");
    let refused = tab.with("Sign in");
    assert!(!refused.contains("Agents of"), "{refused}");
    wait_for(|| tab.value("document.querySelector('[role=alert]').innerText")).expect("it says why");
    sign_in(&tab, "alice", "acme");
    let text = tab.with("Agents of acme");
    assert!(text.contains("used") && text.contains("begun"), "{text}");
    let link = tab.value("document.getElementById('filter-draft').href").expect("a link");
    tab.go(link.as_str().unwrap());
    let gone = wait_for(|| Some(tab.text()).filter(|text| text.contains("begun") && !text.contains("used")));
    assert!(gone.is_some(), "{}", tab.text());
    tab.value("document.querySelector('header button').click()");
    tab.with("Its name, or its id.");
}

#[test]
#[ignore = "needs chromium; cargo xtask test runs it"]
fn platform_page_shows_tenants_and_live_counts() {
    let (gateway, browser) = (Gateway::start(), Browser::start());
    register(&gateway, ALICE, &json!({ "name": "begun", "description": "acme knows" }));
    let tab = open(&browser, &gateway);
    sign_in(&tab, "operator", "platform");
    let text = tab.with("All tenants");
    let row = "[...document.querySelectorAll('tr')].find((row) => row.innerText.includes('acme')).innerText";
    let row = tab.value(row).expect("a row").to_string();
    assert!(row.contains("acme") && row.contains("active\\t1\\t0\\t0\\t0\\t0\\t0\\t1"), "{row}");
    assert!(text.contains("initech") && !text.contains("acme knows"), "{text}");
    // The numbers are updated without a reload.
    register(&gateway, BOB, &json!({ "name": "begun" }));
    let row =
        "[...document.querySelectorAll('tr')].find((row) => row.innerText.includes('globex')).innerText";
    let changed = wait_for(|| tab.value(row).filter(|row| row.to_string().contains("active\\t1\\t0")));
    assert!(changed.is_some(), "{}", tab.text());
}
