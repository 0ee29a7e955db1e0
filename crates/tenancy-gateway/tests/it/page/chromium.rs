//! A headless Chromium, controlled through two pipes by the protocol of its developer tools.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::PATIENCE;
use crate::support::process::wait_for;

/// The browser reads commands from file descriptor 3 and writes responses to 4.
const START: &str = r#"exec 3<&0 4>&1 </dev/null >/dev/null; exec "$0" "$@""#;

/// An expression that is true when the document is complete.
const WHOLE: &str = "document.readyState === 'complete'";

/// A browser that ends with the test.
pub(crate) struct Browser {
    child: Child,
    pipes: Mutex<(ChildStdin, Receiver<Value>)>,
    next: AtomicU64,
    _profile: TempDir,
}

/// A tab with cookies of its own.
pub(crate) struct Tab<'b> {
    browser: &'b Browser,
    session: String,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("sh");
        command.args(["-c", START, "chromium", "--headless", "--remote-debugging-pipe", "--no-first-run"]);
        command.args(["--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync"]);
        command.args(["--disable-background-networking", "--disable-component-update"]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        if is_root() {
            // Chromium refuses to start its sandbox as root.
            command.arg("--no-sandbox");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a shell");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, answers) = channel();
        thread::spawn(move || {
            let messages = stdout.split(0).map_while(Result::ok);
            for message in messages.filter_map(|message| serde_json::from_slice(&message).ok()) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Self { child, pipes: Mutex::new((stdin, answers)), next: AtomicU64::new(1), _profile: profile }
    }

    /// Opens a tab without cookies.
    pub(crate) fn tab(&self) -> Tab<'_> {
        let context = self.ask(None, "Target.createBrowserContext", &json!({}));
        let target = json!({ "url": "about:blank", "browserContextId": context["browserContextId"] });
        let target = self.ask(None, "Target.createTarget", &target);
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.ask(None, "Target.attachToTarget", &attach);
        Tab { browser: self, session: session["sessionId"].as_str().expect("a session").to_owned() }
    }

    fn ask(&self, session: Option<&str>, method: &str, params: &Value) -> Value {
        let answer = self.try_to_ask(session, method, params);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_to_ask(&self, session: Option<&str>, method: &str, params: &Value) -> Result<Value, Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut pipes = self.pipes.lock().unwrap();
        let (commands, answers) = &mut *pipes;
        write!(commands, "{message}\0").expect("chromium is there");
        loop {
            // Events are skipped: the tests ask for the state instead.
            let mut answer = answers.recv_timeout(PATIENCE).expect("chromium answers");
            if answer["id"] == id {
                return if answer["error"].is_null() {
                    Ok(answer["result"].take())
                } else {
                    Err(answer["error"].take())
                };
            }
        }
    }
}

impl Tab<'_> {
    pub(crate) fn ask(&self, method: &str, params: &Value) -> Value {
        self.browser.ask(Some(&self.session), method, params)
    }

    /// Evaluates an expression in the page; returns `None` if it throws, or if the page is being left.
    pub(crate) fn value(&self, expression: &str) -> Option<Value> {
        let params = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.browser.try_to_ask(Some(&self.session), "Runtime.evaluate", &params).ok()?;
        answer["exceptionDetails"].is_null().then(|| answer["result"]["value"].take())
    }

    /// Returns the visible text, or an empty text while the page is still loading.
    pub(crate) fn text(&self) -> String {
        self.value(&format!("{WHOLE} ? document.body.innerText : ''"))
            .and_then(|text| text.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// Waits until the text contains a part, and returns the text.
    pub(crate) fn with(&self, part: &str) -> String {
        let text = wait_for(|| Some(self.text()).filter(|text| text.contains(part)));
        text.unwrap_or_else(|| panic!("no {part:?} in {:?}", self.text()))
    }

    pub(crate) fn go(&self, url: &str) {
        self.ask("Page.navigate", &json!({ "url": url }));
    }

    /// Reloads the page and waits until the new page is complete.
    pub(crate) fn reload(&self) {
        self.value("window.left = true, location.reload()").expect("a page");
        let again = format!("typeof window.left === 'undefined' && {WHOLE}");
        let came = wait_for(|| self.value(&again).filter(|it| *it == Value::Bool(true)));
        assert!(came.is_some(), "the page did not come again");
    }

    /// Types a text into a field, as soon as the form is complete.
    pub(crate) fn type_into(&self, id: &str, text: &str) {
        let focus =
            format!("{WHOLE} && (document.getElementById('{id}').focus(), document.activeElement.id)");
        let focused = wait_for(|| self.value(&focus).filter(|focused| focused == id));
        assert!(focused.is_some(), "no field {id} in {:?}", self.text());
        self.ask("Input.insertText", &json!({ "text": text }));
    }

    pub(crate) fn press_enter(&self) {
        let key = json!({ "type": "keyDown", "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13 });
        self.ask("Input.dispatchKeyEvent", &key);
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A browser that is closed ends its child processes; one that is killed cannot.
        if let Ok(mut pipes) = self.pipes.lock() {
            let _ = write!(pipes.0, "{}\0", json!({ "id": 0, "method": "Browser.close" }));
        }
        let _ = wait_for(|| self.child.try_wait().ok().flatten());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
