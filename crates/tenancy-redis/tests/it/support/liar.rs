//! A server that sends given bytes.

use std::io::Write;
use std::net::TcpListener;
use std::thread;

use redis::{Client, Parser, Value};

/// Returns a client of a server that accepts every command, and sends these bytes after each subscription.
pub(crate) fn after_subscribe(resp: u8, bytes: Vec<u8>) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    // Each thread ends with its peer; the listener ends with the test.
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let bytes = bytes.clone();
            thread::spawn(move || {
                let mut parser = Parser::new();
                while let Ok(command) = parser.parse_value(&mut stream) {
                    if stream.write_all(&reply(&command, resp, &bytes)).is_err() {
                        break;
                    }
                }
            });
        }
    });
    Client::open(format!("redis://127.0.0.1:{port}/?protocol=resp{resp}")).expect("an address")
}

fn reply(command: &Value, resp: u8, bytes: &[u8]) -> Vec<u8> {
    let words: Vec<Vec<u8>> = redis::from_redis_value_ref(command).expect("a command");
    let name = words[0].to_ascii_lowercase();
    match &name[..] {
        b"hello" => b"%1\r\n+proto\r\n:3\r\n".to_vec(),
        b"subscribe" | b"psubscribe" | b"unsubscribe" | b"punsubscribe" => {
            let kind = if resp == 3 { ">" } else { "*" };
            let name = String::from_utf8(name).expect("a name");
            let subscribed = words.get(1).map(|channel| channel.escape_ascii().to_string());
            let channel =
                subscribed.map_or("$-1".into(), |channel| format!("${}\r\n{channel}", channel.len()));
            let count = usize::from(!name.contains("unsub"));
            let confirmation = format!("{kind}3\r\n${}\r\n{name}\r\n{channel}\r\n:{count}\r\n", name.len());
            [confirmation.as_bytes(), bytes].concat()
        }
        _ => b"+OK\r\n".to_vec(),
    }
}

/// Returns a message of these words, as a server sends it.
pub(crate) fn message(resp: u8, words: &[&str]) -> Vec<u8> {
    let start = format!("{}{}\r\n", if resp == 3 { '>' } else { '*' }, words.len());
    let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    [start].into_iter().chain(words).collect::<String>().into_bytes()
}
