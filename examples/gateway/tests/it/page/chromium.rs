//! A headless Chromium, by the protocol of its developer tools on two pipes: no port, and no crate for it.

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

/// The browser reads commands from its descriptor 3, and writes answers to 4.
const START: &str = r#"exec 3<&0 4>&1 </dev/null >/dev/null; exec "$0" "$@""#;

/// Whether the document has been read to its end.
const WHOLE: &str = "document.readyState === 'complete'";

/// A browser, which ends with the test.
pub(crate) struct Browser {
    child: Child,
    pipes: Mutex<(ChildStdin, Receiver<Value>)>,
    next: AtomicU64,
    _profile: TempDir,
}

/// A page in a context of its own: what one has for cookies, no other has.
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
            // It does not start otherwise.
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

    /// A page of nobody who was there before.
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
            // Events are not waited for: what they tell is asked for.
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

    /// What an expression is in the page; `None` where it throws, or the page is just being left.
    pub(crate) fn value(&self, expression: &str) -> Option<Value> {
        let params = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.browser.try_to_ask(Some(&self.session), "Runtime.evaluate", &params).ok()?;
        answer["exceptionDetails"].is_null().then(|| answer["result"]["value"].take())
    }

    /// All text that is to be seen; none of a page that is not there as a whole yet, for it comes in parts.
    pub(crate) fn text(&self) -> String {
        self.value(&format!("{WHOLE} ? document.body.innerText : ''"))
            .and_then(|text| text.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// The text, once something is in it.
    pub(crate) fn with(&self, part: &str) -> String {
        let text = wait_for(|| Some(self.text()).filter(|text| text.contains(part)));
        text.unwrap_or_else(|| panic!("no {part:?} in {:?}", self.text()))
    }

    pub(crate) fn go(&self, url: &str) {
        self.ask("Page.navigate", &json!({ "url": url }));
    }

    /// Asks for the page again, and waits for it: what is read then is not of the page that was left.
    pub(crate) fn reload(&self) {
        self.value("window.left = true, location.reload()").expect("a page");
        let again = format!("typeof window.left === 'undefined' && {WHOLE}");
        let came = wait_for(|| self.value(&again).filter(|it| *it == Value::Bool(true)));
        assert!(came.is_some(), "the page did not come again");
    }

    /// Puts a text into a field, as by its keys, once the whole form is there.
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
        // It ends its own processes before itself. What is killed can't.
        if let Ok(mut pipes) = self.pipes.lock() {
            let _ = write!(pipes.0, "{}\0", json!({ "id": 0, "method": "Browser.close" }));
        }
        let _ = wait_for(|| self.child.try_wait().ok().flatten());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
