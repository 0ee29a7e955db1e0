//! Errors at the start with a Redis URL. Most of them need no server.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use crate::support::process::{command, run};
use crate::support::redis_server::Server;

/// Returns the program's error for a URL with the password `s3cret`.
fn refused(url: &str) -> String {
    let mut by_variable = command(&[]);
    by_variable.env("REDIS_URL", url);
    let (code, stdout, stderr) = run(by_variable);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(!stderr.contains("s3cret") && !stderr.contains("somebody"), "{stderr}");
    assert_eq!(run(command(&["--log", "trace", "--redis-url", url])), (code, stdout, stderr.clone()));
    stderr
}

/// Starts a server that sends the same line in reply to everything; returns its address and a URL.
fn server_that_says(line: &'static [u8]) -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let url = format!("redis://somebody:s3cret@{address}/3");
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // A client sends four commands at once when it connects.
            let lines = line.repeat(4);
            thread::spawn(move || {
                while matches!(stream.read(&mut [0; 1024]), Ok(1..)) && stream.write_all(&lines).is_ok() {}
            });
        }
    });
    (address, url)
}

#[test]
fn invalid_url_is_not_printed() {
    for url in [
        "",
        "s3cret",
        "http://somebody:s3cret@localhost",
        "rediss://:s3cret@localhost",
        "redis://12/s3cret@h",
    ] {
        let error = refused(url);
        assert!(error.contains("redis://[user:password@]host"), "{error}");
    }
}

#[test]
fn names_host_and_port_if_the_connection_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = refused(&format!("redis://somebody:s3cret@{address}/3"));
    assert!(error.starts_with(&format!("error: cannot use the Redis at {address}: ")), "{error}");
    assert!(error.contains("refused"), "{error}");
}

#[test]
fn does_not_repeat_the_servers_errors() {
    for (line, reason) in [
        (&b"-WRONGPASS not s3cret of somebody\r\n"[..], "authentication failed"),
        (b"HTTP/1.1 400 s3cret\r\n\r\n", "parse error"),
    ] {
        let (address, url) = server_that_says(line);
        let error = refused(&url);
        assert!(error.contains(&format!("the Redis at {address}: {reason}")), "{error}");
    }
}

#[test]
fn gives_up_on_a_silent_redis() {
    let (address, url) = server_that_says(b"");
    let mut command = command(&["--redis-url", &url]);
    command.env("GATEWAY_LISTEN", "127.0.0.1:0");
    let (code, _, error) = run(command);
    assert_eq!(code, Some(1));
    assert_eq!(error, format!("error: cannot use the Redis at {address}: it did not answer within 5 s\n"));
}

#[test]
fn help_names_the_variable_and_not_its_value() {
    let mut command = command(&["--help"]);
    command.env("REDIS_URL", "redis://:s3cret@localhost");
    let (code, help, _) = run(command);
    assert_eq!(code, Some(0));
    assert!(help.contains("--redis-url <URL>") && help.contains("[env: REDIS_URL]"), "{help}");
    assert!(!help.contains("s3cret"), "{help}");
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_a_wrong_or_missing_password() {
    let server = Server::with_password("right");
    let url = server.url();
    for (url, reason) in [
        (url.replace("pass=right", "pass=s3cret"), "authentication failed"),
        (url.replace("pass=right", "user=somebody&pass=s3cret"), "authentication failed"),
        (url.replace("?pass=right", ""), "NOAUTH"),
    ] {
        let error = refused(&url);
        assert!(error.trim_end().ends_with(reason), "{error}");
    }
}
